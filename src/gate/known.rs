use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};

use crate::check::{Refusal, Trail};
use crate::credential::{Asset, Core};
use crate::identity::{Documents, Thumbprint, Unverified, Verified};
use crate::policy::Policy;

/// A core that was verified, with what every admission needs of it.
#[derive(Clone, Debug)]
pub struct Known {
    /// The core.
    pub core: Verified<Core>,
    /// Thumbprint of the consumer's one-time key.
    pub consumer_key: Thumbprint,
    /// What its first presentation here showed; a wallet shows the same each time.
    pub(super) shown: OnceLock<Arc<Shown>>,
}

/// What a presentation showed, read and held to the issuer JWT's digests.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The presentation up to and with its last tilde.
    pub text: String,
    /// What the contract is about.
    pub asset: Asset,
    /// The terms.
    pub terms: Policy,
}

impl Known {
    /// Verifies a core.
    ///
    /// # Errors
    /// Those of [`Core::read`].
    pub fn read(text: &Unverified<Core>, documents: &Documents, trail: &mut Trail) -> Result<Self, Refusal> {
        let core = Core::read(text, documents, trail)?;
        let consumer_key = core.consumer_key.thumbprint();
        Ok(Self { core, consumer_key, shown: OnceLock::new() })
    }
}

/// The cores that a gate has verified before, by their exact text: a signature that held once holds for good.
#[derive(Debug)]
pub struct KnownCores {
    by_tail: HashMap<String, Arc<Known>>,
    order: VecDeque<String>,
    room: usize,
}

impl KnownCores {
    /// Room for `room` cores; the oldest makes place.
    pub fn new(room: usize) -> Self {
        Self { by_tail: HashMap::new(), order: VecDeque::new(), room }
    }

    /// The core of exactly this text, if it was verified before.
    pub fn find(&self, text: &str) -> Option<Arc<Known>> {
        self.by_tail.get(tail(text)).filter(|known| known.core.text == text).cloned()
    }

    /// Keeps a verified core.
    pub fn keep(&mut self, known: Arc<Known>) {
        let key = tail(&known.core.text).to_owned();
        if self.by_tail.insert(key.clone(), known).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > self.room {
            if let Some(oldest) = self.order.pop_front() {
                self.by_tail.remove(&oldest);
            }
        }
    }
}

/// The acceptance's signature: short to look up by; the whole text is compared afterwards.
fn tail(text: &str) -> &str {
    text.rsplit_once('.').map_or(text, |(_, tail)| tail)
}
