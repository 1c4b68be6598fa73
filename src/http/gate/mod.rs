//! The gate's HTTP interface: challenge, token, data, receipt (`protocol.md` 8).
//!
//! `POST /challenge`, `POST /token`, the guarded paths themselves with `Authorization: Bearer` or `DPoP`,
//! `GET /receipts/ID`, `GET /health`, `GET /ready`; and a door of its own for a proxy that asks. A caller is told the check that denied and its rule; the log says what was found.

mod body;
mod condition;
mod denial;
mod forward;
mod places;
mod range;
mod source;
mod transfer;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State};
use axum::http::response::Builder;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use body::Outgoing;
use denial::{Denial, carried, nonce};
pub use forward::{forward_router, forward_router_with_transfers};
use places::Places;
use serde_json::{Value, json};
use source::{Found, Sources, Wanted};
use tower::limit::ConcurrencyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::Problem;
use super::api::Raw;
use super::crowd::with_places;
use super::doors::Line;
use crate::check::Refusal;
use crate::encoding::{self, checks as spelling};
use crate::gate::{Answer, checks};
use crate::node::transfers::Transfers;
use crate::node::{Delivery, Gatekeeper, NodeFault, ReceiptState};

/// The longest answer to a challenge: core and presentation, each at most 256 KiB, and their JSON.
const MAX_ANSWER: usize = 640 * 1024;
/// How many questions are judged at a time.
const MAX_JUDGED: usize = 256;
/// How many of them of one address, so that whoever asks slowly leaves room for others.
const MAX_OF_ONE: usize = 64;
/// How long a question may take.
const WITHIN: Duration = Duration::from_secs(30);

/// A gate's interface to the world, with its limits on body, time and concurrency.
pub fn router(gatekeeper: Arc<Gatekeeper>) -> Router {
    router_with_transfers(gatekeeper, None)
}

/// The same, open also to the tokens of transfers.
pub fn router_with_transfers(gatekeeper: Arc<Gatekeeper>, transfers: Option<Arc<Transfers>>) -> Router {
    let places = Places::new(&gatekeeper.settings().shares);
    let gate = Gate { sources: Sources::new(), gatekeeper, places, transfers };
    let alive = Router::new().route("/health", get(health)).route("/ready", get(ready)).with_state(gate.clone());
    let asked = Router::new()
        .route("/challenge", post(challenge))
        .route("/token", post(token))
        .route("/receipts/{id}", get(receipt))
        .fallback(data)
        .method_not_allowed_fallback(async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no such method here"))
        .layer(DefaultBodyLimit::max(MAX_ANSWER))
        .layer(ConcurrencyLimitLayer::new(MAX_JUDGED))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, WITHIN))
        .with_state(gate);
    // Whoever watches the gate is answered while others wait their turn.
    with_places(asked, MAX_OF_ONE).merge(alive)
}

#[derive(Clone)]
struct Gate {
    gatekeeper: Arc<Gatekeeper>,
    sources: Sources,
    places: Places,
    transfers: Option<Arc<Transfers>>,
}

async fn challenge(State(gate): State<Gate>) -> Result<Response, Problem> {
    let challenge = gate.gatekeeper.challenge()?;
    Ok(unkept(Json(challenge)))
}

async fn token(State(gate): State<Gate>, headers: HeaderMap, Raw(body): Raw) -> Result<Response, Denial> {
    let unreadable =
        |refusal: Refusal| Problem::of_check(StatusCode::BAD_REQUEST, refusal.check, refusal.detail.clone());
    let answer = encoding::parse_json(&body, MAX_ANSWER).map_err(unreadable)?;
    let answer: Answer = serde_json::from_value(answer)
        .map_err(|cause| unreadable(spelling::JSON.refuse(format!("core, presentation and purpose?: {cause}"))))?;
    let gatekeeper = &gate.gatekeeper;
    let admission = gatekeeper.admit(&answer, &carried("POST", "/token", &headers)).await;
    let admission = admission.map_err(|fault| Denial::of_answer(fault, gatekeeper))?;
    let (grant, asset) = (&admission.grant, &admission.asset);
    let response = unkept(Json(json!({
        "token": admission.token,
        "token_type": if admission.key.is_some() { "DPoP" } else { "Bearer" },
        "expires": admission.expires.rfc3339(),
        "contract_id": grant.contract_id,
        "core_sha256": grant.core.b64u(),
        "asset": {
            "id": asset.id, "sha256": asset.sha256, "media_type": asset.media_type, "url": admission.url,
        },
        "uses": if grant.counts_uses { "counted" } else { "unlimited" },
    })));
    Ok(gate.renewed(response, admission.key.is_some()))
}

