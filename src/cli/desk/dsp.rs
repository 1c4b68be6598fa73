use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::super::Usage;
use super::super::calls::Desk;
use super::words::{brief, head, table, text, when};
use super::{At, one_of, read_text};

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
    Datasets(Datasets),
    Dataset(Dataset),
}

impl Dsp {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        match self {
            Self::List(command) => command.run().await,
            Self::Show(command) => command.which.show().await,
            Self::Start(command) => command.run().await,
            Self::Offer(command) => command.run("offer").await,
            Self::Counter(command) => command.run("counter").await,
            Self::Accept(command) => command.run("accept").await,
            Self::Agree(command) => command.run("agree").await,
            Self::Verify(command) => command.act("verify", json!({})).await,
            Self::Finalize(command) => command.act("finalize", json!({})).await,
            Self::Terminate(command) => command.run().await,
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
            let mut rows = vec![head(&["Id", "State", "Side", "With", "Dataset", "Cataloged", "Your turn"])];
            rows.extend(all.as_array().into_iter().flatten().map(|view| {
                vec![
                    brief(&text(view, "/id")),
                    text(view, "/state"),
                    text(view, "/role"),
                    text(view, "/counterparty"),
                    text(view, "/dataset"),
                    cataloged(view).to_owned(),
                    if view["person"] == true { "yes" } else { "" }.to_owned(),
                ]
            }));
            if rows.len() == 1 { println!("no plain negotiations") } else { table(&rows) }
        })
    }
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
    /// The negotiation: the beginning of its id.
    id: String,
}

impl Which {
    async fn act(&self, act: &str, order: Value) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let id = found(&desk, &self.id).await?;
        let view = desk.post(&format!("/api/dsp/negotiations/{id}/{act}"), &order).await?;
        self.at.say(&view, |view| println!("{} is {} (plain, unsigned)", brief(&id), text(view, "/state")))
    }

    async fn show(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let view = desk.get(&format!("/api/dsp/negotiations/{}", found(&desk, &self.id).await?)).await?;
        self.at.say(&view, print)
    }
}

/// Shows one plain negotiation: who promises what to whom, and how its offers changed.
///
/// Example: countersign dsp show 3f0c
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    which: Which,
}

fn print(view: &Value) {
    println!("{}  {}  plain, unsigned", text(view, "/id"), text(view, "/state"));
    println!("dataset     {}", text(view, "/dataset"));
    println!("cataloged   {}", cataloged(view));
    for role in ["provider", "consumer", "promisor", "promisee"] {
        let who = text(view, &format!("/parties/{role}"));
        println!("{role:<11} {who}{}", if text(view, "/role") == role { "  (this party)" } else { "" });
    }
    for (number, offer) in view["offers"].as_array().into_iter().flatten().enumerate() {
        println!(
            "offer {}     {} {}, by the {}",
            number + 1,
            when(&text(offer, "/at")),
            text(offer, "/offer/@id"),
            text(offer, "/by")
        );
        for (sign, place) in [("+", "/changes/added"), ("-", "/changes/removed")] {
            for change in offer.pointer(place).and_then(Value::as_array).into_iter().flatten() {
                println!("            {sign} {} {}", text(change, "/0"), change[1]);
            }
        }
    }
    for entered in view["history"].as_array().into_iter().flatten() {
        let who = text(entered, "/decided/name");
        let who = if who.is_empty() { String::new() } else { format!(", decided by {who}") };
        println!("{}  {} by the {}{who}", when(&text(entered, "/at")), text(entered, "/state"), text(entered, "/by"));
    }
    if let Some(ending) = view["ending"].as_object() {
        println!("ended       {} {}", text(view, "/ending/code"), ending.get("reason").unwrap_or(&Value::Null));
    }
    let acts: Vec<String> =
        view["acts"].as_array().into_iter().flatten().filter_map(|act| Some(act.as_str()?.to_owned())).collect();
    if view["person"] == true {
        println!("your turn: countersign dsp {} {}", acts.join(" | "), brief(&text(view, "/id")));
    }
}

