//! Beginning a negotiation: as consumer with a request, as provider with an offer that nobody asked for.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::act::offer_of;
use super::reply::{Verdict, judge};
use super::talk::{Draft, Talk};
use super::{Connector, Order};
use crate::dsp::{self, checks};
use crate::encoding::Timestamp;
use crate::negotiation::plain::{Negotiation, Offered, Opening, ParticipantId, Parties, Said, Word, same_terms};
use crate::negotiation::{Decider, Role};
use crate::node::{NodeFault, NotDelivered, chance};

/// What a negotiation is begun with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartOrder {
    /// With whom.
    pub counterparty: ParticipantId,
    /// Where it takes messages: the base of its endpoints, its version path included.
    pub address: String,
    /// About which dataset.
    pub dataset: String,
    /// This party's side; the consumer's when absent.
    #[serde(default = "StartOrder::consumer")]
    pub role: Role,
    /// The offer's id; optional when terms are given.
    #[serde(default)]
    pub offer: Option<String>,
    /// The terms: permission, prohibition, obligation, profile. When absent, those of the provider's catalog.
    #[serde(default)]
    pub terms: Option<Map<String, Value>>,
    /// Who promises.
    #[serde(default)]
    pub promisor: Option<ParticipantId>,
    /// To whom.
    #[serde(default)]
    pub promisee: Option<ParticipantId>,
}

impl StartOrder {
    const fn consumer() -> Role {
        Role::Consumer
    }
}

impl Connector {
    /// Begins a negotiation; this node's id of it.
    ///
    /// # Errors
    /// `dsp.plain`, `dsp.callback`, `dsp.message`, `dsp.roles`; `NotDelivered` when the terms are to come from a catalog
    /// that does not answer.
    pub async fn start(self: &Arc<Self>, order: &StartOrder, by: Decider) -> Result<String, NodeFault> {
        checks::PLAIN.hold(self.settings.plain.has(&order.counterparty), || {
            format!("[dsp] plain does not name {}", order.counterparty)
        })?;
        let address = order.address.trim_end_matches('/').to_owned();
        self.messenger.may_call(&address).map_err(|fault| checks::CALLBACK.refuse(fault.to_string()))?;
        let now = chance::now()?;
        let opening = Opening {
            role: order.role,
            us: self.us.clone(),
            peer: order.counterparty.clone(),
            own_pid: chance::urn_uuid()?,
            peer_pid: None,
            began: order.role,
            address,
            dataset: order.dataset.clone(),
        };
        let said = self.first_word(&opening, order, by, now).await?;
        // What the other side would refuse never leaves.
        let form = dsp::Form::of(said.word.kind());
        dsp::hold(form.name(), &dsp::write(&opening, &said, Some(&self.base)))?;
        let talk = self.talks.keep(Talk::new(&opening.own_pid));
        let mut slot = talk.standing.lock().await;
        let draft = Draft::begin(Negotiation::begin(opening, said)?)?;
        let draft = self.follow(&talk, draft).await?;
        let settling = self.submit(&talk, &mut slot, draft)?;
        drop(slot);
        settling.settled().await?;
        Ok(talk.id.clone())
    }

    async fn first_word(
        &self,
        opening: &Opening,
        order: &StartOrder,
        by: Decider,
        at: Timestamp,
    ) -> Result<Said, NodeFault> {
        let own = if opening.role == Role::Provider { self.dataset(&order.dataset).await? } else { None };
        let terms = order.terms.as_ref().filter(|terms| !terms.is_empty());
        let (mut offer, cataloged) = match (terms, &own) {
            (Some(terms), None) => (offer_of(terms, &order.dataset), None),
            (Some(terms), Some(own)) => {
                let offer = offer_of(terms, &order.dataset);
                let cataloged = own.offer_of(&offer).is_some();
                (offer, Some(cataloged))
            }
            (None, Some(own)) => (pick(own.offers.iter().map(|o| o.about(&own.id)), order)?, Some(true)),
            (None, None) if opening.role == Role::Consumer => {
                (self.cataloged_by_peer(opening, order).await?, Some(true))
            }
            (None, None) => {
                return Err(checks::MESSAGE.refuse("terms are missing, and the dataset is not in the catalog").into());
            }
        };
        if let Some(id) = &order.offer {
            offer["@id"] = json!(id);
        } else if offer["@id"] == "" {
            offer["@id"] = json!(chance::urn_uuid()?);
        }
        for (member, role) in [("assigner", Role::Provider), ("assignee", Role::Consumer)] {
            offer[member] = json!(opening.party(role));
        }
        let roles = Order { promisor: order.promisor.clone(), promisee: order.promisee.clone(), ..Order::default() };
        let parties = self.parties_for(opening, &roles, None)?;
        let word = match opening.role {
            Role::Consumer => Word::Request { offer },
            Role::Provider => Word::Offer { offer },
        };
        let id = Some(chance::urn_uuid()?);
        Ok(Said { sender: opening.role, id, word, at, by: Some(by), cataloged, parties, extra: Map::new() })
    }

    /// The offer that the provider's catalog has for the dataset.
    async fn cataloged_by_peer(&self, opening: &Opening, order: &StartOrder) -> Result<Value, NodeFault> {
        let url = format!("{}/catalog/datasets/{}", opening.address, super::send::escaped(&order.dataset));
        let proof = self.identity.prove_to(&opening.peer)?;
        let dataset = match judge(self.messenger.fetch(&url, &proof).await?) {
            Verdict::Taken(Some(dataset)) => dataset,
            Verdict::Taken(None) => return Err(NotDelivered("the provider's dataset is no JSON".into()).into()),
            Verdict::NotYet(why) | Verdict::Later(why) | Verdict::Refused(why) => return Err(NotDelivered(why).into()),
        };
        let offers = dataset.get("hasPolicy").and_then(Value::as_array).cloned().unwrap_or_default();
        pick(
            offers.into_iter().filter(Value::is_object).map(|mut offer| {
                offer["target"] = json!(order.dataset);
                offer["@type"] = json!("Offer");
                offer
            }),
            order,
        )
    }

    /// Whether an offer of a peer is the one that it has in its catalog, as far as this side knows.
    pub(super) fn as_before(negotiation: &Negotiation, offer: &Value, parties: &Parties) -> Option<bool> {
        let same = |known: &&Offered| known.parties == *parties && same_terms(&known.offer, offer);
        let known = negotiation.offers().iter().rev().find(same);
        known.map_or(Some(false), |known| known.cataloged)
    }
}

fn pick(mut offers: impl Iterator<Item = Value>, order: &StartOrder) -> Result<Value, NodeFault> {
    let found = match &order.offer {
        Some(id) => offers.find(|offer| offer["@id"] == **id),
        None => offers.next(),
    };
    found.ok_or_else(|| {
        NodeFault::unknown("cataloged offer", order.offer.clone().unwrap_or_else(|| order.dataset.clone()))
    })
}
