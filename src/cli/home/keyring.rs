//! A node's secrets: several generations of the keys that others know, and what only this node uses.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::sealed::{OpenLock, Opener, RESTORE, open};
use crate::encoding::{Digest, Timestamp, decode, encode};
use crate::identity::{Did, SecretKey, Signer as _, Thumbprint};
use crate::inbox::{AgreementKey, AgreementSecret, Curve};
use crate::node::chance;
use crate::store::SealingKey;

/// How many generations of one kind a keyring holds.
const GENERATIONS: usize = 64;

/// A node's secrets, open. Written back with [`Home::keep_keyring`](super::Home::keep_keyring).
pub struct Keyring {
    lock: OpenLock,
    secrets: Secrets,
    /// Of the file that it was read from or written to last.
    file: Mutex<Option<Digest>>,
}

/// What the file hides.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secrets {
    signing: Series,
    agreement: Series,
    recorder: Secret,
    store: Secret,
}

/// Keys of one kind, one of which is in use; the others still open or verify what was made for them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    current: Thumbprint,
    keys: Vec<Generation>,
}

/// A key and when it was made.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    /// Its RFC 7638 thumbprint.
    pub id: Thumbprint,
    /// When it was made.
    #[serde(with = "crate::credential::rfc3339")]
    pub made: Timestamp,
    secret: Secret,
}

/// 32 bytes that are base64url only inside a sealed text, and erased when dropped.
struct Secret(Zeroizing<[u8; 32]>);

impl Keyring {
    /// New secrets under a new lock.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new(opener: &Opener, now: Timestamp) -> Result<Self> {
        let signing = Generation::signing(fresh_signing()?, now)?;
        let agreement = Generation::agreement(Zeroizing::new(chance::random()?), now)?;
        let secrets = Secrets {
            signing: Series { current: signing.id.clone(), keys: vec![signing] },
            agreement: Series { current: agreement.id.clone(), keys: vec![agreement] },
            recorder: Secret(Zeroizing::new(chance::random()?)),
            store: Secret(Zeroizing::new(chance::random()?)),
        };
        Ok(Self { lock: OpenLock::new(opener)?, secrets, file: Mutex::default() })
    }

    /// Opens the bytes of a keyring's file.
    ///
    /// # Errors
    /// [`WrongOpener`](super::sealed::WrongOpener) when it does not open with that; others when it is damaged.
    pub fn open(bytes: &[u8], opener: &Opener) -> Result<Self> {
        let (lock, text) = open(bytes, opener)?;
        let read = serde_json::from_slice::<Secrets>(&text).ok().filter(Secrets::whole);
        let secrets = read.with_context(|| format!("it is damaged: its keys do not read. {RESTORE}"))?;
        Ok(Self { lock, secrets, file: Mutex::new(Some(Digest::of(bytes))) })
    }

    /// The bytes of its file.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal(&self) -> Result<Vec<u8>> {
        // With room for all of it, so that growing leaves no copy behind.
        let keys = self.secrets.signing.keys.len() + self.secrets.agreement.keys.len();
        let mut text = Zeroizing::new(Vec::with_capacity(1024 + 512 * keys));
        serde_json::to_writer(&mut *text, &self.secrets)?;
        self.lock.seal(&text)
    }

    /// Whether a file is the one that this keyring was read from or written to last: if not, another command changed it.
    pub(super) fn is_of(&self, bytes: &[u8]) -> bool {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) == Some(Digest::of(bytes))
    }

    pub(super) fn was_written(&self, bytes: &[u8]) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = Some(Digest::of(bytes));
    }

    /// The same secrets under another passphrase or key.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn relock(&mut self, opener: &Opener) -> Result<()> {
        self.lock = OpenLock::new(opener)?;
        Ok(())
    }

    /// The key that signs now; it signs for its own did:key, or `for_did` for another DID that lists it.
    ///
    /// # Errors
    /// When it is no key.
    pub fn signing_key(&self) -> Result<SecretKey> {
        self.secrets.signing.current()?.signing_key()
    }

    /// The keys that envelopes are opened with, named under a DID; the current one first. Of a node's own did:key the one
    /// that it spells comes last: whoever has nothing but the DID seals for that.
    ///
    /// # Errors
    /// When one is no key.
    pub fn agreement_keys(&self, did: &Did) -> Result<Vec<AgreementKey>> {
        let series = &self.secrets.agreement;
        let current = series.current()?;
        let older = series.keys.iter().rev().filter(|key| key.id != current.id);
        let beside = [current].into_iter().chain(older);
        let mut keys =
            beside.map(|key| Ok(AgreementKey::beside(did, key.agreement_secret()?))).collect::<Result<Vec<_>>>()?;
        let signing = self.signing_key()?;
        if signing.did() == did {
            keys.push(AgreementKey::of_did_key(&signing)?);
        }
        Ok(keys)
    }

    /// Every generation of the signing key, oldest first.
    pub fn signing(&self) -> &Series {
        &self.secrets.signing
    }

    /// Every generation of the agreement key, oldest first.
    pub fn agreement(&self) -> &Series {
        &self.secrets.agreement
    }

    /// Adds a fresh signing key, which is the current one from now on; its id.
    ///
    /// # Errors
    /// When there is no randomness, or no room.
    pub fn renew_signing(&mut self, now: Timestamp) -> Result<Thumbprint> {
        self.secrets.signing.renew(Generation::signing(fresh_signing()?, now)?)
    }

    /// Adds a fresh agreement key, which is the current one from now on; its id.
    ///
    /// # Errors
    /// When there is no randomness, or no room.
    pub fn renew_agreement(&mut self, now: Timestamp) -> Result<Thumbprint> {
        self.secrets.agreement.renew(Generation::agreement(Zeroizing::new(chance::random()?), now)?)
    }

    /// Forgets the oldest generation of its kind.
    ///
    /// # Errors
    /// When there is none of that id, when it is in use, or when an older one is still kept: a former signing key ends
    /// where the next one begins, so that a gap would let it sign for longer.
    pub fn forget(&mut self, id: &Thumbprint) -> Result<()> {
        for series in [&mut self.secrets.signing, &mut self.secrets.agreement] {
            let Some(place) = series.keys.iter().position(|key| key.id == *id) else { continue };
            if series.current == *id {
                bail!("{id} is in use: `countersign keys rotate` makes another key the current one first");
            }
            if let Some(older) = series.keys.first().filter(|_| place > 0) {
                bail!("{} is older and still kept: keys are forgotten oldest first", older.id);
            }
            series.keys.remove(place);
            return Ok(());
        }
        bail!("there is no key {id} here; `countersign keys show` lists them")
    }

    /// The secp256k1 key that records in the registry.
    pub fn recorder(&self) -> &Zeroizing<[u8; 32]> {
        &self.secrets.recorder.0
    }

    /// The key under which the store seals the secrets that it keeps.
    pub fn store_key(&self) -> SealingKey {
        SealingKey::new(&self.secrets.store.0)
    }
}

