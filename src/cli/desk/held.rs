use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::At;
use super::words::{brief, called, head, money, table, text, until, when};

/// Lists contracts, newest first: in force, ended, withdrawn from, or over.
///
/// Example: countersign contracts --standing in-force
#[derive(Debug, Args)]
pub struct Contracts {
    #[command(flatten)]
    at: At,
    /// Only those that stand so.
    #[arg(long, value_enum)]
    standing: Option<Standing>,
}

/// Where a contract stands.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Standing {
    /// It opens gates.
    InForce,
    /// Its provider ended it.
    Ended,
    /// Its consumer withdrew.
    Withdrawn,
    /// Its time is over.
    Lapsed,
    /// Recorded, and not seen at finality yet.
    NotFinal,
    /// The chain has not answered yet.
    Unknown,
}

impl Standing {
    const fn name(self) -> &'static str {
        match self {
            Self::InForce => "in-force",
            Self::Ended => "ended",
            Self::Withdrawn => "withdrawn",
            Self::Lapsed => "lapsed",
            Self::NotFinal => "not-final",
            Self::Unknown => "unknown",
        }
    }
}

impl Contracts {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let mut contracts = self.at.desk()?.get("/api/contracts").await?;
        if let (Some(standing), Some(all)) = (self.standing, contracts.as_array_mut()) {
            all.retain(|one| one["standing"]["standing"] == standing.name());
        }
        self.at.say(&contracts, |contracts| {
            let mut rows = vec![head(&["Contract", "You are", "With", "Asset", "Price", "Recorded", "Standing"])];
            rows.extend(contracts.as_array().into_iter().flatten().map(|one| {
                vec![
                    brief(&text(one, "/contract_id")),
                    text(one, "/role"),
                    called(one, "/counterparty_name", "/counterparty"),
                    text(one, "/asset/title"),
                    money(&one["price"]),
                    when(&text(one, "/recorded")),
                    standing_in_words(&one["standing"], &text(one, "/ends")),
                ]
            }));
            if rows.len() == 1 {
                println!("no contracts here; `countersign negotiations` lists what is on its way");
            } else {
                table(&rows);
            }
        })
    }
}

/// Where a contract stands, in words.
pub fn standing_in_words(standing: &Value, ends: &str) -> String {
    let since = text(standing, "/since");
    let since = if since.is_empty() { String::new() } else { format!(" on {}", when(&since)) };
    let ground = text(standing, "/ground");
    let ground = if ground.is_empty() { String::new() } else { format!(" ({ground})") };
    let said = match standing["standing"].as_str() {
        Some("in-force") => format!("in force, {}", until(ends)),
        Some("ended") => format!("no: its provider ended it{since}{ground}"),
        Some("withdrawn") => format!("no: its consumer withdrew{since}{ground}"),
        Some("lapsed") => format!("no: its time was over{since}"),
        Some("not-final") => "not yet: its entry is not final".to_owned(),
        _ => "unknown: the chain does not answer".to_owned(),
    };
    let read = text(standing, "/read_at");
    if standing["stale"] == true && !read.is_empty() { format!("{said}; read {}", when(&read)) } else { said }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_standing_says_since_when_and_why() {
        let ended = json!({ "standing": "ended", "since": "2026-11-20T10:00:00Z", "ground": "breach", "stale": false });
        let said = standing_in_words(&ended, "");
        assert!(said.starts_with("no: its provider ended it on 2026-11-20") && said.ends_with("(breach)"), "{said}");
        let stale = json!({ "standing": "in-force", "read_at": "2026-11-20T10:00:00Z", "stale": true });
        assert!(standing_in_words(&stale, "2027-01-01T00:00:00Z").contains("; read 2026-11-20"));
    }
}
