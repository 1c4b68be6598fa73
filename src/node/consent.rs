//! Who decides: a person, unless a rule of the configuration does.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cataloged::values;
use super::proposing::{as_proposed, taken_up};
use super::rounds::promises;
use super::settings::{Matter, Point, RecordConsent};
use super::{Node, NodeFault, OfferOrder, Read, Uncataloged, chance, kind};
use crate::check::Trail;
use crate::credential::{ApprovedTemplate, Asset, rfc3339};
use crate::encoding::{Digest, Timestamp};
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
    /// Whatever else is worth saying about it, by name; for people and search.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Whether the catalog shows it; what is not shown can still be asked for and proposed.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub cataloged: bool,
}

const fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
const fn is_yes(cataloged: &bool) -> bool {
    *cataloged
}

/// A decision that is this side's turn: who takes it, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Due {
    /// What is to be decided.
    pub decision: Point,
    /// Whether a person must decide: no rule of the configuration does, or the one that should cannot.
    pub person: bool,
    /// The rule that decides, where one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why that rule could not decide, so that a person has to after all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck: Option<String>,
    /// Until when; afterwards it is too late.
    #[serde(serialize_with = "deadline", skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Something that waits for this side.
#[derive(Clone, Debug, Serialize)]
pub struct Waiting {
    /// The negotiation.
    pub negotiation: String,
    /// What is to be decided, by whom, until when.
    #[serde(flatten)]
    pub due: Due,
    /// With whom.
    pub counterparty: Did,
    /// The counterparty's name among the contacts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterparty_name: Option<String>,
    /// The asset's id.
    pub asset: String,
    /// What the asset is called, where an offer or the own listing says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The price on the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// Whether the terms are those of the catalog; absent where this side has not seen one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cataloged: Option<bool>,
    /// The offer that is to be decided on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer_sha256: Option<Digest>,
    /// The consumer's wish to cancel what it accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_asked: Option<String>,
}

pub(super) fn deadline<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339::serialize(at, serializer),
        None => serializer.serialize_none(),
    }
}

/// Rules that should have decided and could not, by negotiation.
#[derive(Default)]
pub(super) struct Stuck(Mutex<HashMap<String, String>>);

/// How many of them are remembered; each is found out again within a second.
const STUCK: usize = 10_000;

impl Stuck {
    pub(super) fn note(&self, id: &str, fault: &NodeFault) {
        let (mut stuck, why) = (self.lock(), fault.to_string());
        if stuck.get(id) == Some(&why) {
            return;
        }
        tracing::warn!(negotiation = id, %fault, "a rule could not decide");
        if stuck.len() >= STUCK {
            stuck.clear();
        }
        stuck.insert(id.to_owned(), why);
    }

    pub(super) fn forget(&self, id: &str) {
        self.lock().remove(id);
    }

