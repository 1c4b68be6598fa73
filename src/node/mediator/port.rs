use async_trait::async_trait;
use serde::Serialize;

use super::Quota;
use crate::credential::rfc3339;
use crate::encoding::Timestamp;
use crate::identity::Did;
use crate::inbox::mediation::{Action, Held, Outcome, Queue};
use crate::node::StoreFault;

/// What a mediator keeps. Each call is atomic and durable when it returns.
#[async_trait]
pub trait MediatorStore: Send + Sync {
    /// Grants mediation to a member, or replaces its contact; `false` when there are `most` members already.
    async fn grant(&self, member: &Did, contact: Option<&str>, at: Timestamp, most: u64) -> Result<bool, StoreFault>;
    /// The member, if it was granted mediation.
    async fn member(&self, member: &Did) -> Result<Option<Granted>, StoreFault>;
    /// Every member and what waits for it, the one that waits for most first.
    async fn members(&self) -> Result<Vec<MemberView>, StoreFault>;
    /// Ends a member's mediation: its recipients and what waits for them go. `false` when there is none.
    async fn dismiss(&self, member: &Did) -> Result<bool, StoreFault>;

    /// Adds or removes a recipient DID; `most` are a member's. A DID that is another member's changes hands only when
    /// the new one is that DID itself; what waits for it changes hands with it.
    async fn update(
        &self,
        member: &Did,
        recipient: &Did,
        action: Action,
        at: Timestamp,
        most: u64,
    ) -> Result<Outcome, StoreFault>;
    /// The DIDs that a member picks up for, in order: `limit` of them behind `offset`, and how many there are.
    async fn recipients(&self, member: &Did, limit: usize, offset: usize) -> Result<(Vec<Did>, usize), StoreFault>;

    /// Keeps an envelope for a recipient, within the quota.
    async fn hold(&self, arrival: Arrival<'_>, quota: &Quota) -> Result<Arrived, StoreFault>;
    /// How much waits for a member, or for one of its DIDs.
    async fn queue(&self, member: &Did, recipient: Option<&Did>, now: Timestamp) -> Result<Queue, StoreFault>;
    /// What waits for a member, or for one of its DIDs, oldest first: at least one, then as many as `limit` and `bytes`
    /// allow.
    async fn waiting(
        &self,
        member: &Did,
        recipient: Option<&Did>,
        limit: usize,
        bytes: usize,
        now: Timestamp,
    ) -> Result<Vec<Held>, StoreFault>;
    /// One envelope that waits for a member.
    async fn held(&self, member: &Did, id: &str) -> Result<Option<Held>, StoreFault>;
    /// Forgets what a member has stored; how many there were.
    async fn received(&self, member: &Did, ids: &[String]) -> Result<u64, StoreFault>;
    /// Forgets what nobody picked up in time; how many there were.
    async fn expire(&self, now: Timestamp) -> Result<u64, StoreFault>;
}

/// A member that was granted mediation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// When.
    pub at: Timestamp,
    /// The signed contact that it brought.
    pub contact: Option<String>,
}

/// An envelope on its way into the keeping.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The mediator's name for it.
    pub id: &'a str,
    /// Whom it is for.
    pub recipient: &'a Did,
    /// The envelope.
    pub envelope: &'a [u8],
    /// When it came.
    pub at: Timestamp,
    /// From when on it need not be delivered any more.
    pub until: Timestamp,
}

/// What became of an envelope that somebody sent by way of this mediator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// It is kept, and this member picks it up.
    Kept(Did),
    /// The very same bytes wait already.
    Known,
    /// Nobody picks up for that DID here; nothing was kept.
    Nobody,
    /// The recipient's, the member's or the mediator's share is used up; nothing was kept.
    Full,
}

/// A member, for the mediator's owner: who and how much, never what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberView {
    /// Its DID.
    pub did: Did,
    /// When it was granted mediation.
    #[serde(with = "rfc3339")]
    pub since: Timestamp,
    /// For how many DIDs it picks up.
    pub recipients: u64,
    /// How many envelopes wait for it.
    pub messages: u64,
    /// Their size together.
    pub bytes: u64,
    /// How long the oldest has waited, in seconds since 1970.
    #[serde(serialize_with = "optional")]
    pub oldest: Option<Timestamp>,
    /// How many connections it has open on which it is sent what comes at once.
    pub live: usize,
}

fn optional<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339::serialize(at, serializer),
        None => serializer.serialize_none(),
    }
}
