//! A provider's and a consumer's wallet as real processes, with a chain and an operator that has admitted both.

#![allow(dead_code)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::Connection as _;

#[path = "passphrase.rs"]
mod passphrase;
#[path = "ports.rs"]
mod ports;

use passphrase::passphrase_file;
pub use ports::free_port;

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
pub fn start(arguments: &[&str], log: &Path) -> (Process, Value) {
    start_command(program(), arguments, log)
}

fn start_command(mut command: Command, arguments: &[&str], log: &Path) -> (Process, Value) {
    let errors = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    command.args(["--log", "info"]).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
    let mut child = Process(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said = serde_json::from_str(&line);
    (child, said.unwrap_or_else(|_| panic!("it did not start: {}", fs::read_to_string(log).unwrap())))
}

/// The program, with the passphrase of every home here.
pub fn program() -> Command {
    let mut command = Command::new(PROGRAM);
    command.env("COUNTERSIGN_PASSPHRASE_FILE", passphrase_file());
    command
}

pub fn run(arguments: &[&str]) -> Output {
    let output = program().args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

pub fn said(arguments: &[&str]) -> Value {
    serde_json::from_slice(&run(arguments).stdout).unwrap()
}

pub fn printed(arguments: &[&str]) -> String {
    String::from_utf8(run(arguments).stdout).unwrap().trim().to_owned()
}

/// A wallet whose process comes and goes while its home and its address stay.
pub struct Wallet {
    pub home: PathBuf,
    pub did: String,
    pub recorder: String,
    pub public: u16,
    management: u16,
    pub process: Option<Process>,
}

impl Wallet {
    fn make(dir: &Path, name: &str, web: bool) -> Self {
        Self::make_for(dir, name, "wallet", web)
    }

    fn make_for(dir: &Path, name: &str, purpose: &str, web: bool) -> Self {
        let home = dir.join(name);
        let public = free_port();
        let domain = format!("localhost%3A{public}");
        let mut arguments = vec!["init", "--json", "--purpose", purpose, "--home", home.to_str().unwrap()];
        if web {
            arguments.extend(["--did-web", &domain]);
        }
        let made = said(&arguments);
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        Self { did: text("did"), recorder: text("recorder"), home, public, management: free_port(), process: None }
    }

    /// A node that is a mediator and nothing else, for members of `operator`.
    fn configure_mediator(&self, operator: &str) {
        let text = format!(
            "[listen]\npublic = \"127.0.0.1:{}\"\nmanagement = \"127.0.0.1:{}\"\n\n[network]\nprivate = true\ndid_seconds = 1\n\n\
             {}[trust]\noperators = [{operator:?}]\n\n[mediator]\nadmit = \"members\"\n",
            self.public,
            self.management,
            self.identity(),
        );
        fs::write(self.home.join("countersign.toml"), text).unwrap();
    }

    fn configure(&self, operator: &str, chain: &Value, rpc: &str, uncataloged: &str, consent: &str) {
        let text = format!(
            "[listen]\npublic = \"127.0.0.1:{}\"\nmanagement = \"127.0.0.1:{}\"\n\n[network]\nprivate = true\ndid_seconds = 1\n\n\
             {}[trust]\noperators = [{operator:?}]\npinned = []\n\n[[trust.chains]]\nchain_id = {}\nregistry = {}\ncode_hash = {}\n\
             rpc = [{rpc:?}]\n\n[wallet]\npoll_ms = 200\nuncataloged = {uncataloged:?}\n\n[wallet.consent]\n{consent}\n",
            self.public,
            self.management,
            self.identity(),
            chain["chain_id"],
            chain["registry"],
            chain["code_hash"],
        );
        fs::write(self.home.join("countersign.toml"), text).unwrap();
    }

    fn identity(&self) -> String {
        if self.did.starts_with("did:web:") { format!("[identity]\ndid = {:?}\n\n", self.did) } else { String::new() }
    }

    pub fn start(&mut self) {
        let home = self.home.to_str().unwrap().to_owned();
        let (process, said) = start(&["serve", "--home", &home], &self.home.join("node.log"));
        let port = |name: &str| said[name].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        (self.public, self.management) = (port("public"), port("management"));
        self.process = Some(process);
    }

    /// Kills the node and moves it to other ports, where [`Wallet::start`] starts it; 0 is any free one.
    pub fn move_to(&mut self, public: u16, management: u16) {
        self.process = None;
        let (old, new) = ([self.public, self.management], [public, management]);
        self.reconfigure(|text| {
            let moved =
                |text: String, (old, new)| text.replace(&format!("127.0.0.1:{old}\""), &format!("127.0.0.1:{new}\""));
            old.into_iter().zip(new).fold(text, moved)
        });
    }

    /// A statement of SQL in the store of a node that does not run.
    pub fn alter(&self, statement: &'static str) {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.home.join("store.sqlite"));
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let mut store = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
            sqlx::raw_sql(statement).execute(&mut store).await.unwrap();
            store.close().await.unwrap();
        });
    }

    pub fn management(&self) -> u16 {
        self.management
    }

    /// Changes the node's configuration.
    pub fn reconfigure(&self, change: impl FnOnce(String) -> String) {
        let file = self.home.join("countersign.toml");
        fs::write(&file, change(fs::read_to_string(&file).unwrap())).unwrap();
    }

    /// Starts the node where no file may grow beyond so many KiB; [`Wallet::make_room`] lifts that.
    pub fn start_without_room(&mut self, kib: u32) {
        let home = self.home.to_str().unwrap().to_owned();
        // An ignored SIGXFSZ turns into the error of a write.
        let script = format!("trap '' XFSZ; ulimit -S -f {}; exec \"$0\" \"$@\"", kib);
        let mut command = Command::new("bash");
        command.args(["-c", &script, PROGRAM]).env("COUNTERSIGN_PASSPHRASE_FILE", passphrase_file());
        let (process, _) = start_command(command, &["serve", "--home", &home], &self.home.join("node.log"));
        self.process = Some(process);
    }

    /// Lets the files of the running node grow.
    pub fn make_room(&self) {
        let pid = self.process.as_ref().unwrap().0.id().to_string();
        let lifted = Command::new("prlimit").args(["--fsize=unlimited", "--pid", &pid]).status().unwrap();
        assert!(lifted.success());
    }

    /// Kills the node and restores a backup of it; the new home has the old one's configuration and addresses.
    pub fn restore(&mut self, backup: &Path, into: &str) {
        self.process = None;
        let home = self.home.with_file_name(into);
        run(&["restore", backup.to_str().unwrap(), "--home", home.to_str().unwrap()]);
        self.home = home;
    }

    /// Backs the home up, its node running.
    pub fn backup(&self, name: &str) -> PathBuf {
        let file = self.home.with_file_name(name);
        run(&["backup", file.to_str().unwrap(), "--home", self.home.to_str().unwrap()]);
        file
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

    /// The DID document that it serves as did:web.
    pub fn document(&self) -> Value {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = format!("http://localhost:{}/.well-known/did.json", self.public);
        runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            serde_json::from_str(&client.get(url).send().await.unwrap().text().await.unwrap()).unwrap()
        })
    }

    /// Waits until the mediator keeps this wallet's messages.
    pub fn is_granted(&self) -> Value {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let mediation = self.get("/api/mediation");
            if mediation["standing"] == "granted" && mediation["since"].is_string() {
                return mediation;
            }
            assert!(Instant::now() < until, "mediation was not granted: {mediation}");
            std::thread::sleep(Duration::from_millis(50));
        }
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
    /// Keeps the messages of the wallets that nobody can reach, where there are such.
    pub mediator: Option<Wallet>,
    operator: String,
    pub rpc: String,
    pub registry: Value,
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
        Self::opened(uncataloged, consent, [None, None])
    }

    /// The same, with a mediator for the provider, the consumer or both: more lines for their `[wallet.mediator]`.
    pub fn open_by_way_of(consent: &str, mediated: [Option<&str>; 2]) -> Self {
        Self::opened("manual", consent, mediated)
    }

    fn opened(uncataloged: &str, consent: &str, mediated: [Option<&str>; 2]) -> Self {
        let street = Self::build(uncataloged, consent, mediated, false);
        let contact = street.provider.get("/api/self")["contact"].clone();
        street.consumer.post("/api/contacts", &json!({ "contact": contact }));
        street
    }

    /// Both act as did:web, and have never heard of each other.
    pub fn open_web(consent: &str) -> Self {
        Self::build("manual", consent, [None, None], true)
    }

    /// The same, with a mediator for the provider, the consumer or both.
    pub fn open_web_by_way_of(consent: &str, mediated: [Option<&str>; 2]) -> Self {
        Self::build("manual", consent, mediated, true)
    }

    fn build(uncataloged: &str, consent: &str, mediated: [Option<&str>; 2], web: bool) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let operator_home = dir.path().join("operator");
        let operator_home = operator_home.to_str().unwrap();
        let operator = said(&["init", "--json", "--purpose", "operator", "--home", operator_home])["did"].clone();
        let operator = operator.as_str().unwrap();
        let (mut provider, mut consumer) =
            (Wallet::make(dir.path(), "provider", web), Wallet::make(dir.path(), "consumer", web));

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
        let registry = said(&["deploy", "--json", "--rpc", rpc, "--home", provider.home.to_str().unwrap()]);

        let mediator = mediated.iter().any(Option::is_some).then(|| {
            let mut mediator = Wallet::make_for(dir.path(), "mediator", "mediator", web);
            mediator.configure_mediator(operator);
            mediator.start();
            mediator
        });
        for (wallet, more) in [&mut provider, &mut consumer].into_iter().zip(mediated) {
            let mut consent = if wallet.home.ends_with("provider") { consent } else { "" }.to_owned();
            if let (Some(mediator), Some(more)) = (&mediator, more) {
                let contact = &mediator.get("/api/mediator")["contact"];
                consent += &format!("\n[wallet.mediator]\ncontact = {contact}\n{more}");
            }
            wallet.configure(operator, &registry, rpc, uncataloged, &consent);
            wallet.start();
            let key = wallet.get("/api/self")["key"].as_str().unwrap().to_owned();
            admit(wallet, &key, &registry, operator_home);
            if more.is_some() {
                wallet.is_granted();
            }
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
        let rpc = rpc.to_owned();
        let operator = operator.to_owned();
        Self { registry: registry.clone(), provider, consumer, mediator, operator, rpc, _chain: running, dir }
    }

    /// One more mediator, for the operator's members.
    pub fn another_mediator(&self) -> Wallet {
        let mut mediator =
            Wallet::make_for(self.dir.path(), "mediator-2", "mediator", self.consumer.did.starts_with("did:web:"));
        mediator.configure_mediator(&self.operator);
        mediator.start();
        mediator
    }
}

/// The operator admits a wallet with the key of this thumbprint, and the wallet takes the credential.
pub fn admit(wallet: &Wallet, key: &str, registry: &Value, operator_home: &str) {
    let recorder = format!("eip155:{}:{}", registry["chain_id"], wallet.recorder);
    let (legal_id, legal_name) = ("LEI=529900T8BM49AURSDO55", "Member");
    let credential = printed(&[
        "admit",
        "--home",
        operator_home,
        "--did",
        &wallet.did,
        "--key",
        key,
        "--legal-name",
        legal_name,
        "--legal-id",
        legal_id,
        "--country",
        "DE",
        "--recorder",
        &recorder,
    ]);
    wallet.post("/api/participant", &json!({ "credential": credential }));
}
