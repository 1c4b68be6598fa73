use super::{Forward, MAX_OUTER, Message, checks, message};
use crate::check::{Refusal, Trail};
use crate::encoding::Timestamp;
use crate::identity::{Did, DidUrl, Verified};

/// A plaintext that was taken out of its envelope: believed by whoever opened it, for the sender's key sealed it, but
/// worth nothing to a third party, for the recipient's key could have sealed it as well.
#[derive(Clone, Debug)]
pub struct Plain {
    text: String,
    sender: Option<DidUrl>,
    opened_with: DidUrl,
}

impl Plain {
    pub(super) fn new(text: String, sender: Option<DidUrl>, opened_with: DidUrl) -> Self {
        Self { text, sender, opened_with }
    }

    /// The key that sealed it; `None` when it came anonymously.
    pub fn sender(&self) -> Option<&DidUrl> {
        self.sender.as_ref()
    }

    /// The key that opened it.
    pub fn opened_with(&self) -> &DidUrl {
        &self.opened_with
    }

    /// Whether it asks for its answer on the way that it came.
    pub fn returns(&self) -> bool {
        message::returns(self.text.as_bytes(), MAX_OUTER)
    }

    /// The refusal where a signature is needed.
    pub fn not_signed(&self) -> Refusal {
        checks::UNSIGNED.refuse(match &self.sender {
            Some(sender) => {
                format!("{sender} sealed this message without signing it; send it signed inside its envelope")
            }
            None => "neither signed nor sealed by its sender".into(),
        })
    }

    /// The message, when it was sealed by `from` for `own`, and is read in time.
    ///
    /// # Errors
    /// `inbox.unsigned` when it came anonymously, `inbox.from`, `inbox.to`, `inbox.expired`, `inbox.plaintext*`,
    /// `inbox.attachment`, `inbox.nesting`, `encoding.*`.
    pub fn verify(&self, own: &Did, now: Timestamp, trail: &mut Trail) -> Result<Verified<Message>, Refusal> {
        let sender = self.sender.as_ref().ok_or_else(|| self.not_signed())?;
        let message = Message::read_within(self.text.as_bytes(), MAX_OUTER)?;
        trail.hold(&checks::FROM, message.from == *sender.did(), || {
            format!("from {}, sealed by {sender}", message.from)
        })?;
        trail.hold(&checks::TO, self.opened_with.did() == own && message.to.contains(own), || {
            format!("to {:?}, opened with {}, read by {own}", message.to, self.opened_with)
        })?;
        trail.hold(&checks::EXPIRED, message.expires_time.is_none_or(|expires| now < expires), || {
            format!("expired at {:?}, it is {now}", message.expires_time)
        })?;
        Ok(Verified::vouched(message))
    }

    /// The forward that this is; `None` when it is another message. Who asks for one does not matter.
    ///
    /// # Errors
    /// `inbox.forward`, `encoding.*`.
    pub fn forward(&self) -> Result<Option<Forward>, Refusal> {
        Forward::read(self.text.as_bytes())
    }
}
