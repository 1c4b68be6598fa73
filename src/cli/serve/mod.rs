mod dsp;
mod gate;
mod house;
mod operator;
mod wallet;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use tokio::net::TcpListener;

use super::HomeArgument;
use super::home::Running;
use crate::http::{self, ApiKey, Share};
use house::House;

/// Runs a node: whatever its configuration has tables for, [wallet], [gate] or [operator].
///
/// Example: countersign serve --home ~/wallet
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    home: HomeArgument,
}

impl Serve {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let home = self.home.home()?;
        let configuration = home.configuration()?;
        if configuration.listen.public == configuration.listen.management && configuration.listen.public.port() != 0 {
            bail!("[listen] public and management need different ports: one is for the world, one for you");
        }
        if configuration.wallet.is_some() && configuration.operator.is_some() {
            bail!("[wallet] and [operator] belong on different nodes: nobody audits itself");
        }
        let bind = async |address| {
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}; is it in use?"))
        };
        let public = bind(configuration.listen.public).await?;
        let management = bind(configuration.listen.management).await?;
        let running =
            Running {
                public: configuration.listen.public_url.clone().unwrap_or_else(|| {
                    format!("http://{}", public.local_addr().unwrap_or(configuration.listen.public))
                }),
                management: format!("http://{}", management.local_addr()?),
                pid: std::process::id(),
            };
        let house = House::open(&home, &configuration, running.public.trim_end_matches('/')).await?;
        let key = ApiKey::new(&home.api_key()?);
        let within = Duration::from_secs(30);
        // The Dataspace Protocol's endpoints have a share of their own: who proves an id is not held up.
        let world = http::with_share(house.public, Share::default()).merge(house.dsp);
        let mut world = http::serve(public, world, within);
        let owner = http::serve(management, http::with_api_key(house.management, key)?, within);
        home.announce(&running)?;
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
