//! What a desk sees of a proposal.

use serde::Serialize;
use serde_json::Value;

use super::view::{approved, in_words};
use crate::credential::{Asset, rfc3339};
use crate::encoding::Timestamp;
use crate::identity::Did;
use crate::negotiation::{Negotiation, ProposalPaper, State};
use crate::policy::{Fee, Money};

/// A proposal, for people and scripts: what an offer of it would say, and no offer.
#[derive(Clone, Debug, Serialize)]
pub struct ProposalView {
    /// Its id.
    pub id: String,
    /// Until when it can be answered.
    #[serde(with = "rfc3339")]
    pub answer_by: Timestamp,
    /// The template.
    pub template: String,
    /// What its operator calls it.
    pub template_title: Option<String>,
    /// Who approved it.
    pub template_by: Option<Did>,
    /// The asset.
    pub asset: Asset,
    /// The price.
    pub price: Money,
    /// The operator's fee.
    pub fee: Fee,
    /// Who would promise.
    pub promisor: Did,
    /// To whom.
    pub promisee: Did,
    /// The terms as sentences.
    pub in_words: Vec<String>,
    /// The terms as ODRL.
    pub terms: Value,
}

impl ProposalView {
    /// The proposal that waits for an answer in a negotiation, if one does.
    pub(super) fn standing(negotiation: &Negotiation) -> Option<Self> {
        match negotiation.state() {
            State::Proposed(proposal) => Some(Self::of(proposal)),
            _ => None,
        }
    }

    fn of(proposal: &ProposalPaper) -> Self {
        let (template_title, template_by) = approved(&proposal.approval);
        Self {
            id: proposal.id.clone(),
            answer_by: proposal.answer_by,
            template: proposal.template.clone(),
            template_title,
            template_by,
            asset: proposal.asset.clone(),
            price: proposal.price,
            fee: proposal.fee.clone(),
            promisor: proposal.promisor.clone(),
            promisee: proposal.promisee.clone(),
            in_words: in_words(&proposal.terms),
            terms: proposal.terms.clone(),
        }
    }
}
