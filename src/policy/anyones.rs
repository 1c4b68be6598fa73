//! Terms of anybody, for people: what reads as this module's subset of ODRL as sentences, everything else as it is.

use serde_json::{Map, Value, json};

use super::{LeftOperand, Policy};

/// What names an offer, its parties and its asset, and is shown beside the terms.
const BESIDE: [&str; 6] = ["@type", "@id", "target", "assigner", "assignee", "timestamp"];
/// The members that hold rules.
const RULES: [&str; 3] = ["permission", "prohibition", "obligation"];
/// How deep constraints are looked through for numbers that are written as text.
const DEEPEST: usize = 16;

/// The terms of an ODRL policy, rule by rule: a sentence where there is one, and the rule as JSON where there is not.
/// Nothing of it is left out, and nothing that others wrote passes for a sentence.
pub fn terms_in_words(policy: &Value) -> Vec<String> {
    let Some(members) = policy.as_object() else { return vec![policy.to_string()] };
    let mut sentences = Vec::new();
    for member in RULES {
        for rule in listed(members.get(member)) {
            match sentences_of(member, rule) {
                Some(read) => sentences.extend(read),
                None => sentences.push(format!("{member}: {rule}")),
            }
        }
    }
    let known = |name: &str| BESIDE.contains(&name) || RULES.contains(&name);
    let others = members.iter().filter(|(name, _)| !known(name));
    sentences.extend(others.map(|(name, value)| format!("{}: {value}", json!(name))));
    sentences
}

/// One or several; JSON-LD writes a single one also without the list.
fn listed(value: Option<&Value>) -> &[Value] {
    match value {
        None => &[],
        Some(Value::Array(items)) => items,
        Some(single) => std::slice::from_ref(single),
    }
}

fn sentences_of(member: &str, rule: &Value) -> Option<Vec<String>> {
    let mut rule = rule.clone();
    spell_counts(&mut rule, 0);
    // An obligation reads alone as a duty, and terms that are nothing but obligations are no policy here.
    let mut terms = json!({ "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Set", member: [rule] });
    if member == "obligation" {
        terms["prohibition"] = json!([{ "action": "sell" }]);
    }
    let mut policy = Policy::parse(&terms).ok()?;
    if member == "obligation" {
        policy.prohibitions.clear();
    }
    Some(policy.in_words())
}

/// The Dataspace Protocol has no numbers among its operands: a count is written as text there.
fn spell_counts(value: &mut Value, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    match value {
        Value::Object(members) => {
            if let Some(count) = count(members) {
                members.insert("rightOperand".into(), json!(count));
            }
            members.values_mut().for_each(|member| spell_counts(member, depth + 1));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| spell_counts(item, depth + 1)),
        _ => {}
    }
}

fn count(members: &Map<String, Value>) -> Option<u64> {
    let left = LeftOperand::parse(members.get("leftOperand")?.as_str()?).ok()?;
    let text = members.get("rightOperand")?.as_str()?;
    let digits = text.bytes().all(|digit| digit.is_ascii_digit()) && !text.starts_with('0') || text == "0";
    (left == LeftOperand::Count && digits).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_is_a_sentence_and_the_rest_is_there_as_it_is() {
        let offer = json!({
            "@id": "urn:o", "@type": "Offer", "target": "urn:d", "assigner": "a", "assignee": "b",
            "permission": [
                { "action": "use", "constraint": [{ "leftOperand": "count", "operator": "lteq", "rightOperand": "3" }] },
                { "action": "use", "refinement": [{ "x": 1 }] },
            ],
            "prohibition": { "action": "distribute" },
            "obligation": [{ "action": "delete" }],
            "profile": "urn:p", "cx:note": { "says": "more" },
        });
        assert_eq!(
            terms_in_words(&offer),
            [
                "The consumer may use the asset at most 3 times.",
                r#"permission: {"action":"use","refinement":[{"x":1}]}"#,
                "The consumer must not pass the asset on to others.",
                "The consumer has to delete the asset.",
                r#""profile": "urn:p""#,
                r#""cx:note": {"says":"more"}"#,
            ]
        );
    }

    #[test]
    fn terms_of_any_form_are_shown() {
        assert_eq!(terms_in_words(&json!(7)), ["7"]);
        assert_eq!(terms_in_words(&json!({ "permission": 7 })), ["permission: 7"]);
        assert_eq!(terms_in_words(&json!({ "permission": [] })), Vec::<String>::new());
        let leading = json!({ "leftOperand": "count", "operator": "eq", "rightOperand": "007" });
        let kept = json!({ "permission": [{ "action": "use", "constraint": [leading] }] });
        assert!(terms_in_words(&kept)[0].starts_with("permission: {"), "007 is no number");
    }
}
