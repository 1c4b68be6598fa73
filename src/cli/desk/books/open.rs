use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use super::super::At;
use super::super::words::{head, table, text};
use super::{balance, day};
use crate::policy::{Amount, Currency, Money};

const AGES: [&str; 5] = ["not-due", "1-30", "31-60", "61-90", "over-90"];

/// Shows which invoices are open or overpaid, and since when, as operator.
///
/// Sums are per currency and by how many days they are overdue.
///
/// Example: countersign open
#[derive(Debug, Args)]
pub struct Open {
    #[command(flatten)]
    at: At,
}

impl Open {
    pub(in super::super) async fn run(&self) -> Result<ExitCode> {
        let open = self.at.desk()?.get("/api/open").await?;
        self.at.say(&open, |open| {
            let all = open.as_array().map(Vec::as_slice).unwrap_or_default();
            if all.is_empty() {
                return println!("nothing is open");
            }
            let mut rows = vec![head(&["Number", "Date", "Pay by", "Overdue", "Provider", "Open", "Overpaid"])];
            rows.extend(all.iter().map(|one| {
                let days = one["standing"]["days_overdue"].as_i64().unwrap_or_default();
                vec![
                    text(one, "/label"),
                    day(&text(one, "/issued")),
                    day(&text(one, "/due")),
                    if days > 0 { format!("{days} days") } else { String::new() },
                    text(one, "/customer/legal_name"),
                    balance(one, "open"),
                    balance(one, "overpaid"),
                ]
            }));
            table(&rows);
            println!();
            table(&ages(all));
        })
    }
}

/// What is open per currency, by how long it has been overdue.
fn ages(all: &[Value]) -> Vec<Vec<String>> {
    let mut sums: BTreeMap<Currency, Vec<Option<Money>>> = BTreeMap::new();
    for one in all {
        let Some(column) = AGES.iter().position(|age| one["standing"]["age"] == *age) else { continue };
        for balance in one["standing"]["balances"].as_array().into_iter().flatten() {
            let (Ok(amount), Ok(currency)) =
                (text(balance, "/open").parse::<Amount>(), text(balance, "/currency").parse::<Currency>())
            else {
                continue;
            };
            let row = sums.entry(currency).or_insert_with(|| vec![None; AGES.len() + 1]);
            for place in [column, AGES.len()] {
                let before = row[place].unwrap_or(Money { amount: Amount::zero(currency), currency });
                // A sum beyond what an amount can hold is left out rather than shown wrong.
                row[place] = before.plus(Money { amount, currency }).ok().or(row[place]);
            }
        }
    }
    let mut rows = vec![head(&["Open", "not due", "1-30 days", "31-60 days", "61-90 days", "over 90 days", "all"])];
    rows.extend(sums.into_iter().map(|(currency, row)| {
        let cells = row.into_iter().map(|sum| sum.map_or_else(String::new, |sum| sum.amount.to_string()));
        std::iter::once(currency.to_string()).chain(cells).collect()
    }));
    rows
}
