//! Backups of a home: made while its node runs, put back elsewhere.

mod archive;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::json;

use super::HomeArgument;
use super::home::{CONFIGURATION, Home, KEYRING, STORE, durable};
use crate::node::chance;
use crate::store;
use archive::{Contents, Part};

/// What a backup holds, the store first: the keyring is as old as the store or newer.
const PARTS: [&str; 3] = [STORE, KEYRING, CONFIGURATION];

/// Backs a node's home up into one file, also while the node runs.
///
/// The file holds the store, the keys (still under their passphrase) and the configuration; it needs no passphrase to
/// make. It says all of your contracts to whoever reads it: keep it as you keep the home.
///
/// Example: countersign backup --home ~/wallet /media/safe/wallet-2026-11-25.backup
#[derive(Debug, Args)]
pub struct Backup {
    #[command(flatten)]
    home: HomeArgument,
    /// The file to write; it must not be there yet.
    file: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let home = self.home.home()?;
        if !home.path(KEYRING).exists() || !home.path(STORE).exists() {
            bail!("{} has nothing to back up yet: it holds no keys, or its node has never run", home.dir().display());
        }
        if self.file.exists() {
            bail!("{} is there already; a backup does not replace another", self.file.display());
        }
        let gathering = Workplace::beside(&self.file, "gathering")?;
        let made = chance::now()?;
        store::copy(&home.path(STORE), &gathering.path(STORE), made).await.context("the store cannot be copied")?;
        for name in [KEYRING, CONFIGURATION] {
            if home.path(name).exists() {
                let into = gathering.path(name);
                fs::create_dir_all(into.parent().unwrap_or(&gathering.0))?;
                fs::copy(home.path(name), into)
                    .with_context(|| format!("cannot copy {}", home.path(name).display()))?;
            }
        }
        let parts: Result<Vec<Part>> = PARTS
            .iter()
            .filter(|name| gathering.path(name).exists())
            .map(|name| archive::part(name, &gathering.path(name)))
            .collect();
        let contents = Contents { made, version: env!("CARGO_PKG_VERSION").into(), parts: parts? };
        let fresh = gathering.path("backup");
        archive::write(&fresh, &contents, &gathering.0)
            .and_then(|()| archive::read(&fresh, |_, _| Ok(())))
            .with_context(|| format!("cannot write {}", self.file.display()))?;
        fs::rename(&fresh, &self.file).and_then(|()| durable::settle(&self.file))?;
        let bytes = fs::metadata(&self.file)?.len();
        if self.json {
            println!("{}", json!({ "file": self.file, "made": made.rfc3339(), "bytes": bytes }));
        } else {
            println!("backup   {}  ({bytes} bytes, as of {made})", self.file.display());
            println!("restore  countersign restore {} --home NEWDIR", self.file.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Puts a backup back, into a new home.
///
/// What was open in the backup is held in the new home: the node may have accepted, offered or recorded since, and must
/// not do so twice. It goes on by what counterparties and the chain say; new negotiations are as ever. See
/// docs/protocol.md, "Restored copies".
///
/// Example: countersign restore /media/safe/wallet-2026-11-25.backup --home ~/wallet-again
#[derive(Debug, Args)]
pub struct Restore {
    /// The backup.
    file: PathBuf,
    #[command(flatten)]
    home: HomeArgument,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let home = self.home.home()?;
        if home.dir().exists() {
            bail!(
                "{} is there already; a backup is restored into a directory that is not there yet",
                home.dir().display()
            );
        }
        let place = Workplace::beside(home.dir(), "restoring")?;
        let contents = archive::read(&self.file, |part, block| place.put(part, block))?;
        for needed in [STORE, KEYRING] {
            if !contents.parts.iter().any(|part| part.name == needed) {
                bail!("{} is damaged: it holds no {needed}; take another backup", self.file.display());
            }
        }
        store::put_to_use(&place.path(STORE), chance::now()?)
            .await
            .with_context(|| format!("the store in {} is damaged; take another backup", self.file.display()))?;
        // The old key to the management interface may be known to whoever had the old home.
        let restored = Home::new(&place.0);
        restored.keep_api_key()?;
        for part in &contents.parts {
            fs::File::open(place.path(&part.name))?.sync_all()?;
            durable::settle(&place.path(&part.name))?;
        }
        fs::rename(&place.0, home.dir())
            .and_then(|()| durable::settle(home.dir()))
            .with_context(|| format!("cannot make {}", home.dir().display()))?;
        if self.json {
            println!("{}", json!({ "home": home.dir(), "made": contents.made.rfc3339(), "version": contents.version }));
        } else {
            println!("home  {}  (as of {})", home.dir().display(), contents.made);
            println!(
                "next  never run it and the node it was copied from; then: countersign serve --home {}",
                home.dir().display()
            );
            println!("note  what was open then is held: it accepts, offers and records nothing there a second time");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A directory that only its owner reads, on the same disk as what is made in it; gone when dropped.
struct Workplace(PathBuf);

impl Workplace {
    fn beside(path: &Path, what: &str) -> Result<Self> {
        let mut name = path.to_owned().into_os_string();
        name.push(format!(".{what}-{}", chance::uuid()?));
        let dir = PathBuf::from(name);
        fs::DirBuilder::new().mode(0o700).create(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self(dir))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Adds a block to a part's file.
    fn put(&self, part: &Part, block: &[u8]) -> Result<()> {
        // A backup names files; it does not choose where they go.
        if !PARTS.contains(&part.name.as_str()) {
            bail!("it holds `{}`, which is no part of a home", part.name);
        }
        let path = self.path(&part.name);
        if let Some(dir) = path.parent() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        let mut file = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        file.write_all(block).with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
