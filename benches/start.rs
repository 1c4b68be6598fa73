//! How long a wallet's node takes from a cold start until it is ready, and how much memory it holds while it idles.
//!
//! A start is measured from the spawning of the process until `GET /ready` answers 200. The goal counts beside the key
//! derivation: that is the start of a node whose keys open with a key file; the same with a passphrase is printed too.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign");
const START_GOAL_MS: f64 = 200.0;
const MEMORY_GOAL_MB: f64 = 60.0;
const STARTS: usize = 7;
const IDLE: Duration = Duration::from_secs(3);

/// A process that ends with the bench.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Town {
    dir: tempfile::TempDir,
}

impl Town {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn secret(&self, name: &str, text: &str) {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(self.path(name)).unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// A command of `home`, whose keys open with a key file if it is called so, otherwise with a passphrase.
    fn command(&self, home: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.dir.path()).stdin(Stdio::null()).env("COUNTERSIGN_HOME", home);
        let unlock = if home == "by-key" { "COUNTERSIGN_KEYRING_KEY_FILE" } else { "COUNTERSIGN_PASSPHRASE_FILE" };
        command.env(unlock, self.path(home).with_extension("secret"));
        command
    }

    fn says(&self, home: &str, arguments: &[&str]) -> String {
        let output = self.command(home, arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn start(&self, home: &str, arguments: &[&str]) -> (Running, serde_json::Value) {
        let mut running = Running(self.command(home, arguments).stdout(Stdio::piped()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (running, serde_json::from_str(&line).unwrap())
    }

    /// A node from its spawning until it is ready.
    fn ready(&self, home: &str) -> (Running, Duration) {
        let began = Instant::now();
        let (running, listens) = self.start(home, &["serve"]);
        let address = listens["management"].as_str().unwrap().trim_start_matches("http://").to_owned();
        while !is_ready(&address) {
            assert!(began.elapsed() < Duration::from_secs(30), "{home} is not ready within 30 s");
            std::thread::sleep(Duration::from_millis(1));
        }
        (running, began.elapsed())
    }
}

fn is_ready(address: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        Ok(said)
    };
    ask().is_ok_and(|said| said.starts_with("HTTP/1.1 200"))
}

/// What a process holds in memory, in MB of 1000 · 1000 bytes.
fn resident_mb(process: &Child) -> Option<f64> {
    let status = fs::read_to_string(Path::new("/proc").join(process.id().to_string()).join("status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().trim_end_matches(" kB");
    Some(kib.parse::<f64>().ok()? * 1024.0 / 1e6)
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn main() {
    let town = Town { dir: tempfile::tempdir().unwrap() };
    town.secret("by-key.secret", &format!("{}\n", "5a".repeat(32)));
    town.secret("by-passphrase.secret", "correct horse battery staple\n");
    for home in ["by-key", "by-passphrase"] {
        town.says(home, &["init", "--local"]);
    }
    let chain = ["chain", "--dir", "chain", "--listen", "127.0.0.1:0", "--fund", "by-key=100"];
    let (_chain, _) = town.start("by-key", &chain);
    fs::write(town.path("registry.toml"), town.says("by-key", &["deploy", "--chain", "chain"])).unwrap();
    for home in ["by-key", "by-passphrase"] {
        town.says(home, &["trust", "--chain", "registry.toml"]);
        drop(town.ready(home));
    }
    let times = |home: &str| median((0..STARTS).map(|_| town.ready(home).1).collect());
    let (bare, derived) = (times("by-key"), times("by-passphrase"));
    let (idle, _) = town.ready("by-key");
    std::thread::sleep(IDLE);
    println!("start     {bare:.0} ms beside the key derivation, {derived:.0} ms with it (median of {STARTS})");
    match resident_mb(&idle.0) {
        Some(memory) => {
            println!("memory    {memory:.1} MB resident, idle for {} s", IDLE.as_secs());
            println!("start {:.2} of its goal", bare / START_GOAL_MS);
            println!("memory {:.2} of its goal", memory / MEMORY_GOAL_MB);
        }
        None => {
            println!("memory    not measured: this system has no /proc");
            println!("start {:.2} of its goal", bare / START_GOAL_MS);
        }
    }
}
