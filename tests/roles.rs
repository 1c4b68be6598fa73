//! Who provides, who promises, who began: three contracts of the field, and what is not in the catalog.

#[path = "support/wallets.rs"]
mod wallets;

use serde_json::{Value, json};
use wallets::{ASSET, Street, Wallet};

const ALERTS: &str = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c00a1";

fn id(view: &Value) -> String {
    view["id"].as_str().unwrap().to_owned()
}

fn until(wallet: &Wallet, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        if let Some(view) = wallet.negotiation().filter(|view| holds(view)) {
            return view;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{what}: {:?}", wallet.negotiation());
}

/// Alice knows Bob, and has alerts that her catalog does not show.
fn alice_has_alerts(street: &Street) {
    let (alice, bob) = (&street.provider, &street.consumer);
    alice.post("/api/contacts", &json!({ "contact": bob.get("/api/self")["contact"] }));
    lists_alerts(alice, "5a");
}

fn lists_alerts(alice: &Wallet, byte: &str) {
    let listed = alice.get("/api/assets")[0].clone();
    alice.post(
        "/api/assets",
        &json!({
            "asset": {
                "id": ALERTS, "title": "Alerts", "media_type": "application/json", "sha256": byte.repeat(32),
                "version": "1", "endpoint": "https://data.example/alerts",
            },
            "template": listed["template"], "parameters": { "uses": 1 },
            "price": { "amount": "0.00", "currency": "EUR" }, "cataloged": false,
        }),
    );
}

fn see_catalog(consumer: &Wallet, provider: &Wallet) -> Value {
    let asked = consumer.post("/api/catalogs", &json!({ "provider": provider.did }));
    for _ in 0..200 {
        let (_, found) = consumer.call("GET", &format!("/api/catalogs/{}", asked["id"].as_str().unwrap()), None);
        if found["catalog"].is_object() {
            return found["catalog"].clone();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no catalog came");
}

fn finalized(street: &Street, promisor: &Wallet, promisee: &Wallet) {
    street.provider.reach("FINALIZED");
    street.consumer.reach("FINALIZED");
    for wallet in [&street.provider, &street.consumer] {
        let view = wallet.negotiation().unwrap();
        assert_eq!((&view["promisor"], &view["promisee"]), (&json!(promisor.did), &json!(promisee.did)));
        assert_eq!(view["offer"]["promisor"], json!(promisor.did), "and so says the contract that both signed");
        assert_eq!(view["parties"][0]["did"], json!(street.provider.did), "whoever promises, Alice provides");
    }
}

#[test]
fn a_cataloged_offer_alice_provides_and_promises() {
    let street = Street::open("");
    let (alice, bob) = (&street.provider, &street.consumer);
    let catalog = see_catalog(bob, alice);
    let policy = &catalog["dataset"][0]["hasPolicy"][0]["countersign"];
    assert_eq!((&policy["promisor"], &policy["promisee"]), (&json!(alice.did), &Value::Null), "whoever comes");

    bob.post("/api/requests", &json!({ "provider": alice.did, "asset": ASSET }));
    let asked = alice.reach("REQUESTED");
    assert_eq!((&asked["cataloged"], &asked["due"]["person"]), (&json!(true), &json!(true)));
    assert_eq!(alice.get("/api/waiting")[0]["cataloged"], true);
    alice.post(&format!("/api/negotiations/{}/offer", id(&asked)), &json!({}));
    let offered = bob.reach("OFFERED");
    assert_eq!(offered["cataloged"], true, "the same asset, template, parameters, price and roles");
    bob.post(&format!("/api/negotiations/{}/accept", id(&offered)), &json!({}));
    finalized(&street, alice, bob);
}

#[test]
fn bob_promises_to_take_what_alice_sends_and_she_begins() {
    let street = Street::open("");
    let (alice, bob) = (&street.provider, &street.consumer);
    alice_has_alerts(&street);
    let order = json!({ "consumer": bob.did, "asset": ALERTS, "promisor": bob.did, "promisee": alice.did });
    let own = alice.post("/api/proposals", &order);
    assert_eq!(alice.negotiation().unwrap()["state"], "OFFERED");

    let proposed = bob.reach("OFFERED");
    assert_eq!(proposed["offer"], Value::Null, "terms, no credential yet");
    until(bob, "her catalog, which he has never seen, does not say so", |view| view["cataloged"] == false);
    assert_eq!((&proposed["promisor"], &proposed["due"]["person"]), (&json!(bob.did), &json!(true)));
    assert!(proposed["due"]["until"].is_string(), "a person knows until when");
    assert_eq!(proposed["rounds"][0]["kind"], "proposal");
    bob.post(&format!("/api/negotiations/{}/accept", id(&proposed)), &json!({}));

    // Alice has signed these terms already, so that nobody need decide again.
    let offered = until(bob, "the offer comes", |view| view["offer"].is_object());
    let made = alice.get(&format!("/api/negotiations/{}", id(&own)));
    let by: Vec<&Value> = made["decisions"].as_array().unwrap().iter().map(|decided| &decided["by"]["kind"]).collect();
    assert_eq!(by, ["person", "rule"], "a person proposed, and the signed proposal made the offer");
    assert_eq!(offered["rounds"][2]["changes"], json!([]), "the offer says what was proposed");
    bob.post(&format!("/api/negotiations/{}/accept", id(&offered)), &json!({}));
    finalized(&street, bob, alice);
}

#[test]
fn alice_promises_to_alert_bob_and_they_haggle() {
    let street = Street::open("");
    let (alice, bob) = (&street.provider, &street.consumer);
    alice_has_alerts(&street);
    let price = json!({ "amount": "90.00", "currency": "EUR" });
    let own = id(&alice.post("/api/proposals", &json!({ "consumer": bob.did, "asset": ALERTS, "price": price })));
    let proposed = bob.reach("OFFERED");

    // Bob answers with terms of his own, under an id of their own.
    let wish = json!({ "amount": "60.00", "currency": "EUR" });
    let anew = json!({ "provider": alice.did, "asset": ALERTS, "price": wish });
    bob.post(&format!("/api/negotiations/{}/request", id(&proposed)), &anew);
    let asked = until(alice, "the counter arrives", |view| view["state"] == "REQUESTED");
    assert_eq!(asked["due"]["person"], true, "what was proposed is not what is asked for");
    let rounds = asked["rounds"].as_array().unwrap();
    assert_eq!(rounds[1]["changes"], json!([{ "term": "price", "from": price, "to": wish }]));
    assert_ne!(rounds[0]["id"], rounds[1]["id"]);

    let middle = json!({ "amount": "75.00", "currency": "EUR" });
    alice.post(&format!("/api/negotiations/{own}/offer"), &json!({ "price": middle }));
    let first = until(bob, "the offer comes", |view| view["offer"].is_object());
    bob.post(&format!("/api/negotiations/{}/request", id(&first)), &anew);
    until(alice, "the next counter arrives", |view| view["rounds"].as_array().unwrap().len() == 4);
    alice.post(&format!("/api/negotiations/{own}/offer"), &json!({ "price": wish }));
    let second = until(bob, "the next offer comes", |view| view["rounds"].as_array().unwrap().len() == 5);

    // Whoever has read the first offer does not accept the second by it.
    let read = json!({ "offer_sha256": first["offer"]["sha256"] });
    let (status, refused) = bob.call("POST", &format!("/api/negotiations/{}/accept", id(&second)), Some(&read));
    assert_eq!((status, &refused["error"]["check"]), (409, &json!("negotiation.superseded")));
    let read = json!({ "offer_sha256": second["offer"]["sha256"] });
    bob.post(&format!("/api/negotiations/{}/accept", id(&second)), &read);
    finalized(&street, alice, bob);
}

#[test]
fn what_is_not_cataloged_is_turned_away_unless_the_owner_wants_it() {
    let street = Street::open_with("reject", "");
    let (alice, bob) = (&street.provider, &street.consumer);
    alice_has_alerts(&street);

    // Bob has never looked at her catalog: it is looked at before what may be part of it is rejected.
    alice.post("/api/proposals", &json!({ "consumer": bob.did, "asset": ASSET }));
    let usual = until(bob, "as cataloged", |view| view["cataloged"] == true);
    assert_eq!((&usual["state"], &usual["due"]["person"]), (&json!("OFFERED"), &json!(true)), "waits for a person");

    alice.post("/api/proposals", &json!({ "consumer": bob.did, "asset": ALERTS }));
    let ended = alice.reach("TERMINATED");
    assert_eq!((&ended["ending"]["code"], &ended["ending"]["by"]), (&json!("uncataloged"), &json!("consumer")));
    let decided = &bob.reach("TERMINATED")["decisions"][0]["by"];
    assert_eq!(decided["kind"], "rule", "and the history says that no person did: {decided}");

    let wish = json!({ "amount": "1.00", "currency": "EUR" });
    bob.post("/api/requests", &json!({ "provider": alice.did, "asset": ASSET, "price": wish }));
    let turned_away = until(bob, "another price", |view| view["state"] == "TERMINATED" && view["asset"] == ASSET);
    assert_eq!(turned_away["ending"]["code"], "uncataloged");

    bob.post("/api/requests", &json!({ "provider": alice.did, "asset": ASSET }));
    let asked = until(alice, "as cataloged", |view| view["state"] == "REQUESTED");
    assert_eq!(asked["due"]["person"], true, "waits for a person");
}

#[test]
fn a_catalog_that_never_came_is_asked_for_again_when_there_is_something_to_decide() {
    let mut street = Street::open_with("reject", "");
    let (alice, bob) = (&street.provider, &mut street.consumer);
    alice.post("/api/contacts", &json!({ "contact": bob.get("/api/self")["contact"] }));
    // Bob's wallet asked once, and gave the question up: of two releases.
    bob.process = None;
    bob.alter(
        "INSERT INTO documents (kind, id, value) SELECT 'shelf', id, '{\"asked\": \"urn:uuid:1\"}' FROM documents
             WHERE kind = 'contact';
         INSERT INTO documents (kind, id, value)
             SELECT 'catalog-asked', id, json_object('at', unixepoch() - 172800) FROM documents WHERE kind = 'contact'",
    );
    bob.start();
    alice.post("/api/proposals", &json!({ "consumer": bob.did, "asset": ASSET }));
    let usual = until(bob, "as cataloged", |view| view["cataloged"] == true);
    assert_eq!(usual["state"], "OFFERED", "waits for a person");
}

#[test]
fn a_rule_grants_what_is_not_cataloged_where_it_says_so() {
    let floor = r#"{ amount = "300.00", currency = "EUR" }"#;
    let rule = format!(
        "[[wallet.consent.rule]]\nname = \"haggle\"\npoint = \"offer\"\nprice_floor = {floor}\nuncataloged = true"
    );
    let street = Street::open_with("rules", &rule);
    let (alice, bob) = (&street.provider, &street.consumer);
    let wish = |amount: &str| json!({ "amount": amount, "currency": "EUR" });
    let ask =
        |amount| bob.post("/api/requests", &json!({ "provider": alice.did, "asset": ASSET, "price": wish(amount) }));

    ask("299.99");
    let below = until(alice, "below the floor", |view| view["state"] == "REQUESTED");
    assert_eq!(below["due"]["person"], true, "what no rule decides waits for a person");
    alice.post(&format!("/api/negotiations/{}/reject", id(&below)), &json!({ "reason": "too little" }));
    until(bob, "it ends", |view| view["state"] == "TERMINATED");
    let more = json!({ "provider": alice.did, "asset": ASSET, "price": wish("350.00"), "parameters": { "uses": 30 } });
    let turned = json!({
        "provider": alice.did, "asset": ASSET, "price": wish("350.00"), "promisor": bob.did, "promisee": alice.did,
    });
    for order in [more, turned] {
        bob.post("/api/requests", &order);
        let asked = until(alice, "more than a price", |view| view["state"] == "REQUESTED");
        assert_eq!(asked["due"]["person"], true, "a rule names prices, not parameters or roles");
        alice.post(&format!("/api/negotiations/{}/reject", id(&asked)), &json!({ "reason": "no" }));
        until(bob, "it ends", |view| view["state"] == "TERMINATED");
    }
    ask("350.00");
    let granted = until(bob, "above the floor", |view| view["state"] == "OFFERED");
    assert_eq!(granted["offer"]["price"], wish("350.00"));
    let decided = &alice.negotiation().unwrap()["decisions"][0];
    assert_eq!((&decided["act"], &decided["by"]["name"]), (&json!("offer"), &json!("haggle")));
}

#[test]
fn a_rule_consents_to_what_was_read_and_asked_for_and_to_nothing_else() {
    let ceiling = r#"{ amount = "1000.00", currency = "EUR" }"#;
    let rule = format!("[[wallet.consent.rule]]\nname = \"small\"\npoint = \"accept\"\nprice_ceiling = {ceiling}");
    let mut street = Street::open("");
    let file = street.consumer.home.join("countersign.toml");
    std::fs::write(&file, format!("{}\n{rule}\n", std::fs::read_to_string(&file).unwrap())).unwrap();
    street.consumer.process = None;
    street.consumer.start();
    let (alice, bob) = (&street.provider, &street.consumer);
    let path = |view: &Value, act: &str| format!("/api/negotiations/{}/{act}", id(view));
    let waits = |offered: &Value| {
        // Longer than a rule takes.
        std::thread::sleep(std::time::Duration::from_secs(2));
        let view = bob.get(&format!("/api/negotiations/{}", id(offered)));
        assert_eq!((&view["state"], &view["due"]["person"]), (&json!("OFFERED"), &json!(true)), "{view}");
    };
    alice_has_alerts(&street);

    // Bob has never looked at her catalog; his wallet does, before a rule of his decides. What a request leaves open is the catalog's: a dearer offer waits for a person.
    let asks = || {
        bob.post("/api/requests", &json!({ "provider": alice.did, "asset": ASSET }));
        until(alice, "asked", |view| view["state"] == "REQUESTED" && view["asset"] == ASSET)
    };
    alice.post(&path(&asks(), "offer"), &json!({ "price": { "amount": "999.00", "currency": "EUR" } }));
    let dear = until(bob, "the dear offer", |view| view["offer"].is_object());
    waits(&dear);
    bob.post(&path(&dear, "reject"), &json!({ "reason": "too dear" }));
    alice.post(&path(&asks(), "offer"), &json!({}));
    let history = |view: &Value| view["history"].as_array().unwrap().iter().any(|moved| moved["state"] == "ACCEPTED");
    until(bob, "as cataloged", |view| view["id"] != dear["id"] && history(view));

    // Alice proposes alerts and lists other bytes before Bob takes the proposal up: nobody consents to those unseen.
    let own = alice.post("/api/proposals", &json!({ "consumer": bob.did, "asset": ALERTS }));
    let proposed = until(bob, "the proposal", |view| view["asset"] == ALERTS);
    lists_alerts(alice, "77");
    // Whoever says what it has read does not take up something else.
    let read = json!({ "offer_sha256": dear["offer"]["sha256"] });
    let (status, refused) = bob.call("POST", &path(&proposed, "accept"), Some(&read));
    assert_eq!((status, &refused["error"]["check"]), (409, &json!("negotiation.superseded")));
    bob.post(&path(&proposed, "accept"), &json!({}));
    let taken = until(alice, "taken up", |view| view["asset"] == ALERTS && view["state"] == "REQUESTED");
    std::thread::sleep(std::time::Duration::from_secs(1));
    let taken = alice.get(&format!("/api/negotiations/{}", id(&taken)));
    assert_eq!(
        (&taken["id"], &taken["state"], &taken["due"]["person"]),
        (&own["id"], &json!("REQUESTED"), &json!(true))
    );
    alice.post(&path(&taken, "offer"), &json!({}));
    waits(&until(bob, "the other offer", |view| view["asset"] == ALERTS && view["offer"].is_object()));
}
