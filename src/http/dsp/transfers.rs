//! The transfer process: the endpoints of a provider and of a consumer, told apart by the transfer's own role.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::extract::{DefaultBodyLimit, FromRef, FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Ground;
use super::caller::{Caller, remembered};
use super::negotiations::{Id, named, whole};
use super::wrong::{LATER, Wrong, answer};
use crate::dsp::{CONTEXT, MAX_MESSAGE, NOBODY, Named, is_id};
use crate::encoding::parse_json;
use crate::node::NodeFault;
use crate::node::transfers::Transfers;
use crate::transfer::{Kind, checks};

/// What the endpoints work on.
#[derive(Clone)]
struct Desk {
    ground: Ground,
    transfers: Arc<Transfers>,
}

impl FromRef<Desk> for Arc<Transfers> {
    fn from_ref(desk: &Desk) -> Self {
        Self::clone(&desk.transfers)
    }
}

/// The endpoints, below the protocol's base.
pub(super) fn endpoints(ground: Ground, transfers: Arc<Transfers>) -> Router {
    Router::new()
        .route("/transfers/request", post(request))
        .route("/transfers/{pid}", get(state))
        .route("/transfers/{pid}/{kind}", post(hear))
        .layer(DefaultBodyLimit::max(MAX_MESSAGE))
        .layer(from_fn_with_state(Arc::clone(&ground.connector), remembered))
        .with_state(Desk { ground, transfers })
}

type Here = State<Arc<Transfers>>;
type Body = Result<Bytes, BytesRejection>;

/// `POST /transfers/request`: a consumer asks for the data of an agreement.
async fn request(State(desk): Here, Sender(peer): Sender, body: Body) -> Result<Response, Refused> {
    let message = read(body)?;
    let answer = desk.hear_request(&peer, &message).await.map_err(|fault| Refused::of(fault, &message))?;
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// `GET /transfers/{pid}`: where it stands.
async fn state(State(desk): Here, Sender(peer): Sender, pid: Id) -> Result<Response, Refused> {
    let answer = desk.process(&peer, &named(pid)?).await.map_err(|fault| Refused::of(fault, &Value::Null))?;
    Ok(Json(answer).into_response())
}

/// `POST /transfers/{pid}/start`, `…/suspension`, `…/completion`, `…/termination`.
async fn hear(
    State(desk): Here,
    Sender(peer): Sender,
    path: Result<Path<(String, String)>, PathRejection>,
    body: Body,
) -> Result<Response, Refused> {
    let Path((pid, kind)) = path.map_err(|_| Wrong::nothing())?;
    let kind = Kind::at_path(&kind).filter(|kind| *kind != Kind::Request);
    let kind = kind.ok_or_else(|| Refused::plain(StatusCode::NOT_FOUND, "there is no such endpoint"))?;
    let message = read(body)?;
    let answer = desk.hear(&peer, &pid, kind, &message).await.map_err(|fault| Refused::of(fault, &message))?;
    Ok(Json(answer).into_response())
}

fn read(body: Body) -> Result<Value, Refused> {
    let body = whole(body)?;
    parse_json(&body, MAX_MESSAGE).map_err(|refusal| Refused::of(refusal.into(), &Value::Null))
}

/// Who sent a message, proven.
struct Sender(String);

impl FromRequestParts<Desk> for Sender {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, Refused> {
        let Caller(peer) = Caller::from_request_parts(parts, &desk.ground).await?;
        Ok(Self(peer.as_str().to_owned()))
    }
}

/// Why a message was not taken: a TransferError.
#[derive(Debug)]
struct Refused(StatusCode, Value);

impl Refused {
    fn plain(status: StatusCode, reason: &str) -> Self {
        Self(status, error(&Value::Null, None, reason))
    }

    /// What a fault means to the sender. It is logged here, once.
    fn of(fault: NodeFault, message: &Value) -> Self {
        let (status, code, reason) = match fault {
            NodeFault::Refused(refusal) => {
                // Who has no agreement learns no more than who asks for something that does not exist.
                let hidden = *refusal.check == checks::AGREEMENT;
                let status = if hidden { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
                (status, Some(refusal.check.id()), refusal.detail)
            }
            fault @ NodeFault::Unknown { .. } => (StatusCode::NOT_FOUND, None, fault.to_string()),
            // As for messages of negotiations.
            fault => {
                let status = Wrong::of(fault, Named::default()).told().0;
                return Self(status, error(message, None, LATER));
            }
        };
        tracing::warn!(check = code, reason, %status, "a message about a transfer was refused");
        Self(status, error(message, code, &reason))
    }
}

/// The pids are those of the message; the schema wants both, also where it named none that is one.
fn error(message: &Value, code: Option<&str>, reason: &str) -> Value {
    let pid = |name: &str| {
        let named = message.get(name).and_then(Value::as_str).filter(|pid| is_id(pid));
        named.unwrap_or(NOBODY).to_owned()
    };
    let mut error = json!({
        "@context": [CONTEXT], "@type": "TransferError", "providerPid": pid("providerPid"),
        "consumerPid": pid("consumerPid"), "reason": [reason],
    });
    if let Some(code) = code {
        error["code"] = json!(code);
    }
    error
}

impl From<Wrong> for Refused {
    fn from(wrong: Wrong) -> Self {
        let (status, reason) = wrong.told();
        Self::plain(status, reason)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        answer(self.0, self.1)
    }
}
