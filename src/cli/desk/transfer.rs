use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::super::calls::Desk;
use super::words::{brief, head, readable_json, table, text, when};
use super::{At, one_of};

/// Transfers over the Dataspace Protocol: data under agreements that are FINALIZED.
///
/// Example: countersign transfer request urn:uuid:e8dc8655-44c2-46ef-b701-4cffdc2faa44
#[derive(Debug, Subcommand)]
pub enum Transfer {
    List(List),
    Show(Show),
    Request(Request),
    /// As provider, starts a transfer that was requested, or resumes one that is suspended; a consumer resumes.
    ///
    /// Example: countersign transfer start 5b0f6a3e
    Start(Decision),
    /// Suspends a transfer, until either side starts it again.
    ///
    /// Example: countersign transfer suspend 5b0f6a3e
    Suspend(Decision),
    /// Says that a transfer is complete.
    ///
    /// Example: countersign transfer complete 5b0f6a3e
    Complete(Decision),
    /// Ends a transfer before it is complete.
    ///
    /// Example: countersign transfer terminate 5b0f6a3e
    Terminate(Decision),
    Address(Address),
}

impl Transfer {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        match self {
            Self::List(command) => command.run().await,
            Self::Show(command) => command.run().await,
            Self::Request(command) => command.run().await,
            Self::Start(command) => command.run("start").await,
            Self::Suspend(command) => command.run("suspend").await,
            Self::Complete(command) => command.run("complete").await,
            Self::Terminate(command) => command.run("terminate").await,
            Self::Address(command) => command.run().await,
        }
    }
}

/// Lists transfers, newest first.
///
/// Example: countersign transfer list
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    at: At,
}

impl List {
    async fn run(&self) -> Result<ExitCode> {
        let all = self.at.desk()?.get("/api/dsp/transfers").await?;
        self.at.say(&all, |all| {
            let mut rows = vec![head(&["Id", "State", "Side", "With", "Asset", "Agreement"])];
            rows.extend(all.as_array().into_iter().flatten().map(|view| {
                let member = |name: &str| text(view, &format!("/{name}"));
                let brief = |name: &str| brief(&member(name));
                vec![brief("id"), member("state"), member("role"), member("peer"), member("asset"), brief("agreement")]
            }));
            if rows.len() == 1 { println!("no transfers") } else { table(&rows) }
        })
    }
}

/// Shows one transfer: under which agreement, and who moved it when.
///
/// Example: countersign transfer show 3f0c
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    at: At,
    /// The transfer: the beginning of its id.
    id: String,
}

impl Show {
    async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let view = desk.get(&format!("/api/dsp/transfers/{}", found(&desk, &self.id).await?)).await?;
        self.at.say(&view, |view| {
            println!("{}  {}", text(view, "/id"), text(view, "/state"));
            for name in ["asset", "agreement", "role", "peer", "endpoint"] {
                println!("{name:<11} {}", text(view, &format!("/{name}")));
            }
            for moved in view["history"].as_array().into_iter().flatten() {
                let why = text(moved, "/reason/code");
                let why = if why.is_empty() {
                    why
                } else {
                    format!(" ({why} {})", readable_json(&moved["reason"]["reason"]))
                };
                let (at, state, by) = (when(&text(moved, "/at")), text(moved, "/state"), text(moved, "/by"));
                println!("{at}  {state} by the {by}{why}");
            }
        })
    }
}

/// Asks for the data of an agreement, as its consumer.
///
/// Example: countersign transfer request urn:uuid:e8dc8655-44c2-46ef-b701-4cffdc2faa44
#[derive(Debug, Args)]
pub struct Request {
    #[command(flatten)]
    at: At,
    /// The agreement's id: `countersign dsp show --json` has it in `agreement`. Of a contract, the contract's id.
    agreement: String,
    /// Where the provider takes messages, if that is elsewhere by now than when the agreement was made.
    #[arg(long = "at", value_name = "URL", id = "address")]
    address: Option<String>,
}

impl Request {
    async fn run(&self) -> Result<ExitCode> {
        let mut order = json!({ "agreement": self.agreement });
        if let Some(address) = &self.address {
            order["address"] = json!(address);
        }
        let view = self.at.desk()?.post("/api/dsp/transfers", &order).await?;
        self.at.say(&view, |view| {
            let id = brief(&text(view, "/id"));
            println!("{id} is {}; once it is STARTED: countersign transfer address {id}", text(view, "/state"));
        })
    }
}

// The commands that share this say what they do where they are listed.
#[derive(Debug, Args)]
pub struct Decision {
    #[command(flatten)]
    at: At,
    /// The transfer: the beginning of its id.
    id: String,
    /// Why, for the counterparty.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl Decision {
    async fn run(&self, act: &str) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let id = found(&desk, &self.id).await?;
        let order = self.reason.as_ref().map_or_else(|| json!({}), |reason| json!({ "reason": reason }));
        let view = desk.post(&format!("/api/dsp/transfers/{id}/{act}"), &order).await?;
        self.at.say(&view, |view| println!("{} is {}", brief(&id), text(view, "/state")))
    }
}

/// Shows where a started transfer's data is, and the token that opens it. Whoever has the token has the data.
///
/// Example: countersign transfer address 3f0c
///
/// With curl: curl -H "Authorization: Bearer $(countersign transfer address 3f0c --json | jq -r .token)" URL
#[derive(Debug, Args)]
pub struct Address {
    #[command(flatten)]
    at: At,
    /// The transfer: the beginning of its id.
    id: String,
}

impl Address {
    async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let address = desk.get(&format!("/api/dsp/transfers/{}/address", found(&desk, &self.id).await?)).await?;
        self.at.say(&address, |address| {
            println!("data   {}", text(address, "/endpoint"));
            match text(address, "/token") {
                none if none.is_empty() => println!("opens  for the contract itself: countersign fetch"),
                token => println!("token  {token}"),
            }
        })
    }
}

/// The one transfer whose id begins so.
async fn found(desk: &Desk, given: &str) -> Result<String> {
    let all: Value = desk.get("/api/dsp/transfers").await?;
    one_of(&all, given, || format!("there is no transfer `{given}`; `countersign transfer list` lists them"))
}
