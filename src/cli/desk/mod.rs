//! What the people at a contract desk do every day: thin commands that talk to their running node.

mod books;
mod contracts;
mod decisions;
mod dsp;
mod fees;
mod fetch;
mod goods;
mod people;
mod propose;
mod show;
mod talks;
mod transfer;
mod words;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use reqwest::StatusCode;
use serde_json::Value;

use super::calls::{Declined, Desk, Silent};
use super::{HomeArgument, Usage};

/// The longest text that is read from a file or standard input.
const MOST: u64 = 256 * 1024;

/// The commands of a desk.
#[derive(Debug, Subcommand)]
pub enum Command {
    Contact(people::ContactArgs),
    Join(people::Join),
    Template(people::Template),
    List(goods::List),
    Assets(goods::Assets),
    Catalog(goods::Catalog),
    Request(talks::Request),
    Propose(propose::Propose),
    Counter(propose::Counter),
    Inbox(talks::Inbox),
    Negotiations(talks::Negotiations),
    Show(show::Show),
    Watch(show::Watch),
    Offer(decisions::Offer),
    Accept(decisions::Accept),
    Reject(decisions::Reject),
    Cancel(decisions::Cancel),
    Record(decisions::Record),
    Contract(contracts::Contract),
    Fetch(fetch::Fetch),
    End(contracts::End),
    Withdraw(contracts::Withdraw),
    StateFees(fees::StateFees),
    Audits(fees::Audits),
    Audit(fees::Audit),
    Collect(books::Collect),
    Invoice(books::Invoice),
    Invoices(books::Invoices),
    Credit(books::Credit),
    Pay(books::Pay),
    Payments(books::Payments),
    Open(books::Open),
    #[command(subcommand)]
    Dsp(dsp::Dsp),
    #[command(subcommand)]
    Transfer(transfer::Transfer),
}

impl Command {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let done = match self {
            Self::Contact(command) => command.run().await,
            Self::Join(command) => command.run().await,
            Self::Template(command) => command.run().await,
            Self::List(command) => command.run().await,
            Self::Assets(command) => command.run().await,
            Self::Catalog(command) => command.run().await,
            Self::Request(command) => command.run().await,
            Self::Propose(command) => command.run().await,
            Self::Counter(command) => command.run().await,
            Self::Inbox(command) => command.run().await,
            Self::Negotiations(command) => command.run().await,
            Self::Show(command) => command.run().await,
            Self::Watch(command) => command.run().await,
            Self::Offer(command) => command.run().await,
            Self::Accept(command) => command.run().await,
            Self::Reject(command) => command.run().await,
            Self::Cancel(command) => command.run().await,
            Self::Record(command) => command.run().await,
            Self::Contract(command) => command.run().await,
            Self::Fetch(command) => command.run().await,
            Self::End(command) => command.run().await,
            Self::Withdraw(command) => command.run().await,
            Self::StateFees(command) => command.run().await,
            Self::Audits(command) => command.run().await,
            Self::Audit(command) => command.run().await,
            Self::Collect(command) => command.run().await,
            Self::Invoice(command) => command.run().await,
            Self::Invoices(command) => command.run().await,
            Self::Credit(command) => command.run().await,
            Self::Pay(command) => command.run().await,
            Self::Payments(command) => command.run().await,
            Self::Open(command) => command.run().await,
            Self::Dsp(command) => command.run().await,
            Self::Transfer(command) => command.run().await,
        };
        done.map_err(what_next)
    }
}

/// Which node a command talks to, and how it answers.
#[derive(Clone, Debug, Args)]
pub struct At {
    #[command(flatten)]
    home: HomeArgument,
    /// The management address of a node elsewhere, instead of a home.
    #[arg(long, env = "COUNTERSIGN_NODE", value_name = "URL", requires = "key_file")]
    node: Option<String>,
    /// A file with that node's API key.
    #[arg(long, env = "COUNTERSIGN_KEY_FILE", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Print the result as JSON, times in UTC.
    #[arg(long)]
    json: bool,
}

