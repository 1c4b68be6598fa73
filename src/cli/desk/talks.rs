use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value, json};

use super::goods::reachable;
use super::words::{brief, head, money, table, text, until, when};
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

fn price(text: &str) -> Result<Money, String> {
    let (amount, currency) = text.trim().split_once(' ').ok_or("expected an amount and a currency: \"400.00 EUR\"")?;
    serde_json::from_value(json!({ "amount": amount, "currency": currency.trim() })).map_err(|cause| cause.to_string())
}

fn parameter(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| json!(value))))
}

/// Asks a provider for an offer.
///
/// Example: countersign request --from did:key:zDn… --asset urn:uuid:3f0c… --price "350.00 EUR"
#[derive(Debug, Args)]
pub struct Request {
    #[command(flatten)]
    at: At,
    /// The provider.
    #[arg(long, value_name = "DID")]
    from: String,
    /// The asset's id, as its catalog has it.
    #[arg(long, value_name = "ID")]
    asset: String,
    #[command(flatten)]
    wishes: Wishes,
}

impl Request {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        reachable(&desk, &self.from).await?;
        let mut order = json!({ "provider": self.from, "asset": self.asset });
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

/// Shows what waits for you: which decision, until when, and the command for it.
///
/// Example: countersign inbox
#[derive(Debug, Args)]
pub struct Inbox {
    #[command(flatten)]
    at: At,
}

impl Inbox {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let waiting = self.at.desk()?.get("/api/waiting").await?;
        self.at.say(&waiting, |waiting| {
            let items: Vec<&Value> = waiting.as_array().into_iter().flatten().collect();
            if items.is_empty() {
                println!("nothing waits for you");
            }
            for item in items {
                print_waiting(item);
            }
        })
    }
}

fn print_waiting(item: &Value) {
    let id = brief(&text(item, "/negotiation"));
    let what = match item["decision"].as_str() {
        Some("offer") => "make an offer",
        Some("accept") => "accept an offer",
        Some("record") => "confirm that the contract is recorded",
        _ => "decide",
    };
    println!("{id}  {what}");
    println!("          with    {}", text(item, "/counterparty"));
    println!("          asset   {}", text(item, "/asset"));
    if item["price"].is_object() {
        println!("          price   {}", money(&item["price"]));
    }
    match item["until"].as_str() {
        Some(time) => println!("          until   {}", until(time)),
        None => println!("          until   no deadline yet"),
    }
    if item["cancel_asked"].is_string() {
        println!("          note    the consumer asks to cancel: {}", text(item, "/cancel_asked"));
    }
    let decision = text(item, "/decision");
    println!(
        "          next    countersign show {id}; countersign {decision} {id}, or countersign reject {id} --reason …"
    );
}

/// Lists every negotiation, newest first.
///
/// Example: countersign negotiations --json
#[derive(Debug, Args)]
pub struct Negotiations {
    #[command(flatten)]
    at: At,
}

impl Negotiations {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let views = self.at.desk()?.get("/api/negotiations").await?;
        self.at.say(&views, |views| {
            let mut rows = vec![head(&["Id", "State", "You are", "Since", "Price", "Contract", "Asset"])];
            rows.extend(views.as_array().into_iter().flatten().map(|view| {
                let since = view["history"].as_array().and_then(|history| history.last());
                let since = since.map_or_else(String::new, |moved| when(moved["at"].as_str().unwrap_or_default()));
                let contract = if view["hash"].is_null() { String::new() } else { text(view, "/offer/contract_id") };
                vec![
                    brief(&text(view, "/id")),
                    text(view, "/state"),
                    text(view, "/role"),
                    since,
                    money(&view["offer"]["price"]),
                    brief(&contract),
                    text(view, "/asset"),
                ]
            }));
            if rows.len() == 1 {
                println!("no negotiations yet");
            } else {
                table(&rows);
            }
        })
    }
}
