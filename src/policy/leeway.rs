use std::collections::BTreeSet;

use super::{Atomic, Constraint, Facts, Policy, RightOperand};
use crate::encoding::Timestamp;

/// How many pairs of a moment and a number of uses are judged.
const MOST: usize = 2048;

/// How far a use that is permitted reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leeway {
    /// The moment at which it is permitted no longer; none where the terms name no such moment.
    pub until: Option<Timestamp>,
    /// How many uses before it are too many; none where no number of uses is.
    pub uses: Option<u64>,
}

impl Policy {
    /// How far a use reaches that is permitted at `facts`: when its time runs out, all else staying as it is, and from how
    /// many uses on there is none left for it, at any moment of the next `within` seconds.
    ///
    /// Terms turn at the moments and numbers that they name and nowhere between, so that it is enough to judge those.
    pub fn leeway(&self, action: &str, facts: &Facts, within: i64) -> Leeway {
        // What runs from the first use runs from this one, if there was none.
        let facts = Facts { first_use: facts.first_use.or(Some(facts.now)), ..facts.clone() };
        let (mut moments, mut numbers) = (BTreeSet::new(), BTreeSet::new());
        let permitted = self.permissions.iter().flat_map(|rule| &rule.constraints);
        let prohibited = self.prohibitions.iter().flat_map(|rule| &rule.constraints);
        for constraint in permitted.chain(prohibited) {
            atoms(constraint, &mut |atomic| match &atomic.right {
                RightOperand::Instant(instant) => moments.extend([*instant, instant.plus(1)]),
                RightOperand::Span(span) => {
                    let end = span.after(facts.first_use.unwrap_or(facts.now));
                    moments.extend([end, end.plus(1)]);
                }
                // The use itself is one of those that are counted.
                RightOperand::Count(count) => numbers.extend([count.saturating_sub(1), *count]),
                RightOperand::Amount(_) | RightOperand::Names(_) => {}
            });
        }
        let holds = |now: Timestamp, uses: u64| self.permits(action, &Facts { now, uses, ..facts.clone() }).is_ok();
        let later = || moments.iter().copied().filter(|moment| *moment > facts.now);
        let until = later().find(|moment| !holds(*moment, facts.uses));
        let horizon = facts.now.plus(within);
        let end = until.map_or(horizon, |until| until.min(horizon));
        let judged: Vec<Timestamp> =
            std::iter::once(facts.now).chain(later().take_while(|moment| *moment < end)).collect();
        let more = || numbers.range(facts.uses.saturating_add(1)..);
        let uses = match judged.len().saturating_mul(more().count()) {
            0..=MOST => judged.iter().filter_map(|moment| more().find(|uses| !holds(*moment, **uses))).min().copied(),
            // Nobody's terms are like that, and judging them takes too long: no use beyond the next number that they name.
            _ => more().next().copied(),
        };
        Leeway { until, uses }
    }
}

