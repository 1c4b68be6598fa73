use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::super::Later;
use super::dsp;
use super::goods::wanted;
use super::people::known;
use super::ready::warn;
use super::show::stuck;
use super::words::{Progress, brief, called, head, money, table, text, until, when, whole};
use super::{At, member};
use crate::policy::Money;

/// What is wished or stated about an offer.
#[derive(Debug, Args)]
pub struct Wishes {
    /// The template's id.
    #[arg(long, value_name = "ID")]
    template: Option<String>,
    /// The price, as "400.00 EUR".
    #[arg(long, value_parser = price, value_name = "PRICE")]
    price: Option<Money>,
    /// A value of the template's parameters; may be given several times.
    #[arg(long = "set", value_parser = parameter, value_name = "NAME=VALUE")]
    parameters: Vec<(String, Value)>,
}

impl Wishes {
    /// Puts what was said into the body of a call.
    pub fn write_into(&self, body: &mut Value) {
        if let Some(template) = &self.template {
            body["template"] = json!(template);
        }
        if let Some(price) = &self.price {
            body["price"] = json!(price);
        }
        if !self.parameters.is_empty() {
            body["parameters"] = self.parameters.iter().cloned().collect::<Map<_, _>>().into();
        }
    }
}

/// An amount with its currency.
pub fn price(text: &str) -> Result<Money, String> {
    let (amount, currency) = text.trim().split_once(' ').ok_or("expected an amount and a currency: \"400.00 EUR\"")?;
    serde_json::from_value(json!({ "amount": amount, "currency": currency.trim() })).map_err(|cause| cause.to_string())
}

/// A name with its value: JSON, or else a text.
pub fn parameter(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| json!(value))))
}

/// Asks a provider for an offer.
///
/// Example: countersign request --from alice --asset "Motorway junction" --price "350.00 EUR"
#[derive(Debug, Args)]
pub struct Request {
    #[command(flatten)]
    at: At,
    /// The provider: a contact's name, or a DID.
    #[arg(long, value_name = "PARTY")]
    from: String,
    /// The asset: its id, or its title as the provider's catalog has it.
    #[arg(long, value_name = "ID|TITLE")]
    asset: String,
    #[command(flatten)]
    wishes: Wishes,
}

impl Request {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let provider = known(&desk, &self.from).await?;
        let asset = wanted(&desk, &provider, &self.asset).await?;
        let mut order = json!({ "provider": provider, "asset": asset });
        self.wishes.write_into(&mut order);
        let asked = desk.post("/api/requests", &order).await?;
        member(&asked, "/id")?;
        self.at.say(&asked, |asked| {
            let id = text(asked, "/id");
            println!("asked: {id}");
            println!("the answer comes into your inbox; `countersign watch {}` waits for it", brief(&id));
        })
    }
}

/// Shows what waits for you: which decision, until when, and the command for it; what a rule decides is marked, and so is
/// what is plain: negotiated over the Dataspace Protocol, and signed by nobody.
///
/// Below stands what does not get through to others, what that means, and what to do about it.
///
/// Example: countersign inbox --wait 60
#[derive(Debug, Args)]
pub struct Inbox {
    #[command(flatten)]
    at: At,
    /// Wait so many seconds for something to wait for you; exit code 3 says that nothing came.
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
}

impl Inbox {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        warn(&desk).await?;
        let (began, mut progress) = (Instant::now(), Progress::new());
        let waiting = loop {
            let waiting = desk.get("/api/waiting").await?;
            let nothing = waiting.as_array().is_some_and(Vec::is_empty);
            match self.wait {
                Some(wait) if nothing && began.elapsed() < Duration::from_secs(wait) => {
                    progress.at(|| format!("nothing waits for you yet, {} s", began.elapsed().as_secs()));
                    sleep(Duration::from_millis(200)).await;
                }
                Some(wait) if nothing => {
                    return Err(Later(format!("nothing has come to wait for you within {wait} s")).into());
                }
                _ => break waiting,
            }
        };
        drop(progress);
        let undelivered = desk.get("/api/undelivered").await?;
        self.at.say(&waiting, |waiting| {
            let items: Vec<&Value> = waiting.as_array().into_iter().flatten().collect();
            if items.is_empty() {
                println!("nothing waits for you");
            }
            let plain = items.iter().filter(|item| item["mode"] == "plain").count();
            for (place, item) in items.into_iter().enumerate() {
                if place > 0 {
                    println!();
                }
                print_waiting(item);
            }
            if plain >= MOST_PLAIN {
                println!("\nthere are more: of plain negotiations only the {MOST_PLAIN} most urgent are shown");
            }
            super::undelivered::print(&undelivered);
        })
    }
}

/// How many plain negotiations a node shows at most.
const MOST_PLAIN: usize = 1000;

