use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use super::configuration::IdentityTable;
use super::home::{CONFIGURATION, UnlockArgument};
use super::settle::Choices;
use super::{HomeArgument, identity, keys};
use crate::identity::{Did, Signer as _};
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
    /// A mediator: keeps sealed messages for wallets that the world cannot reach.
    Mediator,
}

/// Makes a node's home: keys under a passphrase, an API key and a configuration to fill in.
///
/// The terminal asks for the passphrase, or a file holds it (--passphrase-file, COUNTERSIGN_PASSPHRASE_FILE); without
/// it the keys are lost.
///
/// Example: countersign init --home ~/wallet
#[derive(Debug, Args)]
pub struct Init {
    #[command(flatten)]
    home: HomeArgument,
    #[command(flatten)]
    unlock: UnlockArgument,
    /// What the node is for.
    #[arg(long, value_enum, default_value = "wallet")]
    purpose: Purpose,
    #[command(flatten)]
    choices: Choices,
    /// Act as did:web of this domain, whose document the node serves: DOMAIN, or DOMAIN:part:of:path. The did:key of its
    /// first key otherwise, which can never be rotated.
    #[arg(long, value_name = "DOMAIN[:PATH]", value_parser = did_web)]
    did_web: Option<Did>,
    /// Keys that were exported from another home (`countersign keys export`), instead of new ones.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// A file with the passphrase of those keys in its first line; without it the terminal asks.
    #[arg(long, env = "COUNTERSIGN_EXPORT_PASSPHRASE_FILE", value_name = "FILE", requires = "keys")]
    export_passphrase_file: Option<PathBuf>,
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
        let text = self.choices.write_into(template(self.purpose, self.did_web.as_ref()), self.purpose)?;
        let exported = self.keys.as_ref().map(|file| keys::exported(file, self.export_passphrase_file.clone()));
        let keyring = home.make(&self.unlock, exported.transpose()?)?;
        home.keep(CONFIGURATION, &text)?;
        let identity = IdentityTable { did: self.did_web.clone() };
        let key = identity::signing_key(&keyring, &identity)?;
        let recorder = registry::account_of(keyring.recorder())?;
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
            if matches!(self.purpose, Purpose::Wallet) {
                println!("recorder  {recorder}  (fund it to record contracts)");
            }
            let (file, dir) = (configuration.display(), home.dir().display());
            if text.contains("\n[[trust.chains]]") {
                println!("next      countersign serve --home {dir}   (settings are in {file})");
            } else {
                println!("next      countersign trust --home {dir} --operator DID --chain FILE, or edit {file};");
                println!("          then: countersign serve --home {dir}");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn did_web(text: &str) -> Result<Did, String> {
    Did::of_web(text).map_err(|refusal| refusal.detail)
}

fn template(purpose: Purpose, did: Option<&Did>) -> String {
    let did = did.map_or_else(|| "# did = \"did:web:contracts.example\"".to_owned(), |did| format!("did = \"{did}\""));
    let common = r#"# countersign configuration. A misspelt name is an error, never ignored.

[listen]
# For the world: inbox, gate, statements. Port 0 takes any free one, and that of the last run where it is
# free; the node writes it to `running.json`.
public = "127.0.0.1:7300"
# For you, with the key in the file `api-key`. Never expose it.
management = "127.0.0.1:7301"
# How the world reaches `public`, if not as http://<public>.
# public_url = "https://contracts.example"
# The proxies in front of `public`, addresses or networks as "10.0.0.0/8", which have to set X-Forwarded-For: what one caller
# may have is then each caller's. Whoever reaches `public` from there without a proxy can pass for any address.
# proxies = ["127.0.0.1", "::1"]
# How you call `management`, if by a name: behind a proxy. IP addresses and localhost are always taken.
# management_url = "https://desk.example"

[network]
# Allow requests to private networks (and plain http): only for tests and networks of your own.
private = false
# For how many seconds the document of a did:web is believed before it is asked for again.
# did_seconds = 60

[identity]
# A did:web, if the node acts as one: it serves the document at https://<domain>/.well-known/did.json, or
# https://<domain>/<path>/did.json, and its keys can be rotated. Its own did:key otherwise.
@DID@

[store]
# The most that the file `store.sqlite` may take, in MiB. When it or the disk is full, nothing more is taken in until
# there is room; what was taken stays.
# most_mb = 4096

[trust]
# DIDs of the operators whose members and templates you believe.
operators = []
# DIDs that you know yourself, without an operator.
pinned = []
# Keys of did:web operators, former ones too, so that nothing has to be looked up to verify what they signed.
# [[trust.keys]]
# kid = "did:web:operator.example#…"
# jwk = { kty = "EC", crv = "P-256", x = "…", y = "…" }

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
# person until they lapse, "rules" lets the rules below with `uncataloged = true` decide and holds the rest for a person.
uncataloged = "reject"

[wallet.windows]
# Seconds from an offer's making: until it is accepted, until it is recorded, until the contract ends.
accept_within = 172800
record_within = 259200
valid_for = 31536000

[wallet.consent]
# "automatic": a countersigned offer is recorded at once. "ask": a person or a rule confirms it.
record = "automatic"

# For a wallet that the world cannot reach: the mediator that keeps its messages, by exactly one of
# `contact` (what `countersign mediator contact` prints there), `invitation` and `did`.
# [wallet.mediator]
# contact = "eyJ…"
# Whether a connection is held on which messages come at once; otherwise they are asked for now and then.
# live = true
# How many seconds messages wait at most until they are asked for, while there is no connection.
# poll_within = 60

# By default a person decides every offer and every acceptance. A rule decides where all it names applies:
# [[wallet.consent.rule]]
# name = "small licences"
# point = "accept"                         # or "offer", "record"
# counterparties = ["did:key:…"]
# templates = ["urn:uuid:…"]
# price_ceiling = { amount = "1000.00", currency = "EUR" }
# price_floor = { amount = "100.00", currency = "EUR" }
# uncataloged = false                      # true: decides terms beyond the catalog as well

# The Dataspace Protocol, with any connector; without this table there is none.
# [dsp]
# The name that connectors know this one by; its DID when absent. Another one needs [[dsp.literal]], for all whom `plain` names.
# participant_id = "our-connector"
# With whom agreements are made that nobody signs, by participant id, "*" for anybody else as well; and to whom such an agreement opens data.
# plain = []
# opens_data_to = []
# Terms that are not in the catalog: "reject", "manual" or "rules", as above.
# uncataloged = "reject"
# How many negotiations one counterparty may have open, and all together whom only "*" lets in; for how many seconds one waits
# for a decision.
# open = 10000
# open_with_strangers = 10000
# waits = 604800
# Decisions in a file, dataset by dataset: for tests of conformance.
# script = "decisions.json"
# Who decides, "manual" or "automatic": agreeing to a cataloged offer; agreeing to one's own accepted offer; accepting an offer
# of what was asked for; verifying such an agreement; finalising.
# [dsp.decide]
# agree = "manual"
# confirm = "automatic"
# accept = "manual"
# verify = "automatic"
# finalize = "automatic"
# A preset decides where all it names applies; the point is "agree", "accept" or "terminate".
# [[dsp.rule]]
# name = "open data"
# point = "agree"
# counterparties = ["*"]
# datasets = ["urn:uuid:…"]
# A wallet whose signed messages travel over the Dataspace Protocol instead of the inbox.
# [[dsp.peer]]
# participant = "did:key:…"
# address = "https://alice.example/dsp/2025-1"
# A connector that proves itself by a fixed text, and what it is sent: for tests, never for data that matters.
# [[dsp.literal]]
# authorization = "…"
# participant = "other-connector"
# send = "…"
"#
        }
        Purpose::Mediator => {
            r#"
[mediator]
# Whose messages it keeps: "members" shows a credential of an operator in [trust], "listed" stands in `dids`, "open" is anybody.
admit = "members"
# Who may use it besides.
dids = []

[mediator.quota]
# Members; DIDs of one member; envelopes and bytes for one DID; bytes of one member; bytes of everything.
members = 1000
recipients = 8
messages = 1000
bytes = 33554432
member_bytes = 67108864
total_bytes = 4294967296
# Seconds that an envelope waits to be picked up.
keep_for = 2592000
# Connections of one member.
live = 4
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
# How often the chain is read, in milliseconds.
# poll_ms = 2000
# How old the newest final block may be, in seconds; an older one opens nothing.
# max_head_age = 600
# How long a challenge can be answered and a token be used, in seconds; an hour where it is one use of a whole directory.
# challenge_ttl = 120
# token_ttl = 300
# Whether every token is bound to a key of its caller (DPoP, RFC 9449), and whether proofs answer a nonce of this gate.
# dpop_required = false
# dpop_nonces = false
#
# What one contract, and one address, may have at a time: good tokens of a contract, deliveries under a contract, deliveries
# to an address (this machine's own aside). And what is kept of a contract's presentations and deliveries, receipts included:
# for how many days, and how many MiB at most; what is older goes into a sum that stays, as does the first presentation.
# [gate.shares]
# tokens = 512
# deliveries = 32
# deliveries_of_address = 64
# keep_days = 400
# kept_mb = 16
#
# What it guards: a file, a directory, or an address behind the gate.
# [[gate.assets]]
# id = "urn:uuid:…"
# path = "/assets/junction.xodr"
# source = { file = "/srv/assets/junction.xodr" }
# # source = { directory = "/srv/assets" }
# # source = { upstream = "http://127.0.0.1:8080/data" }
# media_type = "application/xml"
# # SHA-256 of its bytes, 64 lowercase hexadecimal digits.
# sha256 = "…"
#
# The door for a proxy that serves the data itself and asks about each request: nginx, traefik or envoy; see deploy/.
# [gate.forward]
# proxy = "nginx"
# listen = "127.0.0.1:7302"
# addresses = ["127.0.0.1", "::1"]
# secret_file = "proxy-secret"
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
# restored_copy = "2026-11-25T12:00:00Z"   # only after `countersign restore`; `invoice` says when
# note = "The recipient owes the tax (reverse charge)."

# What invoices say of a provider beyond its participant credential.
# [[operator.customers]]
# did = "did:key:…"
# address = ["Example Street 2", "75001 Paris"]
# tax_id = "FR12345678901"
"#
        }
    };
    format!("{}{own}", common.replace("@DID@", &did))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::configuration::Configuration;

