//! What clock and chain do to negotiations: from ACCEPTED on, both sides watch the registry whatever messages say.

use super::port::Depth;
use super::{Node, NodeFault, StoreFault, chance};
use crate::check::{Check, Refusal, Trail};
use crate::credential::{Acknowledgement, Core, Entry, Sighting, checks, concluded};
use crate::identity::{Unverified, Verified};
use crate::negotiation::{Countersigned, Input, Negotiation, Observation, Role, State};

/// The conditions of rule R that, once broken at finality, stay broken.
const FOR_GOOD: [&Check; 4] = [&checks::RULE_HASH, &checks::RULE_TIME, &checks::RULE_ENDED, &checks::RULE_WITHDRAWN];

type AtFinality = (Verified<Core>, Sighting, Result<Entry, Refusal>);

impl Node {
    /// Looks at every negotiation that clock, chain or a rule can still move.
    pub(super) async fn watch(&self, chain: bool) -> Result<(), NodeFault> {
        for id in self.store.watched().await? {
            match self.watch_one(&id, chain).await {
                Ok(()) => {}
                // A store that fails fails for all; a log that does not read back must not hold up the others.
                Err(fault @ NodeFault::Store(StoreFault::Failed(_) | StoreFault::Full(_))) => return Err(fault),
                Err(fault) => tracing::warn!(negotiation = id, %fault, "could not be looked at"),
            }
        }
        Ok(())
    }

    async fn watch_one(&self, id: &str, chain: bool) -> Result<(), NodeFault> {
        let negotiation = self.negotiation(id).await?;
        // By a clock that is off nothing elapses and no rule decides; what the chain shows holds by the chain's own time.
        if self.timepiece.hold().is_ok() {
            if !negotiation.decide(Input::Elapsed, chance::now()?)?.is_empty() {
                return self.advance(id, None, |_, _| Ok((Input::Elapsed, vec![]))).await.map(|_| ());
            }
            if let Err(fault) = self.see_catalog(&negotiation).await {
                tracing::info!(negotiation = id, %fault, "the provider's catalog could not be asked for");
            }
            match self.decide_by_rule(id, &negotiation).await {
                Ok(true) => {
                    self.stuck.forget(id);
                    return Ok(());
                }
                Ok(false) => self.stuck.forget(id),
                // A rule that can decide nothing any more (record_by has passed) must not keep the chain from doing so.
                Err(fault) => self.stuck.note(id, &fault),
            }
        }
        match negotiation.countersigned() {
            Some(countersigned) if chain => self.look(id, &negotiation, countersigned).await,
            _ => Ok(()),
        }
    }

    async fn look(&self, id: &str, negotiation: &Negotiation, countersigned: &Countersigned) -> Result<(), NodeFault> {
        let (core, sighting, rule_r) = self.at_finality(countersigned).await?;
        let late = sighting.head.time > countersigned.offer.record_by;
        let observation = match rule_r {
            Ok(entry) => {
                let acknowledgement = Acknowledgement::sign(&core, &entry, &*self.signer)?;
                Observation::Concluded(entry, acknowledgement)
            }
            Err(_) if sighting.entry.is_none() && late => Observation::Nothing(sighting.head),
            Err(_) if sighting.entry.is_none() => return Ok(()),
            Err(refusal) if FOR_GOOD.contains(&refusal.check) => Observation::Broken(refusal),
            // The endpoint answered about another block or place than it was asked for: nothing may rest on that.
            Err(refusal) => return Err(refusal.into()),
        };
        let waits = negotiation.opening().role == Role::Provider && matches!(negotiation.state(), State::Agreed(..));
        if waits && matches!(observation, Observation::Concluded(..)) {
            // The consumer's verification may have come before this node could see the entry itself.
            self.hear_parked(id).await?;
            let waits = matches!(self.negotiation(id).await?.state(), State::Agreed(..));
            // Then only that verification moves it, and the chain need not be asked again until it comes.
            return if waits { self.unwatch(id).await } else { Ok(()) };
        }
        if matches!(negotiation.state(), State::Terminated(..)) && !matches!(observation, Observation::Concluded(..)) {
            return if late { self.unwatch(id).await } else { Ok(()) };
        }
        let after = self.advance(id, None, |_, _| Ok((Input::Observed(observation.clone()), vec![]))).await?;
        // The provider's finalisation may be here already.
        if after.state().name() == negotiation.state().name() { Ok(()) } else { self.hear_parked(id).await }
    }

    /// The entry as this node sees it at finality, if rule R holds; until then nobody has verified anything, whatever a
    /// consumer says.
    pub(super) async fn final_entry(&self, countersigned: &Countersigned) -> Result<Option<Entry>, NodeFault> {
        Ok(self.at_finality(countersigned).await?.2.ok())
    }

    /// What this node sees of a contract at finality, and whether rule R holds by it.
    async fn at_finality(&self, countersigned: &Countersigned) -> Result<AtFinality, NodeFault> {
        let Countersigned { offer, core } = countersigned;
        let (recorder, account) = (offer.recorder, core.withdrawal_account);
        let sighting = self.registry.sighting(Depth::Finalised, recorder, core.contract_id, account, offer.iat).await?;
        let core = self.core(&core.text)?;
        let rule_r = concluded(&core, &sighting, &mut Trail::default());
        Ok((core, sighting, rule_r))
    }

    /// A core of this node's own log, read again.
    pub(super) fn core(&self, text: &str) -> Result<Verified<Core>, NodeFault> {
        Ok(Core::read(&Unverified::new(text), &self.documents_ever(), &mut Trail::default())?)
    }
}
