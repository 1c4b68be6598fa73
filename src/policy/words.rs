use super::{Atomic, Constraint, Duty, LeftOperand, Logic, Operator, Policy, RightOperand, Span};

impl Policy {
    /// Each term as one sentence for a reader who knows contracts and not ODRL.
    pub fn in_words(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for rule in &self.permissions {
            sentences.push(sentence("The consumer may", &rule.action, &rule.constraints));
            for duty in &rule.duties {
                sentences.push(owed("Whoever makes use of that has to", duty));
            }
        }
        for rule in &self.prohibitions {
            sentences.push(sentence("The consumer must not", &rule.action, &rule.constraints));
        }
        for duty in &self.obligations {
            sentences.push(owed("The consumer has to", duty));
        }
        sentences
    }
}

fn owed(who: &str, duty: &Duty) -> String {
    // What may be done until a time has to be done by it.
    let by = |how: String| how.strip_prefix("until ").map_or(how.clone(), |time| format!("by {time}"));
    worded(who, &duty.action, duty.constraints.iter().map(phrase).map(by).collect())
}

fn sentence(who: &str, action: &str, constraints: &[Constraint]) -> String {
    worded(who, action, constraints.iter().map(phrase).collect())
}

fn worded(who: &str, action: &str, how: Vec<String>) -> String {
    let what = match action {
        "compensate" => "compensate the provider".to_owned(),
        "inform" => "inform the provider".to_owned(),
        "attribute" => "name the source of the asset".to_owned(),
        "distribute" => "pass the asset on to others".to_owned(),
        "reproduce" => "copy the asset".to_owned(),
        "derive" => "make new works from the asset".to_owned(),
        "transfer" => "hand over the ownership of the asset".to_owned(),
        plain if plain.contains(':') => format!("do “{plain}” with the asset"),
        plain => format!("{} the asset", spaced(plain)),
    };
    if how.is_empty() { format!("{who} {what}.") } else { format!("{who} {what} {}.", how.join(", and ")) }
}

/// A condition as the end of a sentence: `at most 3 times`.
pub(super) fn phrase(constraint: &Constraint) -> String {
    let (logic, parts) = match constraint {
        Constraint::Atomic(atomic) => return comparison(atomic),
        Constraint::Logical(logic, parts) => (logic, parts),
    };
    let phrases: Vec<_> = parts.iter().map(phrase).collect();
    match (logic, phrases.as_slice()) {
        (_, [single]) => single.clone(),
        (Logic::And, _) => format!("({})", phrases.join(" and ")),
        (Logic::AndSequence, _) => format!("({})", phrases.join(" and then ")),
        (Logic::Or, _) => format!("(either {})", phrases.join(" or ")),
        (Logic::Xone, _) => format!("(only one of these: {})", phrases.join("; ")),
    }
}

fn comparison(atomic: &Atomic) -> String {
    let operator = atomic.operator;
    match (&atomic.left, &atomic.right) {
        (LeftOperand::Count, RightOperand::Count(count)) => {
            let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
            format!("{} {times}", amounts(operator))
        }
        (LeftOperand::DateTime, RightOperand::Instant(instant)) => {
            let when = match operator {
                Operator::Lt => "before",
                Operator::Lteq | Operator::TermLteq => "until",
                Operator::Gt => "after",
                Operator::Gteq => "from",
                Operator::Neq => "at any time but",
                _ => "at",
            };
            format!("{when} {instant}")
        }
        (LeftOperand::ElapsedTime, RightOperand::Span(span)) => match operator {
            Operator::Lt | Operator::Lteq | Operator::TermLteq => format!("within {} of the first use", shown(*span)),
            _ => format!("no sooner than {} after the first use", shown(*span)),
        },
        (LeftOperand::PayAmount, RightOperand::Amount(amount)) => {
            let unit = atomic.unit.as_deref().unwrap_or("(no currency named)");
            format!("with a payment of {} {amount} {unit}", amounts(operator))
        }
        (LeftOperand::Purpose, RightOperand::Names(names)) => named("for", "the purpose", operator, names),
        (LeftOperand::Spatial, RightOperand::Names(names)) => named("in", "the place", operator, names),
        (LeftOperand::Named(left), RightOperand::Names(names)) => {
            let what = format!("“{left}”");
            let text = if operator.orders() {
                format!("as long as {what} is {} {}", amounts(operator), quoted(names, "or"))
            } else {
                named("as long as", &what, operator, names)
            };
            match &atomic.unit {
                Some(unit) => format!("{text} ({unit})"),
                None => text,
            }
        }
        // The parser pairs operands with their values; this is what any other pair would read like.
        (left, _) => format!("as {left} {operator} says"),
    }
}