async fn receipt(State(gate): State<Gate>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Denial> {
    let path = format!("/receipts/{id}");
    let carried = carried("GET", &path, &headers);
    let state = gate.gatekeeper.receipt_of(&carried, &id).await;
    let response = match state.map_err(|fault| Denial::of(fault, &gate.gatekeeper))? {
        ReceiptState::Signed(receipt) => ([(header::CONTENT_TYPE, "application/jose")], receipt).into_response(),
        ReceiptState::Running => (StatusCode::ACCEPTED, Json(json!({ "status": "running" }))).into_response(),
        ReceiptState::Refused => {
            let check = &checks::DELIVERY_DIGEST;
            return Err(Problem::of_check(StatusCode::NOT_FOUND, check, check.rule()).into());
        }
        ReceiptState::None => {
            return Err(Problem::new(StatusCode::NOT_FOUND, "no receipt of that id for this token").into());
        }
    };
    Ok(gate.renewed(response, !carried.proofs.is_empty()))
}

impl Gate {
    /// An answer to a caller that proves its key, with the nonce for its next proof.
    fn renewed(&self, response: Response, proves: bool) -> Response {
        if proves { nonce(response, self.gatekeeper.proof_nonce().ok().flatten()) } else { response }
    }
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

async fn ready(State(gate): State<Gate>) -> Result<Json<Value>, Problem> {
    match gate.gatekeeper.ready() {
        Ok(()) => {}
        Err(NodeFault::Refused(Refusal { check, .. })) => {
            return Err(Problem::of_check(StatusCode::SERVICE_UNAVAILABLE, check, check.rule()));
        }
        Err(fault) => return Err(fault.into()),
    }
    match gate.gatekeeper.room().hold().await {
        Ok(()) => Ok(Json(json!({ "status": "ready" }))),
        Err(_) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the gate's store takes nothing now")),
    }
}

/// What is guarded.
async fn data(State(gate): State<Gate>, request: Request) -> Result<Response, Denial> {
    let (head, path) = (request.method() == Method::HEAD, request.uri().path());
    let gatekeeper = &gate.gatekeeper;
    let denied = |fault: NodeFault| Denial::of(fault, gatekeeper);
    let nothing = || Problem::new(StatusCode::NOT_FOUND, "nothing is served here");
    let (asset, below) = gatekeeper.settings().asset_at(path).ok_or_else(nothing)?;
    if !head && request.method() != Method::GET {
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "data is read with GET or HEAD").into());
    }
    let carried = carried(request.method().as_str(), path, request.headers());
    let wanted = Wanted { asset, below, head, headers: request.headers() };
    let (caller, line) = (caller(&request), request.extensions().get::<Line>().cloned());
    if let Some(opened) = transfer::by_transfer(gate.transfers.as_ref(), &carried, &asset.id).await.map_err(denied)? {
        return gate.deliver(&wanted, opened, caller, line).await;
    }
    let admitted = gatekeeper.check(&carried, &asset.id).await.map_err(denied)?;
    let proves = admitted.key.is_some();
    let place = gate.places.take(&admitted.grant.core.b64u(), caller)?;
    let found = gate.sources.open(&wanted).await?;
    let mut response = Response::builder().status(found.status);
    for (name, value) in &found.headers {
        response = response.header(name, value);
    }
    let body = if head || !found.status.is_success() {
        Body::empty()
    } else {
        gatekeeper.spend(&admitted, asset.part(below).as_deref()).await.map_err(denied)?;
        let delivery = gatekeeper.begin(admitted, found.portion.clone()).map_err(denied)?;
        response = receipted(response, &found, &delivery);
        Outgoing::new(Arc::clone(gatekeeper), delivery, found, place).on(line).into_body()
    };
    let response = response.header(header::CACHE_CONTROL, "private, no-store");
    let senseless = |_| Problem::new(StatusCode::BAD_GATEWAY, "the data's source answered with no sense");
    Ok(gate.renewed(response.body(body).map_err(senseless)?, proves))
}

/// Says where the receipt will be, if there will be one.
fn receipted(response: Builder, found: &Found, delivery: &Delivery) -> Builder {
    match found.portion.vouched {
        true => response.header(header::LINK, format!("</receipts/{}>; rel=\"receipt\"", delivery.id)),
        false => response,
    }
}

/// From where a request comes.
fn caller(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}

fn unkept(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
