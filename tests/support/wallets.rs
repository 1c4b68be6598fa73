//! A provider's and a consumer's wallet as real processes, with a chain and an operator that has admitted both.

#![allow(dead_code)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign");
const TEMPLATE: &str = "fixtures/templates/single-purchase.json";
pub const ASSET: &str = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0001";

/// A process that is killed, not asked, when it is dropped: what a crash does.
pub struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a command; the JSON line that says where it listens.
fn start(arguments: &[&str], log: &Path) -> (Process, Value) {
    let errors = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["--log", "info"]).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
    let mut child = Process(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said = serde_json::from_str(&line);
    (child, said.unwrap_or_else(|_| panic!("it did not start: {}", fs::read_to_string(log).unwrap())))
}

fn run(arguments: &[&str]) -> Output {
    let output = Command::new(PROGRAM).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn said(arguments: &[&str]) -> Value {
    serde_json::from_slice(&run(arguments).stdout).unwrap()
}

fn printed(arguments: &[&str]) -> String {
    String::from_utf8(run(arguments).stdout).unwrap().trim().to_owned()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A wallet whose process comes and goes while its home and its address stay.
pub struct Wallet {
    pub home: PathBuf,
    pub did: String,
    pub recorder: String,
    public: u16,
    management: u16,
    pub process: Option<Process>,
}

impl Wallet {
    fn make(dir: &Path, name: &str) -> Self {
        let home = dir.join(name);
        let made = said(&["init", "--json", "--home", home.to_str().unwrap()]);
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        Self {
            did: text("did"),
            recorder: text("recorder"),
            home,
            public: free_port(),
            management: free_port(),
            process: None,
        }
    }

    fn configure(&self, operator: &str, chain: &Value, rpc: &str, uncataloged: &str, consent: &str) {
        let text = format!(
            "[listen]\npublic = \"127.0.0.1:{}\"\nmanagement = \"127.0.0.1:{}\"\n\n[network]\nprivate = true\n\n[trust]\n\
             operators = [{operator:?}]\npinned = []\n\n[[trust.chains]]\nchain_id = {}\nregistry = {}\ncode_hash = {}\n\
             rpc = [{rpc:?}]\n\n[wallet]\npoll_ms = 200\nuncataloged = {uncataloged:?}\n\n[wallet.consent]\n{consent}\n",
            self.public, self.management, chain["chain_id"], chain["registry"], chain["code_hash"],
        );
        fs::write(self.home.join("countersign.toml"), text).unwrap();
    }

    pub fn start(&mut self) {
        let home = self.home.to_str().unwrap().to_owned();
        let (process, _) = start(&["serve", "--home", &home], &self.home.join("node.log"));
        self.process = Some(process);
    }

    /// SIGKILL, and a new process on the same home.
    pub fn crash(&mut self) {
        self.process = None;
        self.start();
    }

    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let key = fs::read_to_string(self.home.join("api-key")).unwrap();
        let url = format!("http://127.0.0.1:{}{path}", self.management);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let mut request = client.request(method.parse().unwrap(), url).bearer_auth(key.trim());
            if let Some(body) = body {
                request = request.json(body);
            }
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
        })
    }

    pub fn get(&self, path: &str) -> Value {
        let (status, answer) = self.call("GET", path, None);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    pub fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call("POST", path, Some(body));
        assert!(status < 300, "{path}: {status} {answer}");
        answer
    }

    pub fn negotiation(&self) -> Option<Value> {
        self.get("/api/negotiations").as_array().unwrap().first().cloned()
    }

    pub fn reach(&self, state: &str) -> Value {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let view = self.negotiation();
            let entered = view.as_ref().and_then(|view| view["history"].as_array());
            if entered.is_some_and(|history| history.iter().any(|moved| moved["state"] == state)) {
                return view.unwrap();
            }
            assert!(Instant::now() < until, "{state} was not reached: {view:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Everything that two wallets need to negotiate.
pub struct Street {
    pub provider: Wallet,
    pub consumer: Wallet,
    pub rpc: String,
    _chain: Process,
    pub dir: tempfile::TempDir,
}

impl Street {
    /// Both wallets run, are admitted, and know each other; the provider lists one asset. `consent` is the provider's. Terms
    /// beyond the catalog wait for a person.
    pub fn open(consent: &str) -> Self {
        Self::open_with("manual", consent)
    }

    /// The same, with what both do with terms beyond the catalog.
    pub fn open_with(uncataloged: &str, consent: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let operator_home = dir.path().join("operator");
        let operator_home = operator_home.to_str().unwrap();
        let operator = said(&["init", "--json", "--purpose", "operator", "--home", operator_home])["did"].clone();
        let operator = operator.as_str().unwrap();
        let (mut provider, mut consumer) = (Wallet::make(dir.path(), "provider"), Wallet::make(dir.path(), "consumer"));

        let fund = format!("{}=1000", provider.recorder);
        let chain_dir = dir.path().join("chain");
        let (running, chain) = start(
            &[
                "chain",
                "--listen",
                "127.0.0.1:0",
                "--block-time-ms",
                "200",
                "--finality-blocks",
                "5",
                "--fund",
                &fund,
                "--dir",
                chain_dir.to_str().unwrap(),
            ],
            &dir.path().join("chain.log"),
        );
        let rpc = chain["rpc"].as_str().unwrap();
        let payer = provider.home.join("keys/recorder");
        let registry = said(&["deploy", "--json", "--rpc", rpc, "--key", payer.to_str().unwrap()]);

        for wallet in [&mut provider, &mut consumer] {
            let consent = if wallet.home.ends_with("provider") { consent } else { "" };
            wallet.configure(operator, &registry, rpc, uncataloged, consent);
            wallet.start();
            let recorder = format!("eip155:{}:{}", registry["chain_id"], wallet.recorder);
            let credential = printed(&[
                "admit",
                "--home",
                operator_home,
                "--did",
                &wallet.did,
                "--legal-name",
                "Member",
                "--legal-id",
                "LEI=529900T8BM49AURSDO55",
                "--country",
                "DE",
                "--recorder",
                &recorder,
            ]);
            wallet.post("/api/participant", &json!({ "credential": credential }));
        }
        let approval = printed(&["approve", "--home", operator_home, root.join(TEMPLATE).to_str().unwrap()]);
        let template = provider.post("/api/templates", &json!({ "approval": approval }))["id"].clone();
        provider.post(
            "/api/assets",
            &json!({
                "asset": {
                    "id": ASSET, "title": "Junction", "media_type": "application/xml", "sha256": "9f".repeat(32), "size": 1,
                    "endpoint": "https://data.example/junction.xodr",
                },
                "template": template, "parameters": { "uses": 3 }, "price": { "amount": "400.00", "currency": "EUR" },
            }),
        );
        let contact = provider.get("/api/self")["contact"].clone();
        consumer.post("/api/contacts", &json!({ "contact": contact }));
        let rpc = rpc.to_owned();
        Self { provider, consumer, rpc, _chain: running, dir }
    }
}
