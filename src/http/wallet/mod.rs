//! What the owner of a wallet does with it: everything that the commands do.

mod contracts;
mod events;
mod goods;
mod people;
mod talks;

use std::sync::Arc;

use axum::extract::State;

pub use people::invitation_router;

use super::api::Api;
use super::mediation::mediation_doors;
use crate::node::Node;

type Owner = State<Arc<Node>>;

/// The longest body: a template's approval with everything in it.
const LONGEST: usize = 256 * 1024;

/// The wallet's part of the management interface.
pub fn wallet_api(node: Arc<Node>) -> Api {
    doors().with_extension(events::Seats::default()).with_state(node)
}

/// The same without a node: what the document is made of.
pub(super) fn doors() -> Api<Arc<Node>> {
    let talks = talks::doors().merge(events::doors());
    people::doors()
        .merge(goods::doors())
        .merge(talks)
        .merge(contracts::doors())
        .merge(mediation_doors())
        .within(LONGEST)
}
