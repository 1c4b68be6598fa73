//! This node's own DID document, for whoever asks.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::Value;

/// `GET /.well-known/did.json`, or `/<path>/did.json`: a document that does not change while the node runs.
pub fn did_router(path: &str, document: &Value) -> Router {
    let text = document.to_string();
    Router::new().route(path, get(async move || served(text)))
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
