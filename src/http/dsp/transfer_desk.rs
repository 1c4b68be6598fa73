//! What the owner of a node does with transfers.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::http::Problem;
use crate::http::api::{Answer, Api, Body, Id, Raw, Scope, answered, created, read_json};
use crate::http::shapes::{TransferAddress, TransferProcess};
use crate::node::transfers::{Step, Transfers};

type Owner = State<Arc<Transfers>>;

/// The transfers' part of the management interface.
pub fn transfer_api(transfers: Arc<Transfers>) -> Api {
    doors().with_state(transfers)
}

/// The same without a node: what the document is made of.
pub(in crate::http) fn doors() -> Api<Arc<Transfers>> {
    Api::new()
        .door(Scope::Read, __path_transfers, transfers)
        .door(Scope::Read, __path_transfer, transfer)
        .door(Scope::Decide, __path_transfer_request, transfer_request)
        .door(Scope::Decide, __path_transfer_act, transfer_act)
        .door(Scope::Decide, __path_transfer_address, transfer_address)
        .within(64 * 1024)
}

/// Transfers, newest first
#[utoipa::path(get, path = "/api/dsp/transfers", tag = "dsp", responses(
    (status = 200, description = "The transfers.", body = Vec<TransferProcess>),
))]
async fn transfers(State(desk): Owner) -> Answer {
    answered(desk.list().await?)
}

/// One transfer
#[utoipa::path(get, path = "/api/dsp/transfers/{id}", tag = "dsp",
    params(("id" = String, Path, description = "This node's id of it.")),
    responses((status = 200, description = "The transfer.", body = TransferProcess)),
)]
async fn transfer(State(desk): Owner, Id(id): Id) -> Answer {
    answered(desk.view(&id).await?)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TransferOrder {
    /// The id of an agreement that is FINALIZED here, with this party as its consumer.
    #[schema(example = "urn:uuid:e8dc8655-44c2-46ef-b701-4cffdc2faa44")]
    agreement: String,
    /// Where the provider takes messages, if that is elsewhere by now than when the agreement was made.
    #[schema(nullable = false)]
    address: Option<String>,
}

/// Asks for the data of an agreement
///
/// As its consumer, by HttpData-PULL: the provider says where the data is and what opens it.
#[utoipa::path(post, path = "/api/dsp/transfers", tag = "dsp", request_body = TransferOrder, responses(
    (status = 201, description = "The transfer that began.", body = TransferProcess),
))]
async fn transfer_request(State(desk): Owner, Body(order): Body<TransferOrder>) -> Answer {
    created(json!(desk.request(&order.agreement, order.address.as_deref()).await?))
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TransferReason {
    /// Why, for the counterparty.
    #[schema(nullable = false)]
    reason: Option<String>,
}

/// Decides about a transfer
#[utoipa::path(post, path = "/api/dsp/transfers/{id}/{act}", tag = "dsp",
    params(
        ("id" = String, Path, description = "This node's id of it."),
        ("act" = String, Path, description = "start, suspend, complete or terminate."),
    ),
    request_body = TransferReason,
    responses(
        (status = 200, description = "The transfer.", body = TransferProcess),
        (status = 409, description = "It is not the time for that."),
    ),
)]
async fn transfer_act(State(desk): Owner, Path((id, act)): Path<(String, String)>, Raw(body): Raw) -> Answer {
    let step = match act.as_str() {
        "start" => Step::Start,
        "suspend" => Step::Suspend,
        "complete" => Step::Complete,
        "terminate" => Step::Terminate,
        _ => {
            let known = "start, suspend, complete, terminate";
            return Err(Problem::new(StatusCode::NOT_FOUND, format!("`{act}` is no decision; there are {known}")));
        }
    };
    let order: TransferReason = if body.is_empty() { TransferReason::default() } else { read_json(&body)? };
    answered(desk.decide_because(&id, step, order.reason.as_deref()).await?)
}

/// Where a started transfer's data is, with the token that opens it
///
/// For the consumer. Whoever has the token has the data, as long as the transfer is STARTED.
#[utoipa::path(get, path = "/api/dsp/transfers/{id}/address", tag = "dsp",
    params(("id" = String, Path, description = "This node's id of it.")),
    responses((status = 200, description = "The address.", body = TransferAddress)),
)]
async fn transfer_address(State(desk): Owner, Id(id): Id) -> Answer {
    answered(desk.address(&id).await?)
}
