use serde_json::Value;

use super::operand::{is_named, is_text};
use super::{Amount, LeftOperand, Operator, checks};
use crate::check::Refusal;
use crate::encoding::Timestamp;

const MAX_COUNT: u64 = (1 << 53) - 1;
const MAX_VALUES: usize = 64;
const XSD: &str = "http://www.w3.org/2001/XMLSchema#";

/// What a left operand is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RightOperand {
    /// For `dateTime`.
    Instant(Timestamp),
    /// For `count`.
    Count(u64),
    /// For `elapsedTime`.
    Span(Span),
    /// For `payAmount`.
    Amount(Amount),
    /// For everything else: one value, or several where the operator takes several.
    Names(Vec<String>),
}

/// An `xsd:duration` without sign: months and years follow the calendar, everything else is seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Years and months, in months.
    pub months: u32,
    /// Days, hours, minutes and seconds, in seconds.
    pub seconds: u32,
}

impl RightOperand {
    /// Reads a right operand of the type that the left operand and the operator ask for.
    ///
    /// # Errors
    /// `policy.value`, `policy.size`.
    pub fn parse(value: &Value, left: &LeftOperand, operator: Operator) -> Result<Self, Refusal> {
        let refuse = |wanted: &str| checks::POLICY_VALUE.refuse(format!("{left} {operator} wants {wanted}"));
        match left {
            LeftOperand::DateTime => literal(value, &["dateTime", "dateTimeStamp"])
                .and_then(Value::as_str)
                .and_then(instant)
                .map(Self::Instant)
                .ok_or_else(|| refuse("an instant like `2027-12-31T23:59:59Z`, in whole seconds")),
            LeftOperand::Count => literal(value, &["integer", "nonNegativeInteger", "positiveInteger"])
                .and_then(Value::as_u64)
                .filter(|count| *count <= MAX_COUNT)
                .map(Self::Count)
                .ok_or_else(|| refuse("an integer from 0 to 2^53 - 1")),
            LeftOperand::ElapsedTime => literal(value, &["duration"])
                .and_then(Value::as_str)
                .and_then(Span::parse)
                .map(Self::Span)
                .ok_or_else(|| refuse("an xsd:duration like `P30D`")),
            LeftOperand::PayAmount => literal(value, &["decimal"])
                .and_then(Value::as_str)
                .and_then(|text| text.parse().ok())
                .map(Self::Amount)
                .ok_or_else(|| refuse("a decimal text like `25.00`")),
            LeftOperand::Spatial | LeftOperand::Purpose | LeftOperand::Named(_) => {
                let named = matches!(left, LeftOperand::Named(_));
                let wanted = if operator.lists() { "one text or a list of texts" } else { "one text" };
                let names = match value {
                    Value::Array(items) if operator.lists() => {
                        checks::POLICY_SIZE.hold(items.len() <= MAX_VALUES, || format!("{} values", items.len()))?;
                        items.iter().map(|item| name(item, named)).collect::<Option<Vec<_>>>()
                    }
                    single => name(single, named).map(|name| vec![name]),
                };
                names.filter(|names| !names.is_empty()).map(Self::Names).ok_or_else(|| refuse(wanted))
            }
        }
    }
}

impl Span {
    /// Reads an `xsd:duration` of whole seconds and without sign, like `P1Y6M` or `PT36H`; at most about 100 years.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = match text.strip_prefix('P')?.split_once('T') {
            Some((date, time)) if !time.is_empty() => (date, time),
            Some(_) => return None,
            None => (text.strip_prefix('P')?, ""),
        };
        if date.is_empty() && time.is_empty() {
            return None;
        }
        let [years, months, days] = designated(date, ['Y', 'M', 'D'])?;
        let [hours, minutes, seconds] = designated(time, ['H', 'M', 'S'])?;
        // Six digits each, so that the sums stay far inside 64 bits.
        let months = years * 12 + months;
        let seconds = days * 86_400 + hours * 3600 + minutes * 60 + seconds;
        (months <= 1200 && seconds <= 36_525 * 86_400)
            .then_some(Self { months: u32::try_from(months).ok()?, seconds: u32::try_from(seconds).ok()? })
    }

    /// The moment that lies this long after `start`: by the UTC calendar for months, then the seconds.
    pub fn after(self, start: Timestamp) -> Timestamp {
        let later = jiff::Timestamp::from_second(start.seconds())
            .ok()
            .and_then(|at| at.to_zoned(jiff::tz::TimeZone::UTC).checked_add(jiff::Span::new().months(self.months)).ok())
            .and_then(|at| Timestamp::from_seconds(at.timestamp().as_second()).ok());
        // Beyond the calendar's end nothing ends any more.
        later.unwrap_or_else(|| start.plus(i64::MAX)).plus(i64::from(self.seconds))
    }
}

/// The value itself, or that of `{"@value", "@type"}` with one of these types of XML Schema.
fn literal<'v>(value: &'v Value, types: &[&str]) -> Option<&'v Value> {
    let Value::Object(object) = value else { return Some(value) };
    let kind = object.get("@type")?.as_str()?;
    let kind = kind.strip_prefix("xsd:").or_else(|| kind.strip_prefix(XSD))?;
    (object.len() == 2 && types.contains(&kind)).then(|| object.get("@value"))?
}

