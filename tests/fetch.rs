//! `countersign fetch` as people run it, against a real gate: interrupted, resumed, cut off, refused.
//!
//! The wallet behind it is played by the test: it signs presentations and keeps receipts. tests/desk.rs has the real one.

mod support {
    pub mod gate_scene;
    pub mod gate_wallet;
    pub mod gate_world;
}

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use countersign::encoding::{Digest, Hasher};
use countersign::node::{GateSettings, Source};
use futures::StreamExt as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
use support::gate_scene::Scene;
use support::gate_wallet::Wallet;
use support::gate_world::{ScriptedChain, free, under};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign");
const CHUNK: usize = 32 * 1024;
const CHUNKS: u64 = 64;
const SIZE: u64 = CHUNK as u64 * CHUNKS;

fn chunk(number: u64) -> Bytes {
    Bytes::from(vec![number as u8 ^ 0x5a; CHUNK])
}

/// Where the data comes from.
#[derive(Default)]
struct Roads {
    /// Whether each chunk takes its time.
    slow: AtomicBool,
    /// How many requests it fails to answer.
    down: AtomicU64,
    /// Which version it is.
    version: AtomicU64,
}

async fn roads(State(roads): State<Arc<Roads>>, headers: HeaderMap) -> Response {
    let fails = |left: u64| left.checked_sub(1);
    if roads.down.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fails).is_ok() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let etag = format!("\"v{}\"", roads.version.load(Ordering::Relaxed));
    let fits = headers.get("if-range").is_none_or(|value| value.to_str().unwrap() == etag);
    let range = headers.get("range").filter(|_| fits);
    let first: u64 = range.map_or(0, |range| {
        range.to_str().unwrap().strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap()
    });
    let other = roads.version.load(Ordering::Relaxed) != 0;
    let body = futures::stream::iter(first / CHUNK as u64..CHUNKS).then(move |number| {
        let roads = Arc::clone(&roads);
        async move {
            if roads.slow.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
            let from = usize::try_from(first.saturating_sub(number * CHUNK as u64)).unwrap();
            Ok::<_, std::io::Error>(chunk(if other { number + 1 } else { number }).slice(from..))
        }
    });
    let length = [("content-length", (SIZE - first).to_string()), ("etag", etag)];
    let body = Body::from_stream(body);
    match range {
        None => (length, body).into_response(),
        Some(_) => {
            let range = [("content-range", format!("bytes {first}-{}/{SIZE}", SIZE - 1))];
            (StatusCode::PARTIAL_CONTENT, length, range, body).into_response()
        }
    }
}

struct Story {
    scene: Scene,
    roads: Arc<Roads>,
    wallet: Arc<Wallet>,
    node: String,
    dir: TempDir,
}

