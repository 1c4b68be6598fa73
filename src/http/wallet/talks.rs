//! Negotiations: what waits for whom, and the decisions.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse as _;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::Owner;
use crate::credential::vocabulary;
use crate::encoding::Digest;
use crate::http::api::{Answer, Api, Body, Caller, Id, Raw, Scope, answered, created, read_json};
use crate::http::shapes::{self, Named, NegotiationView, RefusedMessage, Undelivered, Waiting};
use crate::node::{self, Node, Read};

pub(super) fn doors() -> Api<Arc<Node>> {
    Api::new()
        .door(Scope::Decide, __path_request, request)
        .door(Scope::Decide, __path_propose, propose)
        .door(Scope::Read, __path_waiting, waiting)
        .door(Scope::Read, __path_refused, refused)
        .door(Scope::Read, __path_undelivered, undelivered)
        .door(Scope::Read, __path_negotiations, negotiations)
        .door(Scope::Read, __path_negotiation, negotiation)
        .door(Scope::Decide, __path_offer, offer)
        .door(Scope::Decide, __path_request_anew, request_anew)
        .door(Scope::Decide, __path_accept, accept)
        .door(Scope::Decide, __path_reject, reject)
        .door(Scope::Decide, __path_cancel, cancel)
        .door(Scope::Decide, __path_record, record)
        .door(Scope::Read, __path_contract, contract)
}

/// Asks a provider for an offer
#[utoipa::path(post, path = "/api/requests", tag = "negotiations", request_body = shapes::RequestOrder, responses(
    (status = 201, description = "The negotiation that began.", body = Named),
    (status = 409, description = "This party is no member yet."),
))]
async fn request(State(node): Owner, Body(order): Body<node::RequestOrder>) -> Answer {
    created(json!({ "id": node.request(&order).await? }))
}

/// Proposes terms to somebody who has not asked
///
/// The provider's decision: it begins a negotiation. Whoever takes the proposal up as it is gets the offer that it promises.
#[utoipa::path(post, path = "/api/proposals", tag = "negotiations", request_body = shapes::ProposalOrder, responses(
    (status = 201, description = "The negotiation that began.", body = Named),
    (status = 409, description = "This party is no member yet."),
))]
async fn propose(State(node): Owner, caller: Caller, Body(order): Body<node::ProposalOrder>) -> Answer {
    created(json!({ "id": node.propose(&order, caller.decider()).await? }))
}

/// What waits for a person
///
/// In both modes: decisions on the way to a contract, and plain negotiations over the Dataspace Protocol, which `mode` tells
/// apart. Of plain ones at most the 1000 most urgent.
#[utoipa::path(get, path = "/api/waiting", tag = "negotiations", responses(
    (status = 200, description = "Every decision that is this party's turn, the most urgent first.", body = Vec<Waiting>),
))]
async fn waiting(State(node): Owner) -> Answer {
    answered(node.awaited().await?)
}

/// What was refused lately
///
/// Messages and envelopes that broke a rule; newest last, at most 100.
#[utoipa::path(get, path = "/api/refused", tag = "negotiations", responses(
    (status = 200, description = "The refusals.", body = Vec<RefusedMessage>),
))]
async fn refused(State(node): Owner) -> Answer {
    answered(node.refusals().await?)
}

/// What does not get through
///
/// Messages of negotiations that nobody takes or answers, the oldest of each negotiation, at most 200. They are sent again
/// by themselves.
#[utoipa::path(get, path = "/api/undelivered", tag = "negotiations", responses(
    (status = 200, description = "The messages.", body = Vec<Undelivered>),
))]
async fn undelivered(State(node): Owner) -> Answer {
    answered(node.undelivered().await?)
}

/// Every negotiation, newest first
#[utoipa::path(get, path = "/api/negotiations", tag = "negotiations", responses(
    (status = 200, description = "The negotiations.", body = Vec<NegotiationView>),
))]
async fn negotiations(State(node): Owner) -> Answer {
    answered(node.views().await?)
}

/// One negotiation
#[utoipa::path(get, path = "/api/negotiations/{id}", tag = "negotiations",
    params(("id" = String, Path, description = "This node's id of it.")),
    responses((status = 200, description = "The negotiation.", body = NegotiationView)),
)]
async fn negotiation(State(node): Owner, Id(id): Id) -> Answer {
    shown(&node, &id).await
}

async fn shown(node: &Node, id: &str) -> Answer {
    answered(node.view(id).await?)
}

/// Answers a request with an offer
///
/// The provider's decision. What is left out is as the asset is listed.
#[utoipa::path(post, path = "/api/negotiations/{id}/offer", tag = "negotiations",
    params(("id" = String, Path, description = "This node's id of the negotiation.")),
    request_body = shapes::OfferOrder,
    responses(
        (status = 200, description = "The negotiation, with the offer.", body = NegotiationView),
        (status = 409, description = "It is not the time for an offer."),
    ),
)]
async fn offer(State(node): Owner, caller: Caller, Id(id): Id, Body(order): Body<node::OfferOrder>) -> Answer {
    node.offer(&id, &order, caller.decider()).await?;
    shown(&node, &id).await
}

