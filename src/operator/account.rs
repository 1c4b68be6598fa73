//! Where an invoice stands: what was credited, paid and paid back, what is open and since when.

use serde::{Deserialize, Serialize};

use super::invoice::add;
use super::{Invoice, Kind};
use crate::check::Refusal;
use crate::credential::rfc3339;
use crate::encoding::Timestamp;
use crate::policy::{Amount, Currency, Money};

const DAY: i64 = 24 * 3600;

/// Money that came for an invoice, or went back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Its number among all payments, from 1.
    pub number: u64,
    /// The invoice.
    pub invoice: u64,
    /// How much.
    pub money: Money,
    /// Whether the operator paid it back to the provider.
    pub refund: bool,
    /// The day of the payment, as the bank has it: `2026-12-03`.
    pub date: String,
    /// What the bank's statement calls it.
    pub reference: String,
    /// When it was recorded here.
    #[serde(with = "rfc3339")]
    pub recorded: Timestamp,
    /// Why it does not count, if it was recorded by mistake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<String>,
}

/// Where an invoice stands in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// The currency.
    pub currency: Currency,
    /// What the invoice claims.
    pub invoiced: Amount,
    /// What credit notes took back.
    pub credited: Amount,
    /// What came in.
    pub paid: Amount,
    /// What was paid back.
    pub refunded: Amount,
    /// What is still to come.
    pub open: Amount,
    /// What came in beyond what was due.
    pub overpaid: Amount,
}

/// Where an invoice stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Nothing came yet.
    Open,
    /// Something is still to come.
    PartlyPaid,
    /// Nothing is open.
    Paid,
    /// More came than was due: it is the provider's, until it is paid back.
    Overpaid,
    /// Credit notes took all of it back.
    Credited,
}

/// How long something has been overdue, as accountants group it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Age {
    /// It may still be paid in time.
    #[serde(rename = "not-due")]
    NotDue,
    /// 1 to 30 days.
    #[serde(rename = "1-30")]
    UpTo30,
    /// 31 to 60 days.
    #[serde(rename = "31-60")]
    UpTo60,
    /// 61 to 90 days.
    #[serde(rename = "61-90")]
    UpTo90,
    /// More than 90 days.
    #[serde(rename = "over-90")]
    Over90,
}

/// An invoice with what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// In one word.
    pub status: Status,
    /// Per currency.
    pub balances: Vec<Balance>,
    /// Days since the last day for paying, while something is open; 0 until then.
    pub days_overdue: i64,
    /// The group of that.
    pub age: Age,
}

impl Standing {
    /// Where `invoice` stands at `now`, with the credit notes about it and its payments.
    ///
    /// # Errors
    /// `amount.range` when sums leave the range of amounts.
    pub fn of(invoice: &Invoice, notes: &[&Invoice], payments: &[&Payment], now: Timestamp) -> Result<Self, Refusal> {
        let (mut credited, mut paid, mut refunded) = (vec![], vec![], vec![]);
        for total in notes.iter().flat_map(|note| &note.totals) {
            add(&mut credited, *total)?;
        }
        for payment in payments.iter().filter(|payment| payment.void.is_none()) {
            add(if payment.refund { &mut refunded } else { &mut paid }, payment.money)?;
        }
        let balances: Result<Vec<_>, _> = invoice
            .totals
            .iter()
            .map(|total| {
                let [credited, paid, refunded] = [&credited, &paid, &refunded].map(|sums| sum(sums, total.currency));
                Balance::of(*total, credited, paid, refunded)
            })
            .collect();
        let balances = balances?;
        let open = balances.iter().any(|balance| balance.open > Amount::zero(balance.currency));
        let late = invoice.due.map_or(0, |due| day(now) - day(due)).max(0);
        let days_overdue = if open && invoice.kind == Kind::Invoice { late } else { 0 };
        Ok(Self { status: status(&balances), age: Age::of(days_overdue), days_overdue, balances })
    }

    /// Whether nothing is open and nothing overpaid.
    pub fn settled(&self) -> bool {
        let zero = |balance: &Balance| Amount::zero(balance.currency);
        self.balances.iter().all(|balance| balance.open == zero(balance) && balance.overpaid == zero(balance))
    }
}

impl Balance {
    fn of(total: Money, credited: Amount, paid: Amount, refunded: Amount) -> Result<Self, Refusal> {
        // What is credited is spelled like the total, and money moves at the currency's scale: nothing is rounded here.
        let scale = total.amount.decimals().max(total.currency.scale());
        let units = |amount: Amount| amount.to_units(scale);
        // Four numbers of at most 21 digits.
        let rest = units(total.amount) - units(credited) - units(paid) + units(refunded);
        Ok(Self {
            currency: total.currency,
            invoiced: total.amount,
            credited,
            paid,
            refunded,
            open: Amount::from_units(rest.max(0), scale)?,
            overpaid: Amount::from_units((-rest).max(0), scale)?,
        })
    }
}

impl Age {
    fn of(days: i64) -> Self {
        match days {
            ..=0 => Self::NotDue,
            1..=30 => Self::UpTo30,
            31..=60 => Self::UpTo60,
            61..=90 => Self::UpTo90,
            _ => Self::Over90,
        }
    }
}

fn sum(sums: &[Money], currency: Currency) -> Amount {
    sums.iter().find(|sum| sum.currency == currency).map_or(Amount::zero(currency), |sum| sum.amount)
}

fn status(balances: &[Balance]) -> Status {
    let any = |amount: fn(&Balance) -> Amount| balances.iter().any(|one| amount(one) > Amount::zero(one.currency));
    let came = any(|one| one.paid);
    if any(|one| one.open) {
        if came || any(|one| one.credited) { Status::PartlyPaid } else { Status::Open }
    } else if any(|one| one.overpaid) {
        Status::Overpaid
    } else if came {
        Status::Paid
    } else if any(|one| one.credited) {
        Status::Credited
    } else {
        Status::Paid
    }
}

/// Days since 1970, in UTC.
fn day(at: Timestamp) -> i64 {
    at.seconds().div_euclid(DAY)
}
