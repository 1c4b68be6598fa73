//! An invoice as a page that a person reads and prints: one HTML file, without scripts and without anything from outside.

use std::fmt::Write as _;

use super::{Invoice, Kind, Line};
use crate::encoding::Timestamp;
use crate::policy::FeeRule;

const STYLE: &str = include_str!("page.css");

/// The page of an invoice or a credit note. All that others wrote is escaped.
pub fn page(invoice: &Invoice) -> String {
    let mut html = String::with_capacity(16 * 1024);
    // Writing to a String never fails.
    let _ = write_page(&mut html, invoice);
    html
}

fn write_page(html: &mut String, invoice: &Invoice) -> std::fmt::Result {
    let title = match invoice.kind {
        Kind::Invoice => "Invoice",
        Kind::CreditNote => "Credit note",
    };
    let label = escaped(&invoice.label);
    write!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title} {label}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    )?;
    header(html, invoice)?;
    writeln!(html, "<h1>{title} {label}</h1>")?;
    facts(html, invoice)?;
    if let Some(credits) = &invoice.credits {
        writeln!(
            html,
            "<p class=\"reason\">It corrects invoice <strong>{}</strong>. Reason: {}</p>",
            escaped(&credits.label),
            escaped(&credits.reason)
        )?;
    }
    lines(html, invoice)?;
    payment(html, invoice)?;
    evidence(html, invoice)?;
    html.push_str("</main>\n</body>\n</html>\n");
    Ok(())
}

fn header(html: &mut String, invoice: &Invoice) -> std::fmt::Result {
    let (issuer, customer) = (&invoice.issuer, &invoice.customer);
    write!(html, "<header>\n<address class=\"issuer\"><strong>{}</strong>", escaped(&issuer.name))?;
    for line in &issuer.address {
        write!(html, "<br>{}", escaped(line))?;
    }
    if let Some(tax_id) = &issuer.tax_id {
        write!(html, "<br>Tax id {}", escaped(tax_id))?;
    }
    write!(
        html,
        "</address>\n<address class=\"customer\"><span class=\"to\">To</span><strong>{}</strong>",
        escaped(&customer.legal_name)
    )?;
    for line in &customer.address {
        write!(html, "<br>{}", escaped(line))?;
    }
    write!(html, "<br>{}", escaped(&customer.country))?;
    write!(html, "<br>{} {}", escaped(&customer.legal_id.scheme), escaped(&customer.legal_id.value))?;
    if let Some(tax_id) = &customer.tax_id {
        write!(html, "<br>Tax id {}", escaped(tax_id))?;
    }
    html.push_str("</address>\n</header>\n");
    Ok(())
}

fn facts(html: &mut String, invoice: &Invoice) -> std::fmt::Result {
    let last = invoice.until.plus(-1);
    write!(html, "<dl class=\"facts\">\n<div><dt>Number</dt><dd>{}</dd></div>\n", escaped(&invoice.label))?;
    writeln!(html, "<div><dt>Date</dt><dd>{}</dd></div>", day(invoice.issued))?;
    if let Some(due) = invoice.due {
        writeln!(html, "<div><dt>Pay by</dt><dd>{}</dd></div>", day(due))?;
    }
    if day_of(invoice.from) && day_of(invoice.until) {
        writeln!(html, "<div><dt>Period (UTC)</dt><dd>{} to {}</dd></div>", day(invoice.from), day(last))?;
    } else {
        writeln!(
            html,
            "<div><dt>Period (UTC)</dt><dd>{} until {}</dd></div>",
            time(invoice.from),
            time(invoice.until)
        )?;
    }
    html.push_str("</dl>\n");
    Ok(())
}

