use super::NotSigned;
use crate::check::{Refusal, Trail};
use crate::encoding::Timestamp;
use crate::identity::{Did, Documents, PublicKey, Signer, Thumbprint, Unverified, Verified};

/// The consumer's statement that a one-time key is its own (`protocol.md` 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatement {
    /// `iss`.
    pub consumer: Did,
    /// `aud`.
    pub provider: Did,
    /// The consumer's process id.
    pub negotiation: String,
    /// Thumbprint of the one-time key.
    pub jkt: Thumbprint,
    /// Valid from.
    pub iat: Timestamp,
    /// Valid before.
    pub exp: Timestamp,
    /// The consumer's DID key that signed this.
    pub signed_by: Thumbprint,
    /// The statement as sent: a compact JWS.
    pub text: String,
}

impl KeyStatement {
    /// Signs the statement that `key` is the one-time key of `signer`'s DID in `negotiation` with `provider`.
    ///
    /// # Errors
    /// [`NotSigned`] when `key` is the signer's own key or the signer cannot be used.
    pub fn state(
        signer: &dyn Signer,
        provider: &Did,
        negotiation: &str,
        key: &PublicKey,
        iat: Timestamp,
        exp: Timestamp,
    ) -> Result<String, NotSigned> {
        let _ = (signer, provider, negotiation, key, iat, exp);
        todo!()
    }

    /// Verifies a statement as of `at`.
    ///
    /// # Errors
    /// `statement.*`, `jws.*`, `did.*`, `encoding.*`.
    pub fn verify(
        text: &Unverified<KeyStatement>,
        documents: &Documents,
        at: Timestamp,
        trail: &mut Trail,
    ) -> Result<Verified<KeyStatement>, Refusal> {
        let _ = (text, documents, at, trail);
        todo!()
    }
}
