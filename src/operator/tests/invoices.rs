use std::collections::HashMap;

use super::*;

/// An audit of the fees of contracts `numbers`, each recorded in the block and at the second of its number.
fn audited(id: &str, made: i64, numbers: &[u8], fee: &str) -> (Audit, String) {
    let entries: Vec<Value> = numbers
        .iter()
        .map(|n| {
            json!({
                "contract_id": format!("urn:uuid:{}", uuid::Uuid::from_bytes([*n; 16])), "rule": "percentage", "base": "1000.00",
                "fee": {"amount": fee, "currency": if *n > 200 { "USD" } else { "EUR" }}, "block_time": at(i64::from(*n)).rfc3339(),
                "template": "urn:uuid:7a1c9b1e-0a53-4b6e-9d6c-2f3a44f1c001", "disclosures": ["WyJz…"],
                "entry": {
                    "chain_id": registry().chain_id, "registry": registry().address, "recorder": recorder(),
                    "hash": Digest::of([*n]), "transaction": Digest::of([*n, 1]), "log_index": 0, "block": n,
                    "block_hash": Digest::of([*n, 2]), "block_time": at(i64::from(*n)).rfc3339(),
                },
            })
        })
        .collect();
    let audit = json!({
        "id": id, "provider": key(2).did(), "from": at(0).rfc3339(), "until": at(300).rfc3339(), "at": at(made).rfc3339(),
        "entries": entries, "totals": [], "problems": [],
    });
    (serde_json::from_value(audit).unwrap(), format!("receipt of {id}"))
}

fn invoice(number: u64, lines: Vec<Line>) -> Invoice {
    Invoice {
        number,
        label: Invoice::label("INV-", number),
        kind: Kind::Invoice,
        issued: at(400),
        due: Some(at(400).plus(30 * DAY)),
        issuer: Issuer {
            did: key(1).did().clone(),
            name: "Data Space <b>e.V.</b>".into(),
            address: vec!["Musterstraße 1".into(), "10115 Berlin".into()],
            tax_id: Some("DE123456789".into()),
            payment_to: vec!["IBAN DE02 1203 0000 0000 2020 51".into()],
            note: Some("The recipient owes the tax (reverse charge).".into()),
        },
        customer: Customer {
            did: key(2).did().clone(),
            legal_name: "Alice \"Maps\" & Söhne<script>alert(1)</script>\u{202e}".into(),
            legal_id: LegalId { scheme: "LEI".into(), value: "5299009N55YRQC69CN08".into() },
            country: "DE".into(),
            address: vec![],
            tax_id: None,
        },
        registry: registry().to_string(),
        from: at(0),
        until: at(300),
        credits: None,
        totals: totals(&lines).unwrap(),
        lines,
    }
}

fn credit(number: u64, of: &Invoice, lines: Vec<Line>) -> Invoice {
    let credits = Some(Credited { number: of.number, label: of.label.clone(), reason: "=by mistake".into() });
    Invoice { kind: Kind::CreditNote, due: None, credits, ..invoice(number, lines) }
}

fn ids(due: &Due) -> Vec<u8> {
    due.lines.iter().map(|line| line.contract_id.0.as_bytes()[0]).collect()
}

fn due_of(audits: &[(Audit, String)], from: i64, until: i64, taken: &HashMap<Place, u64>) -> Due {
    due(audits, &registry(), at(from), at(until), taken)
}

#[test]
fn a_fee_is_due_once_however_many_statements_state_it() {
    let audits = [audited("later", 500, &[10, 20, 30], "25.00"), audited("first", 400, &[20, 10], "25.00")];
    let found = due_of(&audits, 0, 300, &HashMap::new());
    assert_eq!(ids(&found), [10, 20, 30], "in the order of their entries");
    let rests_on: Vec<_> = found.lines.iter().map(|line| line.statement.as_str()).collect();
    assert_eq!(rests_on, ["first", "first", "later"], "the first audit of each");
    assert_eq!(found.lines[0].receipt, Digest::of("receipt of first").b64u());
    assert_eq!((found.lines[0].block, found.lines[0].disclosures), (10, 1));

    let taken = HashMap::from([(invoice(1, vec![]).place(&found.lines[1]), 1)]);
    let rest = due_of(&audits, 0, 300, &taken);
    assert_eq!((ids(&rest), rest.invoiced), (vec![10, 30], 1));
}