fn amounts(operator: Operator) -> &'static str {
    match operator {
        Operator::Lt => "less than",
        Operator::Lteq | Operator::TermLteq => "at most",
        Operator::Gt => "more than",
        Operator::Gteq => "at least",
        Operator::Neq => "anything but",
        _ => "exactly",
    }
}

fn named(preposition: &str, what: &str, operator: Operator, names: &[String]) -> String {
    let is = match operator {
        Operator::Neq => format!("is not {}", quoted(names, "or")),
        Operator::IsA => format!("is, or is a kind of, {}", quoted(names, "or")),
        Operator::IsAnyOf if names.len() > 1 => format!("is one of {}", quoted(names, "or")),
        Operator::IsAllOf if names.len() > 1 => format!("is all of {}", quoted(names, "and")),
        Operator::IsNoneOf => format!("is none of {}", quoted(names, "or")),
        Operator::IsPartOf => format!("lies within {}", quoted(names, "or")),
        Operator::HasPart => format!("encloses {}", quoted(names, "and")),
        _ => format!("is {}", quoted(names, "or")),
    };
    match preposition {
        "as long as" => format!("as long as {what} {is}"),
        _ if matches!(operator, Operator::Eq) => format!("{preposition} {what} {}", quoted(names, "or")),
        _ => format!("as long as {what} {is}"),
    }
}

fn quoted(names: &[String], joint: &str) -> String {
    let mut names: Vec<_> = names.iter().map(|name| format!("“{name}”")).collect();
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} {joint} {last}", names.join(", ")),
        None => String::new(),
    }
}

fn shown(span: Span) -> String {
    let parts = [
        (span.months / 12, "year"),
        (span.months % 12, "month"),
        (span.seconds / 86_400, "day"),
        (span.seconds / 3600 % 24, "hour"),
        (span.seconds / 60 % 60, "minute"),
        (span.seconds % 60, "second"),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}{}", if number == 1 { "" } else { "s" }))
        .collect();
    if parts.is_empty() { "no time".to_owned() } else { parts.join(" ") }
}

fn spaced(action: &str) -> String {
    action.chars().fold(String::new(), |mut text, letter| {
        if letter.is_ascii_uppercase() {
            text.push(' ');
        }
        text.push(letter.to_ascii_lowercase());
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn terms_read_as_sentences() {
        let when = |left: &str, operator: &str, right: serde_json::Value| json!({"leftOperand": left, "operator": operator, "rightOperand": right});
        let policy = Policy::parse(&json!({
            "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Set",
            "permission": [
                {"action": "use", "constraint": [when("count", "lteq", json!(3)), when("purpose", "eq", json!("research"))],
                 "duty": [{"action": "compensate", "constraint": [
                    {"leftOperand": "payAmount", "operator": "eq", "rightOperand": "10.00", "unit": "EUR"}]}]},
                {"action": "read", "constraint": [{"or": [
                    when("spatial", "isPartOf", json!("DE")), when("elapsedTime", "lteq", json!("P1M2DT1S"))]}]},
            ],
            "prohibition": [{"action": "distribute"}, {"action": "cx:train"}],
            "obligation": [{"action": "delete", "constraint": [when("dateTime", "lt", json!("2028-01-01T00:00:00Z"))]},
                {"action": "inform", "constraint": [when("dateTime", "lteq", json!("2028-01-01T00:00:00Z"))]}],
        }))
        .unwrap();
        assert_eq!(
            policy.in_words(),
            [
                "The consumer may use the asset at most 3 times, and for the purpose “research”.",
                "Whoever makes use of that has to compensate the provider with a payment of exactly 10.00 EUR.",
                "The consumer may read the asset (either as long as the place lies within “DE” or within 1 month 2 days 1 second of the first use).",
                "The consumer must not pass the asset on to others.",
                "The consumer must not do “cx:train” with the asset.",
                "The consumer has to delete the asset before 2028-01-01T00:00:00Z.",
                "The consumer has to inform the provider by 2028-01-01T00:00:00Z.",
            ]
        );
    }
}
