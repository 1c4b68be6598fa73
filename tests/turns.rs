//! The turns that a negotiation can take between two desks, as real processes.

#[path = "support/wallets.rs"]
mod wallets;

use serde_json::{Value, json};
use wallets::{ASSET, Street, Wallet};

fn begin(street: &Street) -> (String, String) {
    let order = json!({ "provider": street.provider.did, "asset": ASSET });
    let own = street.consumer.post("/api/requests", &order)["id"].as_str().unwrap().to_owned();
    let id = street.provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();
    (id, own)
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

#[test]
fn a_consumer_asks_anew_and_accepts_the_second_offer() {
    let street = Street::open("");
    let (provider, consumer) = (&street.provider, &street.consumer);
    let (id, own) = begin(&street);
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    let first = consumer.reach("OFFERED")["offer"].clone();

    let wish = json!({ "amount": "350.00", "currency": "EUR" });
    let anew = json!({ "provider": provider.did, "asset": ASSET, "price": wish });
    let view = consumer.post(&format!("/api/negotiations/{own}/request"), &anew);
    assert_eq!((&view["state"], &view["offer"]), (&json!("REQUESTED"), &Value::Null), "the offer is off the table");
    until(provider, "the request arrives", |view| view["state"] == "REQUESTED" && view["history"][2].is_object());
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({ "price": wish }));
    let second = until(consumer, "the second offer arrives", |view| view["offers"] == 2)["offer"].clone();
    assert_ne!(first["contract_id"], second["contract_id"], "each offer has an id of its own");
    assert_eq!(second["price"], wish);

    consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    let (status, refused) = consumer.call("POST", &format!("/api/negotiations/{own}/accept"), Some(&json!({})));
    assert_eq!((status, &refused["error"]["check"]), (409, &json!("negotiation.state")), "one acceptance");
    provider.reach("FINALIZED");
    consumer.reach("FINALIZED");
    let file = consumer.get(&format!("/api/negotiations/{own}/contract"));
    assert_eq!(file["contract_id"], second["contract_id"]);
}

#[test]
fn after_its_acceptance_a_consumer_can_only_ask_to_cancel() {
    let street = Street::open("record = \"ask\"");
    let (provider, consumer) = (&street.provider, &street.consumer);
    let (id, own) = begin(&street);
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    consumer.reach("OFFERED");
    consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    provider.reach("ACCEPTED");

    let why = json!({ "reason": "ordered twice" });
    let view = consumer.post(&format!("/api/negotiations/{own}/cancel"), &why);
    assert_eq!((&view["state"], &view["cancel_asked"]), (&json!("ACCEPTED"), &json!("ordered twice")), "it is bound");
    until(provider, "the wish arrives", |view| view["cancel_asked"] == "ordered twice");
    let waiting = provider.get("/api/waiting");
    assert_eq!((&waiting[0]["decision"], &waiting[0]["cancel_asked"]), (&json!("record"), &json!("ordered twice")));

    provider.post(&format!("/api/negotiations/{id}/reject"), &json!({ "reason": "as you wish" }));
    let ended = consumer.reach("TERMINATED");
    assert_eq!(ended["ending"]["reason"], "as you wish");
    let (status, refused) = provider.call("POST", &format!("/api/negotiations/{id}/record"), Some(&json!({})));
    assert_eq!((status, &refused["error"]["check"]), (409, &json!("negotiation.terminal")), "nothing is recorded then");
}

#[test]
fn a_desk_that_is_asked_for_what_it_does_not_have_says_so() {
    let street = Street::open("");
    let provider = &street.provider;
    let (status, answer) = provider.call("GET", "/api/negotiations/urn:uuid:none", None);
    assert_eq!(status, 404, "{answer}");
    let unknown = json!({ "provider": provider.did, "asset": ASSET, "colour": "red" });
    let (status, _) = provider.call("POST", "/api/requests", Some(&unknown));
    assert_eq!(status, 422, "an unknown member is an error, never ignored");
    let (status, answer) = provider.call("POST", "/api/participant", Some(&json!({ "credential": "e30.e30.e30~" })));
    assert_eq!(status, 422, "{answer}");
    assert!(answer["error"]["check"].is_string(), "{answer}");
}
