//! What this side says: by a person's decision or by a rule.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::talk::Draft;
use super::{Act, Connector, PlainView};
use crate::check::Refusal;
use crate::dsp::checks;
use crate::encoding::Timestamp;
use crate::negotiation::plain::{Negotiation, Opening, ParticipantId, Parties, Said, Word};
use crate::negotiation::{Decider, Role, StateName, checks as machine};
use crate::node::{NodeFault, chance, checks as held};

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
        self.read(&talk, &mut slot).await?;
        let unknown = || NodeFault::unknown("negotiation", id);
        let negotiation = slot.as_ref().ok_or_else(unknown)?;
        if let Some(read) = &order.offer {
            let stands = negotiation.offer().and_then(|offer| offer.offer.get("@id")?.as_str());
            machine::SUPERSEDED.hold(stands == Some(read), || {
                format!("you have read another offer than {}, which stands now", stands.unwrap_or("none"))
            })?;
        }
        let said = self.word(negotiation, act, &order, by, chance::now()?).await?;
        let event = negotiation.decide(said)?;
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

    /// The message that an act is.
    pub(super) async fn word(
        &self,
        negotiation: &Negotiation,
        act: Act,
        order: &Order,
        by: Decider,
        at: Timestamp,
    ) -> Result<Said, NodeFault> {
        let opening = negotiation.opening();
        let mut cataloged = None;
        let mut parties = None;
        let word = match act {
            Act::Offer | Act::Counter => {
                let (offer, known) = self.terms_for(negotiation, order).await?;
                cataloged = known;
                parties = self.parties_for(opening, order, Some(negotiation.parties()))?;
                if act == Act::Offer { Word::Offer { offer } } else { Word::Request { offer } }
            }
            Act::Accept => Word::Acceptance {
                offer: negotiation.offer().and_then(|offer| offer.offer.get("@id")?.as_str().map(str::to_owned)),
            },
            Act::Agree => Word::Agreement { agreement: agreement(negotiation, chance::urn_uuid()?, at) },
            Act::Verify => Word::Verification,
            Act::Finalize => Word::Finalization,
            Act::Terminate => Word::Termination {
                code: Some(order.code.clone().unwrap_or_else(|| "terminated".into())),
                reason: order
                    .reason
                    .iter()
                    .map(|reason| json!(reason.chars().take(1000).collect::<String>()))
                    .collect(),
            },
            Act::Hold => return Err(nothing_to_say().into()),
        };
        Ok(Said {
            sender: opening.role,
            id: Some(chance::urn_uuid()?),
            word,
            at,
            by: Some(by),
            cataloged,
            parties,
            extra: Map::new(),
        })
    }

    /// The offer that an order means, and whether its terms are cataloged.
    async fn terms_for(&self, negotiation: &Negotiation, order: &Order) -> Result<(Value, Option<bool>), NodeFault> {
        let (opening, stands) = (negotiation.opening(), negotiation.offer());
        let dataset = if opening.role == Role::Provider { self.dataset(&opening.dataset).await? } else { None };
        let terms = order.terms.as_ref().filter(|terms| !terms.is_empty());
        let mut offer = match (terms, &dataset, stands) {
            (Some(terms), ..) => offer_of(terms, &opening.dataset),
            (None, Some(dataset), _) if !dataset.offers.is_empty() => dataset.offers[0].about(&opening.dataset),
            (None, _, Some(stands)) => stands.offer.clone(),
            (None, ..) => return Err(checks::MESSAGE.refuse("an offer without terms").into()),
        };
        let known = dataset.as_ref().and_then(|dataset| dataset.offer_of(&offer));
        let cataloged = match (opening.role, known) {
            (Role::Provider, known) => Some(known.is_some()),
            (Role::Consumer, _) => stands
                .filter(|s| crate::negotiation::plain::same_terms(&s.offer, &offer))
                .map_or(Some(false), |stands| stands.cataloged),
        };
        offer["@id"] = match known {
            Some(known) => json!(known.id),
            None => json!(chance::urn_uuid()?),
        };
        for (member, role) in [("assigner", Role::Provider), ("assignee", Role::Consumer)] {
            offer[member] = json!(opening.party(role));
        }
        Ok((offer, cataloged))
    }

    /// The roles that an order names; those of the standing offer where it names none.
    pub(super) fn parties_for(
        &self,
        opening: &Opening,
        order: &Order,
        before: Option<Parties>,
    ) -> Result<Option<Parties>, Refusal> {
        let usual = opening.parties();
        // Without roles in the message, the other side takes those of its catalog, or of the offer before.
        let said_otherwise = before.as_ref().is_some_and(|before| *before != usual);
        let mut parties = before.unwrap_or_else(|| usual.clone());
        // Who names one of them names both: the other one is the other of the two.
        let other =
            |party: &ParticipantId| if *party == opening.us { opening.peer.clone() } else { opening.us.clone() };
        if let Some(named) = order.promisor.as_ref().or(order.promisee.as_ref()) {
            parties.promisor = order.promisor.clone().unwrap_or_else(|| other(named));
            parties.promisee = order.promisee.clone().unwrap_or_else(|| other(named));
        }
        hold_parties(opening, &parties)?;
        Ok((said_otherwise || parties != usual).then_some(parties))
    }
}

/// Provider and consumer are the two that negotiate, and each promises to the other or takes the promise.
pub(super) fn hold_parties(opening: &Opening, parties: &Parties) -> Result<(), Refusal> {
    let both = [opening.party(Role::Provider), opening.party(Role::Consumer)];
    checks::ROLES.hold([&parties.provider, &parties.consumer] == both, || {
        format!("provider {} and consumer {} are not the two that negotiate", parties.provider, parties.consumer)
    })?;
    let (promisor, promisee) = (&parties.promisor, &parties.promisee);
    checks::ROLES.hold(promisor != promisee && both.contains(&promisor) && both.contains(&promisee), || {
        format!("promisor {promisor} and promisee {promisee} are not the two that negotiate")
    })
}

/// An ODRL Offer of terms about a dataset; its id is given later.
pub(super) fn offer_of(terms: &Map<String, Value>, dataset: &str) -> Value {
    let mut offer = json!({ "@id": "", "@type": "Offer", "target": dataset });
    let names = ["permission", "prohibition", "obligation", "profile"];
    for (name, value) in terms.iter().filter(|(name, _)| names.contains(&name.as_str())) {
        offer[name] = value.clone();
    }
    offer
}

/// The agreement of the offer that stands.
fn agreement(negotiation: &Negotiation, id: String, at: Timestamp) -> Value {
    let opening = negotiation.opening();
    let mut agreement = negotiation.offer().map_or_else(|| json!({}), |offer| offer.offer.clone());
    agreement["@id"] = json!(id);
    agreement["@type"] = json!("Agreement");
    agreement["assigner"] = json!(opening.party(Role::Provider));
    agreement["assignee"] = json!(opening.party(Role::Consumer));
    agreement["timestamp"] = json!(at.rfc3339());
    agreement
}

fn nothing_to_say() -> Refusal {
    machine::STATE.refuse("holding is not a message")
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