/// A plain negotiation that waits.
fn print_plain(item: &Value) {
    // The beginning of an id finds one among the newest negotiations; which one that is not, the node knows.
    let id =
        text(item, "/command").rsplit_once(' ').map_or_else(|| brief(&text(item, "/negotiation")), |it| it.1.into());
    let what = match item["decision"].as_str() {
        Some("accept") => "accept an offer",
        Some("agree") => "agree to what the other side wants",
        Some("verify") => "verify an agreement",
        Some("finalize") => "finalize an agreement",
        _ => "decide",
    };
    println!("{id}  {what}  (plain: nobody signs anything)");
    let line = |name: &str, value: &str| println!("          {name:<8}{value}");
    line("with", &called(item, "/counterparty_name", "/counterparty"));
    let (title, asset) = (text(item, "/title"), whole(item, "/asset"));
    line("dataset", &if title.is_empty() { asset } else { format!("{title}  ({asset})") });
    let theirs = item["promisor"] == item["counterparty"];
    line("promise", if theirs { "the other side promises you" } else { "you promise the other side" });
    let cataloged = match item["cataloged"].as_bool() {
        Some(true) => "the terms are those of the provider's catalog",
        Some(false) => "the terms are not those of the provider's catalog",
        None => "nobody has looked into the provider's catalog",
    };
    line("catalog", cataloged);
    line("time", &item["until"].as_str().map_or_else(|| "no deadline yet".to_owned(), until));
    line("decides", "a person: you");
    let decision = dsp::command(&text(item, "/decision"), &id, &item["offer"]);
    line("next", &format!("countersign dsp show {id}; {decision}, or countersign dsp terminate {id} --reason …"));
}

fn print_waiting(item: &Value) {
    if item["mode"] == "plain" {
        return print_plain(item);
    }
    let id = brief(&text(item, "/negotiation"));
    let proposed = item["decision"] == "accept" && item["offer_sha256"].is_null();
    let what = match item["decision"].as_str() {
        Some("offer") => "make an offer",
        Some("accept") if proposed => "answer a proposal",
        Some("accept") => "accept an offer",
        Some("record") => "confirm that the contract is recorded",
        _ => "decide",
    };
    println!("{id}  {what}");
    let line = |name: &str, value: &str| println!("          {name:<8}{value}");
    line("with", &called(item, "/counterparty_name", "/counterparty"));
    let title = text(item, "/title");
    let asset = text(item, "/asset");
    line("asset", &if title.is_empty() { asset } else { format!("{title}  ({asset})") });
    if item["price"].is_object() {
        line("price", &money(&item["price"]));
    }
    match item["until"].as_str() {
        Some(time) => line("time", &until(time)),
        None => line("time", "no deadline yet"),
    }
    let stuck = stuck(item);
    match item["rule"].as_str() {
        Some(_) if !stuck.is_empty() => line("decides", &format!("a person: you, since the rule {stuck}")),
        Some(_) => line("decides", &format!("the rule “{}” of the configuration", text(item, "/rule"))),
        None => line("decides", "a person: you"),
    }
    if proposed {
        line("note", "it binds nobody: accepting asks for exactly these terms, and the signed offer comes then");
    }
    if item["cancel_asked"].is_string() {
        line("note", &format!("the consumer asks to cancel: {}", text(item, "/cancel_asked")));
    }
    let decision = text(item, "/decision");
    line("next", &format!("countersign show {id}; countersign {decision} {id}, or countersign reject {id} --reason …"));
}

/// Lists every negotiation, newest first; plain ones, which nobody signs, by themselves.
///
/// With --json it is those that end in contracts; `countersign dsp list --json` has the plain ones.
///
/// Example: countersign negotiations --json
#[derive(Debug, Args)]
pub struct Negotiations {
    #[command(flatten)]
    at: At,
}

impl Negotiations {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let (views, plain) = (desk.get("/api/negotiations").await?, dsp::plain(&desk).await?);
        self.at.say(&views, |views| {
            let mut rows = vec![head(&["Id", "State", "You are", "With", "Since", "Price", "Contract", "Asset"])];
            rows.extend(views.as_array().into_iter().flatten().map(|view| {
                let since = view["history"].as_array().and_then(|history| history.last());
                let since = since.map_or_else(String::new, |moved| when(moved["at"].as_str().unwrap_or_default()));
                let contract = if view["hash"].is_null() { String::new() } else { text(view, "/offer/contract_id") };
                vec![
                    brief(&text(view, "/id")),
                    text(view, "/state"),
                    text(view, "/role"),
                    called(view, "/counterparty_name", "/counterparty"),
                    since,
                    money(&view["offer"]["price"]),
                    brief(&contract),
                    called(view, "/offer/asset/title", "/asset"),
                ]
            }));
            let plain = dsp::rows(&plain.unwrap_or_default());
            if rows.len() == 1 && plain.len() == 1 {
                return println!("no negotiations yet");
            }
            if rows.len() > 1 {
                table(&rows);
            }
            if plain.len() > 1 {
                println!(
                    "{}Plain, over the Dataspace Protocol; nobody signs anything: countersign dsp show ID",
                    if rows.len() > 1 { "\n" } else { "" }
                );
                table(&plain);
            }
        })
    }
}
