use std::sync::Arc;

use super::house::{Ground, House};
use crate::http;
use crate::node::{Auditor, Bookkeeper, Letterhead};

/// Puts the operator's desk into the house.
pub(super) fn move_in(house: &mut House, ground: &Ground<'_>, letterhead: &Letterhead) {
    let (signer, store) = (Arc::clone(&ground.signer), Arc::clone(&ground.store));
    let auditor = Auditor::new(signer, store, Arc::clone(&ground.registry));
    let auditor = Arc::new(auditor.knowing(Arc::clone(&ground.directory)));
    house.public = std::mem::take(&mut house.public).merge(http::operator::public_router(Arc::clone(&auditor)));
    let books = Bookkeeper::new(Arc::clone(&auditor), Arc::clone(&ground.books), letterhead.clone());
    house.management = std::mem::take(&mut house.management)
        .merge(http::operator::management_api(auditor))
        .merge(http::books_api(Arc::new(books)));
}
