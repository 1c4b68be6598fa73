//! A node's keys, as its owner keeps them: shown, exported, put back, under another passphrase.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::desk::when;
use super::home::{Home, Keyring, Series, UnlockArgument, durable};
use super::rotate::Rotate;
use super::{HomeArgument, Usage, identity};
use crate::identity::{Signer, Thumbprint};
use crate::registry;

/// The node's keys: show, rotate, forget, export, import them, or change their passphrase.
///
/// Example: countersign keys show --home ~/wallet
#[derive(Debug, Args)]
pub struct Keys {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    Show(Show),
    Export(Export),
    Import(Import),
    Passphrase(Passphrase),
    Rotate(Rotate),
    Forget(Forget),
}

// Whose keys they are, and how the command answers.
#[derive(Debug, Args)]
pub struct Own {
    #[command(flatten)]
    pub home: HomeArgument,
    #[command(flatten)]
    pub unlock: UnlockArgument,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
struct ExportPassphrase {
    /// A file with the passphrase of the export in its first line; without it the terminal asks.
    #[arg(long, env = "COUNTERSIGN_EXPORT_PASSPHRASE_FILE", value_name = "FILE")]
    export_passphrase_file: Option<PathBuf>,
}

impl Keys {
    pub(super) fn run(&self) -> Result<ExitCode> {
        match &self.command {
            KeysCommand::Show(show) => show.run(),
            KeysCommand::Export(export) => export.run(),
            KeysCommand::Import(import) => import.run(),
            KeysCommand::Passphrase(passphrase) => passphrase.run(),
            KeysCommand::Rotate(rotate) => rotate.run(),
            KeysCommand::Forget(forget) => forget.run(),
        }
    }
}

/// Shows what is public of the keys: DID, thumbprints (RFC 7638), recorder account.
///
/// Example: countersign keys show --home ~/wallet
#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    own: Own,
}

impl Show {
    fn run(&self) -> Result<ExitCode> {
        let home = self.own.home.home()?;
        let keyring = home.keyring(&self.own.unlock)?;
        say(&keyring, &identity::of_home(&home, &keyring)?, self.own.json)
    }
}

