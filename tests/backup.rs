//! Backups made in the middle of a negotiation, and what their restored copies must not do.

#[path = "support/wallets.rs"]
mod wallets;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use countersign::node::checks;
use serde_json::{Value, json};
use wallets::{ASSET, Street, Wallet, program};

/// Every decision that a copy could take a second time.
fn decides_nothing(wallet: &Wallet, id: &str, decisions: &[&str]) {
    for decision in decisions {
        let body = match *decision {
            "request" => json!({ "provider": wallet.did, "asset": ASSET }),
            _ => json!({}),
        };
        let (status, answer) = wallet.call("POST", &format!("/api/negotiations/{id}/{decision}"), Some(&body));
        assert_eq!((status, &answer["error"]["check"]), (409, &json!(checks::COPIED.id())), "{decision}: {answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("restored from a copy"), "{answer}");
    }
    let view = wallet.get(&format!("/api/negotiations/{id}"));
    assert!(view["held_since"].is_string() && view["due"].is_null(), "{view}");
}

fn states(view: &Value) -> Vec<&str> {
    view["history"].as_array().unwrap().iter().map(|moved| moved["state"].as_str().unwrap()).collect()
}

#[test]
fn a_restored_copy_neither_accepts_twice_nor_records_another_hash() {
    let mut street = Street::open("record = \"ask\"");
    let (provider, consumer) = (&mut street.provider, &mut street.consumer);
    consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
    let id = provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();
    let before_the_offer = provider.backup("before-the-offer");
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    let own = consumer.reach("OFFERED")["id"].as_str().unwrap().to_owned();
    let before_the_acceptance = consumer.backup("before-the-acceptance");
    let accepted = consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    provider.reach("ACCEPTED");
    let before_the_record = provider.backup("before-the-record");
    provider.post(&format!("/api/negotiations/{id}/record"), &json!({}));
    let entry = provider.reach("AGREED")["entry"].clone();
    assert_eq!(entry["hash"], accepted["hash"]);
    consumer.process = None;

    // Before its offer: it offers nothing anew.
    provider.restore(&before_the_offer, "provider-1");
    provider.start();
    decides_nothing(provider, &id, &["offer", "record"]);
    assert_eq!(states(&provider.negotiation().unwrap()), ["REQUESTED"]);

    // Before the record: it orders none, and learns from the chain that the one it would order stands.
    provider.restore(&before_the_record, "provider-2");
    provider.start();
    decides_nothing(provider, &id, &["record", "offer"]);
    let agreed = provider.reach("AGREED");
    assert_eq!(agreed["entry"]["hash"], entry["hash"]);
    assert_eq!(agreed["entry"]["transaction"], entry["transaction"], "nothing was recorded again");

    // Before the acceptance: it signs no second one, of this offer or of another.
    consumer.restore(&before_the_acceptance, "consumer-1");
    consumer.start();
    decides_nothing(consumer, &own, &["accept", "request"]);
    let view = consumer.negotiation().unwrap();
    assert_eq!((view["state"].as_str(), &view["hash"]), (Some("OFFERED"), &Value::Null));
    assert_eq!(consumer.get("/api/waiting"), json!([]), "nothing of it waits for a person");

    // A copy of a copy is as careful, and a new negotiation goes its way between the two.
    let again = consumer.backup("again");
    consumer.restore(&again, "consumer-2");
    consumer.start();
    decides_nothing(consumer, &own, &["accept"]);
    consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
    let second = provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();
    if second == id {
        // The newest one is the second once it has arrived.
        std::thread::sleep(std::time::Duration::from_secs(3));
    }
    let second = provider.negotiation().unwrap()["id"].as_str().unwrap().to_owned();
    assert_ne!(second, id);
    provider.post(&format!("/api/negotiations/{second}/offer"), &json!({}));
    let fresh = consumer.reach("OFFERED")["id"].as_str().unwrap().to_owned();
    assert_ne!(fresh, own);
    consumer.post(&format!("/api/negotiations/{fresh}/accept"), &json!({}));
    provider.reach("ACCEPTED");

    // A person may end what is held.
    let ended = consumer.post(&format!("/api/negotiations/{own}/reject"), &json!({ "reason": "restored" }));
    assert_eq!(ended["state"], "TERMINATED");
    damage(&street, &again);
}

/// What is no whole backup is not restored, and nothing is overwritten.
fn damage(street: &Street, backup: &std::path::Path) {
    let said = |arguments: &[&str]| {
        let output = program().args(arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let (file, home) = (backup.to_str().unwrap(), street.consumer.home.to_str().unwrap());
    assert_eq!(fs::metadata(backup).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(said(&["restore", file, "--home", home]).contains("is there already"));
    assert!(said(&["backup", file, "--home", home]).contains("is there already"));
    let (broken, nowhere) = (street.dir.path().join("broken"), street.dir.path().join("nowhere"));
    let mut bytes = fs::read(backup).unwrap();
    let place = bytes.len() / 2;
    bytes[place] ^= 1;
    fs::write(&broken, &bytes).unwrap();
    let arguments = ["restore", broken.to_str().unwrap(), "--home", nowhere.to_str().unwrap()];
    assert!(said(&arguments).contains("another SHA-256"));
    fs::write(&broken, &bytes[..place]).unwrap();
    assert!(said(&arguments).contains("cut off"));
    let left: Vec<_> = fs::read_dir(street.dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_str().unwrap().starts_with("nowhere")), "{left:?}");
    // A copy of a home that was never restored has no such secrets in the open either.
    assert!(!bytes.windows(9).any(|window| window == b"\"secret\":"), "a backup holds no open keyring");
}
