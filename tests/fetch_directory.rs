//! `countersign fetch` of a directory, against a real gate: file by file, against what the contract's digest reaches.
//!
//! The wallet behind it is played by the test: it signs presentations and keeps receipts.

mod support {
    pub mod gate_scene;
    pub mod gate_wallet;
    pub mod gate_world;
}

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use countersign::check::Trail;
use countersign::encoding::{Digest, Hasher};
use countersign::gate::{DIRECTORY, Listed, Receipt, SUMS, Sums};
use countersign::identity::{Documents, Signer as _};
use countersign::node::{GateSettings, Source};
use serde_json::{Value, json};
use support::gate_scene::Scene;
use support::gate_wallet::Wallet;
use support::gate_world::{ScriptedChain, free, key, under};
use tempfile::TempDir;
use tokio::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign");
const FILES: [(&str, &[u8]); 3] = [("north/50% ü.bin", b"north"), ("empty", b""), ("south/a/b.csv", b"south")];
/// More than what comes before somebody can press Ctrl-C.
const LARGE: u64 = 384 * 1024 * 1024;

struct Story {
    scene: Scene,
    wallet: Arc<Wallet>,
    node: String,
    dir: TempDir,
}

impl Story {
    async fn new(permission: Value, change: impl FnOnce(&mut GateSettings, &Path)) -> Self {
        let scene = Scene::with(|settings, home| {
            Scene::directory(settings, &home.join("data"), &FILES);
            change(settings, &home.join("data"));
        })
        .await;
        let contract = scene.concluded(1, permission.clone());
        let (wallet, node) = Wallet::open(contract, &permission).await;
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("key"), "a key").unwrap();
        Self { scene, wallet, node, dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file of the directory behind the gate.
    fn served(&self, name: &str) -> PathBuf {
        self.scene.home.path().join("data").join(name)
    }

    fn fetch(&self, more: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["fetch", "5b0f6a3e", "--node", &self.node, "--key-file", "key"]).args(more);
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

    /// Every receipt that the wallet keeps, held to the gate's key and the contract.
    fn receipts(&self) -> Vec<Receipt> {
        let (gate, core) = (key(5), self.wallet.contract.core.hash);
        let read = |text: &String| {
            let trail = &mut Trail::default();
            Receipt::verify(text, gate.did(), &core, &Documents::default(), trail).unwrap().into_inner()
        };
        self.wallet.receipts.lock().unwrap().iter().map(read).collect()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_directory_comes_whole_with_a_receipt_for_each_file() {
    let story = Story::new(free(), |_, _| {}).await;
    let done = story.done(&["--receipt", "receipts.jws"]).await;
    // The name at the end of the asset's address.
    let dir = story.path("junction");
    for (path, bytes) in FILES {
        assert_eq!(fs::read(dir.join(path)).unwrap(), bytes, "{path}");
    }
    assert_eq!(names(&dir), [SUMS, "empty", "north", "south"]);
    assert_eq!(fs::read(dir.join(SUMS)).unwrap(), fs::read(story.served(SUMS)).unwrap());
    assert_eq!((&done["files"], &done["fetched"], &done["bytes"]), (&json!(3), &json!(3), &json!(10)));
    let receipts = story.receipts();
    let mut parts: Vec<_> = receipts.iter().map(|receipt| receipt.part.as_ref().map(|part| &*part.path)).collect();
    parts.sort();
    assert_eq!(parts, [None, Some("empty"), Some("north/50% ü.bin"), Some("south/a/b.csv")]);
    let written = fs::read_to_string(story.path("receipts.jws")).unwrap();
    assert_eq!(written.lines().collect::<Vec<_>>(), *story.wallet.receipts.lock().unwrap());

    // Everything is there: nobody is asked, even while the gate is away.
    story.scene.running.as_ref().unwrap().stop.cancel();
    let again = story.done(&[]).await;
    assert_eq!((&again["files"], &again["fetched"], &again["gate"]), (&json!(3), &json!(0), &Value::Null));
}

#[tokio::test]
async fn what_is_missing_comes_and_what_differs_is_not_written_over_unasked() {
    let story = Story::new(free(), |_, _| {}).await;
    let dir = story.path("tiles");
    let done = story.done(&["-o", "tiles", "--only", "south/a/b.csv"]).await;
    assert_eq!(
        (&done["files"], &done["fetched"], names(&dir)),
        (&json!(1), &json!(1), vec![SUMS.into(), "south".into()])
    );
    let why = story.fails(&["-o", "tiles", "--only", "west"], 2).await;
    assert!(why.contains("has no file west") && why.contains("SHA256SUMS"), "{why}");
    assert_eq!(story.done(&["-o", "tiles"]).await["fetched"], 2);

    fs::write(dir.join("empty"), "mine").unwrap();
    let why = story.fails(&["-o", "tiles"], 2).await;
    assert!(why.contains("another file") && why.contains("--force"), "{why}");
    assert_eq!(fs::read(dir.join("empty")).unwrap(), b"mine");
    assert_eq!(story.done(&["-o", "tiles", "--force"]).await["fetched"], 1);
    assert_eq!(fs::read(dir.join("empty")).unwrap(), b"");

    fs::create_dir(story.path("mine")).unwrap();
    fs::write(story.path("mine/letter"), "mine").unwrap();
    assert!(story.fails(&["-o", "mine"], 2).await.contains("is there already"));
    assert_eq!(names(&story.path("mine")), ["letter"]);
    assert!(story.fails(&["-o", "key"], 2).await.contains("is no directory"));
}

#[tokio::test]
async fn a_file_that_was_changed_is_not_kept_and_the_others_are() {
    let story = Story::new(free(), |_, _| {}).await;
    fs::write(story.served("north/50% ü.bin"), "North").unwrap();
    let why = story.fails(&[], 1).await;
    assert!(why.contains("north/50% ü.bin") && why.contains("other bytes than the contract's"), "{why}");
    assert!(why.contains("1 of 3 files"), "{why}");
    assert!(!story.path("junction/north/50% ü.bin").exists() && story.path("junction/empty").exists());
    // The gate signed for what it delivered as the contract has it, and for nothing else.
    assert!(story.receipts().iter().all(|receipt| receipt.part.as_ref().is_none_or(|part| part.path == "empty")));
    fs::write(story.served("north/50% ü.bin"), "north").unwrap();
    assert_eq!(story.done(&[]).await["fetched"], 2);
    // Another list of files is not the contract's at all.
    let other = Sums::of([Listed { path: "a".into(), sha256: "9f".repeat(32) }]).unwrap().text();
    fs::write(story.served(SUMS), other).unwrap();
    let why = story.fails(&["-o", "other"], 1).await;
    assert!(why.contains("other bytes than the contract's") && !story.path("other").exists(), "{why}");
}

#[tokio::test]
async fn a_hostile_list_writes_nothing() {
    let line = |path: &str| format!("{}  {path}\n", "9f".repeat(32));
    for path in ["../key", "/tmp/x", "a/../../key", ".ssh/authorized_keys", "a\\b", "a\u{1b}[2J"] {
        let story = Story::new(free(), |settings, data| {
            let text = line("a") + &line(path);
            fs::write(data.join(SUMS), &text).unwrap();
            settings.assets[0].sha256 = Digest::of(&text).hex()[2..].to_owned();
        })
        .await;
        let why = story.fails(&[], 1).await;
        assert!(why.contains("gate.sums"), "{path}: {why}");
        assert_eq!(names(story.dir.path()), ["key"]);
    }
}

/// Puts a file into the directory that takes its time.
fn large(settings: &mut GateSettings, data: &Path) {
    File::create(data.join("large.bin")).unwrap().set_len(LARGE).unwrap();
    let (mut whole, zeros) = (Hasher::default(), vec![0; 1024 * 1024]);
    (0..LARGE / zeros.len() as u64).for_each(|_| whole.update(&zeros));
    let large = Listed { path: "large.bin".into(), sha256: whole.finish().hex()[2..].to_owned() };
    let sums = Sums::read(&fs::read(data.join(SUMS)).unwrap()).unwrap();
    let text = Sums::of(sums.files().chain([large])).unwrap().text();
    fs::write(data.join(SUMS), &text).unwrap();
    let asset = &mut settings.assets[0];
    asset.sha256 = Digest::of(&text).hex()[2..].to_owned();
    (asset.source, asset.media_type) = (Source::Directory(data.to_owned()), DIRECTORY.to_owned());
}

#[tokio::test]
async fn an_interrupted_file_goes_on_where_it_was() {
    let story = Story::new(free(), large).await;
    let child = story.fetch(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let coming = story.path("junction/.countersign-fetch.part");
    let kept = || fs::metadata(&coming).map_or(0, |about| about.len());
    while kept() < 4 * 1024 * 1024 || !story.path("junction/empty").exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(!story.path("junction/large.bin").exists(), "it was too fast to be interrupted");
    }
    let interrupt = format!("kill -INT {}", child.id().unwrap());
    assert!(std::process::Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    assert!(
        said(&output).contains("1 of 4 files") && said(&output).contains("goes on from there"),
        "{}",
        said(&output)
    );
    let first = kept();
    assert!(first > 0 && first < LARGE, "{first}");

    let done = story.done(&[]).await;
    assert_eq!((&done["files"], &done["fetched"]), (&json!(4), &json!(3)));
    assert_eq!(names(&story.path("junction")), [SUMS, "empty", "large.bin", "north", "south"]);
    let of_large = |receipt: &Receipt| receipt.part.as_ref().is_some_and(|part| part.path == "large.bin");
    let receipts = story.receipts();
    let large: Vec<_> = receipts.iter().filter(|receipt| of_large(receipt)).collect();
    assert_eq!(large.len(), 1);
    assert_eq!(large[0].range.map(|range| (range.first, range.last)), Some((first, LARGE - 1)));
}

#[tokio::test]
async fn one_use_is_the_whole_directory_once() {
    let story = Story::new(under("count", "lteq", json!(2)), |_, _| {}).await;
    assert_eq!(story.done(&["-o", "first"]).await["fetched"], 3);
    // Going on costs another one, and is asked about.
    fs::remove_file(story.path("first/empty")).unwrap();
    let why = story.fails(&["-o", "first"], 2).await;
    assert!(why.contains("costs another one") && why.contains("--yes"), "{why}");
    assert_eq!(story.done(&["-o", "first", "--yes"]).await["fetched"], 1);
    let why = story.fails(&["-o", "second"], 1).await;
    assert!(why.contains("policy.constraint"), "{why}");
}

#[tokio::test]
async fn a_contract_that_ends_says_so_and_what_came_stays() {
    let story = Story::new(free(), |_, _| {}).await;
    story.done(&["--only", "empty"]).await;
    let id = story.wallet.contract.core.claims.contract_id;
    story.scene.chain.script().ended.insert(id, ScriptedChain::mark(110, story.scene.world.now));
    let why = story.fails(&[], 1).await;
    assert!(why.contains("force.ended") && why.contains("this contract is over"), "{why}");
    assert!(story.path("junction/empty").exists());
}

#[tokio::test]
async fn a_contract_that_ends_midway_leaves_nobody_to_go_on() {
    let story = Story::new(free(), large).await;
    let child = story.fetch(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let coming = story.path("junction/.countersign-fetch.part");
    while fs::metadata(&coming).map_or(0, |about| about.len()) < 4 * 1024 * 1024
        || !story.path("junction/empty").exists()
    {
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(!story.path("junction/large.bin").exists(), "it was too fast to be cut");
    }
    story.wallet.learns(json!({ "standing": "ended", "since": "2026-11-20T10:00:00Z", "ground": "breach" }));
    let id = story.wallet.contract.core.claims.contract_id;
    story.scene.chain.script().ended.insert(id, ScriptedChain::mark(110, story.scene.world.now));
    let output = child.wait_with_output().await.unwrap();
    let why = said(&output);
    assert_eq!(output.status.code(), Some(1), "{why}");
    assert!(why.contains("this contract is over: its provider ended it") && why.contains("1 of 4 files"), "{why}");
    assert!(!why.contains("goes on from there"), "{why}");
}

#[tokio::test]
async fn a_gate_whose_tokens_are_out_is_waited_for() {
    let story = Story::new(free(), |settings, _| (settings.shares.tokens, settings.token_ttl) = (1, 8)).await;
    story.scene.token(&story.wallet.contract).await;
    let output = story.fetch(&[]).output().await.unwrap();
    assert!(output.status.success() && said(&output).contains("asks for patience"), "{}", said(&output));
}
