//! A membership that lapses: ours and a counterparty's.

use std::fs;
use std::time::Duration;

use jiff::Timestamp;

use super::town::{Town, part};

fn in_seconds(seconds: i64) -> String {
    Timestamp::from_second(Timestamp::now().as_second() + seconds).unwrap().to_string()
}

/// What a command says beside its answer.
fn warned(town: &Town, who: &str, command: &[&str]) -> String {
    let output = town.run(who, command);
    assert!(output.status.success(), "{command:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_membership_that_lapses_is_warned_about_and_then_refused_on_both_sides() {
    let mut town = Town::in_business();
    town.open_the_gate();
    assert_eq!(warned(&town, "bob", &["inbox"]), "");
    town.admit("bob", &["--days", "20"]);
    let said = warned(&town, "bob", &["inbox"]);
    assert!(said.contains("your membership ends in ") && said.contains("countersign join"), "{said}");
    town.tells("bob", &["ready"], &["ready", "warning: your membership ends"]);
    // For the operator, the admission of a year still stands; the one of twenty days is among all.
    assert_eq!(town.json("operator", &["members", "--lapsing", "30"]).as_array().unwrap().len(), 0);
    assert_eq!(town.json("operator", &["members", "--lapsing", "400"]).as_array().unwrap().len(), 2);
    let all = town.json("operator", &["members", "--all"]);
    assert_eq!((all.as_array().unwrap().len(), part(&all, "/0/legal_name")), (3, "Bob Simulation SE"));

    // It lapses between his request and her answer.
    town.says("bob", &["catalog", "alice"]);
    let end = in_seconds(8);
    town.admit("bob", &["--until", &end]);
    town.says("bob", &["request", "--from", "alice", "--asset", "Motorway junction"]);
    town.says("alice", &["inbox", "--wait", "60"]);
    while Timestamp::now().to_string() < end {
        std::thread::sleep(Duration::from_millis(200));
    }
    let bob = town.id("bob");
    let why = town.fails("alice", &["offer", "latest"], 1);
    let shown = end.replace('T', " ").replace('Z', " UTC");
    for words in ["participant.window", &bob, "Bob Simulation SE", "has ended", &shown, "it has to ask anew"] {
        assert!(why.contains(words), "{words} is missing: {why}");
    }
    town.tells("alice", &["show", "latest"], &["and that is over.", "no offer can be made: its membership is over"]);
    // Nor can a rule offer; who would rely on it is told, and why.
    town.stop("alice");
    let file = town.path("alice").join("countersign.toml");
    let text = fs::read_to_string(&file).unwrap();
    let rule = "name = \"as listed\"\npoint = \"offer\"\nprice_ceiling = { amount = \"500.00\", currency = \"EUR\" }";
    fs::write(&file, format!("{text}\n[[wallet.consent.rule]]\n{rule}\n")).unwrap();
    town.serve("alice");
    let stuck = "“as listed” cannot decide: ";
    town.eventually("the rule that cannot decide", || town.says("alice", &["inbox"]).contains(stuck).then_some(()));
    town.tells("alice", &["show", "latest"], &[stuck, "has ended", "your turn"]);
    let waiting = town.json("alice", &["inbox"]);
    assert_eq!((part(&waiting, "/0/rule"), &waiting[0]["person"]), ("as listed", &serde_json::json!(true)));

    let why = town.fails("bob", &["request", "--from", "alice", "--asset", "Motorway junction"], 1);
    for words in ["participant.window", "this wallet's own membership ended", &town.id("operator"), "countersign join"]
    {
        assert!(why.contains(words), "{words} is missing: {why}");
    }
    town.fails("bob", &["catalog", "alice"], 1);
    let said = warned(&town, "bob", &["show", "latest"]);
    assert!(said.contains("your membership has ended") && said.contains("countersign join"), "{said}");

    // Nothing is lost: with a new credential it goes on, and the rule decides.
    town.admit("bob", &[]);
    // The request stays what it was: whoever asked with what is over is told to ask anew.
    town.tells(
        "bob",
        &["join", "bob.member"],
        &["has to be asked for anew", "countersign cancel ", "--from alice --asset "],
    );
    town.tells("bob", &["show", "latest"], &["this request rests on your membership that is over"]);
    assert!(town.fails("bob", &["counter", "latest", "--price", "1.00 EUR"], 2).contains("countersign cancel"));
    assert!(town.fails("alice", &["offer", "latest"], 1).contains("it has to ask anew"));
    town.says("alice", &["reject", "latest", "--reason", "ask again"]);
    town.says("bob", &["request", "--from", "alice", "--asset", "Motorway junction"]);
    town.says("bob", &["watch", "latest", "--until", "OFFERED", "--wait", "60"]);
    town.says("bob", &["accept", "latest"]);
    let words = ["FINALIZED", "decided by the rule “as listed”"];
    town.tells("alice", &["watch", "latest", "--wait", "90"], &words);
}
