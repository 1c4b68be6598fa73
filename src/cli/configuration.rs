//! A node's configuration, table by table.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::credential::Trust;
use crate::node::dsp::DspSettings;
use crate::node::{Consent, GateSettings, Letterhead, Uncataloged, Windows};

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
    /// Whom it believes, and which registries.
    pub trust: Trust,
    /// A contract desk's wallet, if this node is one.
    pub wallet: Option<WalletTable>,
    /// The Dataspace Protocol, if this node's wallet speaks it.
    pub dsp: Option<DspSettings>,
    /// A gate in front of data, if this node is one.
    pub gate: Option<GateSettings>,
    /// The operator's desk, if this node is one.
    pub operator: Option<Letterhead>,
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
}

impl Default for Listen {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self { public: loopback(7300), management: loopback(7301), public_url: None }
    }
}

/// The table `[network]`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Whether requests may go to private networks, loopback among them, and over plain http.
    pub private: bool,
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
}

impl Default for WalletTable {
    fn default() -> Self {
        Self {
            windows: Windows::default(),
            consent: Consent::default(),
            uncataloged: Uncataloged::default(),
            poll_ms: 2000,
        }
    }
}