impl Series {
    /// The generation in use.
    ///
    /// # Errors
    /// When it is not there.
    pub fn current(&self) -> Result<&Generation> {
        self.keys.iter().find(|key| key.id == self.current).context("the keyring's current key is missing")
    }

    /// Every generation, oldest first.
    pub fn keys(&self) -> &[Generation] {
        &self.keys
    }

    fn renew(&mut self, key: Generation) -> Result<Thumbprint> {
        if self.keys.len() >= GENERATIONS {
            bail!("the keyring holds {GENERATIONS} keys of this kind already: `countersign keys forget` makes room");
        }
        self.current = key.id.clone();
        self.keys.push(key);
        Ok(self.current.clone())
    }
}

impl Generation {
    fn signing(secret: Zeroizing<[u8; 32]>, made: Timestamp) -> Result<Self> {
        let key = SecretKey::p256(&secret).context("it is no P-256 key")?;
        Ok(Self { id: key.public_key().thumbprint(), made, secret: Secret(secret) })
    }

    fn agreement(secret: Zeroizing<[u8; 32]>, made: Timestamp) -> Result<Self> {
        let key = AgreementSecret::new(Curve::X25519, &secret).context("it is no X25519 key")?;
        Ok(Self { id: key.thumbprint(), made, secret: Secret(secret) })
    }

    /// The signature key, P-256, signing for its own did:key.
    ///
    /// # Errors
    /// When it is no such key.
    pub fn signing_key(&self) -> Result<SecretKey> {
        SecretKey::p256(&self.secret.0).context("a signing key in the keyring is no P-256 key")
    }

    /// The agreement key, X25519.
    ///
    /// # Errors
    /// When it is no such key.
    pub fn agreement_secret(&self) -> Result<AgreementSecret> {
        AgreementSecret::new(Curve::X25519, &self.secret.0).context("an agreement key in the keyring is no X25519 key")
    }
}

impl Secrets {
    /// Whether every key is the one that its id names, and each series has its current one.
    fn whole(&self) -> bool {
        let named = |key: &Generation, other: Result<Generation>| other.is_ok_and(|other| other.id == key.id);
        let signing =
            self.signing.keys.iter().all(|key| named(key, Generation::signing(key.secret.0.clone(), key.made)));
        let agreement =
            self.agreement.keys.iter().all(|key| named(key, Generation::agreement(key.secret.0.clone(), key.made)));
        signing && agreement && self.signing.current().is_ok() && self.agreement.current().is_ok()
    }
}

