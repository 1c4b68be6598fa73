use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::key::own_kid;
use super::{Did, DidUrl, Method, PublicKey, checks};
use crate::check::Refusal;

/// What countersign needs of a DID document (DID Core 5): the keys that sign for the DID and its services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DidDocument {
    /// The DID that the document describes.
    pub id: Did,
    /// Keys for authentication and assertion, by absolute DID URL.
    pub keys: Vec<(DidUrl, PublicKey)>,
    /// Where the DID is reached.
    pub services: Vec<Service>,
}

/// A service entry of a DID document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// For example `DIDCommMessaging`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it is reached.
    pub uri: String,
}

impl DidDocument {
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
        Ok(Self { id: did.clone(), keys: own_kid(did).map(|kid| (kid, key)).into_iter().collect(), services: vec![] })
    }

    /// The signing key that `kid` names.
    ///
    /// # Errors
    /// `jws.kid` when the document does not list it.
    pub fn key(&self, kid: &DidUrl) -> Result<PublicKey, Refusal> {
        self.keys
            .iter()
            .find(|(listed, _)| listed == kid)
            .map(|(_, key)| *key)
            .ok_or_else(|| checks::JWS_KID.refuse(format!("{} does not sign with {kid}", self.id)))
    }
}

/// The DID documents at hand for one verification: did:key and did:jwk always, others as they were resolved.
#[derive(Clone, Debug, Default)]
pub struct Documents {
    resolved: HashMap<Did, DidDocument>,
}

impl Documents {
    /// Adds a document that a resolver fetched; ignored unless it describes the DID it is filed under.
    pub fn insert(&mut self, document: DidDocument) {
        self.resolved.insert(document.id.clone(), document);
    }

    /// The signing key that `kid` names.
    ///
    /// # Errors
    /// `did.document`, `did.key` or `jws.kid`.
    pub fn key(&self, kid: &DidUrl) -> Result<PublicKey, Refusal> {
        match self.resolved.get(kid.did()) {
            Some(document) => document.key(kid),
            None => DidDocument::of_key_did(kid.did())?.key(kid),
        }
    }
}
