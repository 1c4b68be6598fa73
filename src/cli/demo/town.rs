use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use url::Url;
use zeroize::Zeroizing;

use super::super::calls::{Desk, GateCaller};
use super::super::home::{Home, Keyring, Running, UnlockArgument};
use super::super::settle::free_port;
use super::tell::{Teller, short};
use crate::credential::{Account, Trust};
use crate::encoding::Digest;
use crate::identity::{Did, Signer as _};
use crate::node::chance;
use crate::registry::{self, Deployment};

/// The simulation asset that the demo sells.
pub const ASSET: &[u8] = include_bytes!("../../../fixtures/assets/motorway-junction.xodr");
/// The templates that the operator approves.
pub const PURCHASE: &str = include_str!("../../../fixtures/templates/single-purchase.json");
pub const LICENCE: &str = include_str!("../../../fixtures/templates/licence.json");
pub const ASSET_ID: &str = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0001";
/// The file with the passphrase of every home of the demo.
const PASSPHRASE: &str = "passphrase";
const ASSET_PATH: &str = "/assets/motorway-junction.xodr";

/// The nodes of the demo, each a process of its own.
pub struct Town {
    dir: PathBuf,
    children: Vec<Child>,
    pub provider: Party,
    pub consumer: Party,
    pub operator: Party,
    pub gate: Party,
    pub gate_calls: GateCaller,
    pub endpoint: String,
    pub rpc: Url,
    pub registry: Deployment,
    /// A key with coins and nothing else: the intruder's.
    pub intruder_key: Zeroizing<[u8; 32]>,
}

/// A home with its keys, before its node runs.
struct House {
    home: Home,
    keyring: Keyring,
}

/// A node, and how its owner talks to it.
pub struct Party {
    pub name: &'static str,
    pub home: Home,
    pub did: Did,
    pub recorder: Account,
    pub desk: Desk,
    pub public: String,
    pub management: String,
}

