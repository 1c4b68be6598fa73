//! Verdicts for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Identified, Outcome, Verdict, Verdicts};
use crate::credential::Identity;

/// One JSON document, with a line end.
///
/// `{"contract_id", "proven", "concluded", "in_force", "identities", "entry", "latest"}`; a verdict is
/// `{"holds", "checks": [{"check", "rule", "held"}], "refusal"?: {"check", "detail"}}`, or null when it was not asked.
pub fn json(verdicts: &Verdicts) -> String {
    let asked = |verdict: &Option<Verdict>| verdict.as_ref().map_or(Value::Null, verdict_json);
    let identities = verdicts.identities.as_ref().map_or(
        Value::Null,
        |[provider, consumer]| json!({ "provider": identity_json(provider), "consumer": identity_json(consumer) }),
    );
    let document = json!({
        "contract_id": verdicts.contract_id,
        "holds": verdicts.outcome() == Outcome::Holds,
        "proven": verdict_json(&verdicts.proven),
        "concluded": asked(&verdicts.concluded),
        "in_force": asked(&verdicts.in_force),
        "identities": identities,
        "entry": verdicts.entry,
        "latest": verdicts.latest,
    });
    format!("{document:#}\n")
}

fn verdict_json(verdict: &Verdict) -> Value {
    let held = verdict.held.iter().map(|check| (check, true));
    let failed = verdict.refusal.iter().map(|refusal| (&refusal.check, false));
    let checks: Vec<Value> = held
        .chain(failed)
        .map(|(check, held)| json!({ "check": check.id(), "rule": check.rule(), "held": held }))
        .collect();
    let mut document = json!({ "holds": verdict.holds(), "checks": checks });
    if let Some(refusal) = &verdict.refusal {
        document["refusal"] = json!({ "check": refusal.check.id(), "detail": refusal.detail });
    }
    document
}

fn identity_json(party: &Identified) -> Value {
    json!({ "did": party.did, "legal_name": party.legal_name, "issuer": party.issuer, "identity": party.identity })
}

/// A table: each verdict, and under it each check.
pub fn table(verdicts: &Verdicts) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail, so the results are of no interest.
    let _ = writeln!(text, "contract {}", verdicts.contract_id);
    match &verdicts.identities {
        Some(parties) => {
            for (role, party) in ["provider", "consumer"].into_iter().zip(parties) {
                let by = match party.identity {
                    Identity::Operator => format!("vouched for by {}", party.issuer),
                    Identity::Pinned => "pinned by you".into(),
                };
                let _ = writeln!(text, "{role} {} ({}), {by}", plain(&party.legal_name), party.did);
            }
        }
        None => text.push_str("identities: claimed, not proven\n"),
    }
    if let Some(entry) = &verdicts.entry {
        let _ =
            writeln!(text, "entry    block {} of {}, transaction {}", entry.block, entry.block_time, entry.transaction);
    }
    section(&mut text, "PROVEN", Some(&verdicts.proven));
    section(&mut text, "CONCLUDED", verdicts.concluded.as_ref());
    section(&mut text, "IN FORCE", verdicts.in_force.as_ref());
    text
}

fn section(text: &mut String, name: &str, verdict: Option<&Verdict>) {
    let Some(verdict) = verdict else {
        let _ = writeln!(text, "\n{name}: not asked");
        return;
    };
    let word = match verdict.refusal {
        None => "yes",
        Some(_) => "NO",
    };
    let _ = writeln!(text, "\n{name}: {word}");
    for check in &verdict.held {
        let _ = writeln!(text, "  held    {:<28} {}", check.id(), check.rule());
    }
    if let Some(refusal) = &verdict.refusal {
        let _ = writeln!(text, "  FAILED  {:<28} {}", refusal.check.id(), refusal.check.rule());
        let _ = writeln!(text, "          {:<28} found: {}", "", plain(&refusal.detail));
    }
}

/// A text that a stranger chose, without what would steer a terminal or turn the line around.
fn plain(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}