impl At {
    fn desk(&self) -> Result<Desk> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(130))
            .build()?;
        if let (Some(node), Some(file)) = (&self.node, &self.key_file) {
            let key = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            return Ok(Desk::new(client, node.trim_end_matches('/').to_owned(), key.trim().to_owned()));
        }
        let home = self.home.home()?;
        let dir = home.dir().display();
        if !home.dir().is_dir() {
            return Err(Usage(format!("there is no home at {dir}; `countersign init --home {dir}` makes one")).into());
        }
        let Some(running) = home.announced()? else {
            bail!("the node of {dir} does not run; start it: countersign serve --home {dir}");
        };
        Ok(Desk::new(client, running.management, home.api_key()?.to_string()))
    }

    /// Prints an answer: as JSON where that was asked for, otherwise as `words` says it.
    fn say(&self, answer: &Value, words: impl FnOnce(&Value)) -> Result<ExitCode> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(answer)?);
        } else {
            words(answer);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Adds what to do now to what went wrong.
fn what_next(fault: anyhow::Error) -> anyhow::Error {
    if let Some(Silent { base }) = fault.downcast_ref() {
        return anyhow::anyhow!("no node answers at {base}; start it: countersign serve --home DIR");
    }
    let Some(declined) = fault.downcast_ref::<Declined>() else { return fault };
    let hint = match declined.status {
        StatusCode::UNAUTHORIZED => "the API key is another node's: check --home, or --node and --key-file",
        StatusCode::NOT_FOUND
            if declined.check.is_none() && declined.message.starts_with("there is nothing at this address") =>
        {
            "the node does not do this: a wallet, a gate and an operator answer to different commands"
        }
        StatusCode::CONFLICT if declined.check.is_some() => {
            "`countersign show ID` says where it stands, `countersign inbox` what is your turn"
        }
        StatusCode::BAD_GATEWAY if declined.message.contains("insufficient funds") => {
            "send coins to the account that the message names, then try again"
        }
        StatusCode::BAD_GATEWAY => "try again when the other side or the chain answers; nothing is lost",
        StatusCode::INTERNAL_SERVER_ERROR => "the log of `countersign serve` has the reason",
        _ => return fault,
    };
    anyhow::anyhow!("{declined}\n  {hint}")
}

/// The one negotiation that `given` means: the beginning of its id, of either side's pid, or of its contract's id.
async fn found(desk: &Desk, given: &str) -> Result<Value> {
    let all = desk.get("/api/negotiations").await?;
    let wanted = given.strip_prefix("urn:uuid:").unwrap_or(given).to_ascii_lowercase();
    let matching = |whole: bool| -> Vec<&Value> {
        let fits = |view: &&Value| {
            !wanted.is_empty()
                && ["/id", "/consumer_pid", "/provider_pid", "/offer/contract_id"].iter().any(|place| {
                    let id = view.pointer(place).and_then(Value::as_str).unwrap_or_default();
                    let id = id.strip_prefix("urn:uuid:").unwrap_or(id);
                    if whole { id == wanted } else { id.starts_with(&wanted) }
                })
        };
        all.as_array().into_iter().flatten().filter(fits).collect()
    };
    let exact = matching(true);
    let found = if exact.is_empty() { matching(false) } else { exact };
    match found[..] {
        [one] => Ok(one.clone()),
        [] => Err(Usage(format!(
            "there is no negotiation or contract `{given}` here; `countersign negotiations` lists them"
        ))
        .into()),
        _ => {
            let ids: Vec<String> = found.iter().map(|view| words::text(view, "/id")).collect();
            Err(Usage(format!("`{given}` is the beginning of several: {}; write more of it", ids.join(", "))).into())
        }
    }
}

/// A member of an answer that has to be a text.
fn member(answer: &Value, pointer: &str) -> Result<String> {
    let found = answer.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("the node's answer has no {pointer}"))
}

/// What a file holds, or standard input for `-`, without the white space around it.
fn read_text(path: &Path) -> Result<String> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(MOST).read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(path)
            .map_err(|cause| Usage(format!("cannot open {}: {cause}; `-` is standard input", path.display())))?;
        file.take(MOST).read_to_string(&mut text)
    };
    read.with_context(|| format!("cannot read {}", path.display()))?;
    match text.trim() {
        "" => bail!("{} is empty", path.display()),
        text => Ok(text.to_owned()),
    }
}