impl Town {
    /// Starts everything and introduces everybody.
    pub async fn found(tell: &Teller) -> Result<Self> {
        tell.chapter("Setting up: five processes on loopback, each with its own keys, store and configuration");
        let dir = std::env::temp_dir().join(format!("countersign-demo-{}", chance::uuid()?));
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        let mut children = Vec::new();

        let unlock = UnlockArgument { passphrase_file: Some(dir.join(PASSPHRASE)), keyring_key_file: None };
        Home::new(&dir).keep(PASSPHRASE, &chance::nonce()?)?;
        let home = |name: &str| -> Result<House> {
            let home = Home::new(dir.join(name));
            let keyring = home.make(&unlock, None)?;
            Ok(House { home, keyring })
        };
        let (provider, consumer, operator, gate) =
            (home("provider")?, home("consumer")?, home("operator")?, home("gate")?);
        let deployer = Zeroizing::new(chance::random::<32>()?);
        let intruder_key = Zeroizing::new(chance::random::<32>()?);
        let mut funds = Vec::new();
        for key in [&*deployer, &*intruder_key, &**provider.keyring.recorder()] {
            funds.extend(["--fund".to_owned(), format!("{}=1000", registry::account_of(key)?)]);
        }
        let (child, said) = start(&dir, "chain", |command| {
            let chain_dir = dir.join("chain");
            command.arg("chain").arg("--dir").arg(chain_dir).args(["--listen", "127.0.0.1:0"]);
            command.args(["--block-time-ms", "500", "--finality-blocks", "6"]).args(&funds);
        })
        .await?;
        children.push(child);
        let rpc: Url = said["rpc"].as_str().context("the chain names no address")?.parse()?;
        tell.step(
            "chain",
            &format!("development chain {} at {rpc}: a block each 0.5 s, final 6 blocks later", said["chain_id"]),
        );
        let registry = registry::deploy(&rpc, &deployer).await?;
        tell.step("chain", &format!("registry contract at {}", registry.urn.address));

        let trust = json!({
            "operators": [operator.keyring.signing_key()?.did()],
            "pinned": [],
            "chains": [{
                "chain_id": registry.urn.chain_id, "registry": registry.urn.address, "code_hash": registry.code_hash,
                "rpc": [rpc],
            }],
        });
        std::fs::write(dir.join("trust.json"), serde_json::to_vec_pretty(&trust)?)?;
        let trust: Trust = serde_json::from_value(trust)?;
        let asset = dir.join("gate").join("motorway-junction.xodr");
        std::fs::write(&asset, ASSET)?;
        let gate_port = free_port()?;
        let origin = format!("http://127.0.0.1:{gate_port}");
        let endpoint = format!("{origin}{ASSET_PATH}");
        configure(&provider.home, &trust, 0, Some(PROVIDER))?;
        configure(&consumer.home, &trust, 0, Some("[wallet]\npoll_ms = 500\n"))?;
        configure(&operator.home, &trust, 0, Some("[operator]\n"))?;
        let provider_did = provider.keyring.signing_key()?.did().clone();
        let hash = sha256_hex(ASSET);
        let gate_table = format!(
            "[gate]\norigin = {origin:?}\nproviders = [\"{provider_did}\"]\nrecorders = [\"{recorder}\"]\npoll_ms = 500\n\n[[gate.assets]]\nid = {ASSET_ID:?}\n\
             path = {ASSET_PATH:?}\nsource = {{ file = {file:?} }}\nmedia_type = \"application/xml\"\nsha256 = \"{hash}\"\n",
            recorder = registry::account_of(provider.keyring.recorder())?,
            file = asset.display().to_string(),
        );
        configure(&gate.home, &trust, gate_port, Some(&gate_table))?;

        let mut parties = Vec::new();
        for (name, House { home, keyring }) in
            [("provider", provider), ("consumer", consumer), ("operator", operator), ("gate", gate)]
        {
            let (child, said) = start(&dir, name, |command| {
                command.arg("serve").arg("--home").arg(home.dir()).arg("--passphrase-file").arg(dir.join(PASSPHRASE));
            })
            .await?;
            children.push(child);
            let running: Running = serde_json::from_value(said)?;
            let party = Party {
                name,
                did: keyring.signing_key()?.did().clone(),
                recorder: registry::account_of(keyring.recorder())?,
                desk: Desk::new(http.clone(), running.management.clone(), home.api_key()?.to_string()),
                home,
                public: running.public,
                management: running.management,
            };
            tell.step(name, &format!("{} at {}", short(party.did.as_str()), party.public));
            parties.push(party);
        }
        let Ok([provider, consumer, operator, gate]) = <[Party; 4]>::try_from(parties) else {
            bail!("four nodes were started")
        };
        let gate_calls = GateCaller::new(http.clone(), gate.public.clone());
        let town = Self {
            dir,
            children,

            provider,
            consumer,
            operator,
            gate,
            gate_calls,
            endpoint,
            rpc,
            registry,
            intruder_key,
        };
        town.introduce(tell).await?;
        Ok(town)
    }

