//! Whether what is on the table is what the provider's catalog says, and what becomes of it where it is not.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Listing, Node, NodeFault, chance, kind};
use crate::encoding::Timestamp;
use crate::identity::{Did, Jws};
use crate::negotiation::{Command, Decider, Input, Negotiation, OfferPaper, Role, Round, State};
use crate::policy::{Blanks, Template};

/// What becomes of offers and requests of the other side that are not as cataloged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Uncataloged {
    /// They are rejected at once.
    #[default]
    Reject,
    /// They wait for a person, until they lapse.
    Manual,
    /// A rule for uncataloged terms decides; what none decides waits for a person.
    Rules,
}

/// Until when nobody needs to look whether a provider's catalog has to be asked for.
#[derive(Default)]
pub(super) struct Shelves(Mutex<HashMap<Did, Timestamp>>);

/// How many providers are remembered; the store knows of all.
const MOST: usize = 10_000;
/// How many seconds a proposal waits for the catalog that it may be part of.
const CATALOG_COMES: i64 = 60;
/// How many seconds after a question without an answer the next one is asked: a question is given up some day.
const ASKED_AGAIN: i64 = 24 * 3600;
/// How many seconds after a question that could not be asked it is tried again.
const TRIED_AGAIN: i64 = 10;

impl Shelves {
    /// Whether it is time to look.
    fn due(&self, provider: &Did, now: Timestamp) -> bool {
        // Plain values cannot be left half-written by a panic elsewhere.
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nothing is put off for longer than this: what is, was noted by a clock that was ahead.
        known.get(provider).is_none_or(|until| *until <= now || *until > now.plus(ASKED_AGAIN))
    }

    fn put_off(&self, provider: &Did, until: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(provider.clone(), until);
    }
}

impl Node {
    /// Asks the provider of a negotiation for its catalog, where this consumer has never seen one: whether the terms are
    /// cataloged has to be known, to a rule and to a person.
    pub(super) async fn see_catalog(&self, negotiation: &Negotiation) -> Result<(), NodeFault> {
        let opening = negotiation.opening();
        let over = matches!(negotiation.state(), State::Terminated(..)) || negotiation.countersigned().is_some();
        let provider = opening.provider();
        let now = chance::now()?;
        if opening.role != Role::Consumer || over || !self.shelves.due(provider, now) {
            return Ok(());
        }
        // What fails below is tried again, and not with every look at the negotiation.
        self.shelves.put_off(provider, now.plus(TRIED_AGAIN));
        let again = self.ask_for_unseen(provider, now).await?;
        self.shelves.put_off(provider, again);
        Ok(())
    }

    /// Asks for a catalog that was never seen, nor asked for within a day; when to look again.
    async fn ask_for_unseen(&self, provider: &Did, now: Timestamp) -> Result<Timestamp, NodeFault> {
        if self.shelf(provider).await?.is_some() {
            return Ok(now.plus(ASKED_AGAIN));
        }
        let kept = self.store.one(kind::CATALOG_ASKED, provider.as_str()).await?;
        let asked = kept.and_then(|kept| kept.get("at")?.as_i64()).and_then(|at| Timestamp::from_seconds(at).ok());
        // The question is repeated until it is answered or given up.
        if let Some(asked) = asked.filter(|asked| *asked <= now && now < asked.plus(ASKED_AGAIN)) {
            return Ok(asked.plus(ASKED_AGAIN));
        }
        if self.reach(provider).await?.is_none() {
            return Ok(now.plus(TRIED_AGAIN));
        }
        self.ask_for_catalog(provider).await?;
        // Beside the shelf: a catalog that has come meanwhile stays.
        self.store.put(kind::CATALOG_ASKED, provider.as_str(), &json!({ "at": now.seconds() })).await?;
        Ok(now.plus(ASKED_AGAIN))
    }

