use super::jwe::{self, Envelope};
use super::{AgreementKey, AgreementPublic, MAX_ENVELOPE, Message, Opened, Plain, checks};
use crate::check::Refusal;
use crate::encoding;
use crate::identity::{DidUrl, Signer, SigningFailed};

/// The longest envelope that is read or made where another one may be inside: a forward, or a delivery of kept ones.
pub const MAX_OUTER: usize = 2 * MAX_ENVELOPE;

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

/// An envelope whose outside was read: whom it is for, and who is said to have sealed it. Still sealed.
#[derive(Clone, Debug)]
pub struct Sealed {
    envelope: Envelope,
    recipients: Vec<DidUrl>,
    sender: Option<DidUrl>,
}

/// What was inside an envelope; nothing about it is proven yet.
#[derive(Clone, Debug)]
pub enum Contents {
    /// A signed message: `anoncrypt(sign)`, or `authcrypt(sign)`.
    Signed(Box<Opened>),
    /// A plaintext: `authcrypt`, which only its recipient can be sure of, or an anonymous forward.
    Plain(Box<Plain>),
    /// An authenticated envelope inside an anonymous one, which hides who writes: `anoncrypt(authcrypt(…))`.
    Sealed(Box<Sealed>),
}

impl Sealed {
    /// Reads an envelope of at most `limit` bytes.
    ///
    /// # Errors
    /// `inbox.size`, `inbox.nesting`, `inbox.envelope.*`, `encoding.*`, `jws.kid`, `did`.
    pub fn read(envelope: &[u8], limit: usize) -> Result<Self, Refusal> {
        let envelope = Envelope::read_within(envelope, limit)?;
        let recipients = recipients(&envelope)?;
        let sender = envelope.sender().map(str::parse).transpose()?;
        Ok(Self { envelope, recipients, sender })
    }

    /// The recipient keys, all of one DID. Says nothing of whether it can be opened.
    pub fn recipients(&self) -> &[DidUrl] {
        &self.recipients
    }

    /// The key that it says it was sealed with: whose document has to be at hand before it opens.
    pub fn sender(&self) -> Option<&DidUrl> {
        self.sender.as_ref()
    }

    /// Opens it with the first of its recipient keys that is among `keys`; an authenticated one also with the public key
    /// of its sender.
    ///
    /// # Errors
    /// `inbox.*`, `encoding.*`, `jws.*`, `did.*`.
    pub fn open(&self, keys: &[AgreementKey], sender: Option<&AgreementPublic>) -> Result<Contents, Refusal> {
        let key = self.recipients.iter().find_map(|kid| keys.iter().find(|key| key.kid() == kid));
        let none = || checks::RECIPIENT.refuse(format!("sealed for {:?}, none of which is at hand", self.recipients));
        let key = key.ok_or_else(none)?;
        let kid = key.kid().to_string();
        let inside = match &self.sender {
            None => self.envelope.open(&kid, key.secret())?,
            Some(skid) => {
                let sender = sender.filter(|sender| sender.kid == *skid);
                let sender = sender.ok_or_else(|| checks::SENDER_KEY.refuse(format!("{skid} is not at hand")))?;
                self.envelope.open_from(&kid, key.secret(), &sender.jwk)?
            }
        };
        let text = String::from_utf8(inside).map_err(|_| checks::NESTING.refuse("the envelope holds no text"))?;
        let value = encoding::parse_json(text.as_bytes(), MAX_OUTER)?;
        if value.get("ciphertext").is_some() {
            let inner = Self::read(text.as_bytes(), MAX_OUTER)?;
            let hides = self.sender.is_none() && inner.sender.is_some();
            checks::NESTING.hold(hides, || "only an anonymous envelope holds another, an authenticated one".into())?;
            return Ok(Contents::Sealed(Box::new(inner)));
        }
        if value.get("payload").is_some() {
            let opened = Opened::read(&text)?.with(key.kid());
            let same = self.sender.as_ref().is_none_or(|skid| skid.did() == opened.signer_kid().did());
            checks::FROM.hold(same, || format!("signed by {}, sealed by {:?}", opened.signer_kid(), self.sender))?;
            return Ok(Contents::Signed(Box::new(opened)));
        }
        Ok(Contents::Plain(Box::new(Plain::new(text, self.sender.clone(), key.kid().clone()))))
    }
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
    seal_text(signed, None, recipients, MAX_ENVELOPE, random)
}

/// Seals a plaintext with `sender`'s key: `authcrypt(plaintext)`. The recipient can be sure of who wrote, nobody else can.
///
/// # Errors
/// `inbox.from`, `inbox.to`, `inbox.envelope.*`, `inbox.agreement`, `inbox.size`, and what [`Message::read`] refuses.
pub fn seal_from(
    message: &Message,
    sender: &AgreementKey,
    recipients: &[AgreementPublic],
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<u8>, Refusal> {
    let (from, kid) = (&message.from, sender.kid());
    checks::FROM.hold(from == kid.did(), || format!("from {from}, sealed by {kid}"))?;
    let addressed = recipients.iter().all(|recipient| message.to.contains(recipient.kid.did()));
    checks::TO.hold(addressed, || "the message is sealed for somebody who is not in to".into())?;
    seal_text(&message.write_within(MAX_OUTER)?, Some(sender), recipients, MAX_OUTER, random)
}

/// Seals any text, message or not, for the keys of one DID and one curve: authenticated with `sender`'s key, or
/// anonymously without one.
///
/// # Errors
/// `inbox.envelope.*`, `inbox.agreement`, `inbox.size`.
pub fn seal_text(
    text: &str,
    sender: Option<&AgreementKey>,
    recipients: &[AgreementPublic],
    limit: usize,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<u8>, Refusal> {
    hold_one_did(recipients.iter().map(|recipient| &recipient.kid))?;
    let named = |recipient: &AgreementPublic| Ok((recipient.kid.to_string(), recipient.point()?));
    let points = recipients.iter().map(named).collect::<Result<Vec<_>, Refusal>>()?;
    jwe::seal(text.as_bytes(), sender, &points, limit, random)
}

/// The recipient keys that an envelope names; all of one DID. Says nothing of whether it can be opened.
///
/// # Errors
/// `inbox.size`, `inbox.nesting`, `inbox.envelope.*`, `encoding.*`.
pub fn addressed_to(envelope: &[u8]) -> Result<Vec<DidUrl>, Refusal> {
    recipients(&Envelope::read(envelope)?)
}

/// Opens an anonymous envelope around a signed message with the first of its recipient keys that is among `keys`.
///
/// # Errors
/// `inbox.*`, `encoding.*`, `jws.*`, `did.*`; `inbox.unsigned` when what it holds is not signed.
pub fn decrypt(envelope: &[u8], keys: &[AgreementKey]) -> Result<Opened, Refusal> {
    match Sealed::read(envelope, MAX_ENVELOPE)?.open(keys, None)? {
        Contents::Signed(opened) => Ok(*opened),
        Contents::Plain(plain) => Err(plain.not_signed()),
        Contents::Sealed(_) => Err(checks::SENDER_KEY.refuse("the sender's key is not at hand")),
    }
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
