//! What was refused lately, and why: for the owner, who otherwise would have to read the log.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::Node;
use crate::check::Refusal;
use crate::credential::rfc3339;
use crate::encoding::Timestamp;
use crate::identity::DidUrl;

/// How many are remembered; whoever sends rubbish only pushes out other rubbish.
const REMEMBERED: usize = 100;

/// A message or an envelope that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedMessage {
    /// When.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// The key that is said to have signed; absent for an envelope that did not open.
    pub signer: Option<DidUrl>,
    /// The check that failed.
    pub check: &'static str,
    /// What was found and what was expected.
    pub detail: String,
}

/// The last refusals, newest last.
#[derive(Default)]
pub(super) struct Refused(Mutex<VecDeque<RefusedMessage>>);

impl Refused {
    pub(super) fn note(&self, signer: Option<&DidUrl>, refusal: &Refusal, at: Timestamp) {
        let check = refusal.check.id();
        tracing::warn!(check, detail = refusal.detail, signer = signer.map(tracing::field::display), "refused");
        let detail = refusal.detail.clone();
        // A list of plain values cannot be left half-written by a panic elsewhere.
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() == REMEMBERED {
            list.pop_front();
        }
        list.push_back(RefusedMessage { at, signer: signer.cloned(), check, detail });
    }
}

impl Node {
    /// The messages and envelopes that were refused lately, newest last.
    pub fn refused(&self) -> Vec<RefusedMessage> {
        self.refused.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