    /// Whether what is on the table says what the provider's catalog says; `None` for a consumer that has not seen one.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn cataloged(&self, negotiation: &Negotiation) -> Result<Option<bool>, NodeFault> {
        let (provider, consumer) = (negotiation.opening().provider(), negotiation.opening().consumer());
        let listing = match negotiation.opening().role {
            Role::Provider => self.listing(negotiation.asset()).await?.filter(|listing| listing.cataloged),
            Role::Consumer => match self.shelf(provider).await? {
                Some(shelf) => shelf.into_iter().find(|listing| listing.asset.id == negotiation.asset()),
                None => return Ok(None),
            },
        };
        let Some(listing) = listing else { return Ok(Some(false)) };
        Ok(Some(match negotiation.rounds().last() {
            Some((_, Round::Request(_))) => self.wishes_nothing_else(negotiation, &listing),
            Some((_, Round::Proposal(proposal))) => {
                proposal.asset == listing.asset
                    && proposal.template == listing.template
                    && proposal.parameters == listing.parameters
                    && proposal.price == listing.price
                    && proposal.promisor == *provider
                    && proposal.promisee == *consumer
            }
            Some((_, Round::Offer(offer))) => {
                offer.asset == listing.asset
                    && offer.template == listing.template
                    && values(offer, provider, consumer).is_some_and(|values| values == listing.parameters)
                    && offer.price == listing.price
                    && offer.promisor == *provider
                    && offer.promisee == *consumer
            }
            None => false,
        }))
    }

    /// Rejects what the other side wants beyond the catalog, where the configuration says so; `true` when it did.
    ///
    /// Only what the other side brought up is turned away: once a person here has answered with terms, or has asked for
    /// something of its own, counters are part of the talk.
    pub(super) async fn turn_away_uncataloged(&self, id: &str, negotiation: &Negotiation) -> Result<bool, NodeFault> {
        let theirs = match (negotiation.opening().role, negotiation.state()) {
            (Role::Provider, State::Requested) => {
                negotiation.proposal().is_none() && negotiation.offers().next().is_none()
            }
            (Role::Consumer, State::Proposed(_)) => true,
            _ => false,
        };
        if !theirs || self.settings.uncataloged != Uncataloged::Reject {
            return Ok(false);
        }
        match self.cataloged(negotiation).await? {
            Some(true) => return Ok(false),
            // Whoever does not show a catalog has none.
            None if chance::now()? < negotiation.began_at().plus(CATALOG_COMES) => return Ok(false),
            None | Some(false) => {}
        }
        let command = Command::Terminate {
            code: "uncataloged".into(),
            reason: "these terms are not in the catalog, and this party considers no others".into(),
            by: Decider::Rule("uncataloged = reject".into()),
        };
        self.advance(id, None, |_, _| Ok((Input::Ordered(command.clone()), vec![]))).await?;
        Ok(true)
    }

    /// The provider's catalog as this node saw it last.
    async fn shelf(&self, provider: &Did) -> Result<Option<Vec<Listing>>, NodeFault> {
        let Some(kept) = self.store.one(kind::SHELF, provider.as_str()).await? else { return Ok(None) };
        let Some(catalog) = kept.get("catalog") else { return Ok(None) };
        let datasets = catalog.get("dataset").and_then(Value::as_array).cloned().unwrap_or_default();
        // It came from outside: what does not read is not what anybody could have meant.
        let read = |dataset: &Value| Listing::deserialize(dataset.get("countersign")?).ok();
        Ok(Some(datasets.iter().filter_map(read).collect()))
    }
}

/// The values of an offer's parameters, read from its terms; it was verified when it came.
pub(super) fn values(
    offer: &OfferPaper,
    provider: &Did,
    consumer: &Did,
) -> Option<std::collections::BTreeMap<String, Value>> {
    let template = Template::parse(Jws::parse(&offer.approval).ok()?.payload()).ok()?;
    let contract_id = offer.contract_id.to_string();
    let blanks = Blanks { asset: &offer.asset.id, provider, consumer, contract_id: &contract_id };
    template.read(&blanks, &offer.terms).ok()
}
