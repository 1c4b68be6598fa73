use super::{ContractFile, Core, Identity, Offer, Trust};
use crate::check::{Refusal, Trail};
use crate::identity::{Documents, Verified};

/// The first verdict about a contract file (`protocol.md` 7): what holds without a network.
#[derive(Clone, Debug)]
pub struct Proven {
    /// What both signed.
    pub core: Verified<Core>,
    /// What was offered.
    pub offer: Verified<Offer>,
    /// The checks that held.
    pub trail: Trail,
    /// Why the provider's identity is believed.
    pub provider: Identity,
    /// Why the consumer's identity is believed.
    pub consumer: Identity,
}

/// Why a contract file is not proven, and what held up to there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not proven: {refusal}")]
pub struct NotProven {
    /// The check that failed.
    #[source]
    pub refusal: Refusal,
    /// The checks that held before it.
    pub trail: Trail,
}

/// Proves a contract file offline, with identities and approval judged at the time of the stated entry's block.
///
/// # Errors
/// The first check that does not hold, with those that did.
pub fn proven(file: &ContractFile, trust: &Trust, documents: &Documents) -> Result<Proven, Box<NotProven>> {
    let _ = (file, trust, documents);
    todo!()
}
