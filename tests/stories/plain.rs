//! What a person at the desk sees of plain negotiations over the Dataspace Protocol, and does in them.

use std::fs;

use serde_json::{Value, json};

use super::town::{Town, part};

const DATASET: &str = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0001";

/// alice and bob speak the Dataspace Protocol; alice offers a dataset in plain mode. Her address, as bob writes it.
fn plain_town() -> (Town, String) {
    let mut town = Town::found();
    for who in ["alice", "bob"] {
        let file = town.path(who).join("countersign.toml");
        let text = fs::read_to_string(&file).unwrap();
        let dsp = "\n[dsp]\nplain = [\"*\"]\nuncataloged = \"manual\"\n\n[dsp.decide]\nverify = \"manual\"\n";
        fs::write(&file, text + dsp).unwrap();
    }
    let running = town.serve("alice");
    town.serve("bob");
    let use_ = json!({ "permission": [{ "action": "use", "constraint": [
        { "leftOperand": "count", "operator": "lteq", "rightOperand": "3" }] }] });
    let set =
        json!({ "id": DATASET, "title": "Motorway junction", "offers": [{ "id": "urn:offer:1", "terms": use_ }] });
    town.keep("set.json", &set.to_string());
    town.tells("alice", &["dsp", "dataset", "set.json"], &["offers", DATASET]);
    (town, format!("{}/dsp/2025-1", part(&running, "/public").trim_end_matches('/')))
}

#[test]
fn from_another_connectors_catalog_to_an_agreement() {
    let (town, at) = plain_town();
    let alice = town.id("alice");
    town.tells("bob", &["negotiations"], &["no negotiations yet"]);
    assert!(town.fails("bob", &["dsp", "show", "latest"], 2).contains("no plain negotiation here yet"));

    // He finds what there is, and asks for it.
    let words = [
        DATASET,
        "Motorway junction",
        "urn:offer:1",
        "1. The consumer may use the asset at most 3 times.",
        "HttpData-PULL",
    ];
    let said = town.tells("bob", &["dsp", "catalog", "--with", &alice, "--at", &at], &words);
    assert!(said.contains(&format!("countersign dsp start --with {alice} --at {at} --dataset {DATASET}")), "{said}");
    let none = ["dsp", "catalog", "--with", &alice, "--at", &at, "--filter", "urn:none"];
    town.tells("bob", &none, &["nothing is listed"]);
    town.says("bob", &["dsp", "start", "--with", &alice, "--at", &at, "--dataset", DATASET, "--offer", "urn:offer:1"]);

    // She is told, and sees it in her inbox with the command and the deadline.
    let waiting = town.json("alice", &["inbox", "--wait", "60"]);
    assert_eq!((&waiting[0]["mode"], &waiting[0]["decision"]), (&json!("plain"), &json!("agree")), "{waiting}");
    assert!(waiting[0]["until"].is_string() && waiting[0]["person"] == true);
    let id = part(&waiting, "/0/negotiation").to_owned();
    let brief = &id["urn:uuid:".len()..][..8];
    assert_eq!(waiting[0]["command"], format!("countersign dsp show {brief}"));
    let agree = format!("countersign dsp agree {brief} --offer urn:offer:1");
    town.tells(
        "alice",
        &["inbox"],
        &["plain: nobody signs anything", "Motorway junction", "days", ", until", "you promise the other side", &agree],
    );
    town.tells(
        "alice",
        &["negotiations"],
        &["Plain, over the Dataspace Protocol", brief, "REQUESTED", "countersign dsp show"],
    );
    let shown = town.says("alice", &["dsp", "show", "latest"]);
    for word in [
        "REQUESTED  plain: nobody signs anything",
        "the provider promises the consumer what follows",
        "yes, the terms are those of the provider's catalog",
        "  1. The consumer may use the asset at most 3 times.",
        "your turn (in ",
        &agree,
        &format!("countersign dsp offer {brief} --terms FILE --offer urn:offer:1"),
    ] {
        assert!(shown.contains(word), "`{word}` in\n{shown}");
    }

    // Whoever has read another offer decides nothing.
    let stale = ["dsp", "agree", brief, "--offer", "urn:offer:2"];
    assert!(town.fails("alice", &stale, 1).contains("negotiation.superseded"));
    town.says("alice", &["dsp", "agree", brief, "--offer", "urn:offer:1"]);
    let mine = town.json("bob", &["inbox", "--wait", "60"]);
    assert_eq!(mine[0]["decision"], "verify");
    town.tells(
        "bob",
        &["dsp", "show", "latest"],
        &["Agreement", "its terms are those above", "countersign dsp verify"],
    );
    town.says("bob", &["dsp", "verify", "latest"]);
    town.tells("bob", &["watch", "latest", "--wait", "60"], &["REQUESTED", "AGREED", "VERIFIED", "FINALIZED", "plain"]);
    town.tells("bob", &["dsp", "show", "latest"], &["countersign transfer request urn:uuid:"]);
    let events = town.json_lines("alice", &["watch", "--after", "0", "--wait", "1"]);
    let of = |kind: &str| {
        events.iter().find(|event| event["type"] == kind).unwrap_or_else(|| panic!("{kind} in {events:?}"))
    };
    let asked = of("plain-requested");
    assert_eq!(
        (&asked["mode"], &asked["negotiation"], &asked["state"]),
        (&json!("plain"), &json!(id), &json!("REQUESTED"))
    );
    let agreed = of("plain-agreed");
    assert_eq!((&agreed["decided"]["act"], &agreed["decided"]["by"]["kind"]), (&json!("agree"), &json!("person")));
    of("plain-finalized");
    assert!(town.json("alice", &["inbox"]).as_array().unwrap().is_empty());
}

