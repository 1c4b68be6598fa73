//! Decisions by a script: what an installation, or a test, has decided about an asset's transfers beforehand.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::Transfers;
use crate::negotiation::Role;
use crate::node::NodeFault;
use crate::transfer::{StateName, Transfer};

/// What is decided about transfers without a person, by asset.
#[derive(Clone, Debug, Default)]
pub struct Plan(pub HashMap<String, Vec<PlannedStep>>);

/// One step: what is done once a state is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedStep {
    /// In which state.
    pub on: StateName,
    /// Only when it is entered for that time, from 1; every time when absent.
    #[serde(default)]
    pub nth: Option<usize>,
    /// What.
    #[serde(rename = "do")]
    pub act: Step,
    /// How many milliseconds later.
    #[serde(default)]
    pub after_ms: u64,
}

/// A decision about a transfer.
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
    /// Nothing: what would be decided without a script is not decided.
    Hold,
}

impl Plan {
    /// What is done about a transfer in the state that it has come to.
    fn step(&self, transfer: &Transfer) -> Option<&PlannedStep> {
        let steps = self.0.get(&transfer.opening().asset)?;
        let arrivals = transfer.arrivals();
        steps.iter().find(|step| step.on == transfer.state() && step.nth.is_none_or(|nth| nth == arrivals))
    }
}

impl Transfers {
    /// Decides what is decided without a person: what the script says, else that a requested transfer starts.
    pub(super) fn follow_plan(self: &Arc<Self>, transfer: &Transfer) {
        let planned = self.settings.plan.step(transfer).copied();
        // Under an agreement that stands there is nothing left to decide.
        let begins = transfer.opening().role == Role::Provider && transfer.state() == StateName::Requested;
        let by_itself = begins.then_some(Step::Start);
        let Some(step) = planned.map(|step| step.act).or(by_itself).filter(|step| *step != Step::Hold) else { return };
        let delay = Duration::from_millis(planned.map_or(0, |step| step.after_ms));
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
            if let (NodeFault::Refused(refusal), Step::Start) = (&fault, step) {
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
