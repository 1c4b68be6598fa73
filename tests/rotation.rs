//! did:web wallets as real processes: they meet without an invitation, rotate their keys, and every contract of before
//! still verifies and still opens the gate.

#[path = "support/wallets.rs"]
mod wallets;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use countersign::encoding::Digest;
use serde_json::{Value, json};
use wallets::{Street, Wallet, admit, program, said};

const ASSET: &str = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0002";

/// Gives the provider a gate of its own, and something behind it.
fn guard(street: &mut Street) {
    let data = street.dir.path().join("junction.xodr");
    fs::write(&data, "<OpenDRIVE/>").unwrap();
    let sha256 = Digest::of("<OpenDRIVE/>").hex().trim_start_matches("0x").to_owned();
    let provider = &mut street.provider;
    let origin = format!("http://127.0.0.1:{}", provider.public);
    let path = provider.home.join("countersign.toml");
    let gate = format!(
        "{}\n[gate]\norigin = {origin:?}\nproviders = [{:?}]\nrecorders = [{:?}]\npoll_ms = 200\n\n[[gate.assets]]\nid = {ASSET:?}\n\
         path = \"/assets/junction.xodr\"\nsource = {{ file = {data:?} }}\nmedia_type = \"application/xml\"\n\
         sha256 = {sha256:?}\n",
        fs::read_to_string(&path).unwrap(),
        provider.did,
        provider.recorder,
    );
    fs::write(&path, gate).unwrap();
    provider.crash();
    let template = provider.get("/api/assets")[0]["template"].clone();
    let asset = json!({
        "id": ASSET, "title": "Junction", "media_type": "application/xml", "sha256": sha256, "size": 12,
        "endpoint": format!("{origin}/assets/junction.xodr"),
    });
    let price = json!({ "amount": "400.00", "currency": "EUR" });
    let listing = json!({ "asset": asset, "template": template, "parameters": { "uses": 3 }, "price": price });
    provider.post("/api/assets", &listing);
}

/// Asks for the asset and negotiates to the end; the contract as its consumer has it.
fn contract(street: &Street) -> Value {
    let (provider, consumer) = (&street.provider, &street.consumer);
    consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
    let id = requested(provider);
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    conclude(street)
}

