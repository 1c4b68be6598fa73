//! A gate that runs over real HTTP, in front of real files, with a store of its own and a chain that the test writes.

#![allow(dead_code)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign::check::Trail;
use countersign::credential::Asset;
use countersign::encoding::{Digest, Timestamp};
use countersign::gate::{Answer, DIRECTORY, Listed, Receipt, SUMS, Sums};
use countersign::http::{self, Served};
use countersign::identity::{Documents, Signer as _};
use countersign::node::{ForwardSettings, GateSettings, Gatekeeper, Proxy, ServedAsset, Shares, Source, chance};
use countersign::store::{InboxLimits, SealingKey, Sqlite};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::gate_world::{Contract, RECORDER, ScriptedChain, World, key};

pub const DATA: &[u8] = b"<OpenDRIVE><header revMajor=\"1\" revMinor=\"7\"/></OpenDRIVE>";
pub const SHOWN: [&str; 2] = ["asset", "terms"];

/// A door for a proxy of this kind on this machine.
pub fn asked_by(proxy: Proxy) -> ForwardSettings {
    let (listen, addresses) = (([127, 0, 0, 1], 0).into(), vec!["127.0.0.1".parse().unwrap()]);
    ForwardSettings { proxy, listen, addresses, secret_file: None }
}

/// A gate that runs, and everything around it.
pub struct Scene {
    pub world: World,
    pub chain: Arc<ScriptedChain>,
    pub home: TempDir,
    pub origin: String,
    pub client: reqwest::Client,
    pub settings: GateSettings,
    /// The most that its store may take, in bytes.
    pub most: Option<u64>,
    pub running: Option<Running>,
}

pub struct Running {
    pub gate: Arc<Gatekeeper>,
    pub served: Served,
    pub stop: CancellationToken,
    pub poll: JoinHandle<()>,
}

