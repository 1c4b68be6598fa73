//! What is done with a contract.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::Owner;
use crate::credential::ContractId;
use crate::http::Problem;
use crate::http::api::{Answer, Api, Body, Caller, Id, Scope, answered};
use crate::http::shapes::{self, Jws, Nothing, Transaction};
use crate::node::{self, Node};

pub(super) fn doors() -> Api<Arc<Node>> {
    Api::new()
        .door(Scope::Read, __path_contracts, contracts)
        .door(Scope::Read, __path_standing, standing)
        .door(Scope::Decide, __path_end, end)
        .door(Scope::Decide, __path_withdraw, withdraw)
        .door(Scope::Decide, __path_present, present)
        .door(Scope::Decide, __path_keep_receipt, keep_receipt)
        .door(Scope::Read, __path_receipts, receipts)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Ground {
    /// 0 unspecified, 1 completed, 2 by agreement, 3 breach, 4 key compromised, 5 void.
    #[schema(example = 2)]
    reason: u8,
}

fn contract_id(text: &str) -> Result<ContractId, Problem> {
    Ok(text.parse::<ContractId>()?)
}

/// Every contract, newest first, with where it stands
///
/// Whether it was ended or withdrawn from is read from the newest block; `stale` says that the chain did not answer.
#[utoipa::path(get, path = "/api/contracts", tag = "contracts", responses(
    (status = 200, description = "The contracts.", body = Vec<shapes::ContractView>),
))]
async fn contracts(State(node): Owner) -> Answer {
    answered(node.contracts().await?)
}

/// Where the contract of a negotiation stands
#[utoipa::path(get, path = "/api/negotiations/{id}/standing", tag = "contracts",
    params(("id" = String, Path, description = "This node's id of the negotiation.")),
    responses((status = 200, description = "The contract.", body = shapes::ContractView)),
)]
async fn standing(State(node): Owner, Id(id): Id) -> Answer {
    answered(node.contract_view(&id).await?)
}

/// Ends a contract that this party recorded
#[utoipa::path(post, path = "/api/contracts/{id}/end", tag = "contracts",
    params(("id" = String, Path, description = "The contract's id.")),
    request_body = Ground,
    responses(
        (status = 200, description = "The transaction that ends it.", body = Transaction),
        (status = 409, description = "It was ended already, or this party is its consumer."),
        (status = 502, description = "The chain refused it or cannot be reached."),
    ),
)]
async fn end(State(node): Owner, caller: Caller, Id(id): Id, Body(ground): Body<Ground>) -> Answer {
    let transaction = node.end_contract(&contract_id(&id)?, ground.reason, caller.decider()).await?;
    answered(json!({ "transaction": transaction }))
}

/// Withdraws from a contract
///
/// The consumer's, with the account that its acceptance names.
#[utoipa::path(post, path = "/api/contracts/{id}/withdraw", tag = "contracts",
    params(("id" = String, Path, description = "The contract's id.")),
    request_body = Ground,
    responses(
        (status = 200, description = "The transaction that withdraws.", body = Transaction),
        (status = 409, description = "It was withdrawn from already, or this party is its provider."),
        (status = 502, description = "The chain refused it or cannot be reached."),
    ),
)]
async fn withdraw(State(node): Owner, caller: Caller, Id(id): Id, Body(ground): Body<Ground>) -> Answer {
    let transaction = node.withdraw(&contract_id(&id)?, ground.reason, caller.decider()).await?;
    answered(json!({ "transaction": transaction }))
}

/// Answers a gate's challenge with a contract
///
/// It shows asset and terms, and only to the origin of the asset's endpoint.
#[utoipa::path(post, path = "/api/contracts/{id}/presentation", tag = "contracts",
    params(("id" = String, Path, description = "The contract's id.")),
    request_body = shapes::Challenge,
    responses((status = 200, description = "What the gate takes at `/token`.", body = shapes::Presentation)),
)]
async fn present(State(node): Owner, Id(id): Id, Body(challenge): Body<node::Challenge>) -> Answer {
    answered(node.present(&contract_id(&id)?, &challenge).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Receipt {
    /// What the gate signed after a delivery.
    #[schema(value_type = Jws)]
    receipt: String,
}

/// Keeps a gate's delivery receipt with its contract
#[utoipa::path(post, path = "/api/contracts/{id}/receipts", tag = "contracts",
    params(("id" = String, Path, description = "The contract's id.")),
    request_body = Receipt,
    responses(
        (status = 200, description = "It is kept.", body = Nothing),
        (status = 422, description = "It is no receipt about this contract: `check` says why."),
    ),
)]
async fn keep_receipt(State(node): Owner, Id(id): Id, Body(body): Body<Receipt>) -> Answer {
    node.keep_receipt(&contract_id(&id)?, &body.receipt).await?;
    answered(json!({}))
}

/// The gates' receipts for what was fetched under a contract, oldest delivery first
#[utoipa::path(get, path = "/api/contracts/{id}/receipts", tag = "contracts",
    params(("id" = String, Path, description = "The contract's id.")),
    responses(
        (status = 200, description = "The receipts.", body = Vec<shapes::ReceiptView>),
        (status = 422, description = "That is no contract's id."),
    ),
)]
async fn receipts(State(node): Owner, Id(id): Id) -> Answer {
    answered(node.receipts(&contract_id(&id)?).await?)
}
