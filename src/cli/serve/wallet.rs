use std::sync::Arc;

use anyhow::Result;

use super::super::configuration::WalletTable;
use super::house::{Ground, House};
use crate::courier::{AddressPolicy, HttpCourier};
use crate::http;
use crate::node::{Node, Settings};

/// Puts a contract desk's wallet into the house.
pub(super) fn move_in(house: &mut House, ground: &Ground<'_>, table: &WalletTable) -> Result<()> {
    let settings = Settings {
        trust: ground.configuration.trust.clone(),
        inbox_url: format!("{}/inbox", ground.public_url),
        windows: table.windows,
        consent: table.consent.clone(),
        uncataloged: table.uncataloged,
        poll_ms: table.poll_ms,
    };
    let policy = AddressPolicy { private_networks: ground.configuration.network.private };
    let node = Arc::new(Node::new(
        Arc::clone(&ground.signer),
        vec![ground.home.agreement_key(&*ground.signer)?],
        settings,
        Arc::clone(&ground.store),
        Arc::clone(&ground.registry),
        Arc::new(HttpCourier::new(policy)?),
    ));
    house.public =
        std::mem::take(&mut house.public).merge(http::inbox_router(Arc::clone(&node))).merge(http::invitation_router());
    house.management = std::mem::take(&mut house.management)
        .merge(http::wallet_api(Arc::clone(&node)))
        .merge(http::operator::provider_api(Arc::clone(&node)));
    house.loops = node.run();
    house.wallet = Some(node);
    Ok(())
}
