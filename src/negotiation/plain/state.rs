use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::super::{Decider, Role, StateName};
use super::{Event, Opening, Parties, Said, Word};
use crate::credential::rfc3339;
use crate::encoding::Timestamp;

/// What a plain agreement rests on: the provider's word, and nobody's signature.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plain {
    /// The ODRL Agreement.
    pub agreement: Value,
}

/// Where a plain negotiation stands, with what the state rests on.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// A request waits for the provider.
    Requested,
    /// An offer waits for the consumer.
    Offered,
    /// An accepted offer waits for the provider's agreement.
    Accepted,
    /// An agreement waits for the consumer's verification.
    Agreed(Plain),
    /// A verified agreement waits for the provider.
    Verified(Plain),
    /// Both hold the agreement.
    Finalized(Plain),
    /// There is none; with the one that there had been, if any.
    Terminated(Ending, Option<Plain>),
}

impl State {
    /// The state's name in the Dataspace Protocol.
    pub const fn name(&self) -> StateName {
        match self {
            Self::Requested => StateName::Requested,
            Self::Offered => StateName::Offered,
            Self::Accepted => StateName::Accepted,
            Self::Agreed(_) => StateName::Agreed,
            Self::Verified(_) => StateName::Verified,
            Self::Finalized(_) => StateName::Finalized,
            Self::Terminated(..) => StateName::Terminated,
        }
    }
}

/// Why and by whom a negotiation was ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ending {
    /// Who ended it.
    pub by: Role,
    /// A short stable code, where one was given.
    pub code: Option<String>,
    /// Why, for people.
    pub reason: Vec<Value>,
}

/// An offer that was on the table, of either side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Offered {
    /// Whose it is.
    pub by: Role,
    /// When it came, by this node's clock.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// The ODRL Offer.
    pub offer: Value,
    /// Whether its terms are those of the provider's catalog; absent where nobody knows.
    pub cataloged: Option<bool>,
    /// Who promises what to whom.
    pub parties: Parties,
}

/// A state that was entered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entered {
    /// The state.
    pub state: StateName,
    /// When, by this node's clock.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// Whose message led there.
    pub by: Role,
    /// Who decided, where this side did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decider>,
    /// Other ids under which the provider said the agreement again: it may know it by the last of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub renamed: Vec<String>,
}

/// One plain negotiation, as its events have made it.
#[derive(Clone, Debug, PartialEq)]
pub struct Negotiation {
    pub(super) opening: Opening,
    pub(super) state: State,
    pub(super) offers: Vec<Offered>,
    pub(super) history: Vec<Entered>,
    pub(super) heard: BTreeSet<String>,
    pub(super) events: u64,
}

impl Negotiation {
    /// The negotiation that a log makes.
    ///
    /// # Errors
    /// What does not fit, for a log that this program did not write.
    pub fn replay(events: impl IntoIterator<Item = Event>) -> Result<Self, String> {
        let mut events = events.into_iter();
        let Some(Event::Began { opening, said }) = events.next() else {
            return Err("a log begins with a first message".into());
        };
        let begun = Self {
            state: State::Requested,
            opening,
            offers: vec![],
            history: vec![],
            heard: BTreeSet::new(),
            events: 0,
        };
        events.try_fold(begun.enter(None, said)?, Self::apply)
    }

    /// The negotiation after one more event.
    ///
    /// # Errors
    /// What does not fit, when the event cannot follow.
    pub fn apply(mut self, event: Event) -> Result<Self, String> {
        match event {
            Event::Began { .. } => Err("it has begun already".into()),
            Event::Named { pid } => {
                self.opening.peer_pid = Some(pid);
                self.events += 1;
                Ok(self)
            }
            Event::Renamed { agreement } => {
                let agreed = self.history.iter_mut().rfind(|entered| entered.state == StateName::Agreed);
                agreed.ok_or("an agreement is missing")?.renamed.push(agreement);
                self.events += 1;
                Ok(self)
            }
            Event::Said { said } => {
                let from = self.state.name();
                self.enter(Some(from), said)
            }
        }
    }

    fn enter(mut self, from: Option<StateName>, said: Said) -> Result<Self, String> {
        let kind = said.word.kind();
        let to = super::arrow(from, said.sender, kind).ok_or_else(|| format!("{} in {from:?}", kind.name()))?;
        let plain = match std::mem::replace(&mut self.state, State::Requested) {
            State::Agreed(plain) | State::Verified(plain) => Some(plain),
            _ => None,
        };
        let none = || "an agreement is missing".to_owned();
        let Said { sender, id, word, at, by, cataloged, parties, .. } = said;
        if sender != self.opening.role {
            self.heard.extend(id);
        }
        self.state = match word {
            Word::Request { offer } | Word::Offer { offer } => {
                let parties = parties.unwrap_or_else(|| self.parties());
                self.offers.push(Offered { by: sender, at, offer, cataloged, parties });
                if to == StateName::Requested { State::Requested } else { State::Offered }
            }
            Word::Acceptance { .. } => State::Accepted,
            Word::Agreement { agreement } => State::Agreed(Plain { agreement }),
            Word::Verification => State::Verified(plain.ok_or_else(none)?),
            Word::Finalization => State::Finalized(plain.ok_or_else(none)?),
            Word::Termination { code, reason } => State::Terminated(Ending { by: sender, code, reason }, plain),
        };
        self.history.push(Entered { state: to, at, by: sender, decided: by, renamed: vec![] });
        self.events += 1;
        Ok(self)
    }

    /// Who negotiates with whom.
    pub const fn opening(&self) -> &Opening {
        &self.opening
    }

    /// Where it stands.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Every offer that was on the table, oldest first; the last one stands.
    pub fn offers(&self) -> &[Offered] {
        &self.offers
    }

    /// The offer that stands.
    pub fn offer(&self) -> Option<&Offered> {
        self.offers.last()
    }

    /// The states entered, oldest first.
    pub fn history(&self) -> &[Entered] {
        &self.history
    }

    /// How many events its log has.
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// Who promises what to whom, as the offer that stands says.
    pub fn parties(&self) -> Parties {
        self.offers.last().map_or_else(|| self.opening.parties(), |offer| offer.parties.clone())
    }

    /// The agreement, from AGREED on; also the one of a negotiation that was terminated afterwards.
    pub fn agreement(&self) -> Option<&Plain> {
        match &self.state {
            State::Agreed(plain) | State::Verified(plain) | State::Finalized(plain) => Some(plain),
            State::Terminated(_, plain) => plain.as_ref(),
            _ => None,
        }
    }

    /// Whether nothing moves it any more.
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Finalized(_) | State::Terminated(..))
    }
}
