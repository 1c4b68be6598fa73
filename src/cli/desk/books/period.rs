use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::super::Usage;
use super::super::At;
use super::super::words::{head, table, text, when};

/// The period of an invoice or a collection. Days and months begin at midnight UTC, as the statements' do.
#[derive(Debug, Args)]
pub struct Period {
    /// A whole month, for example 2026-11.
    #[arg(long, value_name = "MONTH", conflicts_with_all = ["from", "until"])]
    month: Option<String>,
    /// The period's first day (2026-11-01) or second (RFC 3339).
    #[arg(long, value_name = "TIME", requires = "until")]
    from: Option<String>,
    /// The first day or second after the period.
    #[arg(long, value_name = "TIME", requires = "from")]
    until: Option<String>,
}

impl Period {
    /// From and until, RFC 3339 in UTC; `None` when nothing was said.
    pub(super) fn said(&self) -> Result<Option<(String, String)>, Usage> {
        if let Some(month) = &self.month {
            let first: Date = format!("{month}-01").parse().map_err(|_| wrong(month, "a month like 2026-11"))?;
            return Ok(Some(month_of(first)));
        }
        match (&self.from, &self.until) {
            (Some(from), Some(until)) => Ok(Some((time(from)?, time(until)?))),
            _ => Ok(None),
        }
    }
}

/// The month before this one.
fn last_month(now: Timestamp) -> (String, String) {
    let today = now.to_zoned(TimeZone::UTC).date();
    // The day before the first of this month is one of the last month's.
    month_of(today.first_of_month().yesterday().unwrap_or(today).first_of_month())
}

fn month_of(first: Date) -> (String, String) {
    let next = first.last_of_month().tomorrow().unwrap_or(first);
    (midnight(first), midnight(next))
}

fn midnight(day: Date) -> String {
    format!("{day}T00:00:00Z")
}

/// A day's first second, or a second, as RFC 3339 in UTC.
pub fn time(text: &str) -> Result<String, Usage> {
    if let Ok(day) = text.parse::<Date>()
        && day.to_string() == text
    {
        return Ok(midnight(day));
    }
    let at: Timestamp =
        text.parse().map_err(|_| wrong(text, "a day like 2026-11-01, or RFC 3339 like 2026-11-01T00:00:00Z"))?;
    Ok(at.to_string())
}

fn wrong(found: &str, expected: &str) -> Usage {
    Usage(format!("`{}` is not {expected}", found.chars().take(60).collect::<String>()))
}

/// Says who has stated a period, and who has not although the registry shows entries of its recorders, as operator.
///
/// Providers send their statements by themselves (`countersign state-fees --operator URL`); this holds what came against
/// the registry. Without a period: last month. Exit code 1 says that something is missing.
///
/// Example: countersign collect --month 2026-11
#[derive(Debug, Args)]
pub struct Collect {
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    period: Period,
}

impl Collect {
    pub(in super::super) async fn run(&self) -> Result<ExitCode> {
        let (from, until) = self.period.said()?.unwrap_or_else(|| last_month(Timestamp::now()));
        let collection = self.at.desk()?.get(&format!("/api/collection?from={from}&until={until}")).await?;
        let providers = || collection["providers"].as_array().into_iter().flatten();
        let lacking = providers().any(|one| matches!(one["state"].as_str(), Some("missing" | "disputed")));
        self.at.say(&collection, |_| {
            println!("period {} until {}", when(&from), when(&until));
            let mut rows = vec![head(&["Provider", "State", "Entries", "Stated", "Statements", "DID"])];
            rows.extend(providers().map(|one| {
                vec![
                    text(one, "/legal_name"),
                    text(one, "/state"),
                    one["entries"].to_string(),
                    one["stated"].to_string(),
                    one["statements"].as_array().map_or(0, Vec::len).to_string(),
                    text(one, "/provider"),
                ]
            }));
            if rows.len() == 1 {
                println!("no member has a recorder or has stated anything yet");
            } else {
                table(&rows);
            }
            providers().for_each(missing);
        })?;
        Ok(if lacking { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn missing(provider: &Value) {
    let missing = provider["missing"].as_array().into_iter().flatten();
    for entry in missing {
        let problem = text(entry, "/problem");
        let why = if problem.is_empty() {
            "no statement has it".into()
        } else {
            format!("stated, but {problem} does not hold")
        };
        println!(
            "  {}: {} in block {} at {}: {why}",
            text(provider, "/legal_name"),
            text(entry, "/contract_id"),
            entry["block"],
            when(&text(entry, "/block_time"))
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(month: Option<&str>, from: Option<&str>, until: Option<&str>) -> Period {
        let own = |text: Option<&str>| text.map(str::to_owned);
        Period { month: own(month), from: own(from), until: own(until) }
    }

    #[test]
    fn months_and_days_begin_at_midnight_utc() {
        let said = |period: Period| period.said().unwrap().unwrap();
        let (december, january) = ("2026-12-01T00:00:00Z".to_owned(), "2027-01-01T00:00:00Z".to_owned());
        assert_eq!(said(period(Some("2026-12"), None, None)), (december.clone(), january.clone()));
        assert_eq!(
            said(period(None, Some("2026-12-01"), Some("2027-01-01T01:00:00+01:00"))),
            (december.clone(), january)
        );
        assert_eq!(last_month("2026-12-31T23:00:00Z".parse().unwrap()).1, december);
        assert_eq!(last_month("2027-01-01T00:00:00Z".parse().unwrap()).0, december);
    }

    #[test]
    fn other_spellings_say_what_is_expected() {
        for wrong in ["2026-13", "11/2026", "2026", ""] {
            assert!(period(Some(wrong), None, None).said().unwrap_err().0.contains("2026-11"), "{wrong}");
        }
        assert!(period(None, Some("yesterday"), Some("2026-12-01")).said().is_err());
    }
}
