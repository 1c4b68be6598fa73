//! Writing into a configuration what a command knows, so that nobody has to: whom and which registry to believe, and
//! where a node on one's own machine listens.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Deserialize;
use url::Url;

use super::configuration::Configuration;
use super::home::{CONFIGURATION, Home, durable};
use super::init::Purpose;
use super::{HomeArgument, Usage};
use crate::credential::ChainTrust;
use crate::identity::Did;
use crate::node::chance;

/// Whom to believe, and which registry.
#[derive(Clone, Debug, Default, Args)]
pub struct Believed {
    /// An operator whose members and templates are believed; may be given several times.
    #[arg(long = "operator", value_name = "DID")]
    operators: Vec<Did>,
    /// A file with the registry's table [[trust.chains]], as `countersign deploy` prints it.
    #[arg(long, value_name = "FILE")]
    chain: Option<PathBuf>,
}

/// What a new home is told at once.
#[derive(Clone, Debug, Default, Args)]
pub struct Choices {
    #[command(flatten)]
    believed: Believed,
    /// Everything on this machine: any free ports, and requests to private networks. For trying out.
    #[arg(long)]
    local: bool,
    /// For a gate: a provider whose contracts open it; may be given several times.
    #[arg(long = "provider", value_name = "DID")]
    providers: Vec<Did>,
    /// For a gate: the origin of the guarded endpoints; with --local, its own address.
    #[arg(long, value_name = "ORIGIN", requires = "providers")]
    origin: Option<Url>,
}

impl Choices {
    /// A configuration with these choices written into it.
    pub fn write_into(&self, text: String, purpose: Purpose) -> Result<String> {
        let gate = purpose == Purpose::Gate;
        if !self.providers.is_empty() && !gate {
            return Err(Usage("--provider and --origin are for --purpose gate".into()).into());
        }
        let mut text = text;
        let mut own = None;
        if self.local {
            let mut change = |from: &str, to: &str| text = text.replacen(from, to, 1);
            // Where a gate or a mediator is stands in what others keep; a wallet that moves says so itself.
            let stays = matches!(purpose, Purpose::Gate | Purpose::Mediator);
            let public = if stays { format!("127.0.0.1:{}", free_port()?) } else { "127.0.0.1:0".into() };
            change("public = \"127.0.0.1:7300\"", &format!("public = \"{public}\""));
            change("management = \"127.0.0.1:7301\"", "management = \"127.0.0.1:0\"");
            change("private = false", "private = true");
            change("poll_ms = 2000", "poll_ms = 300");
            own = Some(format!("http://{public}"));
        }
        if !self.providers.is_empty() {
            let origin = self.origin.as_ref().map(|origin| origin.origin().ascii_serialization()).or(own);
            let Some(origin) = origin else {
                return Err(Usage("say where the gate is reached: --origin https://data.example".into()).into());
            };
            let dids: Vec<String> = self.providers.iter().map(|did| format!("\"{did}\"")).collect();
            let poll = if self.local { "poll_ms = 300\n" } else { "" };
            text.push_str(&format!("\n[gate]\norigin = \"{origin}\"\nproviders = [{}]\n{poll}", dids.join(", ")));
        }
        self.believed.write_into(text)
    }
}