fn lines(html: &mut String, invoice: &Invoice) -> std::fmt::Result {
    let amount = match invoice.kind {
        Kind::Invoice => "Fee",
        Kind::CreditNote => "Credited",
    };
    write!(
        html,
        "<table>\n<thead><tr><th>#</th><th>Contract</th><th>Recorded (UTC)</th><th>Fee rule</th>\
         <th class=\"amount\">Taken of</th><th class=\"amount\">{amount}</th></tr></thead>\n"
    )?;
    for (index, line) in invoice.lines.iter().enumerate() {
        let base = line.base.map_or_else(String::new, |base| format!("{base} {}", line.fee.currency));
        writeln!(
            html,
            "<tbody><tr><td>{}</td><td class=\"id\">{}</td><td>{}</td><td>{}</td><td class=\"amount\">{base}</td>\
             <td class=\"amount\">{}</td></tr>",
            index + 1,
            line.contract_id.0,
            time(line.block_time),
            rule(line.rule),
            line.fee
        )?;
        writeln!(html, "<tr class=\"evidence\"><td></td><td colspan=\"5\">{}</td></tr></tbody>", rests_on(line))?;
    }
    html.push_str("<tfoot>");
    for total in &invoice.totals {
        write!(html, "<tr><td colspan=\"5\">Total {}</td><td class=\"amount\">{total}</td></tr>", total.currency)?;
    }
    html.push_str("</tfoot>\n</table>\n");
    Ok(())
}

fn rests_on(line: &Line) -> String {
    let disclosed =
        if line.disclosures == 1 { "1 disclosure".into() } else { format!("{} disclosures", line.disclosures) };
    format!(
        "block {} · transaction {} · recorder {} · template {} · {disclosed} · statement {} · audited {}",
        line.block,
        line.transaction,
        line.recorder,
        escaped(&line.template),
        escaped(&line.statement),
        time(line.audited)
    )
}

fn payment(html: &mut String, invoice: &Invoice) -> std::fmt::Result {
    if invoice.kind == Kind::Invoice && (invoice.due.is_some() || !invoice.issuer.payment_to.is_empty()) {
        html.push_str("<section class=\"payment\">\n<h2>Payment</h2>\n<p>");
        if let Some(due) = invoice.due {
            write!(html, "Please pay by {} and name <strong>{}</strong>.", day(due), escaped(&invoice.label))?;
        }
        for line in &invoice.issuer.payment_to {
            write!(html, "<br>{}", escaped(line))?;
        }
        html.push_str("</p>\n</section>\n");
    }
    if let Some(note) = &invoice.issuer.note {
        writeln!(html, "<p class=\"note\">{}</p>", escaped(note))?;
    }
    Ok(())
}

fn evidence(html: &mut String, invoice: &Invoice) -> std::fmt::Result {
    write!(
        html,
        "<section class=\"basis\">\n<h2>What it rests on</h2>\n<p>Each line is a contract whose entry stands in the \
         registry {} in a finalised block of the period. Fee and rule are those that provider and consumer signed; the \
         provider stated them in the statement named with the line, and holds the operator’s signed receipt of its \
         audit. Of each contract the operator was given what is counted as disclosures, and nothing else.</p>\n\
         <p>Operator {}<br>Provider {}</p>\n</section>\n",
        escaped(&invoice.registry),
        escaped(invoice.issuer.did.as_str()),
        escaped(invoice.customer.did.as_str())
    )
}

/// How a kind of rule is called.
pub(super) fn rule(rule: FeeRule) -> &'static str {
    match rule {
        FeeRule::Fixed => "fixed",
        FeeRule::Percentage => "percentage",
        FeeRule::Tiered => "tiered",
    }
}

fn day_of(at: Timestamp) -> bool {
    at.seconds().rem_euclid(24 * 3600) == 0
}

/// `2026-11-18`, in UTC.
fn day(at: Timestamp) -> String {
    at.rfc3339().chars().take(10).collect()
}

/// `2026-11-18 11:08:40`, in UTC.
fn time(at: Timestamp) -> String {
    at.rfc3339().replace('T', " ").replace('Z', "")
}

/// Text that stays text, wherever it stands in the page, and does not turn the direction of writing.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => safe.push('\u{fffd}'),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}