impl Scene {
    pub async fn new() -> Self {
        Self::with(|_, _| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut GateSettings, &Path)) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let now = chance::now().unwrap();
        let (world, home) = (World::at(now), tempfile::tempdir().unwrap());
        let data = home.path().join("junction.xodr");
        std::fs::write(&data, DATA).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let asset = world.asset(&origin, DATA);
        let served = ServedAsset {
            id: asset.id,
            sha256: asset.sha256,
            media_type: asset.media_type,
            path: "/assets/junction".into(),
            source: Source::File(data),
        };
        let mut settings = GateSettings {
            origin: origin.clone(),
            providers: vec![world.provider.did().clone()],
            recorders: vec![RECORDER],
            assets: vec![served],
            poll_ms: 50,
            max_head_age: 600,
            challenge_ttl: 120,
            token_ttl: 300,
            dpop_required: false,
            dpop_nonces: false,
            forward: None,
            shares: Shares::default(),
        };
        change(&mut settings, home.path());
        let chain = Arc::new(ScriptedChain::new(now));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut scene = Self { world, chain, home, origin, client, settings, most: None, running: None };
        scene.start(listener).await;
        scene
    }

    pub async fn start(&mut self, listener: TcpListener) {
        self.start_unready(listener).await;
        self.until_ready().await;
    }

    pub async fn start_unready(&mut self, listener: TcpListener) {
        let (path, seal) = (self.home.path().join("gate.db"), SealingKey::new(&[7; 32]));
        let store = Sqlite::open_within(&path, seal, InboxLimits::default(), self.most).await.unwrap();
        let gate = Gatekeeper::open(self.settings.clone(), Arc::new(key(5)), Arc::new(store), self.chain.clone());
        let gate = gate.await.unwrap();
        let served = http::serve(listener, http::gate::router(gate.clone()), Duration::from_secs(10));
        let stop = CancellationToken::new();
        let poll = tokio::spawn(gate.clone().run(stop.clone().cancelled_owned()));
        self.running = Some(Running { gate, served, stop, poll });
    }

    /// Stops the gate; its store is free afterwards.
    pub async fn stop(&mut self) {
        let Running { gate, served, stop, poll } = self.running.take().unwrap();
        stop.cancel();
        poll.await.unwrap();
        served.shutdown().await;
        gate.settled().await;
        // The store is free once nobody holds the gate.
        while Arc::strong_count(&gate) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        drop(gate);
        // Its connections close by themselves; the last one takes the write-ahead log away.
        let journal = self.home.path().join("gate.db-wal");
        for _ in 0..1000 {
            if !journal.exists() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn restart(&mut self) {
        self.stop().await;
        self.open_again().await;
    }

    pub async fn open_again(&mut self) {
        let address = self.origin.strip_prefix("http://").unwrap();
        self.start(TcpListener::bind(address).await.unwrap()).await;
    }

    /// The door at which a proxy asks; its address, and what serves it.
    pub async fn door(&self, settings: ForwardSettings, secret: Option<&str>) -> (String, Served) {
        let listener = TcpListener::bind(settings.listen).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let gate = self.running.as_ref().unwrap().gate.clone();
        let router = http::gate::forward_router(gate, settings, secret);
        (address, http::serve(listener, router, Duration::from_secs(10)))
    }

    /// A restart does not wait for the first look at the chain; the stories do.
    pub async fn until_ready(&self) {
        for _ in 0..1000 {
            if self.get("/ready", None).await.status() == StatusCode::OK {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the gate never became ready");
    }

    /// What is guarded, as contracts name it.
    pub fn asset(&self) -> Asset {
        let (asset, served) = (self.world.asset(&self.origin, DATA), &self.settings.assets[0]);
        let (sha256, media_type) = (served.sha256.clone(), served.media_type.clone());
        match served.source {
            Source::Directory(_) => Asset { sha256, media_type, size: None, version: Some("1".into()), ..asset },
            _ => Asset { sha256, ..asset },
        }
    }

    /// Puts files into a directory, with their sums, for the gate to serve.
    pub fn directory(settings: &mut GateSettings, dir: &Path, files: &[(&str, &[u8])]) {
        let listed = files.iter().map(|(path, bytes)| {
            let file = dir.join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, bytes).unwrap();
            Listed { path: (*path).to_owned(), sha256: Digest::of(bytes).hex()[2..].to_owned() }
        });
        let text = Sums::of(listed).unwrap().text();
        std::fs::write(dir.join(SUMS), &text).unwrap();
        let asset = &mut settings.assets[0];
        asset.sha256 = Digest::of(&text).hex()[2..].to_owned();
        (asset.source, asset.media_type) = (Source::Directory(dir.to_owned()), DIRECTORY.to_owned());
    }

    /// A contract whose entry is final.
    pub fn concluded(&self, number: u8, permission: Value) -> Contract {
        let contract = self.world.contract(number, self.asset(), permission);
        self.chain.record(&contract, 90, self.world.now);
        contract
    }

    pub async fn nonce(&self) -> String {
        let challenge: Value =
            self.client.post(format!("{}/challenge", self.origin)).send().await.unwrap().json().await.unwrap();
        assert_eq!(challenge["aud"], self.origin.as_str());
        let expires = Timestamp::parse_rfc3339(challenge["expires"].as_str().unwrap()).unwrap();
        assert!(expires > self.world.now.plus(100));
        challenge["nonce"].as_str().unwrap().to_owned()
    }

    pub async fn answer(&self, contract: &Contract) -> Answer {
        contract.answer(&self.origin, &self.nonce().await, &SHOWN, chance::now().unwrap())
    }

    pub async fn send(&self, answer: &Answer) -> Response {
        let body = serde_json::to_string(answer).unwrap();
        self.client.post(format!("{}/token", self.origin)).body(body).send().await.unwrap()
    }

    pub async fn token(&self, contract: &Contract) -> String {
        let granted = self.send(&self.answer(contract).await).await;
        assert_eq!(granted.status(), StatusCode::OK);
        granted.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
    }

    /// The check that denies an answer.
    pub async fn denied(&self, answer: &Answer) -> String {
        check(self.send(answer).await, StatusCode::FORBIDDEN).await
    }

    pub async fn get(&self, path: &str, token: Option<&str>) -> Response {
        self.request(Method::GET, path, token, None).await
    }

    pub async fn request(&self, method: Method, path: &str, token: Option<&str>, range: Option<&str>) -> Response {
        let mut request = self.client.request(method, format!("{}{path}", self.origin));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(range) = range {
            request = request.header("range", range);
        }
        request.send().await.unwrap()
    }

    pub async fn receipt(&self, link: &str, token: &str, contract: &Contract) -> Receipt {
        let path = link.strip_prefix('<').unwrap().split('>').next().unwrap();
        assert!(link.ends_with("rel=\"receipt\""));
        for _ in 0..200 {
            let answer = self.get(path, Some(token)).await;
            if answer.status() == StatusCode::OK {
                assert_eq!(answer.headers()["content-type"], "application/jose");
                let text = answer.text().await.unwrap();
                let (gate, core) = (key(5), &contract.core.hash);
                let trail = &mut Trail::default();
                return Receipt::verify(&text, gate.did(), core, &Documents::default(), trail).unwrap().into_inner();
            }
            assert_eq!(answer.status(), StatusCode::ACCEPTED);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no receipt");
    }
}

pub async fn check(response: Response, status: StatusCode) -> String {
    assert_eq!(response.status(), status);
    let error: Value = response.json().await.unwrap();
    assert!(error["error"]["message"].is_string(), "{error}");
    error["error"]["check"].as_str().unwrap_or_default().to_owned()
}

pub fn link(response: &Response) -> String {
    response.headers()["link"].to_str().unwrap().to_owned()
}
