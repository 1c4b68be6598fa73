//! What a download has got so far: `FILE.part` with the bytes, `FILE.part.json` with what they are of.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, RANGE};
use reqwest::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use super::super::super::{Later, Usage, asked_to_end};
use super::wanted::Wanted;
use crate::encoding::{Digest, Hasher};

const CHUNK: usize = 256 * 1024;

/// What the bytes are of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    contract_id: String,
    core: Digest,
    sha256: String,
    size: Option<u64>,
    endpoint: String,
    /// The version that the server named.
    etag: Option<String>,
}

/// Which of the asset's bytes are asked for: from `first` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    first: u64,
    etag: Option<String>,
}

/// A download that began. Two cannot write into one.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    about: About,
    hasher: Hasher,
    bytes: u64,
}

impl Piece {
    pub(super) fn whole() -> Self {
        Self { first: 0, etag: None }
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if self.first > 0 {
            let mut say = |name, value: &str| HeaderValue::from_str(value).map(|value| headers.insert(name, value));
            // Digits and what a server sent as a header: both can be one.
            let _ = say(RANGE, &format!("bytes={}-", self.first));
            if let Some(etag) = &self.etag {
                let _ = say(IF_RANGE, etag);
            }
        }
        headers
    }
}

impl Part {
    /// Takes up what an earlier download of the same asset left, or begins.
    pub(super) fn open(target: &Path, contract: &str, core: &Digest, wanted: &Wanted, force: bool) -> Result<Self> {
        let path = beside(target, ".part");
        let mut about = About {
            contract_id: contract.to_owned(),
            core: *core,
            sha256: wanted.sha256.clone(),
            size: wanted.size,
            endpoint: wanted.endpoint.to_string(),
            etag: None,
        };
        let was = fs::read(beside(&path, ".json")).ok().and_then(|text| serde_json::from_slice::<About>(&text).ok());
        // An empty one is nothing: somebody was stopped before a byte came.
        let begun = fs::metadata(&path).is_ok_and(|about| about.len() > 0);
        let same = was.as_ref().is_some_and(|was| About { etag: None, ..was.clone() } == about);
        if begun && !same && !force {
            let of = was.map_or_else(|| "something else".into(), |was| format!("contract {}", was.contract_id));
            let shown = path.display();
            return Err(Usage(format!("{shown} is left of a download of {of}; --force throws it away")).into());
        }
        let cannot = || format!("cannot write {}", path.display());
        // Who writes has to hold the lock before anything is changed.
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = options.with_context(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("another fetch writes into {}; let it finish", path.display()),
            Err(TryLockError::Error(cause)) => return Err(cause).with_context(cannot),
        }
        about.etag = was.filter(|_| same).and_then(|was| was.etag);
        let mut part = Self { path, file, about, hasher: Hasher::default(), bytes: 0 };
        let length = part.file.metadata()?.len();
        if !same || wanted.size.is_some_and(|size| length > size) {
            part.restart()?;
        } else {
            part.read_again(length)?;
        }
        part.save()?;
        Ok(part)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// Whether nothing is missing.
    pub(super) fn is_whole(&self) -> bool {
        self.about.size == Some(self.bytes) && self.bytes > 0
    }

    /// What is missing.
    pub(super) fn piece(&self) -> Piece {
        Piece { first: self.bytes, etag: self.about.etag.clone() }
    }

    /// Whether an answer goes on where this ends; otherwise it is the whole asset.
    pub(super) fn goes_on(&self, reply: &Response, piece: &Piece) -> Result<bool> {
        if reply.status() != StatusCode::PARTIAL_CONTENT {
            return Ok(false);
        }
        let range = reply.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let begins = range.strip_prefix("bytes ").and_then(|range| range.split_once('-')).map(|(first, _)| first);
        let ends = range.rsplit_once('-').map_or("", |(_, ends)| ends);
        let to_the_end = ends
            .split_once('/')
            .is_some_and(|(last, all)| last.parse::<u64>().is_ok_and(|last| all == last.saturating_add(1).to_string()));
        if begins != Some(&piece.first.to_string()) || !to_the_end {
            bail!("asked for the bytes from {} on, the answer has `{range}`", piece.first);
        }
        Ok(true)
    }

    /// Keeps the version that an answer names.
    pub(super) fn remember(&mut self, reply: &Response) -> Result<()> {
        let etag = reply.headers().get(ETAG).and_then(|value| value.to_str().ok());
        // A weak tag says nothing about bytes.
        self.about.etag = etag.filter(|etag| !etag.starts_with("W/")).map(str::to_owned);
        self.save()
    }

    /// Forgets what is there.
    pub(super) fn restart(&mut self) -> Result<()> {
        self.file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .with_context(|| format!("cannot write {}", self.shown()))?;
        (self.hasher, self.bytes, self.about.etag) = (Hasher::default(), 0, None);
        Ok(())
    }

    /// Writes what comes; `false` if somebody stopped it.
    pub(super) async fn take(&mut self, reply: Response, label: &str) -> Result<bool> {
        let size = self.about.size.or_else(|| Some(self.bytes.saturating_add(reply.content_length()?)));
        let bar = bar(size, self.bytes, label);
        let (mut body, mut stopped) = (reply.bytes_stream(), std::pin::pin!(asked_to_end()));
        loop {
            let chunk = tokio::select! {
                biased;
                () = &mut stopped => return Ok(false),
                chunk = body.next() => chunk,
            };
            let Some(chunk) = chunk else { break };
            let chunk = chunk.map_err(|cause| Later(format!("the connection broke ({})", innermost(&cause))))?;
            let bytes = self.bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            if self.about.size.is_some_and(|size| bytes > size) {
                self.restart()?;
                self.throw_away();
                bail!("the gate sends more than the contract's bytes");
            }
            self.file.write_all(&chunk).with_context(|| format!("cannot write {}", self.shown()))?;
            self.hasher.update(&chunk);
            self.bytes = bytes;
            bar.set_position(bytes);
        }
        if let Some(size) = self.about.size.filter(|size| self.bytes < *size) {
            return Err(Later(format!("{} of {size} bytes came", self.bytes)).into());
        }
        Ok(true)
    }

    /// Gives the bytes their name, if they are the contract's; how many they are.
    pub(super) fn finish(self, target: &Path) -> Result<u64> {
        let sha256 = self.hasher.clone().finish().hex();
        let sha256 = sha256.trim_start_matches("0x");
        if sha256 != self.about.sha256 {
            // Bytes that nothing vouches for are not left lying about.
            self.throw_away();
            bail!(
                "these are other bytes than the contract's: sha256 {sha256}, not {}; nothing was kept",
                self.about.sha256
            );
        }
        self.file.sync_all()?;
        fs::rename(&self.path, target).with_context(|| format!("cannot write {}", target.display()))?;
        // Only a leftover if it stays.
        let _ = fs::remove_file(beside(&self.path, ".json"));
        Ok(self.bytes)
    }

    fn throw_away(&self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(beside(&self.path, ".json"));
    }

    /// Takes the bytes that are there into the digest.
    fn read_again(&mut self, length: u64) -> Result<()> {
        let bar = bar(Some(length), 0, "reading what is there ");
        self.file.seek(SeekFrom::Start(0))?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = self.file.read(&mut chunk).with_context(|| format!("cannot read {}", self.shown()))?;
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
            self.hasher.update(bytes);
            self.bytes = self.bytes.saturating_add(u64::try_from(read)?);
            bar.set_position(self.bytes);
        }
    }

