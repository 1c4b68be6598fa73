//! The HTTP interfaces of a node: what the world may call, and what its owner may call.
//!
//! The two never share a port: the public side takes envelopes, presentations and statements from anybody; the
//! management side decides, and wants a key with every request: the owner's, or one that the owner made.

mod alive;
pub mod api;
mod books;
mod crowd;
mod did;
mod doors;
mod dsp;
pub mod gate;
mod guard;
mod inbox;
mod keys;
mod metrics;
mod mediation;
mod mediator;
pub mod operator;
mod patience;
mod problem;
mod proxies;
mod serve;
mod shapes;
mod wallet;

pub use alive::{Conditions, alive_api, alive_router};
pub use api::{Api, Scope};
pub use axum::Router;
pub use books::books_api;
pub use did::did_router;
pub use dsp::{dsp_api, dsp_router, transfer_api, transfer_router};
pub use guard::{Names, Share, Strangers, with_keys, with_share};
pub use inbox::inbox_router;
pub use keys::keys_api;
pub use mediation::mediator_api;
pub use mediator::mediator_router;
pub use metrics::{Face, Sources, Traffic, metrics_api};
pub use problem::Problem;
pub use proxies::Proxies;
pub use serve::{Served, serve, serve_behind};
pub use wallet::invitation_router;
pub use wallet::wallet_api;

/// The whole management interface of a kind of node, as its document describes it; without a node behind it.
///
/// # Errors
/// When two doors mean different things by one name: a fault of the program.
pub fn document(parts: &[Part]) -> Result<serde_json::Value, api::DocumentError> {
    parts
        .iter()
        .fold(Api::<()>::new().describe(alive::doors()), |all, part| match part {
            Part::Wallet => all
                .describe(wallet::doors())
                .describe(dsp::management::doors())
                .describe(dsp::transfer_desk::doors())
                .describe(operator::provider_doors()),
            Part::Operator => all.describe(operator::management_doors()).describe(books::doors()),
            Part::Mediator => all.describe(mediation::mediator_doors()),
            Part::Gate => all,
        })
        .describe(keys::doors())
        .describe(metrics::doors())
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
    /// A mediator.
    Mediator,
    /// A gate in front of data.
    Gate,
}
