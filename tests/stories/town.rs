//! The town in which a story happens: a directory, homes in it, and the processes that run.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::passphrase::passphrase_file;

const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign");
pub const ASSET: &[u8] = include_bytes!("../../fixtures/assets/motorway-junction.xodr");
pub const ASSET_SHA256: &str = "4bec736d21e354a3ab37505bd3757cd129b7afb72ac8e217133ed707ae617c09";
pub const TEMPLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/templates/single-purchase.json");
pub const PURCHASE: &str = "urn:uuid:5b0f6a3e-6c0d-4a57-9d2c-7f5f0f6f1a01";

/// A process that does not outlive the story, however it ends.
struct Running {
    who: String,
    process: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub struct Town {
    dir: tempfile::TempDir,
    processes: Vec<Running>,
}

impl Town {
    /// An operator, alice, bob and alice's gate have homes; a chain with a registry runs, and nobody else yet.
    pub fn found() -> Self {
        let mut town = Self { dir: tempfile::tempdir().unwrap(), processes: Vec::new() };
        town.says("operator", &["init", "--local", "--purpose", "operator"]);
        let operator = town.id("operator");
        for who in ["alice", "bob"] {
            town.says(who, &["init", "--local", "--operator", &operator]);
            // People here talk about terms that no catalog has.
            let file = town.path(who).join("countersign.toml");
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.contains("\nuncataloged = \"reject\""), "{text}");
            fs::write(&file, text.replace("\nuncataloged = \"reject\"", "\nuncataloged = \"manual\"")).unwrap();
        }
        let alice = town.id("alice");
        town.says("gate", &["init", "--local", "--purpose", "gate", "--provider", &alice, "--operator", &operator]);
        let funds = ["--fund", "alice=1000", "--fund", "bob=1000"];
        let pace = ["--block-time-ms", "300", "--finality-blocks", "3"];
        town.start("chain", &[&["chain", "--dir", "chain", "--listen", "127.0.0.1:0"], &funds[..], &pace].concat());
        town.keep("registry.toml", &town.says("alice", &["deploy", "--chain", "chain"]));
        for who in ["operator", "alice", "bob", "gate"] {
            town.says(who, &["trust", "--chain", "registry.toml"]);
        }
        town
    }

    /// The same; alice and bob run and are members, and alice has the operator's template and a name for bob, as he has
    /// for her.
    pub fn in_business() -> Self {
        let mut town = Self::found();
        for who in ["operator", "alice", "bob"] {
            town.serve(who);
        }
        for who in ["alice", "bob"] {
            town.admit(who, &[]);
        }
        town.keep("purchase.approval", &town.says("operator", &["approve", TEMPLATE]));
        town.says("alice", &["template", "add", "purchase.approval"]);
        for (who, other) in [("alice", "bob"), ("bob", "alice")] {
            let link = town.says(who, &["invite"]);
            town.says(other, &["contact", "add", link.trim(), "--name", who]);
        }
        town
    }

    /// The operator admits `who`, which takes the credential; alice's recorder records for her.
    pub fn admit(&self, who: &str, more: &[&str]) {
        let (did, recorder) = (self.id(who), self.says(who, &["id", "--recorder"]));
        let (name, lei) = match who {
            "alice" => ("Alice Maps GmbH", "LEI=529900T8BM49AURSDO55"),
            _ => ("Bob Simulation SE", "LEI=5299009N55YRQC69CN08"),
        };
        let order = ["admit", "--did", &did, "--legal-name", name, "--legal-id", lei, "--country", "DE"];
        let recorders = ["--recorder", recorder.trim()];
        let file = format!("{who}.member");
        self.keep(&file, &self.says("operator", &[&order[..], &recorders, more].concat()));
        assert!(self.says(who, &["join", &file]).contains(&format!("is a member as {name}")));
    }

