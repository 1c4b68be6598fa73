//! What a desk is told of plain negotiations, in the one series with everything else.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use super::{Act, Connector, PlainDue};
use crate::encoding::Timestamp;
use crate::negotiation::plain::{Event, Negotiation, ParticipantId, Said, State};
use crate::negotiation::{Decider, Kind, Role, StateName};
use crate::node::{NodeFault, StoreFault, chance};

/// How a plain negotiation stood after one of its messages.
#[derive(Clone, Debug, Serialize)]
pub struct PlainStood {
    /// `plain`: nobody has signed anything.
    pub mode: &'static str,
    /// This node's side.
    pub role: Role,
    /// The counterparty.
    pub counterparty: ParticipantId,
    /// The counterparty's name among the contacts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterparty_name: Option<String>,
    /// The dataset.
    pub asset: String,
    /// The state.
    pub state: StateName,
    /// The offer that stood.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    /// Whether its terms are those of the catalog; absent where nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cataloged: Option<bool>,
    /// The decision of this side that the message was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<PlainDecided>,
    /// What waits for a person of this side since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<PlainDue>,
    /// Why it ended without an agreement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<PlainEnding>,
}

/// What somebody on this side decided.
#[derive(Clone, Debug, Serialize)]
pub struct PlainDecided {
    /// What was decided.
    pub act: Act,
    /// Who decided.
    pub by: Decider,
    /// When, by this node's clock.
    #[serde(with = "crate::credential::rfc3339")]
    pub at: Timestamp,
}

/// Why and by whom a plain negotiation was ended, in words.
#[derive(Clone, Debug, Serialize)]
pub struct PlainEnding {
    /// Who ended it.
    pub by: Role,
    /// A short stable code.
    pub code: String,
    /// For people.
    pub reason: String,
}

/// The logs that were read for what is told together.
#[derive(Default)]
pub(in crate::node) struct Logs(HashMap<String, Vec<Event>>);

/// One message of a plain negotiation, told.
pub(in crate::node) struct PlainTold {
    pub kind: &'static str,
    pub at: Timestamp,
    pub stood: PlainStood,
}

impl Connector {
    /// What the event at a place in a negotiation's log was, and how the negotiation stood then.
    pub(in crate::node) async fn told(&self, id: &str, place: usize, logs: &mut Logs) -> Result<PlainTold, NodeFault> {
        if !logs.0.contains_key(id) {
            let log = self.store.plain_log(id).await?.ok_or_else(|| NodeFault::unknown("negotiation", id))?;
            logs.0.insert(id.to_owned(), log);
        }
        let log = logs.0.get(id).map(Vec::as_slice).unwrap_or_default();
        let missing = || StoreFault::Damaged(format!("event {place} of plain negotiation {id} is missing"));
        let upto = log.get(..=place).ok_or_else(missing)?;
        let said = upto.last().and_then(super::outgoing::message).ok_or_else(missing)?;
        let negotiation = Negotiation::replay(upto.iter().cloned()).map_err(StoreFault::Damaged)?;
        let opening = negotiation.opening();
        let talk = self.talk(id).await?.ok_or_else(missing)?;
        // What waited for somebody then, and was decided since, waits for nobody.
        let latest = !log.iter().skip(place + 1).any(|event| super::outgoing::message(event).is_some());
        let due = if latest { self.due(&talk, &negotiation) } else { None };
        let now = chance::now()?;
        Ok(PlainTold {
            kind: name(said.word.kind()),
            at: said.at,
            stood: PlainStood {
                mode: "plain",
                role: opening.role,
                counterparty: opening.peer.clone(),
                counterparty_name: self.called(&opening.peer).await?,
                asset: opening.dataset.clone(),
                state: negotiation.state().name(),
                offer: negotiation.offer().and_then(|offer| Some(offer.offer.get("@id")?.as_str()?.to_owned())),
                cataloged: negotiation.offer().and_then(|offer| offer.cataloged),
                decided: said.by.clone().map(|by| PlainDecided { act: act(said), by, at: said.at }),
                waits_for: due.filter(|due| due.until.is_none_or(|until| until >= now)),
                ending: match negotiation.state() {
                    State::Terminated(ending, _) => Some(PlainEnding {
                        by: ending.by,
                        code: ending.code.clone().unwrap_or_else(|| "terminated".into()),
                        reason: ending.reason.iter().map(in_words).collect::<Vec<_>>().join("; "),
                    }),
                    _ => None,
                },
            },
        })
    }
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Request => "plain-requested",
        Kind::Offer => "plain-offered",
        Kind::Acceptance => "plain-accepted",
        Kind::Agreement => "plain-agreed",
        Kind::Verification => "plain-verified",
        Kind::Finalization => "plain-finalized",
        Kind::Termination => "plain-terminated",
    }
}

const fn act(said: &Said) -> Act {
    match said.word.kind() {
        Kind::Request => Act::Counter,
        Kind::Offer => Act::Offer,
        Kind::Acceptance => Act::Accept,
        Kind::Agreement => Act::Agree,
        Kind::Verification => Act::Verify,
        Kind::Finalization => Act::Finalize,
        Kind::Termination => Act::Terminate,
    }
}

fn in_words(reason: &Value) -> String {
    reason.as_str().map_or_else(|| reason.to_string(), str::to_owned)
}
