use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;

use super::Problem;
use crate::inbox::{MAX_ENVELOPE, addressed_to};
use crate::node::{Kept, Node};

/// `POST /inbox`: takes sealed envelopes from anybody and keeps them, unread, until the wallet opens them.
pub fn inbox_router(node: Arc<Node>) -> Router {
    Router::new().route("/inbox", post(take)).layer(DefaultBodyLimit::max(MAX_ENVELOPE)).with_state(node)
}

async fn take(State(node): State<Arc<Node>>, headers: HeaderMap, body: Bytes) -> Result<StatusCode, Problem> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media_type.split(';').next().map(str::trim) != Some("application/didcomm-encrypted+json") {
        let expected = "the inbox takes application/didcomm-encrypted+json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, expected));
    }
    let recipients = addressed_to(&body)?;
    if !recipients.iter().any(|kid| kid.did() == node.did()) {
        return Err(Problem::new(StatusCode::NOT_FOUND, "the envelope is for nobody here"));
    }
    match node.take_envelope(&body).await? {
        Kept::New | Kept::Known => Ok(StatusCode::ACCEPTED),
        Kept::Full => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the inbox is full; try again later")),
    }
}
