use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::Value;

use super::super::Usage;
use super::super::calls::Desk;
use super::words::{head, table, text, when};
use super::{At, found, member};

/// Shows the gates' receipts for what was fetched under a contract: each is a gate's signed word about one delivery.
///
/// With -o, or as --json, they come whole: what a gate signed, for whoever asks what was delivered.
///
/// Examples: countersign receipts 5b0f6a3e
///           countersign receipts 5b0f6a3e -o receipts.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Receipts {
    #[command(flatten)]
    at: At,
    /// The contract or its negotiation: the beginning of its id, or `latest`.
    contract: String,
    /// Write them into a file, as JSON.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write over the file if there is one.
    #[arg(long)]
    force: bool,
}

impl Receipts {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        if let Some(path) = self.output.as_ref().filter(|path| path.exists() && !self.force) {
            return Err(Usage(format!("{} is there already; --force writes over it", path.display())).into());
        }
        let desk = self.at.desk()?;
        let view = found(&desk, &self.contract).await?;
        if view["role"] != "consumer" {
            return Err(
                Usage("you are this contract's provider; gates give their receipts to its consumer".into()).into()
            );
        }
        let contract = member(&view, "/offer/contract_id").context("nothing is signed in this negotiation yet")?;
        let receipts = receipts(&desk, &contract).await?;
        if let Some(path) = &self.output {
            let pretty = serde_json::to_string_pretty(&receipts)? + "\n";
            std::fs::write(path, pretty).with_context(|| format!("cannot write {}", path.display()))?;
            eprintln!("the receipts are in {}", path.display());
        }
        self.at.say(&receipts, |receipts| {
            let mut rows = vec![head(&["Delivered", "Bytes", "Which", "Gate"])];
            rows.extend(receipts.as_array().into_iter().flatten().map(|one| {
                let range = text(one, "/range");
                let which = if range.is_empty() { "all".into() } else { range };
                vec![when(&text(one, "/to")), one["bytes"].to_string(), which, text(one, "/gate")]
            }));
            if rows.len() == 1 {
                println!("no receipts: nothing was fetched through a gate, or no receipt was kept");
            } else {
                table(&rows);
            }
        })
    }
}

/// The receipts that this wallet keeps with a contract.
pub async fn receipts(desk: &Desk, contract: &str) -> Result<Value> {
    desk.get(&format!("/api/contracts/{contract}/receipts")).await
}

/// What was fetched, in a line; empty where no receipt is kept.
pub fn fetched(receipts: &Value) -> String {
    let all = receipts.as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(last) = all.last() else { return String::new() };
    let times = if all.len() == 1 { "once".to_owned() } else { format!("{} times", all.len()) };
    format!("{times}, last on {}; the gate's receipts are kept", when(&text(last, "/to")))
}
