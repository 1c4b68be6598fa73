//! The demo as its user runs it: one command, real processes, and evidence that a program can read.

use std::process::{Command, Stdio};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign");

/// Runs `demo --json` once for all that is held against it here.
#[test]
fn one_contract_goes_from_request_to_access_and_everything_that_must_not_work_is_refused() {
    let run = Command::new(PROGRAM).args(["demo", "--json"]).stdin(Stdio::null()).output().unwrap();
    let progress = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "the demo failed:\n{progress}");
    let evidence: Value = serde_json::from_slice(&run.stdout).expect("stdout is one JSON document");
    assert_eq!(evidence["held"], true, "{progress}");

    each_refusal_names_the_check_that_is_meant(&evidence);
    negotiations_end_alike_on_both_sides(&evidence);
    downloads_are_what_was_contracted(&evidence);
    the_operator_saw_fees_and_nothing_else(&evidence);
    finished_contracts_verify_with_the_trust_file_of_the_demo(&evidence);
}

fn each_refusal_names_the_check_that_is_meant(evidence: &Value) {
    let refused = evidence["gate"]["refused"].as_array().unwrap();
    let expected = [
        ("stranger", "jws.signature"),
        ("no-entry", "rule.entry.missing"),
        ("no-credential", "gate.provider"),
        ("not-final", "gate.not-final"),
        ("tampered", "sdjwt.disclosure.unexplained"),
        ("replayed", "gate.challenge.replayed"),
        ("ended", "force.ended"),
    ];
    for (case, check) in expected {
        let found: Vec<&str> =
            refused.iter().filter(|one| one["case"] == case).filter_map(|one| one["check"].as_str()).collect();
        assert!(found.contains(&check), "{case} was refused by {found:?}, expected {check}");
    }
}

fn negotiations_end_alike_on_both_sides(evidence: &Value) {
    let states = |side: &Value| -> Vec<String> {
        side.as_array().unwrap().iter().map(|moved| moved["state"].as_str().unwrap().to_owned()).collect()
    };
    let whole = ["REQUESTED", "OFFERED", "ACCEPTED", "AGREED", "VERIFIED", "FINALIZED"];
    let negotiations = evidence["negotiations"].as_array().unwrap();
    assert_eq!(negotiations.len(), 4);
    for negotiation in negotiations {
        let (provider, consumer) = (states(&negotiation["provider"]), states(&negotiation["consumer"]));
        assert_eq!(provider.last(), consumer.last(), "{negotiation}");
        assert_eq!(provider.last().unwrap(), negotiation["ended_as"].as_str().unwrap());
        if negotiation["ended_as"] == "FINALIZED" {
            assert_eq!((provider, consumer), (whole.map(String::from).to_vec(), whole.map(String::from).to_vec()));
        }
    }
    let reasons: Vec<&str> = negotiations.iter().filter_map(|one| one["reason"].as_str()).collect();
    assert!(reasons.iter().any(|reason| reason.starts_with("timeout.record-by")), "{reasons:?}");
    assert!(reasons.iter().any(|reason| reason.starts_with("cancelled")), "{reasons:?}");
}

fn downloads_are_what_was_contracted(evidence: &Value) {
    let granted = evidence["gate"]["granted"].as_array().unwrap();
    assert_eq!(granted.len(), 2);
    for download in granted {
        assert_eq!(download["sha256"], "4bec736d21e354a3ab37505bd3757cd129b7afb72ac8e217133ed707ae617c09");
        assert_eq!(download["receipt"].as_str().unwrap().split('.').count(), 3, "a receipt is a compact JWS");
    }
}

fn the_operator_saw_fees_and_nothing_else(evidence: &Value) {
    let audit = &evidence["audit"];
    let fees: Vec<&str> =
        audit["entries"].as_array().unwrap().iter().map(|entry| entry["fee"]["amount"].as_str().unwrap()).collect();
    assert_eq!(fees, ["25.00", "25.00"], "a fixed fee, and 2.5 % of 999.80 rounded half up");
    assert_eq!(audit["totals"], serde_json::json!([{ "currency": "EUR", "amount": "50.00" }]));
    assert_eq!(audit["problems"], serde_json::json!([]));
    for entry in audit["entries"].as_array().unwrap() {
        assert_eq!(entry["disclosures"].as_array().unwrap().len(), 1);
    }
}

fn finished_contracts_verify_with_the_trust_file_of_the_demo(evidence: &Value) {
    let contracts = evidence["contracts"].as_array().unwrap();
    assert_eq!(contracts.len(), 2);
    let dir = tempfile::tempdir().unwrap();
    for contract in contracts {
        let file = dir.path().join("contract.json");
        std::fs::write(&file, contract.to_string()).unwrap();
        let trust = evidence["trust"].as_str().unwrap();
        let verify = Command::new(PROGRAM).args(["verify", "--proven", "--trust", trust]).arg(&file).output().unwrap();
        assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stdout));
        assert_eq!(contract["history"].as_array().unwrap().len(), 6, "six signed messages made the contract");
    }
}