#[test]
fn the_periods_last_second_is_the_one_before_until() {
    let audits = [audited("x", 400, &[10, 20, 30], "25.00")];
    for (from, until, expected) in [(10, 20, vec![10]), (11, 30, vec![20]), (20, 31, vec![20, 30]), (31, 99, vec![])] {
        assert_eq!(ids(&due_of(&audits, from, until, &HashMap::new())), expected, "{from}..{until}");
    }
}

#[test]
fn what_was_audited_without_its_entry_or_in_another_registry_is_not_invoiced() {
    let mut audits = [audited("x", 400, &[10, 20], "25.00")];
    audits[0].0.entries[0].entry = None;
    audits[0].0.entries[1].entry.as_mut().unwrap().chain_id += 1;
    let found = due_of(&audits, 0, 300, &HashMap::new());
    assert_eq!((ids(&found), found.unevidenced), (vec![], 1));
}

#[test]
fn totals_are_exact_and_kept_apart_by_currency() {
    let mut found = due_of(&[audited("x", 400, &[10, 20, 30, 210], "0.1")], 0, 300, &HashMap::new());
    assert_eq!(
        json!(totals(&found.lines).unwrap()),
        json!([{"amount": "0.30", "currency": "EUR"}, {"amount": "0.10", "currency": "USD"}])
    );
    found.lines[0].fee = money("999999999999999.99");
    assert_eq!(totals(&found.lines).unwrap_err().check.id(), "amount.range");
}

fn payment(amount: &str, refund: bool) -> Payment {
    let (date, reference) = ("2027-01-20".into(), "SEPA 1".into());
    Payment { number: 1, invoice: 1, money: money(amount), refund, date, reference, recorded: at(500), void: None }
}

#[test]
fn an_invoice_stands_where_payments_and_credit_notes_leave_it() {
    let lines = due_of(&[audited("x", 400, &[10, 20], "25.00")], 0, 300, &HashMap::new()).lines;
    let (whole, note) = (invoice(1, lines.clone()), credit(2, &invoice(1, vec![]), lines[..1].to_vec()));
    let stands = |notes: &[&Invoice], payments: &[Payment]| {
        let standing = Standing::of(&whole, notes, &payments.iter().collect::<Vec<_>>(), at(500)).unwrap();
        let balance = standing.balances[0];
        (standing.status, balance.open.to_string(), balance.overpaid.to_string())
    };
    let said = |status, open: &str, overpaid: &str| (status, open.to_owned(), overpaid.to_owned());
    assert_eq!(stands(&[], &[]), said(Status::Open, "50.00", "0.00"));
    assert_eq!(stands(&[], &[payment("20.00", false)]), said(Status::PartlyPaid, "30.00", "0.00"));
    assert_eq!(stands(&[&note], &[]), said(Status::PartlyPaid, "25.00", "0.00"));
    assert_eq!(stands(&[&note], &[payment("25", false)]), said(Status::Paid, "0.00", "0.00"));
    assert_eq!(stands(&[&note], &[payment("50.00", false)]), said(Status::Overpaid, "0.00", "25.00"));
    let back = [payment("50.00", false), payment("25.00", true)];
    assert_eq!(stands(&[&note], &back), said(Status::Paid, "0.00", "0.00"));
    let void = Payment { void: Some("another customer's".into()), ..payment("50.00", false) };
    assert_eq!(stands(&[], &[void]), said(Status::Open, "50.00", "0.00"));
    let rest = credit(3, &whole, lines[1..].to_vec());
    assert_eq!(stands(&[&note, &rest], &[]), said(Status::Credited, "0.00", "0.00"));
}

