//! The gate's HTTP interface: challenge, token, data, receipt (`protocol.md` 8).
//!
//! `POST /challenge`, `POST /token`, the guarded paths themselves with `Authorization: Bearer`, `GET /receipts/ID`,
//! `GET /health`, `GET /ready`. A caller is told the check that denied and its rule; the log says what was found.

mod body;
mod range;
mod source;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use body::Outgoing;
use serde_json::{Value, json};
use source::{Sources, Wanted};
use tokio::sync::Semaphore;
use tower::limit::ConcurrencyLimitLayer;
use tower_http::timeout::TimeoutLayer;

use super::Problem;
use crate::check::Refusal;
use crate::encoding::{self, checks as spelling};
use crate::gate::{Answer, checks};
use crate::node::{Gatekeeper, NodeFault, ReceiptState};

/// The longest answer to a challenge: core and presentation, each at most 256 KiB, and their JSON.
const MAX_ANSWER: usize = 640 * 1024;
/// How many questions are judged at a time.
const MAX_JUDGED: usize = 256;
/// How many deliveries run at a time.
const MAX_DELIVERIES: usize = 256;
/// How long a question may take.
const WITHIN: Duration = Duration::from_secs(30);

/// A gate's interface to the world, with its limits on body, time and concurrency.
pub fn router(gatekeeper: Arc<Gatekeeper>) -> Router {
    let deliveries = Arc::new(Semaphore::new(MAX_DELIVERIES));
    let gate = Gate { sources: Sources::new(), gatekeeper, deliveries };
    Router::new()
        .route("/challenge", post(challenge))
        .route("/token", post(token))
        .route("/receipts/{id}", get(receipt))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .fallback(data)
        .method_not_allowed_fallback(async || Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no such method here"))
        .layer(DefaultBodyLimit::max(MAX_ANSWER))
        .layer(ConcurrencyLimitLayer::new(MAX_JUDGED))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, WITHIN))
        .with_state(gate)
}

#[derive(Clone)]
struct Gate {
    gatekeeper: Arc<Gatekeeper>,
    sources: Sources,
    deliveries: Arc<Semaphore>,
}

async fn challenge(State(gate): State<Gate>) -> Result<Response, Problem> {
    let challenge = gate.gatekeeper.challenge().map_err(denied)?;
    Ok(unkept(Json(challenge)))
}

async fn token(State(gate): State<Gate>, body: Bytes) -> Result<Response, Problem> {
    let unreadable =
        |refusal: Refusal| Problem::of_check(StatusCode::BAD_REQUEST, refusal.check, refusal.detail.clone());
    let answer = encoding::parse_json(&body, MAX_ANSWER).map_err(unreadable)?;
    let answer: Answer = serde_json::from_value(answer)
        .map_err(|cause| unreadable(spelling::JSON.refuse(format!("core, presentation and purpose?: {cause}"))))?;
    let admission = gate.gatekeeper.admit(&answer).await.map_err(denied)?;
    let (grant, asset) = (&admission.grant, &admission.asset);
    Ok(unkept(Json(json!({
        "token": admission.token,
        "token_type": "Bearer",
        "expires": admission.expires.rfc3339(),
        "contract_id": grant.contract_id,
        "core_sha256": grant.core.b64u(),
        "asset": {
            "id": asset.id, "sha256": asset.sha256, "media_type": asset.media_type, "url": admission.url,
        },
        "uses": if grant.counts_uses { "counted" } else { "unlimited" },
    }))))
}

async fn receipt(State(gate): State<Gate>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let token = bearer(&headers).ok_or_else(|| denied(checks::TOKEN_MISSING.refuse("no bearer token").into()))?;
    match gate.gatekeeper.receipt_of(token, &id).await.map_err(denied)? {
        ReceiptState::Signed(receipt) => Ok(([(header::CONTENT_TYPE, "application/jose")], receipt).into_response()),
        ReceiptState::Running => Ok((StatusCode::ACCEPTED, Json(json!({ "status": "running" }))).into_response()),
        ReceiptState::Refused => {
            let check = &checks::DELIVERY_DIGEST;
            Err(Problem::of_check(StatusCode::NOT_FOUND, check, check.rule()))
        }
        ReceiptState::None => Err(Problem::new(StatusCode::NOT_FOUND, "no receipt of that id for this token")),
    }
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

async fn ready(State(gate): State<Gate>) -> Result<Json<Value>, Problem> {
    match gate.gatekeeper.ready() {
        Ok(()) => Ok(Json(json!({ "status": "ready" }))),
        Err(NodeFault::Refused(Refusal { check, .. })) => {
            Err(Problem::of_check(StatusCode::SERVICE_UNAVAILABLE, check, check.rule()))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// What is guarded.
async fn data(State(gate): State<Gate>, request: Request) -> Result<Response, Problem> {
    let (head, path) = (request.method() == Method::HEAD, request.uri().path());
    let gatekeeper = &gate.gatekeeper;
    let nothing = || Problem::new(StatusCode::NOT_FOUND, "nothing is served here");
    let (asset, below) = gatekeeper.settings().asset_at(path).ok_or_else(nothing)?;
    if !head && request.method() != Method::GET {
        return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "data is read with GET or HEAD"));
    }
    let admitted = gatekeeper.check(bearer(request.headers()), &asset.id).map_err(denied)?;
    let Ok(place) = Arc::clone(&gate.deliveries).try_acquire_owned() else {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many deliveries run; try again later"));
    };
    let wanted = Wanted { asset, below, head, headers: request.headers() };
    let found = gate.sources.open(&wanted).await?;
    let mut response = Response::builder().status(found.status);
    for (name, value) in &found.headers {
        response = response.header(name, value);
    }
    let body = if head || !found.status.is_success() {
        Body::empty()
    } else {
        gatekeeper.spend(&admitted).await.map_err(denied)?;
        let delivery = gatekeeper.begin(admitted, found.range).map_err(denied)?;
        response = response.header(header::LINK, format!("</receipts/{}>; rel=\"receipt\"", delivery.id));
        Outgoing::new(Arc::clone(gatekeeper), delivery, found, place).into_body()
    };
    let response = response.header(header::CACHE_CONTROL, "private, no-store");
    response.body(body).map_err(|_| Problem::new(StatusCode::BAD_GATEWAY, "the data's source answered with no sense"))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(token.trim())
}

/// A denial as its caller sees it: the check and its rule; the log has the rest.
fn denied(fault: NodeFault) -> Problem {
    let NodeFault::Refused(Refusal { check, .. }) = fault else { return fault.into() };
    let no_token = [&checks::TOKEN_MISSING, &checks::TOKEN_UNKNOWN, &checks::TOKEN_EXPIRED].contains(&check);
    let status = if no_token { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
    Problem::of_check(status, check, check.rule())
}

fn unkept(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
