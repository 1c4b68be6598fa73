//! A node's configuration, table by table.

use std::net::SocketAddr;

use anyhow::Result;
use serde::Deserialize;

use crate::credential::Trust;
use crate::http::Proxies;
use crate::identity::{Did, DidDocument, Method};
use crate::node::dsp::DspSettings;
use crate::node::{Consent, GateSettings, Letterhead, MediatedBy, MediatorSettings, Uncataloged, Windows};

/// A node's configuration, as the file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Where it listens.
    #[serde(default)]
    pub listen: Listen,
    /// Where it may connect to.
    #[serde(default)]
    pub network: Network,
    /// Which DID it acts as.
    #[serde(default)]
    pub identity: IdentityTable,
    /// Whom it believes, and which registries.
    pub trust: Trust,
    /// What it keeps.
    #[serde(default)]
    pub store: StoreTable,
    /// A contract desk's wallet, if this node is one.
    pub wallet: Option<WalletTable>,
    /// The Dataspace Protocol, if this node's wallet speaks it.
    pub dsp: Option<DspSettings>,
    /// A gate in front of data, if this node is one.
    pub gate: Option<GateSettings>,
    /// A mediator for parties that cannot always be reached, if this node is one.
    pub mediator: Option<MediatorSettings>,
    /// The operator's desk, if this node is one.
    pub operator: Option<Letterhead>,
}

impl Configuration {
    /// Reads the text of a configuration.
    ///
    /// # Errors
    /// When it does not read; the message says where, and for a misspelt name which one is near.
    pub fn read(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|cause| {
            let said = cause.to_string();
            match nearest_name(&said) {
                Some(name) => anyhow::anyhow!("{}\nDid you mean `{name}`?", said.trim_end()),
                None => anyhow::anyhow!("{}", said.trim_end()),
            }
        })
    }
}

impl Configuration {
    /// Holds it to what can be known before anything is opened: what would only be found out by an offer that nobody can
    /// make, or by papers that nobody believes.
    ///
    /// # Errors
    /// When a value makes no sense; the message says which, and where.
    pub fn hold(&self) -> Result<()> {
        if let Some(wallet) = &self.wallet {
            wallet.windows.sound().map_err(|refusal| {
                let names = "accept_within <= record_within < valid_for, in seconds";
                anyhow::anyhow!("[wallet.windows] makes no offer: {} ({names})", refusal.detail)
            })?;
        }
        let providers = self.gate.iter().flat_map(|gate| &gate.providers);
        let named = [("[trust] operators", &self.trust.operators[..]), ("[trust] pinned", &self.trust.pinned[..])];
        let named = named.into_iter().flat_map(|(place, dids)| dids.iter().map(move |did| (place, did)));
        for (place, did) in named.chain(providers.map(|did| ("[gate] providers", did))) {
            // Whoever spells its own key can be held to that now; a did:web is asked when its word is needed.
            if did.method() != Method::Web {
                DidDocument::of_key_did(did).map_err(|refusal| {
                    anyhow::anyhow!(
                        "{place} names {did}, which is nobody's: {}; copy it whole, as `countersign id` prints it",
                        refusal.detail
                    )
                })?;
            }
        }
        Ok(())
    }
}

/// The known name that is nearest to the one that a message calls unknown.
fn nearest_name(said: &str) -> Option<&str> {
    let (_, rest) = said.split_once("unknown field `")?;
    let (given, rest) = rest.split_once('`')?;
    let (_, known) = rest.split_once("expected")?;
    let known = known.split('`').skip(1).step_by(2);
    let (distance, name) = known.map(|name| (distance(given, name), name)).min()?;
    (distance <= 1 + given.chars().count() / 3).then_some(name)
}

/// How many letters have to be added, left out or replaced to make one text of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (place, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], place + 1);
        for (column, theirs) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *theirs);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

/// The table `[store]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreTable {
    /// The most that its file may take, in MiB; what the disk has when absent.
    pub most_mb: Option<u64>,
}

/// The table `[listen]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// For the world: inbox, gate, statements. Port 0 takes any free one.
    pub public: SocketAddr,
    /// For the owner, with the API key. Never the same port as `public`.
    pub management: SocketAddr,
    /// How the world reaches `public`; `http://` and its address when absent.
    pub public_url: Option<String>,
    /// The proxies in front of `public`, whose `X-Forwarded-For` says who the caller is.
    pub proxies: Proxies,
    /// How browsers reach `management` where they do not call it by its IP address or localhost: behind a proxy.
    pub management_url: Option<url::Url>,
}

impl Default for Listen {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            public: loopback(7300),
            management: loopback(7301),
            public_url: None,
            proxies: Proxies::default(),
            management_url: None,
        }
    }
}

/// The table `[network]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Whether requests may go to private networks, loopback among them, and over plain http.
    pub private: bool,
    /// For how many seconds a did:web's document is believed before it is asked for again.
    pub did_seconds: u32,
}

impl Default for Network {
    fn default() -> Self {
        Self { private: false, did_seconds: 60 }
    }
}

/// The table `[identity]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityTable {
    /// A did:web, whose document this node serves; the did:key of its own key when absent.
    pub did: Option<Did>,
}

/// The table `[wallet]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WalletTable {
    /// The times of an offer.
    pub windows: Windows,
    /// What is decided without a person.
    pub consent: Consent,
    /// What becomes of terms of the other side that are not in the catalog.
    pub uncataloged: Uncataloged,
    /// How often the chain is read, in milliseconds.
    pub poll_ms: u64,
    /// The mediator that keeps its messages, where the world cannot reach it.
    pub mediator: Option<MediatedBy>,
}

impl Default for WalletTable {
    fn default() -> Self {
        Self {
            windows: Windows::default(),
            consent: Consent::default(),
            uncataloged: Uncataloged::default(),
            poll_ms: 2000,
            mediator: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_addresses_and_networks() {
        let read = |proxies: &str| {
            Configuration::read(&format!("[listen]\nproxies = [{proxies}]\n[trust]\noperators = []\npinned = []\n"))
        };
        let configured = read("\"127.0.0.1\", \"10.0.0.0/8\"").unwrap().listen.proxies;
        assert_eq!(configured, Proxies::try_from(vec!["127.0.0.1".into(), "10.0.0.0/8".into()]).unwrap());
        assert_eq!(read("").unwrap().listen.proxies, Proxies::default());
        let said = read("\"nginx\"").unwrap_err().to_string();
        assert!(said.contains("line 2") && said.contains("`nginx` is no address of a proxy"), "{said}");
    }

    #[test]
    fn a_misspelt_name_is_told_with_its_line_and_the_nearest_known_one() {
        for (text, line, name) in [
            ("[trust]\noperators = []\npined = []\n", "line 3", "Did you mean `pinned`?"),
            ("[trust]\noperators = []\npinned = []\n[wallett]\n", "line 4", "Did you mean `wallet`?"),
            ("[listen]\npublic_uri = \"x\"\n", "line 2", "Did you mean `public_url`?"),
            ("[network]\nprivat = true\n", "line 2", "Did you mean `private`?"),
        ] {
            let said = Configuration::read(text).unwrap_err().to_string();
            assert!(said.contains(line) && said.ends_with(name), "{said}");
        }
        let said = Configuration::read("[trust]\nsomething_else = 1\n").unwrap_err().to_string();
        assert!(said.contains("unknown field `something_else`") && !said.contains("Did you mean"), "{said}");
        assert_eq!((distance("", "abc"), distance("kitten", "sitting"), distance("a", "a")), (3, 3, 0));
    }
}
