use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tokio::task::JoinSet;
use url::Url;

use super::super::configuration::Configuration;
use super::super::home::Home;
use super::{dsp, gate, operator, wallet};
use crate::credential::RegistryUrn;
use crate::http::{self, Api, Router};
use crate::identity::Signer;
use crate::node::dsp::PlainStore;
use crate::node::transfers::{TransferStore, Transfers};
use crate::node::{BookStore, Gatekeeper, Node, Registry, Store};
use crate::registry::{Client, ClientConfig};
use crate::store::Sqlite;

/// A node put together: its two faces and its loops.
pub(super) struct House {
    pub public: Router,
    /// The Dataspace Protocol's part of the public face.
    pub dsp: Router,
    pub management: Api,
    pub loops: JoinSet<()>,
    pub gatekeeper: Option<Arc<Gatekeeper>>,
    pub wallet: Option<Arc<Node>>,
    /// Transfers over the Dataspace Protocol, whose tokens the gate takes.
    pub transfers: Option<Arc<Transfers>>,
}

/// What every part of a node is made of.
pub(super) struct Ground<'a> {
    pub home: &'a Home,
    pub configuration: &'a Configuration,
    /// How the world reaches the public listener, without a slash at its end.
    pub public_url: &'a str,
    pub signer: Arc<dyn Signer>,
    pub store: Arc<dyn Store>,
    pub books: Arc<dyn BookStore>,
    pub plain: Arc<dyn PlainStore>,
    pub transfers: Arc<dyn TransferStore>,
    pub registry: Arc<dyn Registry>,
}

impl House {
    /// Opens the store and the registry, then each part that the configuration has a table for.
    pub(super) async fn open(home: &Home, configuration: &Configuration, public_url: &str) -> Result<Self> {
        let store = Arc::new(Sqlite::open(&home.path("store.sqlite")).await?);
        let ground = Ground {
            home,
            configuration,
            public_url,
            signer: Arc::new(home.signing_key()?),
            books: Arc::clone(&store) as Arc<dyn BookStore>,
            plain: Arc::clone(&store) as Arc<dyn PlainStore>,
            transfers: Arc::clone(&store) as Arc<dyn TransferStore>,
            store,
            registry: open_registry(home, configuration).await?,
        };
        // A gate says by itself whether it is ready: it is not while the chain cannot be read.
        let public = if configuration.gate.is_some() { Router::new() } else { http::alive_router() };
        let mut house = Self {
            public,
            dsp: Router::new(),
            management: http::alive_api(),
            loops: JoinSet::new(),
            gatekeeper: None,
            wallet: None,
            transfers: None,
        };
        if let Some(table) = &configuration.wallet {
            wallet::move_in(&mut house, &ground, table)?;
        }
        if let Some(table) = &configuration.dsp {
            dsp::move_in(&mut house, &ground, table)?;
        }
        if let Some(table) = &configuration.operator {
            operator::move_in(&mut house, &ground, table);
        }
        if let Some(table) = &configuration.gate {
            gate::move_in(&mut house, &ground, table).await?;
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
