//! Putting data behind a gate, without writing its configuration by hand.

mod sums;

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use futures::StreamExt as _;
use ring::digest::{Context as Hasher, SHA256};
use serde_json::{Value, json};
use url::Url;

use super::configuration::Configuration;
use super::desk::Progress;
use super::{HomeArgument, Usage, settle};
use crate::gate::DIRECTORY;
use crate::node::chance;

/// Puts data behind a gate: writes it into the gate's configuration, and prints the asset for `countersign list`.
///
/// SOURCE is a file, a directory, or the http(s) URL of a server behind the gate. The gate takes it over when it is
/// started again. A file and what a URL sends are measured (size and SHA-256). A directory is named by the SHA-256 of its
/// file SHA256SUMS, as sha256sum writes it: written if there is none, and held against the files if there is. The gate
/// serves the files that are named there, and whoever fetches them holds each to its line. Where terms count uses, one use is
/// the whole directory once, for which there is an hour: what takes longer costs another use.
///
/// Example: countersign guard --home ./gate junction.xodr --title "Motorway junction" > junction.json
#[derive(Debug, Args)]
pub struct Guard {
    #[command(flatten)]
    home: HomeArgument,
    /// The data.
    #[arg(value_name = "SOURCE")]
    source: String,
    /// What it is called; its file name without it.
    #[arg(long)]
    title: Option<String>,
    /// Its IRI, as contracts name it; a new urn:uuid without it.
    #[arg(long, value_name = "IRI")]
    id: Option<String>,
    /// Where the gate serves it; `/assets/` and its file name without it.
    #[arg(long = "as", value_name = "PATH")]
    path: Option<String>,
    /// Its media type; by its file name without it, and for a directory the one that `fetch` knows as a directory's.
    #[arg(long, value_name = "TYPE")]
    media_type: Option<String>,
    /// Its version, for what changes under one contract; a directory needs one.
    #[arg(long = "asset-version", value_name = "VERSION")]
    version: Option<String>,
    /// What the contract calls its bytes, where they are not measured here: for a server whose answers change.
    #[arg(long, value_name = "HEX", requires = "version")]
    sha256: Option<String>,
}

/// What a source was found to be.
struct Measured {
    name: String,
    table: String,
    sha256: String,
    size: Option<u64>,
    directory: bool,
}

impl Guard {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let home = self.home.made()?;
        let configuration = home.configuration()?;
        let Some(gate) = &configuration.gate else {
            let how = "`countersign init --purpose gate --provider DID` makes a gate's home";
            return Err(Usage(format!("{} is no gate's home; {how}", home.dir().display())).into());
        };
        let found = self.measure().await?;
        let path = self.path.clone().unwrap_or_else(|| format!("/assets/{}", plain(&found.name)));
        let id = match &self.id {
            Some(id) => id.clone(),
            None => chance::urn_uuid()?,
        };
        let media_type = self.media_type.clone().unwrap_or_else(|| match found.directory {
            true => DIRECTORY.to_owned(),
            false => media_type(&found.name).to_owned(),
        });
        let mut asset = json!({
            "id": id, "title": self.title.clone().unwrap_or_else(|| found.name.clone()), "media_type": media_type,
            "sha256": found.sha256, "endpoint": format!("{}{path}", gate.origin),
        });
        match (&self.version, found.size) {
            (Some(version), _) => asset["version"] = json!(version),
            (None, Some(size)) => asset["size"] = json!(size),
            (None, None) => return Err(Usage("what has no fixed size needs --asset-version".into()).into()),
        }
        let taken = gate.assets.iter().any(|other| other.path == path || other.id == id);
        if taken {
            return Err(Usage(format!("{path} or {id} is guarded already; name another with --as and --id")).into());
        }
        let quoted = |text: &str| Value::from(text).to_string();
        let table = format!(
            "\n[[gate.assets]]\nid = {}\npath = {}\nsource = {}\nmedia_type = {}\nsha256 = {}\n",
            quoted(&id),
            quoted(&path),
            found.table,
            quoted(&media_type),
            quoted(&found.sha256)
        );
        settle::change(&home, |text| {
            let text = format!("{}\n{table}", text.trim_end());
            let _ = Configuration::read(&text).context("with that, the configuration would not read")?;
            Ok(text)
        })?;
        println!("{}", serde_json::to_string_pretty(&json!({ "asset": asset }))?);
        if home.announced()?.is_some() {
            eprintln!("the gate serves it when it is started again: countersign serve --home {}", home.dir().display());
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn measure(&self) -> Result<Measured> {
        let quoted = |text: &str| Value::from(text).to_string();
        if self.source.starts_with("http://") || self.source.starts_with("https://") {
            let url: Url = self.source.parse().map_err(|cause| Usage(format!("{} is no URL: {cause}", self.source)))?;
            let name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default().to_owned();
            let (sha256, size) = match &self.sha256 {
                Some(sha256) => (sha256.clone(), None),
                None => download(&url).await?,
            };
            let table = format!("{{ upstream = {} }}", quoted(url.as_str()));
            return Ok(Measured { name, table, sha256, size, directory: false });
        }
        let path = Path::new(&self.source).canonicalize();
        let path = path.map_err(|cause| Usage(format!("{} cannot be read: {cause}", self.source)))?;
        let place = path.to_str().context("the path is no UTF-8, which a configuration is")?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            let sha256 = sums::named(&path)?;
            let table = format!("{{ directory = {} }}", quoted(place));
            return Ok(Measured { name, table, sha256, size: None, directory: true });
        }
        let (sha256, size) = hashed(&path)?;
        let table = format!("{{ file = {} }}", quoted(place));
        Ok(Measured { name, table, sha256, size: Some(size), directory: false })
    }
}

