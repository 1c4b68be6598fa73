//! The consumer's desk.

use std::fs;

use serde_json::Value;
use sqlx::Connection as _;

use super::town::{ASSET, ASSET_SHA256, Town, brief, part};

#[test]
fn a_consumer_meets_searches_accepts_fetches_and_withdraws() {
    let mut town = Town::in_business();
    town.open_the_gate();
    it_meets_by_invitation(&town);
    it_finds_what_it_needs(&town);
    let id = it_asks_reads_and_accepts(&town);
    it_changes_its_mind(&town);
    it_fetches_and_withdraws(&town, &id);
}

fn it_meets_by_invitation(town: &Town) {
    town.tells("bob", &["contact", "list"], &["alice", &town.id("alice"), "http://127.0.0.1:"]);
    let invite = |more: &[&str]| town.says("alice", &[&["invite"], more].concat()).trim().to_owned();
    let shown = town.says("alice", &["invite", "--qr", "--goal", "road networks"]);
    assert!(shown.contains("█") && shown.contains("countersign contact add"), "{shown}");
    let (alice, link) = (town.id("alice"), invite(&["--goal", "road networks"]));
    let add = |link: &str| town.fails("bob", &["contact", "add", link, "--name", "alice"], 1);
    town.tells("bob", &["contact", "add", &link, "--name", "Alice Maps"], &["added Alice Maps", "road networks"]);
    let why = add(&link);
    assert!(why.contains("invitation.used") && why.contains("contact list"), "{why}");
    let why = add(&invite(&["--for", &alice]));
    assert!(why.contains("invitation.for") && why.contains(&alice), "{why}");
    let why = town.fails("alice", &["contact", "add", &link], 1);
    assert!(why.contains("invitation.for") && why.contains("this wallet made it itself"), "{why}");
    assert!(add(&link[..link.len() / 2]).contains("cut short or damaged"));
    assert!(town.fails("bob", &["contact", "add", "nothing.contact"], 2).contains("nothing.contact"));
    town.tells("bob", &["contact", "name", "Alice", "alice"], &["is called alice"]);
    assert!(town.fails("bob", &["catalog", "carol"], 2).contains("countersign contact add"));
    assert!(town.fails("bob", &["catalog", &town.id("gate")], 2).contains("is no contact"));
}

fn it_finds_what_it_needs(town: &Town) {
    assert!(town.says("bob", &["search", "munich"]).contains("countersign catalog PARTY"));
    town.tells("bob", &["catalog", "alice"], &["Motorway junction", "400.00 EUR", "25.00 EUR"]);
    for words in [&["munich"][..], &["OPENDRIVE", "motor"], &["de", "by", "--from", "alice"], &["\"near\"", "(munich*"]]
    {
        town.tells("bob", &[&["search"], words].concat(), &["alice", "Motorway junction", "400.00 EUR", "25.00 EUR"]);
    }
    assert_eq!(town.json("bob", &["search", "munich", "berlin"]), serde_json::json!([]));
    let why = town.fails("bob", &["request", "--from", "alice", "--asset", "A tunnel"], 2);
    assert!(why.contains("countersign catalog"), "{why}");
}

fn it_asks_reads_and_accepts(town: &Town) -> String {
    let request = ["request", "--from", "alice", "--asset", "Motorway", "--price", "350.00 EUR"];
    let asked = town.json("bob", &request);
    let id = part(&asked, "/id").to_owned();
    let why = town.fails("bob", &["accept", brief(&id)], 1);
    assert!(why.contains("negotiation.state") && why.contains("countersign show"), "{why}");
    assert!(town.fails("bob", &["show", "latest", "--odrl"], 1).contains("no offer yet"));
    town.says("alice", &["inbox", "--wait", "60"]);
    town.says("alice", &["offer", "latest", "--price", "380.00 EUR", "--accept-within", "2h"]);
    town.says("bob", &["watch", brief(&id), "--until", "OFFERED", "--wait", "60"]);
    let words = ["accept an offer", "alice", "Motorway junction", "380.00 EUR", ", until ", "UTC"];
    town.tells("bob", &["inbox"], &words);
    let words = [
        "Alice Maps GmbH, LEI 529900T8BM49AURSDO55, DE  (your contact “alice”)",
        "Bob Simulation SE, LEI 5299009N55YRQC69CN08, DE  (you)",
        "the provider promises the consumer",
        "1. The consumer may use the asset at most 3 times.",
        "380.00 EUR, from the consumer to the provider",
        "25.00 EUR to the operator",
        "Proven\n  - The provider is Alice Maps GmbH: the operator did:key:",
        "Only claimed\n",
        "nothing is recorded yet",
        "your turn (in ",
    ];
    town.tells("bob", &["show", brief(&id)], &words);
    let odrl: Value = serde_json::from_str(&town.says("bob", &["show", brief(&id), "--odrl"])).unwrap();
    assert_eq!(odrl["@type"], "Offer");
    let offer = part(&town.json("bob", &["show", brief(&id)]), "/offer/sha256").to_owned();
    let read = ["--offer", &offer[2..10]];
    town.tells(
        "bob",
        &["show", brief(&id)],
        &[&format!("Offer        sha256 {offer}"), &format!("--offer {}", &offer[..10])],
    );
    let why = town.fails("bob", &["accept", brief(&id), "--offer", "0123abcd"], 2);
    assert!(why.contains(&offer) && why.contains("nothing was accepted"), "{why}");
    let accept = [&["accept", brief(&id)], &read[..]].concat();
    town.tells("bob", &accept, &["you are bound", "to be recorded in ", &offer]);
    let words = ["REQUESTED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED", "decided by a person"];
    town.tells("bob", &["watch", brief(&id), "--wait", "90"], &words);
    let words = ["Standing     in force", "the contract exists.", "decided here by a person", "on the offer 0x"];
    let shown = town.tells("bob", &["show", "latest"], &words);
    assert!(!shown.contains("nothing is recorded yet"));
    town.tells("bob", &["download", brief(&id), "-o", "contract.json"], &["countersign verify contract.json"]);
    town.says("bob", &["verify", "contract.json"]);
    id
}