fn name(value: &Value, named: bool) -> Option<String> {
    if let Value::Object(object) = value
        && object.len() == 1
        && let Some(iri) = object.get("@id")
    {
        return iri.as_str().filter(|iri| is_named(iri)).map(str::to_owned);
    }
    let types: &[&str] = if named {
        &["string", "anyURI", "integer", "decimal", "boolean", "dateTime", "date", "duration"]
    } else {
        &["string", "anyURI"]
    };
    match literal(value, types)? {
        Value::String(text) => is_text(text).then(|| text.clone()),
        Value::Bool(truth) if named => Some(truth.to_string()),
        Value::Number(number) if named && !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b':' | b'.' | b'T' | b'Z'));
    let at: jiff::Timestamp = text.parse().ok().filter(|_| plain)?;
    // A fraction would have to be cut, and the comparison would be another one.
    (at.subsec_nanosecond() == 0).then(|| Timestamp::from_seconds(at.as_second()).ok())?
}

fn designated(mut text: &str, designators: [char; 3]) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    for (number, designator) in numbers.iter_mut().zip(designators) {
        if let Some((digits, rest)) = text.split_once(designator) {
            if digits.is_empty() || digits.len() > 6 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            *number = digits.parse().ok()?;
            text = rest;
        }
    }
    text.is_empty().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn values_have_the_operand_s_type() {
        let typed = |value: Value, kind: &str| json!({"@value": value, "@type": kind});
        let good = [
            ("dateTime", "lt", json!("2027-12-31T23:59:59Z")),
            ("dateTime", "lt", typed(json!("2027-12-31T23:59:59+01:00"), "xsd:dateTime")),
            ("count", "lteq", json!(3)),
            ("count", "lteq", typed(json!(3), "http://www.w3.org/2001/XMLSchema#integer")),
            ("elapsedTime", "lteq", json!("P1Y2M3DT4H5M6S")),
            ("payAmount", "eq", typed(json!("25.00"), "xsd:decimal")),
            ("purpose", "eq", json!("research")),
            ("purpose", "isAnyOf", json!(["research", {"@id": "urn:x:teaching"}])),
            ("purpose", "isAnyOf", json!("research")),
            ("cx:level", "gteq", json!(3)),
            ("cx:active", "eq", json!(true)),
        ];
        let bad = [
            ("dateTime", "lt", json!("2027-12-31")),
            ("dateTime", "lt", json!("2027-12-31T23:59:59")),
            ("dateTime", "lt", json!("2027-12-31T23:59:59.5Z")),
            ("dateTime", "lt", json!("2027-12-31T23:59:59+01:00[Europe/Berlin]")),
            ("dateTime", "lt", json!(1_795_000_000)),
            ("dateTime", "lt", typed(json!("2027-12-31T23:59:59Z"), "xsd:date")),
            ("count", "lteq", json!("3")),
            ("count", "lteq", json!(-3)),
            ("count", "lteq", json!(3.0)),
            ("count", "lteq", json!(9_007_199_254_740_992_u64)),
            ("count", "lteq", json!([3])),
            ("elapsedTime", "lteq", json!("30 days")),
            ("payAmount", "eq", json!(25)),
            ("payAmount", "eq", json!("1e3")),
            ("purpose", "eq", json!(["research"])),
            ("purpose", "eq", json!(3)),
            ("purpose", "eq", json!("")),
            ("purpose", "isAnyOf", json!([])),
            ("purpose", "isAnyOf", json!([null])),
            ("purpose", "eq", json!({"@id": "no iri"})),
            ("purpose", "eq", json!({"@id": "a:b", "more": 1})),
            ("cx:level", "eq", json!(1.5)),
        ];
        let parse = |left: &str, operator: &str, value: &Value| {
            let left = LeftOperand::parse(left).unwrap();
            let operator = Operator::parse(operator, &left).unwrap();
            RightOperand::parse(value, &left, operator)
        };
        for (left, operator, value) in good {
            assert!(parse(left, operator, &value).is_ok(), "{left} {operator} {value}");
        }
        for (left, operator, value) in bad {
            let refusal = parse(left, operator, &value).unwrap_err();
            assert_eq!(refusal.check, &checks::POLICY_VALUE, "{left} {operator} {value}");
        }
        let many = Value::Array(vec![json!("x"); 65]);
        assert_eq!(parse("purpose", "isAnyOf", &many).unwrap_err().check, &checks::POLICY_SIZE);
    }

    #[test]
    fn spans_follow_the_calendar() {
        let after = |span: &str, start: &str| Span::parse(span).unwrap().after(at(start)).rfc3339();
        assert_eq!(after("P30D", "2026-01-31T12:00:00Z"), "2026-03-02T12:00:00Z");
        assert_eq!(after("P1M", "2026-01-31T12:00:00Z"), "2026-02-28T12:00:00Z");
        assert_eq!(after("P1YT1H", "2027-03-01T00:00:00Z"), "2028-03-01T01:00:00Z");
        assert_eq!(after("P100Y", "9999-01-01T00:00:00Z"), "9999-12-30T22:00:00Z");
        for bad in ["", "P", "PT", "P1", "1D", "-P1D", "P1DT", "P1.5D", "P1D1Y", "P1W", "PT1D", "P1000000D", "P101Y"] {
            assert_eq!(Span::parse(bad), None, "{bad}");
        }
    }
}
