//! The Dataspace Protocol 2025-1 over HTTPS: catalog and contract negotiation, both roles, and the desk beside them.

mod catalog;
mod caller;
pub(super) mod management;
mod negotiations;
pub(super) mod transfer_desk;
mod transfers;
mod wrong;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use serde_json::json;

pub use management::dsp_api;
pub use transfer_desk::transfer_api;

use super::guard::Strangers;
use crate::dsp::{MAX_MESSAGE, VERSION};
use crate::node::dsp::{Connector, PATH};
use crate::node::transfers::Transfers;

/// What the endpoints work on.
#[derive(Clone)]
struct Ground {
    connector: Arc<Connector>,
    strangers: Strangers,
}

impl FromRef<Ground> for Arc<Connector> {
    fn from_ref(ground: &Ground) -> Self {
        Self::clone(&ground.connector)
    }
}

/// The protocol's endpoints for the world. They have a share of their own, together with those of [`transfer_router`]: only
/// who does not prove an id that the configuration names is held to it.
pub fn dsp_router(connector: Arc<Connector>, strangers: Strangers) -> Router {
    let version = json!({ "protocolVersions": [{
        "version": VERSION, "path": PATH, "binding": "HTTPS", "serviceId": connector.base(), "identifierType": "did",
    }] });
    let versions = get(async move || axum::Json(version.clone()));
    let endpoints = Router::new()
        .route("/catalog/request", post(catalog::request))
        .route("/catalog/datasets/{id}", get(catalog::dataset))
        .route("/negotiations/request", post(negotiations::first_request))
        .route("/negotiations/offers", post(negotiations::first_offer))
        .route("/negotiations/{pid}", get(negotiations::state))
        .route("/negotiations/{pid}/request", post(negotiations::request))
        .route("/negotiations/{pid}/offers", post(negotiations::offer))
        .route("/negotiations/{pid}/agreement", post(negotiations::agreement))
        .route("/negotiations/{pid}/agreement/verification", post(negotiations::verification))
        .route("/negotiations/{pid}/events", post(negotiations::event))
        .route("/negotiations/{pid}/state", post(negotiations::signed_state))
        .route("/negotiations/{pid}/termination", post(negotiations::termination))
        .layer(DefaultBodyLimit::max(MAX_MESSAGE))
        .layer(from_fn_with_state(Arc::clone(&connector), caller::remembered))
        .with_state(Ground { connector, strangers });
    Router::new().nest(PATH, endpoints).route("/.well-known/dspace-version", versions)
}

/// The transfer process's endpoints for the world, beside those of [`dsp_router`].
pub fn transfer_router(connector: Arc<Connector>, transfers: Arc<Transfers>, strangers: Strangers) -> Router {
    Router::new().nest(PATH, transfers::endpoints(Ground { connector, strangers }, transfers))
}