#[test]
fn what_others_wrote_is_shown_whole_and_steers_no_terminal() {
    let (town, at) = plain_town();
    let alice = town.id("alice");
    let long = format!("research {} the end", "and more ".repeat(300));
    let odd = json!({
        "permission": [
            { "action": "use", "constraint": [{ "leftOperand": "purpose", "operator": "eq", "rightOperand": "a\u{202e}b" }] },
            { "action": "use", "refinement": { "of": "\u{1b}[2J\u{202e}", "long": long } },
        ],
    });
    town.keep("odd.json", &odd.to_string());
    town.says("bob", &["dsp", "start", "--with", &alice, "--at", &at, "--dataset", DATASET, "--terms", "odd.json"]);
    town.json("alice", &["inbox", "--wait", "60"]);
    let hostile = |text: &str| text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}');
    let shown = town.tells(
        "alice",
        &["dsp", "show", "latest"],
        &[
            "for the purpose “a\u{fffd}b”",
            r#"permission: {"action":"use","refinement""#,
            "the end",
            "no, the terms are not",
        ],
    );
    assert!(!hostile(&shown), "{shown}");
    town.keep("read.json", &json!({ "permission": [{ "action": "read" }] }).to_string());
    town.says("alice", &["dsp", "offer", "latest", "--terms", "read.json"]);
    let waiting = town.json("bob", &["inbox", "--wait", "60"]);
    assert_eq!(waiting[0]["decision"], "accept");
    town.tells(
        "bob",
        &["dsp", "show", "latest"],
        &["Offer 1", "another one took its place", "On the table", "read the asset", "+ permission", "- permission"],
    );
    town.says("bob", &["dsp", "terminate", "latest", "--reason", "no\u{202e}no"]);
    let ended = town.run("alice", &["watch", "latest", "--wait", "60"]);
    assert_eq!(ended.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(errors.contains("it ended without an agreement: terminated: no\u{fffd}no"), "{errors}");
    let shown = town.tells("alice", &["dsp", "show", "latest"], &["ended by the consumer: terminated: no\u{fffd}no"]);
    assert!(!hostile(&shown), "{shown}");
}

#[test]
fn what_does_not_arrive_is_told() {
    let (town, _) = plain_town();
    let nobody = "http://127.0.0.1:9/dsp/2025-1";
    town.keep("use.json", &json!({ "permission": [{ "action": "use" }] }).to_string());
    let alice = town.id("alice");
    let start = [
        "dsp",
        "start",
        "--with",
        &alice,
        "--at",
        nobody,
        "--dataset",
        DATASET,
        "--terms",
        "use.json",
        "--promisor",
        &alice,
    ];
    town.says("bob", &start);
    town.eventually("the message is shown as tried", || {
        let said = town.says("bob", &["dsp", "show", "latest"]);
        (said.contains("the request is on its way out (tried ") && !said.contains("tried 0 times")).then_some(())
    });
    town.tells("bob", &["dsp", "list"], &["not acknowledged"]);
    let failing = town.eventually("the desk is told", || {
        let events = town.json_lines("bob", &["watch", "--after", "0", "--wait", "1"]);
        events.into_iter().find(|event| event["type"] == "delivery-failing")
    });
    assert_eq!(failing["peer"], Value::from(alice));
    assert!(part(&failing, "/detail").len() > 3, "{failing}");
}
