use super::{AgreementKey, AgreementPublic, Message, Opened};
use crate::check::Refusal;
use crate::identity::{DidUrl, Signer, SigningFailed};

/// The longest envelope that is read or made, in bytes.
pub const MAX_ENVELOPE: usize = 256 * 1024;

/// Why a message could not be sealed.
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
    Ok(seal_signed(&super::sign(message, signer)?, recipients, random)?)
}

/// Seals a signed message, for example to send it once more.
///
/// # Errors
/// `inbox.envelope.recipients`, `inbox.agreement`, `inbox.size`.
pub fn seal_signed(
    signed: &str,
    recipients: &[AgreementPublic],
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<u8>, Refusal> {
    let _ = (signed, recipients, random);
    todo!()
}

/// The recipient keys that an envelope names; all of one DID. Says nothing of whether it can be opened.
///
/// # Errors
/// `inbox.size`, `inbox.envelope.*`, `encoding.*`.
pub fn addressed_to(envelope: &[u8]) -> Result<Vec<DidUrl>, Refusal> {
    let _ = envelope;
    todo!()
}

/// Opens an envelope with the first of `keys` that it is sealed for.
///
/// # Errors
/// `inbox.*`, `encoding.*`, `jws.*`.
pub fn decrypt(envelope: &[u8], keys: &[AgreementKey]) -> Result<Opened, Refusal> {
    let _ = (envelope, keys);
    todo!()
}
