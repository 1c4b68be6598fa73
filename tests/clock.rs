//! A machine whose clock is an hour off: nothing is decided by it, and it goes on by itself once the clock is right.

#[path = "support/wallets.rs"]
mod wallets;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wallets::{ASSET, Street, Wallet};

/// A chain of its own, whose blocks are dated otherwise.
struct Shifted(Child);

impl Shifted {
    fn on(journal: &Path, port: u16, offset: i64, fund: &str) -> (Self, String) {
        let mut command = wallets::program();
        command
            .args(["chain", "--block-time-ms", "200", "--finality-blocks", "5", "--fund", fund, "--dir"])
            .arg(journal);
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--clock-offset", &offset.to_string()]);
        let mut child = Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        (child, said["rpc"].as_str().unwrap().to_owned())
    }
}

impl Drop for Shifted {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A provider that sees a chain whose blocks are dated an hour off: by them its machine's clock is off.
struct Scene {
    chain: Option<Shifted>,
    journal: PathBuf,
    port: u16,
    fund: String,
}

impl Scene {
    fn set(street: &mut Street, offset: i64) -> Self {
        let journal = street.dir.path().join("shifted");
        let fund = format!("{}=1000", street.provider.recorder);
        let port = wallets::free_port();
        let (chain, rpc) = Shifted::on(&journal, port, offset, &fund);
        // The same account's first transaction founds the registry at the same address as on the street's chain.
        let mut deploy = wallets::program();
        let deployed = deploy.args(["deploy", "--rpc", &rpc, "--home"]).arg(&street.provider.home).output().unwrap();
        assert!(deployed.status.success(), "{}", String::from_utf8_lossy(&deployed.stderr));
        let configuration = street.provider.home.join("countersign.toml");
        let text = fs::read_to_string(&configuration).unwrap();
        fs::write(&configuration, text.replace(&street.rpc, &rpc)).unwrap();
        street.provider.crash();
        Self { chain: Some(chain), journal, port, fund }
    }

    /// The clock is set: another chain at the same address is dated as this machine dates it.
    fn set_right(&mut self, journal: &Path) {
        self.chain = None;
        self.chain = Some(Shifted::on(journal, self.port, 0, &self.fund).0);
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn ready(wallet: &Wallet) -> (u16, Value) {
    wallet.call("GET", "/ready", None)
}

#[test]
fn nothing_is_decided_by_a_clock_that_is_behind_and_it_goes_on_by_itself() {
    let mut street = Street::open("");
    street.consumer.post("/api/requests", &json!({ "provider": street.provider.did, "asset": ASSET }));
    let id = street.provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();
    let mut scene = Scene::set(&mut street, 3600);
    let provider = &street.provider;

    let (status, answer) = provider.call("POST", &format!("/api/negotiations/{id}/offer"), Some(&json!({})));
    assert_eq!((status, &answer["error"]["check"]), (503, &json!("clock.right")), "{answer}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("behind") && message.contains("NTP") && message.contains("min"), "{message}");
    let (status, answer) = ready(provider);
    assert_eq!((status, &answer["missing"][0]["what"]), (503, &json!("clock")), "{answer}");
    assert!(answer["missing"][0]["why"].as_str().unwrap().contains("behind"));
    assert!(fs::read_to_string(provider.home.join("node.log")).unwrap().contains("this machine's clock says"));
    assert_eq!(provider.get(&format!("/api/negotiations/{id}"))["state"], "REQUESTED");

    // What was dated ahead cannot be taken back: a clock set right sees blocks of the street's own chain.
    let journal = street.dir.path().join("right");
    fs::create_dir(&journal).unwrap();
    for file in fs::read_dir(street.dir.path().join("chain")).unwrap().map(|file| file.unwrap().path()) {
        if !file.ends_with("lock") {
            fs::copy(&file, journal.join(file.file_name().unwrap())).unwrap();
        }
    }
    scene.set_right(&journal);
    until("the clock is right again", || ready(provider).0 == 200);
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    street.consumer.reach("OFFERED");
}

#[test]
fn a_rule_and_what_comes_in_wait_for_a_clock_that_is_ahead() {
    what_comes_in_waits(false);
}

#[test]
fn what_comes_over_the_dataspace_protocol_waits_for_a_clock_that_is_right_as_well() {
    what_comes_in_waits(true);
}

fn append(wallet: &Wallet, table: &str) {
    let path = wallet.home.join("countersign.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\n{table}\n")).unwrap();
}

fn what_comes_in_waits(over_dsp: bool) {
    let rule = "[[wallet.consent.rule]]\nname = \"as listed\"\npoint = \"offer\"\n\
                price_ceiling = { amount = \"500.00\", currency = \"EUR\" }\n";
    let mut street = Street::open(rule);
    if over_dsp {
        let running = fs::read(street.provider.home.join("running.json")).unwrap();
        let running: Value = serde_json::from_slice(&running).unwrap();
        let address = format!("{}/dsp/2025-1", running["public"].as_str().unwrap());
        let peer = format!("[[dsp.peer]]\nparticipant = \"{}\"\naddress = \"{address}\"", street.provider.did);
        append(&street.consumer, &peer);
        street.consumer.crash();
        append(&street.provider, "[dsp]");
    }
    let mut scene = Scene::set(&mut street, -3600);
    until("the clock is known to be ahead", || ready(&street.provider).0 == 503);
    let (_, answer) = ready(&street.provider);
    assert!(answer["missing"][0]["why"].as_str().unwrap().contains("ahead"), "{answer}");
    street.consumer.post("/api/requests", &json!({ "provider": street.provider.did, "asset": ASSET }));
    std::thread::sleep(Duration::from_secs(3));
    assert!(street.provider.negotiation().is_none(), "an envelope was judged by a clock that is wrong");
    assert!(street.provider.get("/api/refused").as_array().unwrap().is_empty());

    let journal = scene.journal.clone();
    scene.set_right(&journal);
    // Kept, opened, and decided by the rule.
    let view = street.provider.reach("OFFERED");
    assert_eq!(view["decisions"][0]["by"], json!({ "kind": "rule", "name": "as listed" }));
    assert_eq!(ready(&street.provider).0, 200);
}
