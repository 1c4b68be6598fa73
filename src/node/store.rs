//! What the node keeps; the port that a database implements.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Good;
use crate::encoding::{Digest, Timestamp};
use crate::identity::Did;
use crate::negotiation::{Effect, Event, StateName};

/// Everything a node keeps. Each call is atomic and durable when it returns.
#[async_trait]
pub trait Store: Send + Sync {
    /// Writes a decision: events, messages to send, effects, and the mark of the message that caused it, or nothing.
    async fn commit(&self, commit: Commit) -> Result<(), StoreFault>;
    /// The log of a negotiation, with the version that the next commit has to name (the number of events).
    async fn log(&self, negotiation: &str) -> Result<Option<Vec<Event>>, StoreFault>;
    /// This node's id of a negotiation with `peer`, by either side's pid.
    async fn find(&self, peer: &Did, pid: &str) -> Result<Option<String>, StoreFault>;
    /// Ids of all negotiations, newest first; only those in one of `states` unless it is empty.
    async fn negotiations(&self, states: &[StateName]) -> Result<Vec<String>, StoreFault>;
    /// Ids of negotiations that clock or chain can still move ([`Index::watched`]).
    async fn watched(&self) -> Result<Vec<String>, StoreFault>;

    /// What a counterparty has going on here; `recent` counts what moved since then.
    async fn dealings(&self, peer: &Did, since: Timestamp) -> Result<Dealings, StoreFault>;
    /// How many messages of the counterparty were dealt with in a negotiation.
    async fn heard_in(&self, negotiation: &str) -> Result<u64, StoreFault>;

    /// Keeps an envelope as it came, unread.
    async fn keep_envelope(&self, envelope: &[u8], at: Timestamp) -> Result<Kept, StoreFault>;
    /// Envelopes not opened yet, oldest first.
    async fn envelopes(&self, limit: u32) -> Result<Vec<(Digest, Vec<u8>)>, StoreFault>;
    /// Removes an envelope that was read, refused or parked as a message.
    async fn drop_envelope(&self, digest: Digest) -> Result<(), StoreFault>;

    /// The answer that a message of this sender and id was given before.
    async fn answered(&self, from: &Did, message: &str) -> Result<Option<Outgoing>, StoreFault>;
    /// Sets an early message aside, at most `limit` for a thread; `false` when there is no room.
    async fn park(&self, parked: Parked, limit: u32) -> Result<bool, StoreFault>;
    /// The messages parked for a thread, oldest first; they stay until [`Store::unpark`].
    async fn parked(&self, peer: &Did, thread: &str) -> Result<Vec<Parked>, StoreFault>;
    /// Removes a parked message.
    async fn unpark(&self, from: &Did, message: &str) -> Result<(), StoreFault>;
    /// Removes what was parked before `before`.
    async fn clear_parked(&self, before: Timestamp) -> Result<u64, StoreFault>;

    /// Queues a message that belongs to no decision (an answer to a message that moved nothing).
    async fn queue(&self, outgoing: Outgoing, mark: Option<Mark>) -> Result<(), StoreFault>;
    /// Messages that are due at `now`, the oldest of each recipient first, so that none holds up another's; per
    /// negotiation only the oldest unanswered one.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Outgoing>, StoreFault>;
    /// Notes another attempt: the next one is at `next`, or never again (`None`: given up or, for answers, delivered).
    async fn attempted(&self, outgoing: &str, next: Option<Timestamp>, note: Option<&str>) -> Result<(), StoreFault>;
    /// Puts a message that was signed with a newer key into the place of the same message on its way out.
    async fn signed_anew(&self, outgoing: &str, signed: &str) -> Result<(), StoreFault>;
    /// The counterparty has answered this message: it is done.
    async fn acknowledged(&self, outgoing: &str, to: &Did, note: Option<&str>) -> Result<(), StoreFault>;
    /// When the next message is due; `None` when nothing waits.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreFault>;
    /// Sends what waits for a recipient at `from`, unless it is sent before.
    async fn hasten(&self, to: &Did, from: Timestamp) -> Result<(), StoreFault>;
    /// Messages of negotiations that were sent at least so often and wait for their answer, oldest first: of each
    /// negotiation the one that is sent now.
    async fn undelivered(&self, attempts: u32, limit: u32) -> Result<Vec<Outgoing>, StoreFault>;
    /// With whom something is open: a negotiation that is not over or moved since `since`, or a message that waits for
    /// its answer.
    async fn counterparties(&self, since: Timestamp) -> Result<Vec<Did>, StoreFault>;
    /// Every message of a negotiation, sent and to be sent, oldest first.
    async fn sent(&self, negotiation: &str) -> Result<Vec<Outgoing>, StoreFault>;

