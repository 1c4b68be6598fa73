//! The contract as a credential: offer, acceptance, core, presentation, and what the registry says of it.

mod acceptance;
mod acknowledgement;
pub mod checks;
mod claims;
mod contents;
mod core;
mod entry;
mod exact;
mod file;
mod history;
mod key_binding;
mod key_statement;
mod not_signed;
mod offer;
mod participant;
mod presentation;
mod proven;
mod rule;
pub mod sd_jwt;
mod template;
mod termination;
mod trust;
pub mod vocabulary;

pub use self::core::{Core, received_in_time};
pub use acceptance::{Acceptance, accept, normalise_acceptance};
pub use acknowledgement::Acknowledgement;
pub use claims::OpenClaims;
pub use contents::{Asset, Contents, NINE, Party, Presented};
pub use entry::{Account, ContractId, Entry, Head, Mark, RegistryUrn, Sighting, rfc3339};
pub use file::{ContractFile, MAX_CONTRACT_FILE, TemplatePaper};
pub use key_binding::KeyBinding;
pub use key_statement::KeyStatement;
pub use not_signed::NotSigned;
pub use offer::{Asked, Draft, Offer, Papers, offer};
pub use participant::{Admission, LegalId, Participant};
pub use presentation::{disclosed, present, verify_presentation, verify_presentation_again};
pub use proven::{NotProven, Proven, documents_of, proven};
pub use rule::{concluded, in_force, stated};
pub use template::ApprovedTemplate;
pub use termination::Termination;
pub use trust::{ChainTrust, Identity, Trust, TrustedKey};

#[cfg(test)]
mod tests;
