//! `fetch`: a contract's asset, from the gate's challenge to the receipt.

mod errand;
mod folder;
mod part;
mod refused;
mod wanted;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::super::Usage;
use super::words::{brief, text};
use super::{At, found, member};
use crate::encoding::Digest;
use errand::{Coming, Errand};
use part::Part;
use wanted::Wanted;

/// Downloads a contract's asset: answers the gate's challenge, checks the SHA-256, keeps the gate's receipt.
///
/// What a broken or interrupted download has got stays in FILE.part, and the same command goes on from there. A directory
/// comes into a directory, each file held to its line of SHA256SUMS; what is there already is not asked for again. Where the
/// terms count uses, one use is each of its files once.
///
/// Example: countersign fetch 5b0f6a3e -o junction.xodr
#[derive(Debug, Args)]
pub struct Fetch {
    #[command(flatten)]
    at: At,
    /// The contract or its negotiation, or the beginning of its id.
    id: String,
    /// Where to; without it the name at the end of the asset's address, in this directory.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Of a directory, fetch this file only, as its SHA256SUMS names it; may stand several times.
    #[arg(long, value_name = "PATH")]
    only: Vec<String>,
    /// The asset is a directory, whatever media type its contract names.
    #[arg(long)]
    directory: bool,
    /// What the data is for, where the terms name a purpose.
    #[arg(long, value_name = "IRI")]
    purpose: Option<String>,
    /// Write the gate's receipt into a file too; those of a directory one in each line.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Write over a file that is there, and over what is left of another download.
    #[arg(long)]
    force: bool,
    /// Go on with a download even where that costs another use.
    #[arg(long)]
    yes: bool,
}

impl Fetch {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let view = found(&desk, &self.id).await?;
        if view["role"] != "consumer" {
            return Err(Usage("you are this contract's provider; its consumer fetches".into()).into());
        }
        let Some(core) = view["hash"].as_str().and_then(Digest::from_hex) else {
            bail!("nothing is countersigned yet: it is {}", text(&view, "/state"));
        };
        let contract = member(&view, "/offer/contract_id")?;
        let wanted = Wanted::of(&view["offer"]["asset"])?;
        let path = self.output.clone().map_or_else(|| wanted.file_name(), Ok)?;
        let mut errand = Errand::new(self, desk, view, contract.clone(), core, &wanted)?;
        if wanted.directory || self.directory {
            return folder::run(self, errand, &wanted, &path).await;
        }
        if !self.only.is_empty() {
            return Err(Usage(
                "--only is about a directory, and this asset is none; --directory says otherwise".into(),
            )
            .into());
        }
        if path.exists() && !self.force {
            return Err(Usage(format!("{} is there already; --force writes over it", path.display())).into());
        }
        let counted = errand.counted;
        let mut part = Part::open(&path, &contract, &core, &wanted, self.force)?;
        let mut promised = None;
        if !part.is_whole() {
            if counted && part.bytes() > 0 {
                errand.agree(&part.shown())?;
            }
            if let Some(Coming { reply, piece, receipt }) = errand.ask_for(&mut part, &wanted).await? {
                match part.take(reply, "").await {
                    Ok(true) => {}
                    Ok(false) => {
                        eprintln!("{}", left(&part, counted, "stopped"));
                        return Ok(ExitCode::from(INTERRUPTED));
                    }
                    Err(cause) => return Err(errand.broke_off(&part, cause).await),
                }
                promised = receipt.map(|at| (at, piece));
            }
        }
        let bytes = part.finish(&path)?;
        let (text, signed) = match promised {
            Some((at, piece)) => Some(errand.receipt(&at, &wanted, &piece, bytes).await?),
            None => None,
        }
        .unzip();
        let done = json!({
            "contract_id": contract, "file": path, "bytes": bytes, "sha256": wanted.sha256,
            "gate": signed.as_ref().map(|signed| &signed.iss), "range": signed.as_ref().map(|signed| signed.range),
            "receipt": text,
        });
        self.at.say(&done, |done| self.tell(done, &path, &wanted, &contract))
    }

    fn tell(&self, done: &Value, path: &Path, wanted: &Wanted, contract: &str) {
        println!("{}: {} bytes, sha256 {}, as the contract has it", path.display(), done["bytes"], wanted.sha256);
        if done["receipt"].is_null() {
            println!("no receipt: no gate delivered these bytes itself just now");
            return;
        }
        let gate = text(done, "/gate");
        println!("receipt by {gate}, kept in the wallet with contract {}", brief(contract));
        if let Some(range) = done["range"].as_str() {
            println!("  it is about the last piece, {range}; earlier pieces broke off and got none");
        }
        if let Some(file) = &self.receipt {
            println!("  and in {}", file.display());
        }
    }
}

/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn left(part: &Part, counted: bool, why: &str) -> String {
    let costs = if counted { ", which costs another use (--yes)" } else { "" };
    match part.bytes() {
        0 => format!("{why}; nothing was kept"),
        bytes => {
            format!("{why}; {bytes} bytes are kept in {}\n  the same command goes on from there{costs}", part.shown())
        }
    }
}
