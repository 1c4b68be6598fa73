//! Contract negotiation: the endpoints of a provider and of a consumer, told apart by the negotiation's own role.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::caller::Caller;
use super::wrong::Wrong;
use crate::dsp::{Form, Named};
use crate::node::dsp::{Answered, Connector};

type Here = State<Arc<Connector>>;
type Body = Result<Bytes, BytesRejection>;
pub(super) type Id = Result<Path<String>, PathRejection>;
type Answer = Result<Response, Wrong>;

/// `POST /negotiations/request`: a consumer begins.
pub(super) async fn first_request(State(node): Here, Caller(from): Caller, body: Body) -> Answer {
    Ok(answered(node.hear_first(&from, Form::Request, &whole(body)?).await?))
}

/// `POST /negotiations/offers`: a provider begins.
pub(super) async fn first_offer(State(node): Here, Caller(from): Caller, body: Body) -> Answer {
    Ok(answered(node.hear_first(&from, Form::Offer, &whole(body)?).await?))
}

/// `GET /negotiations/{pid}`: where it stands.
pub(super) async fn state(State(node): Here, Caller(from): Caller, pid: Id) -> Answer {
    match node.state_for(&from, &named(pid)?).await {
        Ok(state) => Ok(Json(state).into_response()),
        Err(fault) => Err(Wrong::of(fault, Named::default())),
    }
}

/// `POST /negotiations/{pid}/request`: a consumer's counter-offer.
pub(super) async fn request(node: Here, from: Caller, pid: Id, body: Body) -> Answer {
    hear(node, from, pid, Form::Request, body).await
}

/// `POST /negotiations/{pid}/offers`: a provider's offer.
pub(super) async fn offer(node: Here, from: Caller, pid: Id, body: Body) -> Answer {
    hear(node, from, pid, Form::Offer, body).await
}

/// `POST /negotiations/{pid}/agreement`: a provider agrees.
pub(super) async fn agreement(node: Here, from: Caller, pid: Id, body: Body) -> Answer {
    hear(node, from, pid, Form::Agreement, body).await
}

/// `POST /negotiations/{pid}/agreement/verification`: a consumer verifies.
pub(super) async fn verification(node: Here, from: Caller, pid: Id, body: Body) -> Answer {
    hear(node, from, pid, Form::Verification, body).await
}

/// `POST /negotiations/{pid}/events`: a consumer accepts, or a provider finalises.
pub(super) async fn event(node: Here, from: Caller, pid: Id, body: Body) -> Answer {
    hear(node, from, pid, Form::Event, body).await
}

/// `POST /negotiations/{pid}/termination`: either side ends it.
pub(super) async fn termination(node: Here, from: Caller, pid: Id, body: Body) -> Answer {
    hear(node, from, pid, Form::Termination, body).await
}

/// `POST /negotiations/{pid}/state`: a wallet's signed answer. No part of the Dataspace Protocol.
pub(super) async fn signed_state(State(node): Here, Caller(from): Caller, pid: Id, body: Body) -> Answer {
    Ok(answered(node.hear_state(&from, &named(pid)?, &whole(body)?).await?))
}

async fn hear(State(node): Here, Caller(from): Caller, pid: Id, form: Form, body: Body) -> Answer {
    Ok(answered(node.hear(&from, &named(pid)?, form, &whole(body)?).await?))
}

fn answered(answered: Answered) -> Response {
    let status = if answered.began { StatusCode::CREATED } else { StatusCode::OK };
    (status, Json(answered.acknowledgement)).into_response()
}

/// The id in a path. One that is no text is nothing's.
pub(super) fn named(id: Id) -> Result<String, Wrong> {
    id.map(|Path(id)| id).map_err(|_| Wrong::nothing())
}

/// A body that is not too long; before a byte of a longer one is kept.
pub(super) fn whole(body: Body) -> Result<Bytes, Wrong> {
    body.map_err(|rejection| {
        let status = rejection.status();
        tracing::warn!(%status, "a message of the Dataspace Protocol did not arrive whole, or is too long");
        Wrong::plain(status, "the message did not arrive whole, or is longer than 256 KiB")
    })
}