    /// The text with every commented setting in force, its placeholders filled in.
    fn uncommented(text: &str) -> String {
        let setting = |line: &&str| {
            let name = line.split(" = ").next().unwrap_or_default();
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            line.starts_with('[') || (line.contains(" = ") && name.chars().all(plain))
        };
        let lines = text.lines().map(|line| line.strip_prefix("# ").filter(setting).unwrap_or(line));
        let text = lines.collect::<Vec<_>>().join("\n");
        let key = crate::identity::SecretKey::p256(&[7; 32]).unwrap();
        let (did, jwk) = (key.did().to_string(), serde_json::to_value(key.public_key().jwk()).unwrap());
        let (x, y) = (jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap());
        text.replace("did:key:…", &did)
            .replace("did:web:operator.example#…", "did:web:operator.example#one")
            .replace("x = \"…\", y = \"…\"", &format!("x = \"{x}\", y = \"{y}\""))
            .replace("code_hash = \"0x…\"", &format!("code_hash = \"0x{}\"", "ab".repeat(32)))
            .replace("0x…", &format!("0x{}", "cd".repeat(20)))
    }

    #[test]
    fn every_setting_of_a_new_configuration_is_there_and_reads_when_it_is_put_in_force() {
        for purpose in [Purpose::Wallet, Purpose::Gate, Purpose::Operator] {
            let text = template(purpose, None);
            Configuration::read(&text).unwrap();
            let all = uncommented(&text);
            let read = Configuration::read(&all).unwrap_or_else(|fault| panic!("{purpose:?}: {fault}\n{all}"));
            assert_eq!(read.store.most_mb, Some(4096));
            let parts = (read.wallet.is_some(), read.gate.is_some(), read.operator.is_some());
            let expected = (purpose == Purpose::Wallet, purpose == Purpose::Gate, purpose == Purpose::Operator);
            assert_eq!(parts, expected);
            if let Some(gate) = read.gate {
                let named = serde_json::to_value(gate).unwrap();
                let said = |name: &str| all.contains(&format!("{name} = ")) || all.contains(&format!("[gate.{name}]"));
                let unnamed = |name: &&String| !said(name) && *name != "assets";
                assert_eq!(
                    named.as_object().unwrap().keys().find(unnamed),
                    None,
                    "a setting that the text does not name"
                );
            }
            if let Some(letterhead) = read.operator {
                let named = serde_json::to_value(letterhead).unwrap();
                let unnamed = |name: &&String| !all.contains(&format!("{name} = ")) && *name != "customers";
                assert_eq!(
                    named.as_object().unwrap().keys().find(unnamed),
                    None,
                    "a setting that the text does not name"
                );
            }
        }
    }
}
