use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use url::Url;

use super::super::super::Usage;
use super::member;
use super::part::Piece;
use crate::check::Trail;
use crate::encoding::Digest;
use crate::gate::Receipt;
use crate::identity::{Documents, Jws};

/// What the contract says about the data.
pub(super) struct Wanted {
    pub endpoint: Url,
    pub sha256: String,
    pub size: Option<u64>,
}

impl Wanted {
    pub(super) fn of(asset: &Value) -> Result<Self> {
        Ok(Self {
            endpoint: member(asset, "/endpoint")?.parse().context("the asset's address is no URL")?,
            sha256: member(asset, "/sha256")?,
            size: asset["size"].as_u64(),
        })
    }

    /// The last part of the address: a plain name, never a path that somebody else chose.
    pub(super) fn file_name(&self) -> Result<PathBuf> {
        let last = self.endpoint.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
        let plain = last.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
        if last.is_empty() || last.starts_with('.') || !plain {
            return Err(Usage(format!("name a file with -o: {} ends in no plain name", self.endpoint)).into());
        }
        Ok(PathBuf::from(last))
    }

    /// The receipt has to be about this contract and these bytes, and signed by whoever it names as the gate.
    pub(super) fn receipt(&self, receipt: &str, core: &Digest, piece: &Piece, size: u64) -> Result<Receipt> {
        let claimed: Value = Jws::parse(receipt)?.claims()?.into();
        let gate = member(&claimed, "/iss")?.parse()?;
        let verified = Receipt::verify(receipt, &gate, core, &Documents::default(), &mut Trail::default())
            .context("the gate's receipt does not hold; the data does")?;
        let from = verified.range.map_or(0, |range| range.first);
        let about = verified.asset_sha256 == self.sha256
            && from == piece.first()
            && verified.bytes == size.saturating_sub(piece.first());
        if !about {
            bail!("the gate's receipt is about other bytes; the data is as contracted");
        }
        Ok(verified.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
