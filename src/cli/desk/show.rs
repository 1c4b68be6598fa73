use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::Value;

use super::proofs::over;
use super::ready::warn;
use super::receipts::{fetched, receipts};
use super::words::{brief, called, localized, money, text, until, when};
use super::{At, found, member};

/// Shows a negotiation or contract in readable words.
///
/// Who promises what to whom, the asset, each term in a sentence, price, fee and times, where it stands, what of all that
/// is proven and what is only claimed, who decided, and what is next.
///
/// Example: countersign show 5b0f6a3e
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    at: At,
    /// The negotiation or contract: the beginning of its id, or `latest`.
    id: String,
    /// Only the terms, as ODRL.
    #[arg(long)]
    odrl: bool,
}

impl Show {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let mut view = found(&desk, &self.id).await?;
        if self.odrl {
            let said = if view["offer"].is_null() { &view["proposal"] } else { &view["offer"] };
            if said.is_null() {
                bail!("there is no offer yet, so there are no terms");
            }
            println!("{}", serde_json::to_string_pretty(&said["terms"])?);
            return Ok(ExitCode::SUCCESS);
        }
        warn(&desk).await?;
        if view["entry"].is_object() || view["entry_despite_termination"].is_object() {
            let id = member(&view, "/id")?;
            view["standing"] = desk.get(&format!("/api/negotiations/{id}/standing")).await?["standing"].clone();
        }
        if view["role"] == "consumer" && view["entry"].is_object() {
            // They stand beside the contract, and what it says does not hang on them.
            match receipts(&desk, &member(&view, "/offer/contract_id")?).await {
                Ok(kept) => view["receipts"] = kept,
                Err(fault) => eprintln!("the receipts cannot be shown now: {fault:#}"),
            }
        }
        self.at.say(&view, print_view)
    }
}

fn line(name: &str, value: &str) {
    if !value.is_empty() {
        println!("{name:<13}{value}");
    }
}

fn print_view(view: &Value) {
    line("Negotiation", &text(view, "/id"));
    line("Contract", &text(view, "/offer/contract_id"));
    let proposed = view["proposal"].is_object();
    let state = text(view, "/state");
    let meaning =
        if proposed { "the provider proposes terms, and nothing is offered yet" } else { state_in_words(&state) };
    line("State", &format!("{state} — {meaning}"));
    if view["held_since"].is_string() && !matches!(view["state"].as_str(), Some("FINALIZED" | "TERMINATED")) {
        line(
            "Held",
            "this wallet was restored from a copy and may have decided here since: it accepts, offers and records",
        );
        line("", "nothing here any more; it goes on by what the other side and the chain say, or you cancel it");
    }
    if view["standing"].is_object() {
        line("Standing", &super::held::standing_in_words(&view["standing"], &text(view, "/offer/ends")));
    }
    line("Fetched", &fetched(&view["receipts"]));
    println!();
    for party in view["parties"].as_array().into_iter().flatten() {
        print_party(party);
    }
    if view["offer"].is_object() {
        print_offer(view);
    } else if proposed {
        print_terms(view, &view["proposal"]);
        println!("\nTimes");
        println!("  answer       {}", until(&text(view, "/proposal/answer_by")));
        println!("\nThe provider proposes terms and has signed no offer yet: accepting asks for exactly these.");
        println!("Its signed offer comes then, and whoever accepts that is bound.");
    } else {
        println!();
        line("Asset", &text(view, "/asset"));
        println!("\nThere is no offer on the table.");
    }
    super::rounds::print(view);
    if view["entry"].is_object() {
        print_entry("Recorded", &view["entry"]);
    }
    if view["entry_despite_termination"].is_object() {
        println!("\nThis contract exists although the negotiation was terminated: its entry came in time.");
        print_entry("Recorded", &view["entry_despite_termination"]);
    }
    super::proofs::print(view);
    println!("\nHistory");
    for moved in view["history"].as_array().into_iter().flatten() {
        println!("  {}", moved_in_words(moved));
    }
    for decided in view["decisions"].as_array().into_iter().flatten() {
        let who = match decided["by"]["kind"].as_str() {
            Some("rule") => format!("the rule “{}”", text(decided, "/by/name")),
            _ => format!("a person ({})", text(decided, "/by/name")),
        };
        let on = text(decided, "/on");
        let on = if on.is_empty() { String::new() } else { format!(", on the offer {on}") };
        println!("  {}  decided here by {who}: {}{on}", when(&text(decided, "/at")), text(decided, "/act"));
    }
    let left = match view["standing"]["standing"].as_str() {
        Some("ended") => Some("ENDED by its provider"),
        Some("withdrawn") => Some("WITHDRAWN from by its consumer"),
        _ => None,
    };
    if let Some(left) = left {
        let (since, ground) = (text(view, "/standing/since"), text(view, "/standing/ground"));
        println!("  {}  {left}: {ground}", when(&since));
    }
    if view["ending"].is_object() {
        println!("  ended by the {}: {}", text(view, "/ending/by"), ending_in_words(view));
    }
    for message in view["messages"].as_array().into_iter().flatten() {
        let note = text(message, "/note");
        if message["done"] == false {
            let tried = message["attempts"].as_u64().filter(|tried| *tried > 0);
            let tried = tried.map_or_else(String::new, |tried| format!(" (tried {tried} times)"));
            println!("  a message is on its way out{tried}");
        } else if !note.is_empty() {
            println!("  the other side answered: {note}");
        }
    }
    if view["undelivered"].is_object() {
        let lines = super::undelivered::in_words(&view["undelivered"]);
        println!();
        for (place, said) in lines.iter().enumerate() {
            line(if place == 0 { "Undelivered" } else { "" }, said);
        }
    }
    print_next(view);
}

