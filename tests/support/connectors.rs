//! Connectors in one process: real HTTP over loopback, real SQLite on disk with full durability, real signatures.

#![allow(dead_code)]

use std::path::Path;
use std::sync::{Arc, Once};
use std::time::Duration;

use countersign::courier::{AddressPolicy, DspMessenger};
use countersign::dsp::Dataset;
use countersign::http::{self, Served, Share, Strangers};
use countersign::identity::{SecretKey, Signer};
use countersign::negotiation::plain::ParticipantId;
use countersign::node::dsp::{Connector, DspSettings, Parts, PlainView, Script};
use countersign::store::{SealingKey, Sqlite};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

pub const DATASET: &str = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0001";

/// A connector that runs, with its public listener.
pub struct Running {
    pub node: Arc<Connector>,
    pub did: ParticipantId,
    pub base: String,
    served: Served,
    loops: JoinSet<()>,
    pub home: TempDir,
}

pub fn terms() -> Value {
    json!({ "permission": [{ "action": "use" }] })
}

/// A dataset with one offer.
pub fn dataset() -> Dataset {
    serde_json::from_value(json!({ "id": DATASET, "offers": [{ "id": "urn:offer:1", "terms": terms() }] })).unwrap()
}

/// A connector with a configuration, its key drawn from a number.
pub async fn connector(key: u8, configuration: &str) -> Running {
    connector_in(tempfile::tempdir().unwrap(), key, configuration, Script::default(), true).await
}

pub async fn connector_in(home: TempDir, key: u8, configuration: &str, script: Script, private: bool) -> Running {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let public_url = format!("http://{}", listener.local_addr().unwrap());
    let signer = Arc::new(SecretKey::p256(&[key; 32]).unwrap());
    let did = ParticipantId::from(signer.did());
    let store = Arc::new(open(home.path()).await);
    let settings: DspSettings = toml::from_str(configuration).unwrap();
    let policy = AddressPolicy { private_networks: private };
    let parts = Parts {
        signer,
        settings,
        script,
        public_url,
        store: store.clone(),
        kept: store,
        messenger: Arc::new(DspMessenger::new(policy).unwrap()),
    };
    let node = Arc::new(Connector::new(parts).unwrap());
    let router = http::dsp_router(node.clone(), Strangers::new(Share::default()));
    let served = http::serve(listener, router, Duration::from_secs(30));
    let loops = node.run();
    Running { base: node.base().to_owned(), node, did, served, loops, home }
}

/// Opens a store once nobody holds it any more.
async fn open(dir: &Path) -> Sqlite {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match Sqlite::open(&dir.join("store.sqlite"), SealingKey::new(&[7; 32])).await {
            Ok(store) => return store,
            Err(fault) => assert!(Instant::now() < until, "{fault}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

impl Running {
    /// Stops it as a crash does, and gives its home back.
    pub async fn crash(mut self) -> TempDir {
        self.loops.shutdown().await;
        self.served.shutdown().await;
        self.home
    }

    pub async fn view(&self, id: &str) -> PlainView {
        self.node.view(id).await.unwrap()
    }

    /// Waits until a negotiation is in a state.
    pub async fn reaches(&self, id: &str, state: &str) -> PlainView {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let view = self.view(id).await;
            if view.state.to_string() == state {
                return view;
            }
            assert!(Instant::now() < until, "{id} is {}, not {state}: {:#?}", view.state, view.history);
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// The only negotiation that it has, once it has one.
    pub async fn only(&self) -> PlainView {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            if let [one] = &self.node.views(false, 10).await.unwrap()[..] {
                return one.clone();
            }
            assert!(Instant::now() < until, "no negotiation arrived");
            sleep(Duration::from_millis(5)).await;
        }
    }
}
