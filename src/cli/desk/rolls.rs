//! What an operator has signed: its members and the templates that it approved.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use jiff::{Timestamp, ToSpan as _};
use serde_json::Value;

use super::At;
use super::words::{apart, head, table, text, until};

/// Lists members and when each membership lapses, as operator; the next to lapse comes first.
///
/// Example: countersign members --home ./operator --lapsing 30
#[derive(Debug, Args)]
pub struct Members {
    #[command(flatten)]
    at: At,
    /// Only members whose last membership is over, or ends within so many days.
    #[arg(long, value_name = "DAYS")]
    lapsing: Option<i32>,
    /// Every admission, those that a later one of the same member replaces as well.
    #[arg(long, conflicts_with = "lapsing")]
    all: bool,
}

impl Members {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let mut members = self.at.desk()?.get("/api/members").await?;
        if let Some(found) = members.as_array_mut() {
            found.sort_by_key(|member| text(member, "/exp"));
            if !self.all {
                *found = latest(found);
            }
            if let Some(days) = self.lapsing {
                let limit = Timestamp::now().checked_add((i64::from(days) * 24).hours()).unwrap_or(Timestamp::MAX);
                found.retain(|member| text(member, "/exp").parse::<Timestamp>().is_ok_and(|end| end < limit));
            }
        }
        self.at.say(&members, |members| {
            let mut rows = vec![head(&["Member", "Registration", "Country", "Membership ends", "Recorders", "DID"])];
            rows.extend(members.as_array().into_iter().flatten().map(|member| {
                let recorders = member["recorders"].as_array().into_iter().flatten();
                let recorders: Vec<String> = recorders.map(|recorder| text(recorder, "")).collect();
                vec![
                    text(member, "/legal_name"),
                    format!("{} {}", text(member, "/legal_id/scheme"), text(member, "/legal_id/value")),
                    text(member, "/country"),
                    until(&text(member, "/exp")),
                    recorders.join(" "),
                    text(member, "/did"),
                ]
            }));
            if rows.len() == 1 {
                println!("no such members; `countersign admit` admits one");
            } else {
                table(&rows);
            }
        })
    }
}

/// Of several admissions of one member, the one that ends last; they come by their end.
fn latest(admissions: &[Value]) -> Vec<Value> {
    let later = |place: usize, did: &Value| admissions[place + 1..].iter().any(|other| other["did"] == *did);
    let last = admissions.iter().enumerate().filter(|(place, one)| !later(*place, &one["did"]));
    last.map(|(_, one)| one.clone()).collect()
}

/// Lists the templates that were approved, as operator.
///
/// Example: countersign approvals --home ./operator
#[derive(Debug, Args)]
pub struct Approvals {
    #[command(flatten)]
    at: At,
}

impl Approvals {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let approvals = self.at.desk()?.get("/api/approvals").await?;
        self.at.say(&approvals, |approvals| {
            let mut rows = vec![head(&["Id", "Version", "Title", "Hash"])];
            let ids: Vec<String> = approvals.as_array().into_iter().flatten().map(|one| text(one, "/id")).collect();
            rows.extend(
                approvals
                    .as_array()
                    .into_iter()
                    .flatten()
                    .zip(apart(&ids))
                    .map(|(one, id)| vec![id, text(one, "/version"), text(one, "/title"), text(one, "/hash")]),
            );
            if rows.len() == 1 {
                println!("no templates yet; `countersign approve FILE` approves one");
            } else {
                table(&rows);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_new_admission_takes_the_place_of_the_old() {
        let admissions = [
            json!({ "did": "a", "exp": "2026-01-01T00:00:00Z" }),
            json!({ "did": "b", "exp": "2026-02-01T00:00:00Z" }),
            json!({ "did": "a", "exp": "2027-01-01T00:00:00Z" }),
        ];
        assert_eq!(latest(&admissions), admissions[1..]);
    }
}
