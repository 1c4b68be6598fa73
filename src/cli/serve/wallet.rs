use std::sync::Arc;

use anyhow::{Result, bail};

use super::super::configuration::WalletTable;
use super::house::{Ground, House};
use super::mediator::{self, Place};
use crate::courier::HttpCourier;
use crate::http;
use crate::node::{Courier, Node, Pickup, Settings};

/// Puts a contract desk's wallet into the house.
pub(super) fn move_in(house: &mut House, ground: &Ground<'_>, table: &WalletTable) -> Result<()> {
    let settings = Settings {
        trust: ground.configuration.trust.clone(),
        inbox_url: format!("{}/inbox", ground.public_url),
        windows: table.windows,
        consent: table.consent.clone(),
        uncataloged: table.uncataloged,
        poll_ms: table.poll_ms,
        mediator: table.mediator.clone(),
    };
    let courier = Arc::new(HttpCourier::new(ground.policy)?);
    let node = Node::new(
        Arc::clone(&ground.signer),
        ground.keyring.agreement_keys(ground.signer.did())?,
        settings,
        Arc::clone(&ground.store),
        Arc::clone(&ground.registry),
        Arc::clone(&courier) as Arc<dyn Courier>,
    );
    let node = Arc::new(node.knowing(Arc::clone(&ground.directory)));
    if let Some(document) = &ground.document {
        // Before a mediator has granted mediation there is no inbox to name; from then on there is.
        let (reached, keys) = (Arc::clone(&node), document.clone());
        house.serve_document(&document.id, move || reached.did_document(&keys).unwrap_or_else(|_| keys.clone()))?;
    }
    let inbox = match (&ground.configuration.mediator, &table.mediator) {
        (Some(_), Some(_)) => bail!("a node with [mediator] has an inbox of its own: leave [wallet.mediator] out"),
        // A mediator's inbox is the same as its own wallet's.
        (Some(mediator), None) => mediator::inbox(house, &Place::of(ground), mediator, Some(Arc::clone(&node)))?,
        // What nobody can reach is not opened.
        (None, Some(_)) => http::Router::new(),
        (None, None) => http::inbox_router(Arc::clone(&node)),
    };
    house.public = std::mem::take(&mut house.public).merge(inbox).merge(http::invitation_router());
    house.management = std::mem::take(&mut house.management)
        .merge(http::wallet_api(Arc::clone(&node)))
        .merge(http::operator::provider_api(Arc::clone(&node)));
    node.run_in(&mut house.loops);
    house.wallet = Some(Arc::clone(&node));
    if table.mediator.is_some() {
        house.loops.spawn(Pickup::new(node, courier).run());
    }
    Ok(())
}