#[test]
fn what_is_open_grows_old_day_by_day() {
    let whole = invoice(1, due_of(&[audited("x", 400, &[10], "25.00")], 0, 300, &HashMap::new()).lines);
    for (days, overdue, age) in [
        (0, 0, Age::NotDue),
        (30, 0, Age::NotDue),
        (31, 1, Age::UpTo30),
        (60, 30, Age::UpTo30),
        (61, 31, Age::UpTo60),
        (91, 61, Age::UpTo90),
        (121, 91, Age::Over90),
    ] {
        let standing = Standing::of(&whole, &[], &[], at(400).plus(days * DAY)).unwrap();
        assert_eq!((standing.days_overdue, standing.age), (overdue, age), "after {days} days");
        let paid = Standing::of(&whole, &[], &[&payment("25.00", false)], at(400).plus(days * DAY)).unwrap();
        assert_eq!((paid.days_overdue, paid.settled()), (0, true));
    }
}

#[test]
fn a_page_is_whole_in_itself_and_runs_nothing() {
    let lines = due_of(&[audited("st-1", 400, &[10, 20, 210], "25.00")], 0, 300, &HashMap::new()).lines;
    let html = page(&invoice(7, lines.clone()));
    for words in [
        "Invoice INV-000007",
        "Data Space &lt;b&gt;e.V.&lt;/b&gt;",
        "Alice &quot;Maps&quot; &amp; Söhne&lt;script&gt;",
        "Total EUR</td><td class=\"amount\">50.00 EUR",
        "Total USD</td><td class=\"amount\">25.00 USD",
        "Pay by</dt><dd>2027-02-14",
        "1000.00 EUR",
        "block 10 · transaction 0x",
        "1 disclosure · statement st-1",
    ] {
        assert!(html.contains(words), "{words} is missing:\n{html}");
    }
    for foreign in ["<script", "<b>", "http:", "https:", "url(", "@import", "src=", "onload", "\u{202e}"] {
        assert!(!html.contains(foreign), "{foreign}:\n{html}");
    }
    let note = page(&credit(8, &invoice(7, vec![]), lines));
    assert!(note.contains("Credit note INV-000008") && note.contains("corrects invoice <strong>INV-000007"), "{note}");
    assert!(!note.contains("Pay by") && !note.contains("Please pay"), "{note}");
}

#[test]
fn a_table_is_a_row_for_each_fee_and_no_formula() {
    let lines = due_of(&[audited("-st", 400, &[10, 20], "25.00")], 0, 300, &HashMap::new()).lines;
    let mut whole = invoice(7, lines.clone());
    whole.customer.legal_name = "=HYPERLINK(\"x\", \"y\")\n".into();
    let text = csv(&[whole.clone(), credit(8, &whole, lines[..1].to_vec())]);
    let rows: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(rows.len(), 5, "a head, three fees, and the end of the last row:\n{text}");
    assert!(rows[0].starts_with("number,kind,issued,due,provider,name,"));
    assert!(rows[1].contains(",\"'=HYPERLINK(\"\"x\"\", \"\"y\"\") \","), "{}", rows[1]);
    assert!(rows[1].contains(",percentage,1000.00,25.00,EUR,1,-st,"), "{}", rows[1]);
    assert!(rows[3].starts_with("INV-000008,credit-note,") && rows[3].contains(",-25.00,EUR,"), "{}", rows[3]);
    assert!(rows[3].ends_with(",INV-000007"), "{}", rows[3]);
}

#[test]
fn a_document_reads_back_as_it_was_issued() {
    let lines = due_of(&[audited("x", 400, &[10], "25.00")], 0, 300, &HashMap::new()).lines;
    for issued in [invoice(1, lines.clone()), credit(2, &invoice(1, vec![]), lines)] {
        assert_eq!(serde_json::from_value::<Invoice>(json!(issued)).unwrap(), issued);
    }
}
