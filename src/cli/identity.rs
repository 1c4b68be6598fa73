//! As whom a node acts: the did:key of its own key, or a did:web whose document lists its keys.

use anyhow::{Result, bail};

use super::configuration::IdentityTable;
use super::home::{Home, Keyring};
use crate::identity::{Did, DidDocument, FormerKey, Method, SecretKey, Signer as _};

/// The key that signs now, in the name of the DID that the configuration names.
///
/// # Errors
/// When the configuration names a DID that is not this node's to act as.
pub fn signing_key(keyring: &Keyring, identity: &IdentityTable) -> Result<SecretKey> {
    let key = keyring.signing_key()?;
    let Some(did) = &identity.did else { return Ok(key) };
    if did == key.did() {
        return Ok(key);
    }
    if did.method() != Method::Web {
        bail!("[identity] did = \"{did}\" is not this node's key: name a did:web, or leave it out for {}", key.did());
    }
    did.web_url()?;
    let kid = did.url(&key.public_key().thumbprint().to_string());
    Ok(key.for_did(kid))
}

/// The key that signs now, as the home's configuration has it.
///
/// # Errors
/// As [`signing_key`], and when the configuration does not read.
pub fn of_home(home: &Home, keyring: &Keyring) -> Result<SecretKey> {
    signing_key(keyring, &home.configuration()?.identity)
}

/// The signing keys of a node that acts as `did`: the current one, and those before it with the time of their end.
///
/// # Errors
/// When a key in the keyring is none.
pub fn document(keyring: &Keyring, did: &Did) -> Result<DidDocument> {
    let named = |key: &SecretKey| did.url(&key.public_key().thumbprint().to_string());
    let mut document = DidDocument::bare(did.clone());
    let current = keyring.signing().current()?.id.clone();
    let generations = keyring.signing().keys();
    for (place, generation) in generations.iter().enumerate() {
        let key = generation.signing_key()?;
        if generation.id == current {
            document.keys.push((named(&key), *key.public_key()));
        } else {
            let until = generations.get(place + 1).map(|next| next.made);
            document.former.push(FormerKey { kid: named(&key), key: *key.public_key(), until });
        }
    }
    Ok(document)
}
