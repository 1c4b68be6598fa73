//! The operator's accountant.

use std::fs;

use jiff::{Timestamp, ToSpan as _};
use serde_json::Value;

use super::town::{PURCHASE, Town, part};

#[test]
fn an_accountant_collects_audits_invoices_and_is_paid() {
    let mut town = Town::in_business();
    town.open_the_gate();
    let words = ["Alice Maps GmbH", "Bob Simulation SE", "LEI 529900T8BM49AURSDO55", " days, until ", "eip155:"];
    town.tells("operator", &["members"], &words);
    town.tells("operator", &["approvals"], &["Single purchase and download"]);
    let id = town.contract();
    let contract = part(&town.json("bob", &["show", &id]), "/offer/contract_id").to_owned();
    let recorded: Timestamp = part(&town.json("bob", &["show", &id]), "/entry/block_time").parse().unwrap();
    let (from, until) = (recorded - 3600.seconds(), (recorded + 1.second()).to_string());
    let from = from.to_string();
    let period = ["--from", &from, "--until", &until];

    // The registry shows an entry of alice's that no statement explains yet.
    assert!(town.fails("operator", &["collect", "--month", "2031-01"], 1).contains("blocks are final up to"));
    let said = town.eventually("finality of the period", || {
        let output = town.run("operator", &[&["collect"], &period[..]].concat());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code() == Some(1) && !said.is_empty()).then_some(said)
    });
    assert!(said.contains("missing") && said.contains(&contract), "{said}");
    let running: Value = serde_json::from_slice(&fs::read(town.path("operator/running.json")).unwrap()).unwrap();
    it_states_its_fees_although_the_operator_is_away(&town, &period, part(&running, "/public"));
    town.tells("operator", &[&["collect"], &period[..]].concat(), &["Alice Maps GmbH"]);
    let audits = town.json("operator", &["audits"]);
    let audit = audits.as_array().unwrap().iter().find(|audit| audit["entries"] == 1).unwrap();
    let words = [&contract["urn:uuid:".len()..], PURCHASE, "25.00 EUR", "Problems  none"];
    town.tells("operator", &["audit", "--", &part(audit, "/id")[..12]], &words);

    let refused = town.run("operator", &[&["invoice", "Alice"], &period[..]].concat());
    assert!(!refused.status.success(), "an operator without a letterhead issues nothing");
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(why.contains("[operator]"), "{why}");
    letterhead(&mut town);

    let invoice = [&["invoice", "Alice"], &period[..]].concat();
    town.tells("operator", &[&invoice[..], &["--preview"]].concat(), &["nothing is issued", "25.00 EUR"]);
    town.says("operator", &[&invoice[..], &["--html", "invoice.html"]].concat());
    let page = fs::read_to_string(town.path("invoice.html")).unwrap();
    for words in
        ["INV-000001", "Example Data Space e.V.", "Alice Maps GmbH", &contract["urn:uuid:".len()..], "25.00 EUR"]
    {
        assert!(page.contains(words), "{words} is missing on the page");
    }
    assert!(!page.contains("<script") && !page.contains("src="), "a page for print brings everything itself");
    let why = town.fails("operator", &["invoices", "INV-000001", "--html", "invoice.html"], 2);
    assert!(why.contains("--force"), "{why}");
    assert!(town.fails("operator", &[&invoice[..], &["--html", "invoice.html"]].concat(), 2).contains("--force"));
    town.says("operator", &["invoices", "INV-000001", "--html", "invoice.html", "--force"]);
    let csv = town.says("operator", &["invoices", "--csv", "-"]);
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.contains(&contract) && csv.contains("25.00"), "{csv}");
    let json = town.json("operator", &["invoices", "INV-000001"]);
    assert_eq!((part(&json, "/lines/0/contract_id"), part(&json, "/totals/0/amount")), (contract.as_str(), "25.00"));
    assert!(!town.run("operator", &invoice).status.success(), "a fee is invoiced once");

    let pay = |amount: &str, reference: &str| {
        let day = Timestamp::now().to_string()[..10].to_owned();
        town.says("operator", &["pay", "INV-000001", amount, "--date", &day, "--reference", reference])
    };
    town.tells("operator", &["open"], &["INV-000001", "Alice Maps GmbH", "25.00 EUR", "not due"]);
    assert!(pay("10.00", "SEPA 1").contains("15.00 EUR"));
    assert!(pay("15.00", "SEPA 2").contains("is paid"));
    assert!(town.says("operator", &["open"]).contains("nothing is open"));
    town.tells(
        "operator",
        &["credit", "INV-000001", "--reason", "a test"],
        &["Credit note", "INV-000002", "INV-000001"],
    );
    town.tells("operator", &["open"], &["INV-000001", "25.00 EUR"]);
}

/// A statement that did not get through stays, and goes first.
fn it_states_its_fees_although_the_operator_is_away(town: &Town, period: &[&str], operator: &str) {
    let nowhere = [&["state-fees", "--operator", "http://127.0.0.1:1"], period].concat();
    let why = town.fails("alice", &nowhere, 3);
    assert!(why.contains("is kept, and not sent") && why.contains("before it states anything new"), "{why}");
    town.tells("alice", &["state-fees", "--list"], &["no: not sent"]);
    // Nothing new is piled up on what waits.
    town.fails("alice", &["state-fees", "--operator", "http://127.0.0.1:1"], 3);
    let kept = town.json("alice", &["state-fees", "--list"]);
    assert_eq!((kept.as_array().unwrap().len(), &kept[0]["contracts"]), (1, &serde_json::json!(1)), "{kept}");

    let state = ["state-fees", "--operator", operator];
    town.tells("alice", &state, &["sent now, stated earlier", part(&kept, "/0/id"), "due       25.00 EUR"]);
    let said = town.says("alice", &["state-fees", "--list"]);
    assert!(said.contains("25.00 EUR") && !said.contains("not sent"), "{said}");
    let again = [&["state-fees", "--send", &part(&kept, "/0/id")[..12]], &state[1..]].concat();
    town.tells("alice", &again, &["due       25.00 EUR"]);
    assert!(town.fails("alice", &["state-fees", "--send", "nothing", "--operator", operator], 2).contains("--list"));
    town.eventually("something more to state", || {
        let output = town.run("alice", &["state-fees"]);
        String::from_utf8_lossy(&output.stdout).contains("countersign state-fees --send ").then_some(())
    });
    // Somebody who takes no statements at all: it is said of each, and nothing is lost.
    let own = town.json("alice", &["contact", "show"]);
    let elsewhere = part(&own, "/inbox").strip_suffix("/inbox").unwrap();
    let refused = town.run("alice", &["state-fees", "--operator", elsewhere, "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(part(&said, "/refused/0/why").contains("the operator answered 4"), "{said}");
    let kept = town.json("alice", &["state-fees", "--list"]);
    let id = part(&said, "/refused/0/id");
    assert!(kept.as_array().unwrap().iter().any(|one| one["id"] == id && one["receipt"].is_null()), "{kept}");
}

/// The accountant writes down who invoices; the operator's node takes it over when it is started again.
fn letterhead(town: &mut Town) {
    let file = town.path("operator/countersign.toml");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("# name = ", "name = ").replace("# address = [\"Must", "address = [\"Must");
    fs::write(&file, text).unwrap();
    town.stop("operator");
    town.serve("operator");
}
