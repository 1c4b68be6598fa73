use std::sync::OnceLock;

use ed25519_dalek::Signer as _;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use zeroize::Zeroizing;

use super::key::{low_s, own_kid};
use super::{Algorithm, Did, DidUrl, PublicKey};

/// Something that signs for a DID; a file's key today, a hardware module tomorrow.
pub trait Signer: Send + Sync {
    /// The DID that the signature speaks for.
    fn did(&self) -> &Did;
    /// The absolute DID URL of the key, as `kid` carries it.
    fn kid(&self) -> &DidUrl;
    /// The public half.
    fn public_key(&self) -> &PublicKey;
    /// A canonical signature over `message`, 64 bytes.
    ///
    /// # Errors
    /// When the key cannot be reached; never because of the message.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed>;
    /// A canonical signature as well, but other bytes each time, and quicker where that is possible: for what lives for
    /// seconds, and for every message.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    fn sign_quickly(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed> {
        self.sign(message)
    }
}

/// The key could not be used.
#[derive(Debug, thiserror::Error)]
#[error("the signing key of {0} could not be used")]
pub struct SigningFailed(pub Did);

/// A private key in memory, erased when dropped.
///
/// As it stands it signs for its own did:key; [`SecretKey::for_did`] lets it sign for another DID that lists it.
pub struct SecretKey {
    half: Half,
    public: PublicKey,
    did: Did,
    kid: DidUrl,
}

enum Half {
    /// The key; ring's form of it is made when it is first needed, and is not erased but when the process ends.
    P256(p256::ecdsa::SigningKey, OnceLock<Option<EcdsaKeyPair>>),
    Ed25519(ed25519_dalek::SigningKey),
}

impl SecretKey {
    /// The P-256 key of 32 secret bytes; `None` for the few values that are no key: draw again.
    pub fn p256(secret: &[u8; 32]) -> Option<Self> {
        let key = p256::ecdsa::SigningKey::from_slice(secret).ok()?;
        let public = PublicKey::from_sec1(&key.verifying_key().to_sec1_point(false).to_bytes()).ok()?;
        Self::new(Half::P256(key, OnceLock::new()), public)
    }

    /// The Ed25519 key of 32 secret bytes.
    pub fn ed25519(secret: &[u8; 32]) -> Option<Self> {
        let key = ed25519_dalek::SigningKey::from_bytes(secret);
        let public = PublicKey::from_ed25519(key.verifying_key().as_bytes()).ok()?;
        Self::new(Half::Ed25519(key), public)
    }

    fn new(half: Half, public: PublicKey) -> Option<Self> {
        let did = public.did_key();
        Some(Self { half, public, kid: own_kid(&did)?, did })
    }

    /// The same key, signing for `kid`'s DID.
    #[must_use]
    pub fn for_did(mut self, kid: DidUrl) -> Self {
        self.did = kid.did().clone();
        self.kid = kid;
        self
    }

    /// The same key, signing for its did:jwk.
    #[must_use]
    pub fn as_did_jwk(self) -> Self {
        let kid = self.public.did_jwk().url("0");
        self.for_did(kid)
    }

    /// The 32 secret bytes, for keeping; erased when dropped.
    pub fn secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(match &self.half {
            Half::P256(key, _) => key.to_bytes().into(),
            Half::Ed25519(key) => key.to_bytes(),
        })
    }
}

impl Signer for SecretKey {
    fn did(&self) -> &Did {
        &self.did
    }

    fn kid(&self) -> &DidUrl {
        &self.kid
    }

    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed> {
        let failed = |_| SigningFailed(self.did.clone());
        Ok(match &self.half {
            Half::P256(key, _) => {
                let signature: p256::ecdsa::Signature = key.try_sign(message).map_err(failed)?;
                signature.normalize_s().to_bytes().into()
            }
            Half::Ed25519(key) => key.try_sign(message).map_err(failed)?.to_bytes(),
        })
    }

    fn sign_quickly(&self, message: &[u8]) -> Result<[u8; 64], SigningFailed> {
        let Half::P256(key, quick) = &self.half else { return self.sign(message) };
        let PublicKey::P256(point) = &self.public else { return self.sign(message) };
        let random = SystemRandom::new();
        let quick = quick.get_or_init(|| {
            let secret = Zeroizing::new(<[u8; 32]>::from(key.to_bytes()));
            let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
            EcdsaKeyPair::from_private_key_and_public_key(algorithm, &*secret, point, &random).ok()
        });
        let signed = quick.as_ref().and_then(|quick| quick.sign(&random, message).ok());
        match signed.and_then(|signature| low_s(signature.as_ref())) {
            Some(signature) => Ok(signature),
            None => self.sign(message),
        }
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey({}, {:?})", self.kid, Algorithm::from(self))
    }
}

impl From<&SecretKey> for Algorithm {
    fn from(key: &SecretKey) -> Self {
        key.public.algorithm()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_signature_is_canonical_and_verifies() {
        for key in [SecretKey::p256(&[7; 32]).unwrap(), SecretKey::ed25519(&[7; 32]).unwrap()] {
            for message in [&b"one"[..], b"two", b"three", b"four", b"five", b"six"] {
                key.public_key().verify(message, &key.sign_quickly(message).unwrap()).unwrap();
            }
        }
    }
}
