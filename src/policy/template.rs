use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::operand::is_text;
use super::{Fee, FeeSchedule, Money, Parameter, Policy, PolicyKind, checks};
use crate::check::Refusal;
use crate::encoding::{Timestamp, parse_json};
use crate::identity::Did;

/// The most bytes that a template may have.
pub const MAX_TEMPLATE: usize = 64 * 1024;

const MAX_PARAMETERS: usize = 32;
const MAX_NAME: usize = 64;
const PLACE: &str = "param";
const RESERVED: [&str; 4] = ["asset", "provider", "consumer", "contract_id"];

/// Terms with places for values, and the fee that goes with them; an operator approves its bytes (protocol section 1).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// What offers name it by.
    pub id: String,
    /// Which of the texts under that id.
    pub version: String,
    /// For people.
    pub title: String,
    /// Offers are made from it from here on.
    pub nbf: Timestamp,
    /// Offers are made from it before this.
    pub exp: Timestamp,
    /// The places for values, by name.
    pub parameters: BTreeMap<String, Parameter>,
    /// The ODRL Offer with `{"param": name}` where a value goes.
    pub terms: Value,
    /// The fee rule.
    pub fee: FeeSchedule,
}

/// What the offer itself fills into the terms: `asset`, `provider`, `consumer`, `contract_id`.
#[derive(Clone, Copy, Debug)]
pub struct Blanks<'a> {
    /// The asset's id.
    pub asset: &'a str,
    /// Who offers.
    pub provider: &'a Did,
    /// To whom.
    pub consumer: &'a Did,
    /// `urn:uuid:…`.
    pub contract_id: &'a str,
}

impl Blanks<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        match name {
            "asset" => Some(self.asset),
            "provider" => Some(self.provider.as_str()),
            "consumer" => Some(self.consumer.as_str()),
            "contract_id" => Some(self.contract_id),
            _ => None,
        }
    }
}

impl Template {
    /// Reads a template and holds it to everything that can be known before it is filled.
    ///
    /// # Errors
    /// `encoding.*`, `template.*`, `fee.schedule`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let json = parse_json(bytes, MAX_TEMPLATE)?;
        let template: Self =
            serde_json::from_value(json).map_err(|cause| checks::TEMPLATE_FORM.refuse(cause.to_string()))?;
        for (name, text) in [("id", &template.id), ("version", &template.version), ("title", &template.title)] {
            checks::TEMPLATE_FORM.hold(is_text(text), || format!("`{name}` is empty, too long or not readable"))?;
        }
        checks::TEMPLATE_PERIOD
            .hold(template.nbf < template.exp, || format!("from {} to {}", template.nbf, template.exp))?;
        template.declarations()?;
        template.fee.sound()?;
        template.rehearse()?;
        Ok(template)
    }

    /// The terms of an offer: the template's with one value for every declared parameter.
    ///
    /// # Errors
    /// `template.values`, `template.value`, `template.terms`.
    pub fn fill(&self, blanks: &Blanks<'_>, values: &BTreeMap<String, Value>) -> Result<Value, Refusal> {
        let stray = values.keys().find(|name| !self.parameters.contains_key(*name));
        checks::TEMPLATE_VALUES.hold(stray.is_none(), || {
            format!("a value for `{}`, which the template does not declare", stray.map_or("", String::as_str))
        })?;
        for (name, parameter) in &self.parameters {
            let value = values.get(name).ok_or_else(|| {
                let takes: String = parameter.in_words().chars().take(300).collect();
                checks::TEMPLATE_VALUES.refuse(format!("no value for `{name}`: it takes {takes}"))
            })?;
            parameter.hold(name, value)?;
        }
        let terms = filled(&self.terms, &|name| match blanks.value(name) {
            Some(text) => Some(Value::from(text)),
            None => values.get(name).cloned(),
        })?;
        offered(&terms)?;
        Ok(terms)
    }

    /// The values that terms were filled with; shows thereby that they are this template's.
    ///
    /// # Errors
    /// `template.match`, `template.value`, `template.value.one`, `template.terms`.
    pub fn read(&self, blanks: &Blanks<'_>, terms: &Value) -> Result<BTreeMap<String, Value>, Refusal> {
        let mut reading = Reading { template: self, blanks, values: BTreeMap::new() };
        reading.compare(&self.terms, terms, "")?;
        offered(terms)?;
        Ok(reading.values)
    }

    /// The fee for a price.
    ///
    /// # Errors
    /// `fee.currency`, `amount.range`.
    pub fn fee(&self, price: &Money) -> Result<Fee, Refusal> {
        self.fee.fee(price)
    }

    /// Holds a disclosed fee to the template's rule, digit by digit.
    ///
    /// # Errors
    /// `fee.template`, `fee.currency`, `amount.range`.
    pub fn hold_fee(&self, fee: &Fee, price: &Money) -> Result<(), Refusal> {
        self.fee.hold(fee, price)
    }

    fn declarations(&self) -> Result<(), Refusal> {
        checks::TEMPLATE_FORM.hold(self.parameters.len() <= MAX_PARAMETERS, || {
            format!("{} parameters where at most {MAX_PARAMETERS} are allowed", self.parameters.len())
        })?;
        let mut used = BTreeSet::new();
        places(&self.terms, &mut used)?;
        for (name, parameter) in &self.parameters {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
            checks::TEMPLATE_PARAMETER
                .hold(!name.is_empty() && name.len() <= MAX_NAME && name.bytes().all(plain), || {
                    "a parameter's name is not 1 to 64 letters, digits, `_` and `-`".to_owned()
                })?;
            checks::TEMPLATE_RESERVED
                .hold(!RESERVED.contains(&name.as_str()), || format!("`{name}` is filled by the offer"))?;
            parameter.sound(name)?;
            checks::TEMPLATE_UNUSED
                .hold(used.contains(name.as_str()), || format!("`{name}` stands nowhere in the terms"))?;
        }
        let declared = |name: &str| RESERVED.contains(&name) || self.parameters.contains_key(name);
        let stranger = used.into_iter().find(|name| !declared(name));
        checks::TEMPLATE_UNDECLARED.hold(stranger.is_none(), || {
            let name: String = stranger.unwrap_or_default().chars().take(MAX_NAME).collect();
            format!("`{name}` is not declared")
        })
    }

    /// Fills the terms with values at the edges of what is allowed, one parameter varied at a time.
    fn rehearse(&self) -> Result<(), Refusal> {
        let samples: BTreeMap<_, _> =
            self.parameters.iter().map(|(name, parameter)| (name.as_str(), parameter.samples())).collect();
        let usual = |name: &str| samples.get(name).and_then(|values| values.first());
        let terms = |varied: &str, value: Option<&Value>| {
            filled(&self.terms, &|name| match name {
                "contract_id" => Some(Value::from("urn:uuid:00000000-0000-4000-8000-000000000000")),
                reserved if RESERVED.contains(&reserved) => Some(Value::from("did:web:sample.example")),
                name if name == varied => value.cloned(),
                name => usual(name).cloned(),
            })
        };
        offered(&terms("", None)?)?;
        for (name, values) in &samples {
            for value in values.iter().skip(1) {
                offered(&terms(name, Some(value))?)?;
            }
        }
        Ok(())
    }
}

