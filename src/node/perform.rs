//! Effects on the registry: performed after the commit, repeated until done, harmless when repeated.

use super::port::RegistryFault;
use super::store::Order;
use super::{Node, NodeFault, StoreFault, chance};
use crate::negotiation::{Effect, Input, Observation, State};

/// How long a record waits for a clock that is off, in seconds by that clock.
const CLOCK_PAUSE: i64 = 5;

impl Node {
    /// Performs what is due.
    pub(super) async fn perform_orders(&self) -> Result<(), NodeFault> {
        for order in self.store.orders(chance::now()?).await? {
            match self.perform(&order).await {
                Ok(()) => {}
                Err(fault @ NodeFault::Store(StoreFault::Failed(_) | StoreFault::Full(_))) => return Err(fault),
                // One negotiation's fault must not hold up the records of the others.
                Err(fault) => {
                    tracing::error!(negotiation = order.negotiation, %fault, "could not be performed");
                    let next = chance::now()?.plus(30);
                    self.store.performed(order.number, Some((next, &fault.to_string()))).await?;
                }
            }
        }
        Ok(())
    }

    async fn perform(&self, order: &Order) -> Result<(), NodeFault> {
        let Effect::Record { contract_id, hash } = &order.effect else {
            return Ok(self.store.performed(order.number, None).await?);
        };
        let negotiation = self.negotiation(&order.negotiation).await?;
        let State::Accepted(countersigned) = negotiation.state() else {
            return Ok(self.store.performed(order.number, None).await?);
        };
        if let Err(off) = self.timepiece.hold() {
            let next = chance::now()?.plus(CLOCK_PAUSE);
            return Ok(self.store.performed(order.number, Some((next, &off.to_string()))).await?);
        }
        if chance::now()? > countersigned.offer.record_by {
            // An entry after record_by would make no contract; the watch sees the time pass at finality and ends it.
            return Ok(self.store.performed(order.number, None).await?);
        }
        match self.registry.record(*contract_id, *hash).await {
            Ok(entry) => {
                tracing::info!(negotiation = order.negotiation, block = entry.block, transaction = %entry.transaction, "recorded");
                self.advance(&order.negotiation, None, |_, _| {
                    Ok((Input::Observed(Observation::Receipt(entry.clone())), vec![]))
                })
                .await?;
                self.store.performed(order.number, None).await?;
                self.hear_parked(&order.negotiation).await
            }
            Err(RegistryFault::Conflict(other)) => {
                tracing::error!(negotiation = order.negotiation, %other, "another hash stands under this id");
                Ok(self.store.performed(order.number, None).await?)
            }
            Err(fault) => {
                let pause = (1_i64 << order.attempts.min(5)).min(30);
                tracing::warn!(negotiation = order.negotiation, %fault, pause, "not recorded yet");
                let next = chance::now()?.plus(pause);
                Ok(self.store.performed(order.number, Some((next, &fault.to_string()))).await?)
            }
        }
    }
}
