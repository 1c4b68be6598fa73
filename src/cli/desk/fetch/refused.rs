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

/// Whether the terms count uses, so that each token costs one.
pub(super) fn counts_uses(terms: &Value) -> bool {
    let mut counted = false;
    atoms(terms, &mut |left, _| counted |= left == "count");
    counted
}

/// The purposes that the terms name.
fn purposes(terms: &Value) -> Vec<String> {
    let mut found = Vec::new();
    atoms(terms, &mut |left, right| {
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

/// Every atomic constraint: left operand without its prefix, right operand.
fn atoms(terms: &Value, seen: &mut impl FnMut(&str, &Value)) {
    match terms {
        Value::Array(parts) => parts.iter().for_each(|part| atoms(part, seen)),
        Value::Object(members) => {
            let left = members.get("leftOperand").map(|left| left.get("@id").unwrap_or(left));
            if let Some(left) = left.and_then(Value::as_str) {
                let bare = left.strip_prefix("odrl:").unwrap_or(left);
                seen(bare, members.get("rightOperand").unwrap_or(&Value::Null));
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
}
