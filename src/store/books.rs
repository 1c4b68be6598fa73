//! The operator's books: invoices and credit notes, what they claim, and payments.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, query, query_scalar};

use super::Sqlite;
use super::damage::{Place as Row, fault};
use super::port::done;
use crate::credential::{Account, ContractId};
use crate::node::{BookStore, Issue, StoreFault};
use crate::operator::{Invoice, Payment, Place};
use crate::policy::Money;

#[async_trait]
impl BookStore for Sqlite {
    async fn issue(&self, issue: &Issue) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        write(&mut db, issue).await?;
        done(db, ()).await
    }

    async fn next_number(&self) -> Result<u64, StoreFault> {
        next(&mut *self.reading().await?).await
    }

    async fn issued(&self) -> Result<Vec<Invoice>, StoreFault> {
        let rows = query("SELECT number, document FROM invoices ORDER BY number");
        let rows = rows.fetch_all(&mut *self.reading().await?).await.map_err(fault)?;
        rows.iter().map(|row| Row::of(row, "invoices")?.json("document")).collect()
    }

    async fn page(&self, number: u64) -> Result<Option<String>, StoreFault> {
        let page = query_scalar("SELECT page FROM invoices WHERE number = ?").bind(signed(number));
        page.fetch_optional(&mut *self.reading().await?).await.map_err(fault)
    }

    async fn invoiced(&self) -> Result<HashMap<Place, u64>, StoreFault> {
        let rows = query("SELECT registry, recorder, contract, invoice AS number FROM invoiced");
        let rows = rows.fetch_all(&mut *self.reading().await?).await.map_err(fault)?;
        rows.iter().map(place).collect()
    }

    async fn credited(&self) -> Result<HashMap<Place, u64>, StoreFault> {
        let rows = query("SELECT registry, recorder, contract, note AS number FROM credited");
        let rows = rows.fetch_all(&mut *self.reading().await?).await.map_err(fault)?;
        rows.iter().map(place).collect()
    }

    async fn pay(&self, payment: &Payment) -> Result<u64, StoreFault> {
        let mut db = self.writing().await?;
        let number: i64 = query_scalar(
            "INSERT INTO payments (invoice, amount, currency, refund, date, reference, recorded)
             VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING number",
        )
        .bind(signed(payment.invoice))
        .bind(payment.money.amount.to_string())
        .bind(payment.money.currency.code())
        .bind(payment.refund)
        .bind(&payment.date)
        .bind(&payment.reference)
        .bind(payment.recorded.seconds())
        .fetch_one(&mut *db)
        .await
        .map_err(fault)?;
        done(db, number.unsigned_abs()).await
    }

    async fn payments(&self) -> Result<Vec<Payment>, StoreFault> {
        let rows = query("SELECT * FROM payments ORDER BY number");
        let rows = rows.fetch_all(&mut *self.reading().await?).await.map_err(fault)?;
        rows.iter().map(payment).collect()
    }

    async fn void(&self, payment: u64, reason: &str) -> Result<bool, StoreFault> {
        let mut db = self.writing().await?;
        let marked = query("UPDATE payments SET void = ? WHERE number = ? AND void IS NULL")
            .bind(reason)
            .bind(signed(payment))
            .execute(&mut *db)
            .await
            .map_err(fault)?;
        done(db, marked.rows_affected() == 1).await
    }
}

async fn next(db: &mut SqliteConnection) -> Result<u64, StoreFault> {
    let last: i64 = query_scalar("SELECT COALESCE(MAX(number), 0) FROM invoices").fetch_one(db).await.map_err(fault)?;
    Ok(last.unsigned_abs() + 1)
}

/// The document and all of its lines; whoever drops the transaction has issued nothing.
async fn write(db: &mut SqliteConnection, issue: &Issue) -> Result<(), StoreFault> {
    let invoice = &issue.invoice;
    if next(db).await? != invoice.number {
        return Err(StoreFault::Moved);
    }
    let document = serde_json::to_string(invoice).map_err(|cause| StoreFault::Failed(cause.to_string()))?;
    let credits = invoice.credits.as_ref().map(|credits| signed(credits.number));
    query("INSERT INTO invoices (number, credits, at, document, page) VALUES (?, ?, ?, ?, ?)")
        .bind(signed(invoice.number))
        .bind(credits)
        .bind(invoice.issued.seconds())
        .bind(document)
        .bind(&issue.page)
        .execute(&mut *db)
        .await
        .map_err(fault)?;
    let claim = match credits {
        None => {
            "INSERT INTO invoiced (registry, recorder, contract, invoice) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        }
        Some(_) => {
            "INSERT INTO credited (registry, recorder, contract, note) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        }
    };
    for line in &invoice.lines {
        let claimed = query(claim)
            .bind(&invoice.registry)
            .bind(line.recorder.to_string())
            .bind(line.contract_id.to_string())
            .bind(signed(invoice.number))
            .execute(&mut *db)
            .await
            .map_err(fault)?;
        if claimed.rows_affected() != 1 {
            return Err(StoreFault::Moved);
        }
    }
    Ok(())
}

fn place(row: &SqliteRow) -> Result<(Place, u64), StoreFault> {
    let row = Row::of(row, "the books")?;
    let (recorder, contract_id): (Account, ContractId) = (row.parse("recorder")?, row.parse("contract")?);
    Ok((Place { registry: row.read("registry")?, recorder, contract_id }, row.count("number")?))
}

fn payment(row: &SqliteRow) -> Result<Payment, StoreFault> {
    let row = Row::of(row, "payments")?;
    let recorded = row.time("recorded")?.ok_or_else(|| row.damaged("recorded", "no time"))?;
    Ok(Payment {
        number: row.count("number")?,
        invoice: row.count("invoice")?,
        money: Money { amount: row.parse("amount")?, currency: row.parse("currency")? },
        refund: row.read("refund")?,
        date: row.read("date")?,
        reference: row.read("reference")?,
        recorded,
        void: row.read("void")?,
    })
}

/// Numbers are counted up from one, far from the end of either type.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
