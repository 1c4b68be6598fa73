use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use futures::StreamExt as _;
use ring::digest::{Context as Hasher, SHA256};
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use url::Url;

use super::super::Usage;
use super::super::calls::{GateCaller, Said, declined, receipt_path};
use super::words::{Progress, brief, text};
use super::{At, found, member};
use crate::check::Trail;
use crate::courier::{AddressPolicy, WebResolver};
use crate::encoding::Digest;
use crate::gate::Receipt;
use crate::identity::{Did, Documents, Jws, Method};
use crate::node::Resolver as _;

/// Downloads a contract's asset: answers the gate's challenge, checks the SHA-256, keeps the gate's receipt.
///
/// Example: countersign fetch 5b0f6a3e -o junction.xodr
#[derive(Debug, Args)]
pub struct Fetch {
    #[command(flatten)]
    at: At,
    /// The contract or its negotiation, or the beginning of its id.
    id: String,
    /// Where to; without it the name at the end of the asset's address, in this directory.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What the data is for, where the terms name a purpose.
    #[arg(long, value_name = "IRI")]
    purpose: Option<String>,
    /// Write over a file that is there.
    #[arg(long)]
    force: bool,
}

impl Fetch {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let view = found(&desk, &self.id).await?;
        if view["role"] != "consumer" {
            return Err(Usage("you are this contract's provider; its consumer fetches".into()).into());
        }
        let Some(core) = view["hash"].as_str().and_then(Digest::from_hex) else {
            bail!("nothing is countersigned yet: it is {}", text(&view, "/state"));
        };
        let contract = member(&view, "/offer/contract_id")?;
        let wanted = Wanted::of(&view["offer"]["asset"])?;
        let path = self.output.clone().map_or_else(|| wanted.file_name(), Ok)?;
        if path.exists() && !self.force {
            return Err(Usage(format!("{} is there already; --force writes over it", path.display())).into());
        }

        // A presentation goes to the origin that the contract names, and nowhere that it is sent on to.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(60))
            .build()?;
        let gate = GateCaller::new(http.clone(), wanted.endpoint.origin().ascii_serialization());
        let challenge =
            gate.challenge().await.with_context(|| format!("the gate of {} does not answer", wanted.endpoint))?;
        let mut answer = desk.post(&format!("/api/contracts/{contract}/presentation"), &challenge).await?;
        if let Some(purpose) = &self.purpose {
            answer["purpose"] = json!(purpose);
        }
        let token = match gate.answer(&answer).await? {
            Said::Token(token) => token,
            Said::Denied { check, reason } => bail!("the gate refuses: {check}: {reason}{}", hint(&check, &view)),
        };
        let reply = http.get(wanted.endpoint.clone()).bearer_auth(&token).send().await?;
        if !reply.status().is_success() {
            bail!("the gate refuses: {}", declined(reply).await);
        }
        let receipt_path = receipt_path(&reply)?;
        let bytes = wanted.download(reply, &path).await?;

        let receipt = gate.receipt(&receipt_path, &token).await.context("the data is whole, its receipt is missing")?;
        let signed = wanted.receipt(&receipt, &core, bytes).await?;
        desk.post(&format!("/api/contracts/{contract}/receipts"), &json!({ "receipt": receipt })).await?;
        let done = json!({
            "contract_id": contract, "file": path, "bytes": bytes, "sha256": wanted.sha256, "gate": signed.iss,
            "receipt": receipt,
        });
        self.at.say(&done, |done| {
            println!("{}: {bytes} bytes, sha256 {}, as the contract has it", path.display(), wanted.sha256);
            println!("receipt by {}, kept with contract {}", text(done, "/gate"), brief(&contract));
        })
    }
}

fn hint(check: &str, view: &Value) -> String {
    let id = brief(&text(view, "/id"));
    match check {
        "gate.not-final" | "rule.entry.missing" => format!("\n  wait for the record: countersign watch {id}"),
        "force.ended" | "force.withdrawn" | "force.exp" => "\n  this contract is over; ask for a new one".into(),
        _ if check.starts_with("policy.") => {
            format!("\n  `countersign show {id}` says what is allowed; --purpose declares what the data is for")
        }
        _ => String::new(),
    }
}

/// What the contract says about the data.
struct Wanted {
    endpoint: Url,
    sha256: String,
    size: Option<u64>,
}

