//! Fees: what a provider states for a period, how an operator holds it against the registry (`protocol.md` 9), and how it
//! invoices what is due.
//!
//! An operator sees provider, template, times, ids and the fee of each contract; not the consumer, the asset, the terms,
//! nor the price, unless a fee is taken of it.

mod account;
mod audit;
pub mod checks;
mod csv;
mod invoice;
mod page;
mod receipt;
mod statement;
#[cfg(test)]
mod tests;

pub use account::{Age, Balance, Payment, Standing, Status};
pub use audit::{Audit, AuditEntry, Books, Problem, Summary, audit};
pub use csv::csv;
pub use invoice::{Credited, Customer, Due, Invoice, Issuer, Kind, Line, Place, due, totals};
pub use page::page;
pub use receipt::Receipt;
pub use statement::{Lookup, MAX_STATEMENT, Stated, StatedContract, Statement, StatementClaims};
