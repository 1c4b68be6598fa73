use super::StoreFault;
use super::port::{NotDelivered, RegistryFault};
use crate::check::Refusal;
use crate::credential::NotSigned;
use crate::identity::SigningFailed;
use crate::inbox::SealFailed;
use crate::negotiation::Corrupt;

/// Why a node did not do what was asked of it; sorted by whose turn it is now.
#[derive(Debug, thiserror::Error)]
pub enum NodeFault {
    /// The input was refused: the sender's turn.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no such thing here: the caller's turn.
    #[error("there is no {what} `{id}` here")]
    Unknown {
        /// For example `negotiation`.
        what: &'static str,
        /// What was asked for.
        id: String,
    },
    /// Something has to be set up first: the owner's turn.
    #[error("{0}")]
    Unready(String),
    /// The store failed: the machine's turn.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The registry could not be read or written: try again later.
    #[error(transparent)]
    Registry(#[from] RegistryFault),
    /// The other side could not be reached or did not take it: try again later.
    #[error(transparent)]
    NotDelivered(#[from] NotDelivered),
    /// A key could not be used.
    #[error("a key could not be used: {0}")]
    Key(String),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    NoRandomness,
}

impl NodeFault {
    /// No such thing here.
    pub fn unknown(what: &'static str, id: impl Into<String>) -> Self {
        Self::Unknown { what, id: id.into() }
    }
}

impl From<NotSigned> for NodeFault {
    fn from(fault: NotSigned) -> Self {
        match fault {
            NotSigned::Refused(refusal) => Self::Refused(refusal),
            other => Self::Key(other.to_string()),
        }
    }
}

impl From<SigningFailed> for NodeFault {
    fn from(fault: SigningFailed) -> Self {
        Self::Key(fault.to_string())
    }
}

impl From<SealFailed> for NodeFault {
    fn from(fault: SealFailed) -> Self {
        Self::Key(fault.to_string())
    }
}

impl From<Corrupt> for NodeFault {
    fn from(fault: Corrupt) -> Self {
        Self::Store(StoreFault::Damaged(fault.to_string()))
    }
}
