//! An audit for people: a fixed-width table.

use std::fmt::Write as _;

use super::desk::when;
use crate::operator::Audit;
use crate::policy::FeeRule;

/// The audit as JSON, indented.
pub fn json(audit: &Audit) -> String {
    // A struct of strings and numbers always has a JSON form.
    serde_json::to_string_pretty(audit).unwrap_or_default()
}

/// The audit as a table: what is due, the totals, what is wrong.
pub fn table(audit: &Audit) -> String {
    let mut text = String::new();
    // Writing to a String never fails.
    let _ = write_table(&mut text, audit);
    text
}

fn write_table(text: &mut String, audit: &Audit) -> std::fmt::Result {
    writeln!(text, "Provider  {}", audit.provider)?;
    writeln!(text, "Period    {} until {}", when(&audit.from.to_string()), when(&audit.until.to_string()))?;
    writeln!(text, "Audited   {}\n", when(&audit.at.to_string()))?;
    let mut rows = vec![["Contract", "Recorded", "Template", "Rule", "Of", "Fee"].map(str::to_owned)];
    rows.extend(audit.entries.iter().map(|entry| {
        let rule = match entry.rule {
            FeeRule::Fixed => "fixed",
            FeeRule::Percentage => "percentage",
            FeeRule::Tiered => "tiered",
        };
        [
            entry.contract_id.0.to_string(),
            when(&entry.block_time.to_string()),
            readable(&entry.template, 48),
            rule.to_owned(),
            entry.base.map_or_else(String::new, |base| base.to_string()),
            entry.fee.to_string(),
        ]
    }));
    aligned(text, &rows)?;
    let totals: Vec<String> = audit.totals.iter().map(ToString::to_string).collect();
    writeln!(text, "\nTotal     {}", if totals.is_empty() { "nothing is due".into() } else { totals.join(", ") })?;
    if audit.problems.is_empty() {
        return writeln!(text, "Problems  none");
    }
    writeln!(text, "Problems  {}", audit.problems.len())?;
    for problem in &audit.problems {
        let about = problem.contract_id.map_or_else(|| "the statement".into(), |id| id.0.to_string());
        writeln!(text, "  {about}  {}: {}", readable(&problem.check, 64), readable(&problem.detail, 400))?;
    }
    Ok(())
}

/// Columns as wide as their widest cell; the last two, which are amounts, to the right.
fn aligned(text: &mut String, rows: &[[String; 6]]) -> std::fmt::Result {
    let mut widths = [0; 6];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            if column < 4 {
                write!(line, "{cell:<width$}  ")?;
            } else {
                write!(line, "{cell:>width$}  ")?;
            }
        }
        writeln!(text, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Text of somebody else's making, so that it cannot steer the reader's terminal.
pub fn readable(text: &str, most: usize) -> String {
    // Marks that turn the direction of writing could show an amount or a name the other way round.
    let turns =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let steers = |c: char| c.is_control() || turns(c) || matches!(c, '\u{2028}' | '\u{2029}');
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).take(most).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn audit(template: &str, detail: &str) -> Audit {
        serde_json::from_value(json!({
            "id": "x", "provider": "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
            "from": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z", "at": "2026-12-02T00:00:00Z",
            "entries": [
                {"contract_id": "urn:uuid:025b413f-8a9a-421e-a648-a7dd06839eb9", "rule": "fixed", "template": template,
                    "fee": {"amount": "25.00", "currency": "EUR"}, "block_time": "2026-11-18T11:08:40Z", "disclosures": []},
                {"contract_id": "urn:uuid:025b413f-8a9a-421e-a648-a7dd06839eba", "rule": "percentage", "template": "t",
                    "fee": {"amount": "5.00", "currency": "EUR"}, "base": "100.00",
                    "block_time": "2026-11-19T11:08:40Z", "disclosures": []},
            ],
            "totals": [{"amount": "30.00", "currency": "EUR"}],
            "problems": [{"check": "operator.missing", "detail": detail}],
        }))
        .unwrap()
    }

    #[test]
    fn columns_stand_under_each_other() {
        let text = table(&audit("purchase", "x"));
        let fees: Vec<_> = text.lines().filter(|line| line.ends_with(" EUR")).collect();
        assert_eq!(fees.len(), 3);
        assert_eq!(fees[0].len(), fees[1].len());
        assert!(fees[1].contains("100.00   5.00 EUR"));
        assert_eq!(fees[2], "Total     30.00 EUR");
        assert!(text.contains("Problems  1\n  the statement  operator.missing: x\n"));
    }

    #[test]
    fn what_a_provider_wrote_cannot_steer_a_terminal() {
        let text = table(&audit("a\u{1b}[2Jb\nc", "d\u{1b}]0;e\r\n"));
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        assert!(!text.contains("b\nc"));
    }
}
