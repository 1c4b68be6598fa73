use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;

use super::home::{Home, UnlockArgument};
use super::{HomeArgument, identity};
use crate::courier::{AddressPolicy, WebResolver};
use crate::credential::{Admission, ApprovedTemplate, LegalId, Participant};
use crate::identity::{Did, DidDocument, Method, Thumbprint};
use crate::node::{Resolver as _, chance};

/// Admits a member, as operator: prints its participant credential.
///
/// Example: countersign admit --home ./operator --did did:key:zDn… --legal-name "Alice Maps GmbH" --legal-id LEI=5299… --country DE --recorder eip155:42793:0x…
#[derive(Debug, Args)]
pub struct Admit {
    #[command(flatten)]
    home: HomeArgument,
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
    /// Accounts that record for it, in CAIP-10 form; may be given several times.
    #[arg(long)]
    recorder: Vec<String>,
    /// For how many days.
    #[arg(long, default_value_t = 365)]
    days: i64,
}

fn legal_id(text: &str) -> Result<LegalId, String> {
    let (scheme, value) = text.split_once('=').ok_or("expected SCHEME=VALUE")?;
    Ok(LegalId { scheme: scheme.into(), value: value.into() })
}

impl Admit {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let home = self.home.home()?;
        let (key, now) = (identity::of_home(&home, &home.keyring(&self.unlock)?)?, chance::now()?);
        let admission = Admission {
            did: self.did.clone(),
            legal_name: self.legal_name.clone(),
            legal_id: self.legal_id.clone(),
            country: self.country.clone(),
            keys: self.keys(&home).await?,
            recorders: self.recorder.clone(),
            iat: now,
            nbf: now,
            exp: now.plus(self.days.saturating_mul(24 * 3600)),
        };
        println!("{}", Participant::admit(&admission, &key)?);
        Ok(ExitCode::SUCCESS)
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

/// Approves a contract template, as operator: prints the signed approval.
///
/// Example: countersign approve --home ./operator fixtures/templates/licence.json
#[derive(Debug, Args)]
pub struct Approve {
    #[command(flatten)]
    home: HomeArgument,
    #[command(flatten)]
    unlock: UnlockArgument,
    /// The template, a JSON file; its bytes are what is signed.
    file: PathBuf,
}

impl Approve {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let home = self.home.home()?;
        let key = identity::of_home(&home, &home.keyring(&self.unlock)?)?;
        let bytes = std::fs::read(&self.file).with_context(|| format!("cannot read {}", self.file.display()))?;
        println!("{}", ApprovedTemplate::approve(&bytes, &key)?);
        Ok(ExitCode::SUCCESS)
    }
}
