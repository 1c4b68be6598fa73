//! Issuing: an invoice for what audits found due, and a credit note that takes fees back.

use std::collections::HashSet;

use serde::Deserialize;

use super::{Booked, Bookkeeper, Issue, Letterhead};
use crate::credential::ContractId;
use crate::encoding::Timestamp;
use crate::identity::Did;
use crate::node::{At, NodeFault, chance};
use crate::operator::{Credited, Invoice, Issuer, Kind, Line, due, page, totals};

const DAY: i64 = 24 * 3600;
const PAYMENT_DAYS: u16 = 30;
const PREFIX: &str = "INV-";
const LONGEST_REASON: usize = 500;

/// Which fees are to be invoiced.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceOrder {
    /// The provider.
    pub provider: Did,
    /// The first second of the period.
    pub from: At,
    /// The first second after the period.
    pub until: At,
    /// Whether it is only shown what the invoice would be, and nothing issued.
    #[serde(default)]
    pub preview: bool,
}

/// Which fees of an invoice are taken back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreditOrder {
    /// The contracts; everything that was not credited yet when empty.
    #[serde(default)]
    pub contracts: Vec<ContractId>,
    /// Why; it stands on the credit note.
    pub reason: String,
}

impl Bookkeeper {
    /// Invoices the fees of a provider's entries in a period that no invoice has claimed yet.
    ///
    /// # Errors
    /// `Unready` when nothing is due, the period is not over, or `[operator]` does not say who invoices; `Unknown` for a
    /// provider that was never admitted.
    pub async fn invoice(&self, order: &InvoiceOrder) -> Result<Booked, NodeFault> {
        let (from, until, now) = (order.from.0, order.until.0, chance::now()?);
        if from >= until {
            return Err(NodeFault::Unready(format!("the period from {from} until {until} is empty")));
        }
        if until > now {
            return Err(NodeFault::Unready(format!("the period ends at {until}, which is not over yet")));
        }
        let issuer = self.issuer()?;
        let customer = self.customer(&order.provider).await?;
        let registry = self.auditor.registry().urn();
        let _pen = self.pen.lock().await;
        let audits = self.auditor.audits_of(&order.provider).await?;
        let due = due(&audits, &registry, from, until, &self.store.invoiced().await?);
        if due.lines.is_empty() {
            return Err(NodeFault::Unready(match (due.invoiced, due.unevidenced, audits.is_empty()) {
                (0, 0, true) => format!(
                    "{} has stated nothing yet; `countersign collect` says what is missing",
                    customer.legal_name
                ),
                (0, 0, false) => {
                    "no audited fee falls into this period; `countersign collect` says what is missing".into()
                }
                (0, old, _) => format!("{old} fees were audited by an older version: have the statement sent again"),
                (all, ..) => {
                    format!("all {all} fees of this period are invoiced already; `countersign invoices` lists them")
                }
            }));
        }
        let number = self.store.next_number().await?;
        let invoice = Invoice {
            number,
            label: self.label(number),
            kind: Kind::Invoice,
            issued: now,
            due: Some(now.plus(i64::from(self.letterhead.payment_days.unwrap_or(PAYMENT_DAYS)) * DAY)),
            issuer,
            customer,
            registry: registry.to_string(),
            from,
            until,
            credits: None,
            totals: totals(&due.lines)?,
            lines: due.lines,
        };
        if order.preview {
            return Ok(Booked { invoice, standing: None, credit_notes: vec![], payments: vec![] });
        }
        self.issue(invoice).await
    }

