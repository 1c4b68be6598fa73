use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CorePaper, Decider, OfferPaper, ProposalPaper, RequestPaper, Round};
use crate::credential::Entry;
use crate::encoding::{Digest, Timestamp};
use crate::identity::Did;

/// How long a request waits for an offer, in seconds: a week.
pub(super) const REQUEST_LASTS: i64 = 7 * 24 * 3600;

/// Which side of the contract a party is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Offers, records, finalises.
    Provider,
    /// Requests, accepts, verifies.
    Consumer,
}

impl Role {
    /// The counterparty's role.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Provider => Self::Consumer,
            Self::Consumer => Self::Provider,
        }
    }
}

/// How a negotiation began: who negotiates with whom, under which ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// This node's side.
    pub role: Role,
    /// This node's party.
    pub us: Did,
    /// The counterparty.
    pub peer: Did,
    /// The consumer's id of the negotiation; a provider that began learns it from the first answer.
    pub consumer_pid: Option<String>,
    /// The provider's id of it; a consumer that began learns it from the first answer.
    pub provider_pid: Option<String>,
    /// Who sent the first message.
    pub began: Role,
}

impl Opening {
    /// The data provider.
    pub fn provider(&self) -> &Did {
        if self.role == Role::Provider { &self.us } else { &self.peer }
    }

    /// The data consumer.
    pub fn consumer(&self) -> &Did {
        if self.role == Role::Consumer { &self.us } else { &self.peer }
    }
}

/// The states of the Dataspace Protocol, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StateName {
    /// The consumer asked.
    Requested,
    /// The provider offered.
    Offered,
    /// The consumer accepted and is bound until `record_by`.
    Accepted,
    /// The provider recorded.
    Agreed,
    /// The consumer's node saw the entry at finality: the contract exists.
    Verified,
    /// Both hold the same contract file.
    Finalized,
    /// There is no contract.
    Terminated,
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "REQUESTED",
            Self::Offered => "OFFERED",
            Self::Accepted => "ACCEPTED",
            Self::Agreed => "AGREED",
            Self::Verified => "VERIFIED",
            Self::Finalized => "FINALIZED",
            Self::Terminated => "TERMINATED",
        })
    }
}

/// Both signatures: the offer and the core made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Countersigned {
    /// The accepted offer.
    pub offer: OfferPaper,
    /// The core.
    pub core: CorePaper,
}

/// Where a negotiation stands, with the evidence that the state rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// A request waits for an offer.
    Requested,
    /// A proposal waits for a request that brings the consumer's key: OFFERED without a credential.
    Proposed(ProposalPaper),
    /// An offer waits for its acceptance.
    Offered(OfferPaper),
    /// An acceptance waits for its entry.
    Accepted(Countersigned),
    /// An entry waits for the consumer's verification.
    Agreed(Countersigned, Entry),
    /// The verified entry, with the consumer's acknowledgement.
    Verified(Countersigned, Entry, String),
    /// The contract, with the consumer's and the provider's acknowledgement.
    Finalized(Countersigned, Entry, [String; 2]),
    /// No contract; with what had been countersigned before, if anything.
    Terminated(Ending, Option<Countersigned>),
}

/// Why and by whom a negotiation was terminated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Who ended it.
    pub by: Role,
    /// A short stable code: `rejected`, `cancelled`, `timeout.accept-by`, … or the id of the failed check.
    pub code: String,
    /// For people.
    pub reason: String,
}

/// One entry of the history that people and evidence show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The state entered.
    pub state: StateName,
    /// When, by this node's clock.
    #[serde(with = "crate::credential::rfc3339")]
    pub at: Timestamp,
    /// Who decided, where a decision of this side led here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decider>,
}

/// What somebody on this side decided, and on which text: the history of consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// What was decided.
    pub act: Act,
    /// Who decided: a person or a rule.
    pub by: Decider,
    /// When, by this node's clock.
    #[serde(with = "crate::credential::rfc3339")]
    pub at: Timestamp,
    /// The offer that it was decided on, as `H(issuer JWT)`; absent where no offer stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Digest>,
}

/// What can be decided on a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// The consumer asked anew, or took a proposal up.
    Ask,
    /// The provider proposed terms, or signed an offer.
    Offer,
    /// The consumer countersigned it.
    Accept,
    /// The provider had the contract recorded.
    Record,
    /// Either side did not want it.
    Reject,
    /// Either side took it back, or the consumer asked for that after its acceptance.
    Cancel,
    /// The provider ended the contract.
    End,
    /// The consumer withdrew from the contract.
    Withdraw,
}

/// One negotiation, as its events have made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiation {
    pub(super) opening: Opening,
    pub(super) began_at: Timestamp,
    pub(super) request: Option<RequestPaper>,
    pub(super) rounds: Vec<(Timestamp, Round)>,
    pub(super) state: State,
    pub(super) history: Vec<Moved>,
    pub(super) decisions: Vec<Decided>,
    pub(super) cancel_asked: Option<String>,
    pub(super) record_ordered: bool,
    pub(super) entry_despite_termination: Option<Entry>,
}

