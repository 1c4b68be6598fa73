use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{ContractId, Did, Hash, Jws, Money, Time};

/// Which contracts are stated, by their entries' block time.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// The first second; where the last statement ended when absent.
    from: Option<Time>,
    /// The first second after it; the time of the finalised head when absent.
    until: Option<Time>,
    /// The operator's public address; the statement is sent there when it is given.
    #[schema(format = "uri")]
    operator_url: Option<String>,
}

/// A statement as its provider keeps it.
#[derive(ToSchema)]
#[schema(as = Statement)]
pub struct StatementView {
    /// Its hash.
    id: Hash,
    /// The first second of the period.
    from: Time,
    /// The first second after the period.
    until: Time,
    /// How many contracts it states.
    #[schema(minimum = 0)]
    contracts: u64,
    /// Entries under this provider's recorders that no contract here explains: the operator will ask about them.
    unexplained: Vec<ContractId>,
    /// The statement.
    statement: Jws,
    /// The operator's receipt, once there is one.
    receipt: Option<Jws>,
    /// What the operator says of its audit.
    audit: Option<Summary>,
}

/// An audit in one line.
#[derive(ToSchema)]
#[schema(as = AuditSummary)]
pub struct Summary {
    /// The statement's hash.
    id: Hash,
    /// Who stated.
    provider: Did,
    /// The first second of the period.
    from: Time,
    /// The first second after the period.
    until: Time,
    /// When it was audited.
    at: Time,
    /// How many fees are due.
    #[schema(minimum = 0)]
    entries: u64,
    /// Their sum per currency.
    totals: Vec<Money>,
    /// How many problems there are.
    #[schema(minimum = 0)]
    problems: u64,
}

/// An audit with what the operator signed about it.
#[derive(ToSchema)]
pub struct Audited {
    /// The audit.
    audit: Audit,
    /// The receipt.
    receipt: Jws,
}

/// A statement held against the registry: what is due, and what is wrong.
#[derive(ToSchema)]
pub struct Audit {
    /// The statement's hash.
    id: Hash,
    /// Who stated.
    provider: Did,
    /// The first second of the period.
    from: Time,
    /// The first second after the period.
    until: Time,
    /// When it was audited.
    at: Time,
    /// The fees that are due, each with its evidence (docs/protocol.md).
    #[schema(value_type = Vec<Object>)]
    entries: Vec<Value>,
    /// Their sum per currency.
    totals: Vec<Money>,
    /// What does not hold; empty when all is well.
    #[schema(value_type = Vec<Object>)]
    problems: Vec<Value>,
}

/// A registration in law.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LegalId {
    /// For example `LEI`.
    #[schema(example = "LEI")]
    scheme: String,
    /// The number.
    #[schema(example = "529900T8BM49AURSDO55")]
    value: String,
}

/// Whom to admit.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdmissionOrder {
    /// The member.
    did: Did,
    /// Its name in law.
    legal_name: String,
    /// Its registration.
    legal_id: LegalId,
    /// ISO 3166-1 alpha-2 code.
    #[schema(pattern = "^[A-Z]{2}$", example = "DE")]
    country: String,
    /// Thumbprints of the keys that it signs with; those that a did:key or did:jwk spells when absent.
    keys: Option<Vec<Hash>>,
    /// CAIP-10 accounts that record for it.
    #[schema(required = false)]
    recorders: Vec<String>,
    /// Valid from; now when absent.
    nbf: Option<Time>,
    /// Valid before; a year later when absent.
    exp: Option<Time>,
}

/// A member, as it was admitted once.
#[derive(ToSchema)]
pub struct Member {
    /// The member.
    did: Did,
    /// Its name in law.
    legal_name: String,
    /// Its registration.
    legal_id: LegalId,
    /// ISO 3166-1 alpha-2 code.
    #[schema(pattern = "^[A-Z]{2}$", example = "DE")]
    country: String,
    /// Thumbprints of the keys that it signs with.
    keys: Vec<Hash>,
    /// CAIP-10 accounts that record for it.
    recorders: Vec<String>,
    /// Valid from.
    nbf: Time,
    /// Valid before.
    exp: Time,
    /// The credential's hash, as offers name it.
    digest: Hash,
    /// The participant credential, for the member to join with.
    credential: Jws,
}

/// A template that was approved.
#[derive(ToSchema)]
pub struct Approval {
    /// The template's id.
    id: String,
    /// The template's version.
    version: String,
    /// For people.
    title: String,
    /// SHA-256 of the template's bytes, as offers name it.
    hash: Hash,
    /// The approval, for providers to add.
    approval: Jws,
}
