//! What a node keeps, in SQLite: one file, one process, one writer.
//!
//! A write is durable when it returns (WAL, `synchronous=FULL`) or has not happened. SQL stays in this module.

mod books;
mod damage;
mod documents;
mod inbox;
mod ledger;
mod open;
mod outbox;
mod plain;
mod port;
mod transfers;
#[cfg(test)]
mod tests;

pub use open::{InboxLimits, Sqlite};
