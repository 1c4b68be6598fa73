use serde_json::{Map, Value};

use super::action::action;
use super::operand::is_text;
use super::{
    Atomic, Constraint, Duty, LeftOperand, Logic, Operator, Permission, Policy, PolicyKind, Prohibition, RightOperand,
    checks,
};
use crate::check::Refusal;
use crate::encoding::Timestamp;

const MAX_RULES: usize = 64;
const MAX_CONSTRAINTS: usize = 256;
const MAX_LEVELS: usize = 8;
const MAX_PROFILES: usize = 16;

const ODRL_CONTEXT: &str = "http://www.w3.org/ns/odrl.jsonld";
const DSP_CONTEXTS: [&str; 2] =
    ["https://w3id.org/dspace/2025/1/context.jsonld", "https://w3id.org/dspace/2025/1/odrl-profile.jsonld"];

impl Policy {
    /// Reads terms; what is not in the subset is refused, never skipped.
    ///
    /// # Errors
    /// `policy.context`, `policy.kind`, `policy.form`, `policy.rules`, `policy.action`, `policy.operand`,
    /// `policy.operator`, `policy.value`, `policy.size`.
    pub fn parse(terms: &Value) -> Result<Self, Refusal> {
        let terms = object(terms, "terms")?;
        context(terms.get("@context"))?;
        let kind = match terms.get("@type").and_then(Value::as_str) {
            Some("Set") => PolicyKind::Set,
            Some("Offer") => PolicyKind::Offer,
            Some("Agreement") => PolicyKind::Agreement,
            _ => return Err(checks::POLICY_KIND.refuse("@type is none of Set, Offer, Agreement")),
        };
        let known = ["@context", "@type", "@id", "profile", "target", "assigner", "assignee"];
        let rules = ["permission", "prohibition", "obligation"];
        let dated: &[&str] = if kind == PolicyKind::Agreement { &["timestamp"] } else { &[] };
        only(terms, &[&known[..], &rules[..], dated].concat(), "terms")?;
        let needed: &[&str] = match kind {
            PolicyKind::Set => &[],
            PolicyKind::Offer => &["@id"],
            PolicyKind::Agreement => &["@id", "target", "assigner", "assignee"],
        };
        for name in needed {
            checks::POLICY_FORM.hold(terms.contains_key(*name), || format!("{kind:?} without `{name}`"))?;
        }
        let mut reader = Reader { rules: 0, constraints: 0 };
        let policy = Self {
            kind,
            id: text(terms, "@id")?,
            profile: profiles(terms.get("profile"))?,
            target: text(terms, "target")?,
            assigner: text(terms, "assigner")?,
            assignee: text(terms, "assignee")?,
            timestamp: timestamp(terms)?,
            permissions: reader.rules(terms, "permission", Reader::permission)?,
            prohibitions: reader.rules(terms, "prohibition", Reader::prohibition)?,
            obligations: reader.rules(terms, "obligation", Reader::duty)?,
        };
        checks::POLICY_RULES.hold(!policy.permissions.is_empty() || !policy.prohibitions.is_empty(), || {
            "neither permission nor prohibition".to_owned()
        })?;
        Ok(policy)
    }
}

struct Reader {
    rules: usize,
    constraints: usize,
}

impl Reader {
    fn rules<T>(
        &mut self,
        holder: &Map<String, Value>,
        name: &str,
        read: impl Fn(&mut Self, &Value) -> Result<T, Refusal>,
    ) -> Result<Vec<T>, Refusal> {
        let Some(value) = holder.get(name) else { return Ok(Vec::new()) };
        let items = some(value, name)?;
        self.rules += items.len();
        checks::POLICY_SIZE.hold(self.rules <= MAX_RULES, || format!("more than {MAX_RULES} rules"))?;
        items.iter().map(|item| read(self, item)).collect()
    }

    fn permission(&mut self, value: &Value) -> Result<Permission, Refusal> {
        let rule = object(value, "a permission")?;
        only(rule, &["action", "constraint", "duty"], "a permission")?;
        Ok(Permission {
            action: ruled(rule)?,
            constraints: self.constraints(rule)?,
            duties: self.rules(rule, "duty", Self::duty)?,
        })
    }