/// The provider's newest negotiation, once it waits for an offer.
fn requested(provider: &Wallet) -> String {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let newest = provider.negotiation().filter(|view| view["state"] == "REQUESTED");
        if let Some(view) = newest {
            return view["id"].as_str().unwrap().to_owned();
        }
        assert!(std::time::Instant::now() < until, "no request came: {:?}", provider.get("/api/refused"));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn conclude(street: &Street) -> Value {
    let (provider, consumer) = (&street.provider, &street.consumer);
    let own = consumer.reach("OFFERED")["id"].as_str().unwrap().to_owned();
    consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    provider.reach("FINALIZED");
    consumer.reach("FINALIZED")
}

fn file(wallet: &Wallet, negotiation: &Value, into: &Path) {
    let file = wallet.get(&format!("/api/negotiations/{}/contract", negotiation["id"].as_str().unwrap()));
    fs::write(into, file.to_string()).unwrap();
}

fn verify(street: &Street, file: &Path, only: &[&str]) -> (Option<i32>, String) {
    let output = program()
        .args(["verify", file.to_str().unwrap(), "--home", street.consumer.home.to_str().unwrap()])
        .args(only)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn fetch(street: &Street, contract: &Value, name: &str) -> String {
    let into = street.dir.path().join(name);
    let home = street.consumer.home.to_str().unwrap();
    let id = contract["id"].as_str().unwrap();
    let output = program().args(["fetch", id, "--home", home, "-o", into.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read_to_string(into).unwrap()
}

#[test]
fn keys_are_rotated_and_every_contract_of_before_stands() {
    let mut street = Street::open_web("");
    guard(&mut street);
    let document = street.provider.document();
    assert_eq!(document["id"], street.provider.did.as_str());
    assert_eq!(document["service"][0]["type"], "DIDCommMessaging");
    let operator = street.dir.path().join("operator");
    let operator = operator.to_str().unwrap();

    // Nobody has invited anybody.
    let asked = street.consumer.post("/api/catalogs", &json!({ "provider": street.provider.did }));
    let catalog = format!("/api/catalogs/{}", asked["id"].as_str().unwrap());
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while street.consumer.call("GET", &catalog, None).0 != 200 {
        assert!(std::time::Instant::now() < until, "no catalog: {:?}", street.provider.get("/api/refused"));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    // The operator gets to know the member by the credential of before.
    audited(&street, operator, 0);
    let before = contract(&street);
    let old = street.dir.path().join("before.json");
    file(&street.consumer, &before, &old);
    let held: Value = serde_json::from_slice(&fs::read(&old).unwrap()).unwrap();
    assert_eq!(held["did_documents"].as_object().unwrap().len(), 2);
    assert_eq!(verify(&street, &old, &[]).0, Some(0), "{}", verify(&street, &old, &[]).1);
    assert_eq!(fetch(&street, &before, "first"), "<OpenDRIVE/>");

    // A node that runs keeps its keys.
    let home = street.provider.home.to_str().unwrap().to_owned();
    let running = program().args(["keys", "rotate", "--home", &home]).output().unwrap();
    assert!(!running.status.success());

    // A thief has taken a copy of the keys of before.
    let thief = street.dir.path().join("thief");
    let mut fresh = Vec::new();
    for wallet in [&mut street.provider, &mut street.consumer] {
        wallet.process = None;
        if wallet.home.ends_with("provider") {
            copy(&wallet.home, &thief);
        }
        let rotated = said(&["keys", "rotate", "--json", "--home", wallet.home.to_str().unwrap()]);
        assert_ne!(rotated["key"], rotated["replaced_key"]);
        fresh.push((rotated["key"].as_str().unwrap().to_owned(), rotated["replaced_key"].as_str().unwrap().to_owned()));
        wallet.start();
    }
    let document = street.provider.document();
    let (new, replaced) = &fresh[0];
    let name = |key: &str| format!("{}#{key}", street.provider.did);
    assert_eq!(document["assertionMethod"], json!([name(new)]));
    let methods = document["verificationMethod"].as_array().unwrap();
    let former = methods.iter().find(|method| method["id"] == name(replaced).as_str()).unwrap();
    assert!(former["revoked"].is_string(), "{former}");

    // What was concluded before stands, and the gate knows it.
    assert_eq!(verify(&street, &old, &[]).0, Some(0), "{}", verify(&street, &old, &[]).1);
    assert_eq!(verify(&street, &old, &["--proven"]).0, Some(0));
    assert_eq!(fetch(&street, &before, "second"), "<OpenDRIVE/>");
    let again = street.dir.path().join("again.json");
    file(&street.consumer, &before, &again);
    assert_eq!(fs::read(&again).unwrap(), fs::read(&old).unwrap(), "the same contract file as before");

    // What is new waits for the operator, and says so.
    let (status, told) = street.consumer.call(
        "POST",
        "/api/requests",
        Some(&json!({ "provider": street.provider.did, "asset": ASSET })),
    );
    assert!(status >= 400 && told.to_string().contains("countersign admit"), "{status} {told}");
    admit(&street.consumer, &fresh[1].0, &street.registry, operator);
    street.consumer.post("/api/requests", &json!({ "provider": street.provider.did, "asset": ASSET }));
    let id = requested(&street.provider);
    let offer = format!("/api/negotiations/{id}/offer");
    let (status, told) = street.provider.call("POST", &offer, Some(&json!({})));
    assert!(status >= 400 && told.to_string().contains(new.as_str()), "{status} {told}");
    admit(&street.provider, new, &street.registry, operator);
    street.provider.post(&offer, &json!({}));
    let after = conclude(&street);
    let second = street.dir.path().join("after.json");
    file(&street.provider, &street.provider.negotiation().unwrap(), &second);
    assert_eq!(verify(&street, &second, &[]).0, Some(0), "{}", verify(&street, &second, &[]).1);
    assert_eq!(fetch(&street, &after, "third"), "<OpenDRIVE/>");

    audited(&street, operator, 2);

    // Whoever has the key of before says nothing in this provider's name any more.
    stolen(&street, &thief, replaced);

    // The consumer's desk shows what has changed, until its owner has seen it.
    let did = &street.provider.did;
    desk(&street, &["contact", "name", did, "alice"]);
    let listed = desk(&street, &["contact", "list"]);
    for words in ["alice", did, "1, not confirmed", "What changed about alice", "signing key: ", new, "confirm alice"] {
        assert!(listed.contains(words), "`{words}` is missing: {listed}");
    }
    assert!(desk(&street, &["contact", "confirm", "alice"]).contains(did));
    let listed = desk(&street, &["contact", "list"]);
    assert!(listed.contains("1, confirmed") && listed.contains("signing key: "), "{listed}");
    assert!(!listed.contains("countersign contact confirm"), "{listed}");
    let listed: Value = serde_json::from_str(&desk(&street, &["contact", "list", "--json"])).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["confirmed"]), (&json!("alice"), &json!(true)));
    desk(&street, &["contact", "forget", "alice"]);
    assert!(desk(&street, &["contact", "list"]).contains("no contacts yet"));
}

/// What a command says at the consumer's desk.
fn desk(street: &Street, arguments: &[&str]) -> String {
    let output = program().args(arguments).arg("--home").arg(&street.consumer.home).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The operator audits what stands since the last time; in the end one contract signed with the key of before, and one
/// signed with the key of now.
fn audited(street: &Street, operator: &str, contracts: u64) {
    let registry = &street.registry;
    let configuration = format!(
        "[listen]\npublic = \"127.0.0.1:0\"\nmanagement = \"127.0.0.1:0\"\n\n[network]\nprivate = true\n\n[trust]\n\n\
         [[trust.chains]]\nchain_id = {}\nregistry = {}\ncode_hash = {}\nrpc = [{:?}]\n\n[operator]\n",
        registry["chain_id"], registry["registry"], registry["code_hash"], street.rpc,
    );
    fs::write(Path::new(operator).join("countersign.toml"), configuration).unwrap();
    let log = street.dir.path().join("operator.log");
    let (_node, listening) = wallets::start(&["serve", "--home", operator], &log);
    // The period ends with the newest final block, and holds what stands before it.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let made = street.provider.post("/api/statements", &json!({ "operator_url": listening["public"] }));
    assert_eq!(
        (&made["contracts"], &made["audit"]["entries"]),
        (&json!(contracts), &json!(contracts)),
        "{}",
        made["audit"]
    );
    assert_eq!(made["audit"]["problems"], 0, "{}", made["audit"]);
}

/// A server whose document names no inbox.
fn without_inbox() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let did = format!("did:web:localhost%3A{}", listener.local_addr().unwrap().port());
    let document = json!({ "id": did }).to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let length = document.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(format!("{head}{document}").as_bytes());
        }
    });
    did
}

