//! A node's home: its keys, its store, and where it listens.

mod cores;
pub mod durable;
mod keyring;
mod running;
mod sealed;
mod unlock;

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use zeroize::Zeroizing;

use super::configuration::Configuration;
use crate::node::chance;

#[allow(unused_imports, reason = "named by whoever lists or rotates keys")]
pub use keyring::{Generation, Keyring, Series};
pub use running::{Ports, Running};
pub use unlock::{UnlockArgument, secret_text};

/// The file that configures a node.
pub const CONFIGURATION: &str = "countersign.toml";
/// The file that holds a node's keys, encrypted.
pub const KEYRING: &str = "keys/keyring.json";
/// What the node keeps.
pub const STORE: &str = "store.sqlite";

/// A node's home directory.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

impl Home {
    /// The home in a directory, which need not exist yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self(dir.into())
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes it: directory, keys and API key. What is there already stays as it is.
    ///
    /// # Errors
    /// When the directory cannot be written, or there are keys that do not open.
    pub fn make(&self, unlock: &UnlockArgument, exported: Option<Keyring>) -> Result<Keyring> {
        if self.path(KEYRING).exists() {
            if exported.is_some() {
                bail!("{} holds keys already; `countersign keys import` puts others in their place", self.0.display());
            }
            self.keep_api_key()?;
            return self.keyring(unlock);
        }
        // Asked before anything is made, so that nothing is left of a home that has no passphrase.
        let opener = unlock.choose(&self.0.display().to_string())?;
        cores::forbid();
        let keyring = match exported {
            None => Keyring::new(&opener, chance::now()?)?,
            Some(mut keyring) => {
                keyring.relock(&opener)?;
                keyring
            }
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for dir in [self.0.clone(), self.path("keys")] {
            builder.create(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        let sealed = keyring.seal()?;
        if !durable::create(&self.path(KEYRING), &sealed)? {
            bail!("somebody else makes a home at {} right now", self.0.display());
        }
        keyring.was_written(&sealed);
        self.keep_api_key()?;
        Ok(keyring)
    }

    /// Makes the owner's key to the management interface, unless there is one.
    ///
    /// # Errors
    /// When the home cannot be written.
    pub fn keep_api_key(&self) -> Result<()> {
        self.keep("api-key", &Zeroizing::new(crate::encoding::encode(chance::random::<32>()?)))
    }

    /// Writes a file that only its owner reads, unless it is there already; durable when it returns.
    pub fn keep(&self, name: &str, text: &str) -> Result<()> {
        durable::create(&self.path(name), text.as_bytes()).map(|_| ())
    }

    /// The node's keys, opened with what `unlock` names or the terminal says.
    ///
    /// # Errors
    /// When they are missing or damaged, or do not open with that.
    pub fn keyring(&self, unlock: &UnlockArgument) -> Result<Keyring> {
        let path = self.path(KEYRING);
        let bytes = fs::read(&path).with_context(|| {
            let what_now = if self.path("keys/signing").exists() {
                "an older version made this home, with keys that were not encrypted; make a new one".into()
            } else if self.path(CONFIGURATION).exists() {
                "the home is there and its keys are gone: countersign keys import FILE puts exported ones back, \
                 countersign restore BACKUP --home NEWDIR a whole backup"
                    .into()
            } else {
                format!("`countersign init --home {}` makes a home", self.0.display())
            };
            format!("cannot read {}; {what_now}", path.display())
        })?;
        Self::open_keyring(&bytes, unlock, &path.display().to_string())
    }

    /// Opens a keyring that was read from `what`.
    ///
    /// # Errors
    /// When it is damaged, or does not open with what `unlock` names or the terminal says.
    pub fn open_keyring(bytes: &[u8], unlock: &UnlockArgument, what: &str) -> Result<Keyring> {
        cores::forbid();
        let lock = sealed::lock_of(bytes).with_context(|| format!("{what} does not open"))?;
        Keyring::open(bytes, &unlock.opener(&lock, what)?).with_context(|| format!("{what} does not open"))
    }

    /// Moves the keys that are there out of the way, whatever they are; where they are now.
    ///
    /// # Errors
    /// When the home cannot be written.
    pub fn set_keyring_aside(&self) -> Result<Option<PathBuf>> {
        let (path, aside) = (self.path(KEYRING), self.path(&format!("{KEYRING}.{}", chance::uuid()?)));
        match fs::rename(&path, &aside).and_then(|()| durable::settle(&aside)) {
            Ok(()) => Ok(Some(aside)),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause).with_context(|| format!("cannot move {}", path.display())),
        }
    }

    /// Writes the keys back, in the place of those that they were read from.
    ///
    /// # Errors
    /// When the home cannot be written, or another command changed its keys meanwhile; it then has the keys that it had.
    pub fn keep_keyring(&self, keyring: &Keyring) -> Result<()> {
        let path = self.path(KEYRING);
        // Between looking and writing nobody else writes; the system lets go when the process ends.
        let keys = fs::File::open(self.path("keys")).with_context(|| format!("cannot read {}", path.display()))?;
        keys.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        match fs::read(&path) {
            Ok(bytes) if keyring.is_of(&bytes) => {}
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {}
            Ok(_) => bail!("another command changed {} meanwhile; nothing was written: try again", path.display()),
            Err(cause) => return Err(cause).with_context(|| format!("cannot read {}", path.display())),
        }
        let sealed = keyring.seal()?;
        durable::replace(&path, &sealed)?;
        keyring.was_written(&sealed);
        Ok(())
    }

    /// The configuration.
    ///
    /// # Errors
    /// When it is missing or does not read; the message names line and member.
    pub fn configuration(&self) -> Result<Configuration> {
        let path = self.path(CONFIGURATION);
        let text = fs::read_to_string(&path).with_context(|| {
            format!("cannot read {}; `countersign init --home {}` makes a home", path.display(), self.0.display())
        })?;
        Configuration::read(&text).with_context(|| format!("{} does not read", path.display()))
    }

    /// The owner's key to the management interface.
    ///
    /// # Errors
    /// When it is missing.
    pub fn api_key(&self) -> Result<Zeroizing<String>> {
        let path = self.path("api-key");
        let text = fs::read_to_string(&path).with_context(|| {
            format!("cannot read {}; the node makes it anew when it is started again", path.display())
        })?;
        let key = Zeroizing::new(text.trim().to_owned());
        if key.len() < 22 {
            bail!("{} is no key: it takes 22 random letters at least", path.display());
        }
        Ok(key)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.0
    }
}

/// 32 secret bytes of 64 hexadecimal digits.
///
/// # Errors
/// For another text.
pub fn read_secret(text: &str) -> Result<Zeroizing<[u8; 32]>> {
    let digits = text.trim().trim_start_matches("0x").as_bytes();
    if digits.len() != 64 {
        bail!("expected 64 hexadecimal digits, found {} characters", digits.len());
    }
    let mut secret = Zeroizing::new([0; 32]);
    for (byte, pair) in secret.iter_mut().zip(digits.chunks(2)) {
        let pair = std::str::from_utf8(pair)?;
        *byte = u8::from_str_radix(pair, 16).context("expected hexadecimal digits")?;
    }
    Ok(secret)
}