/// Every comparison in a constraint.
fn atoms(constraint: &Constraint, seen: &mut impl FnMut(&Atomic)) {
    match constraint {
        Constraint::Atomic(atomic) => seen(atomic),
        Constraint::Logical(_, parts) => parts.iter().for_each(|part| atoms(part, seen)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const DAY: i64 = 86_400;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn noon() -> Facts {
        Facts::at(at("2026-06-01T12:00:00Z"))
    }

    fn when(left: &str, operator: &str, right: impl Into<Value>) -> Value {
        json!({"leftOperand": left, "operator": operator, "rightOperand": right.into()})
    }

    fn leeway(constraints: Value, prohibited: Option<Value>, facts: &Facts) -> (Option<String>, Option<u64>) {
        let mut terms = json!({
            "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Set",
            "permission": [{"action": "use", "constraint": constraints}],
        });
        if let Some(prohibited) = prohibited {
            terms["prohibition"] = json!([{"action": "use", "constraint": prohibited}]);
        }
        let policy = Policy::parse(&terms).unwrap();
        policy.permits("use", facts).unwrap();
        let Leeway { until, uses } = policy.leeway("use", facts, 3600);
        (until.map(Timestamp::rfc3339), uses)
    }

    fn until(constraints: Value, facts: &Facts) -> Option<String> {
        leeway(constraints, None, facts).0
    }

    #[test]
    fn time_runs_out_when_the_terms_say_so() {
        let end = |text: &str| Some(text.to_owned());
        let date = |operator, text: &str| json!([when("dateTime", operator, text)]);
        assert_eq!(until(date("lteq", "2026-06-01T13:00:00Z"), &noon()), end("2026-06-01T13:00:01Z"));
        assert_eq!(until(date("lt", "2026-06-01T13:00:00Z"), &noon()), end("2026-06-01T13:00:00Z"));
        assert_eq!(until(date("eq", "2026-06-01T12:00:00Z"), &noon()), end("2026-06-01T12:00:01Z"));
        assert_eq!(until(date("neq", "2026-06-01T13:00:00Z"), &noon()), end("2026-06-01T13:00:00Z"));
        assert_eq!(until(date("gteq", "2026-06-01T11:00:00Z"), &noon()), None);
        // The earlier of two ends; where either is enough, the later one.
        let two = [when("dateTime", "lt", "2026-07-01T00:00:00Z"), when("dateTime", "lt", "2026-08-01T00:00:00Z")];
        assert_eq!(until(json!(two), &noon()), end("2026-07-01T00:00:00Z"));
        assert_eq!(until(json!([{ "or": two }]), &noon()), end("2026-08-01T00:00:00Z"));
        assert_eq!(until(json!([{ "or": [two[0], when("count", "lteq", 3)] }]), &noon()), None);
        // A prohibition that begins ends it.
        let forbidden =
            leeway(date("neq", "2020-01-01T00:00:00Z"), Some(date("gteq", "2026-06-02T00:00:00Z")), &noon());
        assert_eq!(forbidden, (end("2026-06-02T00:00:00Z"), None));
    }

    #[test]
    fn a_span_runs_from_the_first_use() {
        let span = |operator: &str| json!([when("elapsedTime", operator, "PT20S")]);
        assert_eq!(until(span("lteq"), &noon()).unwrap(), "2026-06-01T12:00:21Z");
        assert_eq!(until(span("lt"), &noon()).unwrap(), "2026-06-01T12:00:20Z");
        let first_use = Some(at("2026-06-01T11:59:50Z"));
        assert_eq!(until(span("lteq"), &Facts { first_use, ..noon() }).unwrap(), "2026-06-01T12:00:11Z");
    }

    #[test]
    fn uses_run_out_at_a_number_and_time_does_not_wait_for_them() {
        let uses = |constraints: Value, facts: &Facts| leeway(constraints, None, facts);
        let counted = |operator: &str, limit: u64| json!([when("count", operator, limit)]);
        assert_eq!(uses(counted("lteq", 3), &noon()), (None, Some(3)));
        assert_eq!(uses(counted("lt", 3), &noon()), (None, Some(2)));
        assert_eq!(uses(counted("lteq", 3), &Facts { uses: 2, ..noon() }), (None, Some(3)));
        assert_eq!(uses(counted("eq", 1), &noon()), (None, Some(1)));
        assert_eq!(uses(counted("gteq", 1), &noon()), (None, None));
        // Fewer uses from the half hour on: a token that lives that long may not be one too many then.
        let falls = json!([{ "or": [
            when("count", "lteq", 2),
            { "and": [when("count", "lteq", 5), when("dateTime", "lt", "2026-06-01T12:30:00Z")] },
        ] }]);
        assert_eq!(uses(falls.clone(), &noon()), (None, Some(2)));
        assert_eq!(uses(falls.clone(), &Facts { uses: 3, ..noon() }), (Some("2026-06-01T12:30:00Z".into()), Some(5)));
        let earlier = Facts { now: noon().now.plus(-DAY), ..noon() };
        assert_eq!(uses(falls, &earlier), (None, Some(5)));
    }

    #[test]
    fn terms_that_would_take_long_to_judge_leave_no_use_beyond_their_next_number() {
        let alternative = |n: i64| {
            let from = noon().now.plus(n).rfc3339();
            json!({ "or": [when("count", "lteq", 1000 + n), when("dateTime", "gteq", from)] })
        };
        let many: Vec<_> = (1..=80).map(alternative).collect();
        let begun = std::time::Instant::now();
        assert_eq!(leeway(json!(many), None, &noon()).1, Some(1000));
        assert!(begun.elapsed() < std::time::Duration::from_secs(10));
        let few: Vec<_> = (1..=20).map(alternative).collect();
        assert_eq!(leeway(json!(few), None, &noon()).1, Some(1001));
    }
}
