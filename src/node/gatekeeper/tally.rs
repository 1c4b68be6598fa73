//! What a gate has done since it started, in numbers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Gatekeeper;
use crate::node::NodeFault;

/// Counters, without a word about who was let in.
#[derive(Default)]
pub(super) struct Counts {
    granted: AtomicU64,
    bytes: AtomicU64,
    denied: Mutex<BTreeMap<&'static str, u64>>,
}

/// What a gate has done since it started, and what is open now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateTally {
    /// Answers that were granted a token.
    pub granted: u64,
    /// Answers that were denied, by check.
    pub denied: BTreeMap<&'static str, u64>,
    /// Bytes that went out, of deliveries that have ended.
    pub bytes: u64,
    /// Tokens that are held.
    pub tokens: usize,
    /// Deliveries that run.
    pub running: usize,
}

impl Counts {
    pub(super) fn judged<T>(&self, admitted: &Result<T, NodeFault>) {
        let check = match admitted {
            Ok(_) => {
                self.granted.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Err(NodeFault::Refused(refusal)) => refusal.check.id(),
            Err(_) => "none",
        };
        // Plain values cannot be left half-written by a panic elsewhere.
        *self.denied.lock().unwrap_or_else(PoisonError::into_inner).entry(check).or_default() += 1;
    }

    pub(super) fn sent(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Gatekeeper {
    /// What it has done since it started, and what is open now.
    pub fn tally(&self) -> GateTally {
        let denied = self.counts.denied.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let open = self.lock();
        GateTally {
            granted: self.counts.granted.load(Ordering::Relaxed),
            denied,
            bytes: self.counts.bytes.load(Ordering::Relaxed),
            tokens: open.tokens.len(),
            running: open.deliveries.len(),
        }
    }
}