/// The name in a place for a value; none where there is no place.
fn place(value: &Value) -> Result<Option<&str>, Refusal> {
    let Some(name) = value.as_object().and_then(|object| object.get(PLACE)) else { return Ok(None) };
    let alone = value.as_object().is_some_and(|object| object.len() == 1);
    match name.as_str() {
        Some(name) if alone => Ok(Some(name)),
        _ => Err(checks::TEMPLATE_PLACE.refuse("`param` stands beside other members or is not a text")),
    }
}

fn places<'t>(terms: &'t Value, names: &mut BTreeSet<&'t str>) -> Result<(), Refusal> {
    if let Some(name) = place(terms)? {
        names.insert(name);
        return Ok(());
    }
    match terms {
        Value::Array(items) => items.iter().try_for_each(|item| places(item, names)),
        Value::Object(members) => members.values().try_for_each(|member| places(member, names)),
        _ => Ok(()),
    }
}

fn filled(terms: &Value, value: &dyn Fn(&str) -> Option<Value>) -> Result<Value, Refusal> {
    if let Some(name) = place(terms)? {
        return value(name).ok_or_else(|| checks::TEMPLATE_UNDECLARED.refuse(format!("`{name}` is not declared")));
    }
    Ok(match terms {
        Value::Array(items) => Value::Array(items.iter().map(|item| filled(item, value)).collect::<Result<_, _>>()?),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, member)| Ok((name.clone(), filled(member, value)?)))
                .collect::<Result<_, Refusal>>()?,
        ),
        plain => plain.clone(),
    })
}

fn offered(terms: &Value) -> Result<(), Refusal> {
    let policy = Policy::parse(terms).map_err(|refusal| checks::TEMPLATE_TERMS.refuse(refusal.to_string()))?;
    checks::TEMPLATE_TERMS.hold(policy.kind == PolicyKind::Offer, || format!("{:?} instead of Offer", policy.kind))
}

struct Reading<'a> {
    template: &'a Template,
    blanks: &'a Blanks<'a>,
    values: BTreeMap<String, Value>,
}

impl Reading<'_> {
    fn compare(&mut self, template: &Value, terms: &Value, path: &str) -> Result<(), Refusal> {
        let differs = || checks::TEMPLATE_MATCH.refuse(format!("the terms differ from the template at `{path}/`"));
        if let Some(name) = place(template)? {
            return self.take(name, terms, path);
        }
        match (template, terms) {
            (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => wanted
                .iter()
                .zip(found)
                .enumerate()
                .try_for_each(|(at, (wanted, found))| self.compare(wanted, found, &format!("{path}/{at}"))),
            (Value::Object(wanted), Value::Object(found)) if wanted.len() == found.len() => {
                wanted.iter().try_for_each(|(name, wanted)| {
                    let found = found.get(name).ok_or_else(differs)?;
                    self.compare(wanted, found, &format!("{path}/{name}"))
                })
            }
            (wanted, found) if !wanted.is_object() && !wanted.is_array() && wanted == found => Ok(()),
            _ => Err(differs()),
        }
    }

    fn take(&mut self, name: &str, value: &Value, path: &str) -> Result<(), Refusal> {
        if let Some(blank) = self.blanks.value(name) {
            return checks::TEMPLATE_MATCH
                .hold(value.as_str() == Some(blank), || format!("`{path}` is not the offer's {name}, `{blank}`"));
        }
        let parameter = self
            .template
            .parameters
            .get(name)
            .ok_or_else(|| checks::TEMPLATE_UNDECLARED.refuse(format!("`{name}` is not declared")))?;
        parameter.hold(name, value)?;
        match self.values.get(name) {
            Some(before) => checks::TEMPLATE_ONE_VALUE
                .hold(before == value, || format!("`{name}` has two values, again at `{path}`")),
            None => {
                self.values.insert(name.to_owned(), value.clone());
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
