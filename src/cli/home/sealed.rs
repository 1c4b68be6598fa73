//! The file that secrets are kept in: what opens it, in the open and authenticated, and what it hides.

use anyhow::{Context as _, Result, bail};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::encoding;
use crate::node::chance;
use crate::store::SealingKey;

const FORMAT: &str = "countersign-keyring-1";
const CIPHER: &str = "AES-256-GCM";

// RFC 9106 names more memory; this is OWASP's first choice for Argon2id, and what a small machine can spare.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// What a file may ask for: it is read before it is authenticated, and must not use up the machine.
const MOST_MEMORY_KIB: u32 = 1 << 20;
const MOST_PASSES: u32 = 16;
const MOST_LANES: u32 = 16;

/// What opens a sealed file.
pub enum Opener {
    /// A person's passphrase.
    Passphrase(Zeroizing<String>),
    /// A key of 32 random bytes, for servers.
    Key(Zeroizing<[u8; 32]>),
}

/// How a file is opened, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Lock {
    /// With the key that Argon2id (RFC 9106) derives from a passphrase.
    Passphrase {
        /// `argon2id`.
        kdf: String,
        /// Memory, in KiB.
        memory_kib: u32,
        /// Passes over it.
        passes: u32,
        /// Lanes.
        lanes: u32,
        /// The salt, base64url.
        salt: String,
    },
    /// With a key of 32 random bytes, as it is.
    Key {},
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    lock: Lock,
    cipher: String,
    sealed: String,
}

#[derive(Serialize)]
struct Header<'a> {
    format: &'a str,
    lock: &'a Lock,
    cipher: &'a str,
}

/// A lock with its key: what was opened is sealed with it again.
pub struct OpenLock {
    lock: Lock,
    key: SealingKey,
}

/// Neither passphrase nor key fits, or the file was changed: authenticated encryption cannot tell the two apart.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongOpener(&'static str);

impl OpenLock {
    /// A new lock for what opens it, with a salt of its own.
    ///
    /// # Errors
    /// When there is no randomness or no memory for the derivation.
    pub fn new(opener: &Opener) -> Result<Self> {
        let lock = match opener {
            Opener::Key(_) => Lock::Key {},
            Opener::Passphrase(_) => Lock::Passphrase {
                kdf: "argon2id".into(),
                memory_kib: MEMORY_KIB,
                passes: PASSES,
                lanes: LANES,
                salt: encoding::encode(chance::random::<16>()?),
            },
        };
        let key = lock.key(opener)?;
        Ok(Self { lock, key })
    }

    /// Seals a text into the bytes of a file.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn seal(&self, text: &[u8]) -> Result<Vec<u8>> {
        let sealed = self.key.seal(&header(FORMAT, &self.lock, CIPHER)?, text)?;
        let sealed = encoding::encode(sealed);
        let file = File { format: FORMAT.into(), lock: self.lock.clone(), cipher: CIPHER.into(), sealed };
        let mut bytes = serde_json::to_vec_pretty(&file)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// How a sealed file is opened.
///
/// # Errors
/// When it is no such file.
pub fn lock_of(bytes: &[u8]) -> Result<Lock> {
    Ok(read(bytes)?.lock)
}

/// Opens the bytes of a sealed file.
///
/// # Errors
/// [`WrongOpener`] when it does not open with that; others when it is no such file.
pub fn open(bytes: &[u8], opener: &Opener) -> Result<(OpenLock, Zeroizing<Vec<u8>>)> {
    let File { format, lock, cipher, sealed } = read(bytes)?;
    let key = lock.key(opener)?;
    let damaged = || anyhow::anyhow!("it is damaged: what it hides is not base64url. {RESTORE}");
    let sealed = encoding::decode(&sealed).map_err(|_| damaged())?;
    let wrong = WrongOpener(match opener {
        Opener::Passphrase(_) => "the passphrase is wrong, or the file was changed",
        Opener::Key(_) => "the key is another one, or the file was changed",
    });
    let text = key.open(&header(&format, &lock, &cipher)?, &sealed).map_err(|_| wrong)?;
    Ok((OpenLock { lock, key }, text))
}

/// What to do about a file that does not read any more.
pub const RESTORE: &str = "Nothing was changed. Put back the file of a backup: countersign restore BACKUP --home NEWDIR, or countersign keys import FILE";

fn read(bytes: &[u8]) -> Result<File> {
    let file: File = serde_json::from_slice(bytes).with_context(|| format!("it is damaged. {RESTORE}"))?;
    if file.format != FORMAT || file.cipher != CIPHER {
        bail!(
            "its format is {} with {}, this version of the program reads {FORMAT} with {CIPHER}",
            file.format,
            file.cipher
        );
    }
    Ok(file)
}

/// What stands in the open beside the secret; in canonical form, so that another layout of the file opens as well.
fn header(format: &str, lock: &Lock, cipher: &str) -> Result<Vec<u8>> {
    let canonical = encoding::canonical(&Header { format, lock, cipher });
    canonical.map(String::into_bytes).map_err(|refusal| anyhow::anyhow!("{refusal}"))
}

impl Lock {
    fn key(&self, opener: &Opener) -> Result<SealingKey> {
        match (self, opener) {
            (Self::Key {}, Opener::Key(key)) => Ok(SealingKey::new(key)),
            (Self::Passphrase { kdf, memory_kib, passes, lanes, salt }, Opener::Passphrase(passphrase)) => {
                let within = kdf == "argon2id"
                    && *memory_kib <= MOST_MEMORY_KIB
                    && *passes <= MOST_PASSES
                    && *lanes <= MOST_LANES;
                let salt = encoding::decode(salt).ok().filter(|salt| (8..=64).contains(&salt.len()));
                let params = Params::new(*memory_kib, *passes, *lanes, Some(32)).ok();
                let (true, Some(salt), Some(params)) = (within, salt, params) else {
                    bail!("it is damaged: it names a key derivation that this program does not do. {RESTORE}");
                };
                let mut key = Zeroizing::new([0; 32]);
                Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                    .hash_password_into(passphrase.as_bytes(), &salt, &mut *key)
                    .map_err(|cause| anyhow::anyhow!("the key could not be derived from the passphrase: {cause}"))?;
                Ok(SealingKey::new(&key))
            }
            (Self::Key {}, Opener::Passphrase(_)) => bail!("it opens with a key, not with a passphrase"),
            (Self::Passphrase { .. }, Opener::Key(_)) => bail!("it opens with a passphrase, not with a key"),
        }
    }
}
