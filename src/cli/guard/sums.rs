//! What a directory is called: by its `SHA256SUMS`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::super::Usage;
use super::hashed;
use crate::encoding::Digest;
use crate::gate::{Listed, MAX_FILES, SUMS, Sums, stays_below};

/// The SHA-256 of a directory's `SHA256SUMS`, which is written if it is not there, and held against the files if it is.
pub(super) fn named(dir: &Path) -> Result<String> {
    let path = dir.join(SUMS);
    let found = gathered(dir)?;
    let text = match fs::read(&path) {
        Ok(text) => {
            hold(dir, &text, &found)?;
            text
        }
        Err(cause) if cause.kind() == ErrorKind::NotFound => write(&path, found)?.into_bytes(),
        Err(cause) => return Err(cause).with_context(|| format!("cannot read {}", path.display())),
    };
    Ok(Digest::of(text).hex().trim_start_matches("0x").to_owned())
}

/// Holds the sums that are there against the files that are there.
fn hold(dir: &Path, text: &[u8], found: &BTreeMap<String, PathBuf>) -> Result<()> {
    let shown = dir.join(SUMS);
    let shown = shown.display();
    let anew = format!("delete {shown} to have it written anew");
    let sums = Sums::read(text).with_context(|| format!("{shown} cannot be served; {anew}"))?;
    if let Some(more) = found.keys().find(|path| sums.find(path).is_none()) {
        return Err(Usage(format!("{shown} does not name {more}, which is there; {anew}")).into());
    }
    for Listed { path, sha256 } in sums.files() {
        let Some(file) = found.get(&path) else {
            return Err(Usage(format!("{shown} names {path}, which is not there; {anew}")).into());
        };
        if hashed(file)?.0 != sha256 {
            return Err(Usage(format!("{path} has another SHA-256 than {shown} says; {anew}")).into());
        }
    }
    Ok(())
}

fn write(path: &Path, found: BTreeMap<String, PathBuf>) -> Result<String> {
    let mut files = Vec::with_capacity(found.len());
    for (path, file) in found {
        files.push(Listed { sha256: hashed(&file)?.0, path });
    }
    let text = Sums::of(files)?.text();
    let cannot = || {
        format!(
            "cannot write {}; let `sha256sum` write it, of every file below and with paths from there",
            path.display()
        )
    };
    // Hidden from the gate until it is whole.
    let fresh = path.with_file_name(".SHA256SUMS.new");
    File::create(&fresh)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&fresh, path))
        .with_context(cannot)?;
    Ok(text)
}

/// The files below a directory, by path, as far as a gate serves them.
fn gathered(dir: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let (mut found, mut hidden) = (BTreeMap::new(), 0_u32);
    gather(dir, "", &mut found, &mut hidden, 0)?;
    if hidden > 0 {
        eprintln!("{hidden} names that begin with a dot, or are links, are left out: a gate serves none");
    }
    Ok(found)
}

fn gather(dir: &Path, below: &str, found: &mut BTreeMap<String, PathBuf>, hidden: &mut u32, deep: usize) -> Result<()> {
    if deep > 32 || found.len() > MAX_FILES {
        bail!(
            "{} is deeper than 32 directories or has more than {MAX_FILES} files; guard an archive of it",
            dir.display()
        );
    }
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        let Some(name) = name.to_str() else { bail!("{} is no UTF-8; give it another name", entry.path().display()) };
        if name.starts_with('.') || !(kind.is_dir() || kind.is_file()) {
            *hidden = hidden.saturating_add(1);
            continue;
        }
        let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        if path == SUMS {
            continue;
        }
        if !stays_below(&path) {
            let path = entry.path();
            let how = "a name has no `\\`, `:` or control letters, and not too many letters";
            return Err(Usage(format!("{} cannot be served: {how}", path.display())).into());
        }
        if kind.is_dir() {
            gather(&entry.path(), &path, found, hidden, deep + 1)?;
        } else {
            found.insert(path, entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("b")).unwrap();
        fs::write(dir.path().join("b/c"), "two").unwrap();
        fs::write(dir.path().join("a"), "one").unwrap();
        fs::write(dir.path().join(".hidden"), "three").unwrap();
        std::os::unix::fs::symlink("a", dir.path().join("link")).unwrap();
        dir
    }

    fn sum(text: &str) -> String {
        Digest::of(text).hex()[2..].to_owned()
    }

    #[test]
    fn a_directory_is_named_by_the_sums_of_its_files() {
        let dir = directory();
        let lines = format!("{}  a\n{}  b/c\n", sum("one"), sum("two"));
        assert_eq!(named(dir.path()).unwrap(), sum(&lines));
        assert_eq!(fs::read_to_string(dir.path().join(SUMS)).unwrap(), lines);
        // It is held, and its own letters are kept: another order, and how `find` writes paths.
        let other = format!("{} *./b/c\n{} *./a\n", sum("two"), sum("one"));
        fs::write(dir.path().join(SUMS), &other).unwrap();
        assert_eq!(named(dir.path()).unwrap(), sum(&other));
        assert_eq!(fs::read_to_string(dir.path().join(SUMS)).unwrap(), other);
    }

    #[test]
    fn sums_that_are_not_the_files_are_refused() {
        type Change = fn(&Path);
        let changes: [(Change, &str); 5] = [
            (|dir| fs::write(dir.join("a"), "other").unwrap(), "another SHA-256"),
            (|dir| fs::write(dir.join("b/d"), "more").unwrap(), "does not name b/d"),
            (|dir| fs::remove_file(dir.join("a")).unwrap(), "names a, which is not there"),
            (|dir| fs::write(dir.join(SUMS), "9f  a\n").unwrap(), "gate.sums"),
            (|dir| fs::write(dir.join("x:y"), "colon").unwrap(), "cannot be served"),
        ];
        for (change, why) in changes {
            let dir = directory();
            named(dir.path()).unwrap();
            change(dir.path());
            let refused = format!("{:#}", named(dir.path()).unwrap_err());
            assert!(refused.contains(why), "{refused}");
        }
    }
}
