use axum::Router;
use axum::routing::get;

use super::api::{Api, Scope};

/// `GET /health` and `GET /ready` of a node that is ready as soon as it listens, and the credential's type metadata.
pub fn alive_router() -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/types/contract-offer", get(super::serve::type_metadata))
}

/// The same questions at the management interface; they need no key.
pub fn alive_api() -> Api {
    doors()
}

pub(super) fn doors<S: Clone + Send + Sync + 'static>() -> Api<S> {
    Api::new().door(Scope::Open, __path_health, health).door(Scope::Open, __path_ready, ready)
}

/// Whether the process answers
#[utoipa::path(get, path = "/health", tag = "node", responses((status = 200, description = "It does.", body = String)))]
async fn health() -> &'static str {
    "ok"
}

/// Whether the node does its work
#[utoipa::path(get, path = "/ready", tag = "node", responses((status = 200, description = "It does.", body = String)))]
async fn ready() -> &'static str {
    "ready"
}
