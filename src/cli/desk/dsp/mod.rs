//! Plain negotiations over the Dataspace Protocol.

mod goods;
mod show;
mod start;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::super::Usage;
use super::super::calls::{Declined, Desk};
use super::words::{brief, called, head, table, text, until};
use super::{At, LATEST, read_text};
use goods::{Catalog, Dataset, Datasets};
use show::Show;
pub use show::command;
use start::{Promise, Start};

/// Plain negotiations over the Dataspace Protocol, with any connector; nobody signs anything in them.
///
/// Example: countersign dsp start --with did:key:zDn… --at https://provider.example/dsp/2025-1 --dataset urn:uuid:3f0c…
#[derive(Debug, Subcommand)]
pub enum Dsp {
    List(List),
    Show(Show),
    Start(Start),
    /// As provider, puts other terms on the table; `counter` is the consumer's word for it.
    ///
    /// Example: countersign dsp offer 5b0f6a3e --terms terms.json
    Offer(Terms),
    /// As consumer, puts other terms on the table; `offer` is the provider's word for it.
    ///
    /// Example: countersign dsp counter 5b0f6a3e --terms terms.json
    Counter(Terms),
    /// As consumer, takes the offer on the table.
    ///
    /// Example: countersign dsp accept 5b0f6a3e
    Accept(Read),
    /// As provider, agrees to what the consumer asked for or accepted.
    ///
    /// Example: countersign dsp agree 5b0f6a3e
    Agree(Read),
    /// As consumer, verifies the agreement.
    ///
    /// Example: countersign dsp verify 5b0f6a3e
    Verify(Which),
    /// As provider, finalizes the agreement that the consumer verified.
    ///
    /// Example: countersign dsp finalize 5b0f6a3e
    Finalize(Which),
    Terminate(Terminate),
    Catalog(Catalog),
    Datasets(Datasets),
    Dataset(Dataset),
}

impl Dsp {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        match self {
            Self::List(command) => command.run().await,
            Self::Show(command) => command.run().await,
            Self::Start(command) => command.run().await,
            Self::Offer(command) => command.run("offer").await,
            Self::Counter(command) => command.run("counter").await,
            Self::Accept(command) => command.run("accept").await,
            Self::Agree(command) => command.run("agree").await,
            Self::Verify(command) => command.act("verify", json!({})).await,
            Self::Finalize(command) => command.act("finalize", json!({})).await,
            Self::Terminate(command) => command.run().await,
            Self::Catalog(command) => command.run().await,
            Self::Datasets(command) => command.run().await,
            Self::Dataset(command) => command.run().await,
        }
    }
}

/// Lists plain negotiations, newest first.
///
/// Example: countersign dsp list --open
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    at: At,
    /// Only those that are not over.
    #[arg(long)]
    open: bool,
    /// At most so many.
    #[arg(long, default_value_t = 100, value_name = "NUMBER")]
    limit: u32,
}

impl List {
    async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let all = desk.get(&format!("/api/dsp/negotiations?open={}&limit={}", self.open, self.limit)).await?;
        self.at.say(&all, |all| {
            let rows = rows(all);
            if rows.len() == 1 { println!("no plain negotiations") } else { table(&rows) }
        })
    }
}

/// Plain negotiations as rows, a head first.
pub fn rows(all: &Value) -> Vec<Vec<String>> {
    let mut rows = vec![head(&["Id", "State", "You are", "With", "Dataset", "Cataloged", "Your turn", "Note"])];
    rows.extend(all.as_array().into_iter().flatten().map(|view| {
        let turn = match (view["person"] == true, view["until"].as_str()) {
            (true, Some(time)) => until(time),
            (true, None) => "yes".to_owned(),
            _ => String::new(),
        };
        vec![
            brief(&text(view, "/id")),
            text(view, "/state"),
            text(view, "/role"),
            called(view, "/counterparty_name", "/counterparty"),
            text(view, "/dataset"),
            cataloged(view).to_owned(),
            turn,
            if view["acknowledged"] == false { "not acknowledged" } else { "" }.to_owned(),
        ]
    }));
    rows
}

fn cataloged(view: &Value) -> &'static str {
    match view["cataloged"].as_bool() {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    }
}

// Which negotiation a command is about.
#[derive(Clone, Debug, Args)]
pub struct Which {
    #[command(flatten)]
    at: At,
    /// The negotiation: the beginning of its id or of either side's; `latest` is the newest.
    id: String,
}

impl Which {
    async fn act(&self, act: &str, order: Value) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let id = found(&desk, &self.id).await?;
        let view = desk.post(&format!("/api/dsp/negotiations/{id}/{act}"), &order).await?;
        self.at.say(&view, |view| println!("{} is {} (plain, unsigned)", brief(&id), text(view, "/state")))
    }

    async fn view(&self) -> Result<Value> {
        let desk = self.at.desk()?;
        desk.get(&format!("/api/dsp/negotiations/{}", found(&desk, &self.id).await?)).await
    }
}

