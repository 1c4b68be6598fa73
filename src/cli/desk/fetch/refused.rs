//! What to do after a gate has refused.

use serde_json::Value;

use super::super::words::{brief, text};

/// What to do now, by the check that did not hold.
pub(super) fn next(check: &str, view: &Value) -> String {
    let id = brief(&text(view, "/id"));
    let said = match check {
        "gate.not-final" | "rule.entry.missing" => format!("wait for the record: countersign watch {id}"),
        "force.ended" | "force.withdrawn" | "force.expired" => "this contract is over; ask for a new one".into(),
        "policy.undecidable" | "policy.constraint" => match purposes(&view["offer"]["terms"]) {
            purposes if purposes.is_empty() => format!("`countersign show {id}` says what is allowed, and how often"),
            purposes => format!("say what the data is for: --purpose {}", purposes.join(" or --purpose ")),
        },
        "policy.prohibited" | "policy.not-permitted" => format!("`countersign show {id}` says what is allowed"),
        "gate.purpose" => "--purpose takes one IRI".into(),
        "gate.token.spent" | "gate.token.expired" | "gate.token.unknown" => {
            "the token is used up; the same command gets another one".into()
        }
        "gate.share.tokens" | "gate.share.deliveries" => {
            "other downloads under this contract, or from this address, are under way; wait for one of them, then try again".into()
        }
        "gate.challenge.expired" | "gate.challenge.replayed" | "presentation.time" | "gate.proof.time" => {
            "try again; if it stays so, this machine's clock or the gate's is wrong".into()
        }
        "gate.chain.unreachable" | "gate.chain.disagreement" | "gate.head.stale" => {
            "the gate cannot read the chain now, and opens nothing until it can; try again later".into()
        }
        "gate.provider"
        | "gate.asset.guarded"
        | "gate.asset.digest"
        | "gate.asset.endpoint"
        | "gate.registry"
        | "gate.recorder" => {
            "the provider's gate does not know this contract's asset as you bought it; tell the provider".into()
        }
        _ => return String::new(),
    };
    format!("\n  {said}")
}

/// Whether a refusal by this check may pass without anybody's doing.
pub(super) fn passes(check: &str) -> bool {
    check.starts_with("gate.share.")
        || matches!(check, "gate.not-final" | "gate.chain.unreachable" | "gate.chain.disagreement" | "gate.head.stale")
}

/// What is said where the uses that the terms count are spent, `kept` of them with a receipt here; none where it may be
/// another condition that does not hold.
pub(super) fn spent(check: &str, view: &Value, kept: Option<usize>) -> Option<String> {
    let (mut limit, mut others) = (None::<u64>, false);
    atoms(&view["offer"]["terms"], &mut |left, operator, right| match (left, operator, right.as_u64()) {
        ("count", "lteq", Some(most)) => limit = Some(limit.map_or(most, |limit| limit.min(most))),
        _ => others = true,
    });
    let limit = limit.filter(|_| check == "policy.constraint")?;
    let receipts = kept.and_then(|kept| u64::try_from(kept).ok());
    if others && receipts.is_none_or(|receipts| receipts < limit) {
        return None;
    }
    let all = match limit {
        1 => "the one use of this contract is spent".to_owned(),
        limit => format!("all {limit} uses of this contract are spent"),
    };
    let id = brief(&text(view, "/id"));
    let receipts = receipts.map_or_else(String::new, |kept| {
        format!("\n  {kept} of {limit} ended with a receipt that is kept here: countersign receipts {id}")
    });
    Some(format!("the gate refuses: {all} ({check}){receipts}\n  more uses need another contract: countersign request"))
}

/// Whether the terms count uses, so that each token costs one.
pub(super) fn counts_uses(terms: &Value) -> bool {
    let mut counted = false;
    atoms(terms, &mut |left, _, _| counted |= left == "count");
    counted
}

/// The purposes that the terms name.
fn purposes(terms: &Value) -> Vec<String> {
    let mut found = Vec::new();
    atoms(terms, &mut |left, _, right| {
        if left == "purpose" {
            let names = right.as_array().map_or(std::slice::from_ref(right), Vec::as_slice);
            found
                .extend(names.iter().map(|name| text(name.get("@id").unwrap_or(name), "")).filter(|it| !it.is_empty()));
        }
    });
    found.sort();
    found.dedup();
    found
}

/// Every atomic constraint: left operand and operator without their prefix, right operand.
fn atoms(terms: &Value, seen: &mut impl FnMut(&str, &str, &Value)) {
    match terms {
        Value::Array(parts) => parts.iter().for_each(|part| atoms(part, seen)),
        Value::Object(members) => {
            let bare = |name: &str| {
                let named = members.get(name).map(|value| value.get("@id").unwrap_or(value)).and_then(Value::as_str);
                named.map(|text| text.strip_prefix("odrl:").unwrap_or(text))
            };
            if let Some(left) = bare("leftOperand") {
                let operator = bare("operator").unwrap_or_default();
                seen(left, operator, members.get("rightOperand").unwrap_or(&Value::Null));
            }
            members.values().for_each(|part| atoms(part, seen));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refusal_says_what_to_do() {
        let view = json!({ "id": "urn:uuid:5b0f6a3e-0000", "offer": { "terms": { "permission": [{
            "action": "use",
            "constraint": [
                { "leftOperand": "odrl:purpose", "operator": "eq", "rightOperand": { "@id": "urn:p:research" } },
                { "or": [{ "leftOperand": "count", "operator": "lteq", "rightOperand": 2 }] },
            ],
        }] } } });
        assert!(next("policy.undecidable", &view).contains("--purpose urn:p:research"));
        assert!(next("gate.not-final", &view).contains("countersign watch 5b0f6a3e"));
        assert!(next("force.ended", &view).contains("over"));
        assert!(next("gate.share.tokens", &view).contains("try again"));
        assert_eq!(next("jws.signature", &view), "");
        assert!(counts_uses(&view["offer"]["terms"]));
        assert!(!counts_uses(&json!({ "permission": [{ "action": "use" }] })));
    }

    #[test]
    fn uses_that_are_spent_are_said_to_be() {
        let counted = json!({ "leftOperand": "odrl:count", "operator": { "@id": "odrl:lteq" }, "rightOperand": 3 });
        let view = |more: &[Value]| {
            let constraint: Vec<_> = [counted.clone()].into_iter().chain(more.iter().cloned()).collect();
            json!({ "id": "urn:uuid:5b0f6a3e-0000", "offer": { "terms": { "permission": [{ "constraint": constraint }] } } })
        };
        let said = spent("policy.constraint", &view(&[]), Some(2)).unwrap();
        assert!(said.contains("all 3 uses") && said.contains("2 of 3 ended with a receipt"), "{said}");
        assert_eq!(spent("policy.undecidable", &view(&[]), Some(3)), None);
        let before = json!({ "leftOperand": "dateTime", "operator": "lt", "rightOperand": "2026-01-01T00:00:00Z" });
        assert_eq!(
            spent("policy.constraint", &view(std::slice::from_ref(&before)), Some(2)),
            None,
            "it may be the other condition"
        );
        assert!(spent("policy.constraint", &view(&[before]), Some(3)).is_some());
    }
}
