//! Who decides: a person, unless a rule of the configuration does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::settings::{Matter, Point, RecordConsent};
use super::{Node, NodeFault, OfferOrder, chance, kind};
use crate::check::Trail;
use crate::credential::{ApprovedTemplate, Asset, rfc3339};
use crate::encoding::Timestamp;
use crate::identity::{Did, Unverified};
use crate::negotiation::{Command, Decider, Input, Negotiation, OfferPaper, Role, State};
use crate::policy::{Blanks, Money};

/// An asset as its provider lists it: what is offered, on which template, at which price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// The asset.
    pub asset: Asset,
    /// The template's id.
    pub template: String,
    /// Values of the template's parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
    /// The price.
    pub price: Money,
    /// For people and search.
    #[serde(default)]
    pub description: String,
    /// For search.
    #[serde(default)]
    pub keywords: Vec<String>,
}

/// Something that waits for a person.
#[derive(Clone, Debug, Serialize)]
pub struct Waiting {
    /// The negotiation.
    pub negotiation: String,
    /// What is to be decided.
    pub decision: Point,
    /// With whom.
    pub counterparty: Did,
    /// The asset's id.
    pub asset: String,
    /// The price on the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// Until when; afterwards it is too late.
    #[serde(serialize_with = "deadline", skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The consumer's wish to cancel what it accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_asked: Option<String>,
}

fn deadline<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339::serialize(at, serializer),
        None => serializer.serialize_none(),
    }
}

