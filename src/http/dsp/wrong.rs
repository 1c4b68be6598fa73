use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::check::{Check, Refusal};
use crate::dsp::{Named, catalog_error, checks, negotiation_error};
use crate::node::NodeFault;
use crate::node::dsp::Unheard;

/// What somebody hears who asks for what is not there, or not theirs, or does not prove who asks.
const NOTHING: &str = "there is nothing here for who you proved to be";

/// Why a message was not taken, as its sender reads it.
#[derive(Debug)]
pub(super) struct Wrong {
    status: StatusCode,
    check: Option<&'static Check>,
    reason: String,
    named: Named,
    catalog: bool,
}

impl Wrong {
    /// A problem that no check names.
    pub(super) fn plain(status: StatusCode, reason: &str) -> Self {
        Self { status, check: None, reason: reason.to_owned(), named: Named::default(), catalog: false }
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
            fault => {
                tracing::error!(%fault, "a message of the Dataspace Protocol failed inside");
                let reason = "the node failed; send the message again later".to_owned();
                return Self { status: StatusCode::INTERNAL_SERVER_ERROR, check: None, reason, named, catalog: false };
            }
        };
        tracing::warn!(check = check.map(|check| check.id()), reason, %status, "a message of the Dataspace Protocol was refused");
        Self { status, check, reason, named, catalog: false }
    }

    /// What the sender is told, for doors with errors of their own.
    pub(super) fn told(&self) -> (StatusCode, &str) {
        (self.status, &self.reason)
    }

    /// The same, about the catalog.
    pub(super) fn about_catalog(self) -> Self {
        Self { catalog: true, ..self }
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
            catalog_error(self.check, &self.reason)
        } else {
            negotiation_error(&self.named, self.check, &self.reason)
        };
        (self.status, Json(body)).into_response()
    }
}
