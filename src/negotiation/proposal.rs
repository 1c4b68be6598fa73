use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::RequestPaper;
use crate::credential::{Asset, rfc3339};
use crate::encoding::Timestamp;
use crate::identity::Did;
use crate::policy::{Fee, Money};

/// What a provider proposes of its own accord to a consumer that has not asked (`protocol.md` 2): terms that it signed,
/// not yet a credential, because that is bound to a key that only the consumer can make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalPaper {
    /// Its id: `urn:uuid:`, new for every proposal.
    pub id: String,
    /// The asset.
    pub asset: Asset,
    /// The template's id.
    pub template: String,
    /// The approval of the template.
    pub approval: String,
    /// The values of the template's parameters, as the terms have them.
    pub parameters: BTreeMap<String, Value>,
    /// The price.
    pub price: Money,
    /// The operator's fee, as the template yields it for that price.
    pub fee: Fee,
    /// The ODRL Offer, with the proposal's id where the contract's goes.
    pub terms: Value,
    /// Who promises.
    pub promisor: Did,
    /// To whom.
    pub promisee: Did,
    /// The provider's participant credential.
    pub participant: String,
    /// Until when it can be taken up.
    #[serde(with = "rfc3339")]
    pub answer_by: Timestamp,
}

impl ProposalPaper {
    /// Whether a request takes this proposal up: it names it, and asks for exactly what it says.
    pub fn is_taken_up_by(&self, request: &RequestPaper) -> bool {
        request.offer_id.as_ref() == Some(&self.id)
            && request.asset == self.asset.id
            && request.template.as_ref() == Some(&self.template)
            && request.parameters == self.parameters
            && request.price == Some(self.price)
            && request.promisor.as_ref() == Some(&self.promisor)
            && request.promisee.as_ref() == Some(&self.promisee)
    }
}
