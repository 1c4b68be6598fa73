//! Who this party is, and whom it reaches.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::Owner;
use crate::http::api::{Answer, Api, Body, Id, Scope, answered, created};
use crate::http::shapes::{self, About, ContactView, Jws, Met, Party};
use crate::identity::Did;
use crate::node::{self, Node, NodeFault};

pub(super) fn doors() -> Api<Arc<Node>> {
    Api::new()
        .door(Scope::Read, __path_about, about)
        .door(Scope::Admin, __path_join, join)
        .door(Scope::Read, __path_contacts, contacts)
        .door(Scope::Admin, __path_add_contact, add_contact)
        .door(Scope::Admin, __path_forget_contact, forget_contact)
        .door(Scope::Admin, __path_name_contact, name_contact)
        .door(Scope::Admin, __path_confirm_contact, confirm_contact)
        .door(Scope::Admin, __path_invite, invite)
}

/// Who this party is
///
/// Its DID, its signed contact for others to add, the account that records its contracts, and whose member it is until
/// when.
#[utoipa::path(get, path = "/api/self", tag = "people", responses(
    (status = 200, description = "This party.", body = About),
))]
async fn about(State(node): Owner) -> Answer {
    let contact = match node.contact() {
        Ok(contact) => Some(contact),
        // Not reachable yet: the mediator has not said yes.
        Err(NodeFault::Unready(_)) => None,
        Err(fault) => return Err(fault.into()),
    };
    let inbox = match node.settings().mediator {
        Some(_) => node.mediation().url,
        None => Some(node.settings().inbox_url.clone()),
    };
    answered(json!({
        "did": node.did(),
        "key": node.signer().public_key().thumbprint(),
        "contact": contact,
        "inbox": inbox,
        "registry": node.registry().urn(),
        "recorder": node.registry().recorder(),
        "membership": node.membership().await?,
    }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Credential {
    /// The participant credential that an operator signed for this party.
    #[schema(value_type = Jws)]
    credential: String,
}

/// Becomes a member: keeps the operator's participant credential
#[utoipa::path(post, path = "/api/participant", tag = "people", request_body = Credential, responses(
    (status = 200, description = "This party is a member now.", body = Party),
))]
async fn join(State(node): Owner, Body(body): Body<Credential>) -> Answer {
    node.join(&body.credential).await?;
    answered(json!({ "did": node.did() }))
}

/// Whom this party knows
#[utoipa::path(get, path = "/api/contacts", tag = "people", responses(
    (status = 200, description = "Every contact, those with a name first.", body = Vec<ContactView>),
))]
async fn contacts(State(node): Owner) -> Answer {
    answered(node.people().await?)
}

/// Adds a contact
///
/// By its signed contact, by an invitation, or by a did:web whose document says where it is reached. What is newer takes
/// the place of what is older; a name stays.
#[utoipa::path(post, path = "/api/contacts", tag = "people", request_body = shapes::Introduction, responses(
    (status = 200, description = "The party that can be reached now.", body = Met),
))]
async fn add_contact(State(node): Owner, Body(introduction): Body<node::Introduction>) -> Answer {
    answered(node.meet(&introduction).await?)
}

/// Forgets a contact
///
/// Its name and its address go; negotiations and contracts with it stay.
#[utoipa::path(delete, path = "/api/contacts/{did}", tag = "people",
    params(("did" = String, Path, description = "Whom.")),
    responses((status = 200, description = "The party that is no contact any more.", body = Party)),
)]
async fn forget_contact(State(node): Owner, Id(did): Id) -> Answer {
    let did: Did = did.parse()?;
    node.forget(&did).await?;
    answered(json!({ "did": did }))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewName {
    /// The name, of one contact only; null takes it away.
    #[schema(example = "Alice Maps")]
    name: Option<String>,
}

/// Names a contact
///
/// A name is this desk's own word: it stands beside the DID, and in nothing that is signed.
#[utoipa::path(post, path = "/api/contacts/{did}/name", tag = "people",
    params(("did" = String, Path, description = "Whom.")),
    request_body = NewName,
    responses((status = 200, description = "The party and its name.", body = Met)),
)]
async fn name_contact(State(node): Owner, Id(did): Id, Body(new): Body<NewName>) -> Answer {
    let did: Did = did.parse()?;
    node.rename(&did, new.name.as_deref()).await?;
    answered(json!({ "did": did, "name": new.name }))
}

/// Confirms a contact
///
/// Its owner has seen what changed about it: another inbox, or other keys.
#[utoipa::path(post, path = "/api/contacts/{did}/confirm", tag = "people",
    params(("did" = String, Path, description = "Whom.")),
    responses((status = 200, description = "The party whose changes are seen.", body = Party)),
)]
async fn confirm_contact(State(node): Owner, Id(did): Id) -> Answer {
    let did: Did = did.parse()?;
    node.confirm_contact(&did).await?;
    answered(json!({ "did": did }))
}

/// Makes an invitation
///
/// A DIDComm out-of-band 2.0 message as a link, with this party's signed contact inside.
#[utoipa::path(post, path = "/api/invitations", tag = "people", request_body = shapes::InvitationOrder, responses(
    (status = 201, description = "The invitation.", body = shapes::InvitationView),
))]
async fn invite(State(node): Owner, Body(order): Body<node::InvitationOrder>) -> Answer {
    created(node.invite(&order)?)
}

/// What the world sees that follows an invitation's link in a browser.
pub fn invitation_router() -> Router {
    Router::new().route("/invitation", get(explain))
}

async fn explain() -> impl IntoResponse {
    let text = "This is an invitation into a countersign wallet. Take the whole address of this page:\n\n  \
                countersign contact add '<address>' --name NAME\n";
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], text)
}
