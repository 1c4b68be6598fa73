use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use crate::check::{Check, Refusal};
use crate::dsp::{Named, UNLISTED, catalog_error, checks, negotiation_error};
use crate::http::problem::no_room;
use crate::node::dsp::Unheard;
use crate::node::{NodeFault, StoreFault};

/// What somebody hears who asks for what is not there, or not theirs, or does not prove who asks.
const NOTHING: &str = "there is nothing here for who you proved to be";
/// What somebody hears whose message was not dealt with.
pub(super) const LATER: &str = "the node could not take the message; send it again later";

/// An answer, with the time to come again where the status asks for that.
pub(super) fn answer(status: StatusCode, body: Value) -> Response {
    let mut response = (status, Json(body)).into_response();
    let seconds = match status {
        // A share refills within a second.
        StatusCode::TOO_MANY_REQUESTS => "1",
        StatusCode::SERVICE_UNAVAILABLE => "10",
        _ => return response,
    };
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
    response
}

/// Why a message was not taken, as its sender reads it.
#[derive(Debug)]
pub(super) struct Wrong {
    status: StatusCode,
    check: Option<&'static Check>,
    reason: String,
    named: Named,
    catalog: bool,
    /// Whether the catalog does not have what a caller asked for that proved who it is.
    unlisted: bool,
}

impl Wrong {
    /// A problem that no check names.
    pub(super) fn plain(status: StatusCode, reason: &str) -> Self {
        Self {
            status,
            check: None,
            reason: reason.to_owned(),
            named: Named::default(),
            catalog: false,
            unlisted: false,
        }
    }

    /// What somebody hears who asks for what is not there.
    pub(super) fn nothing() -> Self {
        tracing::warn!("a caller of the Dataspace Protocol asked for what no id can name");
        Self::plain(StatusCode::NOT_FOUND, NOTHING)
    }

    /// What somebody hears who does not prove who asks, or is nobody here.
    pub(super) fn nobody(refusal: &Refusal) -> Self {
        let check = refusal.check.id();
        tracing::warn!(check, detail = refusal.detail, "a caller of the Dataspace Protocol was turned away");
        Self::plain(StatusCode::NOT_FOUND, NOTHING)
    }

    /// What a fault means to the sender. It is logged here, once.
    pub(super) fn of(fault: NodeFault, named: Named) -> Self {
        let (status, check, reason) = match fault {
            NodeFault::Refused(refusal) => {
                // Who is no party learns no more than who asks for something that does not exist.
                let id = refusal.check.id();
                let hidden = [&checks::PLAIN, &checks::PARTY, &checks::TOKEN].contains(&refusal.check)
                    || id.starts_with("jws.")
                    || id.starts_with("did.");
                if hidden {
                    return Self { named, ..Self::nobody(&refusal) };
                }
                (StatusCode::BAD_REQUEST, Some(refusal.check), refusal.detail)
            }
            fault @ NodeFault::Unknown { .. } => {
                tracing::warn!(%fault, "a caller of the Dataspace Protocol asked for what is not there");
                return Self { named, ..Self::plain(StatusCode::NOT_FOUND, NOTHING) };
            }
            NodeFault::Unready(why) => {
                tracing::warn!(why, "a message of the Dataspace Protocol has to come again");
                return Self { named, ..Self::plain(StatusCode::SERVICE_UNAVAILABLE, LATER) };
            }
            NodeFault::Store(StoreFault::Full(why)) => {
                no_room(&why);
                return Self { named, ..Self::plain(StatusCode::SERVICE_UNAVAILABLE, LATER) };
            }
            fault => {
                tracing::error!(%fault, "a message of the Dataspace Protocol failed inside");
                return Self { named, ..Self::plain(StatusCode::INTERNAL_SERVER_ERROR, LATER) };
            }
        };
        tracing::warn!(check = check.map(|check| check.id()), reason, %status, "a message of the Dataspace Protocol was refused");
        Self { status, check, reason, named, catalog: false, unlisted: false }
    }

    /// What the sender is told, for doors with errors of their own.
    pub(super) fn told(&self) -> (StatusCode, &str) {
        (self.status, &self.reason)
    }

    /// The same, about the catalog.
    pub(super) fn about_catalog(self) -> Self {
        Self { catalog: true, ..self }
    }

    /// The same, for a caller that proved who it is and asked for a dataset that is not listed.
    pub(super) fn unlisted(self) -> Self {
        Self { catalog: true, unlisted: true, ..self }
    }
}

impl From<Unheard> for Wrong {
    fn from(unheard: Unheard) -> Self {
        Self::of(unheard.fault, unheard.named)
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let body = if self.catalog {
            let mut body = catalog_error(self.check, &self.reason);
            if self.unlisted {
                body["code"] = Value::from(UNLISTED);
            }
            body
        } else {
            negotiation_error(&self.named, self.check, &self.reason)
        };
        answer(self.status, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_finds_the_store_full_comes_again() {
        let full = || NodeFault::Store(StoreFault::Full("no space".into()));
        for fault in [full(), NodeFault::Unready("soon".into())] {
            let response = Wrong::of(fault, Named::default()).into_response();
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()[header::RETRY_AFTER], "10");
        }
        let failed = Wrong::of(NodeFault::Store(StoreFault::Failed("broken".into())), Named::default());
        assert_eq!(failed.told(), (StatusCode::INTERNAL_SERVER_ERROR, LATER));
    }
}