    /// Puts the road network behind the gate and starts it; alice lists it.
    pub fn open_the_gate(&mut self) {
        fs::write(self.path("junction.xodr"), ASSET).unwrap();
        let guard = ["guard", "junction.xodr", "--title", "Motorway junction"];
        self.keep("junction.json", &self.says("gate", &guard));
        self.serve("gate");
        let terms = ["--template", "Single", "--set", "uses=3", "--price", "400.00 EUR"];
        let words =
            ["--description", "An OpenDRIVE network near Munich", "--keyword", "opendrive", "--meta", "region=DE-BY"];
        self.says("alice", &[&["list", "junction.json"], &terms[..], &words].concat());
    }

    /// From bob's request to the finished contract; bob's id of the negotiation.
    pub fn contract(&self) -> String {
        self.says("bob", &["catalog", "alice"]);
        let asked = self.json("bob", &["request", "--from", "alice", "--asset", "Motorway junction"]);
        let id = part(&asked, "/id").to_owned();
        let waiting = self.json("alice", &["inbox", "--wait", "60"]);
        self.says("alice", &["offer", part(&waiting, "/0/negotiation")]);
        self.says("bob", &["inbox", "--wait", "60"]);
        self.says("bob", &["accept", &id]);
        self.says("bob", &["watch", &id, "--wait", "60"]);
        id
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn keep(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn id(&self, who: &str) -> String {
        self.says(who, &["id"]).trim().to_owned()
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

    pub fn run(&self, who: &str, arguments: &[&str]) -> Output {
        self.command(who, arguments).output().unwrap()
    }

    /// What a command says that has to succeed.
    pub fn says(&self, who: &str, arguments: &[&str]) -> String {
        let output = self.run(who, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{who}: {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same, with --json.
    pub fn json(&self, who: &str, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.says(who, &arguments)).unwrap()
    }

    /// What a command says that speaks JSON by itself.
    pub fn json_of(&self, who: &str, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.says(who, arguments)).unwrap()
    }

    /// The events that a watch with --json prints until its time is over, one a line.
    pub fn json_lines(&self, who: &str, arguments: &[&str]) -> Vec<Value> {
        let said = self.says(who, &[arguments, &["--json"]].concat());
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a command complains of that has to fail with `code`.
    pub fn fails(&self, who: &str, arguments: &[&str], code: i32) -> String {
        let output = self.run(who, arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{who}: {arguments:?}: {errors}");
        errors
    }

    /// Says all of `words`, in any order.
    pub fn tells(&self, who: &str, arguments: &[&str], words: &[&str]) -> String {
        let said = self.says(who, arguments);
        for word in words {
            assert!(said.contains(word), "{who}: {arguments:?} does not say `{word}`:\n{said}");
        }
        said
    }

    pub fn serve(&mut self, who: &str) -> Value {
        let running = self.start(who, &["serve"]);
        self.says(who, &["ready", "--wait", "60"]);
        running
    }

    /// Kills what runs for `who`, as a power cut would.
    pub fn stop(&mut self, who: &str) {
        self.processes.retain(|running| running.who != who);
    }

    /// Starts what keeps running; the line in which it says where it listens.
    pub fn start(&mut self, who: &str, arguments: &[&str]) -> Value {
        let log = fs::File::create(self.path(&format!("{who}.log"))).unwrap();
        let mut command = self.command(who, arguments);
        let process = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut running = Running { who: who.into(), process };
        let mut line = String::new();
        BufReader::new(running.process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        self.processes.push(running);
        let log = || fs::read_to_string(self.path(&format!("{who}.log"))).unwrap_or_default();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{who} did not start: {}", log()))
    }

    /// Waits for what comes through the network or from the chain.
    pub fn eventually<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            if let Some(found) = look() {
                return found;
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        panic!("{what} did not happen within a minute");
    }
}

pub fn part<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

/// The first letters of an id, as people write it.
pub fn brief(id: &str) -> &str {
    &id["urn:uuid:".len()..][..12]
}
