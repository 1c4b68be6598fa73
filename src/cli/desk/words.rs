//! How a desk's words look: times in the reader's zone, tables, ids.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::audit_table::readable;

/// Text of an answer, so that it cannot steer the reader's terminal; empty where there is none.
pub fn text(value: &Value, pointer: &str) -> String {
    readable(value.pointer(pointer).and_then(Value::as_str).unwrap_or_default(), 1000)
}

/// The same, as long as it is: what is agreed to is shown whole.
pub fn whole(value: &Value, pointer: &str) -> String {
    readable(value.pointer(pointer).and_then(Value::as_str).unwrap_or_default(), usize::MAX)
}

/// A value as compact JSON, so that it cannot steer the reader's terminal.
pub fn readable_json(value: &Value) -> String {
    readable(&value.to_string(), usize::MAX)
}

/// A text as one argument of a command, whatever others wrote into it.
pub fn argument(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/@+,=%".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// An amount with its currency.
pub fn money(value: &Value) -> String {
    format!("{} {}", text(value, "/amount"), text(value, "/currency")).trim().to_owned()
}

/// A time in the reader's zone; what is no time stays as it is.
pub fn when(time: &str) -> String {
    when_in(time, TimeZone::system())
}

fn when_in(time: &str, zone: TimeZone) -> String {
    match time.parse::<Timestamp>() {
        Ok(at) => at.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
        Err(_) => readable(time, 64),
    }
}

/// A text in which times of UTC (2026-11-22T10:00:00Z) stand, with them in the reader's zone.
pub fn localized(text: &str) -> String {
    localized_in(text, &TimeZone::system())
}

fn localized_in(text: &str, zone: &TimeZone) -> String {
    const LENGTH: usize = "2026-11-22T10:00:00Z".len();
    let (mut said, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('Z') {
        let (before, after) = rest.split_at(at + 1);
        let begin = before.len().checked_sub(LENGTH).filter(|begin| before.is_char_boundary(*begin));
        let time = begin.map(|begin| before.split_at(begin)).filter(|(_, time)| time.parse::<Timestamp>().is_ok());
        match time {
            Some((before, time)) => said.extend([before, &when_in(time, zone.clone())]),
            None => said.push_str(before),
        }
        rest = after;
    }
    said + rest
}

/// A deadline: how long that is, and when in the reader's zone.
pub fn until(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(at) => until_in(at, Timestamp::now(), TimeZone::system()),
        Err(_) => when(time),
    }
}

fn until_in(at: Timestamp, now: Timestamp, zone: TimeZone) -> String {
    let (day, today) = (at.to_zoned(zone.clone()), now.to_zoned(zone));
    let form = if day.year() == today.year() { "%a %-d %b %H:%M %Z" } else { "%a %-d %b %Y %H:%M %Z" };
    let word = if at < now { "it was" } else { "until" };
    format!("{}, {word} {}", distance(at, now), day.strftime(form))
}

/// How far away a time is, in its two largest units.
fn distance(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.as_second().saturating_sub(now.as_second());
    let s = seconds.unsigned_abs();
    let number = |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let (large, small) = match s {
        s if s < 120 => (format!("{s} s"), (0, String::new())),
        s if s < 3600 => (format!("{} min", s / 60), (0, String::new())),
        s if s < 86_400 => (format!("{} h", s / 3600), (s / 60 % 60, format!("{} min", s / 60 % 60))),
        s if s < 60 * 86_400 => (number(s / 86_400, "day", "days"), (s / 3600 % 24, format!("{} h", s / 3600 % 24))),
        s => (number(s / 86_400, "day", "days"), (0, String::new())),
    };
    let said = if small.0 > 0 { format!("{large} {}", small.1) } else { large };
    if seconds < 0 { format!("{said} ago") } else { format!("in {said}") }
}

/// A party by its name among the contacts, or by its DID.
pub fn called(value: &Value, name: &str, did: &str) -> String {
    let name = text(value, name);
    if name.is_empty() { text(value, did) } else { name }
}

/// The beginnings of ids that stand in one list, each as long as it takes to tell it from the others.
pub fn apart(ids: &[String]) -> Vec<String> {
    let bare = |id: &String| id.strip_prefix("urn:uuid:").unwrap_or(id).to_owned();
    let all: BTreeSet<String> = ids.iter().map(bare).collect();
    let short = |id: String| {
        let same =
            |length: usize| all.iter().filter(|other| other.chars().take(length).eq(id.chars().take(length))).count();
        let length = (8..id.chars().count()).find(|length| same(*length) == 1).unwrap_or(id.chars().count());
        readable(&id, length)
    };
    ids.iter().map(|id| short(bare(id))).collect()
}

/// The beginning of an id, long enough to name it in a command.
pub fn brief(id: &str) -> String {
    readable(id.strip_prefix("urn:uuid:").unwrap_or(id), 8)
}

/// Prints rows as columns; the first row is the head.
pub fn table(rows: &[Vec<String>]) {
    print!("{}", columns(rows));
}

fn columns(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let wide = cell.chars().count();
            match widths.get_mut(column) {
                Some(width) => *width = wide.max(*width),
                None => widths.push(wide),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A head for [`table`].
pub fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Progress on one line of stderr; silent where nobody watches.
pub struct Progress {
    shown: bool,
    last: Option<std::time::Instant>,
}

impl Progress {
    pub fn new() -> Self {
        Self { shown: std::io::stderr().is_terminal(), last: None }
    }

    /// Shows where the work stands, a few times a second at most.
    pub fn at(&mut self, what: impl FnOnce() -> String) {
        let due = self.last.is_none_or(|last| last.elapsed().as_millis() > 200);
        if self.shown && due {
            eprint!("\r\u{1b}[K{}", what());
            self.last = Some(std::time::Instant::now());
        }
    }

    /// Takes the line away, for something that stays.
    pub fn clear(&mut self) {
        if self.last.take().is_some() {
            eprint!("\r\u{1b}[K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_readers() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert!(when_in("2026-11-22T10:00:00Z", zone.clone()).starts_with("2026-11-22 12:00:00 "));
        assert_eq!(when_in("soon\u{1b}", zone.clone()), "soon\u{fffd}");
        let said =
            localized_in("Z. from 2026-01-01T23:30:00Z, not ü026-01-01T00:00:00Z or 2026-13-01T00:00:00Z", &zone);
        assert!(
            said.starts_with("Z. from 2026-01-02 01:30:00 ") && said.contains(", not ü026-01-01T00:00:00Z or"),
            "{said}"
        );
        assert!(said.ends_with("2026-13-01T00:00:00Z"), "{said}");
    }

    #[test]
    fn a_deadline_says_how_long() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse().unwrap();
        assert_eq!(distance(at("2026-11-22T10:01:30Z"), now), "in 90 s");
        assert_eq!(distance(at("2026-11-23T13:20:00Z"), now), "in 1 day 3 h");
        assert_eq!(distance(at("2026-11-24T10:00:00Z"), now), "in 2 days");
        assert_eq!(distance(at("2026-11-22T06:30:00Z"), now), "3 h 30 min ago");
        assert_eq!(distance(at("2027-11-22T10:00:00Z"), now), "in 365 days");
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let said = until_in(at("2026-11-26T11:00:00Z"), now, zone.clone());
        assert!(said.starts_with("in 4 days 1 h, until Thu 26 Nov 12:00 "), "{said}");
        assert!(until_in(at("2027-11-26T11:00:00Z"), now, zone).contains("Fri 26 Nov 2027 12:00 "));
    }

    #[test]
    fn ids_of_a_list_are_told_apart() {
        let ids = ["urn:uuid:5b0f6a3e-0001", "urn:uuid:5b0f6a3e-0002", "urn:uuid:77aa0000-0000", "short"];
        let ids = ids.map(str::to_owned);
        assert_eq!(apart(&ids), ["5b0f6a3e-0001", "5b0f6a3e-0002", "77aa0000", "short"]);
        assert_eq!(apart(&[ids[0].clone(), ids[0].clone()]), ["5b0f6a3e", "5b0f6a3e"]);
    }

    #[test]
    fn an_argument_of_others_stays_one_argument() {
        assert_eq!(argument("urn:uuid:3f0c"), "urn:uuid:3f0c");
        assert_eq!(argument("a;rm -rf ~"), "'a;rm -rf ~'");
        assert_eq!(argument("it's $(x)"), r"'it'\''s $(x)'");
    }

    #[test]
    fn columns_stand_under_each_other() {
        let rows = [head(&["Id", "Price"]), head(&["abcdef", "1.00 EUR"])];
        assert_eq!(columns(&rows), "Id      Price\nabcdef  1.00 EUR\n");
    }
}