fn print_party(party: &Value) {
    let (name, own) = (text(party, "/name"), party["own"] == true);
    let mut title = text(party, "/legal_name");
    if title.is_empty() {
        title = "somebody without a name in law yet".into();
    }
    let id = text(party, "/legal_id/value");
    if !id.is_empty() {
        title.push_str(&format!(", {} {id}", text(party, "/legal_id/scheme")));
    }
    let country = text(party, "/country");
    if !country.is_empty() {
        title.push_str(&format!(", {country}"));
    }
    if own {
        title.push_str("  (you)");
    } else if !name.is_empty() {
        title.push_str(&format!("  (your contact “{name}”)"));
    }
    line(if party["role"] == "provider" { "Provider" } else { "Consumer" }, &title);
    println!("{:<13}{}", "", text(party, "/did"));
}

fn print_offer(view: &Value) {
    let offer = &view["offer"];
    print_terms(view, offer);
    println!("\nOffer        sha256 {}", text(offer, "/sha256"));
    println!("\nTimes");
    println!("  offered      {}", when(&text(offer, "/made")));
    println!("  accept       {}", until(&text(offer, "/accept_by")));
    println!("  record       {}", until(&text(offer, "/record_by")));
    println!("  valid        {}", until(&text(offer, "/ends")));
}

/// What an offer or a proposal says.
fn print_terms(view: &Value, offer: &Value) {
    let side = |did: &Value| {
        let party = view["parties"].as_array().into_iter().flatten().find(|party| party["did"] == *did);
        party.map_or_else(|| text(did, ""), |party| format!("the {}", text(party, "/role")))
    };
    let (from, to) = (side(&offer["promisor"]), side(&offer["promisee"]));
    line("Promise", &format!("{from} promises {to} what follows, for the price below"));
    println!("\nAsset        {}", text(offer, "/asset/title"));
    println!("{:<13}{}", "", text(offer, "/asset/id"));
    let size = offer.pointer("/asset/size").and_then(Value::as_u64);
    let size =
        size.map_or_else(|| format!("version {}", text(offer, "/asset/version")), |size| format!("{size} bytes"));
    println!("{:<13}{}, {size}", "", text(offer, "/asset/media_type"));
    println!("{:<13}sha256 {}", "", text(offer, "/asset/sha256"));
    println!("{:<13}from {}", "", text(offer, "/asset/endpoint"));
    line("Price", &format!("{}, from the consumer to the provider", money(&offer["price"])));
    let of = text(offer, "/fee/base");
    let of = if of.is_empty() { String::new() } else { format!(" of {of}") };
    line(
        "Fee",
        &format!("{} to the operator, from the provider ({}{of})", money(&offer["fee"]), text(offer, "/fee/rule")),
    );
    println!("\nTerms of “{}”", called(offer, "/template_title", "/template"));
    let sentences = offer["in_words"].as_array().into_iter().flatten();
    for (number, sentence) in sentences.enumerate() {
        println!("  {}. {}", number + 1, localized(&text(sentence, "")));
    }
}

