//! A node's home: its keys, its store, and where it listens.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::configuration::Configuration;
use crate::identity::{SecretKey, Signer};
use crate::inbox::{AgreementKey, AgreementSecret, Curve};
use crate::node::chance;

/// The file that configures a node.
pub const CONFIGURATION: &str = "countersign.toml";
const RUNNING: &str = "running.json";

/// Where a running node listens, as it writes it into its home.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Running {
    /// How the world reaches it.
    pub public: String,
    /// How its owner reaches it.
    pub management: String,
    /// Its process.
    pub pid: u32,
}

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
    /// When the directory cannot be written.
    pub fn make(&self) -> Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        for dir in [self.0.clone(), self.path("keys")] {
            builder.create(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        for key in ["signing", "agreement", "recorder"] {
            self.keep(&format!("keys/{key}"), &hex(&chance::random::<32>()?))?;
        }
        self.keep("api-key", &crate::encoding::encode(chance::random::<32>()?))
    }

    /// Writes a file that only its owner reads, unless it is there already; durable when it returns.
    pub(super) fn keep(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path(name);
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes()).and_then(|()| file.sync_all())?;
                Ok(())
            }
            Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(cause) => Err(cause).with_context(|| format!("cannot write {}", path.display())),
        }
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
        toml::from_str(&text).with_context(|| format!("{} does not read", path.display()))
    }

    /// The key that signs for this node's DID (did:key, P-256).
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn signing_key(&self) -> Result<SecretKey> {
        SecretKey::p256(&*self.secret("signing")?).context("keys/signing is no P-256 key")
    }

    /// The key that envelopes are sealed for (X25519).
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn agreement_key(&self, signer: &dyn Signer) -> Result<AgreementKey> {
        let secret = self.secret("agreement")?;
        let secret = AgreementSecret::new(Curve::X25519, &secret).context("keys/agreement is no key")?;
        Ok(AgreementKey::beside(signer.did(), secret))
    }

    /// The key that records in the registry (secp256k1).
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn recorder_key(&self) -> Result<Zeroizing<[u8; 32]>> {
        self.secret("recorder")
    }

    /// The owner's key to the management interface.
    ///
    /// # Errors
    /// When it is missing.
    pub fn api_key(&self) -> Result<Zeroizing<String>> {
        let path = self.path("api-key");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let key = Zeroizing::new(text.trim().to_owned());
        if key.len() < 22 {
            bail!("{} is no key: it takes 22 random letters at least", path.display());
        }
        Ok(key)
    }

    fn secret(&self, name: &str) -> Result<Zeroizing<[u8; 32]>> {
        let path = self.path("keys").join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        read_secret(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Writes where the node listens.
    ///
    /// # Errors
    /// When the home cannot be written.
    pub fn announce(&self, running: &Running) -> Result<()> {
        let (path, fresh) = (self.path(RUNNING), self.path("running.json.new"));
        fs::write(&fresh, serde_json::to_vec_pretty(running)?)?;
        fs::rename(&fresh, &path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Where the node listens; `None` while it does not run.
    ///
    /// # Errors
    /// When the announcement cannot be read.
    pub fn announced(&self) -> Result<Option<Running>> {
        let path = self.path(RUNNING);
        match fs::read(&path) {
            Ok(bytes) => {
                Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))?))
            }
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(cause).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Takes the announcement back.
    pub fn withdraw(&self) {
        let _ = fs::remove_file(self.path(RUNNING));
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

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    use std::fmt::Write as _;
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
