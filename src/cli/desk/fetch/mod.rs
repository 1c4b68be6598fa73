//! `fetch`: a contract's asset, from the gate's challenge to the receipt.

mod part;
mod refused;
mod wanted;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Args;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use super::super::calls::{Desk, GateCaller, Said, Token, declined, receipt_path};
use super::super::{Later, Usage};
use super::held::standing_in_words;
use super::receipts::receipts;
use super::words::{brief, text};
use super::{At, found, member};
use crate::encoding::Digest;
use part::{Part, Piece};
use refused::{counts_uses, next, passes, spent};
use wanted::Wanted;

/// Downloads a contract's asset: answers the gate's challenge, checks the SHA-256, keeps the gate's receipt.
///
/// What a broken or interrupted download has got stays in FILE.part, and the same command goes on from there.
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
    /// What the data is for, where the terms name a purpose.
    #[arg(long, value_name = "IRI")]
    purpose: Option<String>,
    /// Write the gate's receipt into a file too.
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
        if path.exists() && !self.force {
            return Err(Usage(format!("{} is there already; --force writes over it", path.display())).into());
        }
        let counted = counts_uses(&view["offer"]["terms"]);
        let mut part = Part::open(&path, &contract, &core, &wanted, self.force)?;
        let delivered = if part.is_whole() {
            None
        } else {
            if counted && part.bytes() > 0 {
                self.agree(&part)?;
            }
            let gate = gate(&wanted)?;
            let token = self.token(&desk, &gate, &contract, &view).await?;
            let piece = part.piece();
            let reply = gate.get(wanted.endpoint.as_str(), &token, piece.headers()).await?;
            let receipt = receipt_path(&reply).ok();
            match accepted(reply, &mut part, piece, &view).await? {
                None => None,
                Some(Coming { reply, piece }) => {
                    match part.take(reply).await {
                        Ok(true) => {}
                        Ok(false) => {
                            eprintln!("{}", left(&part, counted, "stopped"));
                            return Ok(ExitCode::from(INTERRUPTED));
                        }
                        Err(cause) => return Err(broke_off(&desk, &view, &part, counted, cause).await),
                    }
                    receipt.map(|at| (gate, token, at, piece))
                }
            }
        };
        let bytes = part.finish(&path)?;

        let receipt = match &delivered {
            None => None,
            Some((gate, token, at, piece)) => {
                let receipt = gate.receipt(at, token).await;
                let receipt = receipt.context("the data is whole and as contracted; its receipt is missing")?;
                let signed = wanted.receipt(&receipt, &core, piece, bytes).await?;
                self.keep(&desk, &contract, &receipt).await?;
                Some((receipt, signed))
            }
        };
        let (text, signed) = receipt.unzip();
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

    /// Asks before a use is spent that the terms count.
    fn agree(&self, part: &Part) -> Result<()> {
        let costs = "this contract counts its uses, and going on with the download costs another one";
        if self.yes {
            return Ok(());
        }
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return Err(Usage(format!("{costs}; --yes goes on from {}", part.shown())).into());
        }
        eprint!("{costs}. Go on? [y/N] ");
        std::io::stderr().flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if answer.trim().eq_ignore_ascii_case("y") {
            Ok(())
        } else {
            bail!("nothing was asked for; {} stays", part.shown())
        }
    }

    /// Challenge, presentation, token.
    async fn token(&self, desk: &Desk, gate: &GateCaller, contract: &str, view: &Value) -> Result<Token> {
        let challenge = gate.challenge().await.context("the gate gives no challenge")?;
        let mut answer = desk.post(&format!("/api/contracts/{contract}/presentation"), &challenge).await?;
        if let Some(purpose) = &self.purpose {
            answer["purpose"] = json!(purpose);
        }
        match gate.answer(&answer).await? {
            Said::Token(token) => Ok(token),
            Said::Denied { check, reason } => {
                let kept = receipts(desk, contract).await.ok().and_then(|kept| kept.as_array().map(Vec::len));
                let spent = spent(&check, view, kept);
                let said =
                    spent.unwrap_or_else(|| format!("the gate refuses: {check}: {reason}{}", next(&check, view)));
                Err(refusal(passes(&check), said))
            }
        }
    }

    async fn keep(&self, desk: &Desk, contract: &str, receipt: &str) -> Result<()> {
        if let Some(file) = &self.receipt {
            std::fs::write(file, receipt).with_context(|| format!("cannot write {}", file.display()))?;
        }
        desk.post(&format!("/api/contracts/{contract}/receipts"), &json!({ "receipt": receipt })).await?;
        Ok(())
    }
}

/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// The gate in front of the data, asked for tokens that are bound to a key of this download.
fn gate(wanted: &Wanted) -> Result<GateCaller> {
    // A presentation goes to the origin that the contract names, and nowhere that it is sent on to.
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(60))
        .build()?;
    GateCaller::new(http, wanted.endpoint.origin().ascii_serialization()).proving()
}

/// An answer with data, and which of the asset's bytes they are.
struct Coming {
    reply: Response,
    piece: Piece,
}

/// Holds the answer to what was asked for; none if nothing is missing.
async fn accepted(reply: Response, part: &mut Part, piece: Piece, view: &Value) -> Result<Option<Coming>> {
    let status = reply.status();
    if status == StatusCode::RANGE_NOT_SATISFIABLE && part.bytes() > 0 {
        return Ok(None);
    }
    if !status.is_success() {
        let declined = declined(reply).await;
        let next = match declined.check.as_deref() {
            Some(check) => next(check, view),
            None if passing(status) => "\n  it or the source of its data does not answer now; try again later".into(),
            None => String::new(),
        };
        let passing = passing(status) || declined.check.as_deref().is_some_and(passes);
        return Err(refusal(passing, format!("the gate refuses: {declined}{next}")));
    }
    let whole = Piece::whole();
    let piece = if part.goes_on(&reply, &piece)? { piece } else { whole };
    if piece.first() == 0 && part.bytes() > 0 {
        eprintln!("the data cannot be continued; it comes from the beginning");
        part.restart()?;
    }
    part.remember(&reply)?;
    Ok(Some(Coming { reply, piece }))
}

/// A refusal that may pass, or one that stays.
fn refusal(passing: bool, said: String) -> anyhow::Error {
    if passing { Later(said).into() } else { anyhow!(said) }
}

/// Whether an answer says that another one may come later.
fn passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// A download that broke off may have been cut, because its contract is over: then it does not go on.
async fn broke_off(desk: &Desk, view: &Value, part: &Part, counted: bool, cause: anyhow::Error) -> anyhow::Error {
    let id = text(view, "/id");
    let held = desk.get(&format!("/api/negotiations/{id}/standing")).await.unwrap_or_default();
    let standing = &held["standing"];
    if cause.is::<Later>() && matches!(standing["standing"].as_str(), Some("ended" | "withdrawn" | "lapsed")) {
        let why = standing_in_words(standing, "");
        let (why, bytes, shown) = (why.trim_start_matches("no: "), part.bytes(), part.shown());
        return anyhow!(
            "the gate cut the download, since this contract is over: {why}\n  no more comes under it; the {bytes} bytes in \
             {shown} are not the whole asset"
        );
    }
    cause.context(left(part, counted, "the download broke off"))
}

fn left(part: &Part, counted: bool, why: &str) -> String {
    let costs = if counted { ", which costs another use (--yes)" } else { "" };
    match part.bytes() {
        0 => format!("{why}; nothing was kept"),
        bytes => {
            format!("{why}; {bytes} bytes are kept in {}\n  the same command goes on from there{costs}", part.shown())
        }
    }
}
