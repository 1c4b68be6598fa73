//! Keys to this interface, for the owner and whoever it makes an administrator.

use std::sync::Arc;

use axum::extract::State;
use serde_json::json;

use super::api::{Answer, Api, Body, Id, Scope, answered, created};
use super::shapes::{self, KeyView, NewKey, Nothing};
use crate::node::{self, Doorkeeper};

type Keys = State<Arc<Doorkeeper>>;

/// The keys' part of a node's management interface.
pub fn keys_api(doorkeeper: Arc<Doorkeeper>) -> Api {
    doors().with_state(doorkeeper)
}

pub(super) fn doors() -> Api<Arc<Doorkeeper>> {
    Api::new()
        .door(Scope::Admin, __path_keys, keys)
        .door(Scope::Admin, __path_add_key, add_key)
        .door(Scope::Admin, __path_remove_key, remove_key)
        .within(4 * 1024)
}

/// Every key but the owner's
///
/// Only their hashes are kept, so that no key can be shown again.
#[utoipa::path(get, path = "/api/keys", tag = "keys", responses(
    (status = 200, description = "The keys, by name.", body = Vec<KeyView>),
))]
async fn keys(State(doorkeeper): Keys) -> Answer {
    answered(doorkeeper.keys())
}

/// Makes a key
///
/// The answer shows it this once. Its name stands in the history of each negotiation in which it decides.
#[utoipa::path(post, path = "/api/keys", tag = "keys", request_body = shapes::KeyOrder, responses(
    (status = 201, description = "The key.", body = NewKey),
    (status = 409, description = "The name is taken or is none, or there are too many keys."),
))]
async fn add_key(State(doorkeeper): Keys, Body(order): Body<node::KeyOrder>) -> Answer {
    created(doorkeeper.add(&order).await?)
}

/// Removes a key
///
/// At once: its next call finds no door, and an event stream under it ends.
#[utoipa::path(delete, path = "/api/keys/{name}", tag = "keys",
    params(("name" = String, Path, description = "The key's name.")),
    responses(
        (status = 200, description = "It opens nothing any more.", body = Nothing),
        (status = 409, description = "It is the owner's, which is a file in the node's home."),
    ),
)]
async fn remove_key(State(doorkeeper): Keys, Id(name): Id) -> Answer {
    doorkeeper.remove(&name).await?;
    answered(json!({}))
}
