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
/// A proposal is no offer yet: accepting one asks for exactly its terms, and you accept the signed offer that comes then.
/// With --offer it is the one that you have read, or nothing: `countersign show` prints its SHA-256.
///
/// Example: countersign accept 5b0f6a3e --offer 0x95ee4470
#[derive(Debug, Args)]
pub struct Accept {
    #[command(flatten)]
    at: At,
    /// The negotiation: the beginning of its id, or `latest`.
    id: String,
    /// The offer that you have read: the beginning of its SHA-256. Another one that stands meanwhile is not accepted.
    #[arg(long, value_name = "SHA256", value_parser = beginning)]
    offer: Option<String>,
}

/// The beginning of a SHA-256 as people copy it: with 0x or without, at least 8 digits.
fn beginning(text: &str) -> Result<String, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text).to_ascii_lowercase();
    let whole = (8..=64).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if whole {
        Ok(format!("0x{digits}"))
    } else {
        Err("expected 8 to 64 hexadecimal digits, as `countersign show` prints them".into())
    }
}

impl Accept {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let known = yours(found(&desk, &self.id).await?, "accept", "consumer")?;
        let (id, standing) = (member(&known, "/id")?, text(&known, "/offer/sha256"));
        if let Some(read) = &self.offer
            && !standing.starts_with(read)
        {
            let now = if standing.is_empty() {
                "no offer stands there".into()
            } else {
                format!("what stands there is {standing}")
            };
            let what = format!("nothing was accepted; read it: countersign show {}", brief(&id));
            return Err(Usage(format!("{now}, not the offer {read} that you have read; {what}")).into());
        }
        // The node accepts what this command saw, even if another offer comes before its order does.
        let order = match known["proposal"]["id"].as_str() {
            Some(proposal) => json!({ "proposal": proposal }),
            None if standing.is_empty() => json!({}),
            None => json!({ "offer_sha256": standing }),
        };
        let view = desk.post(&format!("/api/negotiations/{id}/accept"), &order).await?;
        self.at.say(&view, |view| {
            if view["hash"].is_null() {
                print_asked(view, &known["proposal"]);
                return;
            }
            println!("accepted: contract {}", text(view, "/offer/contract_id"));
            println!("by your signature over the offer {}", text(view, "/offer/sha256"));
            println!("you are bound; to be recorded {}", until(&text(view, "/offer/record_by")));
            println!("`countersign watch {}` tells when the contract exists", brief(&text(view, "/id")));
        })
    }
}

/// A proposal was taken up: nothing is accepted yet, and the reader must not think so.
fn print_asked(view: &Value, proposal: &Value) {
    let (title, price, id) = (text(proposal, "/asset/title"), money(&proposal["price"]), brief(&text(view, "/id")));
    println!("asked on exactly the proposed terms: {title}, {price}");
    println!("you have signed no offer and are not bound: the provider's signed offer comes, and you accept that");
    if view["offer"].is_object() {
        println!("it is here already: countersign show {id}, then countersign accept {id}");
    } else {
        println!("`countersign inbox --wait 60` waits for it; then countersign show {id}, countersign accept {id}");
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
    let mut known = found(&desk, id).await?;
    if matches!(act, "offer" | "record") {
        known = yours(known, act, "provider")?;
    }
    let id = member(&known, "/id")?;
    let view = desk.post(&format!("/api/negotiations/{id}/{act}"), order).await?;
    at.say(&view, words)
}

/// The negotiation, if this side is the one whose act it is.
fn yours(known: Value, act: &str, whose: &str) -> Result<Value> {
    if let Some(role) = known["role"].as_str().filter(|role| *role != whose) {
        let id = brief(&member(&known, "/id")?);
        let what = format!("`countersign show {id}` says what is your turn");
        return Err(Usage(format!("you are the {role} in {id}, and `{act}` is the {whose}'s; {what}")).into());
    }
    Ok(known)
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
