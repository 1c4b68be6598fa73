use std::collections::HashMap;
use std::io::SeekFrom;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use futures::stream::{BoxStream, StreamExt as _};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::Problem;
use super::condition::{Condition, condition};
use super::range::{Asked, asked, content_range};
use crate::encoding::Digest;
use crate::gate::{Listed, MAX_SUMS, SUMS, Sums, checks, path_below};
use crate::node::{Portion, ServedAsset, Source};

const CHUNK: usize = 64 * 1024;

/// What an upstream is told of a request.
const ASKED: [HeaderName; 6] = [
    header::RANGE,
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
];
/// What a caller is told of an upstream's answer.
const TOLD: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_ENCODING,
    header::ACCEPT_RANGES,
    header::ETAG,
    header::LAST_MODIFIED,
];

/// What is asked of a source.
pub(super) struct Wanted<'a> {
    pub asset: &'a ServedAsset,
    /// What of the path is below the asset's own, undecoded.
    pub below: &'a str,
    pub head: bool,
    pub headers: &'a HeaderMap,
}

/// What a source has to give.
pub(super) struct Found {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How many bytes the body has, where that is known.
    pub length: Option<u64>,
    pub portion: Portion,
    /// Whether the body is the whole of something whose SHA-256 is known.
    pub whole: bool,
    pub bytes: BoxStream<'static, std::io::Result<Bytes>>,
}

/// Where data comes from: files, directories, upstream servers.
#[derive(Clone)]
pub(super) struct Sources {
    client: Option<reqwest::Client>,
    /// What directories have in them, by the digest of their sums: that says which they are for good.
    sums: Arc<Mutex<HashMap<String, Arc<Sums>>>>,
}

impl Sources {
    pub(super) fn new() -> Self {
        // An error means that the process has chosen its TLS library already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // The upstream is the owner's own, so that private addresses are the rule; redirects would leave it.
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .read_timeout(Duration::from_secs(30))
            .no_proxy();
        Self { client: client.build().ok(), sums: Arc::default() }
    }

    /// Opens what is wanted.
    pub(super) async fn open(&self, wanted: &Wanted<'_>) -> Result<Found, Problem> {
        match &wanted.asset.source {
            Source::File(path) => file(path, wanted, None).await,
            Source::Directory(path) => self.directory(path, wanted).await,
            Source::Upstream(url) => self.upstream(url, wanted).await,
        }
    }

    /// A directory's own path gives the sums of its files, the paths below it what the sums name, and nothing else.
    async fn directory(&self, dir: &Path, wanted: &Wanted<'_>) -> Result<Found, Problem> {
        if wanted.below.is_empty() {
            let sums = inside(dir, SUMS).await.map_err(|_| {
                tracing::error!(asset = wanted.asset.id, "the directory has no {SUMS}");
                Problem::new(StatusCode::BAD_GATEWAY, "the data cannot be read")
            });
            return file(&sums?, wanted, None).await;
        }
        let path = path_below(wanted.below).ok_or_else(nothing)?;
        let listed = self.sums(dir, wanted.asset).await?.find(&path).ok_or_else(nothing)?;
        file(&inside(dir, &path).await?, wanted, Some(listed)).await
    }

