//! The gate over real HTTP, in front of real files, with a store of its own and a chain that the test writes.

mod support {
    pub mod gate_world;
}

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use countersign::check::Trail;
use countersign::credential::Asset;
use countersign::encoding::{Digest, Timestamp};
use countersign::gate::{Answer, ByteRange, Receipt, checks};
use countersign::http::{self, Served};
use countersign::identity::{Documents, Signer as _};
use countersign::node::{GateSettings, Gatekeeper, RegistryFault, ServedAsset, Source, chance};
use countersign::store::{self, SealingKey, Sqlite};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use support::gate_world::{Contract, RECORDER, ScriptedChain, World, free, head, key, under};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const DATA: &[u8] = b"<OpenDRIVE><header revMajor=\"1\" revMinor=\"7\"/></OpenDRIVE>";
const SHOWN: [&str; 2] = ["asset", "terms"];

/// A gate that runs, and everything around it.
struct Scene {
    world: World,
    chain: Arc<ScriptedChain>,
    home: TempDir,
    origin: String,
    client: reqwest::Client,
    settings: GateSettings,
    running: Option<Running>,
}

struct Running {
    gate: Arc<Gatekeeper>,
    served: Served,
    stop: CancellationToken,
    poll: JoinHandle<()>,
}

impl Scene {
    async fn new() -> Self {
        Self::with(|_, _| {}).await
    }

