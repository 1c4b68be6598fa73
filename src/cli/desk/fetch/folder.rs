//! A directory on its way: `SHA256SUMS` first, then each file against its line. What is there and right is not asked for
//! again, so that the same command goes on where it was stopped.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::super::super::audit_table::readable;
use super::super::super::calls::receipt_path;
use super::super::super::{Later, Usage, asked_to_end};
use super::super::words::{Progress, brief};
use super::errand::{Coming, Errand};
use super::part::{Part, Piece};
use super::wanted::Wanted;
use super::{Fetch, INTERRUPTED};
use crate::encoding::{Digest, Hasher};
use crate::gate::{Listed, MAX_SUMS, SUMS, Sums};

/// What is on its way lies under a name that no directory has.
const COMING: &str = ".countersign-fetch";
const CHUNK: usize = 256 * 1024;

/// The directory that is filled.
struct Folder<'a> {
    dir: &'a Path,
    force: bool,
    /// What is in it, where an earlier fetch left that.
    sums: Option<Sums>,
}

/// What came of it.
#[derive(Default)]
struct Done {
    /// How many files it has, or were asked for.
    files: usize,
    /// How many of them are there.
    there: usize,
    /// How many of them, and how many bytes, came now.
    fetched: usize,
    bytes: u64,
    gate: Option<String>,
}

/// Fetches a directory.
pub(super) async fn run(fetch: &Fetch, mut errand: Errand<'_>, wanted: &Wanted, dir: &Path) -> Result<ExitCode> {
    let folder = Folder::at(dir, &wanted.sha256, fetch.force)?;
    let mut done = Done::default();
    let ended = tokio::select! {
        biased;
        () = asked_to_end() => None,
        ended = folder.fill(&mut errand, wanted, &fetch.only, &mut done) => Some(ended),
    };
    match ended {
        None => {
            eprintln!("{}", folder.left(&done, errand.counted, "stopped"));
            return Ok(ExitCode::from(INTERRUPTED));
        }
        Some(Err(cause)) if done.fetched > 0 || cause.is::<Later>() => {
            return Err(match errand.over().await {
                Some(why) => {
                    let said = format!("this contract is over: {why}\n  {}", folder.remains(&done));
                    // Trying again later is no better then.
                    if cause.is::<Later>() { anyhow!(said) } else { cause.context(said) }
                }
                None if done.fetched > 0 => cause.context(folder.left(&done, errand.counted, "the download broke off")),
                None => cause,
            });
        }
        Some(ended) => ended?,
    }
    let told = json!({
        "contract_id": errand.contract, "directory": dir, "files": done.files, "fetched": done.fetched,
        "bytes": done.bytes, "sha256": wanted.sha256, "gate": done.gate, "receipts": errand.receipts,
    });
    fetch.at.say(&told, |told| tell(told, fetch, dir))
}

fn tell(done: &Value, fetch: &Fetch, dir: &Path) {
    let (files, fetched, bytes) = (&done["files"], &done["fetched"], &done["bytes"]);
    println!("{}: {files} files, as the contract has them; {fetched} came now, {bytes} bytes", dir.display());
    let receipts = done["receipts"].as_array().map_or(0, Vec::len);
    let Some(gate) = done["gate"].as_str() else {
        return println!("no receipt: no gate signed for anything just now");
    };
    let contract = done["contract_id"].as_str().unwrap_or_default();
    println!("{receipts} receipts by {gate}, kept in the wallet with contract {}", brief(contract));
    if let Some(file) = &fetch.receipt {
        println!("  and in {}, one in each line", file.display());
    }
}