    fn prohibition(&mut self, value: &Value) -> Result<Prohibition, Refusal> {
        let rule = object(value, "a prohibition")?;
        only(rule, &["action", "constraint"], "a prohibition")?;
        Ok(Prohibition { action: ruled(rule)?, constraints: self.constraints(rule)? })
    }

    fn duty(&mut self, value: &Value) -> Result<Duty, Refusal> {
        let rule = object(value, "a duty")?;
        only(rule, &["action", "constraint"], "a duty")?;
        Ok(Duty { action: ruled(rule)?, constraints: self.constraints(rule)? })
    }

    fn constraints(&mut self, rule: &Map<String, Value>) -> Result<Vec<Constraint>, Refusal> {
        let Some(value) = rule.get("constraint") else { return Ok(Vec::new()) };
        some(value, "constraint")?.iter().map(|item| self.constraint(item, 1)).collect()
    }

    fn constraint(&mut self, value: &Value, level: usize) -> Result<Constraint, Refusal> {
        self.constraints += 1;
        checks::POLICY_SIZE.hold(self.constraints <= MAX_CONSTRAINTS && level <= MAX_LEVELS, || {
            format!("more than {MAX_CONSTRAINTS} constraints or {MAX_LEVELS} levels of them")
        })?;
        let members = object(value, "a constraint")?;
        let logic =
            [("and", Logic::And), ("or", Logic::Or), ("xone", Logic::Xone), ("andSequence", Logic::AndSequence)];
        match logic.into_iter().find(|(name, _)| members.contains_key(*name)) {
            Some((name, logic)) => {
                only(members, &[name], "a logical constraint")?;
                let parts = listed(&members[name], name)?;
                let parts = parts.iter().map(|part| self.constraint(part, level + 1)).collect::<Result<_, _>>()?;
                Ok(Constraint::Logical(logic, parts))
            }
            None => Ok(Constraint::Atomic(atomic(members)?)),
        }
    }
}

fn atomic(members: &Map<String, Value>) -> Result<Atomic, Refusal> {
    only(members, &["leftOperand", "operator", "rightOperand", "unit"], "a constraint")?;
    let left = LeftOperand::parse(&needed(members, "leftOperand")?)?;
    let operator = Operator::parse(&needed(members, "operator")?, &left)?;
    let right = members.get("rightOperand").ok_or_else(|| checks::POLICY_FORM.refuse("no rightOperand"))?;
    let right = RightOperand::parse(right, &left, operator)?;
    let unit = text(members, "unit")?;
    let measured = matches!(left, LeftOperand::PayAmount | LeftOperand::Named(_));
    checks::POLICY_FORM.hold(unit.is_none() || measured, || format!("{left} has no unit"))?;
    Ok(Atomic { left, operator, right, unit })
}

fn ruled(rule: &Map<String, Value>) -> Result<String, Refusal> {
    action(&needed(rule, "action")?)
}

fn context(value: Option<&Value>) -> Result<(), Refusal> {
    let known = |value: &Value| value.as_str().is_some_and(|text| text == ODRL_CONTEXT || DSP_CONTEXTS.contains(&text));
    let held = match value {
        Some(Value::Array(items)) => !items.is_empty() && items.len() <= 3 && items.iter().all(known),
        Some(single) => known(single),
        None => false,
    };
    checks::POLICY_CONTEXT.hold(held, || format!("@context is not `{ODRL_CONTEXT}`"))
}

fn profiles(value: Option<&Value>) -> Result<Vec<String>, Refusal> {
    let Some(value) = value else { return Ok(Vec::new()) };
    let items = some(value, "profile")?;
    checks::POLICY_SIZE.hold(items.len() <= MAX_PROFILES, || format!("{} profiles", items.len()))?;
    items.iter().map(|item| readable(item, "profile")).collect()
}

fn timestamp(terms: &Map<String, Value>) -> Result<Option<Timestamp>, Refusal> {
    let Some(written) = text(terms, "timestamp")? else { return Ok(None) };
    let at = written.parse::<jiff::Timestamp>().ok().and_then(|at| Timestamp::from_seconds(at.as_second()).ok());
    at.map(Some).ok_or_else(|| checks::POLICY_FORM.refuse("timestamp is not an xsd:dateTime with its zone"))
}