    /// The sums that the contract is about, whatever is in the directory now.
    async fn sums(&self, dir: &Path, asset: &ServedAsset) -> Result<Arc<Sums>, Problem> {
        // A map of whole things is whole whatever happened to whoever held it.
        let known = || self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sums) = known().get(&asset.sha256) {
            return Ok(Arc::clone(sums));
        }
        let failed = |cause: String| {
            tracing::error!(check = checks::SUMS.id(), cause, asset = asset.id, "the directory cannot be served");
            Problem::of_check(StatusCode::BAD_GATEWAY, &checks::SUMS, checks::SUMS.rule())
        };
        let file = File::open(dir.join(SUMS)).await.map_err(|cause| failed(format!("{SUMS}: {cause}")))?;
        let mut text = Vec::new();
        let most = u64::try_from(MAX_SUMS).unwrap_or(u64::MAX).saturating_add(1);
        file.take(most).read_to_end(&mut text).await.map_err(|cause| failed(format!("{SUMS}: {cause}")))?;
        let found = Digest::of(&text).hex();
        if found.trim_start_matches("0x") != asset.sha256 {
            return Err(failed(format!("{SUMS} is {found}, the asset {}", asset.sha256)));
        }
        let sums = Arc::new(Sums::read(&text).map_err(|refusal| failed(refusal.detail))?);
        known().insert(asset.sha256.clone(), Arc::clone(&sums));
        Ok(sums)
    }

    async fn upstream(&self, base: &str, wanted: &Wanted<'_>) -> Result<Found, Problem> {
        if !wanted.below.is_empty() && path_below(wanted.below).is_none() {
            return Err(nothing());
        }
        let failed = |cause: &dyn std::fmt::Display| {
            tracing::error!(%cause, asset = wanted.asset.id, "the data's source failed");
            Problem::new(StatusCode::BAD_GATEWAY, "the data's source cannot be reached")
        };
        let client = self.client.as_ref().ok_or_else(|| failed(&"no HTTP client"))?;
        let url = format!("{}{}", base.trim_end_matches('/'), wanted.below);
        let mut request = if wanted.head { client.head(url) } else { client.get(url) };
        request = request.header(header::ACCEPT_ENCODING, "identity");
        for name in ASKED {
            if let Some(value) = wanted.headers.get(&name) {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.map_err(|cause| failed(&cause))?;
        let status = answer.status();
        let mut served = vec![StatusCode::OK, StatusCode::NOT_MODIFIED, StatusCode::PRECONDITION_FAILED];
        if wanted.headers.contains_key(header::RANGE) {
            served.extend([StatusCode::PARTIAL_CONTENT, StatusCode::RANGE_NOT_SATISFIABLE]);
        }
        if status == StatusCode::NOT_FOUND {
            return Err(Problem::new(StatusCode::NOT_FOUND, "the data's source has nothing there"));
        }
        if !served.contains(&status) {
            return Err(failed(&status));
        }
        let passed = TOLD.into_iter().filter_map(|name| Some((name.clone(), answer.headers().get(&name)?.clone())));
        let mut headers: Vec<_> = passed.collect();
        let own = wanted.below.is_empty().then(|| HeaderValue::from_str(&wanted.asset.media_type).ok()).flatten();
        let media_type = own.or_else(|| answer.headers().get(header::CONTENT_TYPE).cloned());
        headers.extend(media_type.map(|value| (header::CONTENT_TYPE, value)));
        headers.push((header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")));
        let given = answer.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
        let range = given.and_then(content_range).filter(|_| status == StatusCode::PARTIAL_CONTENT);
        if status == StatusCode::PARTIAL_CONTENT && range.is_none() {
            return Err(failed(&"206 without a Content-Range that can be read"));
        }
        let length = answer.content_length();
        // What an upstream has below its path has no digest that the contract reaches.
        let vouched = wanted.below.is_empty();
        let (whole, portion) = (range.is_none() && vouched, Portion { part: None, range, vouched });
        let bytes = answer.bytes_stream().map(|chunk| chunk.map_err(std::io::Error::other)).boxed();
        Ok(Found { status, headers, length, portion, whole, bytes })
    }
}

fn nothing() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "nothing is served here")
}

/// A file: the asset itself, or what its directory lists.
async fn file(path: &Path, wanted: &Wanted<'_>, part: Option<Listed>) -> Result<Found, Problem> {
    let failed = |cause: std::io::Error| {
        tracing::error!(%cause, asset = wanted.asset.id, "the data's source failed");
        Problem::new(StatusCode::BAD_GATEWAY, "the data cannot be read")
    };
    let missing = |cause| if wanted.below.is_empty() { failed(cause) } else { nothing() };
    // Looked at before it is opened: opening a pipe would wait for whoever writes into it.
    if !tokio::fs::metadata(path).await.map_err(missing)?.is_file() {
        return Err(nothing());
    }
    let mut file = File::open(path).await.map_err(missing)?;
    let about = file.metadata().await.map_err(failed)?;
    if !about.is_file() {
        return Err(nothing());
    }
    let own = wanted.below.is_empty();
    let etag = if own { Some(format!("\"{}\"", wanted.asset.sha256)) } else { version(&about) };
    let media_type = if own { &wanted.asset.media_type } else { "application/octet-stream" };
    let mut headers = vec![
        (header::CONTENT_TYPE, media_type.to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    let (condition, asked) =
        (condition(wanted.headers, etag.as_deref()), asked(wanted.headers, about.len(), etag.as_deref()));
    headers.extend(etag.map(|etag| (header::ETAG, etag)));
    let unsent = match condition {
        Condition::Holds => None,
        Condition::NotModified => Some(StatusCode::NOT_MODIFIED),
        Condition::Fails => Some(StatusCode::PRECONDITION_FAILED),
    };
    if let Some(status) = unsent {
        let headers = headers.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)));
        let (bytes, portion) = (futures::stream::empty().boxed(), Portion { part, range: None, vouched: true });
        return Ok(Found { status, headers: headers.collect(), length: None, portion, whole: false, bytes });
    }
    let (status, first, length, range) = match asked {
        Asked::Whole => (StatusCode::OK, 0, about.len(), None),
        Asked::Part(range) => {
            headers.push((header::CONTENT_RANGE, format!("bytes {}-{}/{}", range.first, range.last, about.len())));
            (StatusCode::PARTIAL_CONTENT, range.first, range.len(), Some(range))
        }
        Asked::Outside => {
            headers.push((header::CONTENT_RANGE, format!("bytes */{}", about.len())));
            (StatusCode::RANGE_NOT_SATISFIABLE, 0, 0, None)
        }
    };
    headers.push((header::CONTENT_LENGTH, length.to_string()));
    file.seek(SeekFrom::Start(first)).await.map_err(failed)?;
    let headers = headers.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)));
    let bytes = ReaderStream::with_capacity(file.take(length), CHUNK).boxed();
    let (whole, portion) = (range.is_none(), Portion { part, range, vouched: true });
    Ok(Found { status, headers: headers.collect(), length: Some(length), portion, whole, bytes })
}

/// The version of a file, by its length and the time of its last change.
fn version(about: &std::fs::Metadata) -> Option<String> {
    let changed = about.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(format!("\"{:x}-{:x}\"", changed.as_nanos(), about.len()))
}

/// A file below `base`, wherever links may point; `path` stays below it.
async fn inside(base: &Path, path: &str) -> Result<PathBuf, Problem> {
    let mut found = base.to_owned();
    found.extend(path.split('/'));
    let base = tokio::fs::canonicalize(base).await.map_err(|_| nothing())?;
    let found = tokio::fs::canonicalize(found).await.map_err(|_| nothing())?;
    if found.starts_with(base) { Ok(found) } else { Err(nothing()) }
}
