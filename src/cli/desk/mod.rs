//! What the people at a contract desk do every day: thin commands that talk to their running node.

mod api_keys;
mod books;
mod contracts;
mod decisions;
mod dsp;
mod fees;
mod fetch;
mod goods;
mod mediation;
mod held;
mod invite;
mod listing;
mod papers;
mod people;
mod proofs;
mod propose;
mod ready;
mod receipts;
mod rolls;
mod rounds;
mod show;
mod talks;
mod watch;
mod templates;
mod transfer;
mod undelivered;
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
use super::{HomeArgument, Later, Usage};
pub use books::day_or_second;
pub use words::{Progress, localized, when};

/// The longest text that is read from a file or standard input.
const MOST: u64 = 256 * 1024;

/// The word for the newest negotiation.
const LATEST: &str = "latest";

/// The commands of a desk.
#[derive(Debug, Subcommand)]
pub enum Command {
    ApiKey(api_keys::ApiKeyArgs),
    Ready(ready::Ready),
    Invite(invite::Invite),
    Contact(people::ContactArgs),
    Join(people::Join),
    Template(templates::TemplateArgs),
    List(listing::List),
    Unlist(listing::Unlist),
    Assets(goods::Assets),
    Catalog(goods::Catalog),
    Search(goods::Search),
    Request(talks::Request),
    Propose(propose::Propose),
    Counter(propose::Counter),
    Inbox(talks::Inbox),
    Negotiations(talks::Negotiations),
    Show(show::Show),
    Watch(watch::Watch),
    Offer(decisions::Offer),
    Accept(decisions::Accept),
    Reject(decisions::Reject),
    Cancel(decisions::Cancel),
    Record(decisions::Record),
    Contracts(held::Contracts),
    Download(contracts::Download),
    Fetch(fetch::Fetch),
    Receipts(receipts::Receipts),
    End(contracts::End),
    Withdraw(contracts::Withdraw),
    Mediation(mediation::Mediation),
    Mediator(mediation::Mediator),
    StateFees(fees::StateFees),
    Members(rolls::Members),
    Approvals(rolls::Approvals),
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
            Self::ApiKey(command) => command.run().await,
            Self::Ready(command) => command.run().await,
            Self::Invite(command) => command.run().await,
            Self::Contact(command) => command.run().await,
            Self::Join(command) => command.run().await,
            Self::Template(command) => command.run().await,
            Self::List(command) => command.run().await,
            Self::Unlist(command) => command.run().await,
            Self::Assets(command) => command.run().await,
            Self::Catalog(command) => command.run().await,
            Self::Search(command) => command.run().await,
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
            Self::Contracts(command) => command.run().await,
            Self::Download(command) => command.run().await,
            Self::Fetch(command) => command.run().await,
            Self::Receipts(command) => command.run().await,
            Self::End(command) => command.run().await,
            Self::Withdraw(command) => command.run().await,
            Self::Mediation(command) => command.run().await,
            Self::Mediator(command) => command.run().await,
            Self::StateFees(command) => command.run().await,
            Self::Members(command) => command.run().await,
            Self::Approvals(command) => command.run().await,
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
    pub(super) fn desk(&self) -> Result<Desk> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(130))
            .build()?;
        if let (Some(node), Some(file)) = (&self.node, &self.key_file) {
            let parsed = reqwest::Url::parse(node).ok();
            if !parsed.is_some_and(|url| matches!(url.scheme(), "http" | "https")) {
                let form = "the address that `countersign serve` prints as \"management\", as http://127.0.0.1:8081";
                return Err(Usage(format!("--node {node} is no address of a node: {form}")).into());
            }
            let key = std::fs::read_to_string(file).map_err(|cause| {
                let whose = "it is that node's file `api-key`, or what `countersign api-key add` printed there";
                Usage(format!("cannot read the key file {}: {cause}; {whose}", file.display()))
            })?;
            return Ok(Desk::new(client, node.trim_end_matches('/').to_owned(), key.trim().to_owned()));
        }
        let home = self.home.made()?;
        let dir = home.dir().display();
        let Some(running) = home.announced()? else {
            let how = format!("the node of {dir} does not run; start it: countersign serve --home {dir}");
            return Err(Later(how).into());
        };
        Ok(Desk::new(client, running.management, home.api_key()?.to_string()))
    }

    /// The home, where no node elsewhere is named.
    pub(super) fn own_home(&self) -> Option<super::home::Home> {
        if self.node.is_some() { None } else { self.home.home().ok() }
    }

    /// Prints an answer: as JSON where that was asked for, otherwise as `words` says it.
    pub(super) fn say(&self, answer: &Value, words: impl FnOnce(&Value)) -> Result<ExitCode> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(answer)?);
        } else {
            words(answer);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Adds what to do now to what went wrong.
pub(super) fn what_next(fault: anyhow::Error) -> anyhow::Error {
    if let Some(Silent { base }) = fault.downcast_ref() {
        return Later(format!("no node answers at {base}; start it: countersign serve --home DIR")).into();
    }
    let Some(declined) = fault.downcast_ref::<Declined>() else { return fault };
    let own = declined.message.contains("`countersign");
    let hint = match declined.status {
        StatusCode::UNAUTHORIZED => "the API key is another node's: check --home, or --node and --key-file",
        StatusCode::NOT_FOUND if nobody_there(declined) => return Usage(NOT_MANAGEMENT.into()).into(),
        StatusCode::NOT_FOUND
            if declined.check.is_none() && declined.message.starts_with("there is nothing at this address") =>
        {
            let which = "a wallet, a gate, an operator and a mediator answer to different ones, and `dsp` and `transfer` need a table [dsp]; --home or --node names the node";
            return Usage(format!("this node does not answer to this command: {which}")).into();
        }
        StatusCode::CONFLICT if declined.check.as_deref().is_some_and(|check| check.starts_with("negotiation.")) => {
            "`countersign show ID`, of a plain one `countersign dsp show ID`, says where it stands; `countersign inbox` what is your turn"
        }
        StatusCode::CONFLICT if declined.check.as_deref() == Some("key.name") => {
            "`countersign api-key list` names those that are there; `countersign api-key remove NAME` frees a name"
        }
        StatusCode::UNPROCESSABLE_ENTITY if declined.check.as_deref() == Some("offer.windows") => {
            "--accept-within, --record-within and --valid-for say them here; what you leave out is as [wallet.windows] has it"
        }
        StatusCode::UNPROCESSABLE_ENTITY
            if matches!(declined.check.as_deref(), Some("template.value" | "template.values")) =>
        {
            "--set NAME=VALUE gives a value; `countersign template show TEMPLATE` says what each is for"
        }
        StatusCode::UNPROCESSABLE_ENTITY if !own && declined.check.as_deref() == Some("participant.window") => {
            "the operator that vouches for it can admit it again; nothing can be signed with it until then"
        }
        StatusCode::UNPROCESSABLE_ENTITY if !own && declined.check.as_deref() == Some("participant.issuer") => {
            "[trust] operators in the configuration says whom this node believes: countersign trust --operator DID"
        }
        StatusCode::BAD_GATEWAY if declined.message.contains("insufficient funds") => {
            "send coins to the account that the message names, then try again"
        }
        StatusCode::BAD_GATEWAY if declined.message.starts_with("the chain refused") => return fault,
        StatusCode::BAD_GATEWAY => {
            let what = "try again when the other side or the chain answers; nothing is lost";
            return Later(format!("{declined}\n  {what}")).into();
        }
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::GATEWAY_TIMEOUT => {
            return Later(format!("{declined}\n  try again later; nothing is lost")).into();
        }
        StatusCode::INTERNAL_SERVER_ERROR => "the log of `countersign serve` has the reason",
        _ => return fault,
    };
    anyhow::anyhow!("{declined}\n  {hint}")
}

/// What is said to whoever calls a node where the world calls it.
const NOT_MANAGEMENT: &str = "no node is managed at this address: --node takes the one that `countersign serve` prints as \
                              \"management\", and not the public one (running.json in the node's home has both)";

/// Whether an answer comes from a listener that knows no management interface at all.
fn nobody_there(declined: &Declined) -> bool {
    declined.status == StatusCode::NOT_FOUND
        && declined.check.is_none()
        && (declined.message.starts_with("the answer was 404")
            || declined.message == "there is nothing at this address")
}

/// The one negotiation that `given` means: the beginning of its id, of either side's pid, or of its contract's id.
/// `latest` is the newest.
async fn found(desk: &Desk, given: &str) -> Result<Value> {
    let all = desk.get("/api/negotiations").await?;
    if given == LATEST {
        let newest = all.as_array().and_then(|all| all.first());
        return newest.cloned().ok_or_else(|| Usage("there is no negotiation here yet".into()).into());
    }
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

/// The one id in a list that begins as `given` does; `none` says what there is not.
fn one_of(all: &Value, given: &str, none: impl FnOnce() -> String) -> Result<String> {
    let wanted = given.strip_prefix("urn:uuid:").unwrap_or(given).to_ascii_lowercase();
    let ids: Vec<String> = all
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|view| member(view, "/id").ok())
        .filter(|id| !wanted.is_empty() && id.trim_start_matches("urn:uuid:").starts_with(&wanted))
        .collect();
    match &ids[..] {
        [one] => Ok(one.clone()),
        [] => Err(Usage(none()).into()),
        _ => Err(Usage(format!("`{given}` is the beginning of several: {}", ids.join(", "))).into()),
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
