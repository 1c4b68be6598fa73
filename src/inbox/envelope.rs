use super::jwe::{self, Envelope};
use super::{AgreementKey, AgreementPublic, Message, Opened, checks};
use crate::check::Refusal;
use crate::identity::{DidUrl, Signer, SigningFailed};

/// Why a message could not be signed or sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealFailed {
    /// The signing key could not be used.
    #[error(transparent)]
    Signing(#[from] SigningFailed),
    /// A strict reader would refuse what would be sent.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Signs a message and seals it for the recipient: `anoncrypt(sign(plaintext))`, ECDH-ES+A256KW with A256CBC-HS512.
///
/// `recipients` are the keys of one DID and one curve; `random` fills a buffer with fresh randomness.
///
/// # Errors
/// When the signing key cannot be used, or a strict reader would refuse the outcome.
pub fn seal(
    message: &Message,
    signer: &dyn Signer,
    recipients: &[AgreementPublic],
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<u8>, SealFailed> {
    let addressed = recipients.iter().all(|recipient| message.to.contains(recipient.kid.did()));
    checks::TO.hold(addressed, || "the message is sealed for somebody who is not in to".into())?;
    Ok(seal_signed(&super::sign(message, signer)?, recipients, random)?)
}

/// Seals a signed message, for example to send it once more.
///
/// # Errors
/// `inbox.envelope.recipients`, `inbox.envelope.shared`, `inbox.agreement`, `inbox.size`.
pub fn seal_signed(
    signed: &str,
    recipients: &[AgreementPublic],
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<u8>, Refusal> {
    hold_one_did(recipients.iter().map(|recipient| &recipient.kid))?;
    let named = |recipient: &AgreementPublic| Ok((recipient.kid.to_string(), recipient.point()?));
    let points = recipients.iter().map(named).collect::<Result<Vec<_>, Refusal>>()?;
    jwe::seal(signed.as_bytes(), &points, random)
}

/// The recipient keys that an envelope names; all of one DID. Says nothing of whether it can be opened.
///
/// # Errors
/// `inbox.size`, `inbox.nesting`, `inbox.envelope.*`, `encoding.*`.
pub fn addressed_to(envelope: &[u8]) -> Result<Vec<DidUrl>, Refusal> {
    recipients(&Envelope::read(envelope)?)
}

/// Opens an envelope with the first of its recipient keys that is among `keys`.
///
/// # Errors
/// `inbox.*`, `encoding.*`, `jws.*`, `did.*`.
pub fn decrypt(envelope: &[u8], keys: &[AgreementKey]) -> Result<Opened, Refusal> {
    let envelope = Envelope::read(envelope)?;
    let named = recipients(&envelope)?;
    let key = named.iter().find_map(|kid| keys.iter().find(|key| key.kid() == kid));
    let key = key.ok_or_else(|| checks::RECIPIENT.refuse(format!("sealed for {named:?}, none of which is at hand")))?;
    let signed = String::from_utf8(envelope.open(&key.kid().to_string(), key.secret())?)
        .map_err(|_| checks::NESTING.refuse("the envelope holds no text"))?;
    Ok(Opened::read(&signed)?.with(key.kid()))
}

fn recipients(envelope: &Envelope) -> Result<Vec<DidUrl>, Refusal> {
    let kids = envelope.recipients().map(str::parse).collect::<Result<Vec<DidUrl>, _>>()?;
    hold_one_did(kids.iter())?;
    Ok(kids)
}

fn hold_one_did<'a>(mut kids: impl Iterator<Item = &'a DidUrl>) -> Result<(), Refusal> {
    let first = kids.next().ok_or_else(|| checks::RECIPIENTS.refuse("no recipient"))?;
    checks::RECIPIENTS.hold(kids.all(|kid| kid.did() == first.did()), || "recipients of more than one DID".into())
}
