use serde::{Deserialize, Serialize};

use super::{Account, RegistryUrn, checks};
use crate::check::Refusal;
use crate::encoding::Digest;
use crate::identity::{Did, DidUrl, Documents, Jwk, Method};

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
    /// Keys of did:web operators, and of did:web parties that are pinned: believed whatever is served today, so that a
    /// verification needs no network, and a key that was rotated still counts for what it signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<TrustedKey>,
    /// The registries that count.
    #[serde(default)]
    pub chains: Vec<ChainTrust>,
}

/// A key of a did:web that is believed without asking its domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedKey {
    /// Its name, as `kid` carries it.
    pub kid: DidUrl,
    /// The key.
    pub jwk: Jwk,
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

    /// The documents of a verification that asks no network: the keys that are trusted by name.
    ///
    /// # Errors
    /// `trust.key` for a key that is none, or of a DID that is neither an operator nor pinned, or spells its own key.
    pub fn documents(&self) -> Result<Documents, Refusal> {
        let mut documents = Documents::default();
        for TrustedKey { kid, jwk } in &self.keys {
            let did = kid.did();
            let named = self.operators.contains(did) || self.pinned.contains(did);
            checks::TRUST_KEY.hold(named && did.method() == Method::Web, || {
                format!("{kid} is no key of a did:web among the operators or the pinned")
            })?;
            let key = jwk.public_key().map_err(|refusal| checks::TRUST_KEY.refuse(format!("{kid}: {refusal}")))?;
            documents.vouch(kid.clone(), key);
        }
        Ok(documents)
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
