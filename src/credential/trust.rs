use serde::{Deserialize, Serialize};

use super::{Account, RegistryUrn};
use crate::encoding::Digest;
use crate::identity::Did;

/// Whom and what a verification believes (`protocol.md` 1 and 7); from configuration or flags, never from what is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    /// DIDs of the operators whose participant credentials and template approvals count.
    #[serde(default)]
    pub operators: Vec<Did>,
    /// DIDs of parties that are known without an operator.
    #[serde(default)]
    pub pinned: Vec<Did>,
    /// The registries that count.
    #[serde(default)]
    pub chains: Vec<ChainTrust>,
}

/// One registry that counts, and how to reach its chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainTrust {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The registry contract.
    pub registry: Account,
    /// Hash of the code that has to stand at that address, as `EXTCODEHASH` gives it.
    pub code_hash: Digest,
    /// JSON-RPC endpoints.
    #[serde(default)]
    pub rpc: Vec<String>,
}

/// Why a party's identity is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Identity {
    /// A pinned operator signed its participant credential.
    Operator,
    /// Its own DID is pinned.
    Pinned,
}

impl Trust {
    /// The registry that `urn` names, if it counts.
    pub fn registry(&self, urn: &RegistryUrn) -> Option<&ChainTrust> {
        self.chains.iter().find(|chain| chain.chain_id == urn.chain_id && chain.registry == urn.address)
    }

    /// Why a credential of `issuer` about `subject` is believed; `None` when it is not.
    pub fn identity(&self, issuer: &Did, subject: &Did) -> Option<Identity> {
        if self.operators.contains(issuer) {
            Some(Identity::Operator)
        } else {
            self.pinned.contains(subject).then_some(Identity::Pinned)
        }
    }
}
