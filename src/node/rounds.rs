//! What was put on the table one after the other, and what changed each time.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::cataloged::values;
use crate::credential::rfc3339;
use crate::encoding::{Digest, Timestamp};
use crate::identity::Did;
use crate::negotiation::{Negotiation, Role, Round};

/// One side's turn: what it asked for, proposed or offered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoundView {
    /// Whose turn it was.
    pub by: Role,
    /// `request`, `proposal` or `offer`.
    pub kind: &'static str,
    /// Its id; a request for what is listed has none.
    pub id: Option<String>,
    /// What an acceptance of it would bind; only an offer has one.
    pub sha256: Option<Digest>,
    /// When it came here, or left.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// Its terms by name; a request names only what it wishes for.
    pub terms: BTreeMap<String, Value>,
    /// What it says differently from what was said before.
    pub changes: Vec<Change>,
}

/// One term that changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Which: `price`, `template`, `promisor`, `promisee`, `ends` or `parameter NAME`.
    pub term: String,
    /// What was said before.
    pub from: Value,
    /// What is said now.
    pub to: Value,
}

/// The rounds of a negotiation, oldest first.
pub(super) fn rounds(negotiation: &Negotiation) -> Vec<RoundView> {
    let (provider, consumer) = (negotiation.opening().provider(), negotiation.opening().consumer());
    let mut said = BTreeMap::new();
    let mut views = Vec::new();
    for (at, round) in negotiation.rounds() {
        let terms = terms_of(round, provider, consumer);
        let changes = terms
            .iter()
            .filter_map(|(term, to)| {
                let from: &Value = said.get(term).filter(|from| *from != to)?;
                Some(Change { term: term.clone(), from: from.clone(), to: to.clone() })
            })
            .collect();
        said.extend(terms.clone());
        let (by, kind, id, sha256) = match round {
            Round::Request(request) => (Role::Consumer, "request", request.offer_id.clone(), None),
            Round::Proposal(proposal) => (Role::Provider, "proposal", Some(proposal.id.clone()), None),
            Round::Offer(offer) => (Role::Provider, "offer", Some(offer.contract_id.to_string()), Some(offer.sha256)),
        };
        views.push(RoundView { by, kind, id, sha256, at: *at, terms, changes });
    }
    views
}

/// Who promises whom, by what is on the table: the provider the consumer, where nobody said otherwise.
pub(super) fn promises(negotiation: &Negotiation) -> (&Did, &Did) {
    let said = match negotiation.rounds().last() {
        Some((_, Round::Request(request))) => (request.promisor.as_ref(), request.promisee.as_ref()),
        Some((_, Round::Proposal(proposal))) => (Some(&proposal.promisor), Some(&proposal.promisee)),
        Some((_, Round::Offer(offer))) => (Some(&offer.promisor), Some(&offer.promisee)),
        None => (None, None),
    };
    let opening = negotiation.opening();
    (said.0.unwrap_or(opening.provider()), said.1.unwrap_or(opening.consumer()))
}

fn terms_of(round: &Round, provider: &Did, consumer: &Did) -> BTreeMap<String, Value> {
    let mut terms = BTreeMap::new();
    let mut say = |term: &str, value: Value| {
        if !value.is_null() {
            terms.insert(term.to_owned(), value);
        }
    };
    let parameters = match round {
        Round::Request(request) => {
            say("asset", json!(request.asset));
            say("template", json!(request.template));
            say("price", json!(request.price));
            say("promisor", json!(request.promisor));
            say("promisee", json!(request.promisee));
            request.parameters.clone()
        }
        Round::Proposal(proposal) => {
            say("asset", json!(proposal.asset.id));
            say("template", json!(proposal.template));
            say("price", json!(proposal.price));
            say("promisor", json!(proposal.promisor));
            say("promisee", json!(proposal.promisee));
            proposal.parameters.clone()
        }
        Round::Offer(offer) => {
            say("asset", json!(offer.asset.id));
            say("template", json!(offer.template));
            say("price", json!(offer.price));
            say("promisor", json!(offer.promisor));
            say("promisee", json!(offer.promisee));
            say("ends", json!(offer.exp.rfc3339()));
            values(offer, provider, consumer).unwrap_or_default()
        }
    };
    for (name, value) in parameters {
        say(&format!("parameter {name}"), value);
    }
    terms
}
