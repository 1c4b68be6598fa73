//! How many messages are on their way at once: so many to one counterparty that one which does not answer holds up nobody
//! but itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::negotiation::plain::ParticipantId;

/// How many to one counterparty.
const TO_ONE: usize = 96;
/// How many to all of them.
const TO_ALL: usize = 384;
/// How many counterparties are in memory; beyond it those to whom nothing is on its way are forgotten.
const IN_MEMORY: usize = 1000;

/// The ways out.
pub(super) struct Lanes {
    all: Arc<Semaphore>,
    to: Mutex<HashMap<ParticipantId, Arc<Semaphore>>>,
}

/// A place on the way; free again when it is dropped.
pub(super) struct Lane {
    _own: Option<OwnedSemaphorePermit>,
    _shared: Option<OwnedSemaphorePermit>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(TO_ALL)), to: Mutex::default() }
    }
}

impl Lanes {
    /// Waits for a place for a message to `peer`.
    pub(super) async fn to(&self, peer: &ParticipantId) -> Lane {
        let own = {
            // A map of semaphores cannot be left half-written by a panic elsewhere.
            let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
            if to.len() >= IN_MEMORY {
                to.retain(|_, lane| Arc::strong_count(lane) > 1);
            }
            Arc::clone(to.entry(peer.clone()).or_insert_with(|| Arc::new(Semaphore::new(TO_ONE))))
        };
        // The semaphores are never closed. Its own place first: who waits there takes none of the others'.
        let own = own.acquire_owned().await.ok();
        Lane { _own: own, _shared: Arc::clone(&self.all).acquire_owned().await.ok() }
    }
}
