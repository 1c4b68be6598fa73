//! The HTTP interfaces of a node: what the world may call, and what its owner may call.
//!
//! The two never share a port: the public side takes envelopes, presentations and statements from anybody; the
//! management side decides, and wants the owner's key with every request.

mod alive;
mod doors;
pub mod gate;
mod guard;
mod inbox;
pub mod operator;
mod problem;
mod serve;
mod wallet;

pub use alive::alive_router;
pub use axum::Router;
pub use guard::{ApiKey, Share, with_api_key, with_share};
pub use inbox::inbox_router;
pub use problem::Problem;
pub use serve::{Served, serve};
pub use wallet::wallet_router;
