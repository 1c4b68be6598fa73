use super::jws::{self, GeneralJws};
use super::{MAX_PLAINTEXT, Message, SealFailed, checks, message};
use crate::check::{Refusal, Trail};
use crate::encoding::Timestamp;
use crate::identity::{Did, DidUrl, Documents, Signer, Verified};

/// A signed message that was taken out of its envelope or kept; nothing about it is proven yet.
#[derive(Clone, Debug)]
pub struct Opened {
    text: String,
    signer: DidUrl,
    opened_with: Option<DidUrl>,
    jws: GeneralJws,
    message: Message,
}

/// Signs a message: a general JSON JWS over its plaintext, the form that a contract's history keeps.
///
/// # Errors
/// When the signing key cannot be used, or a strict reader would refuse the outcome.
pub fn sign(message: &Message, signer: &dyn Signer) -> Result<String, SealFailed> {
    hold_addresses(message, signer.did())?;
    Ok(jws::sign(&message.write()?, signer)?)
}

fn hold_addresses(message: &Message, signer: &Did) -> Result<(), Refusal> {
    checks::FROM.hold(message.from == *signer, || format!("from {}, signed by {signer}", message.from))?;
    checks::TO.hold(!message.to.is_empty(), || "to is missing".into())
}

impl Opened {
    /// Takes a signed message apart that was kept outside its envelope, for example in a contract's history.
    ///
    /// # Errors
    /// `inbox.nesting`, `inbox.signed.*`, `inbox.from`, `inbox.to`, `inbox.plaintext*`, `inbox.attachment`, `jws.*`,
    /// `did.*`, `encoding.*`.
    pub fn read(signed: &str) -> Result<Self, Refusal> {
        let jws = GeneralJws::read(signed.as_bytes())?;
        let signer: DidUrl = jws.kid().parse()?;
        let message = Message::read(jws.payload())?;
        // Before anybody resolves the signer's document: a kid of a third party would choose what is fetched.
        hold_addresses(&message, signer.did())?;
        Ok(Self { text: signed.to_owned(), signer, opened_with: None, jws, message })
    }

    pub(super) fn with(mut self, key: &DidUrl) -> Self {
        self.opened_with = Some(key.clone());
        self
    }

    /// The key that is said to have signed; of the DID in `from`, so this is the document to resolve.
    pub fn signer_kid(&self) -> &DidUrl {
        &self.signer
    }

    /// The message's type, which decides who reads it; not verified.
    pub fn kind(&self) -> &str {
        &self.message.kind
    }

    /// Whether it asks for its answer on the way that it came.
    pub fn returns(&self) -> bool {
        message::returns(self.jws.payload(), MAX_PLAINTEXT)
    }

    /// The key that opened the envelope; `None` for a signed message that was kept.
    pub fn opened_with(&self) -> Option<&DidUrl> {
        self.opened_with.as_ref()
    }

    /// When it says that it was written; nothing is proven about that yet.
    pub fn created(&self) -> Option<Timestamp> {
        self.message.created_time
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
        let opened_by_own = self.opened_with.as_ref().is_none_or(|key| key.did() == own);
        trail.hold(&checks::TO, opened_by_own && self.message.to.contains(own), || {
            format!("to {:?}, opened with {:?}, read by {own}", self.message.to, self.opened_with)
        })?;
        trail.hold(&checks::EXPIRED, self.message.expires_time.is_none_or(|expires| now < expires), || {
            format!("expired at {:?}, it is {now}", self.message.expires_time)
        })?;
        self.verify_kept(documents, trail)
    }

    /// Verifies a kept message: that its sender signed it. Whom it was for and when it expired is history.
    ///
    /// # Errors
    /// `jws.*`, `did.*`.
    pub fn verify_kept(&self, documents: &Documents, trail: &mut Trail) -> Result<Verified<Message>, Refusal> {
        trail.hold(&checks::FROM, self.message.from == *self.signer.did(), || {
            format!("from {}, signed by {}", self.message.from, self.signer)
        })?;
        self.jws.verify(&documents.key(&self.signer)?, trail)?;
        Ok(Verified::vouched(self.message.clone()))
    }
}
