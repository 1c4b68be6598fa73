//! What the owner of a node does over the Dataspace Protocol: everything here is plain mode, unsigned.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::dsp::Dataset;
use crate::http::Problem;
use crate::http::api::{Answer, Api, Asked, Body, Caller, Id, Raw, Scope, answered, created, read_json};
use crate::http::shapes::{
    Named, PeerCatalog, PeerCatalogOrder, PlainDataset, PlainNegotiation, PlainOrder, PlainStart,
};
use crate::negotiation::Decider;
use crate::node::dsp::{Act, CatalogOrder, Connector, Door, StartOrder};

type Owner = State<Arc<Connector>>;

/// The Dataspace Protocol's part of the management interface.
pub fn dsp_api(connector: Arc<Connector>) -> Api {
    let scripted = connector.script().doors.iter().fold(Router::new(), |router, door| {
        let (door, path) = (door.clone(), door.path.clone());
        let open = async move |State(node): Owner, body: Raw| by_script(&node, &door, body).await;
        router.route(&path, post(open))
    });
    doors().with_state(Arc::clone(&connector)).merge(scripted.with_state(connector))
}

/// The same without a node: what the document is made of.
pub(in crate::http) fn doors() -> Api<Arc<Connector>> {
    Api::new()
        .door(Scope::Read, __path_plain_negotiations, plain_negotiations)
        .door(Scope::Read, __path_plain_negotiation, plain_negotiation)
        .door(Scope::Decide, __path_plain_start, plain_start)
        .door(Scope::Decide, __path_plain_act, plain_act)
        .door(Scope::Decide, __path_peer_catalog, peer_catalog)
        .door(Scope::Read, __path_plain_datasets, plain_datasets)
        .door(Scope::Admin, __path_plain_list, plain_list)
        .within(256 * 1024)
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only those that are not over.
    #[serde(default)]
    open: bool,
    /// At most so many; 100 when absent.
    #[serde(default = "Which::usual")]
    limit: u32,
}

impl Which {
    const fn usual() -> u32 {
        100
    }
}

/// Plain negotiations, newest first
///
/// Negotiations over the Dataspace Protocol with parties that sign nothing.
#[utoipa::path(get, path = "/api/dsp/negotiations", tag = "dsp", params(Which), responses(
    (status = 200, description = "The negotiations.", body = Vec<PlainNegotiation>),
))]
async fn plain_negotiations(State(node): Owner, Asked(which): Asked<Which>) -> Answer {
    answered(node.views(which.open, which.limit.min(1000)).await?)
}

/// One plain negotiation
#[utoipa::path(get, path = "/api/dsp/negotiations/{id}", tag = "dsp",
    params(("id" = String, Path, description = "This node's id of it.")),
    responses((status = 200, description = "The negotiation.", body = PlainNegotiation)),
)]
async fn plain_negotiation(State(node): Owner, Id(id): Id) -> Answer {
    answered(node.view(&id).await?)
}

/// Begins a plain negotiation
///
/// As consumer with a request, as provider with an offer that nobody asked for.
#[utoipa::path(post, path = "/api/dsp/negotiations", tag = "dsp", request_body = PlainStart, responses(
    (status = 201, description = "The negotiation that began.", body = Named),
))]
async fn plain_start(State(node): Owner, caller: Caller, Body(order): Body<StartOrder>) -> Answer {
    created(json!({ "id": node.start(&order, caller.decider()).await? }))
}

/// Decides in a plain negotiation
#[utoipa::path(post, path = "/api/dsp/negotiations/{id}/{act}", tag = "dsp",
    params(
        ("id" = String, Path, description = "This node's id of it."),
        ("act" = String, Path, description = "offer, counter, accept, agree, verify, finalize or terminate."),
    ),
    request_body = PlainOrder,
    responses(
        (status = 200, description = "The negotiation.", body = PlainNegotiation),
        (status = 409, description = "It is not the time for that."),
    ),
)]
async fn plain_act(
    State(node): Owner,
    caller: Caller,
    Path((id, act)): Path<(String, String)>,
    Raw(body): Raw,
) -> Answer {
    let named = Act::named(&act).ok_or_else(|| {
        let known = "offer, counter, accept, agree, verify, finalize, terminate";
        Problem::new(StatusCode::NOT_FOUND, format!("`{act}` is no decision; there are {known}"))
    })?;
    let order = if body.is_empty() { Default::default() } else { read_json(&body)? };
    answered(node.act(&id, named, order, caller.decider()).await?)
}

/// Reads another connector's catalog
///
/// Asks the counterparty over the Dataspace Protocol, follows the pages up to a bound, and shows what reads: the ids that a
/// negotiation needs, and the terms. Nothing of it is kept or believed.
#[utoipa::path(post, path = "/api/dsp/catalogs", tag = "dsp", request_body = PeerCatalogOrder, responses(
    (status = 200, description = "What it lists.", body = PeerCatalog),
    (status = 409, description = "Nothing here says where that party is reached."),
    (status = 502, description = "It does not answer, or not with a catalog; the message says what it answered."),
))]
async fn peer_catalog(State(node): Owner, Body(order): Body<CatalogOrder>) -> Answer {
    answered(node.catalog_of(&order).await?)
}

/// What this party offers over the Dataspace Protocol
#[utoipa::path(get, path = "/api/dsp/datasets", tag = "dsp", responses(
    (status = 200, description = "The datasets.", body = Vec<PlainDataset>),
))]
async fn plain_datasets(State(node): Owner) -> Answer {
    answered(node.listed_datasets().await?)
}

/// Offers a dataset in plain mode, or changes how it is offered
#[utoipa::path(post, path = "/api/dsp/datasets", tag = "dsp", request_body = PlainDataset, responses(
    (status = 200, description = "The dataset's id.", body = Named),
))]
async fn plain_list(State(node): Owner, Body(dataset): Body<Dataset>) -> Answer {
    node.list_plain(&dataset).await?;
    answered(json!({ "id": dataset.id }))
}

/// A door of the script: it starts a negotiation in its caller's words.
async fn by_script(node: &Arc<Connector>, door: &Door, Raw(body): Raw) -> Answer {
    let asked: Value = read_json(&body)?;
    let found = |pointer: &str| {
        let text = asked.pointer(pointer).and_then(Value::as_str);
        text.map(str::to_owned).ok_or_else(|| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the body has no text at `{pointer}`"))
        })
    };
    let counterparty = found(&door.counterparty)?.parse();
    let counterparty = counterparty.map_err(|cause: crate::negotiation::plain::NoParticipant| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, cause.to_string())
    })?;
    let order = StartOrder {
        counterparty,
        address: found(&door.address)?,
        dataset: found(&door.dataset)?,
        role: crate::negotiation::Role::Consumer,
        offer: Some(found(&door.offer)?),
        terms: Some(node.script().terms.clone()),
        promisor: None,
        promisee: None,
    };
    let id = node.start(&order, Decider::Rule("script".into())).await?;
    Ok((StatusCode::OK, axum::Json(json!({ "id": id }))).into_response())
}
