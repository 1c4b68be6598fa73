use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use tokio::task::JoinSet;
use url::Url;

use super::super::configuration::Configuration;
use super::super::home::{Home, Keyring, STORE};
use super::super::identity;
use super::{gate, operator, wallet};
use crate::courier::{AddressPolicy, WebResolver};
use crate::credential::RegistryUrn;
use crate::http::{self, Api, Router};
use crate::identity::{DidDocument, Method, Signer};
use crate::node::{BookStore, Directory, Gatekeeper, Registry, Store, StoreFault};
use crate::registry::{Client, ClientConfig};
use crate::store::{InboxLimits, Sqlite};

/// A node put together: its two faces and its loops.
pub(super) struct House {
    pub public: Router,
    pub management: Api,
    pub loops: JoinSet<()>,
    pub gatekeeper: Option<Arc<Gatekeeper>>,
}

/// What every part of a node is made of.
pub(super) struct Ground<'a> {
    pub keyring: &'a Keyring,
    pub configuration: &'a Configuration,
    /// How the world reaches the public listener, without a slash at its end.
    pub public_url: &'a str,
    /// The signing keys of a node that acts as did:web, for the document that it serves.
    pub document: Option<DidDocument>,
    pub policy: AddressPolicy,
    pub directory: Arc<Directory>,
    pub signer: Arc<dyn Signer>,
    pub store: Arc<dyn Store>,
    pub books: Arc<dyn BookStore>,
    pub registry: Arc<dyn Registry>,
}

impl House {
    /// Opens the store and the registry, then each part that the configuration has a table for.
    pub(super) async fn open(
        home: &Home,
        keyring: &Keyring,
        configuration: &Configuration,
        public_url: &str,
    ) -> Result<Self> {
        let store = Arc::new(open_store(home, keyring, configuration).await?);
        let key = identity::signing_key(keyring, &configuration.identity)?;
        let document = match key.did().method() {
            Method::Web => Some(identity::document(keyring, key.did())?),
            _ => None,
        };
        let policy = AddressPolicy { private_networks: configuration.network.private };
        let directory = directory(configuration, document.as_ref(), policy, Arc::clone(&store) as _).await?;
        let ground = Ground {
            keyring,
            document,
            policy,
            directory,
            configuration,
            public_url,
            signer: Arc::new(key),
            books: Arc::clone(&store) as Arc<dyn BookStore>,
            store,
            registry: open_registry(keyring, configuration).await?,
        };
        // A gate says by itself whether it is ready: it is not while the chain cannot be read.
        let public = if configuration.gate.is_some() { Router::new() } else { http::alive_router() };
        let mut house = Self { public, management: http::alive_api(), loops: JoinSet::new(), gatekeeper: None };
        if let Some(table) = &configuration.wallet {
            wallet::move_in(&mut house, &ground, table)?;
        }
        if let Some(table) = &configuration.operator {
            operator::move_in(&mut house, &ground, table);
        }
        if let Some(table) = &configuration.gate {
            gate::move_in(&mut house, &ground, table).await?;
        }
        // A wallet's document says where it is reached as well, and the wallet serves it.
        if let (Some(document), None) = (&ground.document, &configuration.wallet) {
            house.serve_document(document)?;
        }
        Ok(house)
    }

    /// Serves the node's own DID document where its did:web says that it is.
    pub(super) fn serve_document(&mut self, document: &DidDocument) -> Result<()> {
        let url = document.id.web_url()?;
        self.public = std::mem::take(&mut self.public).merge(http::did_router(url.path(), &document.to_json()));
        Ok(())
    }
}

/// The directory of everybody whom the parts of a node look up: one, so that nobody is asked twice.
async fn directory(
    configuration: &Configuration,
    own: Option<&DidDocument>,
    policy: AddressPolicy,
    store: Arc<dyn Store>,
) -> Result<Arc<Directory>> {
    let mut trusted = configuration.trust.documents().context("[[trust.keys]]")?;
    if let Some(own) = own {
        // What this node signed before a rotation it still knows for its own.
        own.former.iter().for_each(|former| trusted.vouch(former.kid.clone(), former.key));
        trusted.insert(own.clone());
    }
    let believed_for = i64::from(configuration.network.did_seconds);
    Ok(Arc::new(Directory::open(Arc::new(WebResolver::new(policy)?), store, trusted, believed_for).await?))
}

async fn open_store(home: &Home, keyring: &Keyring, configuration: &Configuration) -> Result<Sqlite> {
    let (path, most) = (home.path(STORE), configuration.store.most_mb.map(|most| most.saturating_mul(1 << 20)));
    Sqlite::open_within(&path, keyring.store_key(), InboxLimits::default(), most).await.map_err(|fault| match fault {
        StoreFault::Damaged(what) => anyhow::anyhow!(
            "the store {} is damaged: {what}\n  Nothing was changed. Keep the file, and restore the latest backup into a \
             new home: countersign restore BACKUP --home NEWDIR",
            path.display()
        ),
        StoreFault::Full(what) => {
            anyhow::anyhow!("there is no room left for the store {}: make room, then start the node again ({what})", path.display())
        }
        fault => fault.into(),
    })
}

async fn open_registry(keyring: &Keyring, configuration: &Configuration) -> Result<Arc<dyn Registry>> {
    let Some(chain) = configuration.trust.chains.first() else {
        bail!("[[trust.chains]] names no registry; `countersign deploy` prints such a table");
    };
    let endpoints: Result<Vec<Url>, _> = chain.rpc.iter().map(|rpc| rpc.parse()).collect();
    let urn = RegistryUrn { chain_id: chain.chain_id, address: chain.registry };
    let mut config = ClientConfig::new(urn, endpoints.context("[[trust.chains]] rpc is not a list of URLs")?);
    config.code_hash = Some(chain.code_hash);
    config.recorder_key = configuration.wallet.is_some().then(|| keyring.recorder().clone());
    Ok(Arc::new(Client::connect(config).await?))
}