fn say(keyring: &Keyring, signer: &dyn Signer, as_json: bool) -> Result<ExitCode> {
    let recorder = registry::account_of(keyring.recorder())?;
    if as_json {
        let shown = json!({
            "did": signer.did(), "kid": signer.kid(), "jwk": signer.public_key().jwk(), "signing": generations(keyring.signing())?,
            "agreement": generations(keyring.agreement())?, "recorder": recorder,
        });
        println!("{}", serde_json::to_string_pretty(&shown)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!("DID        {}", signer.did());
    for (kind, series) in [("signing", keyring.signing()), ("agreement", keyring.agreement())] {
        for key in series.keys().iter().rev() {
            let use_ = if key.id == series.current()?.id { "in use" } else { "kept for what was made with it" };
            println!("{kind:<9}  {}  made {}, {use_}", key.id, when(&key.made.rfc3339()));
        }
    }
    println!("recorder   {recorder}");
    Ok(ExitCode::SUCCESS)
}

fn generations(series: &Series) -> Result<Vec<Value>> {
    let current = &series.current()?.id;
    let shown = series
        .keys()
        .iter()
        .map(|key| json!({ "id": key.id, "made": key.made.rfc3339(), "current": key.id == *current }));
    Ok(shown.collect())
}

/// Writes the keys into a file, under a passphrase of its own: for a safe, or for another machine.
///
/// Without the store the keys show who you are and record, but the contracts stay where they are: `countersign backup`
/// takes both.
///
/// Example: countersign keys export --home ~/wallet keys-2026-11-25.json
#[derive(Debug, Args)]
struct Export {
    #[command(flatten)]
    own: Own,
    #[command(flatten)]
    exported: ExportPassphrase,
    /// The file to write; it must not be there yet.
    file: PathBuf,
}

impl Export {
    fn run(&self) -> Result<ExitCode> {
        let mut keyring = self.own.home.home()?.keyring(&self.own.unlock)?;
        let own =
            UnlockArgument { passphrase_file: self.exported.export_passphrase_file.clone(), keyring_key_file: None };
        if self.file.exists() {
            bail!("{} is there already; an export does not replace another", self.file.display());
        }
        keyring.relock(&own.choose("the export")?)?;
        if !durable::create(&self.file, &keyring.seal()?)? {
            bail!("{} is there already; an export does not replace another", self.file.display());
        }
        if self.own.json {
            println!("{}", json!({ "file": self.file }));
            return Ok(ExitCode::SUCCESS);
        }
        println!("exported  {}", self.file.display());
        println!(
            "read it   countersign keys import {0} (into a home), or: countersign init --keys {0}",
            self.file.display()
        );
        Ok(ExitCode::SUCCESS)
    }
}

/// Puts exported keys back into a home; the keys that are there are set aside, not erased.
///
/// The home's passphrase is asked for anew. A store opens only with the keys it was made with, so that this is for a
/// home whose keys were damaged, and not for another wallet's.
///
/// Example: countersign keys import --home ~/wallet keys-2026-11-25.json
#[derive(Debug, Args)]
struct Import {
    #[command(flatten)]
    own: Own,
    #[command(flatten)]
    exported: ExportPassphrase,
    /// The exported keys.
    file: PathBuf,
}

impl Import {
    fn run(&self) -> Result<ExitCode> {
        let home = self.own.home.home()?;
        let _lock = home.seize()?;
        let mut keyring = exported(&self.file, self.exported.export_passphrase_file.clone())?;
        keyring.relock(&self.own.unlock.choose(&home.dir().display().to_string())?)?;
        if let Some(aside) = home.set_keyring_aside()? {
            eprintln!("the keys that were there are now {}", aside.display());
        }
        home.keep_keyring(&keyring)?;
        say(&keyring, &keyring.signing_key()?, self.own.json)
    }
}

/// Reads exported keys.
///
/// # Errors
/// When they do not open.
pub fn exported(file: &std::path::Path, passphrase_file: Option<PathBuf>) -> Result<Keyring> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Home::open_keyring(&bytes, &UnlockArgument { passphrase_file, keyring_key_file: None }, &file.display().to_string())
}

/// Changes the passphrase, or turns from a passphrase to a key file or back. After a crash the old or the new one opens.
///
/// Example: countersign keys passphrase --home ~/wallet
#[derive(Debug, Args)]
struct Passphrase {
    #[command(flatten)]
    own: Own,
    /// A file with the new passphrase in its first line; without it the terminal asks.
    #[arg(long, value_name = "FILE", conflicts_with = "new_keyring_key_file")]
    new_passphrase_file: Option<PathBuf>,
    /// A file with a key instead of a passphrase: 64 hexadecimal digits.
    #[arg(long, value_name = "FILE")]
    new_keyring_key_file: Option<PathBuf>,
}

impl Passphrase {
    fn run(&self) -> Result<ExitCode> {
        let home = self.own.home.home()?;
        let mut keyring = home.keyring(&self.own.unlock)?;
        let new = UnlockArgument {
            passphrase_file: self.new_passphrase_file.clone(),
            keyring_key_file: self.new_keyring_key_file.clone(),
        };
        keyring.relock(&new.choose(&home.dir().display().to_string())?)?;
        home.keep_keyring(&keyring)?;
        if self.own.json {
            println!("{}", json!({ "home": home.dir() }));
            return Ok(ExitCode::SUCCESS);
        }
        println!("changed; backups and exports made before still open with what they were made with");
        Ok(ExitCode::SUCCESS)
    }
}

/// Forgets a key that was replaced, for good: the oldest of its kind.
///
/// What was sealed for a forgotten key and has not come yet can never be opened. A forgotten signing key disappears from the
/// DID document; contract files carry what they need of it. The node has to stand still.
///
/// Example: countersign keys forget --home ~/wallet NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs --yes
#[derive(Debug, Args)]
struct Forget {
    #[command(flatten)]
    own: Own,
    /// The key's thumbprint, as `countersign keys show` prints it.
    #[arg(allow_hyphen_values = true)]
    key: Thumbprint,
    /// Do it; nothing brings the key back but a backup or an export.
    #[arg(long)]
    yes: bool,
}

impl Forget {
    fn run(&self) -> Result<ExitCode> {
        let home = self.own.home.home()?;
        let _lock = home.seize()?;
        let mut keyring = home.keyring(&self.own.unlock)?;
        keyring.forget(&self.key)?;
        if !self.yes {
            let how =
                "say --yes if nothing under way is sealed for it any more; only a backup or an export brings it back";
            return Err(Usage(format!("{} would be gone for good: {how}", self.key)).into());
        }
        home.keep_keyring(&keyring)?;
        say(&keyring, &identity::of_home(&home, &keyring)?, self.own.json)
    }
}
