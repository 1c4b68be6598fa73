//! What waits for a person of this side: plain negotiations, beside those that end in contracts.

use std::sync::Arc;

use serde::Serialize;

use super::talk::Talk;
use super::{Act, Connector, Next};
use crate::encoding::Timestamp;
use crate::identity::Did;
use crate::negotiation::plain::{Negotiation, ParticipantId};
use crate::node::consent::deadline;
use crate::node::{Node, NodeFault, Waiting};

/// How many of them are shown at once, the most urgent ones.
const MOST: usize = 1000;
/// How many open negotiations are looked at together.
const PAGE: u32 = 500;

/// A decision in a plain negotiation that is a person's turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlainDue {
    /// What leads on.
    pub decision: Act,
    /// Always: what the configuration decides is done at once and waits for nobody.
    pub person: bool,
    /// Until when; afterwards the negotiation ends by itself.
    #[serde(serialize_with = "deadline", skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A plain negotiation that waits for a person of this side.
#[derive(Clone, Debug, Serialize)]
pub struct PlainWaiting {
    /// The negotiation.
    pub negotiation: String,
    /// What is to be decided, and until when.
    #[serde(flatten)]
    pub due: PlainDue,
    /// Everything that this side can do now.
    pub acts: &'static [Act],
    /// With whom.
    pub counterparty: ParticipantId,
    /// The counterparty's name among the contacts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterparty_name: Option<String>,
    /// The dataset.
    pub asset: String,
    /// What the dataset is called, where it is this party's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether the terms are those of the catalog; absent where nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cataloged: Option<bool>,
    /// The offer on the table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    /// Who promises.
    pub promisor: ParticipantId,
    /// To whom.
    pub promisee: ParticipantId,
    /// The command that shows all of it.
    pub command: String,
}

/// Something that waits for this side.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub enum Awaited {
    /// On the way to a contract.
    Credential(Box<Waiting>),
    /// In plain mode: nobody signs anything.
    Plain(Box<PlainWaiting>),
}

impl Awaited {
    fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Credential(waiting) => waiting.due.until,
            Self::Plain(waiting) => waiting.due.until,
        }
    }
}

impl Node {
    /// What waits for this side's decision in both modes, the most urgent first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn awaited(&self) -> Result<Vec<Awaited>, NodeFault> {
        let mut all: Vec<Awaited> =
            self.waiting().await?.into_iter().map(|waiting| Awaited::Credential(Box::new(waiting))).collect();
        if let Some(connector) = self.connector() {
            all.extend(connector.waiting().await?.into_iter().map(|waiting| Awaited::Plain(Box::new(waiting))));
        }
        all.sort_by_key(|waiting| (waiting.until().is_none(), waiting.until()));
        Ok(all)
    }
}

impl Connector {
    /// The plain negotiations that wait for a person of this side, the most urgent first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn waiting(self: &Arc<Self>) -> Result<Vec<PlainWaiting>, NodeFault> {
        let (mut waiting, mut before) = (Vec::new(), None);
        loop {
            let page = self.store.plain(true, before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.number);
            for entry in page {
                let Some(talk) = self.talk(&entry.id).await? else { continue };
                let mut slot = talk.standing.lock().await;
                self.read(&talk, &mut slot).await?;
                waiting.extend(slot.as_ref().and_then(|negotiation| self.awaited(&talk, negotiation)));
            }
            if waiting.len() > 2 * MOST {
                keep_urgent(&mut waiting);
            }
        }
        keep_urgent(&mut waiting);
        for one in &mut waiting {
            one.counterparty_name = self.called(&one.counterparty).await?;
            one.title = self.dataset(&one.asset).await?.map(|own| own.title).filter(|title| !title.is_empty());
        }
        Ok(waiting)
    }

    /// What waits for a person in a negotiation, without the names that others have.
    fn awaited(&self, talk: &Talk, negotiation: &Negotiation) -> Option<PlainWaiting> {
        let (opening, parties) = (negotiation.opening(), negotiation.parties());
        let brief = talk.id.trim_start_matches("urn:uuid:").get(..8).unwrap_or(&talk.id);
        Some(PlainWaiting {
            due: self.due(talk, negotiation)?,
            negotiation: talk.id.clone(),
            acts: Act::in_state(opening.role, negotiation.state().name()),
            counterparty: opening.peer.clone(),
            counterparty_name: None,
            asset: opening.dataset.clone(),
            title: None,
            cataloged: negotiation.offer().and_then(|offer| offer.cataloged),
            offer: negotiation.offer().and_then(|offer| Some(offer.offer.get("@id")?.as_str()?.to_owned())),
            promisor: parties.promisor,
            promisee: parties.promisee,
            command: format!("countersign dsp show {brief}"),
        })
    }

    /// The decision that a person of this side has to take, if one has to.
    pub(super) fn due(&self, talk: &Talk, negotiation: &Negotiation) -> Option<PlainDue> {
        if self.next_in(talk, negotiation) != Next::Person {
            return None;
        }
        let acts = Act::in_state(negotiation.opening().role, negotiation.state().name());
        let leads_on = |act: &&Act| matches!(act, Act::Accept | Act::Agree | Act::Verify | Act::Finalize);
        let decision = acts.iter().find(leads_on).or(acts.first()).copied()?;
        Some(PlainDue { decision, person: true, until: talk.out().lapses })
    }

    /// The name that a party has among this desk's contacts.
    pub(super) async fn called(&self, party: &ParticipantId) -> Result<Option<String>, NodeFault> {
        match (self.wallet.get(), party.as_str().parse::<Did>()) {
            (Some(wallet), Ok(did)) => Ok(wallet.name_of(&did).await?),
            _ => Ok(None),
        }
    }
}

fn keep_urgent(waiting: &mut Vec<PlainWaiting>) {
    waiting.sort_by_key(|one| (one.due.until.is_none(), one.due.until));
    waiting.truncate(MOST);
}
