mod dsp;
mod gate;
mod house;
mod mediator;
mod operator;
mod wallet;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use tokio::net::TcpListener;

use super::HomeArgument;
use super::home::{CONFIGURATION, Ports, Running, UnlockArgument};
use crate::http::{self, Face, Names, Share};
use house::House;

/// Runs a node: whatever its configuration has tables for, [wallet], [gate], [mediator] or [operator].
///
/// Example: countersign serve --home ~/wallet
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    home: HomeArgument,
    #[command(flatten)]
    unlock: UnlockArgument,
}

impl Serve {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let home = self.home.made()?;
        // Before anything else is opened, and until the end: one node a home.
        let _lock = home.seize()?;
        let configuration = home.configuration()?;
        configuration.hold().with_context(|| format!("the configuration {}", home.path(CONFIGURATION).display()))?;
        if configuration.listen.public == configuration.listen.management && configuration.listen.public.port() != 0 {
            bail!("[listen] public and management need different ports: one is for the world, one for you");
        }
        if configuration.wallet.is_some() && configuration.operator.is_some() {
            bail!("[wallet] and [operator] belong on different nodes: nobody audits itself");
        }
        let keyring = home.keyring(&self.unlock)?;
        let last = home.last_ports();
        let public = bind("public", configuration.listen.public, last.map(|last| last.public)).await?;
        let management = bind("management", configuration.listen.management, last.map(|last| last.management)).await?;
        let ports = Ports { public: public.local_addr()?.port(), management: management.local_addr()?.port() };
        let running =
            Running {
                public: configuration.listen.public_url.clone().unwrap_or_else(|| {
                    format!("http://{}", public.local_addr().unwrap_or(configuration.listen.public))
                }),
                management: format!("http://{}", management.local_addr()?),
                pid: std::process::id(),
            };
        let house = House::open(&home, &keyring, &configuration, running.public.trim_end_matches('/')).await?;
        let names = configuration.listen.management_url.as_ref().map(Names::with).unwrap_or_default();
        let within = Duration::from_secs(30);
        let traffic = house.traffic;
        // The Dataspace Protocol's endpoints have a share of their own: who proves an id is not held up.
        let outside = http::with_share(house.public, Share::default()).merge(house.dsp);
        let outside = traffic.counted(outside, Face::Public);
        let inside = traffic.counted(http::with_keys(house.management, house.doorkeeper, names)?, Face::Management);
        let mut world = http::serve_behind(public, outside, within, configuration.listen.proxies.clone());
        let owner = http::serve(management, inside, within);
        home.announce(&running, ports)?;
        println!("{}", serde_json::to_string(&running)?);
        tokio::select! {
            () = super::asked_to_end() => {}
            ended = world.ended() => ended.context("the public listener failed")?,
        }
        home.withdraw();
        drop(house.loops);
        world.shutdown().await;
        owner.shutdown().await;
        if let Some(gatekeeper) = house.gatekeeper {
            // A download that has just ended is still owed its receipt.
            let _ = tokio::time::timeout(Duration::from_secs(5), gatekeeper.settled()).await;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Listens on an address; where any free port will do, on that of the last run, if it is free: others know it.
async fn bind(name: &str, address: SocketAddr, last: Option<u16>) -> Result<TcpListener> {
    if let (0, Some(last)) = (address.port(), last)
        && let Ok(listener) = TcpListener::bind(SocketAddr::new(address.ip(), last)).await
    {
        return Ok(listener);
    }
    TcpListener::bind(address).await.map_err(|cause| match cause.kind() {
        ErrorKind::AddrInUse => anyhow::anyhow!(
            "something else listens on {address} already: stop it, or set another port for `{name}` in [listen] of \
             {CONFIGURATION} (port 0 takes any free one)"
        ),
        ErrorKind::AddrNotAvailable => {
            anyhow::anyhow!("{address} is no address of this machine: set `{name}` in [listen] of {CONFIGURATION}")
        }
        _ => anyhow::anyhow!("cannot listen on {address} (`{name}` in [listen] of {CONFIGURATION}): {cause}"),
    })
}
