use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::super::audit_table::{self, readable};
use super::super::calls::{Declined, Desk};
use super::super::{Later, Usage};
use super::words::{head, money, table, text, when};
use super::{At, member};

/// States the fees of a period as provider, and sends the statement to the operator where its address is given.
///
/// Without a period: from the end of the last statement until the chain's finalised head. A statement stays in the wallet
/// until the operator has given its receipt: those that have none are sent before anything new is stated.
///
/// Examples: countersign state-fees --operator https://operator.example
///           countersign state-fees --list
///           countersign state-fees --send 7Gk2 --operator https://operator.example
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct StateFees {
    #[command(flatten)]
    at: At,
    /// The operator's public address.
    #[arg(long, value_name = "URL")]
    operator: Option<String>,
    /// The period's first second, RFC 3339.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// The first second after the period, RFC 3339.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// List the statements, and which of them the operator has not receipted.
    #[arg(long, conflicts_with_all = ["operator", "from", "until", "send"])]
    list: bool,
    /// Send a statement that is here already, again if need be: its id, or the beginning of it.
    #[arg(long, value_name = "ID", allow_hyphen_values = true, requires = "operator", conflicts_with_all = ["from", "until"])]
    send: Option<String>,
}

/// What a node says where the chain has nothing new to state.
const NOTHING_NEW: &str = "there is nothing to state";

impl StateFees {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let kept = desk.get("/api/statements").await?;
        if self.list {
            return self.at.say(&kept, print_statements);
        }
        if let (Some(given), Some(operator)) = (&self.send, &self.operator) {
            let sent = send(&desk, &member(one_statement(&kept, given)?, "/id")?, operator).await?;
            return self.at.say(&sent, print_statement);
        }
        let unsent = kept.as_array().into_iter().flatten().filter(|one| one["receipt"].is_null());
        let (mut earlier, mut refused) = (Vec::new(), Vec::new());
        if let Some(operator) = &self.operator {
            for statement in unsent {
                match send(&desk, &member(statement, "/id")?, operator).await {
                    Ok(sent) => earlier.push(sent),
                    // What an operator does not take must not hold up what it would.
                    Err(fault) => refused.push(turned_down(fault)?),
                }
            }
        }
        let mut period = json!({});
        for (name, given) in [("from", &self.from), ("until", &self.until)] {
            if let Some(given) = given {
                period[name] = json!(given);
            }
        }
        let mut made = match desk.post("/api/statements", &period).await {
            Ok(statement) => statement,
            // What had to be done is done: the chain has grown by nothing that could be stated.
            Err(fault) if !(earlier.is_empty() && refused.is_empty()) && nothing_new(&fault) => json!({}),
            Err(fault) => return Err(fault),
        };
        if let (Some(id), Some(operator)) = (made["id"].as_str(), &self.operator) {
            match send(&desk, id, operator).await {
                Ok(sent) => made = sent,
                Err(fault) => refused.push(turned_down(fault)?),
            }
        }
        made["earlier"] = earlier.into();
        let failed = !refused.is_empty();
        if failed {
            made["refused"] = refused.into();
        }
        let said = self.at.say(&made, |made| {
            for statement in made["earlier"].as_array().into_iter().flatten() {
                println!("sent now, stated earlier:");
                print_statement(statement);
                println!();
            }
            if made["id"].is_string() {
                print_statement(made);
            } else {
                println!("{NOTHING_NEW} since");
            }
        })?;
        Ok(if failed { ExitCode::FAILURE } else { said })
    }
}

/// An operator does not take a statement: sending it again helps nobody.
#[derive(Debug, thiserror::Error)]
#[error("statement {id} was refused and stays here, see `countersign state-fees --list`: {why}")]
struct TurnedDown {
    id: String,
    why: String,
}

/// How the node begins to tell what an operator answered instead of a receipt.
const ANSWERED: &str = "the operator answered ";

/// Whether an operator has refused for good, by what the node tells: the same statement is refused again, whatever is
/// the matter with it. Too slow and too many (408, 429) are over some time.
fn for_good(message: &str) -> bool {
    let status = message.split_once(ANSWERED).and_then(|(_, answer)| answer.get(..3)?.parse::<u16>().ok());
    status.is_some_and(|status| (400..500).contains(&status) && ![408, 429].contains(&status))
}

/// What was turned down, said and as JSON; anything else that went wrong goes on.
fn turned_down(fault: anyhow::Error) -> Result<Value> {
    let TurnedDown { id, why } = fault.downcast::<TurnedDown>()?;
    eprintln!("{}", TurnedDown { id: id.clone(), why: why.clone() });
    Ok(json!({ "id": id, "why": why }))
}

fn nothing_new(fault: &anyhow::Error) -> bool {
    fault.downcast_ref::<Declined>().is_some_and(|declined| declined.message.starts_with(NOTHING_NEW))
}

/// Sends a kept statement; whoever does not get through learns that it is kept.
async fn send(desk: &Desk, id: &str, operator: &str) -> Result<Value> {
    let sent = desk.post(&format!("/api/statements/{id}/send"), &json!({ "operator_url": operator })).await;
    sent.map_err(|fault| match fault.downcast_ref::<Declined>() {
        Some(declined) if for_good(&declined.message) => {
            TurnedDown { id: id.to_owned(), why: declined.message.clone() }.into()
        }
        Some(declined) if declined.status == StatusCode::BAD_GATEWAY => {
            let kept = format!("statement {id} is kept, and not sent");
            let again = "`countersign state-fees --operator URL` sends it before it states anything new";
            Later(format!("{}\n  {kept}; {again}", declined.message)).into()
        }
        _ => fault,
    })
}

