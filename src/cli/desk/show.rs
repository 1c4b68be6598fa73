use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::Value;

use super::words::{brief, money, text, until, when};
use super::{At, found, member};

/// Shows a negotiation or contract in readable words: who, what, each term, price, fee, times, and who decided.
///
/// Example: countersign show 5b0f6a3e
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    at: At,
    /// The negotiation or contract, or the beginning of its id.
    id: String,
    /// Only the terms, as ODRL.
    #[arg(long)]
    odrl: bool,
}

impl Show {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let view = found(&desk, &self.id).await?;
        if self.odrl {
            if view["offer"].is_null() {
                bail!("there is no offer yet, so there are no terms");
            }
            println!("{}", serde_json::to_string_pretty(&view["offer"]["terms"])?);
            return Ok(ExitCode::SUCCESS);
        }
        let own = member(&desk.get("/api/self").await?, "/did")?;
        self.at.say(&view, |view| print_view(view, &own))
    }
}

fn line(name: &str, value: &str) {
    if !value.is_empty() {
        println!("{name:<13}{value}");
    }
}

fn print_view(view: &Value, own: &str) {
    let provides = view["role"] == "provider";
    let (us, them) = if provides { ("provider", "consumer") } else { ("consumer", "provider") };
    line("Negotiation", &text(view, "/id"));
    line("State", &format!("{} — {}", text(view, "/state"), state_in_words(&text(view, "/state"))));
    line("You", &format!("{own}, the {us}"));
    line("With", &format!("{}, the {them}", text(view, "/counterparty")));
    if view["held_since"].is_string() && !matches!(view["state"].as_str(), Some("FINALIZED" | "TERMINATED")) {
        line(
            "Held",
            "this wallet was restored from a copy and may have decided here since: it accepts, offers and records",
        );
        line("", "nothing here any more; it goes on by what the other side and the chain say, or you cancel it");
    }
    if view["offer"].is_object() {
        print_offer(&view["offer"], own, us, them);
    } else {
        line("Asset", &text(view, "/asset"));
        println!("\nThere is no offer on the table.");
    }
    if view["entry"].is_object() {
        print_entry("Recorded", &view["entry"]);
    }
    if view["entry_despite_termination"].is_object() {
        println!("\nThis contract exists although the negotiation was terminated: its entry came in time.");
        print_entry("Recorded", &view["entry_despite_termination"]);
    }
    println!("\nHistory");
    for moved in view["history"].as_array().into_iter().flatten() {
        println!("  {}", moved_in_words(moved));
    }
    if view["ending"].is_object() {
        println!("  ended by the {}: {}", text(view, "/ending/by"), ending_in_words(view));
    }
    for message in view["messages"].as_array().into_iter().flatten().filter(|message| message["done"] == false) {
        println!("  a message is on its way out (tried {} times) {}", message["attempts"], text(message, "/note"));
    }
    print_next(view);
}

fn print_offer(offer: &Value, own: &str, us: &str, them: &str) {
    line("Contract", &text(offer, "/contract_id"));
    let promise = |did: String| {
        if did == own { format!("you, the {us}") } else { format!("{did}, the {them}") }
    };
    line("Promised by", &promise(text(offer, "/promisor")));
    line("Promised to", &promise(text(offer, "/promisee")));
    println!("\nAsset        {}", text(offer, "/asset/title"));
    line("", &text(offer, "/asset/id"));
    let size = offer.pointer("/asset/size").and_then(Value::as_u64);
    let size =
        size.map_or_else(|| format!("version {}", text(offer, "/asset/version")), |size| format!("{size} bytes"));
    line("", &format!("{}, {size}", text(offer, "/asset/media_type")));
    line("", &format!("sha256 {}", text(offer, "/asset/sha256")));
    line("", &format!("from {}", text(offer, "/asset/endpoint")));
    line("Price", &money(&offer["price"]));
    let of = text(offer, "/fee/base");
    let of = if of.is_empty() { String::new() } else { format!(" of {of}") };
    line("Fee", &format!("{} to the operator ({}{of})", money(&offer["fee"]), text(offer, "/fee/rule")));
    println!("\nTerms (template {})", text(offer, "/template"));
    let sentences = offer["in_words"].as_array().into_iter().flatten();
    for (number, sentence) in sentences.enumerate() {
        println!("  {}. {}", number + 1, text(sentence, ""));
    }
    println!("\nTimes");
    println!("  offered      {}", when(&text(offer, "/made")));
    println!("  accept by    {}", until(&text(offer, "/accept_by")));
    println!("  record by    {}", until(&text(offer, "/record_by")));
    println!("  ends         {}", until(&text(offer, "/ends")));
}

fn print_entry(name: &str, entry: &Value) {
    println!("\n{name:<13}{} in block {}", when(&text(entry, "/block_time")), entry["block"]);
    line("", &format!("registry {} on chain {}", text(entry, "/registry"), entry["chain_id"]));
    line("", &format!("transaction {}", text(entry, "/transaction")));
}

fn state_in_words(state: &str) -> &'static str {
    match state {
        "REQUESTED" => "the consumer asked for an offer",
        "OFFERED" => "an offer is on the table",
        "ACCEPTED" => "the consumer countersigned and is bound; the record is missing",
        "AGREED" => "the provider recorded it; finality is awaited",
        "VERIFIED" => "the consumer saw the entry at finality: the contract exists",
        "FINALIZED" => "both hold the contract",
        "TERMINATED" => "it ended without a contract",
        _ => "",
    }
}

fn moved_in_words(moved: &Value) -> String {
    let decided = match moved["decided"]["kind"].as_str() {
        Some("person") => format!("  decided by a person ({})", text(moved, "/decided/name")),
        Some("rule") => format!("  decided by the rule “{}”", text(moved, "/decided/name")),
        _ => String::new(),
    };
    format!("{}  {:<10}{decided}", when(&text(moved, "/at")), text(moved, "/state")).trim_end().to_owned()
}

fn ending_in_words(view: &Value) -> String {
    format!("{}: {}", text(view, "/ending/code"), text(view, "/ending/reason"))
}

fn print_next(view: &Value) {
    let id = brief(&text(view, "/id"));
    let next = match (view["waits_for"].as_str(), view["state"].as_str(), view["role"].as_str()) {
        (Some(decision), ..) => {
            format!("your turn: countersign {decision} {id}, or countersign reject {id} --reason …")
        }
        (None, Some("FINALIZED"), Some("consumer")) => format!("countersign fetch {id}; countersign contract {id}"),
        (None, Some("FINALIZED"), _) => format!("countersign contract {id}"),
        (None, Some("TERMINATED"), _) => return,
        _ => format!("not your turn; countersign watch {id}"),
    };
    println!("\nNext         {next}");
}