impl Node {
    /// What waits for a person's decision.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn waiting(&self) -> Result<Vec<Waiting>, NodeFault> {
        let mut waiting = Vec::new();
        for id in self.store.watched().await? {
            let negotiation = self.negotiation(&id).await?;
            let Some(decision) = decision_due(&negotiation, self.settings.consent.record) else { continue };
            let offer = negotiation.offer();
            waiting.push(Waiting {
                negotiation: id,
                decision,
                counterparty: negotiation.opening().peer.clone(),
                asset: negotiation.request().asset.clone(),
                price: offer.map(|offer| offer.price).or(negotiation.request().price),
                until: offer.map(|offer| if decision == Point::Record { offer.record_by } else { offer.accept_by }),
                cancel_asked: negotiation.cancel_asked().map(str::to_owned),
            });
        }
        Ok(waiting)
    }

    /// Lets a rule decide, if one does; `true` when it did. What no rule decides waits for a person.
    pub(super) async fn decide_by_rule(&self, id: &str, negotiation: &Negotiation) -> Result<bool, NodeFault> {
        match decision_due(negotiation, RecordConsent::Ask) {
            Some(Point::Offer) => self.offer_by_rule(id, negotiation).await,
            Some(Point::Accept) => self.accept_by_rule(id, negotiation).await,
            Some(Point::Record) => self.record_by_rule(id, negotiation).await,
            None => Ok(false),
        }
    }

    async fn offer_by_rule(&self, id: &str, negotiation: &Negotiation) -> Result<bool, NodeFault> {
        let request = negotiation.request();
        let Some(listing) = self.listing(&request.asset).await? else { return Ok(false) };
        // A rule decides what is listed; whoever wishes for something else asks a person.
        let wishes = request.template.as_ref().is_some_and(|wish| *wish != listing.template)
            || request.price.is_some_and(|wish| wish != listing.price)
            || request.parameters.iter().any(|(name, wish)| listing.parameters.get(name) != Some(wish))
            || request.promisor.as_ref().is_some_and(|did| did != self.did())
            || request.promisee.as_ref().is_some_and(|did| *did != negotiation.opening().peer);
        let matter = Matter {
            point: Point::Offer,
            counterparty: &negotiation.opening().peer,
            template: &listing.template,
            price: &listing.price,
        };
        match self.settings.consent.rule_for(&matter) {
            Some(rule) if !wishes && negotiation.offers().is_empty() => {
                self.offer(id, &OfferOrder::default(), Decider::Rule(rule.name.clone())).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn accept_by_rule(&self, id: &str, negotiation: &Negotiation) -> Result<bool, NodeFault> {
        let State::Offered(offer) = negotiation.state() else { return Ok(false) };
        // A rule accepts what was asked for; an offer of something else waits for a person.
        if !self.grants(negotiation, offer)? {
            return Ok(false);
        }
        let matter = Matter {
            point: Point::Accept,
            counterparty: &negotiation.opening().peer,
            template: &offer.template,
            price: &offer.price,
        };
        let Some(rule) = self.settings.consent.rule_for(&matter) else { return Ok(false) };
        self.accept(id, Decider::Rule(rule.name.clone())).await?;
        Ok(true)
    }

    /// Whether an offer is what its request wished for: the template, the parameters, and a price not above the wish.
    fn grants(&self, negotiation: &Negotiation, offer: &OfferPaper) -> Result<bool, NodeFault> {
        let (opening, request) = (negotiation.opening(), negotiation.request());
        let dearer = |wish: Money| wish.currency != offer.price.currency || wish.amount < offer.price.amount;
        if request.template.as_ref().is_some_and(|wish| *wish != offer.template) || request.price.is_some_and(dearer) {
            return Ok(false);
        }
        if request.parameters.is_empty() {
            return Ok(true);
        }
        let approval = Unverified::new(&offer.approval);
        let (trust, documents) = (&self.settings.trust, self.documents());
        let approved = ApprovedTemplate::verify(&approval, trust, &documents, chance::now()?, &mut Trail::default())?;
        let blanks = Blanks {
            asset: &offer.asset.id,
            provider: &opening.peer,
            consumer: &opening.us,
            contract_id: &offer.contract_id.to_string(),
        };
        let values = approved.template.read(&blanks, &offer.terms)?;
        Ok(request.parameters.iter().all(|(name, wish)| values.get(name) == Some(wish)))
    }

    async fn record_by_rule(&self, id: &str, negotiation: &Negotiation) -> Result<bool, NodeFault> {
        let Some(countersigned) = negotiation.countersigned() else { return Ok(false) };
        if negotiation.cancel_asked().is_some() {
            return Ok(false);
        }
        let matter = Matter {
            point: Point::Record,
            counterparty: &negotiation.opening().peer,
            template: &countersigned.offer.template,
            price: &countersigned.offer.price,
        };
        let rule = match (self.settings.consent.record, self.settings.consent.rule_for(&matter)) {
            (RecordConsent::Automatic, _) => "the signed offer".to_owned(),
            (RecordConsent::Ask, Some(rule)) => rule.name.clone(),
            (RecordConsent::Ask, None) => return Ok(false),
        };
        self.advance(id, None, |_, _| Ok((Input::Ordered(Command::Record(Decider::Rule(rule.clone()))), vec![])))
            .await?;
        Ok(true)
    }

    /// How an asset is listed here.
    pub(super) async fn listing(&self, asset: &str) -> Result<Option<Listing>, NodeFault> {
        let Some(kept) = self.store.one(kind::ASSET, asset).await? else { return Ok(None) };
        let listing = serde_json::from_value(kept)
            .map_err(|cause| super::StoreFault::Damaged(format!("asset {asset}: {cause}")))?;
        Ok(Some(listing))
    }
}

/// The decision that is this side's turn, if any.
pub(super) fn decision_due(negotiation: &Negotiation, record: RecordConsent) -> Option<Point> {
    let ordered = negotiation.record_ordered();
    match (negotiation.opening().role, negotiation.state()) {
        (Role::Provider, State::Requested) => Some(Point::Offer),
        (Role::Consumer, State::Offered(_)) => Some(Point::Accept),
        (Role::Provider, State::Accepted(_)) if !ordered => {
            (record == RecordConsent::Ask || negotiation.cancel_asked().is_some()).then_some(Point::Record)
        }
        _ => None,
    }
}
