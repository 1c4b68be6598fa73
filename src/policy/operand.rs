use std::fmt;

use super::Amount;
use crate::encoding::Timestamp;

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

/// What a left operand is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RightOperand {
    /// For `dateTime`.
    Instant(Timestamp),
    /// For `count`.
    Count(u64),
    /// For `elapsedTime`.
    Span(Span),
    /// For `payAmount`.
    Amount(Amount),
    /// For everything else: one value, or several where the operator takes several.
    Names(Vec<String>),
}

/// An `xsd:duration` without sign: months and years follow the calendar, everything else is seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Years and months, in months.
    pub months: u32,
    /// Days, hours, minutes and seconds, in seconds.
    pub seconds: u32,
}
