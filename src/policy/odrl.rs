use super::{LeftOperand, Operator, RightOperand};
use crate::encoding::Timestamp;

/// Terms: a typed subset of ODRL 2.2, as the Dataspace Protocol narrows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `@type`.
    pub kind: PolicyKind,
    /// `@id`; an IRI or any other name.
    pub id: Option<String>,
    /// `profile`, none, one or several.
    pub profile: Vec<String>,
    /// The asset.
    pub target: Option<String>,
    /// Who grants.
    pub assigner: Option<String>,
    /// Who is granted.
    pub assignee: Option<String>,
    /// When an Agreement was made.
    pub timestamp: Option<Timestamp>,
    /// What may be done.
    pub permissions: Vec<Permission>,
    /// What must not be done.
    pub prohibitions: Vec<Prohibition>,
    /// What must be done.
    pub obligations: Vec<Duty>,
}

/// The kinds of ODRL policy that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// Terms of nobody in particular.
    Set,
    /// Terms that one party proposes.
    Offer,
    /// Terms that two parties agreed on.
    Agreement,
}

/// What may be done, as long as every constraint holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// An ODRL action or a namespaced one.
    pub action: String,
    /// Conditions; all have to hold.
    pub constraints: Vec<Constraint>,
    /// What whoever makes use of the permission owes; not a condition of access (see [`Policy::permits`]).
    pub duties: Vec<Duty>,
}

/// What must not be done while every constraint holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prohibition {
    /// An ODRL action or a namespaced one.
    pub action: String,
    /// Conditions; all have to hold for the prohibition to apply.
    pub constraints: Vec<Constraint>,
}

/// What must be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// An ODRL action or a namespaced one.
    pub action: String,
    /// How, when, where, how much.
    pub constraints: Vec<Constraint>,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// One comparison.
    Atomic(Atomic),
    /// Several conditions joined.
    Logical(Logic, Vec<Constraint>),
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Atomic {
    /// What is compared.
    pub left: LeftOperand,
    /// How.
    pub operator: Operator,
    /// With what.
    pub right: RightOperand,
    /// Of what unit; for `payAmount` the currency.
    pub unit: Option<String>,
}

/// How conditions are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Logic {
    /// All hold.
    And,
    /// At least one holds.
    Or,
    /// Exactly one holds.
    Xone,
    /// All hold; judged left to right, at one moment.
    AndSequence,
}

impl Policy {
    /// Whether a use has to be counted before it can be judged.
    pub fn counts_uses(&self) -> bool {
        let permitted = self.permissions.iter().flat_map(|rule| &rule.constraints);
        let prohibited = self.prohibitions.iter().flat_map(|rule| &rule.constraints);
        permitted.chain(prohibited).any(|constraint| constraint.is_about(&LeftOperand::Count))
    }
}

impl Constraint {
    /// Whether any comparison in it has that left operand.
    pub fn is_about(&self, left: &LeftOperand) -> bool {
        match self {
            Self::Atomic(atomic) => atomic.left == *left,
            Self::Logical(_, parts) => parts.iter().any(|part| part.is_about(left)),
        }
    }
}