/// The thief's node acts as the provider with the keys of before, from another place; nobody hears it.
fn stolen(street: &Street, thief: &Path, replaced: &str) {
    let text = fs::read_to_string(thief.join("countersign.toml")).unwrap();
    let text = text.replace(&format!("public = \"127.0.0.1:{}\"", street.provider.public), "public = \"127.0.0.1:0\"");
    let lines =
        text.lines().map(|line| if line.starts_with("management") { "management = \"127.0.0.1:0\"" } else { line });
    fs::write(thief.join("countersign.toml"), lines.collect::<Vec<_>>().join("\n")).unwrap();
    let (node, listening) = wallets::start(&["serve", "--home", thief.to_str().unwrap()], &thief.join("node.log"));
    let key = fs::read_to_string(thief.join("api-key")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/api/requests", listening["management"].as_str().unwrap());
        let order = json!({ "provider": street.consumer.did, "asset": ASSET });
        let answer = client.post(url).bearer_auth(key.trim()).json(&order).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    });
    let refused = || {
        let refused = street.consumer.get("/api/refused");
        let by = |one: &&Value| one["signer"].as_str().is_some_and(|signer| signer.ends_with(replaced));
        refused.as_array().unwrap().iter().find(by).cloned()
    };
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while refused().is_none() {
        assert!(std::time::Instant::now() < until, "{}", street.consumer.get("/api/refused"));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let refused = refused().unwrap();
    assert_eq!(refused["check"], "jws.kid", "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("replaced"), "{refused}");
    drop(node);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_rotation_on_the_way_loses_no_message_and_unmakes_no_contract() {
    let mut street = Street::open_web("");
    // Whoever cannot be reached is no contact, and is asked for nothing.
    let silent = without_inbox();
    for (path, body) in [
        ("/api/contacts", json!({ "did": silent })),
        ("/api/requests", json!({ "provider": silent, "asset": wallets::ASSET })),
    ] {
        let (status, told) = street.consumer.call("POST", path, Some(&body));
        assert!(status == 422 && told["error"]["check"] == "contact.reach", "{path}: {status} {told}");
    }
    let nobody = json!({ "did": "did:web:localhost%3A1" });
    let (_, told) = street.consumer.call("POST", "/api/contacts", Some(&nobody));
    assert_eq!(told["error"]["check"], "did.resolved", "{told}");
    let order = json!({ "provider": street.provider.did, "asset": wallets::ASSET });
    street.consumer.post("/api/requests", &order);
    let id = requested(&street.provider);
    street.provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    let own = street.consumer.reach("OFFERED")["id"].as_str().unwrap().to_owned();

    // The acceptance is signed with a key that its wallet replaces before anybody has heard it.
    street.provider.process = None;
    street.consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    street.consumer.process = None;
    for wallet in [&mut street.provider, &mut street.consumer] {
        let home = wallet.home.to_str().unwrap().to_owned();
        let only = if home.ends_with("provider") { "--agreement" } else { "--signing" };
        said(&["keys", "rotate", only, "--json", "--home", &home]);
        wallet.start();
    }
    street.provider.reach("FINALIZED");
    street.consumer.reach("FINALIZED");
    let (ours, theirs) = (street.dir.path().join("consumers.json"), street.dir.path().join("providers.json"));
    file(&street.consumer, &street.consumer.negotiation().unwrap(), &ours);
    file(&street.provider, &street.provider.negotiation().unwrap(), &theirs);
    let read = |path: &Path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
    let signers = |file: &Value| {
        let signed = file["history"].as_array().unwrap().iter();
        signed.map(|one| one["signatures"][0]["header"]["kid"].to_string()).collect::<Vec<_>>()
    };
    let (one, other) = (read(&ours), read(&theirs));
    assert_eq!(signers(&one), signers(&other));
    for member in ["core", "participants", "entry", "acknowledgements", "did_documents"] {
        assert_eq!(one[member], other[member], "{member}");
    }
    assert!(one == other, "both hold the same contract");
    assert_eq!(verify(&street, &ours, &[]).0, Some(0), "{}", verify(&street, &ours, &[]).1);
    assert_eq!(one["acknowledgements"], json!([]), "the consumer's key of now is not in the contract's credential");
}

#[test]
fn a_did_key_says_that_it_is_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("wallet");
    let home = home.to_str().unwrap();
    let did = said(&["init", "--json", "--home", home])["did"].clone();
    let output = program().args(["keys", "rotate", "--home", home]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && told.contains("is its key") && told.contains("--agreement"), "{told}");
    let rotated = said(&["keys", "rotate", "--agreement", "--json", "--home", home]);
    assert_eq!(rotated["did"], did);
    assert_ne!(rotated["agreement"], rotated["replaced_agreement"]);
    let shown = said(&["keys", "show", "--json", "--home", home]);
    assert_eq!((shown["signing"].as_array().unwrap().len(), shown["agreement"].as_array().unwrap().len()), (1, 2));
}
