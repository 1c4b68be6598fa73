use std::fmt;

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use zeroize::Zeroizing;

use crate::node::{NodeFault, chance};

const FORM: u8 = 1;
const NONCE: usize = 12;

/// Seals small secrets at rest: AES-256-GCM with a random nonce, under what the secret belongs to.
///
/// A sealed text is `01 || nonce (12 bytes) || ciphertext || tag (16 bytes)`. The key and its schedule are erased when
/// dropped.
pub struct SealingKey {
    cipher: Aes256Gcm,
}

/// A sealed text is damaged, belongs to something else, or was sealed with another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not open: it is damaged, or was sealed with another key")]
pub struct NotOpened;

impl SealingKey {
    /// How much longer a sealed text is than its secret, in bytes.
    pub const OVERHEAD: usize = 1 + NONCE + 16;

    /// The key of 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self { cipher: Aes256Gcm::new(secret.into()) }
    }

    /// Seals a secret; `belongs_to` is not hidden, and the text opens only with the very same.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal(&self, belongs_to: &[u8], secret: &[u8]) -> Result<Vec<u8>, NodeFault> {
        let nonce: [u8; NONCE] = chance::random()?;
        let sealed = self
            .cipher
            .encrypt(&nonce.into(), Payload { msg: secret, aad: belongs_to })
            .map_err(|_| NodeFault::Key("a secret is too long to be sealed".into()))?;
        Ok([&[FORM], &nonce[..], &sealed].concat())
    }

    /// Opens a sealed text.
    ///
    /// # Errors
    /// When it does not open.
    pub fn open(&self, belongs_to: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        let (form, rest) = sealed.split_first().ok_or(NotOpened)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(NotOpened)?;
        if *form != FORM {
            return Err(NotOpened);
        }
        let opened = self.cipher.decrypt(&(*nonce).into(), Payload { msg: sealed, aad: belongs_to });
        opened.map(Zeroizing::new).map_err(|_| NotOpened)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_opens_with_its_key_for_what_it_belongs_to_and_whole() {
        let key = SealingKey::new(&[7; 32]);
        let sealed = key.seal(b"one", b"secret").unwrap();
        assert_ne!(key.seal(b"one", b"secret").unwrap(), sealed, "a nonce is never used twice");
        assert_eq!(key.open(b"one", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(key.open(b"two", &sealed), Err(NotOpened));
        assert_eq!(SealingKey::new(&[8; 32]).open(b"one", &sealed), Err(NotOpened));
        for place in 0..sealed.len() {
            let mut other = sealed.clone();
            other[place] ^= 1;
            assert_eq!(key.open(b"one", &other), Err(NotOpened), "byte {place}");
            assert_eq!(key.open(b"one", &sealed[..place]), Err(NotOpened), "cut at {place}");
        }
    }
}
