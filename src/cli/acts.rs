use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};

use super::calls::Silent;
use super::desk::{At, day_or_second, what_next};
use super::home::{Home, Keyring, STORE, UnlockArgument};
use super::{Later, Usage, identity};
use crate::courier::{AddressPolicy, WebResolver};
use crate::credential::LegalId;
use crate::encoding::Timestamp;
use crate::identity::{Did, DidDocument, Method, Thumbprint};
use crate::node::{AdmissionOrder, Approval, Member, Resolver as _, chance};
use crate::store::Sqlite;

/// Admits a member, as operator: prints its participant credential, for `countersign join`.
///
/// It is kept for `countersign members`; the operator's node need not run.
///
/// Example: countersign admit --home ./operator --did did:key:zDn… --legal-name "Alice Maps GmbH" --legal-id LEI=5299… --country DE --recorder 0x… > alice.member
#[derive(Debug, Args)]
pub struct Admit {
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    unlock: UnlockArgument,
    /// The member's DID.
    #[arg(long)]
    did: Did,
    /// A key that it signs with, by its RFC 7638 thumbprint; may be given several times. Without it: the keys that its
    /// DID lists now, for which a did:web is looked up.
    #[arg(long, value_name = "THUMBPRINT", allow_hyphen_values = true)]
    key: Vec<String>,
    /// The member's legal name.
    #[arg(long)]
    legal_name: String,
    /// The member's legal id as SCHEME=VALUE, for example LEI=5299009N55YRQC69CN08.
    #[arg(long, value_parser = legal_id)]
    legal_id: LegalId,
    /// ISO 3166 code of its country.
    #[arg(long)]
    country: String,
    /// Accounts that record for it, in CAIP-10 form, or as 0x… on the chain of the configuration; may be given several
    /// times.
    #[arg(long)]
    recorder: Vec<String>,
    /// For how many days.
    #[arg(long, default_value_t = 365, conflicts_with = "until")]
    days: i64,
    /// Until when, as a day (2027-11-01) or second (RFC 3339), instead of --days.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

fn legal_id(text: &str) -> Result<LegalId, String> {
    let (scheme, value) = text.split_once('=').ok_or("expected SCHEME=VALUE")?;
    Ok(LegalId { scheme: scheme.into(), value: value.into() })
}

impl Admit {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let end = match &self.until {
            Some(until) => Timestamp::parse_rfc3339(&day_or_second(until)?)?,
            None => chance::now()?.plus(self.days.saturating_mul(24 * 3600)),
        };
        let mut order = json!({
            "did": self.did, "legal_name": self.legal_name, "legal_id": self.legal_id, "country": self.country,
            "recorders": self.recorders()?, "exp": end.rfc3339(),
        });
        if !self.key.is_empty() {
            order["keys"] = json!(self.key);
        }
        let member = match running(&self.at).await? {
            Some(desk) => desk.post("/api/members", &order).await.map_err(what_next)?,
            None => {
                let home = self.at.own_home().context("no home is named")?;
                let keyring = home.keyring(&self.unlock)?;
                let (keys, order) = (self.keys(&home).await?, serde_json::from_value::<AdmissionOrder>(order)?);
                let member = Member::admit(&order, keys, &identity::of_home(&home, &keyring)?)?;
                member.keep(&store(&home, &keyring).await?).await?;
                json!(member)
            }
        };
        self.at.say(&member, |member| println!("{}", member["credential"].as_str().unwrap_or_default()))
    }

    /// Plain accounts belong to the chain that the operator's configuration names first.
    fn recorders(&self) -> Result<Vec<String>> {
        let named = |recorder: &String| {
            if !recorder.starts_with("0x") {
                return Ok(recorder.clone());
            }
            let chain = self.at.own_home().and_then(|home| home.configuration().ok());
            let chain = chain.and_then(|configuration| configuration.trust.chains.first().map(|chain| chain.chain_id));
            let chain =
                chain.ok_or_else(|| Usage(format!("say of which chain: --recorder eip155:<chain id>:{recorder}")))?;
            Ok(format!("eip155:{chain}:{recorder}"))
        };
        self.recorder.iter().map(named).collect()
    }

    /// The thumbprints of the keys that the member signs with.
    async fn keys(&self, home: &Home) -> Result<Vec<Thumbprint>> {
        if !self.key.is_empty() {
            return self.key.iter().map(|key| Ok(key.parse::<Thumbprint>()?)).collect();
        }
        let document = match self.did.method() {
            Method::Web => {
                let policy = AddressPolicy { private_networks: home.configuration()?.network.private };
                let found = WebResolver::new(policy)?.resolve(&self.did).await;
                found.context("name its keys with --key, or try again when its document is served")?
            }
            _ => DidDocument::of_key_did(&self.did)?,
        };
        anyhow::ensure!(!document.keys.is_empty(), "the document of {} lists no key that signs", self.did);
        Ok(document.keys.iter().map(|(_, key)| key.thumbprint()).collect())
    }
}

/// The operator's node, where it runs; its store is its own while it does.
async fn running(at: &At) -> Result<Option<super::calls::Desk>> {
    let desk = match at.desk() {
        Ok(desk) => desk,
        Err(fault) if fault.is::<Later>() => return Ok(None),
        Err(fault) => return Err(fault),
    };
    match desk.get_text("/health").await {
        Ok(_) => Ok(Some(desk)),
        Err(fault) if fault.is::<Silent>() && at.own_home().is_some() => Ok(None),
        Err(fault) => Err(what_next(fault)),
    }
}

async fn store(home: &Home, keyring: &Keyring) -> Result<Sqlite> {
    Ok(Sqlite::open(&home.path(STORE), keyring.store_key()).await?)
}

/// Approves a contract template, as operator: prints the signed approval, for `countersign template add`.
///
/// It is kept for `countersign approvals`; the operator's node need not run.
///
/// Example: countersign approve --home ./operator fixtures/templates/licence.json > licence.approval
#[derive(Debug, Args)]
pub struct Approve {
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    unlock: UnlockArgument,
    /// The template, a JSON file; its bytes are what is signed.
    file: PathBuf,
}

impl Approve {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let bytes = read(&self.file)?;
        let approval: Value = match running(&self.at).await? {
            Some(desk) => desk.post_bytes("/api/approvals", bytes).await.map_err(what_next)?,
            None => {
                let home = self.at.own_home().context("no home is named")?;
                let keyring = home.keyring(&self.unlock)?;
                let approval = Approval::sign(&bytes, &identity::of_home(&home, &keyring)?)?;
                approval.keep(&store(&home, &keyring).await?).await?;
                json!(approval)
            }
        };
        self.at.say(&approval, |approval| println!("{}", approval["approval"].as_str().unwrap_or_default()))
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).map_err(|cause| Usage(format!("cannot read {}: {cause}", file.display())).into())
}