impl Wanted {
    fn of(asset: &Value) -> Result<Self> {
        Ok(Self {
            endpoint: member(asset, "/endpoint")?.parse().context("the asset's address is no URL")?,
            sha256: member(asset, "/sha256")?,
            size: asset["size"].as_u64(),
        })
    }

    /// The last part of the address: a plain name, never a path that somebody else chose.
    fn file_name(&self) -> Result<PathBuf> {
        let last = self.endpoint.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
        let plain = last.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
        if last.is_empty() || last.starts_with('.') || !plain {
            return Err(Usage(format!("name a file with -o: {} ends in no plain name", self.endpoint)).into());
        }
        Ok(PathBuf::from(last))
    }

    /// Writes what comes beside `path`, and gives it that name once it is what was contracted; how many bytes it is.
    async fn download(&self, reply: reqwest::Response, path: &Path) -> Result<u64> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let written = self.write(reply, &part).await;
        match written {
            Ok(bytes) => {
                std::fs::rename(&part, path).with_context(|| format!("cannot write {}", path.display()))?;
                Ok(bytes)
            }
            Err(fault) => {
                // Bytes that nothing vouches for are not left lying about.
                let _ = std::fs::remove_file(&part);
                Err(fault)
            }
        }
    }

    async fn write(&self, reply: reqwest::Response, part: &Path) -> Result<u64> {
        let mut file = File::create(part).await.with_context(|| format!("cannot write {}", part.display()))?;
        let (mut hasher, mut bytes, mut progress) = (Hasher::new(&SHA256), 0_u64, Progress::new());
        let mut body = reply.bytes_stream();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.context("the download broke off; nothing was kept")?;
            bytes = bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            if self.size.is_some_and(|size| bytes > size) {
                bail!("the gate sends more than the contract's bytes; nothing was kept");
            }
            hasher.update(&chunk);
            file.write_all(&chunk).await.with_context(|| format!("cannot write {}", part.display()))?;
            progress.at(|| self.progress(bytes));
        }
        drop(progress);
        let sha256: String = hasher.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        if sha256 != self.sha256 {
            bail!("these are other bytes than the contract's: sha256 {sha256}, not {}; nothing was kept", self.sha256);
        }
        file.sync_all().await?;
        Ok(bytes)
    }

    fn progress(&self, bytes: u64) -> String {
        let mega = |bytes: u64| format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000);
        match self.size {
            Some(size) if size > 0 => {
                format!("{} of {} ({} %)", mega(bytes), mega(size), u128::from(bytes) * 100 / u128::from(size))
            }
            _ => mega(bytes),
        }
    }

    /// The receipt has to be about this contract and these bytes, and signed by whoever it names as the gate.
    async fn receipt(&self, receipt: &str, core: &Digest, bytes: u64) -> Result<Receipt> {
        let claimed: Value = Jws::parse(receipt)?.claims()?.into();
        let gate = member(&claimed, "/iss")?.parse::<Did>()?;
        let mut documents = Documents::default();
        if gate.method() == Method::Web {
            // Whoever agreed to an endpoint without TLS is in a network of its own.
            let policy = AddressPolicy { private_networks: self.endpoint.scheme() == "http" };
            documents
                .insert(WebResolver::new(policy)?.resolve(&gate).await.context("the gate's key is not to be had")?);
        }
        let verified = Receipt::verify(receipt, &gate, core, &documents, &mut Trail::default())
            .context("the gate's receipt does not hold; the data does")?;
        if verified.asset_sha256 != self.sha256 || verified.bytes != bytes {
            bail!("the gate's receipt is about other bytes; the data is as contracted");
        }
        Ok(verified.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(endpoint: &str) -> Result<PathBuf> {
        let asset = json!({ "endpoint": endpoint, "sha256": "00", "size": 1 });
        Wanted::of(&asset)?.file_name()
    }

    #[test]
    fn a_file_has_a_plain_name() {
        assert_eq!(named("https://d.example/a/junction.xodr?x=/y").unwrap(), PathBuf::from("junction.xodr"));
        for endpoint in
            ["https://d.example/", "https://d.example/a/", "https://d.example/.bashrc", "https://d.example/a%2Fb"]
        {
            assert!(named(endpoint).is_err(), "{endpoint}");
        }
    }
}
