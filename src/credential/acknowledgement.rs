use super::{Account, Core, Entry};
use crate::check::{Refusal, Trail};
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, Documents, Signer, SigningFailed, Verified};

/// A party's signed word that it saw the entry (`protocol.md` 6): binds its signer even if the chain forgets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// `iss`.
    pub signer: Did,
    /// `b64u(H(core))`.
    pub core_sha256: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The registry contract.
    pub registry: Account,
    /// Height of the block.
    pub block: u64,
    /// Hash of the block.
    pub block_hash: Digest,
    /// Time of the block.
    pub block_time: Timestamp,
}

impl Acknowledgement {
    /// Signs that `entry` is the entry of `core`.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn sign(core: &Core, entry: &Entry, signer: &dyn Signer) -> Result<String, SigningFailed> {
        let _ = (core, entry, signer);
        todo!()
    }

    /// Verifies an acknowledgement by `by`.
    ///
    /// # Errors
    /// `acknowledgement.*`, `jws.*`, `did.*`, `encoding.*`.
    pub fn verify(
        text: &str,
        by: &Did,
        documents: &Documents,
        trail: &mut Trail,
    ) -> Result<Verified<Acknowledgement>, Refusal> {
        let _ = (text, by, documents, trail);
        todo!()
    }

    /// Holds the acknowledgement to an entry: the same core, registry and block.
    ///
    /// # Errors
    /// `acknowledgement.entry`.
    pub fn agrees(&self, core: &Core, entry: &Entry, trail: &mut Trail) -> Result<(), Refusal> {
        let _ = (core, entry, trail);
        todo!()
    }
}
