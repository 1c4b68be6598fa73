//! countersign: a contract wallet for data spaces.
//!
//! Modules are listed bottom up; each uses only those above it in this list.

pub mod check;
pub mod encoding;
pub mod identity;
pub mod policy;
pub mod credential;
pub mod negotiation;
pub mod inbox;
pub mod gate;
pub mod operator;
pub mod node;
pub mod store;
pub mod registry;
pub mod courier;
pub mod http;
pub mod cli;
