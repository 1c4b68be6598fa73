//! What an operator's accountant does: collect statements, invoice, record payments, see what is open.

mod invoices;
mod open;
mod pay;
mod period;

use anyhow::Result;
pub use invoices::{Credit, Invoice, Invoices};
pub use open::Open;
pub use pay::{Pay, Payments};
pub use period::Collect;
pub use period::time as day_or_second;
use serde_json::Value;

use super::super::Usage;
use super::super::calls::Desk;
use super::words::{money, text};

/// The DID of the one member that `given` means: its DID or the beginning of it, or of its name.
async fn provider(desk: &Desk, given: &str) -> Result<String> {
    let members = desk.get("/api/members").await?;
    let wanted = given.trim().to_lowercase();
    let members = || members.as_array().into_iter().flatten();
    let named = |member: &&Value, whole: bool| {
        let (did, name) = (text(member, "/did"), text(member, "/legal_name").to_lowercase());
        let fits = |known: &str, wanted: &str| if whole { known == wanted } else { known.starts_with(wanted) };
        !wanted.is_empty() && (fits(&did, given.trim()) || fits(&name, &wanted))
    };
    let dids = |whole| {
        let mut dids: Vec<String> =
            members().filter(|member| named(member, whole)).map(|one| text(one, "/did")).collect();
        dids.sort();
        dids.dedup();
        dids
    };
    let exact = dids(true);
    let found = if exact.is_empty() { dids(false) } else { exact };
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => {
            let mut known: Vec<String> = members().map(|one| text(one, "/legal_name")).collect();
            known.sort();
            known.dedup();
            let known = if known.is_empty() { "nobody".into() } else { known.join(", ") };
            Err(Usage(format!("`{given}` is no member; admitted so far: {known}")).into())
        }
        _ => Err(Usage(format!("`{given}` means several members: {}; write more of it", found.join(", "))).into()),
    }
}

/// Amounts of several currencies in one text.
fn sums(value: &Value, pointer: &str) -> String {
    let sums: Vec<String> = value.pointer(pointer).and_then(Value::as_array).into_iter().flatten().map(money).collect();
    if sums.is_empty() { "nothing".into() } else { sums.join(", ") }
}

/// One column of the balances of an invoice, where it is not zero.
fn balance(booked: &Value, column: &str) -> String {
    let balances = booked.pointer("/standing/balances").and_then(Value::as_array).into_iter().flatten();
    let sums: Vec<String> = balances
        .filter(|balance| {
            balance[column].as_str().is_some_and(|amount| amount.bytes().any(|b| matches!(b, b'1'..=b'9')))
        })
        .map(|balance| format!("{} {}", text(balance, &format!("/{column}")), text(balance, "/currency")))
        .collect();
    sums.join(", ")
}

/// The day of a time, in UTC, as invoices show it.
fn day(time: &str) -> String {
    time.chars().take(10).collect()
}
