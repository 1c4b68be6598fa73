use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use tokio::net::TcpListener;
use url::Url;

use super::HomeArgument;
use super::home::{Configuration, Home, Running};
use crate::courier::{AddressPolicy, HttpCourier};
use crate::credential::RegistryUrn;
use crate::http::{self, ApiKey, Router, Share};
use crate::identity::Signer;
use crate::node::{Auditor, Gatekeeper, Node, Registry, Settings, Store};
use crate::registry::{Client, ClientConfig};
use crate::store::Sqlite;

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
        let mut world = http::serve(public, http::with_share(house.public, Share::default()), within);
        let owner = http::serve(management, http::with_api_key(house.management, key), within);
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

/// A node put together: its two faces and its loops.
struct House {
    public: Router,
    management: Router,
    loops: tokio::task::JoinSet<()>,
    gatekeeper: Option<Arc<Gatekeeper>>,
}

impl House {
    async fn open(home: &Home, configuration: &Configuration, public_url: &str) -> Result<Self> {
        let key = home.signing_key()?;
        let agreement = home.agreement_key(&key)?;
        let signer: Arc<dyn Signer> = Arc::new(key);
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(&home.path("store.sqlite")).await?);
        let registry = open_registry(home, configuration).await?;
        // A gate says by itself whether it is ready: it is not while the chain cannot be read.
        let public = if configuration.gate.is_some() { Router::new() } else { http::alive_router() };
        let mut house =
            Self { public, management: http::alive_router(), loops: tokio::task::JoinSet::new(), gatekeeper: None };
        if let Some(wallet) = &configuration.wallet {
            let settings = Settings {
                trust: configuration.trust.clone(),
                inbox_url: format!("{public_url}/inbox"),
                windows: wallet.windows,
                consent: wallet.consent.clone(),
                poll_ms: wallet.poll_ms,
            };
            let courier =
                Arc::new(HttpCourier::new(AddressPolicy { private_networks: configuration.network.private })?);
            let node = Arc::new(Node::new(
                Arc::clone(&signer),
                vec![agreement],
                settings,
                Arc::clone(&store),
                Arc::clone(&registry),
                courier,
            ));
            house.public = house.public.merge(http::inbox_router(Arc::clone(&node)));
            house.management = house
                .management
                .merge(http::wallet_router(Arc::clone(&node)))
                .merge(http::operator::provider_router(Arc::clone(&node)));
            house.loops = node.run();
        }
        if configuration.operator.is_some() {
            let auditor = Arc::new(Auditor::new(Arc::clone(&signer), Arc::clone(&store), Arc::clone(&registry)));
            house.public = house.public.merge(http::operator::public_router(Arc::clone(&auditor)));
            house.management = house.management.merge(http::operator::management_router(auditor));
        }
        if let Some(gate) = &configuration.gate {
            let gatekeeper = Gatekeeper::open(gate.clone(), signer, store, registry).await?;
            house.public = house.public.merge(http::gate::router(Arc::clone(&gatekeeper)));
            house.gatekeeper = Some(Arc::clone(&gatekeeper));
            house.loops.spawn(async move { gatekeeper.run(std::future::pending()).await });
        }
        Ok(house)
    }
}

async fn open_registry(home: &Home, configuration: &Configuration) -> Result<Arc<dyn Registry>> {
    let Some(chain) = configuration.trust.chains.first() else {
        bail!("[[trust.chains]] names no registry; `countersign deploy` prints such a table");
    };
    let endpoints: Result<Vec<Url>, _> = chain.rpc.iter().map(|rpc| rpc.parse()).collect();
    let urn = RegistryUrn { chain_id: chain.chain_id, address: chain.registry };
    let mut config = ClientConfig::new(urn, endpoints.context("[[trust.chains]] rpc is not a list of URLs")?);
    config.code_hash = Some(chain.code_hash);
    config.recorder_key = configuration.wallet.is_some().then(|| home.recorder_key()).transpose()?;
    Ok(Arc::new(Client::connect(config).await?))
}
