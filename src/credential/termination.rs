use crate::check::{Refusal, Trail};
use crate::identity::{Did, Documents, Signer, SigningFailed, Verified};

/// A party's signed word that a negotiation is over (`protocol.md` 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termination {
    /// `iss`.
    pub signer: Did,
    /// The process id that the message's `thid` names.
    pub negotiation: String,
    /// `b64u(H(issuer JWT))` of the offer on the table, if there was one.
    pub offer_sha256: Option<String>,
    /// For people.
    pub reason: String,
    /// For programs.
    pub code: String,
}

impl Termination {
    /// Signs `self`; `signer` speaks for `self.signer`.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn sign(&self, signer: &dyn Signer) -> Result<String, SigningFailed> {
        let _ = signer;
        todo!()
    }

    /// Verifies a termination by `by`.
    ///
    /// # Errors
    /// `termination.*`, `jws.*`, `did.*`, `encoding.*`.
    pub fn verify(
        text: &str,
        by: &Did,
        documents: &Documents,
        trail: &mut Trail,
    ) -> Result<Verified<Termination>, Refusal> {
        let _ = (text, by, documents, trail);
        todo!()
    }
}
