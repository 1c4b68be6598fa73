//! What this side says: each decision becomes a message, is held to its schema as the counterparty will hold it, and to
//! where the negotiation stands, before anything moves.

use serde_json::{Map, Value, json};

use super::known::Mark;
use super::{Act, Connector, Order};
use crate::check::Refusal;
use crate::dsp::{self, checks};
use crate::encoding::Timestamp;
use crate::negotiation::plain::{Event, Negotiation, Opening, ParticipantId, Parties, Said, Word};
use crate::negotiation::{Decider, Role, checks as machine};
use crate::node::{NodeFault, chance};

impl Connector {
    /// The first event of a negotiation that this side begins.
    pub(super) fn begun(&self, opening: Opening, said: Said) -> Result<Event, Refusal> {
        dsp::hold_said(&opening, &said, Some(&self.base))?;
        Negotiation::begin(opening, said)
    }

    /// The event that a message of this side is, where it says anything new.
    pub(super) fn uttered(negotiation: &Negotiation, said: Said) -> Result<Option<Event>, Refusal> {
        dsp::hold_said(negotiation.opening(), &said, None)?;
        negotiation.decide(said)
    }

    /// The event that an act is.
    pub(super) async fn done_by(
        &self,
        negotiation: &Negotiation,
        act: Act,
        order: &Order,
        by: Decider,
    ) -> Result<Option<Event>, NodeFault> {
        let said = self.word(negotiation, act, order, by, chance::now()?).await?;
        Ok(Self::uttered(negotiation, said)?)
    }

    /// The message that an act is.
    async fn word(
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
                let (offer, roles, known) = self.terms_for(negotiation, order).await?;
                cataloged = known;
                parties = Some(roles);
                if act == Act::Offer { Word::Offer { offer } } else { Word::Request { offer } }
            }
            Act::Accept => Word::Acceptance {
                offer: negotiation.offer().and_then(|offer| offer.offer.get("@id")?.as_str().map(str::to_owned)),
            },
            Act::Agree => {
                parties = Some(negotiation.parties());
                Word::Agreement { agreement: agreement(negotiation, chance::urn_uuid()?, at) }
            }
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

    /// The offer that an order means, who promises by it, and whether it is cataloged.
    async fn terms_for(
        &self,
        negotiation: &Negotiation,
        order: &Order,
    ) -> Result<(Value, Parties, Option<bool>), NodeFault> {
        let (opening, stands) = (negotiation.opening(), negotiation.offer());
        let terms = order.terms.as_ref().filter(|terms| !terms.is_empty());
        let own = match (terms, opening.role) {
            (None, Role::Provider) => self.dataset(&opening.dataset).await?,
            _ => None,
        };
        let cataloged = own.as_ref().and_then(|own| {
            // The cataloged offer that was asked for, where the request names one.
            let named = stands.and_then(|stands| stands.offer.get("@id")?.as_str());
            let usual = opening.parties();
            own.offered(named, &usual, opening).or_else(|| own.offered(None, &usual, opening))
        });
        let (mut offer, before) = match (terms, cataloged, stands) {
            (Some(terms), ..) => (offer_of(terms, &opening.dataset)?, negotiation.parties()),
            (None, Some(meant), _) => (meant.offer.about(&opening.dataset), meant.parties),
            (None, None, Some(stands)) => (stands.offer.clone(), negotiation.parties()),
            (None, None, None) => return Err(checks::MESSAGE.refuse("an offer without terms").into()),
        };
        let parties = parties_for(opening, order, before)?;
        let before = match opening.role {
            Role::Consumer => Self::as_before(negotiation, &offer, &parties),
            Role::Provider => None,
        };
        let mark = match before {
            Some(mark) => mark,
            None => self.mark(opening, &offer, Some(&parties)).await?,
        };
        name(&mut offer, None, &mark, opening)?;
        if !negotiation.may_be_named(&offer, &parties) {
            offer["@id"] = json!(chance::urn_uuid()?);
        }
        Ok((offer, parties, mark.cataloged))
    }
}

/// Gives an offer its id, the ordered one before the catalog's before a new one, and the two that it is between.
pub(super) fn name(offer: &mut Value, ordered: Option<&str>, mark: &Mark, opening: &Opening) -> Result<(), NodeFault> {
    offer["@id"] = match ordered.or(mark.id.as_deref()) {
        Some(id) => json!(id),
        None => json!(chance::urn_uuid()?),
    };
    for (member, role) in [("assigner", Role::Provider), ("assignee", Role::Consumer)] {
        offer[member] = json!(opening.party(role));
    }
    without_copy(offer);
    Ok(())
}

/// The roles that an order names, and those from before where it names none. Who names one of promisor and promisee has
/// named the other.
pub(super) fn parties_for(opening: &Opening, order: &Order, before: Parties) -> Result<Parties, Refusal> {
    let mut parties = before;
    let other = |one: &ParticipantId| if *one == opening.us { opening.peer.clone() } else { opening.us.clone() };
    if let Some(promisor) = &order.promisor {
        parties.promisor = promisor.clone();
        parties.promisee = other(promisor);
    }
    if let Some(promisee) = &order.promisee {
        parties.promisee = promisee.clone();
        if order.promisor.is_none() {
            parties.promisor = other(promisee);
        }
    }
    hold_parties(opening, &parties)?;
    Ok(parties)
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

/// What a policy says about roles itself, as one copied from a catalog does, is what holds.
pub(super) fn hold_copy(policy: &Value, parties: &Parties) -> Result<(), Refusal> {
    let Some(copied) = policy.get("countersign").and_then(Value::as_object) else { return Ok(()) };
    let Parties { provider, consumer, promisor, promisee } = parties;
    let roles = [("provider", provider), ("consumer", consumer), ("promisor", promisor), ("promisee", promisee)];
    for (role, holds) in roles {
        let named = copied.get(role);
        checks::ROLES.hold(named.is_none_or(|named| named.as_str() == Some(holds.as_str())), || {
            format!("the policy names another {role} than {holds}, who is it by the message and the catalog")
        })?;
    }
    Ok(())
}

/// An ODRL Offer of terms about a dataset; its id is given later.
pub(super) fn offer_of(terms: &Map<String, Value>, dataset: &str) -> Result<Value, Refusal> {
    let mut offer = json!({ "@id": "", "@type": "Offer", "target": dataset });
    for (name, value) in terms {
        match name.as_str() {
            "permission" | "prohibition" | "obligation" | "profile" => offer[name] = value.clone(),
            // A whole policy is terms too: it is named anew.
            "@context" | "@id" | "@type" => {}
            "target" if value == dataset => {}
            _ => {
                let what = format!("terms are permission, prohibition, obligation and profile, not `{name}`");
                return Err(checks::MESSAGE.refuse(what));
            }
        }
    }
    Ok(offer)
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
    without_copy(&mut agreement);
    agreement
}

/// A message says the roles beside its policy, and once.
fn without_copy(policy: &mut Value) {
    if let Some(members) = policy.as_object_mut() {
        members.shift_remove("countersign");
    }
}

fn nothing_to_say() -> Refusal {
    machine::STATE.refuse("holding is not a message")
}
