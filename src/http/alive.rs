use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::api::{Answer, Api, Caller, Scope, answered};
use super::shapes::{Health, Readiness};
use crate::node::{Gatekeeper, NodeFault, Room, Timepiece};

/// What has to be well for a node to do its work.
#[derive(Clone, Default)]
pub struct Conditions {
    /// The clocks of its parts, which read the chain too.
    pub timepieces: Vec<Arc<Timepiece>>,
    /// Its gate, if it has one.
    pub gatekeeper: Option<Arc<Gatekeeper>>,
    /// The room in its store.
    pub room: Option<Arc<Room>>,
}

/// Something that is not well.
struct Missing {
    what: &'static str,
    why: String,
}

impl Conditions {
    async fn missing(&self) -> Vec<Missing> {
        let mut missing: Vec<Missing> = Vec::new();
        let mut add = |what, why: String| {
            if missing.iter().all(|one| one.what != what) {
                missing.push(Missing { what, why });
            }
        };
        for timepiece in &self.timepieces {
            if let Some(fault) = timepiece.seen().fault {
                add("chain", fault);
            }
            if let Err(refusal) = timepiece.hold() {
                add("clock", refusal.detail);
            }
        }
        match self.gatekeeper.as_ref().map(|gatekeeper| gatekeeper.ready()) {
            Some(Err(NodeFault::Refused(refusal))) => add("gate", refusal.to_string()),
            Some(Err(fault)) => add("gate", fault.to_string()),
            Some(Ok(())) | None => {}
        }
        if let Some(room) = &self.room
            && let Err(fault) = room.hold().await
        {
            add("store", fault.to_string());
        }
        missing
    }

    /// 200 or 503; the world is told what is missing, the owner also why.
    async fn answer(&self, owner: bool) -> Response {
        let missing = self.missing().await;
        let hints: Vec<String> =
            self.timepieces.iter().filter_map(|timepiece| timepiece.seen().doubt).filter(|_| owner).collect();
        let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let mut answer = json!({ "status": if missing.is_empty() { "ready" } else { "not ready" } });
        if !missing.is_empty() {
            let one = |one: &Missing| match owner {
                true => json!({ "what": one.what, "why": one.why }),
                false => json!({ "what": one.what }),
            };
            answer["missing"] = missing.iter().map(one).collect();
        }
        if !hints.is_empty() {
            answer["hints"] = json!(hints);
        }
        (status, Json(answer)).into_response()
    }
}

/// `GET /health` and `GET /ready` for the world, and the credential's type metadata.
pub fn alive_router(conditions: Conditions) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/ready", get(async |State(conditions): State<Conditions>| conditions.answer(false).await))
        .route("/types/contract-offer", get(super::serve::type_metadata))
        .with_state(conditions)
}

/// The same questions at the management interface; they need no key.
pub fn alive_api(conditions: Conditions) -> Api {
    doors().with_state(conditions)
}

pub(super) fn doors() -> Api<Conditions> {
    Api::new().door(Scope::Open, __path_health, health).door(Scope::Open, __path_ready, ready)
}

/// Whether the process answers
#[utoipa::path(get, path = "/health", tag = "node", responses((status = 200, description = "It does.", body = Health)))]
async fn health() -> Answer {
    answered(json!({ "status": "ok" }))
}

/// Whether the node does its work
///
/// What is missing: `clock` (this machine's clock and the chain differ by more than five minutes), `chain` (it cannot be
/// read), `gate` (its check by name), `store` (there is no room left, or it fails). Who brings a key is told why.
#[utoipa::path(get, path = "/ready", tag = "node", responses(
    (status = 200, description = "It does.", body = Readiness),
    (status = 503, description = "It does not.", body = Readiness),
))]
async fn ready(State(conditions): State<Conditions>, caller: Option<Extension<Caller>>) -> Response {
    conditions.answer(caller.is_some()).await
}
