//! One decision from the log to the log: read, decide, sign what follows, commit.

use super::store::{Commit, Index, Mark, Outgoing};
use super::{Node, NodeFault, StoreFault, chance, wire};
use crate::check::Refusal;
use crate::credential::Termination;
use crate::encoding::Timestamp;
use crate::identity::Did;
use crate::inbox;
use crate::negotiation::{Decision, Effect, Event, Input, Negotiation, Notice, Role, State, StateName};

/// How often a decision is made anew because somebody else moved the negotiation meanwhile.
const TRIES: u32 = 8;

/// The message that led to a decision; a repetition of it gets the same answer and moves nothing.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub from: Did,
    pub message: String,
    pub thread: String,
    pub signed: String,
}

impl Node {
    /// The negotiation as its log has it.
    ///
    /// # Errors
    /// `Unknown` when there is none of that id.
    pub async fn negotiation(&self, id: &str) -> Result<Negotiation, NodeFault> {
        let events = self.store.log(id).await?.ok_or_else(|| NodeFault::unknown("negotiation", id))?;
        Ok(Negotiation::replay(events)?)
    }

    /// Decides what `consider` makes of the negotiation as it stands, and commits it.
    ///
    /// A refusal leaves everything as it was; the caller decides whether the counterparty hears of it.
    pub(super) async fn advance(
        &self,
        id: &str,
        heard: Option<&Heard>,
        consider: impl Fn(&Negotiation, Timestamp) -> Result<(Input, Vec<Event>), NodeFault>,
    ) -> Result<Negotiation, NodeFault> {
        for _ in 0..TRIES {
            let events = self.store.log(id).await?.ok_or_else(|| NodeFault::unknown("negotiation", id))?;
            let version = events.len() as u64;
            let negotiation = Negotiation::replay(events)?;
            let now = chance::now()?;
            let (input, mut learned) = consider(&negotiation, now)?;
            let mut decision = negotiation.decide(input, now)?;
            learned.append(&mut decision.events);
            decision.events = learned;
            match self.commit(id, version, Some(negotiation), decision, heard, now).await {
                Err(NodeFault::Store(StoreFault::Moved)) => {}
                done => return done,
            }
        }
        Err(StoreFault::Moved.into())
    }

    /// Commits the first decision of a negotiation.
    pub(super) async fn begin(
        &self,
        id: &str,
        decision: Decision,
        heard: Option<&Heard>,
    ) -> Result<Negotiation, NodeFault> {
        self.commit(id, 0, None, decision, heard, chance::now()?).await
    }

    async fn commit(
        &self,
        id: &str,
        version: u64,
        before: Option<Negotiation>,
        decision: Decision,
        heard: Option<&Heard>,
        now: Timestamp,
    ) -> Result<Negotiation, NodeFault> {
        if let (true, None, Some(before)) = (decision.is_empty(), heard, &before) {
            return Ok(before.clone());
        }
        let after = match before {
            None => Negotiation::replay(decision.events.clone())?,
            Some(before) => decision
                .events
                .iter()
                .cloned()
                .try_fold(before, Negotiation::apply)
                .map_err(|what| StoreFault::Damaged(format!("a decision does not follow from its log: {what}")))?,
        };
        let mut outgoing = Vec::new();
        let mut effects = Vec::new();
        for effect in decision.effects {
            match effect {
                Effect::Tell { notice } => outgoing.push(self.letter(id, &after, &notice, now)?),
                other => effects.push(other),
            }
        }
        let mark = heard.map(|heard| self.mark(id, heard, &after, None, now)).transpose()?;
        let commit = Commit {
            negotiation: id.to_owned(),
            version,
            events: decision.events,
            outgoing,
            effects,
            mark,
            index: index(&after, now),
        };
        tracing::info!(negotiation = id, state = %after.state().name(), events = commit.events.len(), "committed");
        self.store.commit(commit).await?;
        self.bells.outbox.notify_one();
        self.bells.orders.notify_one();
        self.bells.watch.notify_one();
        Ok(after)
    }

