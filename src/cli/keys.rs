//! A node's keys, as its owner keeps them: shown, exported, put back, under another passphrase.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::home::{Home, Keyring, Series, UnlockArgument, durable};
use super::rotate::Rotate;
use super::{HomeArgument, identity};
use crate::identity::Signer;
use crate::registry;

/// The node's keys: show, rotate, export, import them, or change their passphrase.
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
}

impl Keys {
    pub(super) fn run(&self) -> Result<ExitCode> {
        match &self.command {
            KeysCommand::Show(show) => show.run(),
            KeysCommand::Export(export) => export.run(),
            KeysCommand::Import(import) => import.run(),
            KeysCommand::Passphrase(passphrase) => passphrase.run(),
            KeysCommand::Rotate(rotate) => rotate.run(),
        }
    }
}

/// Shows what is public of the keys: DID, thumbprints (RFC 7638), recorder account.
///
/// Example: countersign keys show --home ~/wallet
#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    home: HomeArgument,
    #[command(flatten)]
    unlock: UnlockArgument,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Show {
    fn run(&self) -> Result<ExitCode> {
        let home = self.home.home()?;
        let keyring = home.keyring(&self.unlock)?;
        say(&keyring, &identity::of_home(&home, &keyring)?, self.json)
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
            println!("{kind:<9}  {}  made {}, {use_}", key.id, key.made);
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
    home: HomeArgument,
    #[command(flatten)]
    unlock: UnlockArgument,
    /// A file with the passphrase of the export in its first line; without it the terminal asks.
    #[arg(long, env = "COUNTERSIGN_EXPORT_PASSPHRASE_FILE", value_name = "FILE")]
    export_passphrase_file: Option<PathBuf>,
    /// The file to write; it must not be there yet.
    file: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Export {
    fn run(&self) -> Result<ExitCode> {
        let mut keyring = self.home.home()?.keyring(&self.unlock)?;
        let own = UnlockArgument { passphrase_file: self.export_passphrase_file.clone(), keyring_key_file: None };
        if self.file.exists() {
            bail!("{} is there already; an export does not replace another", self.file.display());
        }
        keyring.relock(&own.choose("the export")?)?;
        if !durable::create(&self.file, &keyring.seal()?)? {
            bail!("{} is there already; an export does not replace another", self.file.display());
        }
        if self.json {
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
    home: HomeArgument,
    #[command(flatten)]
    unlock: UnlockArgument,
    /// A file with the passphrase of the export in its first line; without it the terminal asks.
    #[arg(long, env = "COUNTERSIGN_EXPORT_PASSPHRASE_FILE", value_name = "FILE")]
    export_passphrase_file: Option<PathBuf>,
    /// The exported keys.
    file: PathBuf,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Import {
    fn run(&self) -> Result<ExitCode> {
        let home = self.home.home()?;
        let _lock = home.seize()?;
        let mut keyring = exported(&self.file, self.export_passphrase_file.clone())?;
        keyring.relock(&self.unlock.choose(&home.dir().display().to_string())?)?;
        if let Some(aside) = home.set_keyring_aside()? {
            eprintln!("the keys that were there are now {}", aside.display());
        }
        home.keep_keyring(&keyring)?;
        say(&keyring, &keyring.signing_key()?, self.json)
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
    home: HomeArgument,
    #[command(flatten)]
    unlock: UnlockArgument,
    /// A file with the new passphrase in its first line; without it the terminal asks.
    #[arg(long, value_name = "FILE", conflicts_with = "new_keyring_key_file")]
    new_passphrase_file: Option<PathBuf>,
    /// A file with a key instead of a passphrase: 64 hexadecimal digits.
    #[arg(long, value_name = "FILE")]
    new_keyring_key_file: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Passphrase {
    fn run(&self) -> Result<ExitCode> {
        let home = self.home.home()?;
        let mut keyring = home.keyring(&self.unlock)?;
        let new = UnlockArgument {
            passphrase_file: self.new_passphrase_file.clone(),
            keyring_key_file: self.new_keyring_key_file.clone(),
        };
        keyring.relock(&new.choose(&home.dir().display().to_string())?)?;
        home.keep_keyring(&keyring)?;
        if self.json {
            println!("{}", json!({ "home": home.dir() }));
            return Ok(ExitCode::SUCCESS);
        }
        println!("changed; backups and exports made before still open with what they were made with");
        Ok(ExitCode::SUCCESS)
    }
}