/// Asks anew instead of accepting
///
/// The offer on the table is superseded.
#[utoipa::path(post, path = "/api/negotiations/{id}/request", tag = "negotiations",
    params(("id" = String, Path, description = "This node's id of the negotiation.")),
    request_body = shapes::RequestOrder,
    responses(
        (status = 200, description = "The negotiation.", body = NegotiationView),
        (status = 409, description = "It is not the time for that."),
    ),
)]
async fn request_anew(State(node): Owner, caller: Caller, Id(id): Id, Body(order): Body<node::RequestOrder>) -> Answer {
    node.request_anew(&id, &order, caller.decider()).await?;
    shown(&node, &id).await
}

/// What a person consents to.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct Consent {
    /// The offer that was read, as `offer.sha256` has it.
    #[schema(value_type = Option<shapes::Digest>)]
    offer_sha256: Option<Digest>,
    /// The proposal that was read, as `proposal.id` has it.
    proposal: Option<String>,
}

impl Consent {
    fn read(self) -> Option<Read> {
        self.offer_sha256.map(Read::Offer).or(self.proposal.map(Read::Proposal))
    }
}

/// Accepts the offer on the table
///
/// The consumer's decision: it is bound until `record_by`. A proposal, which carries no credential yet, is taken up: the
/// offer that it promises follows, and is accepted in its turn. Whoever says which offer or proposal it has read accepts
/// no other.
#[utoipa::path(post, path = "/api/negotiations/{id}/accept", tag = "negotiations",
    params(("id" = String, Path, description = "This node's id of the negotiation.")),
    request_body = Option<Consent>,
    responses(
        (status = 200, description = "The negotiation: ACCEPTED, or REQUESTED where a proposal was taken up.", body = NegotiationView),
        (status = 409, description = "There is no offer, or it is too late."),
        (status = 422, description = "The offer does not verify any more: `check` says why."),
    ),
)]
async fn accept(State(node): Owner, caller: Caller, Id(id): Id, Raw(body): Raw) -> Answer {
    // A body that says nothing need not be there.
    let consent: Consent = if body.is_empty() { Consent::default() } else { read_json(&body)? };
    node.accept(&id, consent.read(), caller.decider()).await?;
    shown(&node, &id).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Why {
    /// For the counterparty.
    #[schema(example = "too dear")]
    reason: String,
}

/// Rejects: ends the negotiation
#[utoipa::path(post, path = "/api/negotiations/{id}/reject", tag = "negotiations",
    params(("id" = String, Path, description = "This node's id of the negotiation.")),
    request_body = Why,
    responses(
        (status = 200, description = "The negotiation, ended.", body = NegotiationView),
        (status = 409, description = "It is too late for that."),
    ),
)]
async fn reject(State(node): Owner, caller: Caller, Id(id): Id, Body(why): Body<Why>) -> Answer {
    node.terminate(&id, "rejected", &why.reason, caller.decider()).await?;
    shown(&node, &id).await
}

/// Cancels, or asks the provider to after one's own acceptance
#[utoipa::path(post, path = "/api/negotiations/{id}/cancel", tag = "negotiations",
    params(("id" = String, Path, description = "This node's id of the negotiation.")),
    request_body = Why,
    responses(
        (status = 200, description = "The negotiation.", body = NegotiationView),
        (status = 409, description = "It is too late for that."),
    ),
)]
async fn cancel(State(node): Owner, caller: Caller, Id(id): Id, Body(why): Body<Why>) -> Answer {
    node.terminate(&id, "cancelled", &why.reason, caller.decider()).await?;
    shown(&node, &id).await
}

/// Confirms that the contract is recorded
///
/// The provider's decision, where the configuration asks a person for it.
#[utoipa::path(post, path = "/api/negotiations/{id}/record", tag = "negotiations",
    params(("id" = String, Path, description = "This node's id of the negotiation.")),
    responses(
        (status = 200, description = "The negotiation; the entry follows.", body = NegotiationView),
        (status = 409, description = "It is not the time for that, or too late."),
    ),
)]
async fn record(State(node): Owner, caller: Caller, Id(id): Id) -> Answer {
    node.record(&id, caller.decider()).await?;
    shown(&node, &id).await
}

/// The contract file: all that a stranger needs to verify it
#[utoipa::path(get, path = "/api/negotiations/{id}/contract", tag = "negotiations",
    params(("id" = String, Path, description = "This node's id of the negotiation.")),
    responses(
        (status = 200, description = "The contract file (docs/protocol.md).", body = serde_json::Value, content_type = "application/vnd.countersign.contract+json"),
        (status = 409, description = "There is no contract yet."),
    ),
)]
async fn contract(State(node): Owner, Id(id): Id) -> Answer {
    let file = node.contract_file(&id).await?;
    Ok(([(header::CONTENT_TYPE, vocabulary::CONTRACT_MEDIA_TYPE)], axum::Json(file)).into_response())
}
