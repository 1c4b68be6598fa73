//! What transfers need of the world; the store, the Dataspace Protocol's courier and the negotiations implement it.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::encoding::{Digest, Timestamp};
use crate::negotiation::Role;
use crate::node::{NodeFault, OwnContract, StoreFault};
use crate::transfer::{Event, Notice, StateName};

/// Keeps transfers. Each call is atomic and durable when it returns.
#[async_trait]
pub trait TransferStore: Send + Sync {
    /// Writes a decision, or nothing: `Moved` when somebody else decided meanwhile, `Repeated` for a message dealt with.
    async fn commit_transfer(&self, commit: TransferCommit) -> Result<(), StoreFault>;
    /// The log of a transfer.
    async fn transfer_log(&self, id: &str) -> Result<Option<Vec<Event>>, StoreFault>;
    /// The transfer that a counterparty began, or that was begun with it, by the consumer's pid.
    async fn transfer_of(&self, peer: &str, consumer_pid: &str) -> Result<Option<String>, StoreFault>;
    /// The transfer whose data a token opens.
    async fn transfer_of_token(&self, token: Digest) -> Result<Option<String>, StoreFault>;
    /// Whether a message of a counterparty was dealt with.
    async fn transfer_heard(&self, peer: &str, message: &str) -> Result<bool, StoreFault>;
    /// Every transfer, newest first.
    async fn transfers(&self) -> Result<Vec<String>, StoreFault>;
    /// How many transfers under an agreement are in none of the final states.
    async fn transfers_open(&self, agreement: &str) -> Result<u64, StoreFault>;
    /// The oldest notice of each transfer that is due; `each` of a counterparty at most, `limit` in all.
    async fn notices_due(&self, now: Timestamp, limit: u32, each: u32) -> Result<Vec<DueNotice>, StoreFault>;
    /// The negotiations in credential mode that accepted a contract of this id.
    async fn contracted(&self, contract: &str) -> Result<Vec<String>, StoreFault>;
    /// The plain negotiations that came to an agreement of this id.
    async fn agreed(&self, agreement: &str) -> Result<Vec<String>, StoreFault>;
    /// A notice was tried: it is told (`None`), or tried again then.
    async fn notice_tried(&self, id: &str, again: Option<Timestamp>) -> Result<(), StoreFault>;
}

/// One decision about a transfer on its way into the store.
#[derive(Clone, Debug)]
pub struct TransferCommit {
    /// This node's pid of it.
    pub id: String,
    /// How many events the log had when the decision was made.
    pub version: u64,
    /// What happened.
    pub events: Vec<Event>,
    /// What the counterparty is told, under the message's id.
    pub notice: Option<(String, Notice)>,
    /// The counterparty's id of the message that caused this.
    pub message: Option<String>,
    /// H(token), where a token is given out.
    pub token: Option<Digest>,
    /// The counterparty.
    pub peer: String,
    /// The consumer's pid.
    pub consumer_pid: String,
    /// The agreement.
    pub agreement: String,
    /// Where it stands afterwards.
    pub state: StateName,
    /// When this was.
    pub at: Timestamp,
}

/// A notice that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueNotice {
    /// The message's id, the same in every attempt.
    pub id: String,
    /// The transfer.
    pub transfer: String,
    /// The counterparty.
    pub peer: String,
    /// What the counterparty is told.
    pub notice: Notice,
    /// How often it was tried.
    pub attempts: u32,
}

/// The agreements that transfers rest on.
#[async_trait]
pub trait Agreements: Send + Sync {
    /// A FINALIZED agreement by the id that both sides know it by; with several counterparties, the one with `peer`.
    async fn standing(&self, id: &str, peer: Option<&str>) -> Result<Option<StandingAgreement>, NodeFault>;
}

/// An agreement that is FINALIZED here.
#[derive(Clone, Debug, PartialEq)]
pub struct StandingAgreement {
    /// Its id, as both sides know it.
    pub id: String,
    /// This node's side of it.
    pub role: Role,
    /// The counterparty, as its authorization names it.
    pub peer: String,
    /// Where the counterparty hears: a provider's base, or a consumer's callback address.
    pub hears_at: String,
    /// What it is about.
    pub asset: String,
    /// Its terms: for a plain one they are all that the data's gate has.
    pub terms: Value,
    /// The contract that it is; none where nobody signed it (`protocol.md` 10).
    pub contract: Option<OwnContract>,
}

/// Posts messages of the Dataspace Protocol to a counterparty.
#[async_trait]
pub trait Post: Send + Sync {
    /// Whether a URL may be called at all, as far as its text tells.
    ///
    /// # Errors
    /// Why not.
    fn may_call(&self, url: &str) -> Result<(), String>;
    /// Posts a message; the answer's body, `Null` where it has none that reads as JSON.
    async fn post(&self, peer: &str, url: &str, body: &Value) -> Result<Value, PostFault>;
}

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostFault {
    /// The counterparty is not ready for it, or cannot be reached: worth another try.
    #[error("not yet: {0}")]
    Later(String),
    /// The same, and it says how long to wait before.
    #[error("not yet: {0}")]
    Wait(String, Duration),
    /// It refuses.
    #[error("refused: {0}")]
    Refused(String),
}