/// A port on which nobody listens now, for an address that stands somewhere before anybody listens, as in a gate's
/// configuration.
///
/// It is drawn from below the ports that Linux gives to whoever asks for any, so that it is still free when the gate starts.
pub fn free_port() -> Result<u16> {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 22_000;
    for _ in 0..100 {
        let port = FIRST + u16::from_be_bytes(chance::random()?) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("this machine has no free port from {FIRST} to {}", FIRST + COUNT - 1);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deployed {
    trust: Chains,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chains {
    chains: Vec<ChainTrust>,
}

impl Believed {
    /// A configuration with this belief added; what it believes already is not written twice.
    fn write_into(&self, text: String) -> Result<String> {
        let before = Configuration::read(&text).context("the configuration does not read")?;
        let mut text = text;
        for operator in self.operators.iter().filter(|operator| !before.trust.operators.contains(operator)) {
            text = with_operator(&text, operator)?;
        }
        if let Some(file) = &self.chain {
            let table =
                fs::read_to_string(file).map_err(|cause| Usage(format!("cannot read {}: {cause}", file.display())))?;
            let deployed: Deployed = toml::from_str(&table).map_err(|cause| {
                Usage(format!("{} holds no [[trust.chains]]: {cause}; `countersign deploy` prints it", file.display()))
            })?;
            let known = |chain: &ChainTrust| {
                before.trust.chains.iter().any(|one| (one.chain_id, one.registry) == (chain.chain_id, chain.registry))
            };
            if !deployed.trust.chains.iter().all(known) {
                text = format!("{}\n\n{}\n", text.trim_end(), table.trim());
            }
        }
        // What is written has to read, or the node would not start.
        let _ = Configuration::read(&text).context("with that, the configuration would not read")?;
        Ok(text)
    }
}

/// The line `operators = […]` with one more in it.
fn with_operator(text: &str, operator: &Did) -> Result<String> {
    let line = text.lines().find(|line| line.starts_with("operators = [") && line.trim_end().ends_with(']'));
    let Some(line) = line else {
        bail!(
            "the configuration has no line `operators = […]` of its own; write \"{operator}\" into [trust] operators"
        );
    };
    let inside = line.trim_end().trim_start_matches("operators = [").trim_end_matches(']').trim();
    let joint = if inside.is_empty() { "" } else { ", " };
    Ok(text.replacen(line, &format!("operators = [{inside}{joint}\"{operator}\"]"), 1))
}

/// Writes into a home's configuration which operator and which registry it believes.
///
/// A node that runs takes it over when it is started again.
///
/// Example: countersign trust --home ~/wallet --operator did:key:zDn… --chain registry.toml
#[derive(Debug, Args)]
pub struct Trust {
    #[command(flatten)]
    home: HomeArgument,
    #[command(flatten)]
    believed: Believed,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Trust {
    pub(super) fn run(&self) -> Result<ExitCode> {
        if self.believed.operators.is_empty() && self.believed.chain.is_none() {
            return Err(Usage("say what is to be believed: --operator DID, --chain FILE".into()).into());
        }
        let home = self.home.made()?;
        let text = change(&home, |text| self.believed.write_into(text))?;
        let now = Configuration::read(&text)?;
        let file = home.path(CONFIGURATION);
        if self.json {
            let said = serde_json::json!({ "configuration": file, "trust": now.trust });
            println!("{said}");
        } else {
            let count =
                |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
            println!(
                "{} believes {} and {}",
                file.display(),
                count(now.trust.operators.len(), "operator", "operators"),
                count(now.trust.chains.len(), "registry", "registries")
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Changes a home's configuration as a whole or not at all; the new text.
pub fn change(home: &Home, with: impl FnOnce(String) -> Result<String>) -> Result<String> {
    let file = home.path(CONFIGURATION);
    let before = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let after = with(before.clone()).with_context(|| format!("{} stays as it is", file.display()))?;
    if after != before {
        durable::replace(&file, after.as_bytes())?;
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATOR: &str = "did:web:operator.example";

    #[test]
    fn an_operator_is_written_once_and_beside_others() {
        let believed = Believed { operators: vec![OPERATOR.parse().unwrap()], chain: None };
        let once = believed.write_into("# mine\n[trust]\noperators = []\npinned = []\n".into()).unwrap();
        assert!(once.contains("# mine") && once.contains(&format!("operators = [\"{OPERATOR}\"]")), "{once}");
        assert_eq!(believed.write_into(once.clone()).unwrap(), once);
        let other = once.replace(OPERATOR, "did:web:other.example");
        let both = believed.write_into(other).unwrap();
        assert!(both.contains("[\"did:web:other.example\", \"did:web:operator.example\"]"), "{both}");
    }

    #[test]
    fn a_configuration_of_another_form_is_left_alone() {
        let believed = Believed { operators: vec![OPERATOR.parse().unwrap()], chain: None };
        let why = believed.write_into("trust = { operators = [] }\n".into()).unwrap_err();
        assert!(why.to_string().contains(OPERATOR), "{why}");
    }
}
