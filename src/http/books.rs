//! The operator's books: what came in, invoices and credit notes, payments; for the owner alone.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use serde::Deserialize;

use super::Problem;
use super::api::{Answer, Api, Asked, Body, Id, Scope, answered, created};
use super::shapes::{self, Booked, Collection, Payment};
use crate::identity::Did;
use crate::node::{self, At, Bookkeeper};
use crate::operator::csv;

type Books = State<Arc<Bookkeeper>>;

/// The longest body: a credit note that names thousands of contracts.
const LONGEST: usize = 256 * 1024;
/// A page without scripts may load nothing either.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// The books' part of an operator's management interface.
pub fn books_api(books: Arc<Bookkeeper>) -> Api {
    doors().with_state(books)
}

pub(super) fn doors() -> Api<Arc<Bookkeeper>> {
    Api::new()
        .door(Scope::Read, __path_collection, collection)
        .door(Scope::Read, __path_invoices, invoices)
        .door(Scope::Decide, __path_issue_invoice, issue_invoice)
        .door(Scope::Read, __path_invoices_csv, invoices_csv)
        .door(Scope::Read, __path_invoice, invoice)
        .door(Scope::Read, __path_invoice_page, invoice_page)
        .door(Scope::Read, __path_invoice_csv, invoice_csv)
        .door(Scope::Decide, __path_credit_invoice, credit_invoice)
        .door(Scope::Read, __path_open_invoices, open_invoices)
        .door(Scope::Read, __path_payments, payments)
        .door(Scope::Decide, __path_record_payment, record_payment)
        .door(Scope::Decide, __path_void_payment, void_payment)
        .within(LONGEST)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    from: At,
    until: At,
}

/// Who has stated a period, and whose entries no statement explains
///
/// Holds the statements that came against the registry's entries of each member's recorders.
#[utoipa::path(get, path = "/api/collection", tag = "books",
    params(
        ("from" = shapes::Time, Query, description = "The first second of the period."),
        ("until" = shapes::Time, Query, description = "The first second after it."),
    ),
    responses(
        (status = 200, description = "What came in.", body = Collection),
        (status = 409, description = "The period is empty or not final yet."),
        (status = 502, description = "The chain cannot be reached."),
    ),
)]
async fn collection(State(books): Books, Asked(span): Asked<Span>) -> Answer {
    answered(books.collect(span.from.0, span.until.0).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    #[serde(default)]
    provider: Option<Did>,
}

/// Every invoice and credit note, and where it stands
#[utoipa::path(get, path = "/api/invoices", tag = "books",
    params(("provider" = Option<shapes::Did>, Query, description = "Only those of this provider.")),
    responses((status = 200, description = "The documents, by number.", body = Vec<Booked>)),
)]
async fn invoices(State(books): Books, Asked(whose): Asked<Whose>) -> Answer {
    let mut booked = books.booked().await?;
    booked.retain(|one| whose.provider.as_ref().is_none_or(|did| one.invoice.customer.did == *did));
    answered(booked)
}

/// Invoices the fees of a period that no invoice has claimed yet
///
/// A fee is invoiced once, however many statements state it; numbers have no gaps; an issued invoice never changes.
#[utoipa::path(post, path = "/api/invoices", tag = "books", request_body = shapes::InvoiceOrder, responses(
    (status = 200, description = "What the invoice would be: a preview.", body = Booked),
    (status = 201, description = "The invoice.", body = Booked),
    (status = 409, description = "Nothing is due, the period is not over, or [operator] does not say who invoices."),
))]
async fn issue_invoice(State(books): Books, Body(order): Body<node::InvoiceOrder>) -> Answer {
    let booked = books.invoice(&order).await?;
    if order.preview { answered(booked) } else { created(booked) }
}

