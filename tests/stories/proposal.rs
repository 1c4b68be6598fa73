//! A provider that proposes, and a consumer that answers.

use std::fs;

use serde_json::Value;

use super::town::{Town, brief, part};

#[test]
fn a_proposal_is_answered_and_the_offer_that_comes_of_it_is_accepted() {
    let mut town = Town::in_business();
    town.open_the_gate();
    let proposed = town.json("alice", &["propose", "--to", "bob", "--asset", "Motorway junction"]);
    let waiting = town.json("bob", &["inbox", "--wait", "60"]);
    let id = part(&waiting, "/0/negotiation").to_owned();
    let inbox =
        town.tells("bob", &["inbox"], &["answer a proposal", "400.00 EUR", "it binds nobody", "Motorway junction"]);
    assert!(!inbox.contains("accept an offer"), "{inbox}");

    // Both sides read in words what would be offered.
    let words = [
        "the provider proposes terms, and nothing is offered yet",
        "the provider promises the consumer",
        "1. The consumer may use the asset at most 3 times.",
        "400.00 EUR, from the consumer to the provider",
        "25.00 EUR to the operator",
        "Motorway junction",
        "answer       in ",
        "The provider signed the message that proposes these terms; it is no offer yet.",
        "nothing is offered yet",
    ];
    town.tells("bob", &["show", brief(&id)], &words);
    town.tells("alice", &["show", part(&proposed, "/id")], &words);
    let odrl: Value = serde_json::from_str(&town.says("bob", &["show", brief(&id), "--odrl"])).unwrap();
    assert_eq!(odrl["@type"], "Offer");

    // Whoever accepts it is told that nothing is signed.
    let why = town.fails("bob", &["accept", brief(&id), "--offer", "0123abcd"], 2);
    assert!(why.contains("no offer stands there"), "{why}");
    let words =
        ["asked on exactly the proposed terms: Motorway junction, 400.00 EUR", "are not bound", "inbox --wait 60"];
    let said = town.tells("bob", &["accept", brief(&id)], &words);
    assert!(!said.contains("you are bound") && !said.contains("accepted:"), "{said}");
    let asked = town.json("bob", &["show", brief(&id)]);
    assert!(asked["hash"].is_null(), "{asked}");

    let waiting = town.json("bob", &["inbox", "--wait", "60"]);
    assert_eq!((part(&waiting, "/0/negotiation"), part(&waiting, "/0/offer_sha256").len()), (id.as_str(), 66));
    town.tells("bob", &["inbox"], &["accept an offer"]);
    town.tells("bob", &["accept", brief(&id)], &["accepted: contract urn:uuid:", "you are bound; to be recorded in "]);
    for who in ["alice", "bob"] {
        town.tells(who, &["watch", "latest", "--wait", "90"], &["FINALIZED"]);
    }
    settings_that_make_no_sense_start_nothing(&mut town);
}

fn settings_that_make_no_sense_start_nothing(town: &mut Town) {
    town.stop("bob");
    let file = town.path("bob").join("countersign.toml");
    let text = fs::read_to_string(&file).unwrap();
    let operator = town.id("operator");
    let cases = [
        (
            "accept_within = 172800",
            "accept_within = 864000",
            "[wallet.windows] makes no offer: to be accepted within 10 days",
        ),
        (operator.as_str(), "did:key:xyz", "[trust] operators names did:key:xyz, which is nobody's"),
    ];
    for (right, wrong, words) in cases {
        assert!(text.contains(right), "{right} is not in {text}");
        fs::write(&file, text.replace(right, wrong)).unwrap();
        let why = town.fails("bob", &["serve"], 1);
        assert!(why.contains(words) && why.contains("countersign.toml"), "{why}");
    }
    fs::write(&file, text).unwrap();
    town.serve("bob");
}
