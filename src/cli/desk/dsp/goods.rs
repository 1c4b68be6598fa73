//! What is offered over the Dataspace Protocol: by this party, and by others.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::super::At;
use super::super::words::{argument, head, table, text, whole};
use super::terms;

/// Reads another connector's catalog over the Dataspace Protocol: dataset ids, offers, and their terms in words.
///
/// Example: countersign dsp catalog --with did:key:zDn… --at https://provider.example/dsp/2025-1
#[derive(Debug, Args)]
pub struct Catalog {
    #[command(flatten)]
    at: At,
    /// Whose: a DID, or the name that the configuration gives a party.
    #[arg(long, value_name = "PARTICIPANT")]
    with: String,
    /// Where that party takes messages, the version path included; needed unless `[[dsp.peer]]` or its own messages say.
    #[arg(long = "at", value_name = "URL", id = "address")]
    address: Option<String>,
    /// Only this dataset, or whatever filter the provider knows, as JSON; may be given several times.
    #[arg(long, value_name = "ID|JSON")]
    filter: Vec<String>,
}

impl Catalog {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let mut order = json!({ "counterparty": self.with });
        if let Some(address) = &self.address {
            order["address"] = json!(address);
        }
        let filter = self.filter.iter().map(|one| match serde_json::from_str(one) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
            _ => json!(one),
        });
        order["filter"] = filter.collect();
        let catalog = self.at.desk()?.post("/api/dsp/catalogs", &order).await?;
        self.at.say(&catalog, print)
    }
}

fn print(catalog: &Value) {
    let sets: Vec<&Value> = catalog["datasets"].as_array().into_iter().flatten().collect();
    let says = whole(catalog, "/participant");
    if !says.is_empty() && says != whole(catalog, "/counterparty") {
        println!("WARNING: the catalog says of itself that it is {says}'s\n");
    }
    if sets.is_empty() {
        println!("nothing is listed");
    }
    for set in &sets {
        println!("{}  {}", whole(set, "/id"), whole(set, "/title"));
        for offer in set["offers"].as_array().into_iter().flatten() {
            let promisor = whole(offer, "/promisor");
            let promised = if promisor.is_empty() { promisor } else { format!(", promised by {promisor}") };
            println!("  offer {}{promised}", whole(offer, "/id"));
            for (number, sentence) in offer["in_words"].as_array().into_iter().flatten().enumerate() {
                println!("    {}. {}", number + 1, whole(sentence, ""));
            }
        }
        let formats: Vec<String> =
            set["formats"].as_array().into_iter().flatten().map(|format| text(format, "")).collect();
        if !formats.is_empty() {
            println!("  had as {}", formats.join(", "));
        }
        println!();
    }
    if catalog["unread"].as_u64().is_some_and(|unread| unread > 0) {
        println!("{} entries did not read as datasets", catalog["unread"]);
    }
    if catalog["more"] == true {
        println!("there is more than was read; --filter narrows it");
    }
    if let Some(set) = sets.first() {
        let [with, at, set] = [("/counterparty", catalog), ("/address", catalog), ("/id", *set)]
            .map(|(place, value)| argument(&whole(value, place)));
        println!("ask for one: countersign dsp start --with {with} --at {at} --dataset {set}");
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
    pub(super) async fn run(&self) -> Result<ExitCode> {
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
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let listed = self.at.desk()?.post("/api/dsp/datasets", &terms(&self.file)?).await?;
        self.at.say(&listed, |listed| println!("offers {} in plain mode", text(listed, "/id")))
    }
}
