use serde::{Deserialize, Serialize};

use super::{DataAddress, Reason, StateName, arrow, arrows::Kind};
use crate::credential::rfc3339;
use crate::encoding::Timestamp;
use crate::negotiation::Role;

/// How a transfer began: who transfers what to whom, under which agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// This node's side.
    pub role: Role,
    /// The counterparty, as its authorization names it.
    pub peer: String,
    /// Where the counterparty hears: a provider's base, or a consumer's callback address.
    pub hears_at: String,
    /// The agreement's id, as both sides know it.
    pub agreement: String,
    /// What the agreement is about.
    pub asset: String,
    /// The consumer's id of the transfer.
    pub consumer_pid: String,
    /// The provider's id of it; the consumer learns it from the first answer.
    pub provider_pid: Option<String>,
}

/// Something that happened to a transfer; the log of these is the transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// The consumer asked; the first event.
    Requested {
        /// Who, what, under which agreement.
        opening: Opening,
        /// When.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
    /// The consumer learned the provider's id.
    Named {
        /// The provider's pid.
        provider_pid: String,
    },
    /// A message of one side moved it.
    Moved {
        /// Which side.
        by: Role,
        /// By what kind of message.
        kind: Kind,
        /// Where the data is, in a provider's start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<DataAddress>,
        /// Why, in a suspension or a termination.
        #[serde(default)]
        reason: Reason,
        /// When.
        #[serde(with = "rfc3339")]
        at: Timestamp,
    },
}

impl Event {
    /// Takes the token out of a start: who gave it out keeps its hash only.
    pub fn forget_token(&mut self) {
        if let Self::Moved { address: Some(address), .. } = self {
            address.token = None;
        }
    }
}

/// One entry of the history that people see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The state entered.
    pub state: StateName,
    /// By whom.
    pub by: Role,
    /// Why, where somebody said so.
    pub reason: Reason,
    /// When, by this node's clock.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
}

/// One transfer, as its events have made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    pub(super) opening: Opening,
    pub(super) state: StateName,
    pub(super) address: Option<DataAddress>,
    pub(super) history: Vec<Moved>,
}

impl Transfer {
    /// The transfer that a log of events makes.
    ///
    /// # Errors
    /// What does not fit, for a log that this program did not write.
    pub fn replay(events: impl IntoIterator<Item = Event>) -> Result<Self, String> {
        let mut events = events.into_iter();
        let Some(Event::Requested { opening, at }) = events.next() else {
            return Err("a transfer's log begins with a request".into());
        };
        let first = Moved { state: StateName::Requested, by: Role::Consumer, reason: Reason::default(), at };
        let transfer = Self { opening, state: StateName::Requested, address: None, history: vec![first] };
        events.try_fold(transfer, Self::apply)
    }

    /// The transfer after one more event.
    ///
    /// # Errors
    /// What does not fit, when the event cannot follow.
    pub fn apply(mut self, event: Event) -> Result<Self, String> {
        match event {
            Event::Requested { .. } => return Err("a transfer is requested once".into()),
            Event::Named { provider_pid } => self.opening.provider_pid = Some(provider_pid),
            Event::Moved { by, kind, address, reason, at } => {
                let to = arrow(self.state, by, kind).ok_or_else(|| format!("{kind:?} by {by:?} in {}", self.state))?;
                self.state = to;
                self.address = address.or(self.address);
                self.history.push(Moved { state: to, by, reason, at });
            }
        }
        Ok(self)
    }

    /// Who transfers what to whom.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// Where it stands.
    pub fn state(&self) -> StateName {
        self.state
    }

    /// Where the data is, once the provider has said so.
    pub fn address(&self) -> Option<&DataAddress> {
        self.address.as_ref()
    }

    /// The states entered, oldest first.
    pub fn history(&self) -> &[Moved] {
        &self.history
    }

    /// How often it has come into the state in which it stands.
    pub fn arrivals(&self) -> usize {
        self.history.iter().filter(|moved| moved.state == self.state).count()
    }

    /// This node's id of it: its own pid, which it made itself.
    pub fn own_pid(&self) -> &str {
        match (self.opening.role, &self.opening.provider_pid) {
            (Role::Provider, Some(pid)) => pid,
            _ => &self.opening.consumer_pid,
        }
    }
}
