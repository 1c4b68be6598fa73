use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Fee, FeeSchedule, Money, Parameter};
use crate::check::Refusal;
use crate::encoding::Timestamp;
use crate::identity::Did;

/// The most bytes that a template may have.
pub const MAX_TEMPLATE: usize = 64 * 1024;

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

impl Template {
    /// Reads a template and holds it to everything that can be known before it is filled.
    ///
    /// # Errors
    /// `encoding.*`, `template.*`, `fee.schedule`.
    pub fn parse(_bytes: &[u8]) -> Result<Self, Refusal> {
        todo!()
    }

    /// The terms of an offer: the template's with one value for every declared parameter.
    ///
    /// # Errors
    /// `template.values`, `template.value`, `template.terms`.
    pub fn fill(&self, _blanks: &Blanks<'_>, _values: &BTreeMap<String, Value>) -> Result<Value, Refusal> {
        todo!()
    }

    /// The values that terms were filled with; shows thereby that they are this template's.
    ///
    /// # Errors
    /// `template.match`, `template.value`, `template.value.one`, `template.terms`.
    pub fn read(&self, _blanks: &Blanks<'_>, _terms: &Value) -> Result<BTreeMap<String, Value>, Refusal> {
        todo!()
    }

    /// The fee for a price.
    ///
    /// # Errors
    /// `fee.currency`, `amount.range`.
    pub fn fee(&self, price: &Money) -> Result<Fee, Refusal> {
        self.fee.fee(price)
    }
}
