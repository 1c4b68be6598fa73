use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::operand::is_named;
use super::{Amount, checks};
use crate::check::Refusal;
use crate::encoding::Timestamp;

const MAX_CHOICES: usize = 64;
const MAX_STRING: usize = 1024;
const MAX_INTEGER: i64 = (1 << 53) - 1;

/// A value of a template that each offer fills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What kind of value.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// The least value; for integers, decimals and times.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub min: Option<Value>,
    /// The greatest value; for integers, decimals and times.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub max: Option<Value>,
    /// The values to choose from, in their exact spelling.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<Value>>,
}

/// The kinds of value that a template's parameter may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterType {
    /// A JSON integer of at most 2^53 - 1 either way.
    Integer,
    /// An [`Amount`] in a JSON text.
    Decimal,
    /// `2027-12-31T23:59:59Z` in a JSON text.
    DateTime,
    /// An absolute IRI in a JSON text.
    Iri,
    /// 1 to 1024 bytes without control characters, in a JSON text.
    String,
}

impl Parameter {
    /// Holds a value to the type, the limits and the choices.
    ///
    /// # Errors
    /// `template.value`.
    pub fn hold(&self, name: &str, value: &Value) -> Result<(), Refusal> {
        let known = self.kind.scalar(value).ok_or_else(|| {
            checks::TEMPLATE_VALUE.refuse(format!(
                "`{name}` is {} where {} is asked for",
                shown(value),
                self.kind.wanted()
            ))
        })?;
        checks::TEMPLATE_VALUE.hold(self.within(&known), || self.beyond(name, value, "beyond its limits"))?;
        let chosen = self.one_of.as_ref().is_none_or(|choices| choices.contains(value));
        checks::TEMPLATE_VALUE.hold(chosen, || self.beyond(name, value, "none of its choices"))
    }

    /// Why a value of the right type is not taken, and which are.
    fn beyond(&self, name: &str, value: &Value, how: &str) -> String {
        // Choices can be many and long.
        let takes: String = self.in_words().chars().take(300).collect();
        format!("`{name}` is {} and {how}: it takes {takes}", shown(value))
    }

    /// Holds the declaration itself to sense.
    ///
    /// # Errors
    /// `template.parameter`.
    pub(super) fn sound(&self, name: &str) -> Result<(), Refusal> {
        let hold = |condition, detail: &str| {
            checks::TEMPLATE_PARAMETER.hold(condition, || format!("parameter `{name}`: {detail}"))
        };
        let ordered = matches!(self.kind, ParameterType::Integer | ParameterType::Decimal | ParameterType::DateTime);
        let limits: Vec<_> = self.min.iter().chain(&self.max).collect();
        hold(ordered || limits.is_empty(), "its type has no least and greatest value")?;
        hold(limits.iter().all(|limit| self.kind.scalar(limit).is_some()), "a limit of another type")?;
        let least = self.min.as_ref().and_then(|min| self.kind.scalar(min));
        hold(least.is_none_or(|least| self.within(&least)), "min lies above max")?;
        let Some(choices) = &self.one_of else { return Ok(()) };
        hold(!choices.is_empty() && choices.len() <= MAX_CHOICES, "none or too many choices")?;
        let distinct = choices.iter().enumerate().all(|(at, choice)| !choices[..at].contains(choice));
        hold(distinct, "a choice stands twice")?;
        hold(
            choices.iter().all(|choice| self.hold(name, choice).is_ok()),
            "a choice of another type or beyond the limits",
        )
    }

    /// Values at the edges of what is allowed; at least one.
    pub(super) fn samples(&self) -> Vec<Value> {
        if let Some(choices) = &self.one_of {
            return choices.clone();
        }
        let limits: Vec<_> = self.min.iter().chain(&self.max).cloned().collect();
        if !limits.is_empty() {
            return limits;
        }
        vec![match self.kind {
            ParameterType::Integer => Value::from(1),
            ParameterType::Decimal => Value::from("1.00"),
            ParameterType::DateTime => Value::from("2030-01-01T00:00:00Z"),
            ParameterType::Iri => Value::from("urn:sample:value"),
            ParameterType::String => Value::from("sample"),
        }]
    }

    fn within(&self, value: &Scalar) -> bool {
        let order = |limit: &Option<Value>| {
            limit.as_ref().and_then(|limit| self.kind.scalar(limit)).and_then(|limit| value.compare(&limit))
        };
        order(&self.min) != Some(Ordering::Less) && order(&self.max) != Some(Ordering::Greater)
    }
}

enum Scalar {
    Integer(i64),
    Decimal(Amount),
    Time(Timestamp),
    Text,
}

impl Scalar {
    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(one), Self::Integer(another)) => Some(one.cmp(another)),
            (Self::Decimal(one), Self::Decimal(another)) => Some(one.cmp(another)),
            (Self::Time(one), Self::Time(another)) => Some(one.cmp(another)),
            _ => None,
        }
    }
}

impl ParameterType {
    fn scalar(self, value: &Value) -> Option<Scalar> {
        match self {
            Self::Integer => value.as_i64().filter(|n| (-MAX_INTEGER..=MAX_INTEGER).contains(n)).map(Scalar::Integer),
            Self::Decimal => value.as_str()?.parse().ok().map(Scalar::Decimal),
            Self::DateTime => {
                let text = value.as_str()?;
                // One spelling for one instant.
                Timestamp::parse_rfc3339(text).ok().filter(|at| at.rfc3339() == text).map(Scalar::Time)
            }
            Self::Iri => value.as_str().filter(|text| is_named(text)).map(|_| Scalar::Text),
            Self::String => {
                let readable =
                    |text: &&str| !text.is_empty() && text.len() <= MAX_STRING && !text.contains(char::is_control);
                value.as_str().filter(readable).map(|_| Scalar::Text)
            }
        }
    }

    const fn wanted(self) -> &'static str {
        match self {
            Self::Integer => "an integer",
            Self::Decimal => "a decimal text like `25.00`",
            Self::DateTime => "a time like `2027-12-31T23:59:59Z`",
            Self::Iri => "an absolute IRI",
            Self::String => "a text",
        }
    }
}

fn shown(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

// A member that is null would be a second spelling of one that is not there.
fn present<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
