//! What transfers need of a connector: the agreements that stand, and the way to counterparties.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::Connector;
use super::reply::{Verdict, judge};
use crate::negotiation::StateName;
use crate::node::NodeFault;
use crate::node::transfers::{Agreements, Post, PostFault, StandingAgreement, TransferStore};

/// The plain agreements of a connector.
pub struct PlainAgreements {
    connector: Arc<Connector>,
    store: Arc<dyn TransferStore>,
}

impl PlainAgreements {
    /// Those that `store` has of `connector`.
    pub fn new(connector: Arc<Connector>, store: Arc<dyn TransferStore>) -> Self {
        Self { connector, store }
    }
}

#[async_trait]
impl Agreements for PlainAgreements {
    async fn standing(&self, id: &str, peer: Option<&str>) -> Result<Option<StandingAgreement>, NodeFault> {
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
                    plain: true,
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
        match judge(posted.map_err(|fault| later(fault.to_string()))?) {
            Verdict::Taken(body) => Ok(body.unwrap_or(Value::Null)),
            Verdict::NotYet(why) | Verdict::Later(why) => Err(later(why)),
            Verdict::Refused(why) => Err(PostFault::Refused(why)),
        }
    }
}
