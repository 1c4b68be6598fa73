use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::claims::is_random;
use super::exact::exact;
use super::sd_jwt::Disclosure;
use super::{OpenClaims, checks};
use crate::check::{Refusal, Trail};
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

impl Contents {
    /// The nine values in the order of [`NINE`].
    pub(super) fn values(&self) -> [Value; 9] {
        [
            json!(self.provider),
            json!(self.consumer),
            json!(self.promisor),
            json!(self.promisee),
            json!(self.asset),
            json!(self.price),
            json!(self.fee),
            self.terms.clone(),
            json!(self.consumer_key_statement),
        ]
    }

    /// Holds contents to the rules among themselves; `iss` is the offer's.
    ///
    /// # Errors
    /// `offer.parties`, `offer.asset`.
    pub(super) fn sound(&self, iss: &Did, trail: &mut Trail) -> Result<(), Refusal> {
        let (provider, consumer) = (&self.provider.did, &self.consumer.did);
        let roles = [(&self.promisor, &self.promisee), (&self.promisee, &self.promisor)];
        let held = provider == iss && provider != consumer && roles.contains(&(provider, consumer));
        trail.hold(&checks::OFFER_PARTIES, held, || {
            format!(
                "iss {iss}, provider {provider}, consumer {consumer}, promisor {}, promisee {}",
                self.promisor, self.promisee
            )
        })?;
        self.asset.sound(trail)
    }
}

impl Asset {
    /// Holds an asset to what an offer of it is held to.
    ///
    /// # Errors
    /// `offer.asset`.
    pub fn sound(&self, trail: &mut Trail) -> Result<(), Refusal> {
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        let hashed = self.sha256.len() == 64 && self.sha256.bytes().all(hex);
        let named = !self.id.is_empty() && self.size.is_some() != self.version.is_some();
        trail.hold(&checks::OFFER_ASSET, hashed && named && self.origin().is_some(), || {
            format!("asset `{}`: sha256 `{}`, endpoint `{}`", self.id, self.sha256, self.endpoint)
        })
    }

    /// The origin of the endpoint, as a gate's challenge names it in `aud`; `None` where it is not http or https.
    pub fn origin(&self) -> Option<String> {
        let url = url::Url::parse(&self.endpoint).ok()?;
        matches!(url.scheme(), "http" | "https").then(|| url.origin().ascii_serialization())
    }
}

impl Presented {
    /// Reads disclosures of an offer: flat, each explained by one of its digests, each of another of the nine.
    ///
    /// # Errors
    /// `sdjwt.*`, `offer.disclosures`, `offer.salt`, `offer.nested`, `offer.value`.
    pub(super) fn read(disclosures: Vec<Disclosure>, claims: &OpenClaims, trail: &mut Trail) -> Result<Self, Refusal> {
        let mut presented = Self::default();
        let mut salts: Vec<String> = Vec::with_capacity(disclosures.len());
        let mut names: Vec<String> = Vec::with_capacity(disclosures.len());
        for disclosure in disclosures {
            let Disclosure { salt, name, value, digest } = disclosure;
            checks::SD_UNEXPLAINED
                .hold(claims.digests.contains(&digest), || format!("no digest names the disclosure of {name:?}"))?;
            let name = name.ok_or_else(|| checks::SD_DISCLOSURE.refuse("a disclosure without a name under _sd"))?;
            checks::OFFER_DISCLOSURES.hold(NINE.contains(&name.as_str()), || {
                format!("a disclosure named `{name}`, which is none of the nine")
            })?;
            checks::OFFER_DISCLOSURES.hold(!names.contains(&name), || format!("`{name}` is disclosed twice"))?;
            checks::OFFER_SALT.hold(is_random(&salt) && !salts.contains(&salt), || {
                format!("the salt of `{name}` is too short or used before")
            })?;
            checks::OFFER_NESTED.hold(!holds_digests(&value), || format!("`{name}` holds _sd or ..."))?;
            presented.put(&name, value)?;
            names.push(name);
            salts.push(salt);
        }
        for check in [&checks::SD_UNEXPLAINED, &checks::OFFER_SALT, &checks::OFFER_NESTED, &checks::OFFER_VALUE] {
            trail.held(check);
        }
        Ok(presented)
    }

    fn put(&mut self, name: &str, value: Value) -> Result<(), Refusal> {
        match name {
            "provider" => self.provider = Some(typed(name, value)?),
            "consumer" => self.consumer = Some(typed(name, value)?),
            "promisor" => self.promisor = Some(typed(name, value)?),
            "promisee" => self.promisee = Some(typed(name, value)?),
            "asset" => self.asset = Some(typed(name, value)?),
            "price" => self.price = Some(typed(name, value)?),
            "fee" => self.fee = Some(typed(name, value)?),
            "consumer_key_statement" => self.consumer_key_statement = Some(typed(name, value)?),
            _ => {
                checks::OFFER_VALUE.hold(value.is_object(), || "`terms` is not a JSON object".into())?;
                self.terms = Some(value);
            }
        }
        Ok(())
    }

    /// All nine.
    ///
    /// # Errors
    /// `offer.disclosures` when one is not there.
    pub(super) fn complete(self, trail: &mut Trail) -> Result<Contents, Refusal> {
        let missing = |name: &str| checks::OFFER_DISCLOSURES.refuse(format!("`{name}` is not disclosed"));
        let contents = Contents {
            provider: self.provider.ok_or_else(|| missing("provider"))?,
            consumer: self.consumer.ok_or_else(|| missing("consumer"))?,
            promisor: self.promisor.ok_or_else(|| missing("promisor"))?,
            promisee: self.promisee.ok_or_else(|| missing("promisee"))?,
            asset: self.asset.ok_or_else(|| missing("asset"))?,
            price: self.price.ok_or_else(|| missing("price"))?,
            fee: self.fee.ok_or_else(|| missing("fee"))?,
            terms: self.terms.ok_or_else(|| missing("terms"))?,
            consumer_key_statement: self.consumer_key_statement.ok_or_else(|| missing("consumer_key_statement"))?,
        };
        trail.held(&checks::OFFER_DISCLOSURES);
        Ok(contents)
    }
}

fn typed<T: DeserializeOwned>(name: &str, value: Value) -> Result<T, Refusal> {
    exact(&checks::OFFER_VALUE, value)
        .map_err(|refusal| checks::OFFER_VALUE.refuse(format!("`{name}`: {}", refusal.detail)))
}

fn holds_digests(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, value)| name == "_sd" || name == "..." || holds_digests(value))
        }
        Value::Array(list) => list.iter().any(holds_digests),
        _ => false,
    }
}