fn one_statement<'a>(kept: &'a Value, given: &str) -> Result<&'a Value> {
    let fits = |one: &&Value| !given.is_empty() && one["id"].as_str().is_some_and(|id| id.starts_with(given));
    match kept.as_array().into_iter().flatten().filter(fits).collect::<Vec<_>>()[..] {
        [one] => Ok(one),
        [] => {
            Err(Usage(format!("no statement begins with `{given}`; `countersign state-fees --list` lists them")).into())
        }
        _ => Err(Usage(format!("several statements begin with `{given}`; write more of it")).into()),
    }
}

fn print_statement(statement: &Value) {
    println!("statement {}", text(statement, "/id"));
    println!("period    {} until {}", when(&text(statement, "/from")), when(&text(statement, "/until")));
    println!("contracts {}", statement["contracts"]);
    for id in statement["unexplained"].as_array().into_iter().flatten() {
        println!("          {} stands under your recorder, and nothing here explains it", text(id, ""));
    }
    if statement["audit"].is_object() {
        println!("due       {}", totals(&statement["audit"]));
        println!("problems  {}", statement["audit"]["problems"]);
    } else {
        let id = readable(&text(statement, "/id"), 10);
        println!("not sent; it is kept, and sent by: countersign state-fees --send {id} --operator URL");
    }
}

fn print_statements(statements: &Value) {
    let mut rows = vec![head(&["Statement", "From", "Until", "Contracts", "Receipt", "Due"])];
    rows.extend(statements.as_array().into_iter().flatten().map(|one| {
        let sent = one["receipt"].is_string();
        vec![
            readable(&text(one, "/id"), 10),
            when(&text(one, "/from")),
            when(&text(one, "/until")),
            one["contracts"].to_string(),
            if sent { "yes" } else { "no: not sent" }.into(),
            if sent { totals(&one["audit"]) } else { String::new() },
        ]
    }));
    if rows.len() == 1 {
        println!("nothing was stated yet");
    } else {
        table(&rows);
    }
}

fn totals(audit: &Value) -> String {
    let totals: Vec<String> = audit["totals"].as_array().into_iter().flatten().map(money).collect();
    if totals.is_empty() { "nothing".into() } else { totals.join(", ") }
}

/// Lists the audits of statements, as operator.
///
/// Example: countersign audits --home ./operator
#[derive(Debug, Args)]
pub struct Audits {
    #[command(flatten)]
    at: At,
}

impl Audits {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let audits = self.at.desk()?.get("/api/audits").await?;
        self.at.say(&audits, |audits| {
            let mut rows = vec![head(&["Audit", "From", "Until", "Fees", "Problems", "Due", "Provider"])];
            rows.extend(audits.as_array().into_iter().flatten().map(|audit| {
                vec![
                    readable(&text(audit, "/id"), 10),
                    when(&text(audit, "/from")),
                    when(&text(audit, "/until")),
                    audit["entries"].to_string(),
                    audit["problems"].to_string(),
                    totals(audit),
                    text(audit, "/provider"),
                ]
            }));
            if rows.len() == 1 {
                println!("no statement has come yet");
            } else {
                table(&rows);
            }
        })
    }
}

/// Shows one audit: each fee, the totals, what is wrong. As operator.
///
/// Example: countersign audit --home ./operator kX3v
#[derive(Debug, Args)]
pub struct Audit {
    #[command(flatten)]
    at: At,
    /// The audit, or the beginning of its id; one that begins with a dash goes after `--`.
    #[arg(allow_hyphen_values = true)]
    id: String,
}

impl Audit {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let audits = desk.get("/api/audits").await?;
        let ids = audits.as_array().into_iter().flatten().filter_map(|audit| audit["id"].as_str());
        let fitting: Vec<&str> = ids.filter(|id| !self.id.is_empty() && id.starts_with(&self.id)).collect();
        let [id] = fitting[..] else {
            let why = if fitting.is_empty() { "of no audit" } else { "of several audits" };
            return Err(Usage(format!("`{}` is the beginning {why}; `countersign audits` lists them", self.id)).into());
        };
        let audited = desk.get(&format!("/api/audits/{id}")).await?;
        member(&audited, "/receipt")?;
        let audit = serde_json::from_value(audited["audit"].clone()).context("the node's answer is no audit")?;
        self.at.say(&audited, |_| print!("{}", audit_table::table(&audit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_for_good_unless_the_operator_is_busy_or_broken() {
        for status in ["400 Bad Request", "403", "404 Not Found", "409", "413 Payload Too Large", "422 stated twice"] {
            assert!(for_good(&format!("{ANSWERED}{status}")), "{status}");
        }
        for status in ["408 Request Timeout", "429 Too Many Requests", "500", "503 Service Unavailable", "302", ""] {
            assert!(!for_good(&format!("{ANSWERED}{status}")), "{status}");
        }
        assert!(!for_good("the operator's answer is too long: 404"));
    }
}
