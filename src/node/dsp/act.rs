//! What somebody on this side decides.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::talk::Draft;
use super::{Act, Connector, PlainView};
use crate::negotiation::plain::ParticipantId;
use crate::negotiation::{Decider, Role, StateName, checks as machine};
use crate::node::{NodeFault, checks as held};

/// What a decision says beside its kind.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Order {
    /// The terms of an offer or a counter-offer: permission, prohibition, obligation, profile.
    pub terms: Option<Map<String, Value>>,
    /// The offer that was read before it was accepted or agreed to: another one is refused.
    pub offer: Option<String>,
    /// Who promises.
    pub promisor: Option<ParticipantId>,
    /// To whom.
    pub promisee: Option<ParticipantId>,
    /// Why it ends, as a short stable code.
    pub code: Option<String>,
    /// Why it ends, for people.
    pub reason: Option<String>,
}

impl Connector {
    /// Does what somebody on this side decided.
    ///
    /// # Errors
    /// `Unknown` without such a negotiation, `negotiation.*` when it is not its turn.
    pub async fn act(self: &Arc<Self>, id: &str, act: Act, order: Order, by: Decider) -> Result<PlainView, NodeFault> {
        let talk = self.talk(id).await?.ok_or_else(|| NodeFault::unknown("negotiation", id))?;
        held::COPIED.hold(!talk.held || act == Act::Terminate, || {
            "this node was restored from a copy in which this negotiation was open: it may have decided since, and does not \
             do so a second time. Terminate it and begin anew, or wait for what the counterparty says"
                .into()
        })?;
        let mut slot = talk.standing.lock().await;
        let unknown = || NodeFault::unknown("negotiation", id);
        let event = loop {
            self.read(&talk, &mut slot).await?;
            let negotiation = slot.as_ref().ok_or_else(unknown)?;
            if let Some(read) = &order.offer {
                let stands = negotiation.offer().and_then(|offer| offer.offer.get("@id")?.as_str());
                machine::SUPERSEDED.hold(stands == Some(read), || {
                    format!("you have read another offer than {}, which stands now", stands.unwrap_or("none"))
                })?;
            }
            if act != Act::Counter {
                break self.done_by(negotiation, act, &order, by).await?;
            }
            // A provider may be asked for its catalog: nobody else waits for that, and it is decided about what stands then.
            let before = negotiation.clone();
            drop(slot);
            let event = self.done_by(&before, act, &order, by.clone()).await?;
            slot = talk.standing.lock().await;
            self.read(&talk, &mut slot).await?;
            if slot.as_ref().is_some_and(|now| now.events() == before.events()) {
                break event;
            }
        };
        let negotiation = slot.take().ok_or_else(unknown)?;
        let mut draft = Draft::further(negotiation);
        if let Some(event) = event {
            draft = self.follow(&talk, draft.add(event)?).await?;
        }
        let settling = self.submit(&talk, &mut slot, draft)?;
        let view = slot.as_ref().map(|negotiation| self.shown(&talk, negotiation));
        drop(slot);
        settling.settled().await?;
        view.ok_or_else(unknown)
    }
}

impl Act {
    /// The act that answers to a word of the interface.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "offer" => Self::Offer,
            "counter" => Self::Counter,
            "accept" => Self::Accept,
            "agree" => Self::Agree,
            "verify" => Self::Verify,
            "finalize" => Self::Finalize,
            "terminate" => Self::Terminate,
            _ => return None,
        })
    }

    /// The acts that a side has in a state.
    pub const fn in_state(role: Role, state: StateName) -> &'static [Self] {
        use StateName::{Accepted, Agreed, Finalized, Offered, Requested, Terminated, Verified};
        match (role, state) {
            (Role::Provider, Requested) => &[Self::Offer, Self::Agree, Self::Terminate],
            (Role::Consumer, Offered) => &[Self::Counter, Self::Accept, Self::Terminate],
            (Role::Provider, Accepted) => &[Self::Agree, Self::Terminate],
            (Role::Consumer, Agreed) => &[Self::Verify, Self::Terminate],
            (Role::Provider, Verified) => &[Self::Finalize, Self::Terminate],
            (_, Finalized | Terminated) => &[],
            _ => &[Self::Terminate],
        }
    }
}
