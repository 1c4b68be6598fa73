use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{CONTEXT, checks, filters_nothing};
use crate::check::{Check, Refusal};
use crate::negotiation::plain::{ParticipantId, same_terms};

/// A dataset as a catalog shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Its id: the target of every offer for it.
    pub id: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What it is offered on.
    pub offers: Vec<OfferTerms>,
    /// How it can be had; by the formats of the Dataspace Protocol's transfer process.
    #[serde(default)]
    pub distributions: Vec<Distribution>,
    /// What else the dataset's own entry says, by member.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// An offer as a catalog shows it: without a target, because the dataset is its target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferTerms {
    /// Its id, which stays.
    pub id: String,
    /// Permissions, prohibitions, obligations, profile: the members of an ODRL policy.
    pub terms: Map<String, Value>,
    /// Who promises; the provider where nobody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promisor: Option<ParticipantId>,
}

/// A way to have a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// For example `HttpData-PULL`, or a media type.
    pub format: String,
}

impl OfferTerms {
    /// The ODRL Offer, without a target.
    pub fn cataloged(&self) -> Value {
        let mut offer = json!({ "@id": self.id, "@type": "Offer" });
        for (name, value) in &self.terms {
            offer[name] = value.clone();
        }
        if let Some(promisor) = &self.promisor {
            offer["countersign"] = json!({ "promisor": promisor });
        }
        offer
    }

    /// The ODRL Offer as it is negotiated about a dataset.
    pub fn about(&self, dataset: &str) -> Value {
        let mut offer = json!({ "@id": self.id, "@type": "Offer", "target": dataset });
        for (name, value) in &self.terms {
            offer[name] = value.clone();
        }
        offer
    }
}

impl Dataset {
    /// The cataloged offer that `offer` is: the same terms, under the same id where it names a cataloged one.
    pub fn offer_of(&self, offer: &Value) -> Option<&OfferTerms> {
        self.offers.iter().find(|known| same_terms(&known.about(&self.id), offer))
    }

    /// The dataset as a catalog lists it. `base` is where this node takes the protocol's messages.
    pub fn shown(&self, base: &str) -> Value {
        let service = json!({ "@id": base, "@type": "DataService", "endpointURL": base });
        let distributions: Vec<Value> = self
            .distributions
            .iter()
            .map(|way| json!({ "@type": "Distribution", "format": way.format, "accessService": service }))
            .collect();
        let mut shown = json!({
            "@id": self.id,
            "@type": "Dataset",
            "hasPolicy": self.offers.iter().map(OfferTerms::cataloged).collect::<Vec<_>>(),
            "distribution": distributions,
        });
        if !self.title.is_empty() {
            // `dct` is a prefix of the protocol's context; JSON-LD readers drop `title`, which other readers look for.
            shown["title"] = json!(self.title);
            shown["dct:title"] = json!(self.title);
        }
        for (name, value) in &self.extra {
            shown[name] = value.clone();
        }
        shown
    }
}

/// A catalog of datasets that are shown already.
pub fn catalog(id: &str, participant: &ParticipantId, base: &str, datasets: Vec<Value>) -> Value {
    let mut catalog = json!({
        "@context": [CONTEXT],
        "@id": id,
        "@type": "Catalog",
        "participantId": participant,
        "service": [{ "@id": base, "@type": "DataService", "endpointURL": base }],
    });
    // An empty list is no list by the schema.
    if !datasets.is_empty() {
        catalog["dataset"] = Value::Array(datasets);
    }
    catalog
}

/// The ids that a catalog request filters by; every dataset where it filters by nothing.
///
/// The specification leaves filters to implementations: here a list of dataset ids, or of objects that name one.
///
/// # Errors
/// `dsp.filter` for a filter of another form.
pub fn read_filter(request: &Value) -> Result<Option<Vec<String>>, Refusal> {
    let items = request.get("filter").and_then(Value::as_array).into_iter().flatten();
    let items: Vec<&Value> = items.filter(|item| !filters_nothing(item)).collect();
    if items.is_empty() {
        return Ok(None);
    }
    let ids: Option<Vec<String>> = items
        .iter()
        .map(|item| match item {
            Value::String(id) => Some(id.clone()),
            Value::Object(members) if members.len() == 1 => members.get("@id")?.as_str().map(str::to_owned),
            _ => None,
        })
        .collect();
    ids.map(Some).ok_or_else(|| checks::FILTER.refuse("a filter is a list of dataset ids, or of {\"@id\": …}"))
}

/// The answer to a catalog request that was not taken.
pub fn catalog_error(check: Option<&Check>, reason: &str) -> Value {
    let mut error = json!({ "@context": [CONTEXT], "@type": "CatalogError", "reason": [reason] });
    if let Some(check) = check {
        error["code"] = json!(check.id());
    }
    error
}
