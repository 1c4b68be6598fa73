//! Where a passphrase or key comes from: a file that only its owner reads, or the terminal.

use std::fs;
use std::io::{IsTerminal as _, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use zeroize::Zeroizing;

use super::read_secret;
use super::sealed::{Lock, Opener};

const SHORTEST: usize = 12;
const LONGEST: usize = 1024;

/// What opens a keyring.
#[derive(Clone, Debug, Default, Args)]
pub struct UnlockArgument {
    /// A file with the passphrase in its first line, that only you can read; without it the terminal asks.
    #[arg(long, env = "COUNTERSIGN_PASSPHRASE_FILE", value_name = "FILE")]
    pub(in super::super) passphrase_file: Option<PathBuf>,
    /// For servers, a file with a key instead: 64 hexadecimal digits (`openssl rand -hex 32`).
    #[arg(long, env = "COUNTERSIGN_KEYRING_KEY_FILE", value_name = "FILE")]
    pub(in super::super) keyring_key_file: Option<PathBuf>,
}

impl UnlockArgument {
    /// What opens a file with this lock.
    ///
    /// # Errors
    /// When nothing was named that fits it and there is no terminal to ask at.
    pub fn opener(&self, lock: &Lock, what: &str) -> Result<Opener> {
        match (lock, &self.keyring_key_file, &self.passphrase_file) {
            (Lock::Key {}, Some(file), _) => key(file),
            (Lock::Passphrase { .. }, _, Some(file)) => passphrase(file),
            (Lock::Passphrase { .. }, _, None) if terminal() => {
                Ok(Opener::Passphrase(ask(&format!("Passphrase of {what}: "))?))
            }
            (Lock::Passphrase { .. }, _, None) => bail!(
                "{what} opens with a passphrase, and there is no terminal to ask for it: name a file that holds it with \
                 --passphrase-file FILE or COUNTERSIGN_PASSPHRASE_FILE"
            ),
            (Lock::Key {}, None, _) => bail!(
                "{what} opens with a key: name the file that holds it with --keyring-key-file FILE or \
                 COUNTERSIGN_KEYRING_KEY_FILE"
            ),
        }
    }

    /// What a new file will open with; a passphrase typed at the terminal is asked for twice.
    ///
    /// # Errors
    /// For an empty or short passphrase, and when there is neither file nor terminal.
    pub fn choose(&self, what: &str) -> Result<Opener> {
        let opener = match (&self.keyring_key_file, &self.passphrase_file) {
            (Some(file), _) => key(file)?,
            (None, Some(file)) => passphrase(file)?,
            (None, None) if terminal() => {
                let one = ask(&format!("New passphrase for {what}: "))?;
                let other = ask("The same again: ")?;
                if *one != *other {
                    bail!("the two passphrases are not the same; nothing was made");
                }
                Opener::Passphrase(one)
            }
            (None, None) => bail!(
                "the keys are kept under a passphrase, and there is no terminal to ask for it: write it into a file that \
                 only you can read, and name the file with --passphrase-file FILE or COUNTERSIGN_PASSPHRASE_FILE (or, for \
                 a server, a key with --keyring-key-file FILE)"
            ),
        };
        if let Opener::Passphrase(passphrase) = &opener {
            let letters = passphrase.chars().count();
            if letters < SHORTEST {
                bail!(
                    "the passphrase has {letters} letters; it takes {SHORTEST} at least: several words are easy to keep"
                );
            }
        }
        Ok(opener)
    }
}

fn terminal() -> bool {
    std::io::stdin().is_terminal()
}

fn ask(prompt: &str) -> Result<Zeroizing<String>> {
    Ok(Zeroizing::new(rpassword::prompt_password(prompt).context("the terminal cannot be read")?))
}

fn passphrase(file: &Path) -> Result<Opener> {
    let text = secret_text(file)?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        bail!("{} is empty; its first line is the passphrase", file.display());
    }
    Ok(Opener::Passphrase(Zeroizing::new(line.to_owned())))
}

fn key(file: &Path) -> Result<Opener> {
    let text = secret_text(file)?;
    Ok(Opener::Key(read_secret(&text).with_context(|| format!("{} holds no key", file.display()))?))
}

/// The text of a file that nobody but its owner can read.
///
/// # Errors
/// When it cannot be read, or others can read it as well.
pub fn secret_text(path: &Path) -> Result<Zeroizing<String>> {
    let mut file = fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let found = file.metadata().with_context(|| format!("cannot read {}", path.display()))?;
    if found.is_file() && found.mode() & 0o077 != 0 {
        bail!(
            "{0} can be read by others (mode {1:03o}): chmod 600 {0}, and take another secret if somebody may have read it",
            path.display(),
            found.mode() & 0o777
        );
    }
    let mut text = Zeroizing::new(String::with_capacity(LONGEST + 1));
    file.by_ref()
        .take(LONGEST as u64)
        .read_to_string(&mut text)
        .with_context(|| format!("{} is no text", path.display()))?;
    Ok(text)
}
