use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A transfer under an agreement of the Dataspace Protocol. It shows no token.
#[derive(Serialize, ToSchema)]
pub struct TransferProcess {
    /// This node's id of it.
    id: String,
    /// This party's side: `consumer` or `provider`.
    #[schema(example = "consumer")]
    role: String,
    /// The counterparty.
    peer: String,
    /// The agreement.
    agreement: String,
    /// What is transferred.
    asset: String,
    /// REQUESTED, STARTED, SUSPENDED, COMPLETED or TERMINATED.
    #[schema(example = "STARTED")]
    state: String,
    /// The consumer's id of it.
    consumer_pid: String,
    /// The provider's, once it is known.
    provider_pid: Option<String>,
    /// Where the data is, once the provider has said so.
    endpoint: Option<String>,
    /// The states entered, oldest first.
    history: Vec<Value>,
}

/// Where data is, and what opens it.
#[derive(Serialize, ToSchema)]
pub struct TransferAddress {
    /// The URL.
    endpoint: String,
    /// The bearer token; absent where the contract itself opens the gate.
    #[schema(nullable = false)]
    token: Option<String>,
}
