use super::{OfferPaper, ProposalPaper, RequestPaper};

/// What one side put on the table at a time: the history of a negotiation's terms is a list of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Round {
    /// The consumer asked.
    Request(Box<RequestPaper>),
    /// The provider proposed terms.
    Proposal(Box<ProposalPaper>),
    /// The provider offered.
    Offer(Box<OfferPaper>),
}
