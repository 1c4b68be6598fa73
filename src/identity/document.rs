use serde::{Deserialize, Serialize};

use super::key::own_kid;
use super::{Did, DidUrl, Jwk, Method, PublicKey, checks};
use crate::check::Refusal;
use crate::encoding::Timestamp;

/// What countersign needs of a DID document (DID Core 5): keys that sign, keys that open, and where the DID is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DidDocument {
    /// The DID that the document describes.
    pub id: Did,
    /// Keys for authentication and assertion, by absolute DID URL.
    pub keys: Vec<(DidUrl, PublicKey)>,
    /// Keys that signed once: listed, but for no relationship any more, or with the time of their end.
    pub former: Vec<FormerKey>,
    /// Keys for key agreement, X25519 or P-256; not yet checked to be points.
    pub agreement: Vec<(DidUrl, Jwk)>,
    /// Where the DID is reached.
    pub services: Vec<Service>,
}

/// A key that signed for a DID once and does not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerKey {
    /// Its name.
    pub kid: DidUrl,
    /// The key.
    pub key: PublicKey,
    /// Until when it signed; absent where the document does not say.
    pub until: Option<Timestamp>,
}

/// A service of type `DIDCommMessaging`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// `DIDCommMessaging`; services of other types are passed over.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it is reached: a URL, or a mediator's DID.
    pub uri: String,
    /// The profiles that it takes.
    #[serde(default)]
    pub accept: Vec<String>,
    /// The keys, as DID URLs, that an envelope is wrapped for on its way, first that of the inbox.
    #[serde(default)]
    pub routing_keys: Vec<String>,
}

impl DidDocument {
    /// A document of no keys and no services.
    pub const fn bare(id: Did) -> Self {
        Self { id, keys: vec![], former: vec![], agreement: vec![], services: vec![] }
    }

    /// The document that a did:key or did:jwk spells by itself.
    ///
    /// # Errors
    /// `did.key` for a malformed identifier, `did.document` for a method whose documents are fetched.
    pub fn of_key_did(did: &Did) -> Result<Self, Refusal> {
        let key = match did.method() {
            Method::Key => PublicKey::from_did_key(did.specific_id())?,
            Method::Jwk => PublicKey::from_did_jwk(did.specific_id())?,
            Method::Web => return Err(checks::DID_DOCUMENT.refuse(format!("the document of {did} is not at hand"))),
        };
        Ok(Self { keys: own_kid(did).map(|kid| (kid, key)).into_iter().collect(), ..Self::bare(did.clone()) })
    }

    /// The signing key that `kid` names.
    ///
    /// # Errors
    /// `jws.kid` when the document does not list it.
    pub fn key(&self, kid: &DidUrl) -> Result<PublicKey, Refusal> {
        let listed = self.keys.iter().find(|(listed, _)| listed == kid).map(|(_, key)| *key);
        listed.ok_or_else(|| {
            let replaced = self.former.iter().any(|former| former.kid == *kid);
            checks::JWS_KID.refuse(if replaced {
                format!("{} has replaced {kid}: it signs with another key now", self.id)
            } else {
                format!("{} does not sign with {kid}", self.id)
            })
        })
    }
}
