use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::super::Usage;
use super::talks::Wishes;
use super::words::{brief, money, text, until};
use super::{At, found, member};

/// Answers a request with an offer; what is not said is as the asset is listed.
///
/// Example: countersign offer 5b0f6a3e --price "380.00 EUR"
#[derive(Debug, Args)]
pub struct Offer {
    #[command(flatten)]
    at: At,
    /// The negotiation: the beginning of its id, or `latest`.
    id: String,
    #[command(flatten)]
    terms: Wishes,
    /// Until when it can be accepted: 90s, 30m, 12h or 2d from now.
    #[arg(long, value_parser = seconds, value_name = "TIME")]
    accept_within: Option<i64>,
    /// Until when it must be recorded, likewise.
    #[arg(long, value_parser = seconds, value_name = "TIME")]
    record_within: Option<i64>,
    /// How long the contract lasts, likewise.
    #[arg(long, value_parser = seconds, value_name = "TIME")]
    valid_for: Option<i64>,
}

/// So many seconds as a number with its unit says.
pub fn seconds(text: &str) -> Result<i64, String> {
    let form = "expected a number with s, m, h or d, for example 12h";
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => return Err(form.into()),
    };
    let number: u32 = text.get(..text.len() - 1).and_then(|number| number.parse().ok()).ok_or(form)?;
    Ok(i64::from(number) * unit)
}

impl Offer {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let mut order = json!({});
        self.terms.write_into(&mut order);
        for (name, seconds) in [
            ("accept_within", self.accept_within),
            ("record_within", self.record_within),
            ("valid_for", self.valid_for),
        ] {
            if let Some(seconds) = seconds {
                order[name] = seconds.into();
            }
        }
        decide(&self.at, &self.id, "offer", &order, |view| {
            println!("offered: {}, fee {}", money(&view["offer"]["price"]), money(&view["offer"]["fee"]));
            println!("to be accepted {}", until(&text(view, "/offer/accept_by")));
        })
        .await
    }
}

/// Accepts the offer on the table: you are bound until it has to be recorded.
///
/// Example: countersign accept 5b0f6a3e
#[derive(Debug, Args)]
pub struct Accept {
    #[command(flatten)]
    at: At,
    /// The negotiation: the beginning of its id, or `latest`.
    id: String,
}

impl Accept {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        decide(&self.at, &self.id, "accept", &json!({}), |view| {
            println!("accepted: contract {}", text(view, "/offer/contract_id"));
            println!("you are bound; to be recorded {}", until(&text(view, "/offer/record_by")));
            println!("`countersign watch {}` tells when the contract exists", brief(&text(view, "/id")));
        })
        .await
    }
}

/// Ends a negotiation because you do not want it so.
///
/// Example: countersign reject 5b0f6a3e --reason "too expensive"
#[derive(Debug, Args)]
pub struct Reject {
    #[command(flatten)]
    at: At,
    /// The negotiation: the beginning of its id, or `latest`.
    id: String,
    /// Why; the other side reads it.
    #[arg(long)]
    reason: String,
}

impl Reject {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        decide(&self.at, &self.id, "reject", &json!({ "reason": self.reason }), print_state).await
    }
}

/// Takes a request or an offer back; after your acceptance it asks the provider to agree to that.
///
/// Example: countersign cancel 5b0f6a3e --reason "the project was stopped"
#[derive(Debug, Args)]
pub struct Cancel {
    #[command(flatten)]
    at: At,
    /// The negotiation: the beginning of its id, or `latest`.
    id: String,
    /// Why; the other side reads it.
    #[arg(long)]
    reason: String,
}

impl Cancel {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        decide(&self.at, &self.id, "cancel", &json!({ "reason": self.reason }), print_state).await
    }
}

/// Confirms that a countersigned offer is recorded, where the configuration asks a person.
///
/// Example: countersign record 5b0f6a3e
#[derive(Debug, Args)]
pub struct Record {
    #[command(flatten)]
    at: At,
    /// The negotiation: the beginning of its id, or `latest`.
    id: String,
}

impl Record {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        decide(&self.at, &self.id, "record", &json!({}), |view| {
            println!("it will be recorded; `countersign watch {}` tells when it is", brief(&text(view, "/id")));
        })
        .await
    }
}

async fn decide(at: &At, id: &str, act: &str, order: &Value, words: impl FnOnce(&Value)) -> Result<ExitCode> {
    let desk = at.desk()?;
    let known = found(&desk, id).await?;
    let id = member(&known, "/id")?;
    let whose = match act {
        "offer" | "record" => "provider",
        "accept" => "consumer",
        _ => "",
    };
    if let Some(role) = known["role"].as_str().filter(|role| !whose.is_empty() && *role != whose) {
        let id = brief(&id);
        let what = format!("`countersign show {id}` says what is your turn");
        return Err(Usage(format!("you are the {role} in {id}, and `{act}` is the {whose}'s; {what}")).into());
    }
    let view = desk.post(&format!("/api/negotiations/{id}/{act}"), order).await?;
    at.say(&view, words)
}

fn print_state(view: &Value) {
    if view["cancel_asked"].is_string() && view["state"] != "TERMINATED" {
        println!("the provider is asked to let you go; until it does, you are bound");
    } else {
        println!("{} is {}", brief(&text(view, "/id")), text(view, "/state"));
    }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn times_are_read_with_their_unit() {
        assert_eq!([seconds("90s"), seconds("2d")], [Ok(90), Ok(172_800)]);
        for wrong in ["", "d", "12", "-1h", "1w", "9999999999d", "é"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
