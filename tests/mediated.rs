//! Wallets that nobody can reach, as real processes: a mediator keeps their messages, and whoever is killed in between,
//! nothing is lost and nothing happens twice.

#[path = "support/wallets.rs"]
mod wallets;

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wallets::{ASSET, PROGRAM, Street, Wallet};

const WHOLE: [&str; 6] = ["REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED"];

fn command(wallet: &Wallet, arguments: &[&str]) -> Value {
    let output = Command::new(PROGRAM).args(arguments).args(["--json", "--home"]).arg(&wallet.home).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Waits until everything that the mediator kept was picked up; the mediator as its owner sees it.
fn picked_up(mediator: &Wallet) -> Value {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let view = command(mediator, &["mediator", "members"]);
        if view["members"].as_array().unwrap().iter().all(|member| member["messages"] == 0) {
            return view;
        }
        assert!(Instant::now() < until, "not picked up: {view}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn concluded_once(street: &Street) {
    for wallet in [&street.provider, &street.consumer] {
        let view = wallet.negotiation().unwrap();
        let states: Vec<&str> =
            view["history"].as_array().unwrap().iter().map(|moved| moved["state"].as_str().unwrap()).collect();
        assert_eq!(states, WHOLE, "each state once, in order");
        assert_eq!(wallet.get("/api/negotiations").as_array().unwrap().len(), 1, "nothing happened twice");
    }
    let file = |wallet: &Wallet| {
        let id = wallet.negotiation().unwrap()["id"].as_str().unwrap().to_owned();
        wallet.get(&format!("/api/negotiations/{id}/contract"))
    };
    assert_eq!(file(&street.provider), file(&street.consumer), "both hold the same contract");
}

#[test]
fn a_wallet_that_nobody_can_reach_negotiates_with_one_that_has_an_inbox() {
    let street = Street::open_by_way_of("", [None, Some("")]);
    let (provider, consumer) = (&street.provider, &street.consumer);
    let mediator = street.mediator.as_ref().unwrap();
    let own = consumer.get("/api/self");
    assert_eq!(own["inbox"], mediator.get("/api/mediator")["url"], "its contact names the mediator's inbox");

    consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
    let id = provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    let own = consumer.reach("OFFERED")["id"].as_str().unwrap().to_owned();
    consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    for wallet in [provider, consumer] {
        wallet.reach("FINALIZED");
    }
    concluded_once(&street);
    let view = picked_up(mediator);
    assert_eq!((&view["members"][0]["did"], &view["members"][0]["live"]), (&json!(consumer.did), &json!(1)));
    let mediation = command(consumer, &["mediation"]);
    assert_eq!((&mediation["standing"], &mediation["way"]), (&json!("granted"), &json!("live")));
    assert!(mediation["picked_up"].as_u64().unwrap() >= 4, "{mediation}");
    assert_eq!(provider.get("/api/mediation")["standing"], "none");

    // Who is shown out has nothing kept any more, and is told so.
    command(mediator, &["mediator", "dismiss", &consumer.did]);
    assert_eq!(mediator.get("/api/mediator")["members"], json!([]));
}

#[test]
fn two_wallets_that_nobody_can_reach_negotiate_whoever_is_killed() {
    // The provider asks now and then, the consumer holds a connection.
    let mut street = Street::open_by_way_of("", [Some("live = false\npoll_within = 1"), Some("poll_within = 1")]);
    let (provider, consumer) = (&mut street.provider, &mut street.consumer);
    let mediator = street.mediator.as_mut().unwrap();

    // The mediator is down when the request is made, and the provider when it comes.
    mediator.process = None;
    consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
    consumer.crash();
    provider.process = None;
    mediator.start();
    let until = Instant::now() + Duration::from_secs(90);
    while mediator.get("/api/mediator")["members"].as_array().unwrap().iter().all(|member| member["messages"] == 0) {
        assert!(Instant::now() < until, "the request did not come to the mediator");
        std::thread::sleep(Duration::from_millis(100));
    }
    mediator.crash();
    provider.start();
    let id = provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();

    provider.crash();
    provider.is_granted();
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    provider.crash();
    mediator.crash();
    consumer.crash();
    let own = consumer.reach("OFFERED")["id"].as_str().unwrap().to_owned();

    consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    consumer.crash();
    mediator.crash();
    provider.reach("ACCEPTED");
    provider.crash();
    provider.reach("AGREED");
    mediator.crash();
    consumer.crash();
    consumer.reach("VERIFIED");
    consumer.crash();
    mediator.crash();
    provider.reach("FINALIZED");
    provider.crash();
    consumer.reach("FINALIZED");
    picked_up(street.mediator.as_ref().unwrap());
    concluded_once(&street);
}

#[test]
fn a_provider_keeps_the_messages_of_a_consumer_that_nobody_can_reach() {
    // One DID, one inbox: what is for the provider's wallet and what it keeps for others come by the same door.
    let mut street = Street::open("\n[mediator]\nadmit = \"members\"\n");
    let consumer = &mut street.consumer;
    let file = consumer.home.join("countersign.toml");
    let configuration = std::fs::read_to_string(&file).unwrap();
    // Its contact is known already, so that the DID says enough.
    let more = format!("{configuration}\n[wallet.mediator]\ndid = \"{}\"\n", street.provider.did);
    std::fs::write(&file, more).unwrap();
    consumer.crash();
    consumer.is_granted();
    let (provider, consumer) = (&street.provider, &street.consumer);
    consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
    let id = provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    let own = consumer.reach("OFFERED")["id"].as_str().unwrap().to_owned();
    consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    for wallet in [provider, consumer] {
        wallet.reach("FINALIZED");
    }
    concluded_once(&street);
    assert_eq!(picked_up(provider)["members"][0]["did"], json!(consumer.did));
}

#[test]
fn a_did_web_wallet_that_nobody_can_reach_is_found_by_its_document() {
    let street = Street::open_web_by_way_of("", [None, Some("")]);
    let (provider, consumer) = (&street.provider, &street.consumer);
    let mediator = street.mediator.as_ref().unwrap();
    // It was granted to a node that ran already, and the document names the mediator's inbox since.
    let url = mediator.get("/api/mediator")["url"].clone();
    let document = consumer.document();
    assert_eq!(document["service"][0]["serviceEndpoint"]["uri"], url, "{document}");
    assert_eq!(document["service"][0]["serviceEndpoint"]["routingKeys"].as_array().unwrap().len(), 1, "{document}");
    // Both are did:web, the mediator too: documents alone lead the way.
    provider.post("/api/contacts", &json!({ "did": consumer.did }));
    assert_eq!(provider.get("/api/contacts")[0]["inbox"], url);

    consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
    let id = provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    let own = consumer.reach("OFFERED")["id"].as_str().unwrap().to_owned();
    consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    for wallet in [provider, consumer] {
        wallet.reach("FINALIZED");
    }
    concluded_once(&street);
    assert_eq!(picked_up(mediator)["members"][0]["did"], consumer.did.as_str());
}
