use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::Value;

use super::super::Usage;
use super::super::audit_table::readable;
use super::super::calls::Desk;
use super::words::{head, table, text, when};
use super::{At, found, member};

/// The longest path that is shown of a directory's file.
const PATH: usize = 60;

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
            rows.extend(
                receipts
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|one| vec![when(&text(one, "/to")), one["bytes"].to_string(), which(one), text(one, "/gate")]),
            );
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

/// What a receipt is about: a file of a directory by its path, and which bytes of it.
fn which(receipt: &Value) -> String {
    match (readable(&text(receipt, "/part/path"), PATH), text(receipt, "/range")) {
        (path, range) if path.is_empty() && range.is_empty() => "all".into(),
        (path, range) => format!("{path} {range}").trim().to_owned(),
    }
}

/// How many receipts are about the asset itself and the whole of it, so that each is a use of its own; of a directory they
/// are about its list of files.
pub fn whole(receipts: &Value) -> usize {
    let parts = |receipt: &&Value| receipt.get("part").is_none() && receipt.get("range").is_none();
    receipts.as_array().map_or(0, |all| all.iter().filter(parts).count())
}

/// What was fetched, in a line; empty where no receipt is kept.
pub fn fetched(receipts: &Value) -> String {
    let all = receipts.as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(last) = all.last() else { return String::new() };
    let times = match whole(receipts) {
        0 => "in parts".to_owned(),
        1 => "once".to_owned(),
        times => format!("{times} times"),
    };
    format!("{times}, last on {}; the gate's receipts are kept", when(&text(last, "/to")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_files_of_a_directory_are_no_uses_of_the_whole() {
        let to = "2026-11-26T00:00:00Z";
        let list = json!({ "bytes": 99, "to": to });
        let file = json!({ "bytes": 5, "to": to, "part": { "path": "south/b.csv", "sha256": "9f" } });
        let piece = json!({ "bytes": 2, "to": to, "part": file["part"], "range": "bytes=3-4" });
        let shown: Vec<_> = [&list, &file, &piece, &json!({ "range": "bytes=0-9" })].map(which).into();
        assert_eq!(shown, ["all", "south/b.csv", "south/b.csv bytes=3-4", "bytes=0-9"]);
        let said = |receipts: &[&Value]| fetched(&json!(receipts));
        assert!(said(&[&list, &file, &piece]).starts_with("once,"));
        assert!(said(&[&list, &file, &list, &file]).starts_with("2 times,"));
        assert!(said(&[&file]).starts_with("in parts,"));
        assert_eq!((said(&[]), whole(&json!([file, list]))), (String::new(), 1));
    }
}
