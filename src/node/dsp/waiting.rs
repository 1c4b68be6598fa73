//! What waits for a person of this side: plain negotiations, beside those that end in contracts.

use std::collections::HashMap;
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
/// Of how many negotiations, the newest, a command finds one by the beginning of its id.
const FOUND: i64 = 1000;
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
        let newest = self.store.plain(false, None, 1).await?.first().map_or(0, |entry| entry.number);
        loop {
            let page = self.store.plain(true, before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.number);
            for entry in page {
                let Some(talk) = self.talk(&entry.id).await? else { continue };
                let mut slot = talk.standing.lock().await;
                self.read(&talk, &mut slot).await?;
                let found = newest - entry.number < FOUND;
                waiting.extend(slot.as_ref().and_then(|negotiation| self.awaited(&talk, negotiation, found)));
            }
            if waiting.len() > 2 * MOST {
                keep_urgent(&mut waiting, |peer| self.names(peer));
            }
        }
        keep_urgent(&mut waiting, |peer| self.names(peer));
        for one in &mut waiting {
            one.counterparty_name = self.called(&one.counterparty).await?;
            one.title = self.dataset(&one.asset).await?.map(|own| own.title).filter(|title| !title.is_empty());
        }
        Ok(waiting)
    }

    /// What waits for a person in a negotiation, without the names that others have; `found` by the beginning of its id.
    fn awaited(&self, talk: &Talk, negotiation: &Negotiation, found: bool) -> Option<PlainWaiting> {
        let (opening, parties) = (negotiation.opening(), negotiation.parties());
        let bare = talk.id.trim_start_matches("urn:uuid:");
        let brief = bare.get(..8).filter(|_| found).unwrap_or(bare);
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

/// Keeps the most urgent ones, most urgent first. Where there are too many, whoever has many waiting leaves room for the
/// others, and all whom the configuration does not name are together one of them.
fn keep_urgent(waiting: &mut Vec<PlainWaiting>, named: impl Fn(&ParticipantId) -> bool) {
    let urgent = |one: &PlainWaiting| (one.due.until.is_none(), one.due.until);
    waiting.sort_by_key(urgent);
    if waiting.len() <= MOST {
        return;
    }
    let mut of_each = HashMap::<ParticipantId, usize>::new();
    let mut turns: Vec<(usize, PlainWaiting)> = waiting
        .drain(..)
        .map(|one| {
            let turn = of_each.entry(one.counterparty.clone()).or_default();
            *turn += 1;
            (*turn, one)
        })
        .collect();
    turns.sort_by_key(|(turn, one)| (*turn, urgent(one)));
    let strangers = turns.iter_mut().filter(|(_, one)| !named(&one.counterparty));
    strangers.enumerate().for_each(|(place, (turn, _))| *turn = place + 1);
    turns.sort_by_key(|(turn, one)| (*turn, urgent(one)));
    waiting.extend(turns.into_iter().take(MOST).map(|(_, one)| one));
    waiting.sort_by_key(urgent);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_much_waiting_hides_nobody_elses_decisions() {
        let one = |peer: String, until: i64| PlainWaiting {
            negotiation: format!("urn:uuid:{until}"),
            due: PlainDue { decision: Act::Accept, person: true, until: Timestamp::from_seconds(until).ok() },
            acts: &[],
            counterparty: peer.parse().unwrap(),
            counterparty_name: None,
            asset: "urn:d".into(),
            title: None,
            cataloged: None,
            offer: None,
            promisor: "did:key:a".parse().unwrap(),
            promisee: "did:key:b".parse().unwrap(),
            command: String::new(),
        };
        // One with very many, as many under names of their own, and later somebody whom the configuration names.
        let flood = (0..1500).map(|number| one("did:key:greedy".into(), number));
        let swarm = (0..1500).map(|number| one(format!("did:key:{number}"), 2000 + number));
        let mut waiting: Vec<_> = flood.chain(swarm).chain([one("did:key:bob".into(), 9000)]).collect();
        keep_urgent(&mut waiting, |peer| peer.as_str() == "did:key:bob");
        let of = |name: &str| waiting.iter().filter(|one| one.counterparty.as_str() == name).count();
        assert_eq!((waiting.len(), of("did:key:bob"), of("did:key:greedy")), (MOST, 1, 1));
        assert!(waiting.is_sorted_by_key(|one| one.due.until));
        let mut few: Vec<_> = (0..900).map(|number| one("did:key:greedy".into(), number)).collect();
        keep_urgent(&mut few, |_| false);
        assert_eq!(few.len(), 900, "while there is room, everything is shown");
    }
}
