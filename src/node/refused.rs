//! What was refused lately, and why: for the owner, who otherwise would have to read the log.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};

use super::store::{News, Seen};
use super::{Node, NodeFault};
use crate::check::Refusal;
use crate::credential::rfc3339;
use crate::encoding::{Digest, Timestamp};
use crate::identity::DidUrl;

/// How many are remembered; whoever sends rubbish only pushes out other rubbish.
const REMEMBERED: usize = 100;
/// How much of what a refusal says is kept.
const LONGEST: usize = 1000;

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

/// A refusal as the store kept it: it outlives the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptRefusal {
    /// When.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// The key that is said to have signed; null for an envelope that did not open.
    pub signer: Option<DidUrl>,
    /// The check that failed.
    pub check: String,
    /// What was found and what was expected.
    pub detail: String,
}

/// The last refusals since the node started, newest last, and how often each check refused.
#[derive(Default)]
pub(super) struct Refused(Mutex<Since>);

#[derive(Default)]
struct Since {
    last: VecDeque<RefusedMessage>,
    counts: BTreeMap<&'static str, u64>,
}

impl Refused {
    /// Remembers a refusal; what the store keeps of it, in the same step in which the envelope goes.
    pub(super) fn note(&self, signer: Option<&DidUrl>, refusal: &Refusal, at: Timestamp) -> Seen {
        let check = refusal.check.id();
        tracing::warn!(check, detail = refusal.detail, signer = signer.map(tracing::field::display), "refused");
        let detail: String = refusal.detail.chars().take(LONGEST).collect();
        let named = signer.filter(|signer| signer.to_string().len() <= LONGEST);
        let kept = json!({ "check": check, "detail": detail, "signer": named });
        // Plain values cannot be left half-written by a panic elsewhere.
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if since.last.len() == REMEMBERED {
            since.last.pop_front();
        }
        since.last.push_back(RefusedMessage { at, signer: signer.cloned(), check, detail });
        *since.counts.entry(check).or_default() += 1;
        Seen { kind: "refused", at, negotiation: None, detail: kept, once: None }
    }
}

impl KeptRefusal {
    fn of(news: News) -> Option<Self> {
        let text = |name: &str| news.detail.get(name).and_then(Value::as_str);
        Some(Self {
            at: news.at?,
            signer: text("signer").and_then(|signer| signer.parse().ok()),
            check: text("check")?.to_owned(),
            detail: text("detail")?.to_owned(),
        })
    }
}

impl Node {
    /// The messages and envelopes that were refused since the node started, newest last.
    pub fn refused(&self) -> Vec<RefusedMessage> {
        self.refused.0.lock().unwrap_or_else(PoisonError::into_inner).last.iter().cloned().collect()
    }

    /// The last refusals, those before the node started too, newest last.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn refusals(&self) -> Result<Vec<KeptRefusal>, NodeFault> {
        let limit = u32::try_from(REMEMBERED).unwrap_or(u32::MAX);
        Ok(self.store.refusals(limit).await?.into_iter().filter_map(KeptRefusal::of).collect())
    }

    /// Drops an envelope that was refused, and tells the desk.
    pub(super) async fn refuse_envelope(&self, digest: Digest, seen: &Seen) -> Result<(), NodeFault> {
        self.store.refuse_envelope(digest, seen).await?;
        self.bells.news.send_replace(());
        Ok(())
    }

    /// How often each check refused a message or an envelope since the node started.
    pub fn refused_by_check(&self) -> BTreeMap<&'static str, u64> {
        self.refused.0.lock().unwrap_or_else(PoisonError::into_inner).counts.clone()
    }
}
