use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::action::{covers, may_cover};
use super::words::phrase;
use super::{
    Amount, Atomic, Constraint, LeftOperand, Logic, Money, Operator, Permission, Policy, RightOperand, checks,
};
use crate::check::Refusal;
use crate::encoding::Timestamp;

/// What is known about a use when terms are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The moment of the use.
    pub now: Timestamp,
    /// How many uses there were before this one.
    pub uses: u64,
    /// When the first use was; none if this is it.
    pub first_use: Option<Timestamp>,
    /// The purpose that the user declares.
    pub purpose: Option<String>,
    /// Where the asset is used: an ISO 3166 code or an IRI.
    pub spatial: Option<String>,
    /// What was paid, where that is known.
    pub paid: Option<Money>,
    /// What is known about namespaced operands, by their spelling in the terms.
    pub named: BTreeMap<String, Vec<String>>,
}

impl Facts {
    /// A first use at `now`, nothing else known.
    pub fn at(now: Timestamp) -> Self {
        Self { now, uses: 0, first_use: None, purpose: None, spatial: None, paid: None, named: BTreeMap::new() }
    }
}

impl Policy {
    /// Judges a use: a permission whose constraints all hold, and no prohibition that applies.
    ///
    /// * `count` is compared with the uses so far and this one: `count lteq 3` lets the third use pass and not the fourth.
    /// * `elapsedTime` runs from the first use; a first use is at its start.
    /// * A fact that is not known leaves its constraint undecidable, and what turns on it is refused; a prohibition too.
    /// * Obligations and duties (to pay, to delete later) are owed and not conditions of access: what has to be fulfilled
    ///   before stands as a constraint of the permission.
    ///
    /// # Errors
    /// `policy.prohibited`, `policy.not-permitted`, `policy.constraint`, `policy.undecidable`.
    pub fn permits(&self, action: &str, facts: &Facts) -> Result<&Permission, Refusal> {
        for rule in self.prohibitions.iter().filter(|rule| may_cover(&rule.action, action)) {
            match all(&rule.constraints, facts) {
                Truth::Fails => {}
                Truth::Holds => {
                    return Err(checks::POLICY_PROHIBITED.refuse(format!("to {} is prohibited", rule.action)));
                }
                Truth::Undecidable => return Err(undecidable(&rule.constraints, facts)),
            }
        }
        let mut failed = None;
        let mut undecided = None;
        for rule in self.permissions.iter().filter(|rule| covers(&rule.action, action)) {
            match all(&rule.constraints, facts) {
                Truth::Holds => return Ok(rule),
                Truth::Fails => failed = failed.or_else(|| first(&rule.constraints, facts, Truth::Fails)),
                Truth::Undecidable => undecided = undecided.or_else(|| Some(undecidable(&rule.constraints, facts))),
            }
        }
        Err(undecided.unwrap_or_else(|| match failed {
            Some(constraint) => checks::POLICY_CONSTRAINT.refuse(format!("not fulfilled: {}", phrase(constraint))),
            None => checks::POLICY_NOT_PERMITTED.refuse(format!("no permission covers `{action}`")),
        }))
    }
}

/// Kleene's three values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Truth {
    Holds,
    Fails,
    Undecidable,
}

impl Truth {
    fn not(self) -> Self {
        match self {
            Self::Holds => Self::Fails,
            Self::Fails => Self::Holds,
            Self::Undecidable => Self::Undecidable,
        }
    }

    fn every(parts: impl Iterator<Item = Self>) -> Self {
        parts.fold(Self::Holds, |all, part| match (all, part) {
            (Self::Fails, _) | (_, Self::Fails) => Self::Fails,
            (Self::Holds, Self::Holds) => Self::Holds,
            _ => Self::Undecidable,
        })
    }

    fn some(parts: impl Iterator<Item = Self>) -> Self {
        Self::every(parts.map(Self::not)).not()
    }

