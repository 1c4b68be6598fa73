use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Ground;
use super::wrong::Wrong;
use crate::dsp::Named;
use crate::negotiation::plain::ParticipantId;
use crate::node::NodeFault;
use crate::node::dsp::{Connector, Recognised};

/// Who sent a message, proven.
pub(super) struct Caller(pub ParticipantId);

impl FromRequestParts<Ground> for Caller {
    type Rejection = Wrong;

    async fn from_request_parts(parts: &mut Parts, ground: &Ground) -> Result<Self, Wrong> {
        let from = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let ip = from.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        if !ground.strangers.has_some_left(ip) {
            return Err(Wrong::plain(StatusCode::TOO_MANY_REQUESTS, "too many requests without proof; slow down"));
        }
        let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let recognised = ground.connector.recognise(header).await;
        // An id of one's own making costs nothing, so that proving it makes nobody less of a stranger.
        if !recognised.as_ref().is_ok_and(|caller| ground.connector.names(&caller.who)) {
            ground.strangers.charge(ip);
        }
        let recognised = recognised.map_err(|fault| match fault {
            NodeFault::Refused(refusal) => Wrong::nobody(&refusal),
            fault => Wrong::of(fault, Named::default()),
        })?;
        let who = recognised.who.clone();
        if let Some(slot) = parts.extensions.get::<Slot>() {
            // A request is proven once.
            let _ = slot.0.set(recognised);
        }
        Ok(Self(who))
    }
}

/// Where a request leaves who proved to have sent it, for [`remembered`].
#[derive(Clone, Default)]
struct Slot(Arc<OnceLock<Recognised>>);

/// Lets no answer out that a restart would let the same token have again. A message that is refused has led to nothing, and costs no write:
/// its token is written with the next decision.
pub(super) async fn remembered(State(node): State<Arc<Connector>>, mut request: Request, next: Next) -> Response {
    let slot = Slot::default();
    request.extensions_mut().insert(slot.clone());
    let response = next.run(request).await;
    let refused = matches!(response.status(), StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND);
    let Some(caller) = slot.0.get().filter(|_| !refused) else { return response };
    match node.remember(caller).await {
        Ok(()) => response,
        Err(fault) => Wrong::of(fault, Named::default()).into_response(),
    }
}
