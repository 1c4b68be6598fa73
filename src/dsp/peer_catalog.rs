//! The catalogs of others, read as far as they read.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::policy::terms_in_words;

/// The longest id or title of another's catalog that is kept.
const LONGEST: usize = 2048;
/// How many offers and formats of one dataset are read.
const MOST: usize = 100;

/// A dataset in another connector's catalog, as far as it could be read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeerDataset {
    /// Its id: what a negotiation is about.
    pub id: String,
    /// What it is called, where it says so.
    pub title: Option<String>,
    /// What it is offered on.
    pub offers: Vec<PeerOffer>,
    /// How it can be had.
    pub formats: Vec<String>,
}

/// An offer in another connector's catalog.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeerOffer {
    /// Its id.
    pub id: String,
    /// Who promises, where the catalog says so; the provider otherwise.
    pub promisor: Option<String>,
    /// The terms, each as a sentence; what has no sentence as JSON.
    pub in_words: Vec<String>,
    /// The terms as they stand there.
    pub terms: Map<String, Value>,
}

/// What a page of another connector's catalog says: its participant, its datasets, and how many entries were none.
///
/// Connectors spell catalogs differently, so that this takes what it needs and is held to no schema: nothing is decided
/// by it, and what is negotiated later is held to the protocol's own.
pub fn read_catalog(page: &Value) -> Option<(Option<String>, Vec<PeerDataset>, usize)> {
    let catalog = page.as_object()?;
    let participant = ["participantId", "dspace:participantId", "https://w3id.org/dspace/2025/1/participantId"]
        .iter()
        .find_map(|name| text(catalog.get(*name)));
    let entries = one_or_more(first(catalog, &["dataset", "dcat:dataset"]));
    let datasets: Vec<PeerDataset> = entries.iter().filter_map(dataset).collect();
    let unread = entries.len() - datasets.len();
    Some((participant, datasets, unread))
}

fn dataset(entry: &Value) -> Option<PeerDataset> {
    let members = entry.as_object()?;
    let offers = one_or_more(first(members, &["hasPolicy", "odrl:hasPolicy"])).iter().take(MOST).filter_map(offer);
    let ways = one_or_more(first(members, &["distribution", "dcat:distribution"])).iter().take(MOST);
    let formats = ways.filter_map(|way| text(first(way.as_object()?, &["format", "dct:format", "dcterms:format"])));
    let mut formats: Vec<String> = formats.collect();
    formats.sort();
    formats.dedup();
    Some(PeerDataset {
        id: text(members.get("@id"))?,
        title: text(first(members, &["title", "dct:title", "dcterms:title", "name"])),
        offers: offers.collect(),
        formats,
    })
}

fn offer(policy: &Value) -> Option<PeerOffer> {
    let mut terms = policy.as_object()?.clone();
    let promisor = terms.get("countersign").and_then(|own| text(own.get("promisor")));
    if promisor.is_some() {
        terms.shift_remove("countersign");
    }
    let id = text(terms.shift_remove("@id").as_ref())?;
    terms.shift_remove("@type");
    Some(PeerOffer { id, promisor, in_words: terms_in_words(&Value::Object(terms.clone())), terms })
}

/// The member that is there first, of several spellings.
fn first<'v>(members: &'v Map<String, Value>, names: &[&str]) -> Option<&'v Value> {
    names.iter().find_map(|name| members.get(*name))
}

/// One or several; JSON-LD writes a single one also without the list.
fn one_or_more(value: Option<&Value>) -> &[Value] {
    match value {
        None | Some(Value::Null) => &[],
        Some(Value::Array(items)) => items,
        Some(single) => std::slice::from_ref(single),
    }
}

/// A text, an `@id`, an `@value`, or the first of several; none that is empty or too long to be one.
fn text(value: Option<&Value>) -> Option<String> {
    let value = match value? {
        Value::Array(items) => items.first()?,
        single => single,
    };
    let text = match value {
        Value::Object(members) => first(members, &["@id", "@value"])?.as_str()?,
        other => other.as_str()?,
    };
    (!text.is_empty() && text.len() <= LONGEST).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn catalogs_read_as_connectors_spell_them() {
        let ours = json!({
            "participantId": "did:key:z", "dataset": [{
                "@id": "urn:d", "@type": "Dataset", "title": "Junction",
                "hasPolicy": [{ "@id": "urn:o", "@type": "Offer", "permission": [{ "action": "use" }],
                    "countersign": { "promisor": "did:key:p" } }],
                "distribution": [{ "@type": "Distribution", "format": "HttpData-PULL" }],
            }],
        });
        let (participant, sets, unread) = read_catalog(&ours).unwrap();
        assert_eq!((participant.as_deref(), unread), (Some("did:key:z"), 0));
        assert_eq!((sets[0].id.as_str(), sets[0].title.as_deref()), ("urn:d", Some("Junction")));
        assert_eq!(sets[0].formats, ["HttpData-PULL"]);
        let offer = &sets[0].offers[0];
        assert_eq!((offer.id.as_str(), offer.promisor.as_deref()), ("urn:o", Some("did:key:p")));
        assert_eq!(offer.in_words, ["The consumer may use the asset."]);
        assert_eq!(json!(offer.terms), json!({ "permission": [{ "action": "use" }] }));

        let theirs = json!({
            "dspace:participantId": "provider", "dcat:dataset": {
                "@id": "asset-1", "odrl:hasPolicy": { "@id": "a:b:c", "odrl:permission": { "odrl:action": { "@id": "use" } } },
                "dcat:distribution": [{ "dct:format": { "@id": "HttpData-PULL" } }, { "dct:format": { "@id": "HttpData-PULL" } }],
            },
        });
        let (participant, sets, _) = read_catalog(&theirs).unwrap();
        assert_eq!((participant.as_deref(), sets[0].formats.len()), (Some("provider"), 1));
        assert_eq!(sets[0].offers[0].in_words, [r#""odrl:permission": {"odrl:action":{"@id":"use"}}"#]);
    }

    #[test]
    fn what_is_no_catalog_or_no_dataset_is_not_taken_for_one() {
        assert!(read_catalog(&json!([])).is_none() && read_catalog(&json!("x")).is_none());
        let odd = json!({ "dataset": [7, {}, { "@id": "" }, { "@id": "x".repeat(3000) }, { "@id": "urn:d", "hasPolicy": 7 }] });
        let (participant, sets, unread) = read_catalog(&odd).unwrap();
        assert_eq!((participant, sets.len(), unread), (None, 1, 4));
        assert!(sets[0].offers.is_empty());
    }
}
