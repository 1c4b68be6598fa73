//! The HTTP interfaces of a node: what the world may call, and what its owner may call.
//!
//! The two never share a port: the public side takes envelopes, presentations and statements from anybody; the
//! management side decides, and wants the owner's key with every request.

mod alive;
pub mod api;
mod books;
mod doors;
mod dsp;
pub mod gate;
mod guard;
mod inbox;
pub mod operator;
mod problem;
mod serve;
mod shapes;
mod wallet;

pub use alive::{alive_api, alive_router};
pub use api::{Api, Scope};
pub use axum::Router;
pub use books::books_api;
pub use dsp::{dsp_api, dsp_router, transfer_api, transfer_router};
pub use guard::{ApiKey, Share, with_api_key, with_share};
pub use inbox::inbox_router;
pub use problem::Problem;
pub use serve::{Served, serve};
pub use wallet::invitation_router;
pub use wallet::wallet_api;

/// The whole management interface of a kind of node, as its document describes it; without a node behind it.
///
/// # Errors
/// When two doors mean different things by one name: a fault of the program.
pub fn document(parts: &[Part]) -> Result<serde_json::Value, api::DocumentError> {
    parts
        .iter()
        .fold(Api::<()>::new().merge(alive::doors()), |all, part| match part {
            Part::Wallet => all
                .describe(wallet::doors())
                .describe(dsp::management::doors())
                .describe(dsp::transfer_desk::doors())
                .describe(operator::provider_doors()),
            Part::Operator => all.describe(operator::management_doors()).describe(books::doors()),
            Part::Gate => all,
        })
        .describe(api::page_doors())
        .document()
}

/// A part that a node's management interface can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A contract desk.
    Wallet,
    /// An operator's desk.
    Operator,
    /// A gate in front of data.
    Gate,
}
