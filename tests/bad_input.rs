//! What goes wrong on a node's own machine: each has a message that a person can act on, and nothing is lost.

#[path = "support/wallets.rs"]
mod wallets;

use std::fs;
use std::net::TcpListener;

use serde_json::{Map, Value, json};
use wallets::{ASSET, Street, Wallet, program};

fn refuses_to_start(wallet: &Wallet) -> String {
    let output = program().args(["serve", "--home"]).arg(&wallet.home).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn edit(wallet: &Wallet, from: &str, to: &str) {
    let file = wallet.home.join("countersign.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&file, text.replace(from, to)).unwrap();
}

#[test]
fn a_node_says_what_is_wrong_and_goes_on_when_it_is_mended() {
    let mut street = Street::open("");
    full_disk(&mut street);
    let provider = &mut street.provider;

    // A misspelt name: which, where, and what was meant.
    provider.process = None;
    edit(provider, "private = true", "privat = true");
    let why = refuses_to_start(provider);
    assert!(why.contains("unknown field `privat`") && why.contains("Did you mean `private`?"), "{why}");
    assert!(why.contains("countersign.toml") && why.contains("line 6"), "{why}");
    edit(provider, "privat = true", "private = true");

    // A port in use: whose setting it is, and the way out.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = fs::read_to_string(provider.home.join("countersign.toml")).unwrap();
    let public = text.lines().find(|line| line.starts_with("public = ")).unwrap().to_owned();
    edit(provider, &public, &format!("public = \"{}\"", taken.local_addr().unwrap()));
    let why = refuses_to_start(provider);
    assert!(why.contains(&taken.local_addr().unwrap().to_string()) && why.contains("`public` in [listen]"), "{why}");
    edit(provider, &format!("public = \"{}\"", taken.local_addr().unwrap()), &public);

    // A damaged store: kept as it is, and the way back.
    let store = provider.home.join("store.sqlite");
    let whole = fs::read(&store).unwrap();
    let journal = provider.home.join("store.sqlite-wal");
    let log = fs::read(&journal).unwrap_or_default();
    let _ = fs::remove_file(&journal);
    let _ = fs::remove_file(provider.home.join("store.sqlite-shm"));
    for damage in [b"this is no database, whatever its name says".to_vec(), {
        let mut bytes = whole.clone();
        bytes[100..4096].fill(0xa5);
        bytes
    }] {
        fs::write(&store, &damage).unwrap();
        let why = refuses_to_start(provider);
        assert!(why.contains("is damaged") && why.contains("countersign restore"), "{why}");
        assert_eq!(fs::read(&store).unwrap(), damage, "the damaged file is kept");
    }
    // Nor is one that is gone taken for a wallet that has never done anything.
    fs::remove_file(&store).unwrap();
    let why = refuses_to_start(provider);
    assert!(why.contains("there was one here") && why.contains("countersign restore"), "{why}");
    fs::write(&store, whole).unwrap();
    fs::write(&journal, log).unwrap();
    provider.start();
    provider.reach("REQUESTED");
}

/// A store that may not grow takes nothing in, says so, and loses nothing that it took.
fn full_disk(street: &mut Street) {
    let (provider, consumer) = (&mut street.provider, &mut street.consumer);
    // The node comes back on a disk without room: what it has is there, and each message waits at its sender.
    provider.process = None;
    provider.start_without_room(512);
    let template = provider.get("/api/assets")[0]["template"].clone();
    let list = |provider: &Wallet, number: usize, size: usize| {
        // As much as a listing may say, where much is wanted.
        let members = size.saturating_sub(2_000).div_ceil(390).min(32);
        let metadata: Map<String, Value> =
            (0..members).map(|place| (format!("{place:0>190}"), json!("y".repeat(200)))).collect();
        let listing = json!({
            "asset": {
                "id": format!("urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c1{number:03x}"), "title": "Filler",
                "media_type": "application/xml", "sha256": "9f".repeat(32), "size": 1,
                "endpoint": "https://data.example/filler.xodr",
            },
            "template": template, "parameters": { "uses": 3 }, "price": { "amount": "4.00", "currency": "EUR" },
            "description": "x".repeat(size.min(2_000)), "metadata": metadata,
        });
        provider.call("POST", "/api/assets", Some(&listing))
    };
    let (mut number, mut taken) = (0, 0);
    for size in [14_000, 6_000, 2_000, 500] {
        loop {
            let (status, answer) = list(provider, number, size);
            number += 1;
            if status == 507 {
                assert!(answer["error"]["message"].as_str().unwrap().contains("make room"), "{answer}");
                break;
            }
            assert!(status < 300, "{status} {answer}");
            taken += 1;
            assert!(number < 200, "the store grows past its limit");
        }
    }
    assert_eq!(provider.get("/api/assets").as_array().unwrap().len(), 1 + taken, "what was acknowledged is there");

    let (status, ready) = provider.call("GET", "/ready", None);
    assert_eq!((status, &ready["missing"][0]["what"]), (503, &json!("store")), "{ready}");

    // A message is not acknowledged: its sender keeps it and repeats it.
    consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let view = consumer.negotiation().unwrap();
        if view["messages"][0]["note"].as_str().is_some_and(|note| note.contains("507")) {
            break;
        }
        assert!(std::time::Instant::now() < until, "{view}");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(provider.get("/api/negotiations"), json!([]));

    // Room is made while it runs, and it goes on by itself.
    provider.make_room();
    provider.reach("REQUESTED");
    assert_eq!(provider.get("/api/assets").as_array().unwrap().len(), 1 + taken);
    assert_eq!(list(provider, number, 14_000).0, 200);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while provider.call("GET", "/ready", None).0 != 200 {
        assert!(std::time::Instant::now() < until, "it says that it takes nothing, and it does");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }

    // The same where the configuration says how much the store may take; a restart with more lets it go on.
    provider.process = None;
    edit(provider, "[wallet]\n", "[store]\nmost_mb = 1\n\n[wallet]\n");
    provider.start();
    let (status, answer) =
        (0..200).map(|more| list(provider, number + 1 + more, 14_000)).find(|(status, _)| *status >= 300).unwrap();
    assert_eq!(status, 507, "{answer}");
    provider.process = None;
    edit(provider, "most_mb = 1\n", "most_mb = 64\n");
    provider.start();
    assert_eq!(list(provider, number + 300, 14_000).0, 200);
}