impl<'a> Folder<'a> {
    /// A directory that is not there yet, is empty, or was begun by a fetch of the same asset.
    fn at(dir: &'a Path, sha256: &str, force: bool) -> Result<Self> {
        let cannot = || format!("cannot read {}", dir.display());
        let mut names = match fs::read_dir(dir) {
            Ok(names) => names,
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Self { dir, force, sums: None }),
            Err(cause) if cause.kind() == ErrorKind::NotADirectory => {
                return Err(Usage(format!("{} is no directory; name another with -o", dir.display())).into());
            }
            Err(cause) => return Err(cause).with_context(cannot),
        };
        let empty = names.next().is_none();
        let mut text = Vec::new();
        let sums = match File::open(dir.join(SUMS)) {
            Ok(file) => {
                file.take(u64::try_from(MAX_SUMS)?).read_to_end(&mut text).with_context(cannot)?;
                (Digest::of(&text).hex().trim_start_matches("0x") == sha256).then(|| Sums::read(&text)).transpose()?
            }
            Err(_) => None,
        };
        if sums.is_none() && !empty && !force {
            let shown = dir.display();
            return Err(Usage(format!("{shown} is there already; --force writes what the contract has into it")).into());
        }
        Ok(Self { dir, force, sums })
    }

    async fn fill(&self, errand: &mut Errand<'_>, wanted: &Wanted, only: &[String], done: &mut Done) -> Result<()> {
        let sums = match &self.sums {
            Some(sums) => sums.clone(),
            None => self.list(errand, wanted, done).await?,
        };
        let unknown = only.iter().find(|path| sums.find(path).is_none());
        if let Some(path) = unknown {
            let which = format!("{} says which", self.dir.join(SUMS).display());
            return Err(Usage(format!("the directory has no file {}; {which}", readable(path, 200))).into());
        }
        let only: BTreeSet<&str> = only.iter().map(String::as_str).collect();
        let files: Vec<_> = sums.files().filter(|file| only.is_empty() || only.contains(&*file.path)).collect();
        let missing = self.missing(&files)?;
        (done.files, done.there) = (files.len(), files.len() - missing.len());
        if errand.counted && self.sums.is_some() && !missing.is_empty() {
            errand.agree(&self.dir.display().to_string())?;
        }
        for (number, file) in missing.iter().enumerate() {
            let label = format!("{}/{} {}  ", number + 1, missing.len(), readable(&file.path, 40));
            self.one(errand, &wanted.below(file)?, file, &label, done)
                .await
                .with_context(|| readable(&file.path, 200))?;
        }
        Ok(())
    }

    /// Asks what is in it, and keeps that: it is what a later fetch goes on from.
    async fn list(&self, errand: &mut Errand<'_>, wanted: &Wanted, done: &mut Done) -> Result<Sums> {
        let mut reply = errand.get(&wanted.endpoint, HeaderMap::new()).await?;
        let receipt = receipt_path(&reply).ok();
        let mut text = Vec::new();
        while let Some(chunk) = reply.chunk().await.map_err(reqwest::Error::without_url)? {
            if text.len() + chunk.len() > MAX_SUMS {
                bail!("a list of files of more than {MAX_SUMS} bytes");
            }
            text.extend_from_slice(&chunk);
        }
        let found = Digest::of(&text).hex();
        let found = found.trim_start_matches("0x");
        if found != wanted.sha256 {
            bail!("these are other bytes than the contract's: sha256 {found}, not {}; nothing was kept", wanted.sha256);
        }
        let sums = Sums::read(&text).context("what the provider signed is no list of a directory's files")?;
        match fs::create_dir(self.dir) {
            Err(cause) if cause.kind() != ErrorKind::AlreadyExists => {
                return Err(cause).with_context(|| format!("cannot make {}", self.dir.display()));
            }
            _ => {}
        }
        let fresh = self.dir.join(format!("{COMING}.new"));
        File::create(&fresh)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&fresh, self.dir.join(SUMS)))
            .with_context(|| format!("cannot write into {}", self.dir.display()))?;
        if let Some(at) = receipt {
            let size = u64::try_from(text.len())?;
            let (_, signed) = errand.receipt(&at, wanted, &Piece::whole(), size).await?;
            done.gate = Some(signed.iss.to_string());
        }
        Ok(sums)
    }

    /// The files that are not there, or that are others and are to be written over.
    fn missing(&self, files: &[Listed]) -> Result<Vec<Listed>> {
        let (mut missing, mut progress) = (Vec::new(), Progress::new());
        for (number, file) in files.iter().enumerate() {
            progress.at(|| format!("looking what is there, {number} of {} files", files.len()));
            let place = self.place(file, false)?;
            if !place.exists() {
                missing.push(file.clone());
            } else if !is_right(&place, &file.sha256)? {
                if !self.force {
                    let shown = place.display();
                    return Err(
                        Usage(format!("{shown} is another file than the contract's; --force writes over it")).into()
                    );
                }
                missing.push(file.clone());
            }
        }
        Ok(missing)
    }

    /// Where a file belongs: below the directory, and never through a link.
    fn place(&self, file: &Listed, make: bool) -> Result<PathBuf> {
        let mut place = self.dir.to_owned();
        let mut segments = file.path.split('/').peekable();
        while let Some(segment) = segments.next() {
            place.push(segment);
            let last = segments.peek().is_none();
            match fs::symlink_metadata(&place) {
                Ok(about) if last && about.is_file() || !last && about.is_dir() => {}
                Ok(_) => {
                    let kind = if last { "file" } else { "directory" };
                    bail!("{} is in the way: the asset has a {kind} there", place.display());
                }
                Err(cause) if cause.kind() == ErrorKind::NotFound && last => {}
                Err(cause) if cause.kind() == ErrorKind::NotFound && make => {
                    fs::create_dir(&place).with_context(|| format!("cannot make {}", place.display()))?;
                }
                Err(cause) if cause.kind() == ErrorKind::NotFound => {}
                Err(cause) => return Err(cause).with_context(|| format!("cannot read {}", place.display())),
            }
        }
        Ok(place)
    }

    async fn one(
        &self,
        errand: &mut Errand<'_>,
        wanted: &Wanted,
        file: &Listed,
        label: &str,
        done: &mut Done,
    ) -> Result<()> {
        let place = self.place(file, true)?;
        // What another file's download left there is in nobody's way.
        let mut part = Part::open(&self.dir.join(COMING), &errand.contract, &errand.core, wanted, true)?;
        let mut receipt = None;
        if let Some(Coming { reply, piece, receipt: at }) = errand.ask_for(&mut part, wanted).await? {
            receipt = at.map(|at| (at, piece));
            if !part.take(reply, label).await? {
                // Whoever stopped it has stopped everything.
                std::future::pending::<()>().await;
            }
        }
        let size = part.finish(&place)?;
        (done.there, done.fetched, done.bytes) = (done.there + 1, done.fetched + 1, done.bytes.saturating_add(size));
        if let Some((at, piece)) = receipt {
            let (_, signed) = errand.receipt(&at, wanted, &piece, size).await?;
            done.gate = Some(signed.iss.to_string());
        }
        Ok(())
    }

    /// What is there of what comes no more.
    fn remains(&self, done: &Done) -> String {
        match done.files {
            0 => "no more comes under it; nothing was kept".into(),
            files => format!("no more comes under it; {} of {files} files are in {}", done.there, self.dir.display()),
        }
    }

    fn left(&self, done: &Done, counted: bool, why: &str) -> String {
        let costs = if counted { ", which costs another use (--yes)" } else { "" };
        match done.files {
            0 => format!("{why}; nothing was kept"),
            files => {
                let (there, dir) = (done.there, self.dir.display());
                format!("{why}; {there} of {files} files are in {dir}\n  the same command goes on from there{costs}")
            }
        }
    }
}