    fn one(parts: impl Iterator<Item = Self>) -> Self {
        let (mut hold, mut open) = (0_usize, 0_usize);
        for part in parts {
            hold += usize::from(part == Self::Holds);
            open += usize::from(part == Self::Undecidable);
        }
        match (hold, open) {
            (1, 0) => Self::Holds,
            (2.., _) | (0, 0) => Self::Fails,
            _ => Self::Undecidable,
        }
    }
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Self::Holds } else { Self::Fails }
    }
}

fn all(constraints: &[Constraint], facts: &Facts) -> Truth {
    Truth::every(constraints.iter().map(|constraint| judge(constraint, facts)))
}

fn first<'c>(constraints: &'c [Constraint], facts: &Facts, truth: Truth) -> Option<&'c Constraint> {
    constraints.iter().find(|constraint| judge(constraint, facts) == truth)
}

fn undecidable(constraints: &[Constraint], facts: &Facts) -> Refusal {
    let constraint = first(constraints, facts, Truth::Undecidable).map(phrase).unwrap_or_default();
    checks::POLICY_UNDECIDABLE.refuse(format!("cannot be decided here: {constraint}"))
}

fn judge(constraint: &Constraint, facts: &Facts) -> Truth {
    match constraint {
        Constraint::Atomic(atomic) => compare(atomic, facts),
        Constraint::Logical(logic, parts) => {
            let parts = parts.iter().map(|part| judge(part, facts));
            match logic {
                Logic::And | Logic::AndSequence => Truth::every(parts),
                Logic::Or => Truth::some(parts),
                Logic::Xone => Truth::one(parts),
            }
        }
    }
}

fn compare(atomic: &Atomic, facts: &Facts) -> Truth {
    let operator = atomic.operator;
    match (&atomic.left, &atomic.right) {
        (LeftOperand::DateTime, RightOperand::Instant(instant)) => ordered(operator, facts.now.cmp(instant)),
        (LeftOperand::Count, RightOperand::Count(count)) => ordered(operator, facts.uses.saturating_add(1).cmp(count)),
        (LeftOperand::ElapsedTime, RightOperand::Span(span)) => {
            let start = facts.first_use.unwrap_or(facts.now);
            if start > facts.now { Truth::Undecidable } else { ordered(operator, facts.now.cmp(&span.after(start))) }
        }
        (LeftOperand::PayAmount, RightOperand::Amount(amount)) => match (&facts.paid, &atomic.unit) {
            (Some(paid), Some(unit)) if unit == paid.currency.code() => ordered(operator, paid.amount.cmp(amount)),
            _ => Truth::Undecidable,
        },
        (LeftOperand::Purpose, RightOperand::Names(names)) => {
            belongs(operator, facts.purpose.as_slice(), names, &|one, another| (one == another).into())
        }
        (LeftOperand::Spatial, RightOperand::Names(names)) => within(operator, facts.spatial.as_deref(), names),
        (LeftOperand::Named(name), RightOperand::Names(names)) => match facts.named.get(name) {
            None => Truth::Undecidable,
            Some(known) if operator.orders() => sized(operator, known, names),
            Some(known) if known.is_empty() => (operator == Operator::IsNoneOf || operator == Operator::Neq).into(),
            Some(known) => belongs(operator, known, names, &|one, another| (one == another).into()),
        },
        _ => Truth::Undecidable,
    }
}

fn ordered(operator: Operator, order: Ordering) -> Truth {
    match operator {
        Operator::Eq => order.is_eq().into(),
        Operator::Neq => order.is_ne().into(),
        Operator::Gt => order.is_gt().into(),
        Operator::Gteq => order.is_ge().into(),
        Operator::Lt => order.is_lt().into(),
        Operator::Lteq => order.is_le().into(),
        _ => Truth::Undecidable,
    }
}

fn sized(operator: Operator, known: &[String], names: &[String]) -> Truth {
    match (known, names) {
        ([one], [another]) => match (one.parse::<Amount>(), another.parse::<Amount>()) {
            (Ok(one), Ok(another)) => ordered(operator, one.cmp(&another)),
            _ => Truth::Undecidable,
        },
        _ => Truth::Undecidable,
    }
}

