use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::talk::Talk;
use super::{Act, Connector, Next, PlainMessage};
use crate::encoding::Timestamp;
use crate::negotiation::plain::{
    Differences, Ending, Entered, Negotiation, Offered, ParticipantId, Parties, State, differences,
};
use crate::negotiation::{Role, StateName};
use crate::node::NodeFault;
use crate::node::consent::deadline;
use crate::policy::terms_in_words;

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
    /// The counterparty's name among the contacts; a name stands beside the id and never for it.
    pub counterparty_name: Option<String>,
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
    /// Whose turn it is.
    pub turn: Turn,
    /// When the clock ends it, unless somebody moves it before.
    #[serde(serialize_with = "deadline")]
    pub until: Option<Timestamp>,
    /// Whether this node, restored from a copy, decides nothing here any more: it can only be ended.
    pub held: bool,
    /// What this side can do now.
    pub acts: &'static [Act],
    /// Every offer that was on the table, oldest first; the last one stands.
    pub offers: Vec<PlainOfferView>,
    /// The ODRL Agreement, from AGREED on.
    pub agreement: Option<Value>,
    /// Why it ended without one.
    pub ending: Option<Ending>,
    /// Whether the counterparty has taken everything that this side said. Of what is over: whether it knows of the end.
    pub acknowledged: bool,
    /// This side's messages that the counterparty has not taken: on their way, or tried no more.
    pub messages: Vec<PlainMessage>,
    /// The states entered.
    pub history: Vec<Entered>,
    /// When it began.
    #[serde(serialize_with = "deadline")]
    pub began_at: Option<Timestamp>,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    /// A person of this side decides.
    Person,
    /// This node does what the configuration decides.
    Node,
    /// The counterparty's.
    Counterparty,
    /// It is over.
    Nobody,
}

/// An offer, and how it differs from the one before.
#[derive(Clone, Debug, Serialize)]
pub struct PlainOfferView {
    /// The offer.
    #[serde(flatten)]
    pub offered: Offered,
    /// The terms, each as a sentence; what has no sentence as JSON.
    pub in_words: Vec<String>,
    /// What its terms changed.
    pub changes: Option<Differences>,
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
        let mut view = slot.as_ref().map(|negotiation| self.shown(&talk, negotiation)).ok_or_else(unknown)?;
        drop(slot);
        view.counterparty_name = self.called(&view.counterparty).await?;
        Ok(view)
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
        let next = self.next_in(talk, negotiation);
        let (messages, until) = {
            let out = talk.out();
            (out.messages.values().cloned().collect::<Vec<_>>(), out.lapses)
        };
        PlainView {
            id: talk.id.clone(),
            mode: "plain",
            signed: false,
            state,
            role: opening.role,
            counterparty: opening.peer.clone(),
            counterparty_name: None,
            address: opening.address.clone(),
            consumer_pid: opening.consumer_pid().map(str::to_owned),
            provider_pid: opening.provider_pid().map(str::to_owned),
            began: opening.began,
            dataset: opening.dataset.clone(),
            cataloged: negotiation.offer().and_then(|offer| offer.cataloged),
            parties: negotiation.parties(),
            person: next == Next::Person,
            turn: match next {
                _ if negotiation.is_over() => Turn::Nobody,
                Next::Person => Turn::Person,
                Next::Itself { .. } => Turn::Node,
                Next::Other => Turn::Counterparty,
            },
            until: until.filter(|_| !negotiation.is_over()),
            held: talk.held,
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
                    in_words: terms_in_words(&offer.offer),
                    changes: before.map(|before| differences(&before.offer, &offer.offer)),
                })
                .collect(),
            agreement: negotiation.agreement().map(|plain| plain.agreement.clone()),
            ending: match negotiation.state() {
                State::Terminated(ending, _) => Some(ending.clone()),
                _ => None,
            },
            acknowledged: messages.is_empty(),
            messages,
            history: negotiation.history().to_vec(),
            began_at: negotiation.history().first().map(|entered| entered.at),
        }
    }
}
