use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::task::JoinSet;
use url::Url;

use super::super::configuration::Configuration;
use super::super::home::{Home, Keyring, STORE};
use super::super::identity;
use super::mediator::{self, Place};
use super::{dsp, gate, operator, wallet};
use crate::courier::{AddressPolicy, WebResolver};
use crate::credential::RegistryUrn;
use crate::encoding::Timestamp;
use crate::http::{self, Api, Conditions, Router, Sources, Traffic};
use crate::identity::{Did, DidDocument, Method, Signer};
use crate::node::dsp::PlainStore;
use crate::node::transfers::{TransferStore, Transfers};
use crate::node::{
    BookStore, Directory, Doorkeeper, Gatekeeper, KeyStore, MediatorStore, Node, Registry, Room, Store, StoreFault,
    Timepiece, chance,
};
use crate::registry::{Client, ClientConfig};
use crate::store::{InboxLimits, Sqlite};

/// A node put together: its two faces and its loops.
pub(super) struct House {
    pub public: Router,
    /// The Dataspace Protocol's part of the public face.
    pub dsp: Router,
    pub management: Api,
    pub loops: JoinSet<()>,
    pub gatekeeper: Option<Arc<Gatekeeper>>,
    /// Transfers over the Dataspace Protocol, whose tokens the gate takes.
    pub transfers: Option<Arc<Transfers>>,
    pub wallet: Option<Arc<Node>>,
    pub doorkeeper: Arc<Doorkeeper>,
    pub traffic: Traffic,
}

/// What every part of a node is made of.
pub(super) struct Ground<'a> {
    pub home: &'a Home,
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
    pub mediation: Arc<dyn MediatorStore>,
    pub books: Arc<dyn BookStore>,
    pub plain: Arc<dyn PlainStore>,
    pub transfers: Arc<dyn TransferStore>,
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
        let started = chance::now()?;
        let store = Arc::new(open_store(home, keyring, configuration).await?);
        // A key that was lost is made anew: whoever can write here owns the node.
        home.keep_api_key()?;
        let doorkeeper = Doorkeeper::open(Arc::clone(&store) as Arc<dyn KeyStore>, &home.api_key()?).await?;
        let mut house = Self {
            public: Router::new(),
            dsp: Router::new(),
            management: http::keys_api(Arc::clone(&doorkeeper)),
            loops: JoinSet::new(),
            gatekeeper: None,
            transfers: None,
            wallet: None,
            doorkeeper,
            traffic: Traffic::default(),
        };
        let key = identity::signing_key(keyring, &configuration.identity)?;
        let document = match key.did().method() {
            Method::Web => Some(identity::document(keyring, key.did())?),
            _ => None,
        };
        let (signer, mediation) = (Arc::new(key), Arc::clone(&store) as Arc<dyn MediatorStore>);
        let policy = AddressPolicy { private_networks: configuration.network.private };
        let directory = directory(configuration, document.as_ref(), policy, Arc::clone(&store) as _).await?;
        if let Some(settings) = configuration.mediator.as_ref().filter(|_| mediator::is_alone(configuration)) {
            let place = Place { keyring, configuration, public_url, signer, store: mediation, directory, document };
            mediator::move_in(&mut house, &place, settings)?;
            house.show_itself(&(store as Arc<dyn Store>), None, started);
            return Ok(house);
        }
        let ground = Ground {
            home,
            keyring,
            document,
            policy,
            directory,
            configuration,
            public_url,
            signer,
            mediation,
            books: Arc::clone(&store) as Arc<dyn BookStore>,
            plain: Arc::clone(&store) as Arc<dyn PlainStore>,
            transfers: Arc::clone(&store) as Arc<dyn TransferStore>,
            store,
            registry: open_registry(keyring, configuration).await?,
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
        if let (Some(settings), None) = (&configuration.mediator, &configuration.wallet) {
            mediator::move_in(&mut house, &Place::of(&ground), settings)?;
        }
        if let Some(table) = &configuration.gate {
            gate::move_in(&mut house, &ground, table).await?;
        }
        // That of a wallet or a mediator says where it is reached as well, and they serve it.
        let is_reached = configuration.wallet.is_some() || configuration.mediator.is_some();
        if let (Some(document), false) = (ground.document.clone(), is_reached) {
            house.serve_document(&document.id.clone(), move || document.clone())?;
        }
        house.show_itself(&ground.store, Some(&ground.registry), started);
        Ok(house)
    }

    /// Serves the node's own DID document, as it is when it is asked for, where `did` says that it is.
    pub(super) fn serve_document(
        &mut self,
        did: &Did,
        document: impl Fn() -> DidDocument + Clone + Send + Sync + 'static,
    ) -> Result<()> {
        let router = http::did_router(did.web_url()?.path(), move || document().to_json());
        self.public = std::mem::take(&mut self.public).merge(router);
        Ok(())
    }

    /// Adds what every node says of itself: whether it is alive and ready, and its numbers.
    fn show_itself(&mut self, store: &Arc<dyn Store>, registry: Option<&Arc<dyn Registry>>, started: Timestamp) {
        let parts = [
            self.wallet.as_ref().map(|wallet| Arc::clone(wallet.timepiece())),
            self.gatekeeper.as_ref().map(|gatekeeper| Arc::clone(gatekeeper.timepiece())),
        ];
        let mut timepieces: Vec<_> = parts.into_iter().flatten().collect();
        if let Some(registry) = registry.filter(|_| timepieces.is_empty()) {
            // An operator's books rest on the clock as little as on the chain's head, but its owner wants to know.
            let timepiece = Timepiece::new(Arc::clone(registry));
            self.loops.spawn(Arc::clone(&timepiece).run(Duration::from_secs(10)));
            timepieces.push(timepiece);
        }
        let room = self.gatekeeper.as_ref().map(|gatekeeper| Arc::clone(gatekeeper.room()));
        let room = room.unwrap_or_else(|| Arc::new(Room::of(Arc::clone(store))));
        let conditions =
            Conditions { timepieces: timepieces.clone(), gatekeeper: self.gatekeeper.clone(), room: Some(room) };
        if self.gatekeeper.is_none() {
            // A gate says by itself whether it is ready.
            self.public = std::mem::take(&mut self.public).merge(http::alive_router(conditions.clone()));
        }
        let sources = Sources {
            traffic: self.traffic.clone(),
            store: Arc::clone(store),
            wallet: self.wallet.clone(),
            gatekeeper: self.gatekeeper.clone(),
            timepieces,
            started,
        };
        self.management =
            std::mem::take(&mut self.management).merge(http::alive_api(conditions)).merge(http::metrics_api(sources));
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