fn is_right(path: &Path, sha256: &str) -> Result<bool> {
    let cannot = || format!("cannot read {}", path.display());
    let (mut file, mut hasher) = (File::open(path).with_context(cannot)?, Hasher::default());
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file.read(&mut chunk).with_context(cannot)?;
        match chunk.get(..read).filter(|bytes| !bytes.is_empty()) {
            Some(bytes) => hasher.update(bytes),
            None => return Ok(hasher.finish().hex().trim_start_matches("0x") == sha256),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_is_written_through_a_link_or_over_a_directory() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("tiles");
        fs::create_dir_all(dir.join("north")).unwrap();
        fs::create_dir(home.path().join("elsewhere")).unwrap();
        symlink(home.path().join("elsewhere"), dir.join("link")).unwrap();
        let folder = Folder { dir: &dir, force: true, sums: None };
        let place = |path: &str| folder.place(&Listed { path: path.into(), sha256: String::new() }, true);
        assert_eq!(place("north/a").unwrap(), dir.join("north/a"));
        assert_eq!(place("south/b/a").unwrap(), dir.join("south/b/a"));
        for path in ["link/a", "link", "north"] {
            assert!(place(path).unwrap_err().to_string().contains("in the way"), "{path}");
        }
        fs::write(dir.join("file"), "").unwrap();
        assert!(place("file/a").unwrap_err().to_string().contains("in the way"));
        assert_eq!(fs::read_dir(home.path().join("elsewhere")).unwrap().count(), 0);
    }

    #[test]
    fn somebody_elses_directory_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let sums = Sums::of([Listed { path: "a".into(), sha256: "9f".repeat(32) }]).unwrap();
        let sha256 = Digest::of(sums.text()).hex()[2..].to_owned();
        assert!(Folder::at(home.path(), &sha256, false).unwrap().sums.is_none());
        assert!(Folder::at(&home.path().join("none"), &sha256, false).unwrap().sums.is_none());
        fs::write(home.path().join("mine"), "mine").unwrap();
        let refused = Folder::at(home.path(), &sha256, false).err().unwrap().to_string();
        assert!(refused.contains("--force"), "{refused}");
        assert!(Folder::at(&home.path().join("mine"), &sha256, true).is_err());
        fs::write(home.path().join(SUMS), sums.text()).unwrap();
        assert_eq!(Folder::at(home.path(), &sha256, false).unwrap().sums, Some(sums));
        assert!(Folder::at(home.path(), &"00".repeat(32), false).is_err());
    }
}
