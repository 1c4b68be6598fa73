use serde::{Deserialize, Serialize};

use crate::credential::{Account, RegistryUrn};
use crate::identity::Did;

/// The longest life of a token, in seconds.
pub const MAX_TOKEN_TTL: i64 = 3600;

/// What a gate guards, and for whose contracts it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatePolicy {
    /// The gate's origin, as a challenge names it in `aud`: scheme, host and port.
    pub origin: String,
    /// Providers whose contracts open this gate.
    pub providers: Vec<Did>,
    /// The registry that is asked.
    pub registry: RegistryUrn,
    /// Accounts that record for these providers; empty: whichever the signed offer names. Naming them keeps a thief of
    /// the provider's key from recording contracts under an account of its own.
    pub recorders: Vec<Account>,
    /// What is guarded.
    pub assets: Vec<GuardedAsset>,
    /// How old the finalised head may be, in seconds.
    pub max_head_age: i64,
}

/// One asset behind the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardedAsset {
    /// Its IRI, as contracts name it.
    pub id: String,
    /// SHA-256 of its bytes, 64 lowercase hexadecimal digits.
    pub sha256: String,
    /// IANA media type.
    pub media_type: String,
    /// Where it is served on the gate's origin, for example `/assets/highway`; with the origin the contract's endpoint.
    pub path: String,
}

impl GatePolicy {
    /// The URL of an asset, as contracts name it in `endpoint`.
    pub fn endpoint(&self, asset: &GuardedAsset) -> String {
        format!("{}{}", self.origin, asset.path)
    }

    /// The asset of that id.
    pub fn asset(&self, id: &str) -> Option<&GuardedAsset> {
        self.assets.iter().find(|asset| asset.id == id)
    }
}
