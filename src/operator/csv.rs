//! Invoices as a table for programs and spreadsheets (RFC 4180).

use super::page::rule;
use super::{Invoice, Kind};

const HEAD: &str = "number,kind,issued,due,provider,name,from,until,line,contract_id,recorder,block,block_time,transaction,\
                    template,rule,base,amount,currency,disclosures,statement,audited,receipt,credits\r\n";

/// One row for each line of each document, with a head. Amounts of credit notes are negative, so that a column sums up.
pub fn csv(invoices: &[Invoice]) -> String {
    let mut text = HEAD.to_owned();
    for invoice in invoices {
        for (index, line) in invoice.lines.iter().enumerate() {
            let (kind, sign) = match invoice.kind {
                Kind::Invoice => ("invoice", ""),
                Kind::CreditNote => ("credit-note", "-"),
            };
            let cells = [
                cell(&invoice.label),
                kind.into(),
                invoice.issued.to_string(),
                invoice.due.map_or_else(String::new, |due| due.to_string()),
                cell(invoice.customer.did.as_str()),
                cell(&invoice.customer.legal_name),
                invoice.from.to_string(),
                invoice.until.to_string(),
                (index + 1).to_string(),
                line.contract_id.to_string(),
                line.recorder.to_string(),
                line.block.to_string(),
                line.block_time.to_string(),
                line.transaction.to_string(),
                cell(&line.template),
                rule(line.rule).into(),
                line.base.map_or_else(String::new, |base| base.to_string()),
                format!("{sign}{}", line.fee.amount),
                line.fee.currency.to_string(),
                line.disclosures.to_string(),
                line.statement.clone(),
                line.audited.to_string(),
                line.receipt.clone(),
                invoice.credits.as_ref().map_or_else(String::new, |credits| cell(&credits.label)),
            ];
            text.push_str(&cells.join(","));
            text.push_str("\r\n");
        }
    }
    text
}

/// Text in a cell that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let formula = clean.trim_start().starts_with(['=', '+', '-', '@']);
    let text = if formula { format!("'{clean}") } else { clean };
    if text.contains([',', '"', ';']) || formula { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}
