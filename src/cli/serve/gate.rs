use std::sync::Arc;

use anyhow::Result;

use super::house::{Ground, House};
use crate::http;
use crate::node::{GateSettings, Gatekeeper};

/// Puts a gate in front of data into the house.
pub(super) async fn move_in(house: &mut House, ground: &Ground<'_>, table: &GateSettings) -> Result<()> {
    let (signer, store) = (Arc::clone(&ground.signer), Arc::clone(&ground.store));
    let (registry, directory) = (Arc::clone(&ground.registry), Arc::clone(&ground.directory));
    let gatekeeper = Gatekeeper::open_knowing(table.clone(), signer, store, registry, directory).await?;
    house.public = std::mem::take(&mut house.public).merge(http::gate::router(Arc::clone(&gatekeeper)));
    house.gatekeeper = Some(Arc::clone(&gatekeeper));
    house.loops.spawn(async move { gatekeeper.run(std::future::pending()).await });
    Ok(())
}
