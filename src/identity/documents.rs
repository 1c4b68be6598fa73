use std::collections::HashMap;
use std::sync::Arc;

use super::{Did, DidDocument, DidUrl, Method, PublicKey, Thumbprint};
use crate::check::Refusal;
use crate::encoding::Timestamp;

/// The DID documents at hand for one verification: did:key and did:jwk always, others as they were resolved.
///
/// A key counts because its DID's document lists it now; because somebody whom the verification believes vouches for
/// it ([`Documents::vouch`]); or, in a verification as of a past time, because the document says that the key signed
/// until later than that ([`Documents::as_of`]).
#[derive(Clone, Debug, Default)]
pub struct Documents {
    resolved: Arc<HashMap<Did, Arc<DidDocument>>>,
    vouched: Arc<HashMap<DidUrl, PublicKey>>,
    as_of: Option<Timestamp>,
}

impl Documents {
    /// Adds a document that a resolver fetched.
    pub fn insert(&mut self, document: impl Into<Arc<DidDocument>>) {
        let document = document.into();
        Arc::make_mut(&mut self.resolved).insert(document.id.clone(), document);
    }

    /// Takes a document away.
    pub fn remove(&mut self, did: &Did) {
        Arc::make_mut(&mut self.resolved).remove(did);
    }

    /// Believes that `kid` names `key`, whatever the DID's document says now; only for what the verification's own trust
    /// or a credential that it believes says.
    pub fn vouch(&mut self, kid: DidUrl, key: PublicKey) {
        Arc::make_mut(&mut self.vouched).insert(kid, key);
    }

    /// Believes those keys of an untrusted document whose thumbprints are in `listed`: an operator's word about a member.
    pub fn vouch_listed(&mut self, untrusted: &DidDocument, listed: &[Thumbprint]) {
        let former = untrusted.former.iter().map(|former| (&former.kid, &former.key));
        for (kid, key) in untrusted.keys.iter().map(|(kid, key)| (kid, key)).chain(former) {
            // What a did:key or did:jwk signs with is in its name.
            if kid.did().method() == Method::Web && listed.contains(&key.thumbprint()) {
                self.vouch(kid.clone(), *key);
            }
        }
    }

    /// The same documents for a verification as of `time`: keys that signed until later count as well.
    #[must_use]
    pub fn as_of(&self, time: Timestamp) -> Self {
        Self { as_of: Some(time), ..self.clone() }
    }

    /// The DIDs whose documents were put here.
    pub fn dids(&self) -> impl Iterator<Item = &Did> {
        self.resolved.keys()
    }

    /// The document of a DID, if one was resolved.
    pub fn document(&self, did: &Did) -> Option<&Arc<DidDocument>> {
        self.resolved.get(did)
    }

    /// The signing key that `kid` names.
    ///
    /// # Errors
    /// `did.document`, `did.key` or `jws.kid`.
    pub fn key(&self, kid: &DidUrl) -> Result<PublicKey, Refusal> {
        if let Some(key) = self.vouched.get(kid) {
            return Ok(*key);
        }
        let Some(document) = self.resolved.get(kid.did()) else {
            return DidDocument::of_key_did(kid.did())?.key(kid);
        };
        let once = |time: Timestamp| {
            let former = document.former.iter().find(|former| former.kid == *kid)?;
            former.until.is_some_and(|until| time < until).then_some(former.key)
        };
        document.key(kid).or_else(|refusal| self.as_of.and_then(once).ok_or(refusal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{FormerKey, SecretKey, Signer as _, checks};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_795_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_former_key_counts_only_as_of_its_time_or_where_somebody_vouches_for_it() {
        let did: Did = "did:web:alice.example".parse().unwrap();
        let (old, new) =
            (*SecretKey::ed25519(&[1; 32]).unwrap().public_key(), *SecretKey::ed25519(&[2; 32]).unwrap().public_key());
        let kid = |key: &PublicKey| did.url(&key.thumbprint().to_string());
        let document = DidDocument {
            keys: vec![(kid(&new), new)],
            former: vec![FormerKey { kid: kid(&old), key: old, until: Some(at(0)) }],
            ..DidDocument::bare(did.clone())
        };
        let mut documents = Documents::default();
        assert_eq!(documents.key(&kid(&new)).unwrap_err().check, &checks::DID_DOCUMENT);
        documents.insert(document.clone());
        assert_eq!(documents.key(&kid(&new)).unwrap(), new);
        let refusal = documents.key(&kid(&old)).unwrap_err();
        assert!(*refusal.check == checks::JWS_KID && refusal.detail.contains("replaced"), "{refusal}");
        assert_eq!(documents.as_of(at(-1)).key(&kid(&old)).unwrap(), old);
        assert_eq!(documents.as_of(at(0)).key(&kid(&old)).unwrap_err().check, &checks::JWS_KID);

        let mut vouched = Documents::default();
        vouched.vouch_listed(&document, &[old.thumbprint()]);
        assert_eq!(vouched.key(&kid(&old)).unwrap(), old);
        assert_eq!(vouched.key(&kid(&new)).unwrap_err().check, &checks::DID_DOCUMENT, "not in the credential");
    }
}
