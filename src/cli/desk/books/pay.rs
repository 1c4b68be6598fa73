use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use super::super::super::Usage;
use super::super::At;
use super::super::words::{money, text};
use super::balance;

/// Records a payment against an invoice, as operator.
///
/// It may be less or more than what is open: the rest stays open, what is too much is shown as overpaid until it is paid
/// back (`--refund`).
///
/// Example: countersign pay INV-000007 25.00 --date 2026-12-03 --reference "SEPA 4711"
#[derive(Debug, Args)]
pub struct Pay {
    #[command(flatten)]
    at: At,
    /// The invoice's number.
    invoice: String,
    /// How much: 25.00, or "25.00 EUR" where the invoice has several currencies.
    amount: String,
    /// The day of the payment, as the bank has it.
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: String,
    /// What the bank's statement calls it; it tells two payments of one day apart.
    #[arg(long)]
    reference: String,
    /// You paid it back to the provider.
    #[arg(long)]
    refund: bool,
}

impl Pay {
    pub(in super::super) async fn run(&self) -> Result<ExitCode> {
        let (amount, currency) = match self.amount.trim().split_once(' ') {
            Some((amount, currency)) => (amount, Some(currency.trim())),
            None => (self.amount.trim(), None),
        };
        let mut order = json!({
            "invoice": self.invoice.trim(), "amount": amount, "date": self.date, "reference": self.reference,
            "refund": self.refund,
        });
        if let Some(currency) = currency {
            order["currency"] = json!(currency);
        }
        let amount: Result<crate::policy::Amount, _> = amount.parse();
        amount.map_err(|refusal| Usage(refusal.detail))?;
        let desk = self.at.desk()?;
        let payment = desk.post("/api/payments", &order).await?;
        let booked = desk.get(&super::invoices::path(&self.invoice)?).await?;
        self.at.say(&payment, |payment| {
            line(payment);
            println!("{} is {}", text(&booked, "/label"), text(&booked, "/standing/status"));
            for (name, column) in [("open", "open"), ("overpaid", "overpaid")] {
                let sum = balance(&booked, column);
                if !sum.is_empty() {
                    println!("{name:<11} {sum}");
                }
            }
        })
    }
}

/// Lists payments, or marks one as recorded by mistake, as operator.
///
/// Example: countersign payments --void 3 --reason "another customer's"
#[derive(Debug, Args)]
pub struct Payments {
    #[command(flatten)]
    at: At,
    /// The payment that does not count; it stays in the books.
    #[arg(long, value_name = "NUMBER", requires = "reason")]
    void: Option<u64>,
    /// Why it does not count.
    #[arg(long, requires = "void")]
    reason: Option<String>,
}

impl Payments {
    pub(in super::super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        if let Some(number) = self.void {
            let payment = desk.post(&format!("/api/payments/{number}/void"), &json!({ "reason": self.reason })).await?;
            return self.at.say(&payment, line);
        }
        let payments = desk.get("/api/payments").await?;
        self.at.say(&payments, |payments| {
            let payments = payments.as_array().map(Vec::as_slice).unwrap_or_default();
            payments.iter().for_each(line);
            if payments.is_empty() {
                println!("no payment yet; `countersign pay INVOICE AMOUNT --date DAY --reference TEXT` records one");
            }
        })
    }
}

/// A payment in one line.
pub(super) fn line(payment: &Value) {
    let what = if payment["refund"] == true { "paid back" } else { "payment" };
    let void = text(payment, "/void");
    let void = if void.is_empty() { String::new() } else { format!("  does not count: {void}") };
    println!(
        "{what:<11} {} of {}: {}  {}{void}",
        payment["number"],
        text(payment, "/date"),
        money(&payment["money"]),
        text(payment, "/reference"),
    );
}