    /// Every signed message of the counterparty that was dealt with in a negotiation, oldest first.
    async fn received(&self, negotiation: &str) -> Result<Vec<String>, StoreFault>;

    /// Effects that are not done and are due.
    async fn orders(&self, now: Timestamp) -> Result<Vec<Order>, StoreFault>;
    /// Notes that an effect is done, or when it is tried again and why.
    async fn performed(&self, order: i64, retry: Option<(Timestamp, &str)>) -> Result<(), StoreFault>;

    /// Keeps the secret of a key made for one contract, under the key's thumbprint.
    async fn keep_key(&self, name: &str, secret: &[u8; 32]) -> Result<(), StoreFault>;
    /// The secret kept under a name.
    async fn key(&self, name: &str) -> Result<Option<Zeroizing<[u8; 32]>>, StoreFault>;

    /// Keeps or replaces a document of a kind (asset, template, contact, statement, …).
    async fn put(&self, kind: &str, id: &str, value: &serde_json::Value) -> Result<(), StoreFault>;
    /// One document.
    async fn one(&self, kind: &str, id: &str) -> Result<Option<serde_json::Value>, StoreFault>;
    /// All documents of a kind, by id.
    async fn all(&self, kind: &str) -> Result<Vec<(String, serde_json::Value)>, StoreFault>;
    /// The documents of a kind whose id begins so, by id.
    async fn all_under(&self, kind: &str, beginning: &str) -> Result<Vec<(String, serde_json::Value)>, StoreFault>;
    /// Keeps a document only if there is none of that kind and id yet; `false` when there is: for what must happen once.
    async fn put_once(&self, kind: &str, id: &str, value: &serde_json::Value) -> Result<bool, StoreFault>;
    /// Removes a document; `true` if it was there.
    async fn remove(&self, kind: &str, id: &str) -> Result<bool, StoreFault>;
    /// Removes documents of a kind whose time is over at `now`: who are nothing but that time, or have it in `expires`; with
    /// them what `along` has of the same ids. So many at a time; how many of the kind went, 0 once none is left.
    async fn remove_run_out(&self, kind: &str, along: Option<&str>, now: Timestamp) -> Result<u64, StoreFault>;
    /// Keeps what a provider lists, findable by its words, in place of what it listed before.
    async fn shelve(&self, provider: &Did, goods: &[Good]) -> Result<(), StoreFault>;
    /// What providers list, by words that all have to be in it (or begin something in it), the fittest first; of one
    /// provider where it is named, and everything where no word is.
    async fn find_goods(&self, words: &str, provider: Option<&Did>, limit: u32) -> Result<Vec<Good>, StoreFault>;
    /// Adds one to a counter unless it has reached `limit`; the new count, or `None` at the limit.
    async fn count(&self, kind: &str, id: &str, limit: u64) -> Result<Option<u64>, StoreFault>;
    /// Marks something as done once, and counts it, in one step: all of it or nothing.
    async fn spend(&self, spending: &Spending<'_>) -> Result<Spent, StoreFault>;
    /// A counter's value.
    async fn counted(&self, kind: &str, id: &str) -> Result<u64, StoreFault>;

    /// Keeps something that happened under a contract, unless it is kept already, and at most about `most` bytes of one
    /// contract: the oldest goes, a bounded part of it at a time, and is in the sum. What is first of its kind stays.
    async fn keep_evidence(&self, evidence: &Evidence, most: u64) -> Result<(), StoreFault>;
    /// One piece of evidence.
    async fn evidence(&self, kind: EvidenceKind, id: &str) -> Result<Option<serde_json::Value>, StoreFault>;
    /// What is first of its kind under a contract, with its id; there is none of deliveries.
    async fn first_evidence(
        &self,
        contract: &Digest,
        kind: EvidenceKind,
    ) -> Result<Option<(String, serde_json::Value)>, StoreFault>;
    /// Everything that ever happened under a contract, in numbers.
    async fn evidence_sum(&self, contract: &Digest) -> Result<Option<EvidenceSum>, StoreFault>;
    /// Drops evidence from before a moment, and what of it is more than the store has room for; so much at a time. 0 once
    /// nothing is left to go.
    async fn forget_evidence(&self, before: Timestamp) -> Result<u64, StoreFault>;
    /// Whether there is room for the next few writes, as far as that can be seen without writing.
    async fn room(&self) -> Result<(), StoreFault>;

    /// What a desk is told after a place in the series, oldest first; of one negotiation only, where one is named. Every
    /// event is in it, and each message that the counterparty turned down or that cannot be delivered.
    async fn news(&self, after: u64, negotiation: Option<&str>, limit: u32) -> Result<Vec<News>, StoreFault>;
    /// The last place in the series; the next one is larger, whatever becomes of this one.
    async fn last_news(&self) -> Result<u64, StoreFault>;
    /// The last refusals in the series, newest last.
    async fn refusals(&self, limit: u32) -> Result<Vec<News>, StoreFault>;
    /// Removes an envelope that was refused, and puts that into the series.
    async fn refuse_envelope(&self, digest: Digest, seen: &Seen) -> Result<(), StoreFault>;
    /// Puts something into the series, unless it was told already under the same [`Seen::once`].
    async fn tell_once(&self, seen: &Seen) -> Result<(), StoreFault>;
    /// How much there is of everything.
    async fn tally(&self) -> Result<Tally, StoreFault>;
}

/// A mark: kind, id and value of a document.
pub type Marked<'a> = (&'a str, &'a str, &'a serde_json::Value);

