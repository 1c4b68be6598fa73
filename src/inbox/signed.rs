use super::Message;
use crate::check::{Refusal, Trail};
use crate::encoding::Timestamp;
use crate::identity::{Did, DidUrl, Documents, Signer, Verified};

/// A signed message that was taken out of its envelope or kept; nothing about it is proven yet.
#[derive(Clone, Debug)]
pub struct Opened {
    text: String,
    signer: DidUrl,
    opened_with: Option<DidUrl>,
}

/// Signs a message: a general JSON JWS over its plaintext, the form that a contract's history keeps.
///
/// # Errors
/// What [`super::seal`] says.
pub fn sign(message: &Message, signer: &dyn Signer) -> Result<String, super::SealFailed> {
    let _ = (message, signer);
    todo!()
}

impl Opened {
    /// Takes a signed message apart that was kept outside its envelope, for example in a contract's history.
    ///
    /// # Errors
    /// `inbox.signed.*`, `inbox.from`, `inbox.nesting`, `inbox.plaintext*`, `encoding.*`, `jws.*`.
    pub fn read(signed: &str) -> Result<Self, Refusal> {
        let _ = signed;
        todo!()
    }

    /// The key that is said to have signed; of the DID in `from`, so this is the document to resolve.
    pub fn signer_kid(&self) -> &DidUrl {
        &self.signer
    }

    /// The key that opened the envelope; `None` for a signed message that was kept.
    pub fn opened_with(&self) -> Option<&DidUrl> {
        self.opened_with.as_ref()
    }

    /// The signed message, as it is kept in a contract's history.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Verifies a message that arrived for `own`.
    ///
    /// # Errors
    /// `inbox.to`, `inbox.expired`, `jws.*`, `did.*`.
    pub fn verify(
        &self,
        own: &Did,
        documents: &Documents,
        now: Timestamp,
        trail: &mut Trail,
    ) -> Result<Verified<Message>, Refusal> {
        let _ = (own, documents, now, trail);
        todo!()
    }

    /// Verifies a kept message: that its sender signed it. Whom it was for and when it expired is history.
    ///
    /// # Errors
    /// `jws.*`, `did.*`.
    pub fn verify_kept(&self, documents: &Documents, trail: &mut Trail) -> Result<Verified<Message>, Refusal> {
        let _ = (documents, trail);
        todo!()
    }
}
