use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::check::Check;
use crate::dsp::{Named, catalog_error, checks, negotiation_error};
use crate::node::NodeFault;
use crate::node::dsp::Unheard;

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

    /// What a fault means to the sender. It is logged here, once.
    pub(super) fn of(fault: NodeFault, named: Named) -> Self {
        let (status, check, reason) = match fault {
            NodeFault::Refused(refusal) => {
                // Who is no party learns no more than who asks for something that does not exist.
                let id = refusal.check.id();
                let hidden = [&checks::PLAIN, &checks::PARTY, &checks::TOKEN].contains(&refusal.check)
                    || id.starts_with("jws.")
                    || id.starts_with("did.");
                let status = if hidden { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
                (status, Some(refusal.check), refusal.detail)
            }
            fault @ NodeFault::Unknown { .. } => (StatusCode::NOT_FOUND, None, fault.to_string()),
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
