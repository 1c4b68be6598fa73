//! Outbound messages over HTTP, to addresses that may be hostile.

mod address;
mod inbox;
mod mediator;
mod statement;

pub use address::{AddressPolicy, client};
pub use inbox::HttpCourier;
