use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use url::Url;

use super::super::super::Usage;
use super::member;
use super::part::Piece;
use crate::check::Trail;
use crate::courier::{AddressPolicy, WebResolver};
use crate::encoding::Digest;
use crate::gate::{DIRECTORY, Listed, Receipt};
use crate::identity::{Did, Documents, Jws, Method};
use crate::node::Resolver as _;

/// What the contract says about the data.
pub(super) struct Wanted {
    pub endpoint: Url,
    /// Of the asset.
    asset_sha256: String,
    /// Which file of a directory it is.
    part: Option<Listed>,
    /// Of the bytes that are wanted.
    pub sha256: String,
    pub size: Option<u64>,
    /// Whether the asset is a directory, by its media type.
    pub directory: bool,
}

/// Holds receipts to what came, with the keys of the gate that signs them.
#[derive(Default)]
pub(super) struct Witness {
    known: Option<(Did, Documents)>,
}

impl Wanted {
    pub(super) fn of(asset: &Value) -> Result<Self> {
        Ok(Self {
            endpoint: member(asset, "/endpoint")?.parse().context("the asset's address is no URL")?,
            asset_sha256: member(asset, "/sha256")?,
            part: None,
            sha256: member(asset, "/sha256")?,
            size: asset["size"].as_u64(),
            directory: asset["media_type"] == DIRECTORY,
        })
    }

    /// A file of the directory that this is.
    pub(super) fn below(&self, file: &Listed) -> Result<Self> {
        let mut endpoint = self.endpoint.clone();
        endpoint
            .path_segments_mut()
            .map_err(|()| anyhow!("the asset's address has no path"))?
            .extend(file.path.split('/'));
        Ok(Self {
            endpoint,
            asset_sha256: self.asset_sha256.clone(),
            part: Some(file.clone()),
            sha256: file.sha256.clone(),
            size: None,
            directory: false,
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
}

impl Witness {
    /// A receipt has to be about this contract and these bytes, and signed by whoever it names as the gate.
    pub(super) async fn hold(
        &mut self,
        receipt: &str,
        wanted: &Wanted,
        core: &Digest,
        piece: &Piece,
        size: u64,
    ) -> Result<Receipt> {
        let claimed: Value = Jws::parse(receipt)?.claims()?.into();
        let gate = member(&claimed, "/iss")?.parse::<Did>()?;
        let documents = self.documents(&gate, wanted).await?;
        let verified = Receipt::verify(receipt, &gate, core, documents, &mut Trail::default())
            .context("the gate's receipt does not hold; the data does")?;
        let from = verified.range.map_or(0, |range| range.first);
        let about = verified.asset_sha256 == wanted.asset_sha256
            && verified.part == wanted.part
            && from == piece.first()
            && verified.bytes == size.saturating_sub(piece.first());
        if !about {
            bail!("the gate's receipt is about other bytes; the data is as contracted");
        }
        Ok(verified.into_inner())
    }

    /// The gate's keys, looked up once for all that it signs in one download.
    async fn documents(&mut self, gate: &Did, wanted: &Wanted) -> Result<&Documents> {
        let known = match self.known.take() {
            Some(known) if known.0 == *gate => known,
            _ => {
                let mut documents = Documents::default();
                if gate.method() == Method::Web {
                    // Whoever agreed to an endpoint without TLS is in a network of its own.
                    let policy = AddressPolicy { private_networks: wanted.endpoint.scheme() == "http" };
                    let resolved = WebResolver::new(policy)?.resolve(gate).await;
                    documents.insert(resolved.context("the gate's key is not to be had")?);
                }
                (gate.clone(), documents)
            }
        };
        Ok(&self.known.insert(known).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_file_of_a_directory_has_an_address_below_it() {
        let asset = json!({ "endpoint": "https://d.example/tiles", "sha256": "00", "media_type": DIRECTORY });
        let wanted = Wanted::of(&asset).unwrap();
        assert!(wanted.directory);
        let file = Listed { path: "north/50% ü?#.bin".into(), sha256: "9f".into() };
        let below = wanted.below(&file).unwrap();
        assert_eq!(below.endpoint.as_str(), "https://d.example/tiles/north/50%25%20%C3%BC%3F%23.bin");
        assert_eq!(crate::gate::path_below(&below.endpoint.path()["/tiles".len()..]), Some(file.path));
    }

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
