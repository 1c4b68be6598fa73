use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A value of a template that each offer fills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What kind of value.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// The least value; for integers, decimals and times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Value>,
    /// The greatest value; for integers, decimals and times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Value>,
    /// The values to choose from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Value>>,
}

/// The kinds of value that a template's parameter may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterType {
    /// A JSON integer of at most 2^53 - 1 either way.
    Integer,
    /// An [`super::Amount`] in a JSON text.
    Decimal,
    /// `2027-12-31T23:59:59Z` in a JSON text.
    DateTime,
    /// An absolute IRI in a JSON text.
    Iri,
    /// 1 to 1024 characters without control characters.
    String,
}
