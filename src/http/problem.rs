use std::sync::atomic::{AtomicI64, Ordering};

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Scope;
use crate::check::{Check, Refusal};
use crate::node::{NodeFault, RegistryFault, StoreFault, chance, checks};

/// The check that refused: an answer carries it outwards, for who counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct RefusedBy(pub &'static str);

/// An error as a caller sees it: a status, the check that failed where one did, and what to do; never an inner cause.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    check: Option<&'static str>,
    message: String,
    /// Line and column of a body.
    place: Option<(usize, usize)>,
    /// The scope that a key lacks.
    scope: Option<Scope>,
}

impl Problem {
    /// A problem that no check names.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, check: None, message: message.into(), place: None, scope: None }
    }

    /// A problem that a check names.
    pub fn of_check(status: StatusCode, check: &'static Check, message: impl Into<String>) -> Self {
        Self { status, check: Some(check.id()), message: message.into(), place: None, scope: None }
    }

    /// A problem of a key that lacks a scope.
    pub(super) fn wanting(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// A body that is JSON, but not the one that is expected: which member, and where it stands.
    pub(super) fn of_json(cause: &serde_json::Error) -> Self {
        let place = Some((cause.line(), cause.column()));
        Self { place, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the body does not read: {cause}")) }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let id = refusal.check.id();
        let status = match id {
            // The machine's fault and not the caller's: it goes on by itself once the clock is right.
            _ if refusal.check == &checks::CLOCK => StatusCode::SERVICE_UNAVAILABLE,
            _ if refusal.check == &checks::KEY_NAME => StatusCode::CONFLICT,
            id if id.starts_with("negotiation.") => StatusCode::CONFLICT,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self { status, check: Some(id), message: refusal.detail, place: None, scope: None }
    }
}

impl From<NodeFault> for Problem {
    fn from(fault: NodeFault) -> Self {
        match fault {
            NodeFault::Refused(refusal) => refusal.into(),
            fault @ NodeFault::Unknown { .. } => Self::new(StatusCode::NOT_FOUND, fault.to_string()),
            fault @ NodeFault::Unready(_) => Self::new(StatusCode::CONFLICT, fault.to_string()),
            NodeFault::Registry(RegistryFault::Refused(why)) => {
                Self::new(StatusCode::BAD_GATEWAY, format!("the chain refused the transaction: {why}"))
            }
            fault @ NodeFault::NotDelivered(_) => Self::new(StatusCode::BAD_GATEWAY, fault.to_string()),
            NodeFault::Registry(fault) => {
                tracing::warn!(%fault, "the registry failed a caller");
                Self::new(StatusCode::BAD_GATEWAY, "the registry cannot be reached or trusted now; try again later")
            }
            NodeFault::Store(StoreFault::Full(why)) => {
                no_room(&why);
                let what =
                    "there is no room left for the store, and nothing was kept of this: make room, then send it again";
                Self::new(StatusCode::INSUFFICIENT_STORAGE, what)
            }
            NodeFault::Store(StoreFault::Damaged(what)) => {
                tracing::error!(what, "the store is damaged");
                let what = "the store is damaged, the log says where: stop the node, keep its files, and restore the latest \
                            backup into a new home (countersign restore BACKUP --home NEWDIR)";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, what)
            }
            fault => {
                tracing::error!(%fault, "a request failed inside");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the node failed; its log says why")
            }
        }
    }
}

/// Says that the store is full, once a minute: whoever is turned away for it can come again at once.
pub(super) fn no_room(why: &str) {
    static SAID: AtomicI64 = AtomicI64::new(i64::MIN);
    let now = chance::now().map_or(0, |now| now.seconds());
    let before = SAID.load(Ordering::Relaxed);
    if now < before || now.saturating_sub(before) >= 60 {
        SAID.store(now, Ordering::Relaxed);
        tracing::error!(why, "there is no room left for the store");
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut error = json!({ "message": self.message });
        if let Some(check) = self.check {
            error["check"] = check.into();
        }
        if let Some((line, column)) = self.place {
            error["line"] = line.into();
            error["column"] = column.into();
        }
        if let Some(scope) = self.scope {
            error["scope"] = scope.name().into();
        }
        let mut response = (self.status, Json(json!({ "error": error }))).into_response();
        if let Some(check) = self.check {
            response.extensions_mut().insert(RefusedBy(check));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
