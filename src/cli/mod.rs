//! The command line.

pub mod audit_table;