fn belongs(operator: Operator, known: &[String], names: &[String], same: &dyn Fn(&str, &str) -> Truth) -> Truth {
    if known.is_empty() {
        return Truth::Undecidable;
    }
    let found = |name: &String| Truth::some(known.iter().map(|fact| same(fact, name)));
    let any = || Truth::some(names.iter().map(found));
    let is = || Truth::every(known.iter().flat_map(|fact| names.iter().map(move |name| same(fact, name))));
    match operator {
        Operator::Eq => is(),
        Operator::Neq => is().not(),
        Operator::IsAnyOf => any(),
        Operator::IsNoneOf => any().not(),
        Operator::IsAllOf => Truth::every(names.iter().map(found)),
        // What is not the thing itself may still be a kind or a part of it; nobody here knows.
        Operator::IsA | Operator::IsPartOf | Operator::HasPart if any() == Truth::Holds => Truth::Holds,
        _ => Truth::Undecidable,
    }
}

fn within(operator: Operator, place: Option<&str>, names: &[String]) -> Truth {
    let Some(place) = place else { return Truth::Undecidable };
    let part = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('-'));
    let same = |one: &str, another: &str| match (one == another, country(one), country(another)) {
        (true, ..) => Truth::Holds,
        // Different countries are different places; a country and its region, or an IRI, may be the same.
        (false, Some(here), Some(there)) if here != there => Truth::Fails,
        (false, Some(_), Some(_)) if !part(one, another) && !part(another, one) => Truth::Fails,
        _ => Truth::Undecidable,
    };
    let decided = |inner: &str, outer: &str| match (inner == outer || part(inner, outer), same(inner, outer)) {
        (true, _) => Truth::Holds,
        (false, Truth::Fails) => Truth::Fails,
        _ => Truth::Undecidable,
    };
    match (operator, names) {
        (Operator::IsPartOf, [name]) => decided(place, name),
        (Operator::HasPart, [name]) => decided(name, place),
        _ => belongs(operator, &[place.to_owned()], names, &same),
    }
}