// The commands that share what follows say what they do where they are listed.
#[derive(Debug, Args)]
pub struct Terms {
    #[command(flatten)]
    which: Which,
    /// A file with the terms; `-` is standard input. Without it, the provider's catalog, or what stands.
    #[arg(long, value_name = "FILE|-")]
    terms: Option<PathBuf>,
    /// The offer that you have read: where another one stands meanwhile, nothing is sent.
    #[arg(long, value_name = "ID")]
    offer: Option<String>,
    #[command(flatten)]
    promise: Promise,
}

impl Terms {
    async fn run(&self, act: &str) -> Result<ExitCode> {
        let mut order = self.offer.as_ref().map_or_else(|| json!({}), |offer| json!({ "offer": offer }));
        if let Some(file) = &self.terms {
            order["terms"] = terms(file)?;
        }
        self.promise.write_into(&mut order);
        self.which.act(act, order).await
    }
}

#[derive(Debug, Args)]
pub struct Read {
    #[command(flatten)]
    which: Which,
    /// The offer that you have read: another one that stands meanwhile is refused.
    #[arg(long, value_name = "ID")]
    offer: Option<String>,
}

impl Read {
    async fn run(&self, act: &str) -> Result<ExitCode> {
        let order = self.offer.as_ref().map_or_else(|| json!({}), |offer| json!({ "offer": offer }));
        self.which.act(act, order).await
    }
}

/// Ends a plain negotiation.
///
/// Example: countersign dsp terminate 3f0c --reason "found it elsewhere"
#[derive(Debug, Args)]
pub struct Terminate {
    #[command(flatten)]
    which: Which,
    /// Why, for the other side.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Terminate {
    async fn run(&self) -> Result<ExitCode> {
        let order = self.reason.as_ref().map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
        self.which.act("terminate", order).await
    }
}

fn terms(file: &Path) -> Result<Value> {
    let terms: Value = serde_json::from_str(&read_text(file)?)
        .map_err(|cause| Usage(format!("{} is no JSON: {cause}", file.display())))?;
    Ok(terms)
}

/// The plain negotiations of a node; `None` where it does not speak the Dataspace Protocol.
pub async fn plain(desk: &Desk) -> Result<Option<Value>> {
    match desk.get("/api/dsp/negotiations?limit=1000").await {
        Ok(all) => Ok(Some(all)),
        Err(fault) if fault.downcast_ref::<Declined>().is_some_and(|declined| declined.status.as_u16() == 404) => {
            Ok(None)
        }
        Err(fault) => Err(fault),
    }
}

/// The one plain negotiation that `given` means: the beginning of its id, or of either side's; `latest` is the newest.
pub async fn found(desk: &Desk, given: &str) -> Result<String> {
    let none = || Usage(format!("there is no plain negotiation `{given}`; `countersign dsp list` lists them"));
    let all = desk.get("/api/dsp/negotiations?limit=1000").await?;
    let all: Vec<&Value> = all.as_array().into_iter().flatten().collect();
    let id = |view: &Value| view["id"].as_str().unwrap_or_default().to_owned();
    if given == LATEST {
        let none = || Usage("there is no plain negotiation here yet; `countersign dsp start` begins one".into());
        return Ok(id(all.first().ok_or_else(none)?));
    }
    let wanted = bare(given).to_ascii_lowercase();
    let begins = |view: &&Value, name: &str| {
        view[name].as_str().is_some_and(|id| bare(id).to_ascii_lowercase().starts_with(&wanted))
    };
    // One's own id comes first: a counterparty chooses its own as it likes.
    let mut fitting: Vec<&Value> = all.iter().copied().filter(|view| begins(view, "id")).collect();
    if fitting.is_empty() {
        let either = |view: &&Value| begins(view, "consumer_pid") || begins(view, "provider_pid");
        fitting = all.iter().copied().filter(either).collect();
    }
    match fitting[..] {
        _ if wanted.is_empty() => Err(none().into()),
        [one] => Ok(id(one)),
        // Lists end somewhere; whoever writes the whole id means that one.
        [] if uuid(&wanted) => Ok(format!("urn:uuid:{wanted}")),
        [] => Err(none().into()),
        _ => {
            let ids: Vec<String> = fitting.iter().map(|view| text(view, "/id")).collect();
            Err(Usage(format!("`{given}` is the beginning of several: {}", ids.join(", "))).into())
        }
    }
}

fn bare(id: &str) -> &str {
    id.strip_prefix("urn:uuid:").unwrap_or(id)
}

fn uuid(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| if dashes.contains(&at) { b == b'-' } else { b.is_ascii_hexdigit() })
}
