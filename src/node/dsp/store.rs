use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;

use super::PlainPending;
use crate::encoding::Timestamp;
use crate::negotiation::plain::{Event, ParticipantId};
use crate::negotiation::{Role, StateName};
use crate::node::StoreFault;

/// Resolves when what was submitted is durable, or has failed.
pub type Receipt = Pin<Box<dyn Future<Output = Result<(), StoreFault>> + Send>>;

/// What keeps plain negotiations. What is submitted is written in the order in which it came.
#[async_trait]
pub trait PlainStore: Send + Sync {
    /// Takes a decision in; written with others that wait, in one transaction, or not at all.
    ///
    /// The receipt says `Moved` when the log does not end where the decision begins.
    fn submit(&self, commit: PlainCommit) -> Receipt;
    /// Notes that a token was used, to be written with what is submitted next; its number.
    fn spend(&self, token: Spent) -> u64;
    /// Whether the token of a number is written.
    fn is_spent(&self, number: u64) -> bool;
    /// The tokens that were used and could be used again.
    async fn spent(&self, now: Timestamp) -> Result<Vec<[u8; 16]>, StoreFault>;
    /// The log of a negotiation.
    async fn plain_log(&self, id: &str) -> Result<Option<Vec<Event>>, StoreFault>;
    /// This node's id of a negotiation in which it has `role`, by the counterparty's.
    async fn find_plain(&self, peer: &ParticipantId, role: Role, pid: &str) -> Result<Option<String>, StoreFault>;
    /// Negotiations, newest first, at most `limit` of those before number `before`.
    async fn plain(&self, open: bool, before: Option<i64>, limit: u32) -> Result<Vec<PlainEntry>, StoreFault>;
    /// How many are open with a counterparty.
    async fn plain_open_with(&self, peer: &ParticipantId) -> Result<u64, StoreFault>;
    /// How many are open with each counterparty with whom any is.
    async fn plain_open(&self) -> Result<Vec<(ParticipantId, u64)>, StoreFault>;
    /// Negotiations that the clock ends by `now`, and when the next one comes.
    async fn plain_lapsed(&self, now: Timestamp) -> Result<(Vec<String>, Option<Timestamp>), StoreFault>;
    /// When the clock ends a negotiation, and which of its messages the counterparty never took.
    async fn plain_pending(&self, id: &str) -> Result<PlainPending, StoreFault>;
    /// Messages that no counterparty has taken yet: negotiation and place in its log.
    async fn plain_unsent(&self) -> Result<Vec<(String, u64)>, StoreFault>;
}

/// A token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// What stands for it.
    pub token: [u8; 16],
    /// When it was used.
    pub at: Timestamp,
    /// Until when it could be used again.
    pub until: Timestamp,
}

/// A line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainEntry {
    /// Grows with every negotiation.
    pub number: i64,
    /// This node's id of it.
    pub id: String,
}

/// One decision on its way into the store. An empty one writes nothing: it is done when those before it are, and `Moved`
/// where the log has no `place` events then.
#[derive(Clone, Debug, Default)]
pub struct PlainCommit {
    /// This node's id of the negotiation.
    pub id: String,
    /// The place of the first of `events` in the log; how many events it has where there are none.
    pub place: u64,
    /// What happened, as it is written.
    pub events: Vec<String>,
    /// The places of those events that are messages to send.
    pub send: Vec<u64>,
    /// The places of messages that the counterparty has taken, or never will.
    pub done: Vec<u64>,
    /// The places of messages that the counterparty will never take, and why.
    pub undelivered: Vec<(u64, String)>,
    /// The places of those events that a desk is told.
    pub told: Vec<u64>,
    /// What the negotiation is found by; absent where nothing happened to it.
    pub index: Option<PlainIndex>,
}

/// What a plain negotiation is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainIndex {
    /// This node's side.
    pub role: Role,
    /// The counterparty.
    pub peer: ParticipantId,
    /// The counterparty's id of it, once it is known.
    pub peer_pid: Option<String>,
    /// The dataset.
    pub dataset: String,
    /// Where it stands.
    pub state: StateName,
    /// When it moved.
    pub at: Timestamp,
    /// When the clock ends it.
    pub lapses: Option<Timestamp>,
}
