//! Credential mode over the Dataspace Protocol: two wallets as real processes, whose signed messages travel in its messages.

#[path = "support/wallets.rs"]
mod wallets;

use std::fs;
use std::io::Write as _;

use serde_json::{Value, json};
use wallets::{ASSET, Street, Wallet};

fn configure(wallet: &mut Wallet, table: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(wallet.home.join("countersign.toml")).unwrap();
    writeln!(file, "\n{table}").unwrap();
    wallet.crash();
}

/// What a URL answers to a header `Authorization`.
fn ask(url: &str, authorization: &str) -> (u16, Value) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(url).header("authorization", authorization).send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    })
}

fn carried(wallet: &Wallet) -> usize {
    let log = fs::read_to_string(wallet.home.join("node.log")).unwrap();
    log.matches("a signed message came over the Dataspace Protocol").count()
}

#[test]
fn a_contract_is_made_by_messages_of_the_dataspace_protocol() {
    let mut street = Street::open("");
    let running: Value = serde_json::from_slice(&fs::read(street.provider.home.join("running.json")).unwrap()).unwrap();
    let address = format!("{}/dsp/2025-1", running["public"].as_str().unwrap());
    let peer = format!("[dsp]\n[[dsp.peer]]\nparticipant = \"{}\"\naddress = \"{address}\"", street.provider.did);
    configure(&mut street.consumer, &peer);
    // So that this test can speak as either: what proves a wallet is under its own lock.
    let known = |word: &str, who: &str| format!("[[dsp.literal]]\nauthorization = {word:?}\nparticipant = {who:?}\n");
    let literal = known("Basic consumer", &street.consumer.did) + &known("Basic stranger", "did:web:stranger.example");
    configure(&mut street.provider, &format!("[dsp]\n{literal}"));
    let (provider, consumer) = (&street.provider, &street.consumer);
    let offered = provider.get("/api/dsp/datasets");
    assert_eq!(offered[0]["id"], ASSET, "what the wallet lists is in the catalog: {offered}");
    assert_eq!(offered[0]["offers"][0]["terms"]["permission"][0]["constraint"][0]["rightOperand"], "3");
    let hidden = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c00a2";
    let mut listing = provider.get("/api/assets")[0].clone();
    listing["asset"]["id"] = json!(hidden);
    listing["cataloged"] = json!(false);
    let members = ["asset", "template", "parameters", "price", "cataloged"];
    let listing: Value = members
        .iter()
        .map(|name| ((*name).to_owned(), listing[*name].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    provider.post("/api/assets", &listing);
    // Another listing shows after a second.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let offered = provider.get("/api/dsp/datasets");
    let shown = offered.as_array().unwrap().iter().any(|dataset| dataset["id"] == hidden);
    assert!(!shown, "what the owner keeps out of the catalog is in no catalog: {offered}");
    let order = json!({ "provider": provider.did, "asset": ASSET });
    let own = consumer.post("/api/requests", &order)["id"].as_str().unwrap().to_owned();
    let id = provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    consumer.reach("OFFERED");
    consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    provider.reach("FINALIZED");
    consumer.reach("FINALIZED");
    let file = consumer.get(&format!("/api/negotiations/{own}/contract"));
    assert!(file["core"].is_string());
    // Request, acceptance, verification and an answer each to offer, agreement and finalisation; and the other way round.
    assert!(carried(provider) >= 3, "{}", carried(provider));
    assert!(carried(consumer) >= 3, "{}", carried(consumer));
    let state = |word: &str, pid: &str| ask(&format!("{address}/negotiations/{pid}"), word);
    let (status, answer) = state("Basic consumer", &id);
    assert_eq!((status, &answer["state"], &answer["@type"]), (200, &json!("FINALIZED"), &json!("ContractNegotiation")));
    assert_eq!((&answer["providerPid"], &answer["consumerPid"]), (&json!(id), &json!(own)));
    for (word, pid) in [("Basic stranger", id.as_str()), ("Basic nobody", &id), ("Basic consumer", "urn:uuid:none")] {
        assert_eq!(state(word, pid).0, 404, "{word} {pid}");
    }
    assert!(consumer.get("/api/dsp/negotiations").as_array().unwrap().is_empty(), "nothing fell to plain mode");
}