    /// Takes a negotiation off the watch that nothing can move any more.
    pub(super) async fn unwatch(&self, id: &str) -> Result<(), NodeFault> {
        let events = self.store.log(id).await?.ok_or_else(|| NodeFault::unknown("negotiation", id))?;
        let version = events.len() as u64;
        let negotiation = Negotiation::replay(events)?;
        let index = Index { watched: false, ..index(&negotiation, chance::now()?) };
        let commit = Commit {
            negotiation: id.to_owned(),
            version,
            events: vec![],
            outgoing: vec![],
            effects: vec![],
            mark: None,
            index,
        };
        Ok(self.store.commit(commit).await?)
    }

    fn letter(&self, id: &str, after: &Negotiation, notice: &Notice, now: Timestamp) -> Result<Outgoing, NodeFault> {
        let termination = match notice {
            Notice::Termination { offer_sha256, ending } => Some(
                Termination {
                    signer: self.did().clone(),
                    negotiation: after.thread().to_owned(),
                    offer_sha256: offer_sha256.map(|digest| digest.b64u()),
                    reason: ending.reason.clone(),
                    code: ending.code.clone(),
                }
                .sign(&*self.signer)?,
            ),
            _ => None,
        };
        let opens = matches!(notice, Notice::Request(_) | Notice::Proposal(_) | Notice::Offer(_));
        let contact = if opens { Some(self.contact()?) } else { None };
        let message = wire::write(after, notice, chance::urn_uuid()?, now, termination, contact);
        Ok(Outgoing {
            id: message.id.clone(),
            negotiation: Some(id.to_owned()),
            to: after.opening().peer.clone(),
            signed: inbox::sign(&message, &*self.signer)?,
            wants_answer: true,
            attempts: 0,
            due: Some(now),
            note: None,
        })
    }

    /// The mark of a message that was dealt with, and its answer.
    pub(super) fn mark(
        &self,
        id: &str,
        heard: &Heard,
        negotiation: &Negotiation,
        refused: Option<&Refusal>,
        now: Timestamp,
    ) -> Result<Mark, NodeFault> {
        let opening = negotiation.opening();
        let answer = wire::Answer {
            from: self.did(),
            to: &heard.from,
            thread: &heard.thread,
            answers: &heard.message,
            consumer_pid: opening.consumer_pid.as_deref(),
            provider_pid: opening.provider_pid.as_deref(),
            state: negotiation.state().name(),
            refused,
        };
        // Nothing rests on a message that was refused, so that only its answer is kept.
        let signed = refused.is_none().then(|| heard.signed.clone());
        self.answered(answer, Some(id.to_owned()), signed, now)
    }

    /// Signs an answer and marks its message.
    pub(super) fn answered(
        &self,
        answer: wire::Answer<'_>,
        negotiation: Option<String>,
        signed: Option<String>,
        now: Timestamp,
    ) -> Result<Mark, NodeFault> {
        let message = answer.write(chance::urn_uuid()?, now);
        Ok(Mark {
            from: answer.to.clone(),
            message: answer.answers.to_owned(),
            signed,
            answer: Outgoing {
                id: message.id.clone(),
                negotiation,
                to: answer.to.clone(),
                signed: inbox::sign(&message, &*self.signer)?,
                wants_answer: false,
                attempts: 0,
                due: Some(now),
                note: None,
            },
        })
    }
}

fn index(negotiation: &Negotiation, at: Timestamp) -> Index {
    let opening = negotiation.opening();
    let watched = match negotiation.state() {
        State::Terminated(_, countersigned) => {
            // Rule R can still make a contract of it, whatever messages said, until record_by has passed at finality.
            countersigned.is_some() && negotiation.entry_despite_termination().is_none()
        }
        // A contract exists from the consumer's own verification on; only the provider's message is missing.
        State::Verified(..) => opening.role == Role::Provider,
        state => state.name() != StateName::Finalized,
    };
    Index {
        peer: opening.peer.clone(),
        consumer_pid: opening.consumer_pid.clone(),
        provider_pid: opening.provider_pid.clone(),
        state: negotiation.state().name(),
        watched,
        at,
    }
}