    fn of(&self, id: &str) -> Option<String> {
        self.lock().get(id).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, String>> {
        // Plain values cannot be left half-written by a panic elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rule behind a record that nobody has to confirm.
const SIGNED_OFFER: &str = "the signed offer";
/// The rule behind an offer that was proposed, and taken up as it was.
const SIGNED_PROPOSAL: &str = "the signed proposal";

impl Node {
    /// What waits for this side's decision, the most urgent first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn waiting(&self) -> Result<Vec<Waiting>, NodeFault> {
        let mut waiting = Vec::new();
        for id in self.store.watched().await? {
            let negotiation = self.negotiation(&id).await?;
            let Some(due) = self.due(&id, &negotiation).await? else { continue };
            let (offer, proposal) = (negotiation.offer(), negotiation.proposal());
            let asset = negotiation.asset();
            let proposed = proposal.map(|proposal| proposal.asset.title.clone());
            let title = match offer.map(|offer| offer.asset.title.clone()).or(proposed) {
                Some(title) => Some(title),
                None => self.listing(asset).await?.map(|listing| listing.asset.title),
            };
            let counterparty = negotiation.opening().peer.clone();
            waiting.push(Waiting {
                negotiation: id,
                due,
                counterparty_name: self.name_of(&counterparty).await?,
                counterparty,
                asset: asset.to_owned(),
                title,
                price: price(&negotiation),
                cataloged: self.cataloged(&negotiation).await?,
                offer_sha256: offer.map(|offer| offer.sha256),
                cancel_asked: negotiation.cancel_asked().map(str::to_owned),
            });
        }
        waiting.sort_by_key(|waiting| (waiting.due.until.is_none(), waiting.due.until));
        Ok(waiting)
    }

    /// The decision that is this side's turn, if any; a record that the signed offer decided is nobody's any more, and
    /// one that a restored copy must not take is nobody's either.
    pub(super) async fn due(&self, id: &str, negotiation: &Negotiation) -> Result<Option<Due>, NodeFault> {
        if self.held_since(id).await?.is_some() {
            return Ok(None);
        }
        let Some(decision) = decision_due(negotiation, self.settings.consent.record) else { return Ok(None) };
        let until = negotiation.lapses_at();
        if until.is_some_and(|until| chance::now().is_ok_and(|now| now > until)) {
            // Too late: clock or chain end it within moments, and nobody can decide it any more.
            return Ok(None);
        }
        let rule = self.rule_that_decides(decision, negotiation).await?;
        let stuck = rule.as_ref().and_then(|_| self.stuck.of(id));
        Ok(Some(Due { decision, person: rule.is_none() || stuck.is_some(), rule, stuck, until }))
    }

    /// Lets a rule decide, if one does; `true` when it did. What no rule decides waits for a person.
    pub(super) async fn decide_by_rule(&self, id: &str, negotiation: &Negotiation) -> Result<bool, NodeFault> {
        let Some(point) = decision_due(negotiation, RecordConsent::Ask) else { return Ok(false) };
        if self.held_since(id).await?.is_some() {
            return Ok(false);
        }
        let Some(rule) = self.rule_that_decides(point, negotiation).await? else {
            return self.turn_away_uncataloged(id, negotiation).await;
        };
        self.timepiece.right().await?;
        let by = Decider::Rule(rule);
        match point {
            Point::Offer => self.offer(id, &what_was_asked(negotiation), by).await?,
            Point::Accept => self.accept(id, what_stands(negotiation), by).await?,
            Point::Record => {
                self.advance(id, None, |_, _| Ok((Input::Ordered(Command::Record(by.clone())), vec![]))).await?
            }
        };
        Ok(true)
    }

    /// The name of the rule that decides `point`, if one does.
    async fn rule_that_decides(&self, point: Point, negotiation: &Negotiation) -> Result<Option<String>, NodeFault> {
        let counterparty = &negotiation.opening().peer;
        let decided = |template: &str, price: &Money, uncataloged: bool| {
            let matter = Matter { point, counterparty, template, price, uncataloged };
            self.settings.consent.rule_for(&matter).map(|rule| rule.name.clone())
        };
        let named = |template: &str, price: &Money| decided(template, price, false);
        let presets = self.settings.uncataloged == Uncataloged::Rules;
        match (point, negotiation.offer()) {
            (Point::Offer, _) => {
                let Some(listing) = self.listing(negotiation.asset()).await? else { return Ok(None) };
                if let Some(proposal) = taken_up(negotiation) {
                    // What was signed is offered, or nothing: listing or template may be others by now.
                    let kept = self.store.one(kind::TEMPLATE, &proposal.template).await?;
                    let approval = kept.as_ref().and_then(|kept| kept.get("approval")?.as_str());
                    let same = listing.asset == proposal.asset && approval == Some(&proposal.approval);
                    return Ok(same.then(|| SIGNED_PROPOSAL.to_owned()));
                }
                let first = negotiation.offers().next().is_none();
                if listing.cataloged && self.wishes_nothing_else(negotiation, &listing) {
                    return Ok(named(&listing.template, &listing.price).filter(|_| first));
                }
                // Other prices and templates are what a rule can name; other roles and parameters are a person's.
                let usual = in_usual_roles(negotiation) && wishes_no_other_values(negotiation, &listing);
                let Some(request) = negotiation.request().filter(|_| first && presets && usual) else {
                    return Ok(None);
                };
                let template = request.template.as_ref().unwrap_or(&listing.template);
                Ok(decided(template, &request.price.unwrap_or(listing.price), true))
            }
            (Point::Accept, None) => {
                let State::Proposed(proposal) = negotiation.state() else { return Ok(None) };
                let uncataloged = self.cataloged(negotiation).await? != Some(true);
                if !in_usual_roles(negotiation) {
                    return Ok(None);
                }
                let rule = decided(&proposal.template, &proposal.price, uncataloged);
                Ok(rule.filter(|_| presets || !uncataloged))
            }
            (Point::Accept, Some(offer)) => {
                // What its request left open, an offer has as the catalog says; else it is one beyond the catalog.
                let beyond = leaves_open(negotiation, offer) && self.cataloged(negotiation).await? != Some(true);
                let rule = decided(&offer.template, &offer.price, beyond).filter(|_| presets || !beyond);
                let Some(rule) = rule else { return Ok(None) };
                // A rule accepts what was asked for; an offer of something else waits for a person.
                Ok(self.grants(negotiation, offer)?.then_some(rule))
            }
            (Point::Record, Some(_)) if negotiation.cancel_asked().is_some() => Ok(None),
            (Point::Record, Some(offer)) => Ok(match self.settings.consent.record {
                RecordConsent::Automatic => Some(SIGNED_OFFER.to_owned()),
                RecordConsent::Ask => named(&offer.template, &offer.price),
            }),
            (_, None) => Ok(None),
        }
    }

    /// Whether a request is for the asset as it is listed: a rule decides that; whoever wishes for more asks a person.
    pub(super) fn wishes_nothing_else(&self, negotiation: &Negotiation, listing: &Listing) -> bool {
        let Some(request) = negotiation.request() else { return false };
        let (provider, consumer) = (negotiation.opening().provider(), negotiation.opening().consumer());
        request.template.as_ref().is_none_or(|wish| *wish == listing.template)
            && request.price.is_none_or(|wish| wish == listing.price)
            && wishes_no_other_values(negotiation, listing)
            && request.promisor.as_ref().is_none_or(|did| did == provider)
            && request.promisee.as_ref().is_none_or(|did| did == consumer)
    }

    /// Whether an offer is what its request wished for: the template, the parameters, and a price not above the wish.
    fn grants(&self, negotiation: &Negotiation, offer: &OfferPaper) -> Result<bool, NodeFault> {
        let opening = negotiation.opening();
        let Some(request) = negotiation.request() else { return Ok(false) };
        if let Some(proposal) = negotiation.proposal().filter(|proposal| proposal.is_taken_up_by(request)) {
            let (said, proposed) = ((&offer.asset, &offer.approval), (&proposal.asset, &proposal.approval));
            if said != proposed || offer.price != proposal.price {
                return Ok(false);
            }
        }
        let dearer = |wish: Money| wish.currency != offer.price.currency || wish.amount < offer.price.amount;
        if request.template.as_ref().is_some_and(|wish| *wish != offer.template) || request.price.is_some_and(dearer) {
            return Ok(false);
        }
        if request.parameters.is_empty() {
            return Ok(true);
        }
        let approval = Unverified::new(&offer.approval);
        let (trust, documents) = (&self.settings.trust, self.documents_ever());
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

    /// How an asset is listed here.
    pub(super) async fn listing(&self, asset: &str) -> Result<Option<Listing>, NodeFault> {
        let Some(kept) = self.store.one(kind::ASSET, asset).await? else { return Ok(None) };
        let listing = serde_json::from_value(kept)
            .map_err(|cause| super::StoreFault::Damaged(format!("asset {asset}: {cause}")))?;
        Ok(Some(listing))
    }
}

/// Whether the provider promises the consumer, as every catalog says.
fn in_usual_roles(negotiation: &Negotiation) -> bool {
    promises(negotiation) == (negotiation.opening().provider(), negotiation.opening().consumer())
}

/// Whether a request wishes for no other values of the template's parameters than the listing's.
fn wishes_no_other_values(negotiation: &Negotiation, listing: &Listing) -> bool {
    negotiation
        .request()
        .is_some_and(|request| request.parameters.iter().all(|(name, wish)| listing.parameters.get(name) == Some(wish)))
}

/// What a rule has read: the offer or the proposal that stands there.
fn what_stands(negotiation: &Negotiation) -> Option<Read> {
    match negotiation.state() {
        State::Proposed(proposal) => Some(Read::Proposal(proposal.id.clone())),
        _ => negotiation.offer().map(|offer| Read::Offer(offer.sha256)),
    }
}

/// The offer that a rule makes: what was proposed, or what the request wishes for.
fn what_was_asked(negotiation: &Negotiation) -> OfferOrder {
    if let Some(proposal) = taken_up(negotiation) {
        return as_proposed(proposal);
    }
    let Some(request) = negotiation.request() else { return OfferOrder::default() };
    OfferOrder {
        template: request.template.clone(),
        parameters: (!request.parameters.is_empty()).then(|| request.parameters.clone()),
        price: request.price,
        ..OfferOrder::default()
    }
}

/// Whether an offer says something that its request did not name.
fn leaves_open(negotiation: &Negotiation, offer: &OfferPaper) -> bool {
    let (opening, Some(request)) = (negotiation.opening(), negotiation.request()) else { return true };
    let values = values(offer, &opening.peer, &opening.us);
    let all = values.is_some_and(|values| values.keys().all(|name| request.parameters.contains_key(name)));
    request.template.is_none() || request.price.is_none() || !all
}

/// The price on the table.
fn price(negotiation: &Negotiation) -> Option<Money> {
    let offered = negotiation.offer().map(|offer| offer.price);
    let wished = || negotiation.request().and_then(|request| request.price);
    offered.or_else(wished).or_else(|| negotiation.proposal().map(|proposal| proposal.price))
}

/// The decision that is this side's turn, if any.
pub(super) fn decision_due(negotiation: &Negotiation, record: RecordConsent) -> Option<Point> {
    let ordered = negotiation.record_ordered();
    match (negotiation.opening().role, negotiation.state()) {
        (Role::Provider, State::Requested) => Some(Point::Offer),
        (Role::Consumer, State::Proposed(_) | State::Offered(_)) => Some(Point::Accept),
        (Role::Provider, State::Accepted(_)) if !ordered => {
            (record == RecordConsent::Ask || negotiation.cancel_asked().is_some()).then_some(Point::Record)
        }
        _ => None,
    }
}
