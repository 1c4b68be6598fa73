//! The way to a contract's data: the wallet that answers, the gate that asks, and the token between them.

use std::fs::OpenOptions;
use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;
use url::Url;

use super::super::super::calls::{Declined, Desk, GateCaller, Said, Token, declined, receipt_path, retry_after};
use super::super::super::{Later, Usage};
use super::super::held::standing_in_words;
use super::super::receipts::{receipts, whole};
use super::super::words::text;
use super::part::{Part, Piece};
use super::refused::{next, passes, spent};
use super::wanted::{Wanted, Witness};
use super::{Fetch, left};
use crate::encoding::Digest;
use crate::gate::Receipt;

/// How long is waited, in seconds, before a gate that cannot deliver just now is asked again with the same token.
const WAITS: [u64; 3] = [1, 2, 4];
/// How often a gate may ask for patience.
const SLOWED: u32 = 60;
/// The longest patience that is asked for, in seconds.
const LONGEST: u64 = 30;

/// One download under a contract.
pub(super) struct Errand<'a> {
    pub fetch: &'a Fetch,
    pub desk: Desk,
    pub contract: String,
    pub core: Digest,
    /// Whether the terms count uses.
    pub counted: bool,
    view: Value,
    gate: GateCaller,
    witness: Witness,
    token: Option<Token>,
    /// Whether the token has brought something.
    used: bool,
    /// Every receipt so far.
    pub receipts: Vec<String>,
}

/// Data on its way.
pub(super) struct Coming {
    pub reply: Response,
    pub piece: Piece,
    /// Where the gate keeps the receipt of it; none where nobody signs for it.
    pub receipt: Option<String>,
}

impl<'a> Errand<'a> {
    pub(super) fn new(
        fetch: &'a Fetch,
        desk: Desk,
        view: Value,
        contract: String,
        core: Digest,
        wanted: &Wanted,
    ) -> Result<Self> {
        // A presentation goes to the origin that the contract names, and nowhere that it is sent on to.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(60))
            .build()?;
        // Tokens are bound to a key of this download.
        let gate = GateCaller::new(http, wanted.endpoint.origin().ascii_serialization()).proving()?;
        let counted = super::refused::counts_uses(&view["offer"]["terms"]);
        let (witness, receipts) = (Witness::default(), Vec::new());
        Ok(Self { fetch, desk, contract, core, counted, view, gate, witness, token: None, used: false, receipts })
    }

    /// Asks for what a download has not got yet; `None` if nothing is missing.
    pub(super) async fn ask_for(&mut self, part: &mut Part, wanted: &Wanted) -> Result<Option<Coming>> {
        let piece = part.piece();
        let reply = self.get(&wanted.endpoint, piece.headers()).await?;
        if reply.status() == StatusCode::RANGE_NOT_SATISFIABLE && part.bytes() > 0 {
            return Ok(None);
        }
        if !reply.status().is_success() {
            return Err(self.refusal(&declined(reply).await).await);
        }
        let piece = if part.goes_on(&reply, &piece)? { piece } else { Piece::whole() };
        if piece.first() == 0 && part.bytes() > 0 {
            eprintln!("the data cannot be continued; it comes from the beginning");
            part.restart()?;
        }
        part.remember(&reply)?;
        let receipt = receipt_path(&reply).ok();
        Ok(Some(Coming { reply, piece, receipt }))
    }

