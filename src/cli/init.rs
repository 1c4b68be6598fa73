use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use super::HomeArgument;
use super::home::CONFIGURATION;
use crate::identity::Signer as _;
use crate::registry;

/// What a node is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Purpose {
    /// A contract desk: provider and consumer alike.
    Wallet,
    /// A gate in front of a data endpoint.
    Gate,
    /// The data space's operator.
    Operator,
}

/// Makes a node's home: keys, API key and a configuration to fill in.
///
/// Example: countersign init --home ~/wallet
#[derive(Debug, Args)]
pub struct Init {
    #[command(flatten)]
    home: HomeArgument,
    /// What the node is for.
    #[arg(long, value_enum, default_value = "wallet")]
    purpose: Purpose,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Init {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let home = self.home.home()?;
        let configuration = home.path(CONFIGURATION);
        if configuration.exists() {
            bail!("{} is there already: this home is made", configuration.display());
        }
        home.make()?;
        home.keep(CONFIGURATION, &template(self.purpose))?;
        let key = home.signing_key()?;
        let recorder = registry::account_of(&*home.recorder_key()?)?;
        if self.json {
            let found = serde_json::json!({
                "home": home.dir(), "did": key.did(), "key": key.public_key().thumbprint(), "recorder": recorder,
            });
            println!("{found}");
        } else {
            println!("home      {}", home.dir().display());
            println!("DID       {}", key.did());
            println!(
                "key       {}  (RFC 7638 thumbprint, for the operator's admission)",
                key.public_key().thumbprint()
            );
            println!("recorder  {recorder}  (fund it to record contracts)");
            println!(
                "next      edit {}, then: countersign serve --home {}",
                configuration.display(),
                home.dir().display()
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn template(purpose: Purpose) -> String {
    let common = r#"# countersign configuration. A misspelt name is an error, never ignored.

[listen]
# For the world: inbox, gate, statements. Port 0 takes any free one; the node writes it to `running.json`.
public = "127.0.0.1:7300"
# For you, with the key in the file `api-key`. Never expose it.
management = "127.0.0.1:7301"
# How the world reaches `public`, if not as http://<public>.
# public_url = "https://contracts.example"

[network]
# Allow requests to private networks (and plain http): only for tests and networks of your own.
private = false

[trust]
# DIDs of the operators whose members and templates you believe.
operators = []
# DIDs that you know yourself, without an operator.
pinned = []

# The registries that you believe; `code_hash` is keccak-256 of the contract's runtime code.
# [[trust.chains]]
# chain_id = 42793
# registry = "0x…"
# code_hash = "0x…"
# rpc = ["https://…"]
"#;
    let own = match purpose {
        Purpose::Wallet => {
            r#"
[wallet]
# How often the chain is read, in milliseconds.
poll_ms = 2000
# Requests and proposals of others whose terms are not in the catalog: "reject" turns them away, "manual" holds them for a
# person until they lapse, "rules" lets the rules below with `uncataloged = true` decide and turns the rest away.
uncataloged = "reject"

[wallet.windows]
# Seconds from an offer's making: until it is accepted, until it is recorded, until the contract ends.
accept_within = 172800
record_within = 259200
valid_for = 31536000

[wallet.consent]
# "automatic": a countersigned offer is recorded at once. "ask": a person or a rule confirms it.
record = "automatic"

# By default a person decides every offer and every acceptance. A rule decides where all it names applies:
# [[wallet.consent.rule]]
# name = "small licences"
# point = "accept"                         # or "offer", "record"
# counterparties = ["did:key:…"]
# templates = ["urn:uuid:…"]
# price_ceiling = { amount = "1000.00", currency = "EUR" }
# price_floor = { amount = "100.00", currency = "EUR" }
# uncataloged = false                      # true: decides terms beyond the catalog as well
"#
        }
        Purpose::Gate => {
            r#"
# [gate]
# The origin of the guarded endpoints, exactly as contracts name it.
# origin = "https://data.example"
# The providers whose contracts open this gate.
# providers = ["did:key:…"]
# The accounts that record for them: a stolen signing key alone then makes no contract that opens this gate.
# recorders = ["0x…"]
#
# [[gate.assets]]
# id = "urn:uuid:…"
# path = "/assets/junction.xodr"
# source = { file = "/srv/assets/junction.xodr" }
# media_type = "application/xml"
# sha256 = "…"
"#
        }
        Purpose::Operator => {
            r#"
[operator]
# Who invoices; `countersign invoice` asks for both.
# name = "Example Data Space e.V."
# address = ["Musterstrasse 1", "10115 Berlin", "Germany"]
# tax_id = "DE123456789"
# Where and by when an invoice is paid.
# payment_to = ["IBAN DE02 1203 0000 0000 2020 51", "BIC BYLADEM1001"]
# payment_days = 30
# What stands before an invoice's number, and what at its end, about tax for example.
# invoice_prefix = "INV-"
# note = "The recipient owes the tax (reverse charge)."

# What invoices say of a provider beyond its participant credential.
# [[operator.customers]]
# did = "did:key:…"
# address = ["Example Street 2", "75001 Paris"]
# tax_id = "FR12345678901"
"#
        }
    };
    format!("{common}{own}")
}
