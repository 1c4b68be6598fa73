//! Two contract desks, an operator and a gate, told in the program's own commands: from nothing to a downloaded asset.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

#[path = "support/passphrase.rs"]
mod passphrase;

use passphrase::passphrase_file;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign");
const ASSET: &[u8] = include_bytes!("../fixtures/assets/motorway-junction.xodr");
const ASSET_SHA256: &str = "4bec736d21e354a3ab37505bd3757cd129b7afb72ac8e217133ed707ae617c09";
const ASSET_ID: &str = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0001";
const PURCHASE: &str = "urn:uuid:5b0f6a3e-6c0d-4a57-9d2c-7f5f0f6f1a01";

/// A process that does not outlive the test, however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The directory in which the story happens.
struct Story {
    dir: tempfile::TempDir,
    processes: Vec<Running>,
}

impl Story {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, who: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.dir.path()).stdin(Stdio::null()).env("TZ", "UTC");
        for inherited in ["COUNTERSIGN_NODE", "COUNTERSIGN_KEY_FILE", "COUNTERSIGN_LOG"] {
            command.env_remove(inherited);
        }
        command.env("COUNTERSIGN_HOME", self.path(who)).env("COUNTERSIGN_PASSPHRASE_FILE", passphrase_file());
        command
    }

    fn run(&self, who: &str, arguments: &[&str]) -> Output {
        self.command(who, arguments).output().unwrap()
    }

    /// What a command says that has to succeed.
    fn says(&self, who: &str, arguments: &[&str]) -> String {
        let output = self.run(who, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{who}: {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, with --json.
    fn json(&self, who: &str, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.says(who, &arguments)).unwrap()
    }

    /// What a command complains of that has to fail with `code`.
    fn fails(&self, who: &str, arguments: &[&str], code: i32) -> String {
        let output = self.run(who, arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{who}: {arguments:?}: {errors}");
        errors
    }

    /// Starts what keeps running; the line in which it says where it listens.
    fn start(&mut self, who: &str, arguments: &[&str]) -> Value {
        let log = fs::File::create(self.path(&format!("{who}.log"))).unwrap();
        let mut command = self.command(who, arguments);
        let mut process = Running(command.stdout(Stdio::piped()).stderr(log).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.processes.push(process);
        let log = || fs::read_to_string(self.path(&format!("{who}.log"))).unwrap_or_default();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{who} did not start: {}", log()))
    }

    /// Waits for what comes through the network or from the chain.
    fn eventually<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            if let Some(found) = look() {
                return found;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        panic!("{what} did not happen within a minute");
    }
}

fn edit(path: &Path, changes: &[(&str, &str)], more: &str) {
    let mut text = fs::read_to_string(path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{} has no {from}", path.display());
        text = text.replace(from, to);
    }
    fs::write(path, text + more).unwrap();
}

fn part<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

#[test]
fn two_desks_go_from_nothing_to_a_downloaded_asset() {
    let mut story = Story { dir: tempfile::tempdir().unwrap(), processes: Vec::new() };
    let homes = found(&mut story);
    meet(&story, &homes);
    let id = negotiate(&story, &homes);
    change_ones_mind(&story, &homes);
    use_and_end(&story, &homes, &id);
}

/// What the four homes were made with.
struct Homes {
    alice: Value,
    bob: Value,
    operator_url: String,
    origin: String,
}

/// Homes, a chain with a registry, configurations, and four nodes that run.
fn found(story: &mut Story) -> Homes {
    let made: Vec<Value> = [("alice", "wallet"), ("bob", "wallet"), ("operator", "operator"), ("gate", "gate")]
        .iter()
        .map(|(who, purpose)| story.json(who, &["init", "--purpose", purpose]))
        .collect();
    let why = story.fails("alice", &["inbox"], 1);
    assert!(why.contains("countersign serve --home"), "{why}");
    let why = story.fails("nobody", &["inbox"], 2);
    assert!(why.contains("countersign init --home"), "{why}");

    let [alice, bob] = [0, 1].map(|index: usize| format!("{}=1000", part(&made[index], "/recorder")));
    let pace = ["--block-time-ms", "300", "--finality-blocks", "3"];
    let chain = [&["chain", "--listen", "127.0.0.1:0", "--fund", &alice, "--fund", &bob], &pace[..]].concat();
    let rpc = story.start("chain", &chain)["rpc"].as_str().unwrap().to_owned();
    let registry = story.says("alice", &["deploy", "--rpc", &rpc]);

    // A gate's origin stands in its configuration, so that its port is chosen before it runs.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let origin = format!("http://127.0.0.1:{port}");
    fs::write(story.path("junction.xodr"), ASSET).unwrap();
    let (public, management) = ("public = \"127.0.0.1:7300\"", "management = \"127.0.0.1:7301\"");
    let operators = format!("operators = [\"{}\"]", part(&made[2], "/did"));
    for who in ["alice", "bob", "operator", "gate"] {
        let own_port =
            if who == "gate" { format!("public = \"127.0.0.1:{port}\"") } else { "public = \"127.0.0.1:0\"".into() };
        let more = match who {
            "gate" => format!(
                "\n{registry}\n[gate]\norigin = \"{origin}\"\nproviders = [\"{}\"]\npoll_ms = 300\n\n[[gate.assets]]\nid = \"{ASSET_ID}\"\n\
                 path = \"/assets/junction.xodr\"\nsource = {{ file = {:?} }}\nmedia_type = \"application/xml\"\nsha256 = \"{ASSET_SHA256}\"\n\
                 \n[gate.forward]\nproxy = \"traefik\"\nlisten = \"127.0.0.1:0\"\n",
                part(&made[0], "/did"),
                story.path("junction.xodr"),
            ),
            _ => format!("\n{registry}"),
        };
        let changes = [
            (public, own_port.as_str()),
            (management, "management = \"127.0.0.1:0\""),
            ("private = false", "private = true"),
            ("operators = []", operators.as_str()),
        ];
        edit(&story.path(who).join("countersign.toml"), &changes, &more);
    }
    for who in ["alice", "bob"] {
        edit(&story.path(who).join("countersign.toml"), &[("poll_ms = 2000", "poll_ms = 300")], "");
    }
    let mut operator_url = String::new();
    for who in ["alice", "bob", "operator", "gate"] {
        let running = story.start(who, &["serve"]);
        if who == "operator" {
            operator_url = part(&running, "/public").to_owned();
        }
    }
    Homes { alice: made[0].clone(), bob: made[1].clone(), operator_url, origin }
}

/// The operator admits and approves; the desks take what it signed, exchange contacts, and one lists an asset.
fn meet(story: &Story, homes: &Homes) {
    assert_eq!(story.json("alice", &["contact", "show"])["did"], homes.alice["did"]);
    let recorder = format!("eip155:{}:{}", chain_id(story), part(&homes.alice, "/recorder"));
    for (who, did, name, lei, more) in [
        ("alice", &homes.alice, "Alice Maps GmbH", "LEI=529900T8BM49AURSDO55", vec!["--recorder", recorder.as_str()]),
        ("bob", &homes.bob, "Bob Simulation SE", "LEI=5299009N55YRQC69CN08", vec![]),
    ] {
        let admit = ["admit", "--did", part(did, "/did"), "--legal-name", name, "--legal-id", lei, "--country", "DE"];
        let credential = story.says("operator", &[&admit[..], &more].concat());
        let file = format!("{who}.member");
        fs::write(story.path(&file), credential).unwrap();
        assert!(story.says(who, &["join", &file]).contains("is a member"));
        fs::write(story.path(&format!("{who}.contact")), story.says(who, &["contact", "show"])).unwrap();
    }
    let why = story.fails("alice", &["join", "bob.member"], 1);
    assert!(why.contains(": "), "a refusal names its check: {why}");
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/templates/single-purchase.json");
    fs::write(story.path("purchase.approval"), story.says("operator", &["approve", template])).unwrap();
    assert!(story.says("alice", &["template", "purchase.approval"]).contains(PURCHASE));

    let alice = part(&homes.alice, "/did");
    let why = story.fails("bob", &["catalog", alice], 1);
    assert!(why.contains("contact add"), "{why}");
    story.says("bob", &["contact", "add", "alice.contact"]);
    let text = fs::read_to_string(story.path("bob.contact")).unwrap();
    story.says("alice", &["contact", "add", text.trim()]);
    assert!(story.says("bob", &["contact", "list"]).contains(alice));
    story.fails("bob", &["contact", "add", "nothing.contact"], 2);

    let listing = json!({
        "asset": {
            "id": ASSET_ID, "title": "Motorway junction", "media_type": "application/xml", "sha256": ASSET_SHA256,
            "size": ASSET.len(), "endpoint": format!("{}/assets/junction.xodr", homes.origin),
        },
        "template": PURCHASE, "parameters": { "uses": 3 }, "price": { "amount": "400.00", "currency": "EUR" },
    });
    fs::write(story.path("listing.json"), listing.to_string()).unwrap();
    assert!(story.says("alice", &["list", "listing.json"]).contains(ASSET_ID));
    story.fails("alice", &["list", "alice.contact"], 2);
    assert!(story.says("alice", &["assets"]).contains("400.00 EUR"));
    let catalog = story.says("bob", &["catalog", alice]);
    assert!(catalog.contains(ASSET_ID) && catalog.contains("Motorway junction"), "{catalog}");
}

fn chain_id(story: &Story) -> u64 {
    let text = fs::read_to_string(story.path("alice").join("countersign.toml")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("chain_id = ")).unwrap();
    line.parse().unwrap()
}

/// From the request to the finished contract; the consumer's id of it.
fn negotiate(story: &Story, homes: &Homes) -> String {
    let alice = part(&homes.alice, "/did");
    let asked = story.json("bob", &["request", "--from", alice, "--asset", ASSET_ID, "--price", "350.00 EUR"]);
    let id = part(&asked, "/id").to_owned();
    let brief = &id["urn:uuid:".len()..][..12];
    let waiting = story.eventually("the request", || {
        let waiting = story.json("alice", &["inbox"]);
        waiting[0]["decision"].as_str().is_some().then(|| waiting[0].clone())
    });
    assert_eq!((part(&waiting, "/decision"), part(&waiting, "/price/amount")), ("offer", "350.00"));
    let at_alice = part(&waiting, "/negotiation").to_owned();
    let why = story.fails("bob", &["accept", brief], 1);
    assert!(why.contains("negotiation.state") && why.contains("countersign show"), "{why}");
    assert!(
        story.says("alice", &["offer", &at_alice, "--price", "380.00 EUR", "--accept-within", "2h"]).contains("380.00")
    );

    story.says("bob", &["watch", brief, "--until", "OFFERED", "--wait", "60"]);
    let inbox = story.says("bob", &["inbox"]);
    assert!(inbox.contains("accept an offer") && inbox.contains("380.00 EUR"), "{inbox}");
    let shown = story.says("bob", &["show", brief]);
    for words in ["an offer is on the table", "Motorway junction", "380.00 EUR", "25.00 EUR to the operator", "  1. "] {
        assert!(shown.contains(words), "{words} is missing:\n{shown}");
    }
    let odrl: Value = serde_json::from_str(&story.says("bob", &["show", brief, "--odrl"])).unwrap();
    assert_eq!(odrl["target"], ASSET_ID);
    assert!(story.says("bob", &["accept", brief]).contains("you are bound"));
    let watched = story.says("bob", &["watch", brief, "--wait", "90"]);
    for state in ["REQUESTED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED"] {
        assert!(watched.contains(state), "{watched}");
    }
    assert!(watched.contains("decided by a person"), "{watched}");
    assert!(story.says("bob", &["negotiations"]).contains("FINALIZED"));

    story.says("bob", &["contract", brief, "-o", "contract.json"]);
    story.says("bob", &["verify", "contract.json"]);
    id
}

/// A request that is cancelled, and one that is rejected; told over the address and key of a node.
fn change_ones_mind(story: &Story, homes: &Homes) {
    let running: Value = serde_json::from_slice(&fs::read(story.path("bob").join("running.json")).unwrap()).unwrap();
    let elsewhere = ["--node", part(&running, "/management"), "--key-file", "bob/api-key"];
    let request = ["request", "--from", part(&homes.alice, "/did"), "--asset", ASSET_ID];
    let ids = [(), ()].map(|()| part(&story.json("nobody", &[&request[..], &elsewhere].concat()), "/id").to_owned());
    story.says("nobody", &[&["cancel", &ids[0], "--reason", "the project was stopped"][..], &elsewhere].concat());
    story.eventually("both requests", || {
        let all = story.json("alice", &["negotiations"]);
        (all.as_array().unwrap().len() == 3).then_some(())
    });
    story.says("alice", &["reject", &ids[1], "--reason", "not for sale"]);
    for (id, reason) in [(&ids[0], "the project was stopped"), (&ids[1], "not for sale")] {
        for who in ["alice", "bob"] {
            let why = story.fails(who, &["watch", id, "--wait", "60"], 1);
            assert!(why.contains(reason), "{why}");
        }
    }
    let wrong_key = ["inbox", "--node", part(&running, "/management"), "--key-file", "alice/api-key"];
    assert!(story.fails("nobody", &wrong_key, 1).contains("--key-file"));
    story.fails("nobody", &["inbox", "--node", part(&running, "/management")], 2);
    story.fails("bob", &["show", "urn:uuid:"], 2);
    assert!(story.fails("bob", &["audits"], 1).contains("different commands"));
}

/// What the gate's door for a proxy says to a request without a token.
fn asked(door: &str, origin: &str) -> String {
    let mut stream = std::net::TcpStream::connect(door).unwrap();
    let host = origin.strip_prefix("http://").unwrap();
    let question = format!(
        "GET /auth HTTP/1.1\r\nhost: {door}\r\nx-forwarded-method: GET\r\nx-forwarded-uri: /assets/junction.xodr\r\n\
         x-forwarded-host: {host}\r\nx-forwarded-proto: http\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(question.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The asset comes through the gate, the operator audits the fee, and after the end nothing comes any more.
fn use_and_end(story: &Story, homes: &Homes, id: &str) {
    let contract = part(&story.json("bob", &["show", id]), "/offer/contract_id").to_owned();
    story.fails("alice", &["fetch", &contract], 2);
    let fetched = story.eventually("the gate's opening", || {
        let output = story.run("bob", &["fetch", &contract[..20], "-o", "mine.xodr", "--json"]);
        output.status.success().then(|| serde_json::from_slice::<Value>(&output.stdout).unwrap())
    });
    assert_eq!(part(&fetched, "/sha256"), ASSET_SHA256);
    assert_eq!(part(&fetched, "/receipt").split('.').count(), 3);
    assert_eq!(fs::read(story.path("mine.xodr")).unwrap(), ASSET);
    assert!(!story.path("mine.xodr.part").exists());
    story.fails("bob", &["fetch", &contract, "-o", "mine.xodr"], 2);
    let door = fs::read_to_string(story.path("gate").join("forward-address")).unwrap();
    let answer = asked(&door, &homes.origin);
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("www-authenticate: DPoP "), "{answer}");

    let mut other = ASSET.to_vec();
    other[100] ^= 1;
    fs::write(story.path("junction.xodr"), other).unwrap();
    let why = story.fails("bob", &["fetch", &contract, "-o", "other.xodr"], 1);
    assert!(why.contains("other bytes than the contract's") && why.contains("nothing was kept"), "{why}");
    assert!(!story.path("other.xodr").exists() && !story.path("other.xodr.part").exists());
    fs::write(story.path("junction.xodr"), ASSET).unwrap();

    story.says("alice", &["state-fees", "--operator", &homes.operator_url]);
    let audits = story.json("operator", &["audits"]);
    let table = story.says("operator", &["audit", "--", &part(&audits, "/0/id")[..12]]);
    assert!(table.contains(&contract["urn:uuid:".len()..]) && table.contains("25.00 EUR"), "{table}");

    assert!(story.says("alice", &["end", &contract, "--reason", "by-agreement"]).contains("is ended"));
    let refused = story.eventually("the gate's closing", || {
        let output = story.run("bob", &["fetch", id, "-o", "again.xodr", "--force"]);
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code() == Some(1) && why.contains("force.ended")).then_some(why)
    });
    assert!(refused.contains("this contract is over"), "{refused}");
    // The withdrawal account is new and has no coins: the wallet's recorder account pays for what it signs.
    assert!(story.says("bob", &["withdraw", &contract, "--reason", "unspecified"]).contains("is withdrawn from"));
}
