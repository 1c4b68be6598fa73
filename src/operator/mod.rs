//! Fees: what a provider states for a period, and how an operator holds it against the registry (`protocol.md` 9).
//!
//! An operator sees provider, template, times, ids and the fee of each contract; not the consumer, the asset, the terms,
//! nor the price, unless a fee is taken of it.

mod audit;
pub mod checks;
mod receipt;
mod statement;
#[cfg(test)]
mod tests;

pub use audit::{Audit, AuditEntry, Books, Problem, Summary, audit};
pub use receipt::Receipt;
pub use statement::{Lookup, MAX_STATEMENT, Stated, StatedContract, Statement, StatementClaims};