/// A request that is taken back; told over the address and key of a node.
fn it_changes_its_mind(town: &Town) {
    let running: Value = serde_json::from_slice(&fs::read(town.path("bob").join("running.json")).unwrap()).unwrap();
    let elsewhere = ["--node", part(&running, "/management"), "--key-file", "bob/api-key"];
    let request = ["request", "--from", "alice", "--asset", "Motorway junction"];
    let id = part(&town.json("nobody", &[&request[..], &elsewhere].concat()), "/id").to_owned();
    town.says("nobody", &[&["cancel", &id, "--reason", "the project was stopped"][..], &elsewhere].concat());
    town.eventually("the cancelled request", || {
        let all = town.json("alice", &["negotiations"]);
        (all.as_array().unwrap().len() == 2).then_some(())
    });
    for who in ["alice", "bob"] {
        assert!(town.fails(who, &["watch", "latest", "--wait", "60"], 1).contains("the project was stopped"));
    }
    let wrong_key = ["inbox", "--node", part(&running, "/management"), "--key-file", "alice/api-key"];
    assert!(town.fails("nobody", &wrong_key, 1).contains("--key-file"));
    town.fails("nobody", &["inbox", "--node", part(&running, "/management")], 2);
    for command in ["inbox", "contracts"] {
        let public = [command, "--node", part(&running, "/public"), "--key-file", "bob/api-key"];
        assert!(town.fails("nobody", &public, 2).contains("prints as \"management\", and not the public one"));
    }
    town.says("bob", &["api-key", "add", "erp", "--scope", "read"]);
    let why = town.fails("bob", &["api-key", "add", "erp", "--scope", "read"], 1);
    assert!(why.contains("countersign api-key remove") && !why.contains("countersign show"), "{why}");
    town.fails("bob", &["show", "urn:uuid:"], 2);
    assert!(town.fails("bob", &["audits"], 2).contains("answer to different ones"));
    assert!(town.fails("bob", &["inbox", "--wait", "0"], 3).contains("nothing has come"));
}

fn it_fetches_and_withdraws(town: &Town, id: &str) {
    let contract = part(&town.json("bob", &["show", id]), "/offer/contract_id").to_owned();
    town.fails("alice", &["fetch", &contract], 2);
    let fetched = town.eventually("the gate's opening", || {
        let output = town.run("bob", &["fetch", &contract[..20], "-o", "mine.xodr", "--json"]);
        output.status.success().then(|| serde_json::from_slice::<Value>(&output.stdout).unwrap())
    });
    assert_eq!(part(&fetched, "/sha256"), ASSET_SHA256);
    assert_eq!(part(&fetched, "/receipt").split('.').count(), 3);
    assert_eq!(fs::read(town.path("mine.xodr")).unwrap(), ASSET);
    town.fails("bob", &["fetch", &contract, "-o", "mine.xodr"], 2);
    // What the gate signed comes out again.
    let bytes = ASSET.len().to_string();
    town.tells("bob", &["show", id], &["Fetched      once, last on ", "receipts are kept"]);
    town.tells("bob", &["receipts", id], &[&bytes, part(&fetched, "/gate"), "all"]);
    town.says("bob", &["receipts", id, "-o", "receipts.json"]);
    town.fails("bob", &["receipts", id, "-o", "receipts.json"], 2);
    let kept: Value = serde_json::from_slice(&fs::read(town.path("receipts.json")).unwrap()).unwrap();
    assert_eq!(part(&kept, "/0/receipt"), part(&fetched, "/receipt"));
    assert_eq!(part(&town.json("bob", &["show", id]), "/receipts/0/receipt"), part(&fetched, "/receipt"));
    town.fails("alice", &["receipts", &contract], 2);

    // One that does not read, of a former release, hides neither the others nor the contract.
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(town.path("bob/store.sqlite"));
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut store = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        let copied =
            "INSERT INTO documents (kind, id, value) SELECT kind, id || 'x', '{\"receipt\": \"none\"}' FROM documents
            WHERE kind = 'receipt'";
        sqlx::raw_sql(copied).execute(&mut store).await.unwrap();
        store.close().await.unwrap();
    });
    assert_eq!(town.json("bob", &["receipts", id]), kept);
    town.tells("bob", &["show", id], &["Fetched      once, last on "]);
    // The withdrawal account is new and has no coins: the wallet's recorder account pays for what it signs.
    town.tells("bob", &["withdraw", &contract, "--reason", "key-compromised"], &["is withdrawn from"]);
    let words = ["its consumer withdrew on", "(key compromised)"];
    town.tells("bob", &["contracts", "--standing", "withdrawn"], &words);
    let words =
        ["WITHDRAWN from by its consumer: key compromised", "decided here by a person (desk): withdraw, on the offer"];
    town.tells("bob", &["show", id], &words);
    let why = town.fails("bob", &["withdraw", &contract, "--reason", "unspecified"], 1);
    assert!(why.contains("was withdrawn from already at") && why.contains("“key compromised”"), "{why}");
}
