//! The registry contract over JSON-RPC, and the embedded development chain.
//!
//! [`Client`] implements [`crate::node::port::Registry`] for any chain that speaks Ethereum's JSON-RPC, Etherlink first
//! of all; [`devchain`] is such a chain in-process, for development, demonstrations and tests.

mod abi;
mod client;
pub mod devchain;

pub use abi::{sign_record, sign_withdrawal};
pub use client::{Client, ClientConfig, Deployment, account_of, balance, chain_id, deploy, send_value};
