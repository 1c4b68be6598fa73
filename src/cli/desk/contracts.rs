use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::super::Usage;
use super::words::text;
use super::{At, found, member};

/// Downloads the contract file: what proves the contract to anybody, see `countersign verify`.
///
/// Example: countersign download 5b0f6a3e -o contract.json
#[derive(Debug, Args)]
#[command(visible_alias = "contract")]
pub struct Download {
    #[command(flatten)]
    at: At,
    /// The negotiation or contract: the beginning of its id, or `latest`.
    id: String,
    /// Where to; standard output without it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write over the file if there is one.
    #[arg(long)]
    force: bool,
}

impl Download {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        if let Some(path) = self.output.as_ref().filter(|path| path.exists() && !self.force) {
            return Err(Usage(format!("{} is there already; --force writes over it", path.display())).into());
        }
        let desk = self.at.desk()?;
        let id = member(&found(&desk, &self.id).await?, "/id")?;
        let file = desk.get(&format!("/api/negotiations/{id}/contract")).await?;
        let pretty = serde_json::to_string_pretty(&file)?;
        let Some(path) = &self.output else {
            println!("{pretty}");
            return Ok(ExitCode::SUCCESS);
        };
        std::fs::write(path, pretty + "\n").with_context(|| format!("cannot write {}", path.display()))?;
        let answer = json!({ "contract_id": file["contract_id"], "file": path });
        self.at.say(&answer, |answer| {
            println!("{} is in {}", text(answer, "/contract_id"), path.display());
            println!("`countersign verify {}` judges it", path.display());
        })
    }
}

/// Why a contract ends before its time.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Ground {
    /// No ground is given.
    Unspecified,
    /// Everything promised is done.
    Completed,
    /// Both want it.
    ByAgreement,
    /// The other side broke it.
    Breach,
    /// A key is in other hands.
    KeyCompromised,
    /// It never held.
    Void,
}

impl Ground {
    /// As the registry numbers it.
    const fn number(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::Completed => 1,
            Self::ByAgreement => 2,
            Self::Breach => 3,
            Self::KeyCompromised => 4,
            Self::Void => 5,
        }
    }
}

#[derive(Debug, Args)]
struct Leaving {
    #[command(flatten)]
    at: At,
    /// The contract or its negotiation: the beginning of its id, or `latest`.
    contract: String,
    /// The ground, which the registry shows to everybody.
    #[arg(long, value_enum)]
    reason: Ground,
}

impl Leaving {
    async fn run(&self, act: &str, done: &str) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let contract = member(&found(&desk, &self.contract).await?, "/offer/contract_id")
            .context("nothing is signed in this negotiation; `countersign cancel` takes it back")?;
        let path = format!("/api/contracts/{contract}/{act}");
        let answer = desk.post(&path, &json!({ "reason": self.reason.number() })).await?;
        let answer = json!({ "contract_id": contract, "transaction": answer["transaction"] });
        self.at.say(&answer, |answer| {
            println!("{} {done}, transaction {}", text(answer, "/contract_id"), text(answer, "/transaction"));
        })
    }
}

/// Ends a contract as its provider: the registry shows it, and gates close.
///
/// Example: countersign end 5b0f6a3e --reason by-agreement
#[derive(Debug, Args)]
pub struct End {
    #[command(flatten)]
    leaving: Leaving,
}

impl End {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        self.leaving.run("end", "is ended").await
    }
}

/// Withdraws from a contract as its consumer: signed by the account that the acceptance named, paid by this wallet's
/// recorder account.
///
/// Example: countersign withdraw 5b0f6a3e --reason key-compromised
#[derive(Debug, Args)]
pub struct Withdraw {
    #[command(flatten)]
    leaving: Leaving,
}

impl Withdraw {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        self.leaving.run("withdraw", "is withdrawn from").await
    }
}
