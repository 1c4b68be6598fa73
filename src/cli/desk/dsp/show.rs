//! One plain negotiation on paper: the terms, who promises what to whom, whose turn it is, and what has not arrived.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use super::super::words::{argument, brief, called, readable_json, text, until, when, whole};
use super::Which;

/// Shows one plain negotiation: the terms on the table in words, who promises what to whom, whose turn it is until when,
/// and what the other side has not taken.
///
/// Example: countersign dsp show latest
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    which: Which,
}

impl Show {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let view = self.which.view().await?;
        self.which.at.say(&view, print)
    }
}

fn line(name: &str, value: &str) {
    if !value.is_empty() {
        println!("{name:<13}{value}");
    }
}

fn print(view: &Value) {
    println!("{}  {}  plain: nobody signs anything\n", text(view, "/id"), text(view, "/state"));
    line("Dataset", &whole(view, "/dataset"));
    for side in ["provider", "consumer"] {
        let who = whole(view, &format!("/parties/{side}"));
        let other = called(view, "/counterparty_name", "/none");
        let known = match text(view, "/role") == side {
            true => "  (you)".to_owned(),
            false if other.is_empty() => String::new(),
            false => format!("  (your contact “{other}”)"),
        };
        line(if side == "provider" { "Provider" } else { "Consumer" }, &format!("{who}{known}"));
    }
    line("Promise", &format!("{} what follows", promise(view)));
    line("Cataloged", cataloged_in_words(view));
    print_terms(view);
    if view["agreement"].is_object() {
        let made = text(view, "/agreement/timestamp");
        let made = if made.is_empty() { made } else { format!(", of {}", when(&made)) };
        println!();
        line("Agreement", &format!("{}{made}", whole(view, "/agreement/@id")));
        line("", "its terms are those above, by the provider's word alone");
    }
    print_history(view);
    print_messages(view);
    println!();
    print_next(view);
}

/// Who promises to whom, by their sides.
pub fn promise(view: &Value) -> String {
    let side = |role: &str| {
        let who = whole(view, &format!("/parties/{role}"));
        match ["provider", "consumer"].iter().find(|side| view["parties"][**side] == view["parties"][role]) {
            Some(side) => format!("the {side}"),
            None => who,
        }
    };
    format!("{} promises {}", side("promisor"), side("promisee"))
}

fn cataloged_in_words(view: &Value) -> &'static str {
    match view["cataloged"].as_bool() {
        Some(true) => "yes, the terms are those of the provider's catalog",
        Some(false) => "no, the terms are not those of the provider's catalog",
        None => "unknown: nobody has looked into the provider's catalog",
    }
}

fn print_terms(view: &Value) {
    let offers: Vec<&Value> = view["offers"].as_array().into_iter().flatten().collect();
    let Some((stands, before)) = offers.split_last() else { return };
    for (number, offer) in before.iter().enumerate() {
        println!();
        line(&format!("Offer {}", number + 1), &offered(offer));
        print_changes(offer);
        line("", "another one took its place");
    }
    println!();
    line(if before.is_empty() { "Offer" } else { "On the table" }, &offered(stands));
    let sentences: Vec<String> =
        stands["in_words"].as_array().into_iter().flatten().map(|sentence| whole(sentence, "")).collect();
    if sentences.is_empty() {
        println!("  it says nothing that could be agreed to");
    }
    for (number, sentence) in sentences.iter().enumerate() {
        println!("  {}. {sentence}", number + 1);
    }
    print_changes(stands);
}

fn offered(offer: &Value) -> String {
    format!("{}, the {}'s, {}", whole(offer, "/offer/@id"), text(offer, "/by"), when(&text(offer, "/at")))
}

fn print_changes(offer: &Value) {
    let changed = |place: &str| offer.pointer(place).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    if changed("/changes/added") || changed("/changes/removed") {
        println!("  Changed against the offer before:");
    }
    for (sign, place) in [("+", "/changes/added"), ("-", "/changes/removed")] {
        for change in offer.pointer(place).and_then(Value::as_array).into_iter().flatten() {
            println!("    {sign} {} {}", whole(change, "/0"), readable_json(&change[1]));
        }
    }
}