fn fresh_signing() -> Result<Zeroizing<[u8; 32]>> {
    // Of 2^32 draws not one is no key of P-256.
    for _ in 0..8 {
        let secret = Zeroizing::new(chance::random()?);
        if SecretKey::p256(&secret).is_some() {
            return Ok(secret);
        }
    }
    bail!("the operating system's randomness makes no key")
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(encode(self.0.as_slice())))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Borrowed from the opened text: base64url needs no escape, so that nothing is copied on the way.
        let text = <&str>::deserialize(deserializer)?;
        let bytes = decode(text).map(Zeroizing::new).ok().filter(|bytes| bytes.len() == 32);
        let bytes = bytes.ok_or_else(|| serde::de::Error::custom("not 32 bytes in base64url"))?;
        let mut secret = Zeroizing::new([0; 32]);
        secret.copy_from_slice(&bytes);
        Ok(Self(secret))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Home;
    use super::super::sealed::{RESTORE, WrongOpener};
    use super::*;
    use crate::inbox::agreement_keys_of;

    fn opener() -> Opener {
        Opener::Key(Zeroizing::new([7; 32]))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn renewed_keys_sign_and_older_ones_still_open_until_they_are_forgotten() {
        let mut keyring = Keyring::new(&opener(), at(0)).unwrap();
        let (first, old) = (keyring.signing_key().unwrap(), keyring.agreement().current().unwrap().id.clone());
        let signing = keyring.renew_signing(at(1)).unwrap();
        let agreement = keyring.renew_agreement(at(2)).unwrap();
        let bytes = keyring.seal().unwrap();
        assert_ne!(keyring.seal().unwrap(), bytes, "a nonce is never used twice");

        let mut keyring = Keyring::open(&bytes, &opener()).unwrap();
        assert_eq!(keyring.signing_key().unwrap().public_key().thumbprint(), signing);
        assert_eq!(keyring.signing().keys()[0].signing_key().unwrap().did(), first.did());
        assert_eq!(keyring.agreement().keys()[1].made, at(2));
        let own = keyring.signing_key().unwrap();
        let spelt = keyring.agreement_keys(own.did()).unwrap().pop().unwrap();
        assert_eq!([spelt.public()], agreement_keys_of(own.did()).unwrap()[..], "what others know of the DID alone");
        let kids = |keyring: &Keyring| -> Vec<String> {
            let keys = keyring.agreement_keys(first.did()).unwrap();
            keys.iter().map(|key| key.kid().to_string().split_once('#').unwrap().1.to_owned()).collect()
        };
        assert_eq!(kids(&keyring), [agreement.to_string(), old.to_string()], "the current one first");
        let newer = keyring.renew_agreement(at(2)).unwrap();
        for kept in [&newer, &agreement, &signing] {
            assert!(keyring.forget(kept).is_err(), "{kept}");
        }
        keyring.forget(&old).unwrap();
        assert!(keyring.forget(&old).is_err());
        assert_eq!(kids(&keyring), [newer.to_string(), agreement.to_string()]);
    }

    #[test]
    fn what_was_opened_with_the_right_key_but_names_other_keys_is_damaged() {
        let keyring = Keyring::new(&opener(), at(0)).unwrap();
        assert!(
            Keyring::open(&keyring.seal().unwrap(), &Opener::Key(Zeroizing::new([8; 32])))
                .is_err_and(|fault| fault.is::<WrongOpener>())
        );
        let mut text = serde_json::to_value(&keyring.secrets).unwrap();
        text["signing"]["keys"][0]["secret"] = encode([9; 32]).into();
        let sealed = OpenLock::new(&opener()).unwrap().seal(text.to_string().as_bytes()).unwrap();
        let fault = Keyring::open(&sealed, &opener()).err().unwrap().to_string();
        assert!(fault.contains("its keys do not read") && fault.ends_with(RESTORE), "{fault}");
    }

    #[test]
    fn two_who_change_the_keys_at_once_do_not_undo_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path());
        std::fs::create_dir(home.path("keys")).unwrap();
        let mut one = Keyring::new(&opener(), at(0)).unwrap();
        home.keep_keyring(&one).unwrap();
        let other = Keyring::open(&std::fs::read(home.path("keys/keyring.json")).unwrap(), &opener()).unwrap();
        one.renew_signing(at(1)).unwrap();
        home.keep_keyring(&one).unwrap();
        home.keep_keyring(&one).unwrap();
        assert!(home.keep_keyring(&other).unwrap_err().to_string().contains("meanwhile"));
        let kept = Keyring::open(&std::fs::read(home.path("keys/keyring.json")).unwrap(), &opener()).unwrap();
        assert_eq!(kept.signing().keys().len(), 2);
        assert_eq!(std::fs::read_dir(home.path("keys")).unwrap().count(), 1, "nothing half-written is left");
    }
    #[test]
    fn of_many_who_change_the_keys_at_the_same_moment_one_does() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::new(dir.path());
        std::fs::create_dir(home.path("keys")).unwrap();
        home.keep_keyring(&Keyring::new(&opener(), at(0)).unwrap()).unwrap();
        for round in 1..=20 {
            let bytes = std::fs::read(home.path("keys/keyring.json")).unwrap();
            let start = std::sync::Barrier::new(8);
            let written = std::thread::scope(|scope| {
                let one = || {
                    let mut keyring = Keyring::open(&bytes, &opener()).unwrap();
                    let id = keyring.renew_agreement(at(round)).unwrap();
                    start.wait();
                    home.keep_keyring(&keyring).is_ok().then_some(id)
                };
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
                threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
            });
            let kept = Keyring::open(&std::fs::read(home.path("keys/keyring.json")).unwrap(), &opener()).unwrap();
            assert_eq!(
                written,
                std::slice::from_ref(&kept.agreement().current().unwrap().id),
                "no key that was told is lost"
            );
        }
    }
}
