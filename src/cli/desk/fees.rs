use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};

use super::super::Usage;
use super::super::audit_table;
use super::words::{head, money, table, text, when};
use super::{At, member};

/// States the fees of a period as provider, and sends the statement to the operator where its address is given.
///
/// Without a period: from the end of the last statement until the chain's finalised head.
///
/// Example: countersign state-fees --operator https://operator.example
#[derive(Debug, Args)]
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
}

impl StateFees {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let mut period = json!({});
        for (name, given) in [("operator_url", &self.operator), ("from", &self.from), ("until", &self.until)] {
            if let Some(given) = given {
                period[name] = json!(given);
            }
        }
        let statement = self.at.desk()?.post("/api/statements", &period).await?;
        self.at.say(&statement, |statement| {
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
                println!("not sent; --operator URL sends it");
            }
        })
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
                    audit_table::readable(&text(audit, "/id"), 10),
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
