//! A backup as one file: a line that names the format, a line of JSON that names what follows, and what follows.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::credential::rfc3339;
use crate::encoding::{Digest, Hasher, Timestamp};

const FORMAT: &str = "countersign-backup-1";
const LONGEST_LINE: u64 = 64 * 1024;
const BLOCK: usize = 64 * 1024;

/// What a backup holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub made: Timestamp,
    /// The program's version that made it.
    pub version: String,
    /// Its parts, in the order in which they follow.
    pub parts: Vec<Part>,
}

/// A file of the home.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its place in the home.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: Digest,
}

/// Names a file as a part of a backup.
///
/// # Errors
/// When it cannot be read.
pub fn part(name: &str, path: &Path) -> Result<Part> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut hasher = Hasher::default();
    let size = pour(&mut file, u64::MAX, |block| {
        hasher.update(block);
        Ok(())
    })?;
    Ok(Part { name: name.into(), size, sha256: hasher.finish() })
}

/// Writes a backup of files below `dir`; durable when it returns.
///
/// # Errors
/// When there is no room, or a file is another one than its part says.
pub fn write(path: &Path, contents: &Contents, dir: &Path) -> Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{FORMAT}\n{}", serde_json::to_string(contents)?)?;
    for part in &contents.parts {
        let mut from = File::open(dir.join(&part.name))?;
        let mut hasher = Hasher::default();
        let size = pour(&mut from, u64::MAX, |block| {
            hasher.update(block);
            file.write_all(block)
        })?;
        if size != part.size || hasher.finish() != part.sha256 {
            bail!("{} changed while it was copied; make the backup again", part.name);
        }
    }
    Ok(file.sync_all()?)
}

/// Reads a backup and hands each part's bytes over, in order; every part is whole, or this fails.
///
/// # Errors
/// When it is no backup, of another version, cut, longer than it says, or changed.
pub fn read(path: &Path, mut put: impl FnMut(&Part, &[u8]) -> Result<()>) -> Result<Contents> {
    let damaged = |what: &str| anyhow::anyhow!("{} is damaged: {what}; take another backup", path.display());
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut file = BufReader::new(file);
    if line(&mut file).as_deref() != Some(FORMAT) {
        bail!("{} is no backup that this version reads: its first line is not {FORMAT}", path.display());
    }
    let contents = line(&mut file).ok_or_else(|| damaged("its second line is missing"))?;
    let contents: Contents =
        serde_json::from_str(&contents).map_err(|_| damaged("its second line does not say what it holds"))?;
    for part in &contents.parts {
        let mut hasher = Hasher::default();
        let mut kept = Ok(());
        let size = pour(&mut file, part.size, |block| {
            hasher.update(block);
            if kept.is_ok() {
                kept = put(part, block);
            }
            Ok(())
        })?;
        kept?;
        if size != part.size {
            return Err(damaged(&format!("{} is cut off after {size} of {} bytes", part.name, part.size)));
        }
        if hasher.finish() != part.sha256 {
            return Err(damaged(&format!("{} has another SHA-256 than was written", part.name)));
        }
    }
    if file.read(&mut [0])? != 0 {
        return Err(damaged("something stands behind its end"));
    }
    Ok(contents)
}

fn line(file: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    file.by_ref().take(LONGEST_LINE).read_line(&mut line).ok()?;
    line.strip_suffix('\n').map(str::to_owned)
}

/// Hands over at most `most` bytes, block by block; how many there were.
fn pour(
    from: &mut impl std::io::Read,
    most: u64,
    mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<u64> {
    let mut block = vec![0; BLOCK];
    let mut all = 0;
    while all < most {
        let wanted = usize::try_from(most - all).unwrap_or(BLOCK).min(BLOCK);
        let read = from.read(&mut block[..wanted])?;
        if read == 0 {
            break;
        }
        take(&block[..read])?;
        all += read as u64;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_reads_as_it_was_written_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("one"), b"first").unwrap();
        fs::write(dir.path().join("two"), vec![7; 200_000]).unwrap();
        let parts = ["one", "two"].map(|name| part(name, &dir.path().join(name)).unwrap()).to_vec();
        let made = Timestamp::from_seconds(1_800_000_000).unwrap();
        let contents = Contents { made, version: "1".into(), parts };
        let file = dir.path().join("backup");
        write(&file, &contents, dir.path()).unwrap();
        let bytes = fs::read(&file).unwrap();
        let mut sizes = std::collections::BTreeMap::<String, usize>::new();
        let keep = |part: &Part, block: &[u8]| {
            *sizes.entry(part.name.clone()).or_default() += block.len();
            Ok(())
        };
        read(&file, keep).unwrap();
        assert_eq!(sizes, [("one".to_owned(), 5), ("two".to_owned(), 200_000)].into());

        let refused = |bytes: &[u8]| {
            fs::write(&file, bytes).unwrap();
            read(&file, |_, _| Ok(())).unwrap_err().to_string()
        };
        assert!(refused(&bytes[..bytes.len() - 1]).contains("two is cut off"));
        assert!(refused(&[&bytes[..], b"x"].concat()).contains("behind its end"));
        assert!(refused(b"something else\n{}\n").contains("no backup"));
        let mut changed = bytes.clone();
        let place = changed.len() - 3;
        changed[place] ^= 1;
        assert!(refused(&changed).contains("another SHA-256"));

        fs::write(dir.path().join("one"), b"other").unwrap();
        assert!(write(&file, &contents, dir.path()).unwrap_err().to_string().contains("changed while"));
    }
}
