use super::{Act, Countersigned, Decided, Decider, Event, Moved, Negotiation, Round, State};
use crate::encoding::Timestamp;

/// The log does not replay: it was cut or changed outside the program.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("event {index} of the log does not follow from those before it: {what}")]
pub struct Corrupt {
    /// Which event, from 0.
    pub index: usize,
    /// What did not fit.
    pub what: String,
}

impl Negotiation {
    /// The negotiation that a log of events makes.
    ///
    /// # Errors
    /// [`Corrupt`] for a log that this program did not write.
    pub fn replay(events: impl IntoIterator<Item = Event>) -> Result<Self, Corrupt> {
        let mut events = events.into_iter().enumerate();
        let (opening, at, by, request, state, round) = match events.next() {
            Some((_, Event::Requested { opening, request, at })) => {
                let round = Round::Request(Box::new(request.clone()));
                (opening, at, None, Some(request), State::Requested, round)
            }
            Some((_, Event::Proposed { opening, proposal, by, at })) => {
                (opening, at, by, None, State::Proposed((*proposal).clone()), Round::Proposal(proposal))
            }
            _ => return Err(Corrupt { index: 0, what: "a log begins with a request or a proposal".into() }),
        };
        let mut negotiation = Self {
            opening,
            began_at: at,
            request,
            rounds: vec![(at, round)],
            history: vec![Moved { state: state.name(), at, decided: by.clone() }],
            state,
            decisions: by.map(|by| Decided { act: Act::Offer, by, at, on: None }).into_iter().collect(),
            cancel_asked: None,
            record_ordered: false,
            entry_despite_termination: None,
        };
        for (index, event) in events {
            negotiation = negotiation.apply(event).map_err(|what| Corrupt { index, what })?;
        }
        Ok(negotiation)
    }

    /// The negotiation after one more event.
    ///
    /// # Errors
    /// What does not fit, when the event cannot follow.
    pub fn apply(mut self, event: Event) -> Result<Self, String> {
        if let Some((act, by, at)) = decided_in(&event) {
            // An offer is decided on its own text, everything else on the one that stands.
            let on = match &event {
                Event::Offered { offer, .. } => Some(offer.sha256),
                _ => self.offer().map(|offer| offer.sha256),
            };
            self.decisions.push(Decided { act, by: by.clone(), at, on });
        }
        let wrong = |state: &State, event: &str| Err(format!("{event} in {}", state.name()));
        let (entered, at, decided): (State, Timestamp, _) = match (event, self.state.clone()) {
            (Event::Named { provider_pid }, _) => {
                self.opening.provider_pid = Some(provider_pid);
                return Ok(self);
            }
            (Event::Joined { consumer_pid }, _) => {
                self.opening.consumer_pid = Some(consumer_pid);
                return Ok(self);
            }
            (Event::CancelAsked { reason, .. }, State::Accepted(_)) => {
                self.cancel_asked = Some(reason);
                return Ok(self);
            }
            (Event::RecordOrdered { .. }, State::Accepted(_)) => {
                self.record_ordered = true;
                return Ok(self);
            }
            (Event::EntryDespiteTermination { entry, .. }, State::Terminated(..)) => {
                self.entry_despite_termination = Some(entry);
                return Ok(self);
            }
            (Event::CounterRequested { request, by, at }, State::Offered(_) | State::Proposed(_)) => {
                self.rounds.push((at, Round::Request(Box::new(request.clone()))));
                self.request = Some(request);
                (State::Requested, at, by)
            }
            (Event::Offered { offer, by, at }, State::Requested) => {
                self.rounds.push((at, Round::Offer(offer.clone())));
                (State::Offered(*offer), at, by)
            }
            (Event::Accepted { core, by, at }, State::Offered(offer)) => {
                (State::Accepted(Countersigned { offer, core }), at, by)
            }
            (Event::Agreed { entry, at }, State::Accepted(countersigned)) => {
                // The acceptance was the consumer's decision; who had it recorded decided on the entry.
                let recorded = self.decisions.iter().rev().find(|decided| decided.act == Act::Record);
                let by = recorded.map(|decided| decided.by.clone());
                (State::Agreed(countersigned, entry), at, by)
            }
            (Event::Verified { entry, acknowledgement, at }, State::Agreed(countersigned, _)) => {
                (State::Verified(countersigned, entry, acknowledgement), at, None)
            }
            (Event::Finalized { acknowledgement, entry, at }, State::Verified(countersigned, known, first)) => {
                let entry = entry.unwrap_or(known);
                (State::Finalized(countersigned, entry, [first, acknowledgement]), at, None)
            }
            (Event::Terminated { ending, decided, at }, State::Requested | State::Proposed(_) | State::Offered(_)) => {
                (State::Terminated(ending, None), at, decided)
            }
            (
                Event::Terminated { ending, decided, at },
                State::Accepted(countersigned) | State::Agreed(countersigned, _),
            ) => (State::Terminated(ending, Some(countersigned)), at, decided),
            (event, state) => return wrong(&state, event.name()),
        };
        self.history.push(Moved { state: entered.name(), at, decided });
        self.state = entered;
        Ok(self)
    }
}

/// The decision of this side that an event is, if it is one.
fn decided_in(event: &Event) -> Option<(Act, &Decider, Timestamp)> {
    let (act, by, at) = match event {
        Event::CounterRequested { by, at, .. } => (Act::Ask, by.as_ref(), at),
        Event::Offered { by, at, .. } => (Act::Offer, by.as_ref(), at),
        Event::Accepted { by, at, .. } => (Act::Accept, by.as_ref(), at),
        Event::RecordOrdered { by, at } => (Act::Record, Some(by), at),
        Event::CancelAsked { decided, at, .. } => (Act::Cancel, decided.as_ref(), at),
        Event::Terminated { ending, decided, at } => {
            (if ending.code == "rejected" { Act::Reject } else { Act::Cancel }, decided.as_ref(), at)
        }
        _ => return None,
    };
    Some((act, by?, *at))
}