impl Negotiation {
    /// Who negotiates with whom.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// The id under which both sides file this negotiation: the pid of whoever began.
    pub fn thread(&self) -> &str {
        let began = match self.opening.began {
            Role::Provider => &self.opening.provider_pid,
            Role::Consumer => &self.opening.consumer_pid,
        };
        // Whoever began made its own pid when it did, and the other side takes no first message without it.
        began.as_deref().unwrap_or_default()
    }

    /// When it began, by this node's clock.
    pub fn began_at(&self) -> Timestamp {
        self.began_at
    }

    /// The latest request; `None` while a proposal waits for one.
    pub fn request(&self) -> Option<&RequestPaper> {
        self.request.as_ref()
    }

    /// The proposal that the provider began with.
    pub fn proposal(&self) -> Option<&ProposalPaper> {
        match self.rounds.first() {
            Some((_, Round::Proposal(proposal))) => Some(proposal),
            _ => None,
        }
    }

    /// The asset that it is about.
    pub fn asset(&self) -> &str {
        let proposed = || self.proposal().map(|proposal| proposal.asset.id.as_str());
        self.request().map(|request| request.asset.as_str()).or_else(proposed).unwrap_or_default()
    }

    /// What was put on the table, oldest first, and when it came there by this node's clock.
    pub fn rounds(&self) -> &[(Timestamp, Round)] {
        &self.rounds
    }

    /// Every offer made, oldest first.
    pub fn offers(&self) -> impl Iterator<Item = &OfferPaper> {
        self.rounds.iter().filter_map(|(_, round)| match round {
            Round::Offer(offer) => Some(&**offer),
            _ => None,
        })
    }

    /// Where it stands.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The states entered, oldest first.
    pub fn history(&self) -> &[Moved] {
        &self.history
    }

    /// What was decided on this side, oldest first.
    pub fn decisions(&self) -> &[Decided] {
        &self.decisions
    }

    /// When clock or chain end it unless somebody moves it before; `None` where nothing is due any more.
    pub fn lapses_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::Requested => self.history.last().map(|moved| moved.at.plus(REQUEST_LASTS)),
            State::Proposed(proposal) => Some(proposal.answer_by),
            State::Offered(offer) => Some(offer.accept_by),
            State::Accepted(countersigned) => Some(countersigned.offer.record_by),
            _ => None,
        }
    }

    /// The reason that the consumer gave when it asked to cancel after its acceptance.
    pub fn cancel_asked(&self) -> Option<&str> {
        self.cancel_asked.as_deref()
    }

    /// Whether the provider has handed the record to the registry, so that it can no longer terminate.
    pub fn record_ordered(&self) -> bool {
        self.record_ordered
    }

    /// An entry that appeared although the provider's signed termination came first: rule R holds all the same.
    pub fn entry_despite_termination(&self) -> Option<&Entry> {
        self.entry_despite_termination.as_ref()
    }

    /// What both signed, from ACCEPTED on.
    pub fn countersigned(&self) -> Option<&Countersigned> {
        match &self.state {
            State::Requested | State::Proposed(_) | State::Offered(_) => None,
            State::Accepted(countersigned)
            | State::Agreed(countersigned, _)
            | State::Verified(countersigned, ..)
            | State::Finalized(countersigned, ..) => Some(countersigned),
            State::Terminated(_, countersigned) => countersigned.as_ref(),
        }
    }

    /// The offer that can be accepted now, or that was accepted.
    pub fn offer(&self) -> Option<&OfferPaper> {
        match &self.state {
            State::Offered(offer) => Some(offer),
            _ => self.countersigned().map(|countersigned| &countersigned.offer),
        }
    }

    /// The entry that the negotiation rests on.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.state {
            State::Agreed(_, entry) | State::Verified(_, entry, _) | State::Finalized(_, entry, _) => Some(entry),
            _ => None,
        }
    }

    /// The acknowledgements so far: consumer's, then provider's.
    pub fn acknowledgements(&self) -> &[String] {
        match &self.state {
            State::Verified(_, _, acknowledgement) => std::slice::from_ref(acknowledgement),
            State::Finalized(_, _, acknowledgements) => acknowledgements,
            _ => &[],
        }
    }
}

impl State {
    /// The state's name in the Dataspace Protocol.
    pub const fn name(&self) -> StateName {
        match self {
            Self::Requested => StateName::Requested,
            Self::Proposed(_) | Self::Offered(_) => StateName::Offered,
            Self::Accepted(_) => StateName::Accepted,
            Self::Agreed(..) => StateName::Agreed,
            Self::Verified(..) => StateName::Verified,
            Self::Finalized(..) => StateName::Finalized,
            Self::Terminated(..) => StateName::Terminated,
        }
    }
}
