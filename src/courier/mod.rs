//! Outbound messages over HTTP, to addresses that may be hostile.

mod address;
mod dsp;
mod inbox;
mod mediator;
mod resolver;
mod statement;

pub use address::{AddressPolicy, client};
pub use dsp::DspMessenger;
pub use inbox::HttpCourier;
pub use resolver::WebResolver;