fn print_history(view: &Value) {
    println!("\nHistory");
    for entered in view["history"].as_array().into_iter().flatten() {
        let who = match entered["decided"]["kind"].as_str() {
            Some("rule") => format!(", decided by the rule “{}”", text(entered, "/decided/name")),
            Some(_) => format!(", decided by a person ({})", text(entered, "/decided/name")),
            None => String::new(),
        };
        let (at, state, by) = (when(&text(entered, "/at")), text(entered, "/state"), text(entered, "/by"));
        println!("  {at}  {state:<10} by the {by}{who}");
        for other in entered["renamed"].as_array().into_iter().flatten() {
            println!("    the provider said it again as {}", whole(other, ""));
        }
    }
    if view["ending"].is_object() {
        let reasons = view["ending"]["reason"].as_array().into_iter().flatten();
        let reasons: Vec<String> =
            reasons.map(|reason| if reason.is_string() { whole(reason, "") } else { readable_json(reason) }).collect();
        let why = [text(view, "/ending/code"), reasons.join("; ")];
        let why: Vec<&str> = why.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        let why = if why.is_empty() { "no reason was given".to_owned() } else { why.join(": ") };
        println!("  ended by the {}: {why}", text(view, "/ending/by"));
    }
}

fn print_messages(view: &Value) {
    for message in view["messages"].as_array().into_iter().flatten() {
        let (kind, note) = (text(message, "/kind"), whole(message, "/note"));
        let said = if note.is_empty() { String::new() } else { format!(": {note}") };
        if message["done"] == true {
            println!("  the other side never took the {kind}{said}");
        } else {
            println!("  the {kind} is on its way out (tried {} times){said}", message["attempts"]);
        }
    }
    if view["acknowledged"] == false && view["turn"] == "nobody" {
        let state = text(view, "/state");
        println!("\nThe other side has not acknowledged that it is {state}, and may take it for something else.");
    }
}

fn print_next(view: &Value) {
    let id = brief(&text(view, "/id"));
    let by = view["until"].as_str().map(|time| format!(" ({})", until(time))).unwrap_or_default();
    if view["held"] == true && view["turn"] != "nobody" {
        line(
            "Held",
            "this node was restored from a copy and may have decided here since: it decides nothing here any more",
        );
        return line("Next", &format!("wait for the other side{by}, or countersign dsp terminate {id} --reason …"));
    }
    match view["turn"].as_str() {
        Some("person") => {
            line("Next", &format!("your turn{by}"));
            for act in view["acts"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                line("", &command(act, &id, standing(view)));
            }
        }
        Some("node") => line("Next", "this node decides by its configuration"),
        Some("counterparty") => line("Next", &format!("the other side's turn{by}; countersign watch {id}")),
        _ if view["state"] == "FINALIZED" && view["role"] == "consumer" => {
            line("Next", &format!("countersign transfer request {}", argument(&whole(view, "/agreement/@id"))));
        }
        _ => {}
    }
}

fn standing(view: &Value) -> &Value {
    view["offers"].as_array().and_then(|offers| offers.last()).map_or(&Value::Null, |offer| &offer["offer"]["@id"])
}

/// The command for a decision, with the offer that was read.
pub fn command(act: &str, id: &str, offer: &Value) -> String {
    let more = match act {
        "offer" | "counter" => " --terms FILE",
        "terminate" => " --reason …",
        _ => "",
    };
    let read = match act {
        // What cannot be written as it is cannot be named either.
        "offer" | "counter" | "accept" | "agree" => offer.as_str().filter(|id| whole(offer, "") == **id),
        _ => None,
    };
    let read = read.map(|offer| format!(" --offer {}", argument(offer))).unwrap_or_default();
    format!("countersign dsp {act} {id}{more}{read}")
}