fn hex(hasher: Hasher) -> String {
    hasher.finish().as_ref().iter().fold(String::new(), |mut text, byte| {
        // Writing to a String never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn hashed(path: &Path) -> Result<(String, u64)> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (mut hasher, mut size, mut buffer) = (Hasher::new(&SHA256), 0_u64, vec![0; 1 << 16]);
    let mut progress = Progress::new();
    loop {
        let read = file.read(&mut buffer).with_context(|| format!("cannot read {}", path.display()))?;
        if read == 0 {
            return Ok((hex(hasher), size));
        }
        hasher.update(&buffer[..read]);
        size += u64::try_from(read).unwrap_or_default();
        progress.at(|| format!("{} MB measured", size / 1_000_000));
    }
}

async fn download(url: &Url) -> Result<(String, Option<u64>)> {
    let client = reqwest::Client::builder().no_proxy().connect_timeout(Duration::from_secs(10)).build()?;
    let reply = client.get(url.clone()).send().await.and_then(reqwest::Response::error_for_status);
    let mut body =
        reply.with_context(|| format!("{url} cannot be measured; say --sha256 and --asset-version"))?.bytes_stream();
    let (mut hasher, mut size, mut progress) = (Hasher::new(&SHA256), 0_u64, Progress::new());
    while let Some(chunk) = body.next().await {
        let chunk = chunk.with_context(|| format!("{url} broke off"))?;
        hasher.update(&chunk);
        size += u64::try_from(chunk.len()).unwrap_or_default();
        progress.at(|| format!("{} MB measured", size / 1_000_000));
    }
    Ok((hex(hasher), Some(size)))
}

/// A name as a path of a gate can have it.
fn plain(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    let plain = plain.trim_matches('.').to_owned();
    if plain.is_empty() { "data".into() } else { plain }
}

fn media_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "xml" | "xodr" | "xosc" => "application/xml",
        "json" | "jsonld" => "application/json",
        "geojson" => "application/geo+json",
        "csv" => "text/csv",
        "txt" | "md" => "text/plain",
        "pdf" => "application/pdf",
        "zip" => "application/zip",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "mp4" => "video/mp4",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_paths_and_types() {
        assert_eq!((plain("a b/ü.xodr"), plain("..")), ("a-b--.xodr".into(), "data".into()));
        assert_eq!((media_type("x.XODR"), media_type("x")), ("application/xml", "application/octet-stream"));
    }
}