    fn save(&self) -> Result<()> {
        let path = beside(&self.path, ".json");
        let fresh = beside(&path, ".new");
        let text = serde_json::to_vec_pretty(&self.about)?;
        fs::write(&fresh, text)
            .and_then(|()| fs::rename(&fresh, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Drop for Part {
    /// A download that was refused has got nothing, and leaves nothing behind.
    fn drop(&mut self) {
        if self.file.metadata().is_ok_and(|about| about.len() == 0) {
            self.throw_away();
        }
    }
}

/// What went wrong at the bottom: what stands above it says only that a body could not be read.
fn innermost(fault: &(dyn std::error::Error + 'static)) -> String {
    fault.source().map_or_else(|| fault.to_string(), innermost)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// How far it is, where the end is known.
const OF: &str = "{prefix}{bar:30} {percent} %  {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta}";
/// How much it is, where the end is not known.
const SO_FAR: &str = "{prefix}{spinner} {binary_bytes}  {binary_bytes_per_sec}";

/// A bar on stderr; silent where nobody watches.
fn bar(size: Option<u64>, from: u64, what: &str) -> ProgressBar {
    let template = if size.is_some() { OF } else { SO_FAR };
    let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::stderr())
        .with_position(from)
        .with_prefix(what.to_owned());
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.reset_eta();
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const DATA: &[u8] = b"<OpenDRIVE/>";

    #[test]
    fn the_bars_can_be_drawn() {
        for template in [OF, SO_FAR] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }

    fn wanted() -> Wanted {
        let sha256 = &Digest::of(DATA).hex()[2..];
        Wanted::of(&json!({ "endpoint": "https://d.example/a.xodr", "sha256": sha256, "size": DATA.len() })).unwrap()
    }

    fn open(target: &Path, contract: &str, force: bool) -> Result<Part> {
        Part::open(target, contract, &Digest::of(contract), &wanted(), force)
    }

    fn reply(status: u16, headers: &[(&str, &str)], body: &'static [u8]) -> Response {
        let reply = axum::http::Response::builder().status(status);
        let reply = headers.iter().fold(reply, |reply, (name, value)| reply.header(*name, *value));
        reply.body(reqwest::Body::from(body)).unwrap().into()
    }

    #[tokio::test]
    async fn a_download_goes_on_where_it_broke_off() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.xodr");
        let mut part = open(&target, "one", false).unwrap();
        assert_eq!(part.piece().headers().len(), 0);
        let first = reply(200, &[("etag", "\"v1\"")], &DATA[..5]);
        part.remember(&first).unwrap();
        assert!(part.take(first, "").await.unwrap_err().to_string().contains("5 of 12"));
        assert!(open(&target, "one", false).is_err_and(|cause| cause.to_string().contains("another fetch")));
        drop(part);

        let mut part = open(&target, "one", false).unwrap();
        let piece = part.piece();
        assert_eq!(piece.headers()["range"], "bytes=5-");
        assert_eq!(piece.headers()["if-range"], "\"v1\"");
        let rest = reply(206, &[("content-range", "bytes 5-11/12")], &DATA[5..]);
        assert!(part.goes_on(&rest, &piece).unwrap());
        for other in ["bytes 4-11/12", "bytes 5-10/12", "bytes 5-11/*", "5-11/12", ""] {
            assert!(part.goes_on(&reply(206, &[("content-range", other)], b""), &piece).is_err(), "{other}");
        }
        assert!(part.take(rest, "").await.unwrap());
        assert_eq!(part.finish(&target).unwrap(), 12);
        assert_eq!(fs::read(&target).unwrap(), DATA);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn other_bytes_are_thrown_away() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.xodr");
        let mut part = open(&target, "one", false).unwrap();
        assert!(part.take(reply(200, &[], b"<OpenDrive/>"), "").await.unwrap());
        assert!(part.finish(&target).unwrap_err().to_string().contains("nothing was kept"));
        let mut part = open(&target, "one", false).unwrap();
        assert!(part.take(reply(200, &[], b"<OpenDRIVE/>!"), "").await.unwrap_err().to_string().contains("more than"));
        drop(part);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_left_of_another_download_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a.xodr");
        drop(open(&target, "one", false).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing came, and nothing is left");
        let begun = open(&target, "one", false).unwrap();
        fs::write(beside(&target, ".part"), b"<Open").unwrap();
        drop(begun);
        assert_eq!(open(&target, "one", false).unwrap().bytes(), 5);
        let why = open(&target, "two", false).err().unwrap().to_string();
        assert!(why.contains("contract one") && why.contains("--force"), "{why}");
        let two = open(&target, "two", true).unwrap();
        assert_eq!(two.bytes(), 0);
        fs::write(beside(&target, ".part"), b"more than the contract has").unwrap();
        drop(two);
        assert_eq!(open(&target, "two", false).unwrap().bytes(), 0);
    }
}
