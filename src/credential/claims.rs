use super::{Account, ContractId, RegistryUrn};
use crate::encoding::Timestamp;
use crate::identity::{Did, Jwk};

/// The open claims of an offer: exactly these (`protocol.md` 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenClaims {
    /// The provider.
    pub iss: Did,
    /// When it was offered.
    pub iat: Timestamp,
    /// End of the contract.
    pub exp: Timestamp,
    /// `cnf.jwk`: the consumer's one-time key.
    pub consumer_key: Jwk,
    /// The contract's id, new for every offer.
    pub contract_id: ContractId,
    /// At least 128 random bits, base64url, new for every offer.
    pub negotiation_nonce: String,
    /// The consumer may accept until then.
    pub accept_by: Timestamp,
    /// The entry's block is no later than this.
    pub record_by: Timestamp,
    /// `registry.urn`: where the entry has to stand.
    pub registry: RegistryUrn,
    /// `registry.recorder`: who has to record it.
    pub recorder: Account,
    /// `template.id`.
    pub template_id: String,
    /// `template.hash`: `b64u(H(the approval's payload))`.
    pub template_hash: String,
    /// `_sd`: the digests of the nine.
    pub digests: Vec<String>,
}