impl Story {
    async fn new(permission: Value, change: impl FnOnce(&mut GateSettings)) -> Self {
        let roads = Arc::new(Roads::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = format!("http://{}/roads", listener.local_addr().unwrap());
        let app = Router::new().route("/roads", get(self::roads)).with_state(Arc::clone(&roads));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let mut whole = Hasher::default();
        (0..CHUNKS).for_each(|number| whole.update(&chunk(number)));
        let sha256 = whole.finish().hex()[2..].to_owned();
        let scene = Scene::with(|settings, _| {
            settings.assets[0].source = Source::Upstream(upstream);
            settings.assets[0].sha256.clone_from(&sha256);
            change(settings);
        })
        .await;

        let asset = countersign::credential::Asset { sha256, size: Some(SIZE), ..scene.asset() };
        let contract = scene.world.contract(1, asset, permission.clone());
        scene.chain.record(&contract, 90, scene.world.now);
        let (wallet, node) = Wallet::open(contract, &permission).await;
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "a key").unwrap();
        Self { scene, roads, wallet, node, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn fetch(&self, more: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["fetch", "5b0f6a3e", "-o", "roads.xodr", "--node", &self.node, "--key-file", "key"]).args(more);
        command.current_dir(self.dir.path()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    async fn done(&self, more: &[&str]) -> Value {
        let output = self.fetch(&[more, &["--json"]].concat()).output().await.unwrap();
        assert!(output.status.success(), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    async fn fails(&self, more: &[&str], code: i32) -> String {
        let output = self.fetch(more).output().await.unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        said(&output)
    }

    fn kept(&self) -> u64 {
        std::fs::metadata(self.path("roads.xodr.part")).map_or(0, |about| about.len())
    }

    /// A download that has got some way and not yet far.
    async fn under_way(&self) -> Child {
        self.roads.slow.store(true, Ordering::Relaxed);
        let mut command = self.fetch(&[]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let before = self.kept();
        for _ in 0..500 {
            if self.kept() > before + 3 * CHUNK as u64 {
                return child;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nothing came");
    }

    async fn interrupted(&self) -> String {
        let child = self.under_way().await;
        let interrupt = format!("kill -INT {}", child.id().unwrap());
        assert!(std::process::Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
        let output = child.wait_with_output().await.unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", said(&output));
        self.roads.slow.store(false, Ordering::Relaxed);
        said(&output)
    }

    fn is_whole(&self) -> bool {
        let data = std::fs::read(self.path("roads.xodr")).unwrap();
        let left = std::fs::read_dir(self.dir.path()).unwrap().count();
        Digest::of(&data).hex()[2..] == self.scene.settings.assets[0].sha256 && left == 2
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn what_was_interrupted_goes_on_and_has_its_receipt() {
    let story = Story::new(free(), |_| {}).await;
    let why = story.interrupted().await;
    let kept = story.kept();
    assert!(kept > 0 && kept < SIZE && why.contains(&format!("{kept} bytes are kept")), "{why}");
    // Killed without a word, it is the same.
    let mut child = story.under_way().await;
    let why = story.fails(&[], 1).await;
    assert!(why.contains("another fetch writes into"), "{why}");
    child.kill().await.unwrap();
    story.roads.slow.store(false, Ordering::Relaxed);
    let first = story.kept();
    assert!(first > kept);

    let done = story.done(&["--receipt", "receipt.jws"]).await;
    assert_eq!((&done["bytes"], &done["range"]), (&json!(SIZE), &json!(format!("bytes={first}-{}", SIZE - 1))));
    let written = std::fs::read_to_string(story.path("receipt.jws")).unwrap();
    std::fs::remove_file(story.path("receipt.jws")).unwrap();
    assert!(story.is_whole());
    let receipts = story.wallet.receipts.lock().unwrap().clone();
    assert_eq!(receipts, [done["receipt"].as_str().unwrap()]);
    assert_eq!(receipts, [written]);
    // There already.
    assert!(story.fails(&[], 2).await.contains("--force"));
    // What does not answer now is worth another try, and leaves nothing.
    story.roads.down.store(4, Ordering::Relaxed);
    let why = story.fails(&["--force"], 3).await;
    assert!(why.contains("the gate cannot deliver") && story.is_whole(), "{why}");
    let again = story.done(&["--force"]).await;
    assert_eq!((&again["bytes"], &again["range"]), (&json!(SIZE), &Value::Null));
}

#[tokio::test]
async fn going_on_costs_a_counted_use_and_says_so() {
    let story = Story::new(under("count", "lteq", json!(2)), |_| {}).await;
    assert!(story.interrupted().await.contains("another use"));
    let why = story.fails(&[], 2).await;
    assert!(why.contains("--yes") && why.contains("roads.xodr.part"), "{why}");
    assert_eq!(story.done(&["--yes"]).await["bytes"], SIZE);
    assert!(story.is_whole());
    let why = story.fails(&["--force"], 1).await;
    assert!(why.contains("policy.constraint") && why.contains("all 2 uses of this contract are spent"), "{why}");
}

#[tokio::test]
async fn a_gate_that_cannot_deliver_costs_no_use() {
    let story = Story::new(under("count", "lteq", json!(2)), |_| {}).await;
    // It comes back while the same token waits.
    story.roads.down.store(2, Ordering::Relaxed);
    let output = story.fetch(&[]).output().await.unwrap();
    assert!(output.status.success() && said(&output).contains("trying again in 2 s"), "{}", said(&output));
    for _ in 0..2 {
        story.roads.down.store(4, Ordering::Relaxed);
        let why = story.fails(&["--force"], 3).await;
        assert!(why.contains("cannot be reached") && why.contains("cost none") && why.contains("later"), "{why}");
        assert_eq!(story.roads.down.load(Ordering::Relaxed), 0, "asked four times");
    }
    assert_eq!(story.done(&["--force"]).await["bytes"], SIZE);
    let why = story.fails(&["--force"], 1).await;
    assert!(why.contains("policy.constraint"), "{why}");
}

#[tokio::test]
async fn a_contract_that_ends_cuts_the_download_and_the_next_one_says_why() {
    let story = Story::new(free(), |_| {}).await;
    let child = story.under_way().await;
    story.wallet.learns(json!({ "standing": "ended", "since": "2026-11-20T10:00:00Z", "ground": "breach" }));
    let id = story.wallet.contract.core.claims.contract_id;
    story.scene.chain.script().ended.insert(id, ScriptedChain::mark(110, story.scene.world.now));
    let output = child.wait_with_output().await.unwrap();
    let why = said(&output);
    assert_eq!(output.status.code(), Some(1), "{why}");
    assert!(why.contains("since this contract is over: its provider ended it") && why.contains("(breach)"), "{why}");
    assert!(!why.contains("goes on from there") && story.kept() < SIZE, "{why}");
    let why = story.fails(&[], 1).await;
    assert!(why.contains("force.ended") && why.contains("this contract is over"), "{why}");
}

#[tokio::test]
async fn other_bytes_are_not_pieced_together() {
    let story = Story::new(free(), |_| {}).await;
    story.interrupted().await;
    // The server has another version now, and says so: it comes from the beginning, and is not the contract's.
    story.roads.version.store(1, Ordering::Relaxed);
    let why = story.fails(&[], 1).await;
    assert!(why.contains("from the beginning") && why.contains("other bytes than the contract's"), "{why}");
    assert!(story.kept() == 0 && !story.path("roads.xodr").exists());
    // A piece that was changed meanwhile is found by the digest of the whole.
    story.roads.version.store(0, Ordering::Relaxed);
    story.interrupted().await;
    let mut bytes = std::fs::read(story.path("roads.xodr.part")).unwrap();
    bytes[7] ^= 1;
    std::fs::write(story.path("roads.xodr.part"), bytes).unwrap();
    let why = story.fails(&[], 1).await;
    assert!(why.contains("nothing was kept") && story.kept() == 0, "{why}");
}

#[tokio::test]
async fn a_strict_gate_is_answered_and_a_refusal_says_what_to_do() {
    let purpose = "https://example.org/research";
    let strict = |settings: &mut GateSettings| (settings.dpop_required, settings.dpop_nonces) = (true, true);
    let story = Story::new(under("purpose", "eq", json!(purpose)), strict).await;
    let why = story.fails(&[], 1).await;
    assert!(why.contains("policy.undecidable") && why.contains(&format!("--purpose {purpose}")), "{why}");
    let done = story.done(&["--purpose", purpose]).await;
    assert_eq!(done["sha256"], story.scene.settings.assets[0].sha256.as_str());
    assert!(story.is_whole());
    story.scene.chain.script().finalised.time = story.scene.world.now.plus(-700);
    let why = story.fails(&["--force", "--purpose", purpose], 3).await;
    assert!(why.contains("gate.head.stale") && why.contains("cannot read the chain"), "{why}");
}