/// Begins a plain negotiation: as consumer with a request, as provider with an offer that nobody asked for.
///
/// Example: countersign dsp start --with did:key:zDn… --at https://provider.example/dsp/2025-1 --dataset urn:uuid:3f0c…
#[derive(Debug, Args)]
pub struct Start {
    #[command(flatten)]
    at: At,
    /// With whom: a DID, or the name that the configuration gives a party.
    #[arg(long, value_name = "PARTICIPANT")]
    with: String,
    /// Where that party takes messages, the version path included.
    #[arg(long = "at", value_name = "URL", id = "address")]
    address: String,
    /// The dataset.
    #[arg(long, value_name = "ID")]
    dataset: String,
    /// Begin as provider, with an offer.
    #[arg(long)]
    provider: bool,
    /// The offer's id, in the provider's catalog or of your own.
    #[arg(long, value_name = "ID")]
    offer: Option<String>,
    /// A file with the terms, a JSON object with permission, prohibition or obligation; `-` is standard input.
    #[arg(long, value_name = "FILE|-")]
    terms: Option<PathBuf>,
    #[command(flatten)]
    promise: Promise,
}

/// Who promises what to whom.
#[derive(Debug, Args)]
pub struct Promise {
    /// Who promises; the provider unless somebody is named.
    #[arg(long, value_name = "PARTICIPANT")]
    promisor: Option<String>,
    /// To whom; the consumer unless somebody is named.
    #[arg(long, value_name = "PARTICIPANT")]
    promisee: Option<String>,
}

impl Promise {
    fn write_into(&self, body: &mut Value) {
        for (name, who) in [("promisor", &self.promisor), ("promisee", &self.promisee)] {
            if let Some(who) = who {
                body[name] = json!(who);
            }
        }
    }
}

fn terms(file: &Path) -> Result<Value> {
    let terms: Value = serde_json::from_str(&read_text(file)?)
        .map_err(|cause| Usage(format!("{} is no JSON: {cause}", file.display())))?;
    Ok(terms)
}

impl Start {
    async fn run(&self) -> Result<ExitCode> {
        let mut order = json!({ "counterparty": self.with, "address": self.address, "dataset": self.dataset });
        if self.provider {
            order["role"] = json!("provider");
        }
        if let Some(offer) = &self.offer {
            order["offer"] = json!(offer);
        }
        if let Some(file) = &self.terms {
            order["terms"] = terms(file)?;
        }
        self.promise.write_into(&mut order);
        let began = self.at.desk()?.post("/api/dsp/negotiations", &order).await?;
        self.at.say(&began, |began| println!("began {}", text(began, "/id")))
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
    #[command(flatten)]
    promise: Promise,
}

impl Terms {
    async fn run(&self, act: &str) -> Result<ExitCode> {
        let mut order = json!({});
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

/// Shows what this party offers over the Dataspace Protocol: its assets, and datasets for plain mode.
///
/// Example: countersign dsp datasets
#[derive(Debug, Args)]
pub struct Datasets {
    #[command(flatten)]
    at: At,
}

impl Datasets {
    async fn run(&self) -> Result<ExitCode> {
        let all = self.at.desk()?.get("/api/dsp/datasets").await?;
        self.at.say(&all, |all| {
            let mut rows = vec![head(&["Dataset", "Title", "Offers"])];
            rows.extend(all.as_array().into_iter().flatten().map(|set| {
                let offers = set["offers"].as_array().into_iter().flatten().map(|offer| text(offer, "/id"));
                vec![text(set, "/id"), text(set, "/title"), offers.collect::<Vec<_>>().join(", ")]
            }));
            if rows.len() == 1 { println!("nothing is offered") } else { table(&rows) }
        })
    }
}

/// Offers a dataset in plain mode.
///
/// FILE is JSON: {"id", "title"?, "offers": [{"id", "terms": {"permission": […]}, "promisor"?}], "distributions"?: [{"format"}]}
///
/// Example: countersign dsp dataset junction.json
#[derive(Debug, Args)]
pub struct Dataset {
    #[command(flatten)]
    at: At,
    /// The dataset; `-` reads standard input.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
}

impl Dataset {
    async fn run(&self) -> Result<ExitCode> {
        let listed = self.at.desk()?.post("/api/dsp/datasets", &terms(&self.file)?).await?;
        self.at.say(&listed, |listed| println!("offers {} in plain mode", text(listed, "/id")))
    }
}

/// The one negotiation whose id begins so.
async fn found(desk: &Desk, given: &str) -> Result<String> {
    let all = desk.get("/api/dsp/negotiations?limit=1000").await?;
    one_of(&all, given, || format!("there is no plain negotiation `{given}`; `countersign dsp list` lists them"))
}
