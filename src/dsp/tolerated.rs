//! What other connectors write otherwise than the specification has it, each with its reason, all in this place.
//!
//! What they *answer* otherwise is in `node/dsp/reply.rs`: statuses, and errors without process ids. What they *repeat*
//! otherwise is in `negotiation/plain/decide.rs`, because it depends on where a negotiation stands.

use serde_json::Value;

/// Rewrites a message that arrived into what the specification has.
pub fn tolerate(message: &mut Value) {
    for policy in ["offer", "agreement"] {
        if let Some(policy) = message.get_mut(policy) {
            // EDC and the TCK write lists without items, which the schema forbids: they mean the same as no list.
            without_empty_lists(policy);
        }
    }
}

/// Whether an item of a catalog request's filter filters by nothing.
///
/// EDC sends a QuerySpec, which no specification names, with every request; without expressions it asks for everything.
/// Its paging is not followed: pages come with the header `Link`, as the specification has it.
pub fn filters_nothing(item: &Value) -> bool {
    let kind = item.get("@type").and_then(Value::as_str);
    let by = item.get("filterExpression").and_then(Value::as_array);
    kind == Some("QuerySpec") && by.is_none_or(Vec::is_empty)
}

fn without_empty_lists(policy: &mut Value) {
    let Some(members) = policy.as_object_mut() else { return };
    members.retain(|name, value| {
        let list = matches!(name.as_str(), "permission" | "prohibition" | "obligation" | "profile");
        !(list && value.as_array().is_some_and(Vec::is_empty))
    });
}
