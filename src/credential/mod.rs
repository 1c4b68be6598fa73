//! The contract as a credential: offer, acceptance, core, presentation, and what the registry says of it.

pub mod checks;
mod entry;

pub use entry::{Account, ContractId, Entry, Head, Mark, RegistryUrn, Sighting, rfc3339};