    /// The operator admits members and approves templates; the two desks exchange contacts; the provider lists.
    async fn introduce(&self, tell: &Teller) -> Result<()> {
        for (party, legal_name, lei) in [
            (&self.provider, "Alice Maps GmbH", "529900T8BM49AURSDO55"),
            (&self.consumer, "Bob Simulation SE", "5299009N55YRQC69CN08"),
        ] {
            let chain = self.registry.urn.chain_id;
            let recorders: Vec<String> =
                if party.name == "provider" { vec![format!("eip155:{chain}:{}", party.recorder)] } else { vec![] };
            let order = json!({
                "did": party.did, "legal_name": legal_name, "legal_id": { "scheme": "LEI", "value": lei },
                "country": "DE", "recorders": recorders,
            });
            let member = self.operator.desk.post("/api/members", &order).await?;
            party.desk.post("/api/participant", &json!({ "credential": member["credential"] })).await?;
            tell.step(
                "operator",
                &format!("admits {legal_name}: a signed participant credential for {}", short(party.did.as_str())),
            );
        }
        for template in [PURCHASE, LICENCE] {
            let approved = self.operator.desk.post_bytes("/api/approvals", template.as_bytes().to_vec()).await?;
            self.provider.desk.post("/api/templates", &json!({ "approval": approved["approval"] })).await?;
            tell.step(
                "operator",
                &format!("approves the template “{}”", approved["title"].as_str().unwrap_or_default()),
            );
        }
        for (one, other) in [(&self.provider, &self.consumer), (&self.consumer, &self.provider)] {
            let contact = other.desk.get("/api/self").await?["contact"].clone();
            one.desk.post("/api/contacts", &json!({ "contact": contact })).await?;
        }
        let purchase: Value = serde_json::from_str(PURCHASE)?;
        let listing = json!({
            "asset": {
                "id": ASSET_ID, "title": "Motorway junction, OpenDRIVE", "media_type": "application/xml",
                "sha256": sha256_hex(ASSET), "size": ASSET.len(), "endpoint": self.endpoint,
            },
            "template": purchase["id"], "parameters": { "uses": 3 }, "price": { "amount": "400.00", "currency": "EUR" },
        });
        self.provider.desk.post("/api/assets", &listing).await?;
        tell.step("provider", &format!("lists “Motorway junction, OpenDRIVE”, {} bytes, 400.00 EUR", ASSET.len()));
        Ok(())
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn rpc(&self) -> &Url {
        &self.rpc
    }

    pub fn trust_file(&self) -> String {
        self.dir.join("trust.json").display().to_string()
    }

    pub fn addresses(&self) -> Vec<(&'static str, &str, &str, String)> {
        [&self.provider, &self.consumer, &self.operator, &self.gate]
            .map(|party| {
                (party.name, party.public.as_str(), party.management.as_str(), party.home.dir().display().to_string())
            })
            .to_vec()
    }

    /// Ends every process. The trust file stays; the homes, with their keys and databases, go unless they are kept.
    pub async fn close(mut self, keep: bool) {
        for child in &mut self.children {
            let _ = child.kill().await;
        }
        if !keep {
            for name in ["provider", "consumer", "operator", "gate", "chain"] {
                let _ = std::fs::remove_dir_all(self.dir.join(name));
            }
            let _ = std::fs::remove_file(self.dir.join(PASSPHRASE));
        }
    }
}

/// The provider confirms records above 10 000 EUR by hand.
const PROVIDER: &str = r#"[wallet]
poll_ms = 500

[wallet.consent]
record = "ask"

[[wallet.consent.rule]]
name = "record up to 10 000 EUR"
point = "record"
price_ceiling = { amount = "10000.00", currency = "EUR" }
"#;

fn configure(home: &Home, trust: &Trust, public_port: u16, own: Option<&str>) -> Result<()> {
    let head = format!(
        "[listen]\npublic = \"127.0.0.1:{public_port}\"\nmanagement = \"127.0.0.1:0\"\n\n[network]\nprivate = true\n\n"
    );
    let trust = toml::to_string(&json!({ "trust": trust }))?;
    let text = format!("{head}{trust}\n{}", own.unwrap_or_default());
    Ok(std::fs::write(home.path(super::super::home::CONFIGURATION), text)?)
}

/// Starts one of the program's own commands, and waits for the line that says where it listens.
async fn start(dir: &Path, name: &str, arguments: impl FnOnce(&mut Command)) -> Result<(Child, Value)> {
    let log = dir.join(format!("{name}.log"));
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--log", "info"]);
    arguments(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(std::fs::File::create(&log)?).kill_on_drop(true);
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().context("the process has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
    let Ok(Ok(Some(line))) = line else {
        let why = std::fs::read_to_string(&log).unwrap_or_default();
        bail!("{name} did not start: {}", why.lines().last().unwrap_or("it said nothing"));
    };
    Ok((child, serde_json::from_str(&line)?))
}

/// SHA-256 as 64 hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Digest::of(bytes).hex().trim_start_matches("0x").to_owned()
}