/// Something that is done once and counted.
#[derive(Clone, Copy, Debug)]
pub struct Spending<'a> {
    /// The mark that is set; where it is there already, it was done before.
    pub once: Marked<'a>,
    /// What it is a piece of: counted with the first of its pieces, and no more. By itself without.
    pub within: Option<Marked<'a>>,
    /// Kind and id of the counter.
    pub counter: (&'a str, &'a str),
    /// Where the counter stops.
    pub limit: u64,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// It is marked, and counted where it had to be.
    Now,
    /// It was done before.
    Before,
    /// The counter has reached its limit; nothing is marked.
    NoneLeft,
}

/// One place of the series that a desk is told.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// Its place.
    pub number: u64,
    /// `event`, or what else it is.
    pub kind: String,
    /// When; absent where the event says it.
    pub at: Option<Timestamp>,
    /// The negotiation.
    pub negotiation: Option<String>,
    /// Which event of its log it is.
    pub place: Option<usize>,
    /// What else there is to say.
    pub detail: serde_json::Value,
}

/// Something that was seen, on its way into the series.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What kind of thing it is.
    pub kind: &'static str,
    /// When.
    pub at: Timestamp,
    /// The negotiation.
    pub negotiation: Option<String>,
    /// What there is to say.
    pub detail: serde_json::Value,
    /// What is told once only has a name.
    pub once: Option<String>,
}

/// Something that happened under a contract at a gate.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What it is.
    pub kind: EvidenceKind,
    /// Its id, one for each kind.
    pub id: String,
    /// The hash of the contract's core.
    pub contract: Digest,
    /// When.
    pub at: Timestamp,
    /// How many bytes it delivered.
    pub bytes: u64,
    /// The rest.
    pub value: serde_json::Value,
}

/// What can happen under a contract at a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceKind {
    /// Its holder showed it, and got a token.
    Presentation,
    /// A transfer of the Dataspace Protocol opened the gate under it.
    Transfer,
    /// Data went out.
    Delivery,
}

