use std::collections::HashMap;

use async_trait::async_trait;

use crate::node::StoreFault;
use crate::operator::{Invoice, Payment, Place};

/// An invoice or a credit note on its way into the books.
#[derive(Clone, Debug)]
pub struct Issue {
    /// The document, its number in it.
    pub invoice: Invoice,
    /// Its page.
    pub page: String,
}

/// What keeps the books. Each call is atomic and durable when it returns.
#[async_trait]
pub trait BookStore: Send + Sync {
    /// Writes an invoice or a credit note with all of its lines, or nothing.
    ///
    /// `Moved` when its number is not the next one, or a line was invoiced (or credited) before: read again.
    async fn issue(&self, issue: &Issue) -> Result<(), StoreFault>;
    /// The number that the next document has.
    async fn next_number(&self) -> Result<u64, StoreFault>;
    /// Every document, by number.
    async fn issued(&self) -> Result<Vec<Invoice>, StoreFault>;
    /// The page of a document, as it was issued.
    async fn page(&self, number: u64) -> Result<Option<String>, StoreFault>;
    /// What was invoiced ever, with the invoice's number.
    async fn invoiced(&self) -> Result<HashMap<Place, u64>, StoreFault>;
    /// What was credited, with the credit note's number.
    async fn credited(&self) -> Result<HashMap<Place, u64>, StoreFault>;

    /// Records a payment under the next number, which replaces the one that it has.
    async fn pay(&self, payment: &Payment) -> Result<u64, StoreFault>;
    /// Every payment, by number; those that were recorded by mistake say so.
    async fn payments(&self) -> Result<Vec<Payment>, StoreFault>;
    /// Marks a payment as recorded by mistake; `false` when it is already.
    async fn void(&self, payment: u64, reason: &str) -> Result<bool, StoreFault>;
}
