use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use super::house::{Ground, House};
use crate::http;
use crate::node::{ForwardSettings, GateSettings, Gatekeeper};

/// Where the home says at which address the proxy's door is.
const DOOR: &str = "forward-address";
/// How long the proxy's secret has to be.
const SECRET: usize = 22;

/// Puts a gate in front of data into the house.
pub(super) async fn move_in(house: &mut House, ground: &Ground<'_>, table: &GateSettings) -> Result<()> {
    let (signer, store) = (Arc::clone(&ground.signer), Arc::clone(&ground.store));
    let (registry, directory) = (Arc::clone(&ground.registry), Arc::clone(&ground.directory));
    let gatekeeper = Gatekeeper::open_knowing(table.clone(), signer, store, registry, directory).await?;
    house.transfers.iter().for_each(|desk| desk.guarded_by(&gatekeeper));
    house.public = std::mem::take(&mut house.public)
        .merge(http::gate::router_with_transfers(Arc::clone(&gatekeeper), house.transfers.clone()));
    house.gatekeeper = Some(Arc::clone(&gatekeeper));
    if let Some(forward) = &table.forward {
        open_door(house, ground, forward, &gatekeeper).await?;
    }
    house.loops.spawn(async move { gatekeeper.run(std::future::pending()).await });
    Ok(())
}

/// Opens the door at which a proxy asks, on a listener of its own.
async fn open_door(
    house: &mut House,
    ground: &Ground<'_>,
    forward: &ForwardSettings,
    gatekeeper: &Arc<Gatekeeper>,
) -> Result<()> {
    let secret = forward.secret_file.as_ref().map(|file| {
        // A whole path stays what it is.
        let path = ground.home.path("").join(file);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let text = Zeroizing::new(text);
        match text.trim() {
            secret if secret.len() >= SECRET => Ok(Zeroizing::new(secret.to_owned())),
            _ => bail!("{} has to hold at least {SECRET} random letters", path.display()),
        }
    });
    let secret = secret.transpose()?;
    let listener = TcpListener::bind(forward.listen).await;
    let listener =
        listener.with_context(|| format!("[gate.forward] cannot listen on {}; is the port in use?", forward.listen))?;
    let address = listener.local_addr()?.to_string();
    std::fs::write(ground.home.path(DOOR), &address).context("cannot say where the door for the proxy is")?;
    tracing::info!(address, proxy = ?forward.proxy, "a proxy may ask");
    let router = http::gate::forward_router_with_transfers(
        Arc::clone(gatekeeper),
        house.transfers.clone(),
        forward.clone(),
        secret.as_ref().map(|it| it.as_str()),
    );
    let mut served = http::serve(listener, router, Duration::from_secs(10));
    house.loops.spawn(async move {
        if let Err(fault) = served.ended().await {
            tracing::error!(%fault, "the door for the proxy fell shut");
        }
    });
    Ok(())
}
