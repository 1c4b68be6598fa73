use std::fmt;

use super::checks;
use crate::check::Refusal;

/// What a constraint is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOperand {
    /// The moment of the use.
    DateTime,
    /// How often the asset has been used, this use included.
    Count,
    /// Where the asset is used.
    Spatial,
    /// What the asset is used for.
    Purpose,
    /// The time since the first use.
    ElapsedTime,
    /// What is paid.
    PayAmount,
    /// A term of another vocabulary, an IRI or `prefix:name`; decided only if the facts carry it.
    Named(String),
}

impl LeftOperand {
    /// The term as terms spell it.
    pub fn term(&self) -> &str {
        match self {
            Self::DateTime => "dateTime",
            Self::Count => "count",
            Self::Spatial => "spatial",
            Self::Purpose => "purpose",
            Self::ElapsedTime => "elapsedTime",
            Self::PayAmount => "payAmount",
            Self::Named(name) => name,
        }
    }
}

impl fmt::Display for LeftOperand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.term())
    }
}

/// The operators of the Dataspace Protocol's contract schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// The same.
    Eq,
    /// More, later.
    Gt,
    /// At least, not before.
    Gteq,
    /// At most, not after.
    Lteq,
    /// Encloses.
    HasPart,
    /// Is, or is a kind of.
    IsA,
    /// Is all of these.
    IsAllOf,
    /// Is one of these.
    IsAnyOf,
    /// Is none of these.
    IsNoneOf,
    /// Lies within.
    IsPartOf,
    /// Less, before.
    Lt,
    /// Stands in the schema beside `lteq` without a meaning of its own, so nothing is ever decided by it.
    TermLteq,
    /// Another.
    Neq,
}

impl Operator {
    /// Every operator with its spelling.
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::Eq, "eq"),
        (Self::Gt, "gt"),
        (Self::Gteq, "gteq"),
        (Self::Lteq, "lteq"),
        (Self::HasPart, "hasPart"),
        (Self::IsA, "isA"),
        (Self::IsAllOf, "isAllOf"),
        (Self::IsAnyOf, "isAnyOf"),
        (Self::IsNoneOf, "isNoneOf"),
        (Self::IsPartOf, "isPartOf"),
        (Self::Lt, "lt"),
        (Self::TermLteq, "term-lteq"),
        (Self::Neq, "neq"),
    ];

    /// The term as terms spell it.
    pub fn term(self) -> &'static str {
        Self::ALL.iter().find(|(operator, _)| *operator == self).map_or("", |(_, term)| term)
    }

    /// Whether it compares sizes.
    pub const fn orders(self) -> bool {
        matches!(self, Self::Gt | Self::Gteq | Self::Lt | Self::Lteq | Self::TermLteq)
    }

    /// Whether it takes several values.
    pub const fn lists(self) -> bool {
        matches!(self, Self::IsAllOf | Self::IsAnyOf | Self::IsNoneOf)
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.term())
    }
}

impl LeftOperand {
    /// Reads a term; ODRL's own also with its prefix or as an IRI, and always to the same value.
    ///
    /// # Errors
    /// `policy.operand`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        Ok(match without_odrl(text) {
            "dateTime" => Self::DateTime,
            "count" => Self::Count,
            "spatial" => Self::Spatial,
            "purpose" => Self::Purpose,
            "elapsedTime" => Self::ElapsedTime,
            "payAmount" => Self::PayAmount,
            own if own == text && is_named(text) => Self::Named(text.to_owned()),
            _ => return Err(checks::POLICY_OPERAND.refuse(format!("`{text}` is no left operand that is known here"))),
        })
    }

    fn takes(&self, operator: Operator) -> bool {
        match self {
            Self::DateTime | Self::Count | Self::PayAmount => {
                operator.orders() || matches!(operator, Operator::Eq | Operator::Neq)
            }
            // An equal number of seconds is never meant.
            Self::ElapsedTime => operator.orders(),
            Self::Spatial | Self::Purpose => !operator.orders(),
            Self::Named(_) => true,
        }
    }
}

impl Operator {
    /// Reads an operator for a left operand.
    ///
    /// # Errors
    /// `policy.operator` when it is unknown, or compares what that operand has not.
    pub fn parse(text: &str, left: &LeftOperand) -> Result<Self, Refusal> {
        let known = Self::ALL.iter().find(|(_, term)| *term == text).map(|(operator, _)| *operator);
        let operator = known.ok_or_else(|| checks::POLICY_OPERATOR.refuse(format!("`{text}` is no operator")))?;
        checks::POLICY_OPERATOR.hold(left.takes(operator), || format!("`{text}` does not fit {left}"))?;
        Ok(operator)
    }
}

const MAX_TEXT: usize = 2048;
const ODRL: &str = "http://www.w3.org/ns/odrl/2/";
/// A term without ODRL's prefix or namespace, so that one term has one spelling.
pub(super) fn without_odrl(text: &str) -> &str {
    text.strip_prefix("odrl:").or_else(|| text.strip_prefix(ODRL)).unwrap_or(text)
}

/// Whether it is an IRI or `prefix:name`.
pub(super) fn is_named(text: &str) -> bool {
    let Some((prefix, name)) = text.split_once(':') else { return false };
    let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_');
    let foreign = |c: char| c.is_whitespace() || c.is_control() || "<>\"{}|\\^`".contains(c);
    prefix.starts_with(|c: char| c.is_ascii_alphabetic())
        && prefix.bytes().all(letters)
        && !name.is_empty()
        && text.len() <= MAX_TEXT
        && !name.contains(foreign)
}

/// Whether it is a text that a person can read: not empty, at most 2048 bytes, no control characters.
pub(super) fn is_text(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TEXT && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_are_known_or_namespaced() {
        assert_eq!(LeftOperand::parse("odrl:count").unwrap(), LeftOperand::Count);
        assert_eq!(LeftOperand::parse("http://www.w3.org/ns/odrl/2/spatial").unwrap(), LeftOperand::Spatial);
        for named in ["cx-policy:Membership", "https://w3id.org/catenax/2025/9/policy/Membership"] {
            assert_eq!(LeftOperand::parse(named).unwrap(), LeftOperand::Named(named.to_owned()));
        }
        for bad in ["", "datetime", "weather", "odrl:weather", "1x:y", "a:", "a b:c", "cx:a b", "cx:<x>"] {
            assert_eq!(LeftOperand::parse(bad).unwrap_err().check, &checks::POLICY_OPERAND, "{bad}");
        }
    }

    #[test]
    fn operators_are_known_and_fit() {
        for (operator, term) in Operator::ALL {
            assert_eq!(Operator::parse(term, &LeftOperand::Named("a:b".into())).unwrap(), operator);
            assert_eq!(operator.term(), term);
        }
        let misfits = [
            (LeftOperand::Count, "isAnyOf"),
            (LeftOperand::DateTime, "isPartOf"),
            (LeftOperand::Purpose, "lt"),
            (LeftOperand::ElapsedTime, "eq"),
            (LeftOperand::Count, "equals"),
            (LeftOperand::Count, "odrl:eq"),
        ];
        for (left, term) in misfits {
            assert_eq!(Operator::parse(term, &left).unwrap_err().check, &checks::POLICY_OPERATOR, "{left} {term}");
        }
    }
}
