use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::check::{Check, Refusal};

/// Reads `value` as a `T` that lists its members; `null` is no way to say that a member is not there.
pub(super) fn exact<T: DeserializeOwned>(check: &'static Check, value: impl Into<Value>) -> Result<T, Refusal> {
    let value = value.into();
    check.hold(!holds_null(&value), || "a member is null".into())?;
    serde_json::from_value(value).map_err(|cause| check.refuse(cause.to_string()))
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.iter().any(holds_null),
        Value::Object(members) => members.values().any(holds_null),
        _ => false,
    }
}
