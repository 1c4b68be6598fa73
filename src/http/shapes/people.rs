use serde::Deserialize;
use utoipa::ToSchema;

use super::{Account, Did, Hash, Jws};

/// This party.
#[derive(ToSchema)]
pub struct About {
    /// Its DID.
    did: Did,
    /// RFC 7638 thumbprint of the key that it signs with.
    key: Hash,
    /// Its signed contact, for others to add.
    contact: Jws,
    /// Where it takes envelopes.
    #[schema(format = "uri", example = "https://contracts.example/inbox")]
    inbox: String,
    /// The registry, as an EVES-007 URN.
    #[schema(example = "urn:blockchain:eip155:42793:contract:0x5b38da6a701c568545dcfcb03fcb875f56beddc4")]
    registry: String,
    /// The account that records its contracts; null for a party that only consumes.
    recorder: Option<Account>,
}

/// A party.
#[derive(ToSchema)]
pub struct Party {
    /// Its DID.
    did: Did,
}

/// Somebody whom this party reaches.
#[derive(ToSchema)]
#[schema(as = Contact)]
pub struct ContactView {
    /// Who.
    did: Did,
    /// Where it takes envelopes.
    #[schema(format = "uri")]
    inbox: String,
}

/// A contact to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewContact {
    /// What the party's `GET /api/self` says: a JWS of typ `countersign-contact+jwt`, signed by itself.
    contact: Jws,
}
