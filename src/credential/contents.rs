use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::identity::Did;
use crate::policy::{Fee, Money};

/// The names of the nine disclosures, in the order in which files and messages carry them (`protocol.md` 3).
pub const NINE: [&str; 9] =
    ["provider", "consumer", "promisor", "promisee", "asset", "price", "fee", "terms", "consumer_key_statement"];

/// A party as the offer names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Its DID.
    pub did: Did,
    /// `b64u(H(participant credential as sent, its tilde included))`.
    pub participant: String,
}

/// What the contract gives access to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    /// Its IRI.
    pub id: String,
    /// For people.
    pub title: String,
    /// IANA media type.
    pub media_type: String,
    /// SHA-256 of its bytes, 64 lowercase hexadecimal digits.
    pub sha256: String,
    /// Its length in bytes; exactly one of `size` and `version` is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The URL of the data, behind the gate.
    pub endpoint: String,
}

/// What an offer discloses: the nine, one disclosure each.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contents {
    /// Who offers.
    pub provider: Party,
    /// Who is offered to.
    pub consumer: Party,
    /// Who promises.
    pub promisor: Did,
    /// Who is promised.
    pub promisee: Did,
    /// What the contract is about.
    pub asset: Asset,
    /// What the consumer pays the provider.
    pub price: Money,
    /// What the provider pays the operator.
    pub fee: Fee,
    /// The ODRL Offer.
    pub terms: Value,
    /// The consumer's statement that the one-time key is its own.
    pub consumer_key_statement: String,
}

/// Those of the nine that somebody disclosed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Presented {
    /// Who offers.
    pub provider: Option<Party>,
    /// Who is offered to.
    pub consumer: Option<Party>,
    /// Who promises.
    pub promisor: Option<Did>,
    /// Who is promised.
    pub promisee: Option<Did>,
    /// What the contract is about.
    pub asset: Option<Asset>,
    /// What the consumer pays the provider.
    pub price: Option<Money>,
    /// What the provider pays the operator.
    pub fee: Option<Fee>,
    /// The ODRL Offer.
    pub terms: Option<Value>,
    /// The consumer's statement that the one-time key is its own.
    pub consumer_key_statement: Option<String>,
}
