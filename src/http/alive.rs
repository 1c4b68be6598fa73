use axum::Router;
use axum::routing::get;

/// `GET /health` and `GET /ready` of a node that is ready as soon as it listens, and the credential's type metadata.
pub fn alive_router() -> Router {
    Router::new()
        .route("/health", get(async || "ok"))
        .route("/ready", get(async || "ready"))
        .route("/types/contract-offer", get(super::serve::type_metadata))
}