fn object<'v>(value: &'v Value, what: &str) -> Result<&'v Map<String, Value>, Refusal> {
    value.as_object().ok_or_else(|| checks::POLICY_FORM.refuse(format!("{what}: not an object")))
}

fn only(members: &Map<String, Value>, known: &[&str], what: &str) -> Result<(), Refusal> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => {
            let name: String = name.chars().take(80).collect();
            Err(checks::POLICY_FORM.refuse(format!("{what} has an unknown member `{name}`")))
        }
        None => Ok(()),
    }
}

fn text(members: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    members.get(name).map(|value| readable(value, name)).transpose()
}

fn needed(members: &Map<String, Value>, name: &str) -> Result<String, Refusal> {
    text(members, name)?.ok_or_else(|| checks::POLICY_FORM.refuse(format!("no {name}")))
}

fn readable(value: &Value, name: &str) -> Result<String, Refusal> {
    let text = value.as_str().filter(|text| is_text(text));
    text.map(str::to_owned).ok_or_else(|| {
        checks::POLICY_FORM.refuse(format!("`{name}` is not a text of 1 to 2048 bytes without control characters"))
    })
}

/// One or several; JSON-LD writes a single one also without the list.
fn some<'v>(value: &'v Value, name: &str) -> Result<&'v [Value], Refusal> {
    match value {
        Value::Array(items) if items.is_empty() => Err(checks::POLICY_FORM.refuse(format!("`{name}` is empty"))),
        Value::Array(items) => Ok(items),
        single => Ok(std::slice::from_ref(single)),
    }
}

