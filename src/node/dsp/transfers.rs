//! What transfers need of a connector: the agreements that stand, and the way to counterparties.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::Connector;
use super::reply::{Verdict, judge};
use super::send::ASKED;
use crate::negotiation::{Countersigned, State, StateName};
use crate::node::transfers::{Agreements, Post, PostFault, StandingAgreement, TransferStore};
use crate::node::{NodeFault, OwnContract};

/// The agreements of a connector, and the contracts of the wallet beside it.
pub struct Agreed {
    connector: Arc<Connector>,
    store: Arc<dyn TransferStore>,
}

impl Agreed {
    /// Those that `store` has of `connector`.
    pub fn new(connector: Arc<Connector>, store: Arc<dyn TransferStore>) -> Self {
        Self { connector, store }
    }

    /// A contract that the wallet beside the connector has concluded: its agreement is the contract.
    async fn contract(&self, id: &str, peer: Option<&str>) -> Result<Option<StandingAgreement>, NodeFault> {
        let Some(wallet) = self.connector.wallet.get() else { return Ok(None) };
        for negotiation in self.store.contracted(id).await? {
            let negotiation = wallet.negotiation(&negotiation).await?;
            let opening = negotiation.opening();
            let with = peer.is_none_or(|peer| opening.peer.as_str() == peer);
            let (true, State::Finalized(Countersigned { offer, core }, ..)) = (with, negotiation.state()) else {
                continue;
            };
            if core.contract_id.to_string() != id {
                continue;
            }
            let contract =
                OwnContract { core: core.text.clone(), asset: offer.asset.clone(), terms: offer.terms.clone() };
            return Ok(Some(StandingAgreement {
                id: id.to_owned(),
                role: opening.role,
                peer: opening.peer.to_string(),
                hears_at: self.connector.address_of(&opening.peer).await?.unwrap_or_default(),
                asset: offer.asset.id.clone(),
                terms: offer.terms.clone(),
                contract: Some(contract),
            }));
        }
        Ok(None)
    }
}

#[async_trait]
impl Agreements for Agreed {
    async fn standing(&self, id: &str, peer: Option<&str>) -> Result<Option<StandingAgreement>, NodeFault> {
        // What both signed goes before what nobody signed, whatever somebody named it.
        if let Some(contract) = self.contract(id, peer).await? {
            return Ok(Some(contract));
        }
        for negotiation in self.store.agreed(id).await? {
            let view = self.connector.view(&negotiation).await?;
            let with = peer.is_none_or(|peer| view.counterparty.as_str() == peer);
            // A provider names its agreements as it likes: what counts is the one that it stands by now.
            let terms = view.agreement.filter(|it| it.get("@id").and_then(Value::as_str) == Some(id));
            if let (true, StateName::Finalized, Some(terms)) = (with, view.state, terms) {
                return Ok(Some(StandingAgreement {
                    id: id.to_owned(),
                    role: view.role,
                    peer: view.counterparty.as_str().to_owned(),
                    hears_at: view.address,
                    asset: view.dataset,
                    terms,
                    contract: None,
                }));
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl Post for Connector {
    fn may_call(&self, url: &str) -> Result<(), String> {
        self.messenger.may_call(url).map_err(|fault| fault.to_string())
    }

    async fn post(&self, peer: &str, url: &str, body: &Value) -> Result<Value, PostFault> {
        let later = |what: String| PostFault::Later(what);
        let peer = peer.parse().map_err(|_| PostFault::Refused(format!("`{peer}` is nobody's id")))?;
        let _lane = self.lanes.to(&peer).await;
        let proof = self.identity.prove_to(&peer).map_err(|fault| later(fault.to_string()))?;
        let posted = self.messenger.post(url, &proof, body.to_string().into_bytes()).await;
        let posted = posted.map_err(|fault| later(fault.to_string()))?;
        let asked = posted.later.map(|asked| asked.min(ASKED));
        match judge(posted) {
            Verdict::Taken(body) => Ok(body.unwrap_or(Value::Null)),
            Verdict::NotYet(why) | Verdict::Later(why) if let Some(asked) = asked => Err(PostFault::Wait(why, asked)),
            Verdict::NotYet(why) | Verdict::Later(why) => Err(later(why)),
            Verdict::Refused(why) => Err(PostFault::Refused(why)),
        }
    }
}
