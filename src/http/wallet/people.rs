//! Who this party is, and whom it reaches.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::Owner;
use crate::http::api::{Answer, Api, Body, Scope, answered};
use crate::http::shapes::{About, ContactView, Jws, NewContact, Party};
use crate::node::{self, Node};

pub(super) fn doors() -> Api<Arc<Node>> {
    Api::new()
        .door(Scope::Read, __path_about, about)
        .door(Scope::Admin, __path_join, join)
        .door(Scope::Read, __path_contacts, contacts)
        .door(Scope::Admin, __path_add_contact, add_contact)
}

/// Who this party is
///
/// Its DID, its signed contact for others to add, and the account that records its contracts.
#[utoipa::path(get, path = "/api/self", tag = "people", responses(
    (status = 200, description = "This party.", body = About),
))]
async fn about(State(node): Owner) -> Answer {
    answered(json!({
        "did": node.did(),
        "key": node.signer().public_key().thumbprint(),
        "contact": node.contact()?,
        "inbox": node.settings().inbox_url,
        "registry": node.registry().urn(),
        "recorder": node.registry().recorder(),
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

/// Whom this party reaches
#[utoipa::path(get, path = "/api/contacts", tag = "people", responses(
    (status = 200, description = "Every contact, by DID.", body = Vec<ContactView>),
))]
async fn contacts(State(node): Owner) -> Answer {
    let contacts = node.contacts().await?;
    let contacts: Vec<_> = contacts.into_iter().map(|(did, inbox)| json!({ "did": did, "inbox": inbox })).collect();
    answered(contacts)
}

/// Adds a contact
///
/// It is signed by the party that it is about; a newer one takes the place of an older.
#[utoipa::path(post, path = "/api/contacts", tag = "people", request_body = NewContact, responses(
    (status = 200, description = "The party that can be reached now.", body = Party),
))]
async fn add_contact(State(node): Owner, Body(new): Body<node::NewContact>) -> Answer {
    answered(json!({ "did": node.add_contact(&new).await? }))
}
