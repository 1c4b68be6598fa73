//! Nodes that are killed at every step, as real processes: nothing is lost, nothing happens twice.

#[path = "support/wallets.rs"]
mod wallets;

use serde_json::json;
use wallets::{ASSET, Street, Wallet, program};

#[test]
fn a_negotiation_goes_on_whenever_its_nodes_are_killed() {
    let mut street = Street::open("");
    let (provider, consumer) = (&mut street.provider, &mut street.consumer);

    // The provider is down when the request is made: it is repeated until it arrives.
    provider.process = None;
    consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
    consumer.crash();
    provider.start();
    let id = provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();

    provider.crash();
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    provider.crash();
    consumer.crash();
    let own = consumer.reach("OFFERED")["id"].as_str().unwrap().to_owned();

    consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    consumer.crash();
    provider.reach("ACCEPTED");
    provider.crash();
    let agreed = provider.reach("AGREED");
    provider.crash();
    consumer.crash();
    consumer.reach("VERIFIED");
    consumer.crash();
    provider.reach("FINALIZED");
    provider.crash();
    consumer.reach("FINALIZED");

    let whole = ["REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED"];
    for wallet in [&*provider, &*consumer] {
        let view = wallet.negotiation().unwrap();
        let states: Vec<&str> =
            view["history"].as_array().unwrap().iter().map(|moved| moved["state"].as_str().unwrap()).collect();
        assert_eq!(states, whole, "each state once, in order");
        assert_eq!(wallet.get("/api/negotiations").as_array().unwrap().len(), 1, "nothing happened twice");
        assert_eq!(view["entry"]["hash"], agreed["hash"]);
    }
    let file = |wallet: &Wallet, id: &str| wallet.get(&format!("/api/negotiations/{id}/contract"));
    assert_eq!(file(provider, &id), file(consumer, &own), "both hold the same contract");

    // One node a home: the second says which process and address is in the way; desks find the first all the same.
    let second = program().args(["serve", "--home"]).arg(&provider.home).output().unwrap();
    assert!(!second.status.success(), "a second node on the same home is refused");
    let why = String::from_utf8_lossy(&second.stderr).into_owned();
    let text = std::fs::read_to_string(provider.home.join("running.json")).unwrap();
    let running: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(why.contains(&format!("process {}", running["pid"])), "{why}");
    assert!(why.contains(running["management"].as_str().unwrap()), "{why}");
    let desk =
        |wallet: &Wallet| program().args(["negotiations", "--json", "--home"]).arg(&wallet.home).output().unwrap();
    assert!(desk(provider).status.success());

    // Keys do not get into a core dump.
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", running["pid"])).unwrap();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(cores.split_whitespace().filter(|word| *word == "0").count(), 2, "{cores}");

    // What a killed node left in its home leads nobody to a stranger's port.
    provider.process = None;
    let why = String::from_utf8_lossy(&desk(provider).stderr).into_owned();
    assert!(why.contains("does not run") && why.contains("countersign serve"), "{why}");
}
