//! Decisions by a script: what a conformance suite needs decided, asset by asset. A test's means, off by default.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::Transfers;
use crate::negotiation::Role;
use crate::node::NodeFault;
use crate::transfer::{StateName, Transfer};

/// What is decided about transfers without a person: for an asset, a role and a state, at each arrival in that state.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// How long after the arrival, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
    /// By asset.
    #[serde(default)]
    pub transfers: HashMap<String, HashMap<Role, HashMap<StateName, Vec<Step>>>>,
}

/// A decision in a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// It can be had; or it goes on.
    Start,
    /// Not for now.
    Suspend,
    /// It is all there.
    Complete,
    /// It is over.
    Terminate,
}

impl Plan {
    /// What is decided about a transfer in the state that it has come to; `None` where the script does not name its
    /// asset, `Some(None)` where it does and nothing is to be decided.
    pub fn step(&self, transfer: &Transfer) -> Option<Option<Step>> {
        let opening = transfer.opening();
        let roles = self.transfers.get(&opening.asset)?;
        let steps = roles.get(&opening.role).and_then(|states| states.get(&transfer.state()));
        let arrival = transfer.arrivals().checked_sub(1);
        Some(steps.zip(arrival).and_then(|(steps, arrival)| steps.get(arrival)).copied())
    }
}

impl Transfers {
    /// Decides what is decided without a person: what the script says, else that a requested transfer starts.
    pub(super) fn follow_plan(self: &Arc<Self>, transfer: &Transfer) {
        let planned = self.settings.plan.step(transfer);
        let scripted = planned.is_some();
        let (step, delay) = match planned {
            Some(step) => (step, Duration::from_millis(self.settings.plan.delay_ms)),
            None => {
                // Under an agreement that stands there is nothing left to decide.
                let begins = transfer.opening().role == Role::Provider && transfer.state() == StateName::Requested;
                (begins.then_some(Step::Start), Duration::ZERO)
            }
        };
        let Some(step) = step else { return };
        let (desk, id) = (Arc::clone(self), transfer.own_pid().to_owned());
        let (state, arrivals) = (transfer.state(), transfer.arrivals());
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            // Only if nothing has happened in between.
            match desk.read(&id).await {
                Ok((now, _)) if (now.state(), now.arrivals()) == (state, arrivals) => {}
                _ => return,
            }
            let Err(fault) = desk.decide(&id, step).await else { return };
            tracing::warn!(transfer = id, ?step, %fault, "not decided");
            if let (NodeFault::Refused(refusal), false) = (&fault, scripted) {
                // What cannot start is over, and the consumer knows why.
                let ended = desk.decide_because(&id, Step::Terminate, Some(&refusal.to_string())).await;
                if let Err(fault) = ended {
                    tracing::warn!(transfer = id, %fault, "not terminated");
                }
            }
        });
    }

    /// Takes up, after a restart, what was to be decided without a person.
    pub(super) async fn resume_plan(self: &Arc<Self>) -> Result<(), NodeFault> {
        for id in self.store.transfers().await? {
            let (transfer, _) = self.read(&id).await?;
            if !transfer.state().is_final() {
                self.follow_plan(&transfer);
            }
        }
        Ok(())
    }
}
