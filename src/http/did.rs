//! This node's own DID document, for whoever asks.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::Value;

/// `GET /.well-known/did.json`, or `/<path>/did.json`: the document as `document` has it at that moment, for where its
/// subject is reached may change while the node runs.
pub fn did_router(path: &str, document: impl Fn() -> Value + Clone + Send + Sync + 'static) -> Router {
    Router::new().route(path, get(async move || served(document().to_string())))
}

fn served(text: String) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "application/did+json"),
        (header::CACHE_CONTROL, "no-cache"),
        // It is public, and so may a page of any origin read it.
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, text)
}
