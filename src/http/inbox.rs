use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;

use super::Problem;
use super::api::Raw;
use crate::inbox::{MAX_ENVELOPE, addressed_to};
use crate::node::{Kept, Node};

/// The media type of a sealed envelope (DIDComm v2.1).
pub(super) const ENCRYPTED: &str = "application/didcomm-encrypted+json";

/// `POST /inbox`: takes sealed envelopes from anybody and keeps them, unread, until the wallet opens them.
pub fn inbox_router(node: Arc<Node>) -> Router {
    Router::new().route("/inbox", post(take)).layer(DefaultBodyLimit::max(MAX_ENVELOPE)).with_state(node)
}

async fn take(State(node): State<Arc<Node>>, headers: HeaderMap, Raw(body): Raw) -> Result<StatusCode, Problem> {
    sealed(&headers)?;
    keep(&node, &body).await
}

/// Holds a body to be an envelope, as far as its header says.
pub(super) fn sealed(headers: &HeaderMap) -> Result<(), Problem> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if media_type.split(';').next().map(str::trim) == Some(ENCRYPTED) {
        return Ok(());
    }
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the inbox takes {ENCRYPTED}")))
}

/// Keeps an envelope for the wallet, unread.
pub(super) async fn keep(node: &Node, body: &[u8]) -> Result<StatusCode, Problem> {
    let recipients = addressed_to(body)?;
    if !recipients.iter().any(|kid| kid.did() == node.did()) {
        return Err(Problem::new(StatusCode::NOT_FOUND, "the envelope is for nobody here"));
    }
    match node.take_envelope(body).await? {
        Kept::New | Kept::Known => Ok(StatusCode::ACCEPTED),
        Kept::Full => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the inbox is full; try again later")),
    }
}
