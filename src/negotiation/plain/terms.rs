use serde::Serialize;
use serde_json::{Map, Value};

/// What an offer and the agreement about it may say differently: what names the document and its parties, no terms.
const NOT_TERMS: [&str; 6] = ["@context", "@type", "@id", "assigner", "assignee", "timestamp"];
/// Members of which one alone means a list of one, and an empty list means nothing.
const LISTS: [&str; 6] = ["permission", "prohibition", "obligation", "constraint", "duty", "profile"];

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

/// The one spelling of a member's value; nothing for a list without items.
fn spelled(name: &str, value: &Value) -> Option<Value> {
    let value = match value {
        Value::Object(members) => Value::Object(
            members.iter().filter_map(|(name, value)| Some((name.clone(), spelled(name, value)?))).collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().filter_map(|item| spelled("", item)).collect()),
        other => other.clone(),
    };
    match value {
        Value::Array(items) if items.is_empty() && LISTS.contains(&name) => None,
        value if !value.is_array() && LISTS.contains(&name) => Some(Value::Array(vec![value])),
        value => Some(value),
    }
}
