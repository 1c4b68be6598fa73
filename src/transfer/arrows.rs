//! The one table of arrows: what a message of a sender does in a state, copied from the specification's diagram.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::negotiation::Role;

/// The states of a transfer, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StateName {
    /// The consumer asked for the data of an agreement.
    Requested,
    /// The data can be had.
    Started,
    /// It cannot, for now.
    Suspended,
    /// All of it was transferred.
    Completed,
    /// It was broken off.
    Terminated,
}

impl StateName {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Requested, Self::Started, Self::Suspended, Self::Completed, Self::Terminated];

    /// Whether nothing leads out of it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Terminated)
    }

    /// The specification's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Started => "STARTED",
            Self::Suspended => "SUSPENDED",
            Self::Completed => "COMPLETED",
            Self::Terminated => "TERMINATED",
        }
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The kinds of messages that can move a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// TransferRequestMessage; the first one.
    Request,
    /// TransferStartMessage.
    Start,
    /// TransferSuspensionMessage.
    Suspension,
    /// TransferCompletionMessage.
    Completion,
    /// TransferTerminationMessage.
    Termination,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Request, Self::Start, Self::Suspension, Self::Completion, Self::Termination];

    /// The message's `@type`.
    pub const fn message_type(self) -> &'static str {
        match self {
            Self::Request => "TransferRequestMessage",
            Self::Start => "TransferStartMessage",
            Self::Suspension => "TransferSuspensionMessage",
            Self::Completion => "TransferCompletionMessage",
            Self::Termination => "TransferTerminationMessage",
        }
    }

    /// The last part of the path that it is posted to.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Start => "start",
            Self::Suspension => "suspension",
            Self::Completion => "completion",
            Self::Termination => "termination",
        }
    }

    /// The kind behind the last part of a path.
    pub fn at_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.path() == path)
    }
}

/// The table: where a message of this sender leads from this state; `None` where it is no arrow.
pub const fn arrow(state: StateName, sender: Role, kind: Kind) -> Option<StateName> {
    use StateName::{Completed, Requested, Started, Suspended, Terminated};
    match (state, sender, kind) {
        (Requested, Role::Provider, Kind::Start) | (Suspended, _, Kind::Start) => Some(Started),
        (Started, _, Kind::Suspension) => Some(Suspended),
        (Started, _, Kind::Completion) => Some(Completed),
        (Requested | Started | Suspended, _, Kind::Termination) => Some(Terminated),
        _ => None,
    }
}
