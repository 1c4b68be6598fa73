//! Templates for people: their terms, their fee and what their parameters take, in sentences.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{FeeSchedule, Parameter, ParameterType, Policy, Template};
use crate::identity::Did;

impl Template {
    /// Values that its parameters can have: the first choice, or the least value.
    pub fn example(&self) -> BTreeMap<String, Value> {
        let first = |parameter: &Parameter| parameter.samples().into_iter().next().unwrap_or_default();
        self.parameters.iter().map(|(name, parameter)| (name.clone(), first(parameter))).collect()
    }

    /// The terms of an offer with [`Template::example`], each in a sentence.
    pub fn in_words(&self) -> Vec<String> {
        let Ok(somebody) = "did:web:somebody.example".parse::<Did>() else { return vec![] };
        let blanks = super::Blanks {
            asset: "urn:asset:sample",
            provider: &somebody,
            consumer: &somebody,
            contract_id: "urn:uuid:00000000-0000-4000-8000-000000000000",
        };
        let terms = self.fill(&blanks, &self.example());
        terms.and_then(|terms| Policy::parse(&terms)).map(|policy| policy.in_words()).unwrap_or_default()
    }
}

impl FeeSchedule {
    /// The rule as a sentence.
    pub fn in_words(&self) -> String {
        match self {
            Self::Fixed { amount, currency } => format!("{amount} {currency} for every contract"),
            Self::Percentage { percent, minimum, currency } => {
                format!("{percent} % of the price, at least {minimum} {currency}")
            }
            Self::Tiered { currency, tiers } => {
                let steps: Vec<String> = tiers
                    .iter()
                    .map(|tier| match tier.up_to {
                        Some(limit) => format!("{} {currency} for a price up to {limit} {currency}", tier.amount),
                        None => format!("{} {currency} above", tier.amount),
                    })
                    .collect();
                steps.join(", ")
            }
        }
    }
}

impl Parameter {
    /// What it takes, for example `a whole number from 1 to 100`.
    pub fn in_words(&self) -> String {
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let Some(choices) = &self.one_of {
            return format!("one of {}", choices.iter().map(plain).collect::<Vec<_>>().join(", "));
        }
        let what = match self.kind {
            ParameterType::Integer => "a whole number",
            ParameterType::Decimal => "a number like 25.00",
            ParameterType::DateTime => "a time like 2027-12-31T23:59:59Z",
            ParameterType::Iri => "an IRI",
            ParameterType::String => "a text",
        };
        match (self.min.as_ref().map(plain), self.max.as_ref().map(plain)) {
            (Some(min), Some(max)) => format!("{what} from {min} to {max}"),
            (Some(min), None) => format!("{what}, at least {min}"),
            (None, Some(max)) => format!("{what}, at most {max}"),
            (None, None) => what.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_reads_as_sentences() {
        let template = Template::parse(include_bytes!("../../fixtures/templates/single-purchase.json")).unwrap();
        assert_eq!(template.parameters["uses"].in_words(), "a whole number from 1 to 100");
        assert_eq!(template.fee.in_words(), "25.00 EUR for every contract");
        assert_eq!(template.in_words()[0], "The consumer may use the asset at most once.");
        let tiered = Template::parse(include_bytes!("../../fixtures/templates/tiered.json")).unwrap();
        assert!(tiered.fee.in_words().ends_with(" above"), "{}", tiered.fee.in_words());
        assert!(!tiered.in_words().is_empty());
    }
}
