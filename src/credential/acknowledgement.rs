use serde::{Deserialize, Serialize};
use serde_json::json;

use super::exact::exact;
use super::vocabulary::TYP_ENTRY;
use super::{Account, Core, Entry, checks, rfc3339};
use crate::check::{Refusal, Trail};
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, Documents, Jws, Signer, SigningFailed, Thumbprint, Verified, sign_jws, verify_signed_by};

/// A party's signed word that it saw the entry (`protocol.md` 6): binds its signer even if the chain forgets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// `iss`.
    pub signer: Did,
    /// Its key that signed this.
    pub signed_by: Thumbprint,
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
        let claims = Wire {
            iss: signer.did().clone(),
            core_sha256: core.hash.b64u(),
            chain_id: entry.chain_id,
            registry: entry.registry,
            block: entry.block,
            block_hash: entry.block_hash,
            block_time: entry.block_time,
        };
        sign_jws(signer, TYP_ENTRY, true, json!(claims).to_string().as_bytes())
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
        let jws = Jws::parse(text)?;
        let claims: Wire = exact(&checks::ENTRY_CLAIMS, jws.claims()?)?;
        checks::ENTRY_CLAIMS.hold(claims.iss == *by, || format!("iss {}, expected {by}", claims.iss))?;
        trail.held(&checks::ENTRY_CLAIMS);
        let key = verify_signed_by(&jws, TYP_ENTRY, by, documents, trail)?;
        Ok(Verified::vouched(Acknowledgement {
            signer: claims.iss,
            signed_by: key.thumbprint(),
            core_sha256: claims.core_sha256,
            chain_id: claims.chain_id,
            registry: claims.registry,
            block: claims.block,
            block_hash: claims.block_hash,
            block_time: claims.block_time,
        }))
    }

    /// Holds the acknowledgement to an entry: the same core, registry and block.
    ///
    /// # Errors
    /// `acknowledgement.entry`.
    pub fn agrees(&self, core: &Core, entry: &Entry, trail: &mut Trail) -> Result<(), Refusal> {
        let agrees = self.core_sha256 == core.hash.b64u()
            && (self.chain_id, self.registry) == (entry.chain_id, entry.registry)
            && (self.block, self.block_hash, self.block_time) == (entry.block, entry.block_hash, entry.block_time);
        trail.hold(&checks::ENTRY_AGREES, agrees, || {
            format!("{} acknowledged block {} of chain {}", self.signer, self.block, self.chain_id)
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    iss: Did,
    core_sha256: String,
    chain_id: u64,
    registry: Account,
    block: u64,
    block_hash: Digest,
    #[serde(with = "rfc3339")]
    block_time: Timestamp,
}