/// Every line of every document as CSV
#[utoipa::path(get, path = "/api/invoices.csv", tag = "books",
    responses((status = 200, description = "One row for each fee.", body = String, content_type = "text/csv")),
)]
async fn invoices_csv(State(books): Books) -> Answer {
    let invoices: Vec<_> = books.booked().await?.into_iter().map(|booked| booked.invoice).collect();
    Ok(table(csv(&invoices)))
}

/// One invoice or credit note
#[utoipa::path(get, path = "/api/invoices/{number}", tag = "books",
    params(("number" = String, Path, description = "Its number, `INV-000007` or `7`.")),
    responses((status = 200, description = "The document.", body = Booked)),
)]
async fn invoice(State(books): Books, Id(number): Id) -> Answer {
    answered(books.one(&number).await?)
}

/// The page of a document, to read and print, as it was issued
#[utoipa::path(get, path = "/api/invoices/{number}/page", tag = "books",
    params(("number" = String, Path, description = "Its number, `INV-000007` or `7`.")),
    responses((status = 200, description = "One file without scripts.", body = String, content_type = "text/html")),
)]
async fn invoice_page(State(books): Books, Id(number): Id) -> Answer {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, books.page(&number).await?).into_response())
}

/// The lines of one document as CSV
#[utoipa::path(get, path = "/api/invoices/{number}/csv", tag = "books",
    params(("number" = String, Path, description = "Its number, `INV-000007` or `7`.")),
    responses((status = 200, description = "One row for each fee.", body = String, content_type = "text/csv")),
)]
async fn invoice_csv(State(books): Books, Id(number): Id) -> Answer {
    Ok(table(csv(&[books.one(&number).await?.invoice])))
}

fn table(text: String) -> axum::response::Response {
    ([(header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present")], text).into_response()
}

/// Takes fees of an invoice back with a credit note
#[utoipa::path(post, path = "/api/invoices/{number}/credit", tag = "books",
    params(("number" = String, Path, description = "The invoice's number.")),
    request_body = shapes::CreditOrder,
    responses(
        (status = 201, description = "The credit note.", body = Booked),
        (status = 409, description = "There is nothing left to credit."),
    ),
)]
async fn credit_invoice(State(books): Books, Id(number): Id, Body(order): Body<node::CreditOrder>) -> Answer {
    created(books.credit(&number, &order).await?)
}

/// The invoices of which something is open or overpaid, the longest overdue first
#[utoipa::path(get, path = "/api/open", tag = "books",
    responses((status = 200, description = "The invoices.", body = Vec<Booked>)),
)]
async fn open_invoices(State(books): Books) -> Answer {
    answered(books.unsettled().await?)
}

/// Every payment, void ones too
#[utoipa::path(get, path = "/api/payments", tag = "books",
    responses((status = 200, description = "The payments, by number.", body = Vec<Payment>)),
)]
async fn payments(State(books): Books) -> Answer {
    answered(books.payments().await?)
}

/// Records a payment against an invoice
///
/// It may be less or more than what is open: the rest stays open, what is too much is shown as overpaid.
#[utoipa::path(post, path = "/api/payments", tag = "books", request_body = shapes::PaymentOrder, responses(
    (status = 201, description = "The payment.", body = Payment),
    (status = 409, description = "It is recorded already, or is no payment of this invoice."),
))]
async fn record_payment(State(books): Books, Body(order): Body<node::PaymentOrder>) -> Answer {
    created(books.pay(&order).await?)
}

/// Marks a payment as recorded by mistake
#[utoipa::path(post, path = "/api/payments/{number}/void", tag = "books",
    params(("number" = String, Path, description = "The payment's number.")),
    request_body = shapes::VoidOrder,
    responses((status = 200, description = "The payment, which counts no more.", body = Payment)),
)]
async fn void_payment(State(books): Books, Id(number): Id, Body(order): Body<node::VoidOrder>) -> Answer {
    let number = number
        .parse()
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, format!("`{number}` is no payment's number")))?;
    answered(books.void(number, &order).await?)
}
