use utoipa::ToSchema;

use super::{Did, Jws, Time};

/// A mediator, for its owner.
#[derive(ToSchema)]
#[schema(as = Mediator)]
pub struct MediatorView {
    /// Its DID.
    did: Did,
    /// Where it is reached.
    #[schema(format = "uri", example = "https://mediator.example/inbox")]
    url: String,
    /// Its signed contact, for those who use it.
    contact: Jws,
    /// Who is granted mediation.
    admit: Admit,
    /// Who is granted it besides.
    dids: Vec<Did>,
    /// How much it keeps.
    quota: Quota,
    /// Who uses it, the one that most waits for first.
    members: Vec<MediatorMember>,
}

/// Who is granted mediation: members of a trusted operator, those who are listed, or anybody.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Admit {
    Members,
    Listed,
    Open,
}

/// How much a mediator keeps.
#[derive(ToSchema)]
pub struct Quota {
    /// Members.
    members: u64,
    /// DIDs of one member.
    recipients: u64,
    /// Envelopes for one DID.
    messages: u64,
    /// Bytes for one DID.
    bytes: u64,
    /// Bytes for all DIDs of one member.
    member_bytes: u64,
    /// Bytes of everything.
    total_bytes: u64,
    /// How long an envelope waits, in seconds.
    keep_for: i64,
    /// Lasting connections of one member.
    live: u64,
}

/// Somebody who uses a mediator.
#[derive(ToSchema)]
pub struct MediatorMember {
    /// Who.
    did: Did,
    /// When it was granted mediation.
    since: Time,
    /// For how many DIDs it picks up.
    recipients: u64,
    /// How many envelopes wait for it.
    messages: u64,
    /// Their size together.
    bytes: u64,
    /// When the oldest came.
    oldest: Option<Time>,
    /// How many connections it has open on which it is sent what comes at once.
    live: u64,
}

/// A wallet's mediation.
#[derive(ToSchema)]
#[schema(as = Mediation)]
pub struct MediationView {
    /// Where it stands.
    standing: MediationStanding,
    /// The mediator.
    mediator: Option<Did>,
    /// Its inbox, which this wallet's contact names.
    #[schema(format = "uri")]
    url: Option<String>,
    /// Since when it keeps messages for this wallet.
    since: Option<Time>,
    /// How messages are picked up; null while the mediator is not reached.
    way: Option<Way>,
    /// How many waited there when it last said so.
    waiting: Option<u64>,
    /// How many were picked up since this node started.
    picked_up: u64,
    /// When the mediator was last heard.
    heard_at: Option<Time>,
    /// What went wrong last, where something does.
    trouble: Option<String>,
}

/// Whether a mediator is used, and what it said.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum MediationStanding {
    None,
    Asking,
    Granted,
    Denied,
}

/// Over a connection at once, or now and then.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Way {
    Live,
    Polling,
}
