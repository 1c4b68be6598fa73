use super::*;
use crate::check::Check;
use crate::policy::{Facts, FeeRule};
use proptest::prelude::*;
use serde_json::json;

fn purchase() -> Value {
    json!({
        "id": "urn:uuid:7a1c9b1e-0a53-4b6e-9d6c-2f3a44f1c001", "version": "1", "title": "Purchase and download",
        "nbf": 1_794_000_000, "exp": 1_895_000_000,
        "parameters": {"uses": {"type": "integer", "min": 1, "max": 10}},
        "terms": {
            "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Offer", "@id": {"param": "contract_id"},
            "target": {"param": "asset"}, "assigner": {"param": "provider"}, "assignee": {"param": "consumer"},
            "permission": [{"action": "use", "constraint": [
                {"leftOperand": "count", "operator": "lteq", "rightOperand": {"param": "uses"}}]}],
        },
        "fee": {"kind": "fixed", "amount": "25.00", "currency": "EUR"},
    })
}

fn licence() -> Value {
    let mut template = purchase();
    template["fee"] = json!({"kind": "percentage", "percent": "2.5", "minimum": "5.00", "currency": "EUR"});
    template
}

fn several() -> Value {
    let mut template = purchase();
    template["parameters"] = json!({
        "uses": {"type": "integer", "min": 1},
        "until": {"type": "date-time", "max": "2030-12-31T23:59:59Z"},
        "purpose": {"type": "iri"},
        "place": {"type": "string", "one_of": ["DE", "FR"]},
        "pay": {"type": "decimal", "min": "0.50"},
    });
    template["terms"]["permission"][0]["constraint"] = json!([
        {"leftOperand": "count", "operator": "lteq", "rightOperand": {"param": "uses"}},
        {"leftOperand": "dateTime", "operator": "lteq", "rightOperand": {"param": "until"}},
        {"leftOperand": "purpose", "operator": "isAnyOf", "rightOperand": [{"param": "purpose"}, "urn:p:test"]},
        {"leftOperand": "spatial", "operator": "isPartOf", "rightOperand": {"param": "place"}},
    ]);
    template["terms"]["obligation"] = json!([{"action": "compensate", "constraint": [
        {"leftOperand": "payAmount", "operator": "eq", "rightOperand": {"param": "pay"}, "unit": "EUR"},
        {"leftOperand": "spatial", "operator": "eq", "rightOperand": {"param": "place"}}]}]);
    template
}

fn parse(template: &Value) -> Result<Template, Refusal> {
    Template::parse(template.to_string().as_bytes())
}

fn with(mut template: Value, path: &str, value: Value) -> Value {
    let (holder, name) = path.rsplit_once('/').unwrap();
    let holder = if holder.is_empty() { &mut template } else { template.pointer_mut(holder).unwrap() };
    match (holder.as_array_mut(), value.is_null()) {
        (Some(items), _) => items[name.parse::<usize>().unwrap()] = value,
        (None, true) => drop(holder.as_object_mut().unwrap().remove(name)),
        (None, false) => holder[name] = value,
    }
    template
}

const ASSET: &str = "urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0001";
const ID: &str = "urn:uuid:8296f5ea-baeb-41a5-a65a-814940e2a20a";
const PROVIDER: &str = "did:web:provider.example";
const CONSUMER: &str = "did:web:consumer.example";