    async fn with(change: impl FnOnce(&mut GateSettings, &Path)) -> Self {
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
        };
        change(&mut settings, home.path());
        let chain = Arc::new(ScriptedChain::new(now));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut scene = Self { world, chain, home, origin, client, settings, running: None };
        scene.start(listener).await;
        scene
    }

    async fn start(&mut self, listener: TcpListener) {
        let store = Sqlite::open(&self.home.path().join("gate.db"), SealingKey::new(&[7; 32])).await.unwrap();
        let gate = Gatekeeper::open(self.settings.clone(), Arc::new(key(5)), Arc::new(store), self.chain.clone());
        let gate = gate.await.unwrap();
        let served = http::serve(listener, http::gate::router(gate.clone()), Duration::from_secs(10));
        let stop = CancellationToken::new();
        let poll = tokio::spawn(gate.clone().run(stop.clone().cancelled_owned()));
        self.running = Some(Running { gate, served, stop, poll });
        self.until_ready().await;
    }

    /// Stops the gate; its store is free afterwards.
    async fn stop(&mut self) {
        let Running { gate, served, stop, poll } = self.running.take().unwrap();
        stop.cancel();
        poll.await.unwrap();
        served.shutdown().await;
        gate.settled().await;
        // The store is free once nobody holds the gate.
        while Arc::strong_count(&gate) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn restart(&mut self) {
        self.stop().await;
        self.open_again().await;
    }

    async fn open_again(&mut self) {
        let address = self.origin.strip_prefix("http://").unwrap();
        self.start(TcpListener::bind(address).await.unwrap()).await;
    }

    /// A restart does not wait for the first look at the chain; the stories do.
    async fn until_ready(&self) {
        for _ in 0..200 {
            if self.get("/ready", None).await.status() == StatusCode::OK {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the gate never became ready");
    }

    fn asset(&self) -> Asset {
        self.world.asset(&self.origin, DATA)
    }

    /// A contract whose entry is final.
    fn concluded(&self, number: u8, permission: Value) -> Contract {
        let contract = self.world.contract(number, self.asset(), permission);
        self.chain.record(&contract, 90, self.world.now);
        contract
    }

    async fn nonce(&self) -> String {
        let challenge: Value =
            self.client.post(format!("{}/challenge", self.origin)).send().await.unwrap().json().await.unwrap();
        assert_eq!(challenge["aud"], self.origin.as_str());
        let expires = Timestamp::parse_rfc3339(challenge["expires"].as_str().unwrap()).unwrap();
        assert!(expires > self.world.now.plus(100));
        challenge["nonce"].as_str().unwrap().to_owned()
    }

    async fn answer(&self, contract: &Contract) -> Answer {
        contract.answer(&self.origin, &self.nonce().await, &SHOWN, chance::now().unwrap())
    }

    async fn send(&self, answer: &Answer) -> Response {
        let body = serde_json::to_string(answer).unwrap();
        self.client.post(format!("{}/token", self.origin)).body(body).send().await.unwrap()
    }

    async fn token(&self, contract: &Contract) -> String {
        let granted = self.send(&self.answer(contract).await).await;
        assert_eq!(granted.status(), StatusCode::OK);
        granted.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
    }

    /// The check that denies an answer.
    async fn denied(&self, answer: &Answer) -> String {
        check(self.send(answer).await, StatusCode::FORBIDDEN).await
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Response {
        self.request(Method::GET, path, token, None).await
    }

    async fn request(&self, method: Method, path: &str, token: Option<&str>, range: Option<&str>) -> Response {
        let mut request = self.client.request(method, format!("{}{path}", self.origin));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(range) = range {
            request = request.header("range", range);
        }
        request.send().await.unwrap()
    }

    async fn receipt(&self, link: &str, token: &str, contract: &Contract) -> Receipt {
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

async fn check(response: Response, status: StatusCode) -> String {
    assert_eq!(response.status(), status);
    let error: Value = response.json().await.unwrap();
    assert!(error["error"]["message"].is_string(), "{error}");
    error["error"]["check"].as_str().unwrap_or_default().to_owned()
}

fn link(response: &Response) -> String {
    response.headers()["link"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_contract_opens_the_data_and_the_gate_signs_what_it_delivered() {
    let scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    assert_eq!(scene.get("/health", None).await.status(), StatusCode::OK);
    let granted: Value = scene.send(&scene.answer(&contract).await).await.json().await.unwrap();
    assert_eq!(granted["contract_id"], contract.core.claims.contract_id.to_string());
    assert_eq!(granted["asset"]["url"], contract.offer.contents.asset.endpoint.as_str());
    assert_eq!((&granted["token_type"], &granted["uses"]), (&json!("Bearer"), &json!("unlimited")));
    let token = granted["token"].as_str().unwrap();

    let head = scene.request(Method::HEAD, "/assets/junction", Some(token), None).await;
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(head.headers()["content-length"], DATA.len().to_string());
    assert!(head.headers().get("link").is_none());

    let data = scene.get("/assets/junction", Some(token)).await;
    assert_eq!(data.status(), StatusCode::OK);
    assert_eq!(data.headers()["content-type"], "application/xml");
    let link = link(&data);
    assert_eq!(data.bytes().await.unwrap(), DATA);
    let receipt = scene.receipt(&link, token, &contract).await;
    assert_eq!((receipt.bytes, receipt.range), (DATA.len() as u64, None));
    assert_eq!(receipt.asset_sha256, Digest::of(DATA).hex()[2..]);
    // Nobody else reads it.
    let other = scene.token(&contract).await;
    let path = link[1..].split('>').next().unwrap();
    assert_eq!(scene.get(path, Some(&other)).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(check(scene.get(path, None).await, StatusCode::UNAUTHORIZED).await, "gate.token.missing");
}

#[tokio::test]
async fn a_part_is_delivered_as_a_part() {
    let scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    let token = scene.token(&contract).await;
    let part = scene.request(Method::GET, "/assets/junction", Some(&token), Some("bytes=11-20")).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], format!("bytes 11-20/{}", DATA.len()));
    let link = link(&part);
    assert_eq!(part.bytes().await.unwrap(), &DATA[11..=20]);
    let receipt = scene.receipt(&link, &token, &contract).await;
    assert_eq!((receipt.bytes, receipt.range), (10, Some(ByteRange { first: 11, last: 20 })));
    let outside = scene.request(Method::GET, "/assets/junction", Some(&token), Some("bytes=5000-")).await;
    assert_eq!(outside.status(), StatusCode::RANGE_NOT_SATISFIABLE);
}

#[tokio::test]
async fn an_answer_counts_once_even_after_a_restart() {
    let mut scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    let answer = scene.answer(&contract).await;
    assert_eq!(scene.send(&answer).await.status(), StatusCode::OK);
    assert_eq!(scene.denied(&answer).await, "gate.challenge.replayed");
    let waiting = scene.answer(&contract).await;
    scene.restart().await;
    assert_eq!(scene.denied(&answer).await, "gate.challenge.replayed");
    assert_eq!(scene.send(&waiting).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_is_forged_is_refused() {
    let scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    let honest = scene.answer(&contract).await;
    let stranger = contract.answer_by(&key(9), &scene.origin, &scene.nonce().await, &SHOWN, chance::now().unwrap());
    assert_eq!(scene.denied(&stranger).await, "jws.signature");
    let mut core = honest.core.clone().into_bytes();
    let middle = core.len() - 40;
    core[middle] = if core[middle] == b'A' { b'B' } else { b'A' };
    let tampered = Answer { core: String::from_utf8(core).unwrap(), ..honest.clone() };
    assert_eq!(scene.denied(&tampered).await, "jws.signature");
    let no_credential = Answer { core: contract.core.hash.hex(), ..honest.clone() };
    assert_eq!(scene.denied(&no_credential).await, "sdjwt.form");
    let foreign = scene.world.contract_by(&key(9), RECORDER, 2, scene.asset(), free());
    scene.chain.record(&foreign, 90, scene.world.now);
    assert_eq!(scene.denied(&scene.answer(&foreign).await).await, "gate.provider");
    // None of that spent the honest answer.
    assert_eq!(scene.send(&honest).await.status(), StatusCode::OK);
    for (body, status) in [("{", 400), ("{\"core\":\"a\"}", 400), ("[]", 400)] {
        let answer = scene.client.post(format!("{}/token", scene.origin)).body(body).send().await.unwrap();
        assert_eq!(check(answer, StatusCode::from_u16(status).unwrap()).await, "encoding.json");
    }
    let long = scene.client.post(format!("{}/token", scene.origin)).body("x".repeat(700_000)).send().await.unwrap();
    assert_eq!(long.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_gate_waits_for_finality() {
    let scene = Scene::new().await;
    let contract = scene.world.contract(1, scene.asset(), free());
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "rule.entry.missing");
    scene.chain.record(&contract, 105, scene.world.now);
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "gate.not-final");
    scene.chain.script().finalised = head(105, scene.world.now);
    assert_eq!(scene.send(&scene.answer(&contract).await).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_ended_contract_is_shut_out_for_good() {
    let mut scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    let (token, other) = (scene.token(&contract).await, scene.token(&scene.concluded(2, free())).await);
    scene.chain.script().ended.insert(contract.core.claims.contract_id, ScriptedChain::mark(110, scene.world.now));
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "force.ended");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let shut = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(shut, StatusCode::FORBIDDEN).await, "force.ended");
    assert_eq!(scene.get("/assets/junction", Some(&other)).await.status(), StatusCode::OK);
    // The block with the end goes, the gate remembers; tokens of other contracts outlive the restart.
    scene.chain.script().ended.clear();
    scene.restart().await;
    let shut = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(shut, StatusCode::FORBIDDEN).await, "force.ended");
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "force.ended");
    assert_eq!(scene.get("/assets/junction", Some(&other)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_download_of_an_ended_contract_is_cut() {
    let scene = Scene::with(|settings, home| {
        let large = home.join("large");
        std::fs::File::create(&large).unwrap().set_len(256 * 1024 * 1024).unwrap();
        settings.assets[0].source = Source::File(large);
    })
    .await;
    let contract = scene.concluded(1, free());
    let token = scene.token(&contract).await;
    let mut download = scene.get("/assets/junction", Some(&token)).await;
    let receipt = link(&download);
    let mut read = download.chunk().await.unwrap().unwrap().len();
    let account = contract.core.claims.contract_id;
    scene.chain.script().withdrawn.insert(account, ScriptedChain::mark(110, scene.world.now));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let broken = loop {
        match download.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken && read < 256 * 1024 * 1024, "{read} bytes came, broken off: {broken}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let path = receipt[1..].split('>').next().unwrap();
    assert_eq!(scene.get(path, Some(&token)).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_chain_that_cannot_be_relied_on_opens_nothing() {
    let scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    let token = scene.token(&contract).await;
    let faults = [
        (RegistryFault::Unreachable("http://10.1.2.3".into()), "gate.chain.unreachable"),
        (RegistryFault::Disagreement("block 100".into()), "gate.chain.disagreement"),
        (RegistryFault::WrongRegistry("another code".into()), "gate.registry"),
    ];
    for (fault, expected) in faults {
        scene.chain.script().fault = Some(fault);
        let answer = scene.send(&scene.answer(&contract).await).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        let told = answer.text().await.unwrap();
        assert!(told.contains(expected) && !told.contains("10.1.2.3"), "{told}");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let token = scene.get("/assets/junction", Some(&token)).await;
        assert_eq!(check(token, StatusCode::FORBIDDEN).await, expected);
        assert_eq!(check(scene.get("/ready", None).await, StatusCode::SERVICE_UNAVAILABLE).await, expected);
    }
    scene.chain.script().fault = None;
    scene.until_ready().await;
    assert_eq!(scene.get("/assets/junction", Some(&token)).await.status(), StatusCode::OK);

    scene.chain.script().finalised = head(100, scene.world.now.plus(-700));
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "gate.head.stale");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stale = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(stale, StatusCode::FORBIDDEN).await, "gate.head.stale");
}

#[tokio::test]
async fn uses_are_counted_and_a_token_is_one_use() {
    let mut scene = Scene::new().await;
    let contract = scene.concluded(1, under("count", "lteq", json!(2)));
    let token = scene.token(&contract).await;
    let looked = scene.request(Method::HEAD, "/assets/junction", Some(&token), None).await;
    assert_eq!(looked.status(), StatusCode::OK);
    assert_eq!(scene.get("/assets/junction", Some(&token)).await.status(), StatusCode::OK);
    let again = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(again, StatusCode::FORBIDDEN).await, "gate.token.spent");
    scene.restart().await;
    let again = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(again, StatusCode::FORBIDDEN).await, "gate.token.spent");
    // Of several at once, as many get in as the terms let in.
    let answers = [scene.answer(&contract).await, scene.answer(&contract).await, scene.answer(&contract).await];
    let answers = futures::future::join_all(answers.iter().map(|answer| scene.send(answer))).await;
    let granted = answers.iter().filter(|answer| answer.status() == StatusCode::OK).count();
    assert_eq!(granted, 1);
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "policy.constraint");
}

#[tokio::test]
async fn a_token_is_for_its_asset_and_its_time() {
    let scene = Scene::with(|settings, home| {
        let (id, path) = ("urn:uuid:other".to_owned(), "/assets/other".to_owned());
        let source = Source::File(home.join("junction.xodr"));
        settings.assets.push(ServedAsset { id, path, source, ..settings.assets[0].clone() });
        settings.token_ttl = 1;
    })
    .await;
    let contract = scene.concluded(1, free());
    let missing = scene.get("/assets/junction", None).await;
    assert_eq!(missing.headers()["www-authenticate"], "Bearer");
    assert_eq!(check(missing, StatusCode::UNAUTHORIZED).await, "gate.token.missing");
    let unknown = scene.get("/assets/junction", Some("bm9ib2R5")).await;
    assert_eq!(check(unknown, StatusCode::UNAUTHORIZED).await, "gate.token.unknown");
    let token = scene.token(&contract).await;
    let other = scene.get("/assets/other", Some(&token)).await;
    assert_eq!(check(other, StatusCode::FORBIDDEN).await, "gate.token.asset");
    assert_eq!(scene.get("/assets/nothing", Some(&token)).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(scene.get("/assets/junction/below", Some(&token)).await.status(), StatusCode::NOT_FOUND);
    let put = scene.request(Method::PUT, "/assets/junction", Some(&token), None).await;
    assert_eq!(put.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_token_runs_out() {
    let scene = Scene::with(|settings, _| (settings.token_ttl, settings.poll_ms) = (1, 600_000)).await;
    let token = scene.token(&scene.concluded(1, free())).await;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let late = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(late, StatusCode::UNAUTHORIZED).await, "gate.token.expired");
}

#[tokio::test]
async fn other_bytes_than_the_contracts_get_no_receipt() {
    let scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    let token = scene.token(&contract).await;
    std::fs::write(scene.home.path().join("junction.xodr"), b"something else").unwrap();
    let data = scene.get("/assets/junction", Some(&token)).await;
    let receipt = link(&data);
    data.bytes().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let path = receipt[1..].split('>').next().unwrap();
    let refused = scene.get(path, Some(&token)).await;
    assert_eq!(check(refused, StatusCode::NOT_FOUND).await, "gate.delivery.digest");
}

#[tokio::test]
async fn a_directory_is_served_below_itself_only() {
    let scene = Scene::with(|settings, home| {
        let below: PathBuf = home.join("data/tiles");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(below.join("a b.bin"), b"tile").unwrap();
        std::fs::write(home.join("secret"), b"secret").unwrap();
        std::os::unix::fs::symlink(home.join("secret"), home.join("data/link")).unwrap();
        settings.assets[0].source = Source::Directory(home.join("data"));
    })
    .await;
    let token = scene.token(&scene.concluded(1, free())).await;
    let tile = scene.get("/assets/junction/tiles/a%20b.bin", Some(&token)).await;
    assert_eq!(tile.bytes().await.unwrap(), "tile");
    for path in ["link", "%2e%2e/secret", "tiles%2f..%2f..%2fsecret", "tiles", "none", "", "tiles//a%20b.bin"] {
        let answer = scene.get(&format!("/assets/junction/{path}"), Some(&token)).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn an_upstream_is_reached_through_the_gate() {
    // Another gate's sibling: plain data behind the first gate's own file server.
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = upstream.local_addr().unwrap();
    let files = axum::Router::new().route("/roads", axum::routing::get(async || DATA));
    tokio::spawn(async move { axum::serve(upstream, files).await });
    let scene = Scene::with(|settings, _| {
        settings.assets[0].source = Source::Upstream(format!("http://{address}/roads"));
    })
    .await;
    let contract = scene.concluded(1, free());
    let token = scene.token(&contract).await;
    let data = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(data.headers()["content-type"], "application/xml");
    let link = link(&data);
    assert_eq!(data.bytes().await.unwrap(), DATA);
    assert_eq!(scene.receipt(&link, &token, &contract).await.bytes, DATA.len() as u64);
    assert_eq!(scene.get("/assets/junction/none", Some(&token)).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_restored_gate_hands_out_no_use_that_may_be_spent() {
    let mut scene = Scene::new().await;
    let counted = scene.concluded(1, under("count", "lteq", json!(3)));
    let free = scene.concluded(2, free());
    let (token, challenge) = (scene.token(&counted).await, scene.answer(&free).await);
    let (gate, copy) = (scene.home.path().join("gate.db"), scene.home.path().join("copy.db"));
    store::copy(&gate, &copy, chance::now().unwrap()).await.unwrap();
    // The original goes on: the copy knows of one use of three.
    for _ in 0..2 {
        scene.token(&counted).await;
    }
    scene.stop().await;
    for beside in ["gate.db-wal", "gate.db-shm"] {
        let _ = std::fs::remove_file(scene.home.path().join(beside));
    }
    std::fs::rename(&copy, &gate).unwrap();

    // A copy that does not say from when on it was used knows nothing of any contract; one that does, of older ones.
    for restored in [false, true] {
        if restored {
            scene.stop().await;
            store::put_to_use(&gate, chance::now().unwrap()).await.unwrap();
        }
        scene.open_again().await;
        let answer = scene.answer(&counted).await;
        assert_eq!(scene.denied(&answer).await, checks::COPIED.id());
        scene.token(&free).await;
    }
    // What may have been answered or spent since is void.
    assert_eq!(scene.denied(&challenge).await, "gate.challenge.unknown");
    let spent = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(spent, StatusCode::UNAUTHORIZED).await, "gate.token.unknown");

    // A contract that is younger than the restored gate was used nowhere else.
    scene.stop().await;
    store::put_to_use(&gate, scene.world.now.plus(-24 * 3600)).await.unwrap();
    scene.open_again().await;
    scene.token(&counted).await;
}
