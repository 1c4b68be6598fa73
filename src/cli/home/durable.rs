//! Files that are there whole or not at all, whatever happens on the way.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::node::chance;

/// Writes a file that only its owner reads in the place of what was there; after a crash it is the old or the new one.
///
/// # Errors
/// When the directory cannot be written; the old file is then as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let fresh = beside(path)?;
    let written = write(&fresh, bytes).and_then(|()| fs::rename(&fresh, path)).and_then(|()| settle(path));
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Writes a file that only its owner reads, unless there is one already: then `false`.
///
/// # Errors
/// When the directory cannot be written.
pub fn create(path: &Path, bytes: &[u8]) -> Result<bool> {
    let fresh = beside(path)?;
    // A link, not a rename: it fails where somebody else was first.
    let made = write(&fresh, bytes).and_then(|()| fs::hard_link(&fresh, path));
    let _ = fs::remove_file(&fresh);
    match made.and_then(|()| settle(path)) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(cause) => Err(cause).with_context(|| format!("cannot write {}", path.display())),
    }
}

/// A name of one's own beside a file: two who write at once do not write into one file.
fn beside(path: &Path) -> Result<PathBuf> {
    let mut fresh = path.to_owned().into_os_string();
    fresh.push(format!(".{}.new", chance::uuid()?));
    Ok(fresh.into())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name is durable once its directory is.
pub fn settle(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => fs::File::open(dir)?.sync_all(),
        _ => fs::File::open(".")?.sync_all(),
    }
}