/// The country of an ISO 3166 code (`DE`, `DE-BY`); none for IRIs and for codes of unions of countries.
fn country(code: &str) -> Option<&str> {
    let (country, region) = code.split_once('-').unwrap_or((code, "0"));
    let letters = country.len() == 2 && country.bytes().all(|b| b.is_ascii_uppercase());
    let known_region = (1..=3).contains(&region.len()) && region.bytes().all(|b| b.is_ascii_alphanumeric());
    (letters && known_region && !["EU", "EZ", "UN"].contains(&country)).then_some(country)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn policy(permission: Value, prohibition: Option<Value>) -> Policy {
        let mut terms = json!({
            "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Set", "permission": permission,
        });
        if let Some(prohibition) = prohibition {
            terms["prohibition"] = prohibition;
        }
        Policy::parse(&terms).unwrap()
    }

    fn when(left: &str, operator: &str, right: impl Into<Value>) -> Value {
        json!({"leftOperand": left, "operator": operator, "rightOperand": right.into()})
    }

    fn facts() -> Facts {
        Facts::at(Timestamp::parse_rfc3339("2026-06-01T12:00:00Z").unwrap())
    }

    /// "holds", or the id of the check that refused.
    fn verdict(constraint: Value, facts: &Facts) -> &'static str {
        let policy = policy(json!([{"action": "use", "constraint": [constraint]}]), None);
        policy.permits("use", facts).map_or_else(|refusal| refusal.check.id(), |_| "holds")
    }

    const NO: &str = "policy.constraint";
    const OPEN: &str = "policy.undecidable";

    #[test]
    fn uses_are_counted_with_this_one() {
        for (operator, limit, uses, expected) in [
            ("lteq", 3, 2, "holds"),
            ("lteq", 3, 3, NO),
            ("lteq", 0, 0, NO),
            ("lt", 3, 1, "holds"),
            ("lt", 3, 2, NO),
            ("eq", 1, 0, "holds"),
            ("neq", 1, 0, NO),
            ("term-lteq", 3, 0, OPEN),
            ("gteq", 2, u64::MAX, "holds"),
        ] {
            let facts = Facts { uses, ..facts() };
            assert_eq!(verdict(when("count", operator, limit), &facts), expected, "{operator} {limit} {uses}");
        }
    }

    #[test]
    fn times_are_instants() {
        for (operator, instant, expected) in [
            ("lteq", "2026-06-01T12:00:00Z", "holds"),
            ("lt", "2026-06-01T12:00:00Z", NO),
            ("lteq", "2026-06-01T14:00:00+02:00", "holds"),
            ("lt", "2026-06-01T13:30:00+02:00", NO),
            ("gt", "2026-06-01T11:59:59Z", "holds"),
            ("gteq", "2026-06-01T12:00:01Z", NO),
        ] {
            assert_eq!(verdict(when("dateTime", operator, instant), &facts()), expected, "{operator} {instant}");
        }
    }

    #[test]
    fn elapsed_time_runs_from_the_first_use() {
        let since = |text| Facts { first_use: Some(Timestamp::parse_rfc3339(text).unwrap()), ..facts() };
        let limit = || when("elapsedTime", "lteq", "P30D");
        assert_eq!(verdict(limit(), &facts()), "holds");
        assert_eq!(verdict(limit(), &since("2026-05-02T12:00:00Z")), "holds");
        assert_eq!(verdict(limit(), &since("2026-05-02T11:59:59Z")), NO);
        assert_eq!(verdict(limit(), &since("2026-06-01T12:00:01Z")), OPEN);
        assert_eq!(verdict(when("elapsedTime", "gteq", "P1D"), &facts()), NO);
    }

    #[test]
    fn purposes_are_names() {
        let named = Facts { purpose: Some("urn:p:research".into()), ..facts() };
        for (operator, right, expected) in [
            ("eq", json!("urn:p:research"), "holds"),
            ("eq", json!("urn:p:sale"), NO),
            ("neq", json!("urn:p:sale"), "holds"),
            ("isAnyOf", json!(["urn:p:sale", "urn:p:research"]), "holds"),
            ("isAnyOf", json!(["urn:p:sale"]), NO),
            ("isNoneOf", json!(["urn:p:research"]), NO),
            ("isAllOf", json!(["urn:p:research", "urn:p:sale"]), NO),
            ("isA", json!("urn:p:research"), "holds"),
            ("isA", json!("urn:p:science"), OPEN),
        ] {
            assert_eq!(verdict(when("purpose", operator, right.clone()), &named), expected, "{operator} {right}");
            assert_eq!(verdict(when("purpose", operator, right.clone()), &facts()), OPEN, "{operator} {right}");
        }
    }

    #[test]
    fn places_enclose_each_other() {
        let here = |place: &str| Facts { spatial: Some(place.into()), ..facts() };
        for (place, operator, right, expected) in [
            ("DE", "eq", "DE", "holds"),
            ("DE", "eq", "FR", NO),
            ("DE", "neq", "FR", "holds"),
            ("DE-BY", "eq", "DE", OPEN),
            ("DE-BY", "neq", "DE", OPEN),
            ("DE-BY", "neq", "DE-BE", "holds"),
            ("DE-BY", "isPartOf", "DE", "holds"),
            ("DE", "isPartOf", "EU", OPEN),
            ("DE", "neq", "EU", OPEN),
            ("FR", "isPartOf", "DE", NO),
            ("DE", "isPartOf", "DE-BY", OPEN),
            ("DE", "hasPart", "DE-BY", "holds"),
            ("DE", "neq", "urn:country:de", OPEN),
        ] {
            assert_eq!(verdict(when("spatial", operator, right), &here(place)), expected, "{place} {operator} {right}");
        }
        assert_eq!(verdict(when("spatial", "eq", "DE"), &facts()), OPEN);
    }

    #[test]
    fn other_vocabularies_are_decided_by_facts_alone() {
        let known = |values: &[&str]| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            Facts { named: BTreeMap::from([("cx:member".to_owned(), values)]), ..facts() }
        };
        assert_eq!(verdict(when("cx:member", "eq", "active"), &facts()), OPEN);
        assert_eq!(verdict(when("cx:member", "eq", "active"), &known(&["active"])), "holds");
        assert_eq!(verdict(when("cx:member", "eq", "active"), &known(&[])), NO);
        assert_eq!(verdict(when("cx:member", "isAllOf", json!(["a", "b"])), &known(&["b", "c", "a"])), "holds");
        assert_eq!(verdict(when("cx:member", "gteq", 3), &known(&["12"])), "holds");
        assert_eq!(verdict(when("cx:member", "gteq", 3), &known(&["gold"])), OPEN);
    }

    #[test]
    fn payment_is_decided_only_where_it_is_known() {
        let term = json!({"leftOperand": "payAmount", "operator": "gteq", "rightOperand": "10", "unit": "EUR"});
        let paid = |amount: &str, currency: &str| Facts {
            paid: Some(Money { amount: amount.parse().unwrap(), currency: currency.parse().unwrap() }),
            ..facts()
        };
        assert_eq!(verdict(term.clone(), &facts()), OPEN);
        assert_eq!(verdict(term.clone(), &paid("10.00", "EUR")), "holds");
        assert_eq!(verdict(term.clone(), &paid("9.99", "EUR")), NO);
        assert_eq!(verdict(term, &paid("10.00", "USD")), OPEN);
    }

    #[test]
    fn joined_conditions_have_three_values() {
        let (yes, no, open) = (when("count", "lteq", 1), when("count", "lteq", 0), when("purpose", "eq", "x"));
        for (logic, parts, expected) in [
            ("and", vec![&yes, &yes], "holds"),
            ("and", vec![&yes, &open], OPEN),
            ("and", vec![&no, &open], NO),
            ("andSequence", vec![&yes, &no], NO),
            ("or", vec![&no, &yes], "holds"),
            ("or", vec![&open, &yes], "holds"),
            ("or", vec![&no, &open], OPEN),
            ("or", vec![&no, &no], NO),
            ("xone", vec![&yes, &no], "holds"),
            ("xone", vec![&yes, &yes], NO),
            ("xone", vec![&no, &no], NO),
            ("xone", vec![&yes, &open], OPEN),
            ("xone", vec![&yes, &yes, &open], NO),
        ] {
            assert_eq!(verdict(json!({logic: parts}), &facts()), expected, "{logic} {parts:?}");
        }
    }

    #[test]
    fn a_prohibition_goes_before_every_permission() {
        let free = json!([{"action": "use"}]);
        let check = |policy: &Policy, action: &str| {
            policy.permits(action, &facts()).map_err(|refusal| refusal.check.id()).map(|_| ())
        };
        let barred = policy(free.clone(), Some(json!({"action": "use"})));
        assert_eq!(check(&barred, "use"), Err("policy.prohibited"));
        assert_eq!(check(&barred, "read"), Err("policy.prohibited"));
        assert_eq!(check(&barred, "cx:train"), Err("policy.prohibited"));
        let narrow = policy(free.clone(), Some(json!({"action": "distribute"})));
        assert_eq!(check(&narrow, "use"), Ok(()));
        assert_eq!(check(&narrow, "distribute"), Err("policy.prohibited"));
        let open = policy(free.clone(), Some(json!({"action": "use", "constraint": [when("purpose", "eq", "war")]})));
        assert_eq!(check(&open, "use"), Err("policy.undecidable"));
        let later = policy(free, Some(json!({"action": "use", "constraint": [when("count", "gt", 1)]})));
        assert_eq!(check(&later, "use"), Ok(()));
    }

    #[test]
    fn one_permission_is_enough_and_none_is_not() {
        let two = policy(
            json!([
                {"action": "use", "constraint": [when("count", "lteq", 0)]},
                {"action": "use", "duty": [{"action": "compensate", "constraint": [when("payAmount", "eq", "5")]}]},
            ]),
            None,
        );
        assert_eq!(two.permits("use", &facts()).unwrap().duties.len(), 1);
        assert_eq!(two.permits("transfer", &facts()).unwrap_err().check, &checks::POLICY_NOT_PERMITTED);
        let narrow = policy(json!({"action": "read"}), None);
        assert_eq!(narrow.permits("use", &facts()).unwrap_err().check, &checks::POLICY_NOT_PERMITTED);
    }
}
