//! What a node keeps, in SQLite: one file, one process, one writer.
//!
//! A write is durable when it returns (WAL, `synchronous=FULL`) or has not happened. SQL stays in this module.

mod books;
mod copy;
mod damage;
mod documents;
mod evidence;
mod goods;
mod inbox;
mod keys;
mod ledger;
mod mediator;
mod news;
mod open;
mod outbox;
mod plain;
mod port;
mod seal;
mod tally;
mod tokens;
mod transfers;
#[cfg(test)]
mod tests;

pub use copy::{copy, put_to_use};
pub use open::{InboxLimits, Sqlite};
pub use seal::{NotOpened, SealingKey};
