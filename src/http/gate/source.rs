use std::io::SeekFrom;
use std::path::{Path, PathBuf};
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
use crate::gate::ByteRange;
use crate::node::{ServedAsset, Source};

const CHUNK: usize = 64 * 1024;

/// What a directory says of itself: the sums of its files as `sha256sum` writes them. Their own SHA-256 is the asset's,
/// so that a contract's digest reaches every file.
const SUMS: &str = "SHA256SUMS";

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
    pub range: Option<ByteRange>,
    /// The SHA-256 that the whole body has to have.
    pub whole: bool,
    pub bytes: BoxStream<'static, std::io::Result<Bytes>>,
}

/// Where data comes from: files, directories, upstream servers.
#[derive(Clone)]
pub(super) struct Sources {
    client: Option<reqwest::Client>,
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
        Self { client: client.build().ok() }
    }

    /// Opens what is wanted.
    pub(super) async fn open(&self, wanted: &Wanted<'_>) -> Result<Found, Problem> {
        match &wanted.asset.source {
            Source::File(path) => file(path, wanted).await,
            Source::Directory(path) if wanted.below.is_empty() => {
                file(&inside(path, &format!("/{SUMS}")).await?, wanted).await
            }
            Source::Directory(path) => file(&inside(path, wanted.below).await?, wanted).await,
            Source::Upstream(url) => self.upstream(url, wanted).await,
        }
    }

    async fn upstream(&self, base: &str, wanted: &Wanted<'_>) -> Result<Found, Problem> {
        segments(wanted.below)?;
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
        let whole = range.is_none() && wanted.below.is_empty();
        let bytes = answer.bytes_stream().map(|chunk| chunk.map_err(std::io::Error::other)).boxed();
        Ok(Found { status, headers, length, range, whole, bytes })
    }
}

async fn file(path: &Path, wanted: &Wanted<'_>) -> Result<Found, Problem> {
    let nothing = || Problem::new(StatusCode::NOT_FOUND, "nothing is served here");
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
        let bytes = futures::stream::empty().boxed();
        return Ok(Found { status, headers: headers.collect(), length: None, range: None, whole: false, bytes });
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
    let whole = own && range.is_none();
    Ok(Found { status, headers: headers.collect(), length: Some(length), range, whole, bytes })
}

/// The version of a file, by its length and the time of its last change.
fn version(about: &std::fs::Metadata) -> Option<String> {
    let changed = about.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(format!("\"{:x}-{:x}\"", changed.as_nanos(), about.len()))
}

/// A file below `base`, wherever links may point.
async fn inside(base: &Path, below: &str) -> Result<PathBuf, Problem> {
    let nothing = || Problem::new(StatusCode::NOT_FOUND, "nothing is served here");
    let mut path = base.to_owned();
    path.extend(segments(below)?);
    let base = tokio::fs::canonicalize(base).await.map_err(|_| nothing())?;
    let path = tokio::fs::canonicalize(path).await.map_err(|_| nothing())?;
    if path.starts_with(base) { Ok(path) } else { Err(nothing()) }
}

/// The decoded segments of a path below an asset's, none of which leads up or hides a separator.
fn segments(below: &str) -> Result<Vec<String>, Problem> {
    let nothing = || Problem::new(StatusCode::NOT_FOUND, "nothing is served here");
    if below.is_empty() {
        return Ok(Vec::new());
    }
    let below = below.strip_prefix('/').ok_or_else(nothing)?;
    below
        .split('/')
        .map(|segment| {
            let segment = decoded(segment).ok_or_else(nothing)?;
            let plain = !segment.is_empty() && !segment.starts_with('.') && !segment.contains(['/', '\\', '\0', ':']);
            if plain { Ok(segment) } else { Err(nothing()) }
        })
        .collect()
}

fn decoded(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high << 4 | low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out() {
        assert_eq!(segments("/a/b%20c.xml").unwrap(), ["a", "b c.xml"]);
        for out in [
            "/..",
            "/a/../b",
            "/%2e%2e/x",
            "/a%2fb",
            "/a%2f..%2f",
            "//",
            "/",
            "/.git",
            "/a\\..",
            "/a%00",
            "/%",
            "/%zz",
            "/C:",
            "x",
        ] {
            assert!(segments(out).is_err(), "{out}");
        }
    }
}
