//! The Dataspace Protocol 2025-1: its messages, read strictly and written as its schemas have them.
//!
//! Plain JSON, as the specification allows; what travels is the compacted form. Members that nobody knows are kept.

mod catalog;
pub mod checks;
mod message;
pub mod peer_catalog;
mod schema;
mod tolerated;

pub use catalog::{Dataset, Distribution, Meant, OfferTerms, UNLISTED, catalog, catalog_error, read_filter};
pub use message::{
    Form, Letter, MAX_MESSAGE, Named, acknowledge, hold_said, negotiation_error, parse, read, spell_operands, write,
};
pub use schema::{hold, hold_by, is_id, is_valid};
pub use tolerated::{filters_nothing, tolerate};

/// The JSON-LD context of every message.
pub const CONTEXT: &str = "https://w3id.org/dspace/2025/1/context.jsonld";
/// The version that this module speaks.
pub const VERSION: &str = "2025-1";
/// The id of nothing: an error has to name two processes, known or not.
pub const NOBODY: &str = "urn:uuid:00000000-0000-0000-0000-000000000000";
