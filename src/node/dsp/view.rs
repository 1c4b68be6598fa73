use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::talk::Talk;
use super::{Act, Connector, Next};
use crate::credential::rfc3339;
use crate::encoding::Timestamp;
use crate::negotiation::plain::{
    Differences, Ending, Entered, Negotiation, Offered, ParticipantId, Parties, State, differences,
};
use crate::negotiation::{Role, StateName};
use crate::node::NodeFault;

/// A plain negotiation, for people and scripts.
#[derive(Clone, Debug, Serialize)]
pub struct PlainView {
    /// This node's id of it.
    pub id: String,
    /// Always `plain`: nobody has signed anything.
    pub mode: &'static str,
    /// Whether a contract is signed by both: never in plain mode.
    pub signed: bool,
    /// Where it stands.
    pub state: StateName,
    /// This party's side.
    pub role: Role,
    /// The counterparty.
    pub counterparty: ParticipantId,
    /// Where the counterparty takes messages.
    pub address: String,
    /// The consumer's id of it, once it is known.
    pub consumer_pid: Option<String>,
    /// The provider's id of it, once it is known.
    pub provider_pid: Option<String>,
    /// Who began it.
    pub began: Role,
    /// The dataset.
    pub dataset: String,
    /// Whether the offer that stands is the catalog's; null where nobody knows.
    pub cataloged: Option<bool>,
    /// Who promises what to whom.
    pub parties: Parties,
    /// Whether a person of this side has to decide.
    pub person: bool,
    /// What this side can do now.
    pub acts: &'static [Act],
    /// Every offer that was on the table, oldest first; the last one stands.
    pub offers: Vec<PlainOfferView>,
    /// The ODRL Agreement, from AGREED on.
    pub agreement: Option<Value>,
    /// Why it ended without one.
    pub ending: Option<Ending>,
    /// The states entered.
    pub history: Vec<Entered>,
    /// When it began.
    #[serde(serialize_with = "optional")]
    pub began_at: Option<Timestamp>,
}

/// An offer, and how it differs from the one before.
#[derive(Clone, Debug, Serialize)]
pub struct PlainOfferView {
    /// The offer.
    #[serde(flatten)]
    pub offered: Offered,
    /// What its terms changed.
    pub changes: Option<Differences>,
}

fn optional<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339::serialize(at, serializer),
        None => serializer.serialize_none(),
    }
}

impl Connector {
    /// One negotiation.
    ///
    /// # Errors
    /// `Unknown` without such a negotiation.
    pub async fn view(&self, id: &str) -> Result<PlainView, NodeFault> {
        let unknown = || NodeFault::unknown("negotiation", id);
        let talk = self.talk(id).await?.ok_or_else(unknown)?;
        let mut slot = talk.standing.lock().await;
        self.read(&talk, &mut slot).await?;
        slot.as_ref().map(|negotiation| self.shown(&talk, negotiation)).ok_or_else(unknown)
    }

    /// Negotiations, newest first, at most `limit`; only open ones where that is asked for.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn views(self: &Arc<Self>, open: bool, limit: u32) -> Result<Vec<PlainView>, NodeFault> {
        let mut views = Vec::new();
        for entry in self.store.plain(open, None, limit).await? {
            views.push(self.view(&entry.id).await?);
        }
        Ok(views)
    }

    pub(super) fn shown(&self, talk: &Talk, negotiation: &Negotiation) -> PlainView {
        let (opening, offers) = (negotiation.opening(), negotiation.offers());
        let before = std::iter::once(None).chain(offers.iter().map(Some));
        let state = negotiation.state().name();
        PlainView {
            id: talk.id.clone(),
            mode: "plain",
            signed: false,
            state,
            role: opening.role,
            counterparty: opening.peer.clone(),
            address: opening.address.clone(),
            consumer_pid: opening.consumer_pid().map(str::to_owned),
            provider_pid: opening.provider_pid().map(str::to_owned),
            began: opening.began,
            dataset: opening.dataset.clone(),
            cataloged: negotiation.offer().and_then(|offer| offer.cataloged),
            parties: negotiation.parties(),
            person: self.next_in(talk, negotiation) == Next::Person,
            acts: if talk.held && !negotiation.is_over() {
                &[Act::Terminate]
            } else {
                Act::in_state(opening.role, state)
            },
            offers: offers
                .iter()
                .zip(before)
                .map(|(offer, before)| PlainOfferView {
                    offered: offer.clone(),
                    changes: before.map(|before| differences(&before.offer, &offer.offer)),
                })
                .collect(),
            agreement: negotiation.agreement().map(|plain| plain.agreement.clone()),
            ending: match negotiation.state() {
                State::Terminated(ending, _) => Some(ending.clone()),
                _ => None,
            },
            history: negotiation.history().to_vec(),
            began_at: negotiation.history().first().map(|entered| entered.at),
        }
    }
}