fn among<T>(act: impl FnOnce(&Blanks<'_>) -> T) -> T {
    let (provider, consumer) = (PROVIDER.parse().unwrap(), CONSUMER.parse().unwrap());
    act(&Blanks { asset: ASSET, provider: &provider, consumer: &consumer, contract_id: ID })
}

fn uses(count: impl Into<Value>) -> BTreeMap<String, Value> {
    BTreeMap::from([("uses".to_owned(), count.into())])
}

fn terms() -> Value {
    json!({
        "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Offer", "@id": ID,
        "target": ASSET, "assigner": PROVIDER, "assignee": CONSUMER,
        "permission": [{"action": "use", "constraint": [
            {"leftOperand": "count", "operator": "lteq", "rightOperand": 3}]}],
    })
}

fn euros(text: &str) -> Money {
    Money { amount: text.parse().unwrap(), currency: "EUR".parse().unwrap() }
}

#[test]
fn contracts_of_another_hand_are_read() {
    for (template, price, fee) in [
        (purchase(), "1000.00", json!({"amount": "25.00", "currency": "EUR", "rule": "fixed"})),
        (licence(), "1000.00", json!({"amount": "25.00", "currency": "EUR", "rule": "percentage", "base": "1000.00"})),
        (licence(), "999.80", json!({"amount": "25.00", "currency": "EUR", "rule": "percentage", "base": "999.80"})),
        (licence(), "10.00", json!({"amount": "5.00", "currency": "EUR", "rule": "percentage", "base": "10.00"})),
    ] {
        let template = parse(&template).unwrap();
        among(|blanks| {
            assert_eq!(template.read(blanks, &terms()).unwrap(), uses(3));
            assert_eq!(template.fill(blanks, &uses(3)).unwrap(), terms());
        });
        assert_eq!(serde_json::to_value(template.fee(&euros(price)).unwrap()).unwrap(), fee);
        template.hold_fee(&serde_json::from_value(fee).unwrap(), &euros(price)).unwrap();
    }
}

#[test]
fn unsound_templates_are_refused() {
    let declared = |kind: Value| json!({"uses": kind});
    let right = "/terms/permission/0/constraint/0/rightOperand";
    let cases: Vec<(&Check, &str, Value)> = vec![
        (&checks::TEMPLATE_FORM, "/note", json!("more")),
        (&checks::TEMPLATE_FORM, "/title", Value::Null),
        (&checks::TEMPLATE_FORM, "/title", json!("")),
        (&checks::TEMPLATE_FORM, "/nbf", json!("2026-01-01T00:00:00Z")),
        (&checks::TEMPLATE_FORM, "/fee/kind", json!("auction")),
        (&checks::TEMPLATE_FORM, "/fee/tiers", json!([])),
        (&checks::TEMPLATE_FORM, "/fee/amount", json!(25)),
        (&checks::TEMPLATE_FORM, "/parameters", declared(json!({"type": "float"}))),
        (&checks::TEMPLATE_FORM, "/parameters", declared(json!({"type": "integer", "step": 2}))),
        (&checks::TEMPLATE_PERIOD, "/exp", json!(1_794_000_000)),
        (&checks::TEMPLATE_PARAMETER, "/parameters", declared(json!({"type": "integer", "min": 5, "max": 4}))),
        (&checks::TEMPLATE_PARAMETER, "/parameters", declared(json!({"type": "integer", "min": "1"}))),
        (&checks::TEMPLATE_PARAMETER, "/parameters", declared(json!({"type": "integer", "one_of": []}))),
        (&checks::TEMPLATE_PARAMETER, "/parameters", declared(json!({"type": "integer", "one_of": [1, 1]}))),
        (&checks::TEMPLATE_PARAMETER, "/parameters", declared(json!({"type": "integer", "max": 1, "one_of": [2]}))),
        (&checks::TEMPLATE_PARAMETER, "/parameters", declared(json!({"type": "string", "min": "a"}))),
        (&checks::TEMPLATE_PARAMETER, "/parameters/a b", json!({"type": "integer"})),
        (&checks::TEMPLATE_RESERVED, "/parameters/asset", json!({"type": "iri"})),
        (&checks::TEMPLATE_UNDECLARED, "/terms/profile", json!({"param": "profile"})),
        (&checks::TEMPLATE_UNUSED, "/parameters/days", json!({"type": "integer"})),
        (&checks::TEMPLATE_PLACE, right, json!({"param": "uses", "default": 1})),
        (&checks::TEMPLATE_PLACE, right, json!({"param": 1})),
        (&checks::TEMPLATE_TERMS, "/terms/@type", json!("Set")),
        (&checks::TEMPLATE_TERMS, "/terms/permission/0/action", json!("steal")),
        (&checks::TEMPLATE_TERMS, "/parameters", declared(json!({"type": "decimal"}))),
        (&checks::TEMPLATE_TERMS, "/parameters", declared(json!({"type": "integer", "min": -1, "max": 3}))),
        (&checks::TEMPLATE_TERMS, "/parameters", declared(json!({"type": "integer", "one_of": [3, -3]}))),
        (&checks::FEE_SCHEDULE, "/fee/amount", json!("25.001")),
    ];
    for (check, path, value) in cases {
        let refusal = parse(&with(purchase(), path, value.clone())).expect_err(path);
        assert_eq!(refusal.check, check, "{path} = {value}: {refusal}");
    }
    let doubled = purchase().to_string().replacen('{', r#"{"version":"2","#, 1);
    assert_eq!(Template::parse(doubled.as_bytes()).unwrap_err().check.id(), "encoding.json.duplicate");
    assert!(parse(&several()).is_ok());
}

#[test]
fn values_that_do_not_fit_are_not_filled_in() {
    let template = parse(&purchase()).unwrap();
    let check = |values| among(|blanks| template.fill(blanks, &values).unwrap_err().check);
    assert_eq!(check(BTreeMap::new()), &checks::TEMPLATE_VALUES);
    let mut more = uses(3);
    more.insert("days".to_owned(), json!(1));
    assert_eq!(check(more), &checks::TEMPLATE_VALUES);
    for bad in [json!(0), json!(11), json!("3"), json!(3.0), json!(null), json!({"param": "uses"})] {
        assert_eq!(check(uses(bad.clone())), &checks::TEMPLATE_VALUE, "{bad}");
    }
    let template = parse(&several()).unwrap();
    let good: BTreeMap<String, Value> = serde_json::from_value(json!({
        "uses": 2, "until": "2028-01-01T00:00:00Z", "purpose": "urn:p:research", "place": "DE", "pay": "1.50",
    }))
    .unwrap();
    among(|blanks| template.fill(blanks, &good).unwrap());
    for (name, bad) in [
        ("until", "2031-01-01T00:00:00Z"),
        ("until", "2028-01-01T01:00:00+01:00"),
        ("until", "2028-01-01T00:00:00.0Z"),
        ("until", "2028-01-01"),
        ("purpose", "research"),
        ("purpose", "urn:p:<x>"),
        ("place", "DE-BY"),
        ("pay", "0.49"),
        ("pay", "-1"),
    ] {
        let mut values = good.clone();
        values.insert(name.to_owned(), json!(bad));
        let refusal = among(|blanks| template.fill(blanks, &values).unwrap_err());
        assert_eq!(refusal.check, &checks::TEMPLATE_VALUE, "{name} = {bad}");
    }
}

#[test]
fn terms_that_the_template_does_not_yield_are_refused() {
    let template = parse(&purchase()).unwrap();
    let one = "/permission/0/constraint/0";
    let free = json!([{"action": "use", "constraint": []}, {"action": "use"}]);
    let cases: Vec<(&Check, String, Value)> = vec![
        (&checks::TEMPLATE_MATCH, "/target".into(), json!("urn:other")),
        (&checks::TEMPLATE_MATCH, "/assigner".into(), json!(CONSUMER)),
        (&checks::TEMPLATE_MATCH, "/assignee".into(), json!(PROVIDER)),
        (&checks::TEMPLATE_MATCH, "/@id".into(), json!("urn:uuid:1")),
        (&checks::TEMPLATE_MATCH, "/@context".into(), json!(["http://www.w3.org/ns/odrl.jsonld"])),
        (&checks::TEMPLATE_MATCH, "/permission".into(), free),
        (&checks::TEMPLATE_MATCH, "/permission".into(), Value::Null),
        (&checks::TEMPLATE_MATCH, "/prohibition".into(), json!([{"action": "read"}])),
        (&checks::TEMPLATE_MATCH, format!("{one}/operator"), json!("gteq")),
        (&checks::TEMPLATE_MATCH, format!("{one}/unit"), json!("EUR")),
        (&checks::TEMPLATE_VALUE, format!("{one}/rightOperand"), json!(11)),
        (&checks::TEMPLATE_VALUE, format!("{one}/rightOperand"), json!(3.0)),
        (&checks::TEMPLATE_VALUE, format!("{one}/rightOperand"), json!("3")),
        (&checks::TEMPLATE_VALUE, format!("{one}/rightOperand"), json!([3])),
    ];
    for (check, path, value) in cases {
        let refusal = among(|blanks| template.read(blanks, &with(terms(), &path, value.clone())).unwrap_err());
        assert_eq!(refusal.check, check, "{path} = {value}: {refusal}");
    }
    let template = parse(&several()).unwrap();
    let values = serde_json::from_value(json!({
        "uses": 2, "until": "2028-01-01T00:00:00Z", "purpose": "urn:p:research", "place": "DE", "pay": "1.50",
    }))
    .unwrap();
    among(|blanks| {
        let terms = template.fill(blanks, &values).unwrap();
        let torn = with(terms, "/obligation/0/constraint/1/rightOperand", json!("FR"));
        assert_eq!(template.read(blanks, &torn).unwrap_err().check, &checks::TEMPLATE_ONE_VALUE);
    });
}

#[test]
fn approved_examples_are_sound() {
    let single = include_bytes!("../../../fixtures/templates/single-purchase.json");
    let licence = include_bytes!("../../../fixtures/templates/licence.json");
    let tiered = include_bytes!("../../../fixtures/templates/tiered.json");
    for (bytes, rule) in
        [(&single[..], FeeRule::Fixed), (&licence[..], FeeRule::Percentage), (&tiered[..], FeeRule::Tiered)]
    {
        let template = Template::parse(bytes).unwrap();
        assert_eq!(template.fee(&euros("1000.00")).unwrap().rule, rule, "{}", template.title);
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "@context",
        "@type",
        "@id",
        "Offer",
        "Set",
        "param",
        "uses",
        "permission",
        "prohibition",
        "obligation",
        "action",
        "use",
        "constraint",
        "duty",
        "leftOperand",
        "operator",
        "rightOperand",
        "count",
        "lteq",
        "or",
        "xone",
        "@list",
        "@value",
        "unit",
        "http://www.w3.org/ns/odrl.jsonld",
        "purpose",
        "isAnyOf",
        "P30D",
        "elapsedTime",
        "cx:a",
    ]);
    let leaf = prop_oneof![
        words.clone().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((words.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().map(|(n, v)| (n.to_owned(), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn hostile_terms_are_refused_without_panic(mut junk in any_json(), place in 0_usize..4) {
        let template = parse(&purchase()).unwrap();
        if let Value::Object(members) = &mut junk && place == 0 {
            members.insert("@context".to_owned(), json!("http://www.w3.org/ns/odrl.jsonld"));
            members.insert("@type".to_owned(), json!("Set"));
        }
        if let Ok(policy) = Policy::parse(&junk) {
            let _ = (policy.in_words(), policy.permits("use", &Facts::at(template.nbf)).is_ok());
        }
        let path = ["/permission", "/permission/0/constraint", "/permission/0/constraint/0/rightOperand", "/terms"][place];
        let _ = Policy::parse(&with(terms(), path, junk.clone()));
        let _ = parse(&with(purchase(), if place == 3 { "/terms" } else { "/terms/permission" }, junk.clone()));
        prop_assert!(among(|blanks| template.read(blanks, &junk)).is_err());
    }

    #[test]
    fn what_is_filled_in_is_read_again(count in 1_i64..1_000_000, day in 0_i64..1400, purpose in "[a-z]{1,9}:[a-zA-Z0-9/]{1,20}",
        place in prop::sample::select(vec!["DE", "FR"]), cents in 50_u64..1_000_000)
    {
        let template = parse(&several()).unwrap();
        let until = Timestamp::from_seconds(1_795_000_000 + day * 86_399).unwrap().rfc3339();
        let values: BTreeMap<String, Value> = serde_json::from_value(json!({
            "uses": count, "until": until, "purpose": purpose, "place": place,
            "pay": format!("{}.{:02}", cents / 100, cents % 100),
        })).unwrap();
        among(|blanks| {
            let terms = template.fill(blanks, &values).unwrap();
            assert_eq!(template.read(blanks, &terms).unwrap(), values);
        });
    }
}
