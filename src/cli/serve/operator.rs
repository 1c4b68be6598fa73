use std::sync::Arc;

use super::house::{Ground, House};
use crate::http;
use crate::node::Auditor;

/// Puts the operator's desk into the house.
pub(super) fn move_in(house: &mut House, ground: &Ground<'_>) {
    let (signer, store) = (Arc::clone(&ground.signer), Arc::clone(&ground.store));
    let auditor = Arc::new(Auditor::new(signer, store, Arc::clone(&ground.registry)));
    house.public = std::mem::take(&mut house.public).merge(http::operator::public_router(Arc::clone(&auditor)));
    house.management = std::mem::take(&mut house.management).merge(http::operator::management_api(auditor));
}