/// What happened under a contract at a gate, in numbers that stay when the pieces go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceSum {
    /// Presentations and transfers that opened it.
    pub openings: u64,
    /// Deliveries, those that broke off included.
    pub deliveries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the first of all this was.
    pub first: Timestamp,
    /// When the last was.
    pub last: Timestamp,
}

/// How much there is of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Negotiations by state.
    pub negotiations: Vec<(String, u64)>,
    /// Messages that wait to be delivered or answered.
    pub messages: u64,
    /// The oldest of them, signed.
    pub oldest: Option<String>,
    /// Effects that wait to be performed.
    pub orders: u64,
    /// Envelopes that are not opened yet.
    pub envelopes: u64,
    /// Their bytes.
    pub envelope_bytes: u64,
    /// Messages that wait for their turn.
    pub parked: u64,
}

/// One decision on its way into the store.
#[derive(Clone, Debug)]
pub struct Commit {
    /// This node's id of the negotiation.
    pub negotiation: String,
    /// How many events the log had when the decision was made; another number means somebody else decided meanwhile.
    pub version: u64,
    /// What happened.
    pub events: Vec<Event>,
    /// Messages to send.
    pub outgoing: Vec<Outgoing>,
    /// Effects other than messages.
    pub effects: Vec<Effect>,
    /// The message that caused this, with the answer it is given.
    pub mark: Option<Mark>,
    /// What the negotiation is found by afterwards.
    pub index: Index,
}

/// What a negotiation is found by without replaying it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The counterparty.
    pub peer: Did,
    /// The consumer's pid, once known.
    pub consumer_pid: Option<String>,
    /// The provider's pid, once known.
    pub provider_pid: Option<String>,
    /// Where it stands.
    pub state: StateName,
    /// Whether clock or chain can still move it.
    pub watched: bool,
    /// When this was.
    pub at: Timestamp,
}

/// How much a counterparty has going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dealings {
    /// Requests that wait for an offer.
    pub open: u64,
    /// Negotiations that moved lately.
    pub recent: u64,
}

/// A message on its way out: signed, and sealed anew for each attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// The message's id; the same in every attempt.
    pub id: String,
    /// The negotiation it belongs to, if any.
    pub negotiation: Option<String>,
    /// Whom it is for.
    pub to: Did,
    /// The signed message.
    pub signed: String,
    /// Whether the counterparty has to answer before it counts as delivered.
    pub wants_answer: bool,
    /// How often it was sent.
    pub attempts: u32,
    /// When it is sent next; `None` once it is done.
    pub due: Option<Timestamp>,
    /// What the last attempt or the answer said.
    pub note: Option<String>,
}

/// A received message that was dealt with, and its answer: a repetition gets the answer again and moves nothing.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Who sent it.
    pub from: Did,
    /// Its id.
    pub message: String,
    /// The signed message as it came, kept with the negotiation.
    pub signed: Option<String>,
    /// The answer.
    pub answer: Outgoing,
}

/// A message that came before its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// Who sent it.
    pub from: Did,
    /// The thread that it belongs to.
    pub thread: String,
    /// Its id.
    pub message: String,
    /// The signed message.
    pub signed: String,
    /// When it came.
    pub at: Timestamp,
}

/// An effect that waits to be performed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The store's number of it.
    pub number: i64,
    /// The negotiation.
    pub negotiation: String,
    /// What is to be done.
    pub effect: Effect,
    /// How often it was tried.
    pub attempts: u32,
}

/// What became of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is kept.
    New,
    /// The very same bytes are here already.
    Known,
    /// The inbox is full; nothing was kept.
    Full,
}

/// Why the store did not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreFault {
    /// Somebody else committed to this negotiation meanwhile: read again and decide again.
    #[error("the negotiation has moved meanwhile")]
    Moved,
    /// This message was dealt with already.
    #[error("this message was dealt with already")]
    Repeated,
    /// A log or a document does not read back.
    #[error("the store holds something that does not read back: {0}")]
    Damaged(String),
    /// There is no room: nothing was kept, and the next write goes through once there is.
    #[error("there is no room left for the store: {0}")]
    Full(String),
    /// The database failed: lock, I/O.
    #[error("the store failed: {0}")]
    Failed(String),
}
