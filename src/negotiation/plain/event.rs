use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::{Decider, Kind, Role};
use super::ParticipantId;
use crate::encoding::Timestamp;

/// What happened in a plain negotiation; the log of these is the negotiation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// It began, with its first message.
    Began {
        /// Who negotiates with whom.
        opening: Opening,
        /// The first message.
        said: Said,
    },
    /// A message, of either side.
    Said {
        /// What it said.
        said: Said,
    },
    /// The counterparty's id of the negotiation became known.
    Named {
        /// Its id.
        pid: String,
    },
    /// The provider said its agreement again under another id; the first one is what this side holds.
    Renamed {
        /// The other id.
        agreement: String,
    },
}

/// How a plain negotiation began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// This node's side.
    pub role: Role,
    /// This node's party.
    pub us: ParticipantId,
    /// The counterparty.
    pub peer: ParticipantId,
    /// This node's id of it.
    pub own_pid: String,
    /// The counterparty's; learned from its first answer or message where this node began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_pid: Option<String>,
    /// Who sent the first message.
    pub began: Role,
    /// The base under which the counterparty takes messages, without a slash at its end.
    pub address: String,
    /// The dataset that it is about.
    pub dataset: String,
}

/// A message of a negotiation, as both sides' logs keep it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// Whose it is.
    pub sender: Role,
    /// Its own id, where it has one: what a repetition is known by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What it says.
    pub word: Word,
    /// When, by this node's clock.
    pub at: Timestamp,
    /// Who decided, where this side did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Decider>,
    /// Whether the terms are those of the provider's catalog; absent where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cataloged: Option<bool>,
    /// Who promises what to whom, where the message says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parties: Option<Parties>,
    /// Members of the message that the protocol does not know.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// The four roles of an offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parties {
    /// Whose data it is.
    pub provider: ParticipantId,
    /// Who uses it.
    pub consumer: ParticipantId,
    /// Who promises.
    pub promisor: ParticipantId,
    /// To whom.
    pub promisee: ParticipantId,
}

/// What a message says to the machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Word {
    /// ContractRequestMessage, the first or a counter-offer.
    Request {
        /// The ODRL Offer, with its target.
        offer: Value,
    },
    /// ContractOfferMessage.
    Offer {
        /// The ODRL Offer, with its target.
        offer: Value,
    },
    /// ContractNegotiationEventMessage ACCEPTED.
    Acceptance {
        /// The offer that it names, where it names one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        offer: Option<String>,
    },
    /// ContractAgreementMessage.
    Agreement {
        /// The ODRL Agreement.
        agreement: Value,
    },
    /// ContractAgreementVerificationMessage.
    Verification,
    /// ContractNegotiationEventMessage FINALIZED.
    Finalization,
    /// ContractNegotiationTerminationMessage.
    Termination {
        /// A short stable code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// Why, for people.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reason: Vec<Value>,
    },
}

impl Word {
    /// The kind of message.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Request { .. } => Kind::Request,
            Self::Offer { .. } => Kind::Offer,
            Self::Acceptance { .. } => Kind::Acceptance,
            Self::Agreement { .. } => Kind::Agreement,
            Self::Verification => Kind::Verification,
            Self::Finalization => Kind::Finalization,
            Self::Termination { .. } => Kind::Termination,
        }
    }

    /// The ODRL Offer that a request or an offer brings.
    pub const fn offer(&self) -> Option<&Value> {
        match self {
            Self::Request { offer } | Self::Offer { offer } => Some(offer),
            _ => None,
        }
    }
}

impl Opening {
    /// The consumer's id of the negotiation, as far as it is known.
    pub fn consumer_pid(&self) -> Option<&str> {
        self.pid_of(Role::Consumer)
    }

    /// The provider's.
    pub fn provider_pid(&self) -> Option<&str> {
        self.pid_of(Role::Provider)
    }

    fn pid_of(&self, role: Role) -> Option<&str> {
        if self.role == role { Some(&self.own_pid) } else { self.peer_pid.as_deref() }
    }

    /// The party on a side.
    pub fn party(&self, role: Role) -> &ParticipantId {
        if self.role == role { &self.us } else { &self.peer }
    }

    /// The roles that hold where no message says otherwise: the provider promises to the consumer.
    pub fn parties(&self) -> Parties {
        let (provider, consumer) = (self.party(Role::Provider).clone(), self.party(Role::Consumer).clone());
        Parties { promisor: provider.clone(), promisee: consumer.clone(), provider, consumer }
    }
}
