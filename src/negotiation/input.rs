use super::{CorePaper, Decider, OfferPaper, RequestPaper};
use crate::check::Refusal;
use crate::credential::{Acknowledgement, Entry, Head, Termination};
use crate::identity::Verified;

/// What can make a negotiation move. Everything in it has been verified by the node; the machine decides what it means.
#[derive(Clone, Debug)]
pub enum Input {
    /// A message of the counterparty.
    Received(Received),
    /// A decision of this side.
    Ordered(Command),
    /// What the chain shows.
    Observed(Observation),
    /// Nothing but time has passed.
    Elapsed,
}

/// A verified message of the counterparty.
#[derive(Clone, Debug)]
pub enum Received {
    /// The consumer asks anew.
    CounterRequest(RequestPaper),
    /// The provider's offer.
    Offer(Box<OfferPaper>),
    /// The consumer's acceptance, joined with the offer that stands here.
    Acceptance(CorePaper),
    /// The provider says that the entry stands.
    Agreement(Entry),
    /// The consumer's acknowledgement of the entry, with its text.
    Verification(Verified<Acknowledgement>, String),
    /// The provider's acknowledgement of the entry, with its text.
    Finalization(Verified<Acknowledgement>, String),
    /// The counterparty's signed termination.
    Termination(Verified<Termination>),
}

/// A decision of this side.
#[derive(Clone, Debug)]
pub enum Command {
    /// Provider: make this offer.
    Offer(Box<OfferPaper>, Decider),
    /// Consumer: ask anew, or take a proposal up.
    CounterRequest(RequestPaper, Decider),
    /// Consumer: accept the offer that stands.
    Accept(CorePaper, Decider),
    /// Provider: record the contract.
    Record(Decider),
    /// Either: end it, with a reason; a consumer that has accepted can only ask.
    Terminate {
        /// `rejected` or `cancelled`.
        code: String,
        /// For the counterparty.
        reason: String,
        /// Who decided to.
        by: Decider,
    },
}

/// What the chain shows about a contract.
#[derive(Clone, Debug)]
pub enum Observation {
    /// Provider: the record's receipt, with status 1; not final yet.
    Receipt(Entry),
    /// Rule R holds at finality; with this side's signed acknowledgement of the entry.
    Concluded(Entry, String),
    /// Rule R cannot hold any more: the failed check.
    Broken(Refusal),
    /// No entry up to this finalised block.
    Nothing(Head),
}
