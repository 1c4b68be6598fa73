//! ODRL terms, approved templates, fees.
//!
//! Terms are a closed subset of ODRL 2.2: what is not in it is refused, never ignored, because a term that a reader
//! skips is a term that it breaks.

mod action;
mod amount;
mod anyones;
pub mod checks;
mod currency;
mod evaluate;
mod fee;
mod leeway;
mod odrl;
mod operand;
mod parameter;
mod parse;
mod spoken;
mod template;
mod value;
mod words;

pub use amount::{Amount, Money};
pub use anyones::terms_in_words;
pub use currency::Currency;
pub use evaluate::Facts;
pub use fee::{Fee, FeeRule, FeeSchedule, Tier};
pub use leeway::Leeway;
pub use odrl::{Atomic, Constraint, Duty, Logic, Permission, Policy, PolicyKind, Prohibition};
pub use operand::{LeftOperand, Operator};
pub use parameter::{Parameter, ParameterType};
pub use template::{Blanks, MAX_TEMPLATE, Template};
pub use value::{RightOperand, Span};
