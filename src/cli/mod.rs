//! The command line.

pub mod audit_table;
pub mod verify;
