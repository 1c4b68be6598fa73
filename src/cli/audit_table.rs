//! An audit for people: a fixed-width table.

use std::fmt::Write as _;

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
    writeln!(text, "Period    {} until {}", audit.from, audit.until)?;
    writeln!(text, "Audited   {}\n", audit.at)?;
    let mut rows = vec![["Contract", "Recorded", "Template", "Rule", "Of", "Fee"].map(str::to_owned)];
    rows.extend(audit.entries.iter().map(|entry| {
        let rule = match entry.rule {
            FeeRule::Fixed => "fixed",
            FeeRule::Percentage => "percentage",
            FeeRule::Tiered => "tiered",
        };
        [
            entry.contract_id.0.to_string(),
            entry.block_time.to_string(),
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
fn readable(text: &str, most: usize) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(most).collect()
}
