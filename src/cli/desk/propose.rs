use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::super::Usage;
use super::decisions::seconds;
use super::listing::own;
use super::people::known;
use super::talks::Wishes;
use super::words::{brief, text};
use super::{At, found, member};

/// Who promises in a contract: its provider, unless the two agree otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Promisor {
    /// The data provider promises to the data consumer.
    Provider,
    /// The data consumer promises to the data provider, for example to take what it is sent.
    Consumer,
}

/// Proposes terms to somebody who has not asked: you are the data provider.
///
/// The asset has to be listed, and need not be in the catalog (`countersign list ASSET --cataloged false`). Whoever takes
/// the proposal up as it is gets the offer that it promises, without another decision of yours.
///
/// Example: countersign propose --to bob --asset "Motorway junction" --price "0.00 EUR" --promisor consumer
#[derive(Debug, Args)]
pub struct Propose {
    #[command(flatten)]
    at: At,
    /// The consumer: a contact's name, or a DID.
    #[arg(long, value_name = "PARTY")]
    to: String,
    /// The asset: its id or title, or the beginning of one.
    #[arg(long, value_name = "ID|TITLE")]
    asset: String,
    #[command(flatten)]
    terms: Wishes,
    /// Who promises.
    #[arg(long, value_enum, default_value = "provider")]
    promisor: Promisor,
    /// Until when it can be taken up: 90s, 30m, 12h or 2d from now.
    #[arg(long, value_parser = seconds, value_name = "TIME")]
    answer_within: Option<i64>,
}

impl Propose {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let consumer = known(&desk, &self.to).await?;
        let asset = own(&desk, &self.asset).await?["asset"]["id"].clone();
        let mut order = json!({ "consumer": consumer, "asset": asset });
        self.terms.write_into(&mut order);
        if let Some(seconds) = self.answer_within {
            order["answer_within"] = seconds.into();
        }
        if self.promisor == Promisor::Consumer {
            order["promisor"] = consumer.into();
            order["promisee"] = desk.get("/api/self").await?["did"].clone();
        }
        let proposed = desk.post("/api/proposals", &order).await?;
        member(&proposed, "/id")?;
        self.at.say(&proposed, |proposed| {
            let id = text(proposed, "/id");
            println!("proposed: {id}");
            println!("`countersign watch {}` tells what becomes of it", brief(&id));
        })
    }
}

/// Answers what is on the table with other terms: a consumer asks anew, a provider offers.
///
/// What is not said stays as it was asked for last.
///
/// Example: countersign counter 5b0f6a3e --price "350.00 EUR"
#[derive(Debug, Args)]
pub struct Counter {
    #[command(flatten)]
    at: At,
    /// The negotiation, or the beginning of its id.
    id: String,
    #[command(flatten)]
    terms: Wishes,
    /// Who promises; as before when absent. Only a consumer asks for that; a provider offers what was asked.
    #[arg(long, value_enum)]
    promisor: Option<Promisor>,
}

impl Counter {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let view = found(&desk, &self.id).await?;
        let id = member(&view, "/id")?;
        let provides = view["role"] == "provider";
        if !provides && view["state"] == "REQUESTED" {
            let short = brief(&id);
            let how = format!("countersign cancel {short} takes it back, and `countersign request` asks anew");
            return Err(Usage(format!("your request in {short} waits for its answer: {how}")).into());
        }
        let mut order = as_before(&view);
        if !provides {
            self.of_a_consumer(&mut order, &view, &member(&desk.get("/api/self").await?, "/did")?)?;
        }
        self.terms.write_into(&mut order);
        let act = if provides { "offer" } else { "request" };
        let view = desk.post(&format!("/api/negotiations/{id}/{act}"), &order).await?;
        self.at.say(&view, |view| {
            println!("{} is {}: your terms are on the table", brief(&text(view, "/id")), text(view, "/state"));
        })
    }

    fn of_a_consumer(&self, order: &mut Value, view: &Value, own: &str) -> Result<()> {
        let provider = member(view, "/counterparty")?;
        (order["provider"], order["asset"]) = (provider.as_str().into(), view["asset"].clone());
        (order["promisor"], order["promisee"]) = match self.promisor {
            None => (view["promisor"].clone(), view["promisee"].clone()),
            Some(Promisor::Provider) => (provider.into(), own.into()),
            Some(Promisor::Consumer) => (own.into(), provider.into()),
        };
        Ok(())
    }
}

/// Template, price and parameters as they were said last.
fn as_before(view: &Value) -> Value {
    let mut order = json!({});
    let said = view["rounds"].as_array().into_iter().flatten();
    for (name, value) in said.flat_map(|round| round["terms"].as_object().into_iter().flatten()) {
        match name.strip_prefix("parameter ") {
            Some(parameter) => order["parameters"][parameter] = value.clone(),
            None if name == "template" || name == "price" => order[name] = value.clone(),
            None => {}
        }
    }
    order
}
