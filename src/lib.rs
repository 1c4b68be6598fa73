//! countersign: a contract wallet for data spaces.
//!
//! Modules are listed bottom up; each uses only those above it in this list.

pub mod check;
pub mod encoding;
pub mod identity;
pub mod policy;
pub mod credential;
pub mod negotiation;
#[cfg(feature = "wallet")]
pub mod dsp;
#[cfg(feature = "wallet")]
pub mod transfer;
pub mod inbox;
pub mod gate;
pub mod operator;
#[cfg(feature = "wallet")]
pub mod node;
#[cfg(feature = "wallet")]
pub mod store;
#[cfg(feature = "wallet")]
pub mod registry;
#[cfg(feature = "wallet")]
pub mod courier;
#[cfg(feature = "wallet")]
pub mod http;
#[cfg(feature = "wallet")]
pub mod cli;