    /// Asks for data, with the token that there is as long as it is good. A gate that cannot deliver just now is asked again
    /// with the same one: it counts a use when it delivers, and not before.
    pub(super) async fn get(&mut self, url: &Url, headers: HeaderMap) -> Result<Response> {
        let (mut waits, mut slowed, mut renewed) = (WAITS.iter(), 0, false);
        loop {
            let token = match self.token.take() {
                Some(token) => token,
                None => self.ask_for_a_token().await?,
            };
            let reply = self.gate.get(url.as_str(), &token, headers.clone()).await;
            self.token = Some(token);
            let reply = match reply {
                Ok(reply) => reply,
                Err(cause) if cause.is::<Later>() => {
                    let Some(wait) = waits.next() else { return Err(cause) };
                    patience("the gate does not answer", *wait).await;
                    continue;
                }
                Err(cause) => return Err(cause),
            };
            let status = reply.status();
            if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
                self.used |= status.is_success();
                return Ok(reply);
            }
            let named = retry_after(&reply);
            let declined = declined(reply).await;
            if status == StatusCode::TOO_MANY_REQUESTS && slowed < SLOWED {
                slowed += 1;
                sleep(Duration::from_secs(named.unwrap_or(1).clamp(1, LONGEST))).await;
                continue;
            }
            if is_for_now(status) {
                let Some(wait) = waits.next() else {
                    let free = if self.counted { "; a use is counted when data comes, so this cost none" } else { "" };
                    return Err(Later(format!("the gate cannot deliver: {declined}\n  try again later{free}")).into());
                };
                patience(&declined.to_string(), named.map_or(*wait, |named| named.clamp(*wait, LONGEST))).await;
                continue;
            }
            let over = ["gate.token.expired", "gate.token.unknown", "gate.token.spent"];
            let over = declined.check.as_deref().is_some_and(|check| over.contains(&check));
            if over && self.used && !renewed {
                renewed = true;
                if self.counted {
                    self.agree("what has come")?;
                }
                (self.token, self.used) = (None, false);
                continue;
            }
            return Err(self.refusal(&declined).await);
        }
    }

    /// Takes the receipt of what came, holds it to that, and keeps it.
    pub(super) async fn receipt(
        &mut self,
        at: &str,
        wanted: &Wanted,
        piece: &Piece,
        size: u64,
    ) -> Result<(String, Receipt)> {
        let token = self.token.as_ref().context("there is no token any more")?;
        let receipt = self.gate.receipt(at, token).await;
        let receipt = receipt.context("the data is whole and as contracted; its receipt is missing")?;
        let signed = self.witness.hold(&receipt, wanted, &self.core, piece, size).await?;
        if let Some(file) = &self.fetch.receipt {
            let first = self.receipts.is_empty();
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(first).append(!first);
            let text = if first { receipt.clone() } else { format!("\n{receipt}") };
            let written = options.open(file).and_then(|mut file| file.write_all(text.as_bytes()));
            written.with_context(|| format!("cannot write {}", file.display()))?;
        }
        let kept = json!({ "receipt": receipt });
        self.desk.post(&format!("/api/contracts/{}/receipts", self.contract), &kept).await?;
        self.receipts.push(receipt.clone());
        Ok((receipt, signed))
    }

    /// Asks before a use is spent that the terms count.
    pub(super) fn agree(&self, shown: &str) -> Result<()> {
        let costs = "this contract counts its uses, and going on with the download costs another one";
        if self.fetch.yes {
            return Ok(());
        }
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return Err(Usage(format!("{costs}; --yes goes on from {shown}")).into());
        }
        eprint!("{costs}. Go on? [y/N] ");
        std::io::stderr().flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if answer.trim().eq_ignore_ascii_case("y") { Ok(()) } else { bail!("nothing was asked for; {shown} stays") }
    }

    /// Challenge, presentation, token. A gate that asks for patience is asked again.
    async fn ask_for_a_token(&self) -> Result<Token> {
        let mut slowed = 0;
        loop {
            let challenge = self.gate.challenge().await.context("the gate gives no challenge")?;
            let presented = format!("/api/contracts/{}/presentation", self.contract);
            let mut answer = self.desk.post(&presented, &challenge).await?;
            if let Some(purpose) = &self.fetch.purpose {
                answer["purpose"] = json!(purpose);
            }
            match self.gate.answer(&answer).await? {
                Said::Token(token) => return Ok(token),
                Said::Slowed { wait, declined } if slowed < SLOWED => {
                    if slowed == 0 {
                        eprintln!("the gate asks for patience ({declined}); waiting");
                    }
                    slowed += 1;
                    sleep(Duration::from_secs(wait.clamp(1, LONGEST))).await;
                }
                Said::Slowed { declined, .. } => return Err(self.refusal(&declined).await),
                Said::Denied { check, reason } => {
                    return Err(self.refused(&check, &format!("{check}: {reason}"), false).await);
                }
            }
        }
    }

    async fn refusal(&self, declined: &Declined) -> anyhow::Error {
        let check = declined.check.as_deref().unwrap_or_default();
        self.refused(check, &declined.to_string(), declined.status == StatusCode::TOO_MANY_REQUESTS).await
    }

    /// What the gate refused, what to do, and whether the same command may work later.
    async fn refused(&self, check: &str, what: &str, passing: bool) -> anyhow::Error {
        if check == "policy.constraint" {
            let kept = receipts(&self.desk, &self.contract).await.ok();
            let kept = kept.map(|kept| whole(&kept));
            if let Some(said) = spent(check, &self.view, kept) {
                return anyhow!(said);
            }
        }
        let said = format!("the gate refuses: {what}{}", next(check, &self.view));
        if passing || passes(check) { Later(said).into() } else { anyhow!(said) }
    }

    /// Why no more comes under the contract, if it is over.
    pub(super) async fn over(&self) -> Option<String> {
        let id = text(&self.view, "/id");
        let held = self.desk.get(&format!("/api/negotiations/{id}/standing")).await.unwrap_or_default();
        let standing = &held["standing"];
        let over = matches!(standing["standing"].as_str(), Some("ended" | "withdrawn" | "lapsed"));
        over.then(|| standing_in_words(standing, "").trim_start_matches("no: ").to_owned())
    }

    /// A download that broke off may have been cut, because its contract is over: then it does not go on.
    pub(super) async fn broke_off(&self, part: &Part, cause: anyhow::Error) -> anyhow::Error {
        if cause.is::<Later>()
            && let Some(why) = self.over().await
        {
            let (bytes, shown) = (part.bytes(), part.shown());
            return anyhow!(
                "the gate cut the download, since this contract is over: {why}\n  no more comes under it; the {bytes} bytes \
                 in {shown} are not the whole asset"
            );
        }
        cause.context(left(part, self.counted, "the download broke off"))
    }
}

/// Whether an answer is about this moment.
fn is_for_now(status: StatusCode) -> bool {
    [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT].contains(&status)
}

async fn patience(why: &str, seconds: u64) {
    eprintln!("{why}; trying again in {seconds} s");
    sleep(Duration::from_secs(seconds)).await;
}
