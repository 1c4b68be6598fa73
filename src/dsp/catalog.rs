use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{CONTEXT, checks, filters_nothing};
use crate::check::{Check, Refusal};
use crate::negotiation::plain::{Opening, ParticipantId, Parties, same_terms};

/// Members of a cataloged offer that are none of its terms: what names it, and whom it is between.
const NOT_TERMS: [&str; 7] = ["@context", "@id", "@type", "target", "assigner", "assignee", "countersign"];
/// The longest entry of another connector's catalog that is read, in offers.
const MOST_OFFERS: usize = 1000;

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

/// What an offer on its way is of a catalog.
#[derive(Clone, Debug, PartialEq)]
pub struct Meant<'d> {
    /// The cataloged offer.
    pub offer: &'d OfferTerms,
    /// Who promises by it, between the two that negotiate.
    pub parties: Parties,
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

    /// Who promises by it, between the two that negotiate; `None` where its promisor is neither.
    pub fn parties(&self, opening: &Opening) -> Option<Parties> {
        let usual = opening.parties();
        match &self.promisor {
            Some(promisor) if *promisor == usual.consumer => {
                Some(Parties { promisor: usual.promisee, promisee: usual.promisor, ..usual })
            }
            Some(promisor) if *promisor != usual.provider => None,
            _ => Some(usual),
        }
    }

    /// An offer as another connector's catalog shows it; `None` for what is none.
    fn read(shown: &Value) -> Option<Self> {
        let members = shown.as_object()?;
        let promisor = match shown.pointer("/countersign/promisor") {
            Some(named) => Some(named.as_str()?.parse().ok()?),
            None => None,
        };
        // As in messages, some write lists without items.
        let says = |value: &Value| value.as_array().is_none_or(|items| !items.is_empty());
        let terms = members.iter().filter(|(name, value)| !NOT_TERMS.contains(&name.as_str()) && says(value));
        let terms = terms.map(|(name, value)| (name.clone(), value.clone())).collect();
        Some(Self { id: members.get("@id")?.as_str()?.to_owned(), terms, promisor })
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
    /// The cataloged offer that `offer` is, between the two of a negotiation: of those with its terms, and with the roles that
    /// come with it where `said` says some, the one that it names, or else one with the usual roles, or else the first.
    pub fn meant(&self, offer: &Value, said: Option<&Parties>, opening: &Opening) -> Option<Meant<'_>> {
        let (named, usual) = (offer.get("@id").and_then(Value::as_str), opening.parties());
        let same = self.offers.iter().filter(|known| same_terms(&known.about(&self.id), offer));
        let fit = same.filter_map(|known| {
            let parties = known.parties(opening)?;
            said.is_none_or(|said| *said == parties).then_some(Meant { offer: known, parties })
        });
        fit.min_by_key(|meant| (named != Some(&meant.offer.id), meant.parties != usual))
    }

    /// The cataloged offer to begin from: of those that can be made between the two of a negotiation the one of an id, or
    /// without one the first with the roles that are `wanted`, or else the first.
    pub fn offered(&self, id: Option<&str>, wanted: &Parties, opening: &Opening) -> Option<Meant<'_>> {
        let known = self.offers.iter().filter(|known| id.is_none_or(|id| known.id == id));
        let fit = known.filter_map(|known| Some(Meant { offer: known, parties: known.parties(opening)? }));
        fit.min_by_key(|meant| meant.parties != *wanted)
    }

    /// The dataset of an id as another connector's catalog shows it; `None` for another one, and for what is none.
    pub fn read(shown: &Value, id: &str) -> Option<Self> {
        let policies = match shown.get("hasPolicy")? {
            Value::Array(policies) => &policies[..],
            one => std::slice::from_ref(one),
        };
        (shown.get("@id")?.as_str()? == id && policies.len() <= MOST_OFFERS).then(|| Self {
            id: id.to_owned(),
            title: String::new(),
            offers: policies.iter().filter_map(OfferTerms::read).collect(),
            distributions: vec![],
            extra: Map::new(),
        })
    }

    /// Holds what is to be listed: it reads as a dataset, and each of its offers says one thing under one id.
    ///
    /// # Errors
    /// `dsp.message`.
    pub fn hold(&self, base: &str) -> Result<(), Refusal> {
        super::hold("Dataset", &self.shown(base))?;
        for (place, offer) in self.offers.iter().enumerate() {
            let (id, before) = (&offer.id, &self.offers[..place]);
            let alone = before.iter().all(|other| other.id != *id);
            checks::MESSAGE.hold(alone, || format!("two offers have the id {id}: which one is asked for?"))?;
            let reserved = offer.terms.keys().find(|name| NOT_TERMS.contains(&name.as_str()));
            checks::MESSAGE.hold(reserved.is_none(), || {
                format!("the terms of {id} say `{}`, which is no term", reserved.map_or("", String::as_str))
            })?;
        }
        Ok(())
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

/// The code by which a catalog says that it does not have a dataset, to who proved who asks.
pub const UNLISTED: &str = "dsp.unlisted";

/// The answer to a catalog request that was not taken.
pub fn catalog_error(check: Option<&Check>, reason: &str) -> Value {
    let mut error = json!({ "@context": [CONTEXT], "@type": "CatalogError", "reason": [reason] });
    if let Some(check) = check {
        error["code"] = json!(check.id());
    }
    error
}