    /// Takes fees of an invoice back; what was credited stays invoiced, and is never invoiced again.
    ///
    /// # Errors
    /// `Unknown` for another invoice or a contract that is not on it; `Unready` when there is nothing left to credit.
    pub async fn credit(&self, given: &str, order: &CreditOrder) -> Result<Booked, NodeFault> {
        let reason = order.reason.trim();
        if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
            return Err(NodeFault::Unready(format!("a credit note says why, in 1 to {LONGEST_REASON} characters")));
        }
        let issuer = self.issuer()?;
        let _pen = self.pen.lock().await;
        let invoice = self.one(given).await?.invoice;
        if let Some(credits) = &invoice.credits {
            return Err(NodeFault::Unready(format!(
                "{} is a credit note about {}; only an invoice is credited",
                invoice.label, credits.label
            )));
        }
        let wanted: HashSet<_> = order.contracts.iter().collect();
        if let Some(stranger) = wanted.iter().find(|id| invoice.lines.iter().all(|line| line.contract_id != ***id)) {
            return Err(NodeFault::unknown("line of this invoice for contract", stranger.to_string()));
        }
        let before = self.store.credited().await?;
        let fits = |line: &&Line| wanted.is_empty() || wanted.contains(&line.contract_id);
        let (gone, lines): (Vec<Line>, Vec<Line>) =
            invoice.lines.iter().filter(fits).cloned().partition(|line| before.contains_key(&invoice.place(line)));
        if lines.is_empty() || (!wanted.is_empty() && !gone.is_empty()) {
            return Err(NodeFault::Unready(format!(
                "{} of these fees were credited already; `countersign invoices {}` says by which credit note",
                gone.len(),
                invoice.label
            )));
        }
        let number = self.store.next_number().await?;
        let note = Invoice {
            number,
            label: self.label(number),
            kind: Kind::CreditNote,
            issued: chance::now()?,
            due: None,
            issuer,
            credits: Some(Credited { number: invoice.number, label: invoice.label, reason: reason.to_owned() }),
            totals: totals(&lines)?,
            lines,
            ..invoice
        };
        self.issue(note).await
    }

    /// Books that were restored from a copy do not know what was issued since: neither its numbers nor its fees.
    async fn may_issue(&self) -> Result<(), NodeFault> {
        let Some(copied) = self.auditor.copied().await? else { return Ok(()) };
        let issued = self.store.issued().await?;
        go_on(copied, &self.letterhead, issued.iter().map(|issued| (issued.label.as_str(), issued.issued)))
    }

    async fn issue(&self, invoice: Invoice) -> Result<Booked, NodeFault> {
        self.may_issue().await?;
        let label = invoice.label.clone();
        self.store.issue(&Issue { page: page(&invoice), invoice }).await?;
        self.one(&label).await
    }

    fn label(&self, number: u64) -> String {
        Invoice::label(self.letterhead.invoice_prefix.as_deref().unwrap_or(PREFIX), number)
    }

    fn issuer(&self) -> Result<Issuer, NodeFault> {
        let told = &self.letterhead;
        if told.name.trim().is_empty() || told.address.is_empty() {
            return Err(NodeFault::Unready(
                "[operator] has to name who invoices: set `name` and `address` in countersign.toml and restart the node".into(),
            ));
        }
        Ok(Issuer {
            did: self.auditor.did().clone(),
            name: told.name.clone(),
            address: told.address.clone(),
            tax_id: told.tax_id.clone(),
            payment_to: told.payment_to.clone(),
            note: told.note.clone(),
        })
    }

    /// The time after which nothing is invoiced: what is not final may still go.
    pub(super) fn over(until: Timestamp, head: Timestamp) -> Result<(), NodeFault> {
        if until <= head {
            return Ok(());
        }
        Err(NodeFault::Unready(format!("the period ends at {until}, and blocks are final up to {head}")))
    }
}

/// Lets books go on that were restored from a copy, once a person has said so and numbers anew.
fn go_on<'a>(
    copied: Timestamp,
    told: &Letterhead,
    issued: impl IntoIterator<Item = (&'a str, Timestamp)>,
) -> Result<(), NodeFault> {
    let prefix = told.invoice_prefix.as_deref().unwrap_or(PREFIX);
    let numbered =
        |label: &str| label.strip_prefix(prefix).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    let used = issued.into_iter().any(|(label, at)| at <= copied && numbered(label));
    if told.restored_copy.as_deref() == Some(&copied.rfc3339()) && !used {
        return Ok(());
    }
    Err(NodeFault::Unready(format!(
        "these books were restored from a copy of {copied}: what was issued after it is not in them, so that numbers and \
         fees could be invoiced twice. Ask the providers which invoices of `{prefix}` they got since, and leave those \
         periods out; then set restored_copy = \"{copied}\" and an invoice_prefix that was never used in [operator], and \
         restart the node"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restored_books_go_on_when_a_person_says_so_and_with_numbers_of_their_own() {
        let at = |seconds: i64| Timestamp::from_seconds(1_800_000_000 + seconds).unwrap();
        let told = |copy: Option<Timestamp>, prefix: &str| Letterhead {
            restored_copy: copy.map(Timestamp::rfc3339),
            invoice_prefix: Some(prefix.into()),
            ..Letterhead::default()
        };
        let issued = [("INV-1", at(-10)), ("NEW-2", at(10))];
        for (letterhead, fits) in [
            (Letterhead::default(), false),
            (told(Some(at(0)), "INV-"), false),
            (told(None, "NEW-"), false),
            (told(Some(at(1)), "NEW-"), false),
            (told(Some(at(0)), "NEW-"), true),
        ] {
            assert_eq!(go_on(at(0), &letterhead, issued).is_ok(), fits, "{letterhead:?}");
        }
    }
}
