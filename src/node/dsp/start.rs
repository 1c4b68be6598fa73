//! Beginning a negotiation: as consumer with a request, as provider with an offer that nobody asked for.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::known::{Listing, Mark};
use super::say::{name, offer_of, parties_for};
use super::talk::{Draft, Talk};
use super::{Connector, Order};
use crate::dsp::{Dataset, checks};
use crate::encoding::Timestamp;
use crate::negotiation::plain::{Opening, ParticipantId, Said, Word};
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
        self.counted().await?;
        let said = self.first_word(&opening, order, by, now).await?;
        let own_pid = opening.own_pid.clone();
        // What the other side would refuse never leaves.
        let draft = Draft::begin(self.begun(opening, said)?)?;
        let talk = self.talks.keep(Talk::new(&own_pid));
        let mut slot = talk.standing.lock().await;
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
        let roles = Order { promisor: order.promisor.clone(), promisee: order.promisee.clone(), ..Order::default() };
        let ordered = roles.promisor.is_some() || roles.promisee.is_some();
        let usual = opening.parties();
        let wanted = parties_for(opening, &roles, usual.clone())?;
        let terms = order.terms.as_ref().filter(|terms| !terms.is_empty());
        let (mut offer, parties, mark) = match terms {
            Some(terms) => {
                let mut offer = offer_of(terms, &order.dataset)?;
                offer["@id"] = json!(order.offer.as_deref().unwrap_or_default());
                // Whoever names an offer of the catalog means its roles; nobody promises by terms that happen to be there.
                let said = (ordered || order.offer.is_none()).then_some(&wanted);
                let mark = self.mark(opening, &offer, said).await?;
                (offer, mark.parties.clone().unwrap_or(wanted), mark)
            }
            None => {
                let dataset = self.dataset_of(opening).await?;
                let meant = dataset.offered(order.offer.as_deref(), &wanted, opening).ok_or_else(|| {
                    NodeFault::unknown("cataloged offer", order.offer.as_deref().unwrap_or(&order.dataset))
                })?;
                let parties = if ordered { wanted } else { meant.parties };
                let offer = meant.offer.about(&dataset.id);
                // The catalog that the offer is taken from is the one that it is marked by.
                let mark = Mark::by(Some(&dataset), &offer, Some(&parties), opening);
                (offer, parties, mark)
            }
        };
        name(&mut offer, order.offer.as_deref(), &mark, opening)?;
        let word = match opening.role {
            Role::Consumer => Word::Request { offer },
            Role::Provider => Word::Offer { offer },
        };
        let (id, cataloged, parties) = (Some(chance::urn_uuid()?), mark.cataloged, Some(parties));
        Ok(Said { sender: opening.role, id, word, at, by: Some(by), cataloged, parties, extra: Map::new() })
    }

    /// The dataset of a negotiation, as the provider's catalog has it now.
    async fn dataset_of(&self, opening: &Opening) -> Result<Arc<Dataset>, NodeFault> {
        if opening.role == Role::Provider {
            let own = self.dataset(&opening.dataset).await?.map(Arc::new);
            let missing = || checks::MESSAGE.refuse("terms are missing, and the dataset is not in the catalog");
            return Ok(own.ok_or_else(missing)?);
        }
        match self.shown_by_provider(opening).await {
            Listing::Listed(dataset) => Ok(dataset),
            Listing::Unlisted => Err(NodeFault::unknown("dataset in the provider's catalog", &opening.dataset)),
            Listing::Unknown(why) => Err(NotDelivered(why).into()),
        }
    }
}
