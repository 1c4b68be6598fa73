//! The one table of arrows: what a message of a sender does in a state (credential mode, `protocol.md` 6).

use serde::{Deserialize, Serialize};

use super::{Role, StateName};

/// The kinds of messages that can move a negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// ContractRequestMessage.
    Request,
    /// ContractOfferMessage.
    Offer,
    /// ContractNegotiationEventMessage ACCEPTED.
    Acceptance,
    /// ContractAgreementMessage.
    Agreement,
    /// ContractAgreementVerificationMessage.
    Verification,
    /// ContractNegotiationEventMessage FINALIZED.
    Finalization,
    /// ContractNegotiationTerminationMessage.
    Termination,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Request,
        Self::Offer,
        Self::Acceptance,
        Self::Agreement,
        Self::Verification,
        Self::Finalization,
        Self::Termination,
    ];

    /// The last part of the message type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Offer => "offer",
            Self::Acceptance => "acceptance",
            Self::Agreement => "agreement",
            Self::Verification => "verification",
            Self::Finalization => "finalization",
            Self::Termination => "termination",
        }
    }

    /// The kind behind the last part of a message type.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What a message does in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrow {
    /// It leads there.
    To(StateName),
    /// It is noted, and the state stays: a consumer's request to cancel.
    Noted,
    /// It was overtaken: what it says is known already.
    Known,
    /// It came before its turn and waits.
    Early,
    /// It is no arrow of this state for this sender.
    Refused,
}

/// The table. `sender` is the role of whoever sent the message; the state is the receiver's.
pub const fn arrow(state: StateName, sender: Role, kind: Kind) -> Arrow {
    use Arrow::{Early, Known, Noted, Refused, To};
    use StateName::{Accepted, Agreed, Finalized, Offered, Requested, Terminated, Verified};
    match (sender, kind, state) {
        (_, Kind::Termination, Requested | Offered) => To(Terminated),
        (Role::Provider, Kind::Termination, Accepted) => To(Terminated),
        (Role::Consumer, Kind::Termination, Accepted) => Noted,
        (_, Kind::Termination, Terminated) => Known,

        (Role::Consumer, Kind::Request, Offered) => To(Requested),
        (Role::Consumer, Kind::Acceptance, Offered) => To(Accepted),
        (Role::Consumer, Kind::Acceptance, Accepted | Agreed | Verified | Finalized) => Known,
        (Role::Consumer, Kind::Verification, Accepted) => Early,
        (Role::Consumer, Kind::Verification, Agreed) => To(Verified),
        (Role::Consumer, Kind::Verification, Verified | Finalized) => Known,

        (Role::Provider, Kind::Offer, Requested) => To(Offered),
        (Role::Provider, Kind::Agreement, Accepted) => To(Agreed),
        (Role::Provider, Kind::Agreement, Agreed | Verified | Finalized) => Known,
        (Role::Provider, Kind::Finalization, Accepted | Agreed) => Early,
        (Role::Provider, Kind::Finalization, Verified) => To(Finalized),
        (Role::Provider, Kind::Finalization, Finalized) => Known,

        _ => Refused,
    }
}
