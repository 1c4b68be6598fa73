use serde::Serialize;

use crate::negotiation::Role;
use crate::transfer::{Moved, StateName, Transfer};

/// A transfer as people and programs see it. It shows no token.
#[derive(Clone, Debug, Serialize)]
pub struct TransferView {
    /// This node's pid of it.
    pub id: String,
    /// This node's side.
    pub role: Role,
    /// The counterparty.
    pub peer: String,
    /// The agreement.
    pub agreement: String,
    /// What is transferred.
    pub asset: String,
    /// Where it stands.
    pub state: StateName,
    /// The consumer's pid.
    pub consumer_pid: String,
    /// The provider's pid, once known.
    pub provider_pid: Option<String>,
    /// Where the data is, once the provider has said so.
    pub endpoint: Option<String>,
    /// The states entered, oldest first.
    pub history: Vec<Moved>,
}

impl TransferView {
    pub(super) fn of(transfer: &Transfer) -> Self {
        let opening = transfer.opening();
        Self {
            id: transfer.own_pid().to_owned(),
            role: opening.role,
            peer: opening.peer.clone(),
            agreement: opening.agreement.clone(),
            asset: opening.asset.clone(),
            state: transfer.state(),
            consumer_pid: opening.consumer_pid.clone(),
            provider_pid: opening.provider_pid.clone(),
            endpoint: transfer.address().map(|address| address.endpoint.clone()),
            history: transfer.history().to_vec(),
        }
    }
}
