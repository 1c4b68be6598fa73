//! Where a verification's trust is read from.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::bytes;
use crate::cli::configuration::Network;
use crate::credential::Trust;
use crate::encoding;

const MAX_TRUST: usize = 1024 * 1024;
const CONFIGURATION: &str = "countersign.toml";

#[derive(Deserialize)]
struct Configuration {
    trust: Trust,
}

/// The trust in the JSON file `trust`; without one, the table `[trust]` of the configuration in the directory `home`.
///
/// # Errors
/// When neither is named, or what is named cannot be read as that.
pub fn trusted(trust: Option<&Path>, home: Option<&Path>) -> anyhow::Result<Trust> {
    let (path, trust) = match (trust, home) {
        (Some(path), _) => (path.to_owned(), from_json(path)),
        (None, Some(home)) => {
            let path = home.join(CONFIGURATION);
            let trust = from_configuration(&path);
            (path, trust)
        }
        (None, None) => bail!("whom to believe is not said: name a trust file with --trust, or a wallet with --home"),
    };
    trust.with_context(|| format!("{} does not say whom to believe", path.display()))
}

/// Whether the wallet's configuration allows requests to private networks.
pub(super) fn private(home: Option<&Path>) -> bool {
    #[derive(Deserialize)]
    struct Configuration {
        #[serde(default)]
        network: Network,
    }
    let text = home.and_then(|home| std::fs::read_to_string(home.join(CONFIGURATION)).ok()).unwrap_or_default();
    toml::from_str::<Configuration>(&text).is_ok_and(|configuration| configuration.network.private)
}

fn from_json(path: &Path) -> anyhow::Result<Trust> {
    let json = encoding::parse_json(&bytes(path, MAX_TRUST)?, MAX_TRUST)?;
    Ok(serde_json::from_value(json)?)
}

fn from_configuration(path: &Path) -> anyhow::Result<Trust> {
    let bytes = bytes(path, MAX_TRUST)?;
    anyhow::ensure!(bytes.len() <= MAX_TRUST, "it is longer than {MAX_TRUST} bytes");
    let configuration: Configuration = toml::from_str(std::str::from_utf8(&bytes)?)?;
    Ok(configuration.trust)
}
