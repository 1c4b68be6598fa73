use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};

use super::Ground;
use super::wrong::Wrong;
use crate::dsp::Named;
use crate::negotiation::plain::ParticipantId;
use crate::node::NodeFault;

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
        if !recognised.as_ref().is_ok_and(|who| ground.connector.names(who)) {
            ground.strangers.charge(ip);
        }
        recognised.map(Self).map_err(|fault| match fault {
            NodeFault::Refused(refusal) => Wrong::nobody(&refusal),
            fault => Wrong::of(fault, Named::default()),
        })
    }
}
