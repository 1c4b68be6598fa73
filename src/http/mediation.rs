//! What the owner of a mediator sees of it, and what the owner of a wallet sees of the mediator that it uses.

use std::sync::Arc;

use axum::extract::State;
use serde_json::json;

use super::api::{Answer, Api, Id, Scope, answered};
use super::shapes::{MediationView, MediatorView, Party};
use crate::identity::Did;
use crate::node::{Mediator, Node};

/// The mediator's part of the management interface.
pub fn mediator_api(mediator: Arc<Mediator>) -> Api {
    mediator_doors().with_state(mediator)
}

pub(super) fn mediator_doors() -> Api<Arc<Mediator>> {
    Api::new().door(Scope::Read, __path_mediator, self::mediator).door(Scope::Admin, __path_dismiss, dismiss)
}

pub(super) fn mediation_doors() -> Api<Arc<Node>> {
    Api::new().door(Scope::Read, __path_mediation, mediation)
}

/// Who uses this mediator, and how much waits for them
///
/// Never what: it keeps sealed envelopes.
#[utoipa::path(get, path = "/api/mediator", tag = "mediator", responses(
    (status = 200, description = "The mediator and its members.", body = MediatorView),
))]
async fn mediator(State(mediator): State<Arc<Mediator>>) -> Answer {
    answered(mediator.view().await?)
}

/// Ends a member's mediation
///
/// What waits for it is given up, and its DIDs are nobody's here any more. Unless the configuration lets it, it is not
/// granted mediation again.
#[utoipa::path(delete, path = "/api/mediator/members/{did}", tag = "mediator",
    params(("did" = String, Path, description = "The member.")),
    responses((status = 200, description = "The party that is no member any more.", body = Party)),
)]
async fn dismiss(State(mediator): State<Arc<Mediator>>, Id(did): Id) -> Answer {
    let did: Did = did.parse()?;
    mediator.dismiss(&did).await?;
    answered(json!({ "did": did }))
}

/// How this wallet's mediation stands
///
/// Whether a mediator keeps messages for it, how they are picked up, and how many waited.
#[utoipa::path(get, path = "/api/mediation", tag = "people", responses(
    (status = 200, description = "Where it stands.", body = MediationView),
))]
async fn mediation(State(node): State<Arc<Node>>) -> Answer {
    answered(node.mediation())
}
