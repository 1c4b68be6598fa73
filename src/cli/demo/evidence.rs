use serde::Serialize;
use serde_json::Value;

use crate::credential::Account;
use crate::identity::Did;

/// What the demo shows, for programs; the names are part of the interface.
#[derive(Debug, Serialize)]
pub struct Evidence {
    /// Whether everything held.
    pub held: bool,
    /// What did not.
    pub faults: Vec<String>,
    /// The path of a trust file for `countersign verify`.
    pub trust: String,
    /// Who took part.
    pub parties: Parties,
    /// Where entries stand.
    pub chain: ChainFacts,
    /// The finalised contracts; the one that was ended comes last.
    pub contracts: Vec<Value>,
    /// Every negotiation, as both sides saw it.
    pub negotiations: Vec<NegotiationFacts>,
    /// What the gate did.
    pub gate: GateFacts,
    /// What the operator saw.
    pub audit: Value,
}

/// Who took part.
#[derive(Debug, Serialize)]
pub struct Parties {
    pub provider: Did,
    pub consumer: Did,
    pub operator: Did,
    pub gate: Did,
}

/// Where entries stand.
#[derive(Debug, Serialize)]
pub struct ChainFacts {
    pub rpc: String,
    pub chain_id: u64,
    pub registry: Account,
    pub recorder: Account,
    pub code_hash: String,
    pub kind: &'static str,
}

/// A negotiation as both sides saw it.
#[derive(Debug, Serialize)]
pub struct NegotiationFacts {
    pub id: String,
    pub ended_as: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub provider: Value,
    pub consumer: Value,
}

/// What the gate did.
#[derive(Debug, Default, Serialize)]
pub struct GateFacts {
    pub granted: Vec<Granted>,
    pub refused: Vec<Refused>,
}

/// A download.
#[derive(Debug, Serialize)]
pub struct Granted {
    pub contract_id: String,
    pub bytes: u64,
    pub sha256: String,
    pub receipt: String,
}

/// A refusal.
#[derive(Debug, Serialize)]
pub struct Refused {
    pub case: &'static str,
    pub check: String,
    pub reason: String,
}
