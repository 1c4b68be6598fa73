use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use super::super::home::{Home, secret_text};
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
    let secret = forward.secret_file.as_ref().map(|file| proxy_secret(ground.home, file)).transpose()?;
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

/// The proxy's secret: of a file that nobody else reads, and hard to guess.
fn proxy_secret(home: &Home, file: &Path) -> Result<Zeroizing<String>> {
    // A whole path stays what it is.
    let path = home.path("").join(file);
    let text = secret_text(&path).context("[gate.forward] secret_file")?;
    match text.trim() {
        secret if secret.len() >= SECRET => Ok(Zeroizing::new(secret.to_owned())),
        _ => bail!("{} has to hold at least {SECRET} random letters", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_that_others_read_or_guess_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let (home, path) = (Home::new(dir.path()), dir.path().join("proxy-secret"));
        let kept = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            proxy_secret(&home, Path::new("proxy-secret")).map(|secret| secret.to_string())
        };
        let long = "r".repeat(SECRET);
        assert_eq!(kept(&format!("{long}\n"), 0o600).unwrap(), long);
        for mode in [0o644, 0o640, 0o604] {
            let why = format!("{:#}", kept(&long, mode).unwrap_err());
            assert!(why.contains("chmod 600") && why.contains("secret_file"), "{why}");
        }
        assert!(kept("short", 0o600).unwrap_err().to_string().contains("random letters"));
    }
}
