//! The operator's books: who has stated, what is invoiced, what is paid and what is open (`docs/operator.md`).

mod collect;
mod issue;
mod payments;
mod port;

use std::sync::Arc;

pub use collect::{Collected, Collection, Gap, Unstated};
pub use issue::{CreditOrder, InvoiceOrder};
pub use payments::{PaymentOrder, VoidOrder};
pub use port::{BookStore, Issue};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{Auditor, NodeFault, chance};
use crate::identity::Did;
use crate::operator::{Customer, Invoice, Kind, Payment, Standing};

/// Who the operator is to an accountant; the table `[operator]` of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Letterhead {
    /// The operator's name in law.
    pub name: String,
    /// Its address, line by line.
    pub address: Vec<String>,
    /// Its tax number or VAT id.
    pub tax_id: Option<String>,
    /// How it is paid, line by line.
    pub payment_to: Vec<String>,
    /// In how many days after its date an invoice is to be paid; 30 unless it says otherwise.
    pub payment_days: Option<u16>,
    /// What stands before the number of an invoice; `INV-` unless it says otherwise.
    pub invoice_prefix: Option<String>,
    /// After a restore: the time of the copy, once a person has found out what was invoiced after it.
    pub restored_copy: Option<String>,
    /// What stands at the end of each invoice, about tax for example.
    pub note: Option<String>,
    /// What the books have to know of providers beyond their participant credentials.
    pub customers: Vec<CustomerTable>,
}

/// One provider's address and tax id; a table `[[operator.customers]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerTable {
    /// The provider.
    pub did: Did,
    /// Its address, line by line.
    #[serde(default)]
    pub address: Vec<String>,
    /// Its tax number or VAT id.
    #[serde(default)]
    pub tax_id: Option<String>,
}

/// The operator's books, beside its audits.
pub struct Bookkeeper {
    auditor: Arc<Auditor>,
    store: Arc<dyn BookStore>,
    letterhead: Letterhead,
    /// Whoever writes holds it: what is decided rests on what stands in the books.
    pen: Mutex<()>,
}

/// A document of the books and, for an invoice, where it stands.
#[derive(Clone, Debug, Serialize)]
pub struct Booked {
    /// The document, as it was issued.
    #[serde(flatten)]
    pub invoice: Invoice,
    /// What became of an invoice; a credit note has nothing to become.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// The numbers of the credit notes about it.
    pub credit_notes: Vec<String>,
    /// The payments that were recorded against it, void ones too.
    pub payments: Vec<Payment>,
}

impl Bookkeeper {
    /// The books of an operator.
    pub fn new(auditor: Arc<Auditor>, store: Arc<dyn BookStore>, letterhead: Letterhead) -> Self {
        Self { auditor, store, letterhead, pen: Mutex::new(()) }
    }

    /// Every invoice and credit note with where it stands, by number.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn booked(&self) -> Result<Vec<Booked>, NodeFault> {
        let now = chance::now()?;
        let (documents, payments) = (self.store.issued().await?, self.store.payments().await?);
        let standing = |invoice: &Invoice| -> Result<Booked, NodeFault> {
            let about = |note: &&Invoice| note.credits.as_ref().is_some_and(|credits| credits.number == invoice.number);
            let notes: Vec<&Invoice> = documents.iter().filter(about).collect();
            let paid: Vec<&Payment> = payments.iter().filter(|payment| payment.invoice == invoice.number).collect();
            let standing = match invoice.kind {
                Kind::Invoice => Some(Standing::of(invoice, &notes, &paid, now)?),
                Kind::CreditNote => None,
            };
            Ok(Booked {
                standing,
                credit_notes: notes.iter().map(|note| note.label.clone()).collect(),
                payments: paid.into_iter().cloned().collect(),
                invoice: invoice.clone(),
            })
        };
        documents.iter().map(standing).collect()
    }

    /// One document, by its number or its number as it is written.
    ///
    /// # Errors
    /// `Unknown` when there is none.
    pub async fn one(&self, given: &str) -> Result<Booked, NodeFault> {
        let fits = |booked: &Booked| booked.invoice.label == given || booked.invoice.number.to_string() == given;
        let found = self.booked().await?.into_iter().find(fits);
        found.ok_or_else(|| NodeFault::unknown("invoice", given))
    }

    /// The page of a document, exactly as it was issued.
    ///
    /// # Errors
    /// `Unknown` when there is none.
    pub async fn page(&self, given: &str) -> Result<String, NodeFault> {
        let number = self.one(given).await?.invoice.number;
        self.store.page(number).await?.ok_or_else(|| NodeFault::unknown("invoice", given))
    }

    /// The invoices of which something is open or overpaid, the longest overdue first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn unsettled(&self) -> Result<Vec<Booked>, NodeFault> {
        let mut booked = self.booked().await?;
        booked.retain(|one| one.standing.as_ref().is_some_and(|standing| !standing.settled()));
        booked.sort_by_key(|one| (one.invoice.due, one.invoice.number));
        Ok(booked)
    }

    /// Who a provider is: as its newest participant credential names it, with what the configuration adds.
    async fn customer(&self, provider: &Did) -> Result<Customer, NodeFault> {
        let members = self.auditor.members().await?;
        let member = members.into_iter().filter(|member| member.did == *provider).max_by_key(|member| member.nbf);
        let member = member.ok_or_else(|| NodeFault::unknown("member", provider.as_str()))?;
        let more = self.letterhead.customers.iter().find(|table| table.did == *provider);
        Ok(Customer {
            did: member.did,
            legal_name: member.legal_name,
            legal_id: member.legal_id,
            country: member.country,
            address: more.map(|table| table.address.clone()).unwrap_or_default(),
            tax_id: more.and_then(|table| table.tax_id.clone()),
        })
    }
}
