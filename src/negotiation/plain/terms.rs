use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

/// What an offer and the agreement about it may say differently: what names the document and its parties, no terms. Who
/// promises (`countersign`, which an offer copied from a catalog brings along) is compared by itself.
const NOT_TERMS: [&str; 7] = ["@context", "@type", "@id", "assigner", "assignee", "timestamp", "countersign"];
/// Members whose items are a set, in JSON-LD's context of the protocol: one alone means a list of one, in any order.
const SETS: [&str; 6] = ["permission", "prohibition", "obligation", "constraint", "duty", "profile"];
/// Members of which an empty list says something; that of any other says nothing.
const SAY_EMPTY: [&str; 5] = ["and", "andSequence", "or", "xone", "rightOperand"];

/// Whether two policies have the same terms, `target` among them, however they are spelled.
pub fn same_terms(one: &Value, other: &Value) -> bool {
    terms(one) == terms(other)
}

/// How the terms of an offer differ from those of the one before.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Differences {
    /// What was not there before, by the member it stands under.
    pub added: Vec<(String, Value)>,
    /// What is gone.
    pub removed: Vec<(String, Value)>,
}

/// The differences between the terms of two policies.
pub fn differences(before: &Value, after: &Value) -> Differences {
    let (before, after) = (terms(before), terms(after));
    Differences { added: beyond(&after, &before), removed: beyond(&before, &after) }
}

type Terms = Map<String, Value>;

/// What `one` says and `other` does not, rule by rule.
fn beyond(one: &Terms, other: &Terms) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, value) in one {
        match (value, other.get(name)) {
            (Value::Array(items), Some(Value::Array(known))) => {
                let new = items.iter().filter(|item| !known.contains(item));
                found.extend(new.map(|item| (name.clone(), item.clone())));
            }
            (value, known) if known != Some(value) => found.push((name.clone(), value.clone())),
            _ => {}
        }
    }
    found
}

fn terms(policy: &Value) -> Terms {
    let members = policy.as_object().into_iter().flatten();
    let terms = members.filter(|(name, _)| !NOT_TERMS.contains(&name.as_str()));
    terms.filter_map(|(name, value)| Some((name.clone(), spelled(name, value)?))).collect()
}

/// The one spelling of a member's value; nothing for a list without items. An item of a list has no name.
fn spelled(name: &str, value: &Value) -> Option<Value> {
    let value = match value {
        Value::Object(members) => {
            let spelled = members.iter().filter_map(|(name, value)| Some((name.clone(), spelled(name, value)?)));
            // In one order, so that the texts of equal rules are equal.
            Value::Object(spelled.collect::<BTreeMap<_, _>>().into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.iter().filter_map(|item| spelled("", item)).collect()),
        other => other.clone(),
    };
    match value {
        Value::Array(items) if items.is_empty() && !name.is_empty() && !SAY_EMPTY.contains(&name) => None,
        Value::Array(mut items) if SETS.contains(&name) => {
            items.sort_by_cached_key(Value::to_string);
            Some(Value::Array(items))
        }
        value if !value.is_array() && SETS.contains(&name) => Some(Value::Array(vec![value])),
        value => Some(value),
    }
}
