//! Payments: what came in, what went back, and what was recorded by mistake.

use serde::Deserialize;

use super::Bookkeeper;
use crate::node::{NodeFault, chance};
use crate::operator::{Balance, Kind, Payment};
use crate::policy::{Amount, Currency, Money};

const LONGEST_REFERENCE: usize = 140;
const LONGEST_REASON: usize = 500;

/// A payment to record.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentOrder {
    /// The invoice's number.
    pub invoice: String,
    /// How much.
    pub amount: Amount,
    /// In which currency; that of the invoice when it has one.
    #[serde(default)]
    pub currency: Option<Currency>,
    /// The day of the payment, as the bank has it: `2026-12-03`.
    pub date: String,
    /// What the bank's statement calls it.
    pub reference: String,
    /// Whether the operator paid it back to the provider.
    #[serde(default)]
    pub refund: bool,
}

/// Why a payment does not count.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoidOrder {
    /// The reason; it stays with the payment.
    pub reason: String,
}

impl Bookkeeper {
    /// Records a payment against an invoice. It may be less or more than what is open: the rest stays open, what is too
    /// much is shown as overpaid until it is paid back.
    ///
    /// # Errors
    /// `Unknown` for another invoice; `Unready` for a credit note, another currency, a day that has not come, a payment
    /// that is recorded already, or a refund of more than was overpaid.
    pub async fn pay(&self, order: &PaymentOrder) -> Result<Payment, NodeFault> {
        let now = chance::now()?;
        let date = day(&order.date, now)?;
        let reference = order.reference.trim();
        if reference.is_empty() || reference.chars().count() > LONGEST_REFERENCE || reference.contains(char::is_control)
        {
            return Err(NodeFault::Unready(format!(
                "a payment has the bank's reference, 1 to {LONGEST_REFERENCE} characters: it tells two payments apart"
            )));
        }
        let _pen = self.pen.lock().await;
        let booked = self.one(&order.invoice).await?;
        let (label, Some(standing)) = (&booked.invoice.label, &booked.standing) else {
            return Err(NodeFault::Unready(format!(
                "{} is a credit note; payments are recorded against the invoice that it names",
                booked.invoice.label
            )));
        };
        debug_assert_eq!(booked.invoice.kind, Kind::Invoice);
        let balance = balance(&standing.balances, order.currency, label)?;
        let amount = order.amount.rounded(balance.currency)?;
        if amount != order.amount || amount == Amount::zero(balance.currency) {
            return Err(NodeFault::Unready(format!(
                "{} {} is no payment: it takes an amount above zero with at most {} decimals",
                order.amount,
                balance.currency,
                balance.currency.scale()
            )));
        }
        let money = Money { amount, currency: balance.currency };
        if order.refund && amount > balance.overpaid {
            return Err(NodeFault::Unready(format!(
                "{label} is overpaid by {} {}; more than that is not paid back",
                balance.overpaid, balance.currency
            )));
        }
        let mut payment = Payment {
            number: 0,
            invoice: booked.invoice.number,
            money,
            refund: order.refund,
            date,
            reference: reference.to_owned(),
            recorded: now,
            void: None,
        };
        let same = |other: &&Payment| {
            (other.money, other.refund, &other.date, &other.reference, &other.void)
                == (payment.money, payment.refund, &payment.date, &payment.reference, &None)
        };
        if let Some(other) = booked.payments.iter().find(same) {
            return Err(NodeFault::Unready(format!(
                "this is recorded already, as payment {}: a second payment of the same day and amount has another reference",
                other.number
            )));
        }
        payment.number = self.store.pay(&payment).await?;
        Ok(payment)
    }

    /// Every payment, by number.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn payments(&self) -> Result<Vec<Payment>, NodeFault> {
        Ok(self.store.payments().await?)
    }

    /// Marks a payment as recorded by mistake. It stays in the books, and counts no more.
    ///
    /// # Errors
    /// `Unknown` for another payment; `Unready` when it is void already or no reason is given.
    pub async fn void(&self, number: u64, order: &VoidOrder) -> Result<Payment, NodeFault> {
        let reason = order.reason.trim();
        if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
            return Err(NodeFault::Unready(format!(
                "say why the payment does not count, in 1 to {LONGEST_REASON} characters"
            )));
        }
        let _pen = self.pen.lock().await;
        let found = |payments: Vec<Payment>| payments.into_iter().find(|payment| payment.number == number);
        if found(self.store.payments().await?).is_none() {
            return Err(NodeFault::unknown("payment", number.to_string()));
        }
        if !self.store.void(number, reason).await? {
            return Err(NodeFault::Unready(format!("payment {number} does not count already")));
        }
        found(self.store.payments().await?).ok_or_else(|| NodeFault::unknown("payment", number.to_string()))
    }
}

fn balance<'a>(balances: &'a [Balance], currency: Option<Currency>, label: &str) -> Result<&'a Balance, NodeFault> {
    let found = match (currency, balances) {
        (Some(currency), _) => balances.iter().find(|balance| balance.currency == currency),
        (None, [one]) => Some(one),
        (None, _) => None,
    };
    found.ok_or_else(|| {
        let known: Vec<_> = balances.iter().map(|balance| balance.currency.code()).collect();
        NodeFault::Unready(format!(
            "{label} is in {}: say which with the amount, for example 25.00 {}",
            known.join(" and "),
            known.first().unwrap_or(&"EUR")
        ))
    })
}

/// A calendar day that has come, at least somewhere.
fn day(text: &str, now: crate::encoding::Timestamp) -> Result<String, NodeFault> {
    let wrong =
        || NodeFault::Unready(format!("`{}` is no day like 2026-12-03", text.chars().take(40).collect::<String>()));
    let date: jiff::civil::Date = text.parse().map_err(|_| wrong())?;
    if date.to_string() != text {
        return Err(wrong());
    }
    // It is tomorrow already, somewhere.
    let latest: String = now.plus(24 * 3600).rfc3339().chars().take(10).collect();
    if text > latest.as_str() || text < "2000-01-01" {
        return Err(NodeFault::Unready(format!(
            "{text} has not come yet: a payment is recorded when the money has moved"
        )));
    }
    Ok(text.to_owned())
}
