//! Leaving a contract: its provider ends it, its consumer withdraws from it; who decided that is kept beside it.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::force::ground;
use super::port::{Depth, RegistryFault};
use super::{Node, NodeFault, StoreFault, chance, kind};
use crate::credential::{ContractId, Mark};
use crate::encoding::Digest;
use crate::negotiation::{Act, Countersigned, Decided, Decider, Role};

/// What is kept of the decision to leave a contract.
#[derive(Serialize, Deserialize)]
struct Left {
    decided: Decided,
    reason: u8,
    transaction: Option<Digest>,
}

impl Node {
    /// Ends a contract that this party recorded; the transaction.
    ///
    /// # Errors
    /// `Unknown` for a contract that is not here, `Unready` for one that this party does not provide or that was ended.
    pub async fn end_contract(&self, contract: &ContractId, reason: u8, by: Decider) -> Result<Digest, NodeFault> {
        let countersigned = self.as_party(contract, Role::Provider).await?;
        self.leave(&countersigned, Act::End, reason, by, async || {
            self.registry.end(countersigned.core.contract_id, reason).await
        })
        .await
    }

    /// Withdraws from a contract with the account that its acceptance names; the transaction.
    ///
    /// # Errors
    /// `Unknown` for a contract that is not here, `Unready` for one that this party does not consume or withdrew from.
    pub async fn withdraw(&self, contract: &ContractId, reason: u8, by: Decider) -> Result<Digest, NodeFault> {
        let countersigned = self.as_party(contract, Role::Consumer).await?;
        let key = self.withdrawal_key(contract).await?;
        self.leave(&countersigned, Act::Withdraw, reason, by, async || {
            self.registry.withdraw(&key, countersigned.offer.recorder, *contract, reason).await
        })
        .await
    }

    /// The decision to leave a contract, if this side took it.
    pub(super) async fn decided_to_leave(&self, contract: &ContractId) -> Result<Option<Decided>, NodeFault> {
        let Some(kept) = self.store.one(kind::LEFT, &contract.to_string()).await? else { return Ok(None) };
        let left: Left = serde_json::from_value(kept)
            .map_err(|cause| StoreFault::Damaged(format!("the end of contract {contract}: {cause}")))?;
        Ok(Some(left.decided))
    }

    /// What both signed, for the side whose act it is.
    async fn as_party(&self, contract: &ContractId, role: Role) -> Result<Countersigned, NodeFault> {
        match self.contract_of(contract, role).await {
            Ok((_, countersigned)) => Ok(countersigned),
            Err(unknown @ NodeFault::Unknown { .. }) => {
                // A stranger's contract stays unknown.
                self.contract_of(contract, role.other()).await.map_err(|_| unknown)?;
                Err(NodeFault::Unready(match role {
                    Role::Provider => {
                        "this party is the consumer of that contract, and its provider ends it: `countersign withdraw` \
                         withdraws from it"
                            .into()
                    }
                    Role::Consumer => {
                        "this party is the provider of that contract, and its consumer withdraws from it: `countersign \
                         end` ends it"
                            .into()
                    }
                }))
            }
            Err(fault) => Err(fault),
        }
    }

    async fn leave(
        &self,
        countersigned: &Countersigned,
        act: Act,
        reason: u8,
        by: Decider,
        told: impl AsyncFnOnce() -> Result<Digest, RegistryFault>,
    ) -> Result<Digest, NodeFault> {
        let (id, offer) = (countersigned.core.contract_id, &countersigned.offer);
        let account = countersigned.core.withdrawal_account;
        let seen = self.registry.sighting(Depth::Latest, offer.recorder, id, account, offer.iat).await?;
        let mark = if act == Act::End { seen.ended } else { seen.withdrawn };
        if let Some(Mark { at, reason, .. }) = mark {
            let done = if act == Act::End { "ended" } else { "withdrawn from" };
            let ground = ground(reason);
            return Err(NodeFault::Unready(format!("the contract {id} was {done} already at {at}, as “{ground}”")));
        }
        // It was decided, whatever becomes of the transaction: a crash in between must not lose who did.
        let decided = Decided { act, by, at: chance::now()?, on: Some(offer.sha256) };
        let mut left = Left { decided, reason, transaction: None };
        self.store.put(kind::LEFT, &id.to_string(), &json!(left)).await?;
        match told().await {
            Ok(transaction) => {
                left.transaction = Some(transaction);
                self.store.put(kind::LEFT, &id.to_string(), &json!(left)).await?;
                Ok(transaction)
            }
            Err(fault @ RegistryFault::Refused(_)) => {
                // The chain has taken nothing, so nothing was left.
                self.store.remove(kind::LEFT, &id.to_string()).await?;
                Err(fault.into())
            }
            Err(fault) => Err(fault.into()),
        }
    }
}