fn print_entry(name: &str, entry: &Value) {
    println!("\n{name:<13}{} in block {}", when(&text(entry, "/block_time")), entry["block"]);
    println!("{:<13}registry {} on chain {}", "", text(entry, "/registry"), entry["chain_id"]);
    println!("{:<13}transaction {}", "", text(entry, "/transaction"));
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
    let over = matches!(view["standing"]["standing"].as_str(), Some("ended" | "withdrawn" | "lapsed"));
    let next = match (view["waits_for"].as_str(), view["state"].as_str(), view["role"].as_str()) {
        (Some(decision), ..) => {
            let until = view.pointer("/due/until").and_then(Value::as_str).map(until);
            let until = until.map_or_else(String::new, |until| format!(" ({until})"));
            // Whoever accepts says which offer was read here.
            let offer = text(view, "/offer/sha256");
            let read = offer.get(..10).filter(|_| decision == "accept").map(|offer| format!(" --offer {offer}"));
            let read = read.unwrap_or_default();
            format!("your turn{until}: countersign {decision} {id}{read}, or countersign reject {id} --reason …")
        }
        (None, Some("FINALIZED"), _) if over => format!("countersign download {id}"),
        (None, Some("FINALIZED"), Some("consumer")) => format!("countersign fetch {id}; countersign download {id}"),
        (None, Some("FINALIZED"), _) => format!("countersign download {id}"),
        (None, Some("TERMINATED"), _) => return,
        _ => format!("not your turn; countersign watch {id}"),
    };
    println!();
    line("Note", &lapsed(view));
    line("Rule", &stuck(view.pointer("/due").unwrap_or(&Value::Null)));
    line("Next", &next);
}

/// What a membership that is over keeps from happening here; empty where nothing hangs on it.
fn lapsed(view: &Value) -> String {
    let (state, provides) = (text(view, "/state"), view["role"] == "provider");
    if !matches!(state.as_str(), "REQUESTED" | "OFFERED") || view["proposal"].is_object() {
        return String::new();
    }
    let parties = view["parties"].as_array().into_iter().flatten();
    let Some(party) = parties.into_iter().find(|party| over(&text(party, "/valid_until"))) else {
        return String::new();
    };
    let (whose, asks) = if party["own"] == true { ("your", "you ask") } else { ("its", "it asks") };
    let id = brief(&text(view, "/id"));
    match state.as_str() {
        "REQUESTED" if provides && party["own"] != true => {
            format!(
                "no offer can be made: {whose} membership is over, and {asks} anew with a new one; countersign reject {id}"
            )
        }
        "REQUESTED" if !provides && party["own"] == true => {
            format!("this request rests on {whose} membership that is over: countersign cancel {id}, and ask anew")
        }
        "OFFERED" if provides => "this offer cannot be accepted: it rests on a membership that is over".into(),
        "OFFERED" => {
            format!(
                "this offer cannot be accepted: it rests on a membership that is over; countersign counter {id} asks anew"
            )
        }
        _ => String::new(),
    }
}

/// Why the rule that should decide could not, so that a person has to; empty where that is not so.
pub fn stuck(due: &Value) -> String {
    let why = text(due, "/stuck");
    if why.is_empty() { why } else { format!("“{}” cannot decide: {why}", text(due, "/rule")) }
}