fn listed<'v>(value: &'v Value, name: &str) -> Result<&'v [Value], Refusal> {
    let items = match value {
        Value::Object(object) if object.len() == 1 => object.get("@list").and_then(Value::as_array),
        value => value.as_array(),
    };
    items
        .filter(|items| !items.is_empty())
        .map(Vec::as_slice)
        .ok_or_else(|| checks::POLICY_FORM.refuse(format!("`{name}` is not a list of constraints")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Check;
    use serde_json::json;

    fn offer() -> Value {
        json!({
            "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Offer", "@id": "urn:uuid:1",
            "target": "urn:a", "assigner": "did:web:a.example", "assignee": "did:web:b.example",
            "permission": [{"action": "use", "constraint": [
                {"leftOperand": "count", "operator": "lteq", "rightOperand": 3},
                {"or": [
                    {"leftOperand": "purpose", "operator": "eq", "rightOperand": "research"},
                    {"xone": {"@list": [{"leftOperand": "spatial", "operator": "isPartOf", "rightOperand": "DE"}]}},
                ]},
            ], "duty": [{"action": "compensate", "constraint": [
                {"leftOperand": "payAmount", "operator": "eq", "rightOperand": "10.00", "unit": "EUR"},
            ]}]}],
            "prohibition": {"action": "distribute"},
            "obligation": [{"action": "delete", "constraint": [
                {"leftOperand": "elapsedTime", "operator": "lteq", "rightOperand": "P30D"},
            ]}],
        })
    }

    fn with(path: &str, value: Value) -> Value {
        let mut terms = offer();
        let (holder, name) = path.rsplit_once('/').unwrap();
        let holder = if holder.is_empty() { &mut terms } else { terms.pointer_mut(holder).unwrap() };
        if value.is_null() {
            holder.as_object_mut().unwrap().remove(name);
        } else {
            holder[name] = value;
        }
        terms
    }

    #[test]
    fn an_offer_is_read() {
        let policy = Policy::parse(&offer()).unwrap();
        assert_eq!((policy.kind, policy.permissions.len(), policy.prohibitions.len()), (PolicyKind::Offer, 1, 1));
        assert!(policy.counts_uses());
        assert_eq!(policy.permissions[0].duties[0].action, "compensate");
        let agreement = json!({
            "@context": ["https://w3id.org/dspace/2025/1/context.jsonld", "http://www.w3.org/ns/odrl.jsonld"],
            "@type": "Agreement", "@id": "urn:uuid:1", "target": "a", "assigner": "b", "assignee": "c",
            "timestamp": "2026-01-01T01:00:00Z", "profile": "urn:p", "permission": [{"action": "odrl:use"}],
        });
        let policy = Policy::parse(&agreement).unwrap();
        assert_eq!((policy.permissions[0].action.as_str(), policy.counts_uses()), ("use", false));
    }

    #[test]
    fn what_is_not_in_the_subset_is_refused() {
        let one = "/permission/0/constraint/0";
        let constraint = |left: &str| json!([{"leftOperand": left, "operator": "eq", "rightOperand": "x"}]);
        let cases: Vec<(&Check, String, Value)> = vec![
            (&checks::POLICY_CONTEXT, "/@context".into(), json!("https://www.w3.org/ns/odrl.jsonld")),
            (&checks::POLICY_CONTEXT, "/@context".into(), json!([])),
            (
                &checks::POLICY_CONTEXT,
                "/@context".into(),
                json!(["http://www.w3.org/ns/odrl.jsonld", {"use": "urn:x"}]),
            ),
            (&checks::POLICY_CONTEXT, "/@context".into(), Value::Null),
            (&checks::POLICY_KIND, "/@type".into(), json!("Request")),
            (&checks::POLICY_KIND, "/@type".into(), json!(["Offer"])),
            (&checks::POLICY_FORM, "/inheritFrom".into(), json!("urn:x")),
            (&checks::POLICY_FORM, "/timestamp".into(), json!("2026-01-01T01:00:00Z")),
            (&checks::POLICY_FORM, "/@id".into(), Value::Null),
            (&checks::POLICY_FORM, "/target".into(), json!({"@id": "urn:a"})),
            (&checks::POLICY_FORM, "/permission".into(), json!([])),
            (&checks::POLICY_FORM, "/permission".into(), json!("use")),
            (&checks::POLICY_FORM, "/permission/0/target".into(), json!("urn:b")),
            (&checks::POLICY_FORM, "/prohibition/remedy".into(), json!([])),
            (&checks::POLICY_FORM, "/obligation/0/consequence".into(), json!([])),
            (&checks::POLICY_FORM, "/permission/0/action".into(), json!({"rdf:value": "use"})),
            (&checks::POLICY_FORM, format!("{one}/uid"), json!("urn:x")),
            (&checks::POLICY_FORM, format!("{one}/unit"), json!("EUR")),
            (&checks::POLICY_FORM, format!("{one}/or"), json!([])),
            (&checks::POLICY_FORM, format!("{one}/rightOperand"), Value::Null),
            (&checks::POLICY_FORM, "/permission/0/constraint/1/or".into(), json!({})),
            (&checks::POLICY_ACTION, "/permission/0/action".into(), json!("download")),
            (&checks::POLICY_OPERAND, format!("{one}/leftOperand"), json!("weather")),
            (&checks::POLICY_OPERATOR, format!("{one}/operator"), json!("approximately")),
            (&checks::POLICY_VALUE, format!("{one}/rightOperand"), json!("many")),
            (&checks::POLICY_OPERAND, "/obligation/0/constraint".into(), constraint("event")),
            (&checks::POLICY_SIZE, "/permission".into(), Value::Array(vec![json!({"action": "use"}); 65])),
        ];
        for (check, path, value) in cases {
            let refusal = Policy::parse(&with(&path, value.clone())).unwrap_err();
            assert_eq!(refusal.check, check, "{path} = {value}: {refusal}");
        }
        let mut nothing = offer();
        nothing.as_object_mut().unwrap().remove("permission");
        nothing.as_object_mut().unwrap().remove("prohibition");
        assert_eq!(Policy::parse(&nothing).unwrap_err().check, &checks::POLICY_RULES);
    }

    #[test]
    fn nesting_and_number_are_limited() {
        let mut deep = json!({"leftOperand": "count", "operator": "lteq", "rightOperand": 3});
        let many = Value::Array(vec![deep.clone(); 257]);
        assert_eq!(Policy::parse(&with("/permission/0/constraint", many)).unwrap_err().check, &checks::POLICY_SIZE);
        for _ in 0..7 {
            deep = json!({"and": [deep]});
        }
        assert!(Policy::parse(&with("/permission/0/constraint", deep.clone())).is_ok());
        deep = json!({"and": [deep]});
        let refusal = Policy::parse(&with("/permission/0/constraint", deep)).unwrap_err();
        assert_eq!(refusal.check, &checks::POLICY_SIZE);
    }
}
