//! A proposal on the wire: an offer message that begins a negotiation, with the terms instead of a credential.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::checks;
use crate::check::Refusal;
use crate::credential::{Asset, rfc3339};
use crate::encoding::Timestamp;
use crate::identity::Did;
use crate::inbox::Message;
use crate::negotiation::ProposalPaper;
use crate::policy::Money;

/// What a provider proposes, read but not believed.
#[derive(Clone, Debug)]
pub struct Proposed {
    /// Its id.
    pub id: String,
    /// The rest of what it says.
    pub said: Said,
    /// The provider's participant credential.
    pub participant: String,
    /// The template's approval.
    pub approval: String,
}

/// The member `countersign` of a proposal.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    mode: String,
    /// The asset.
    pub asset: Asset,
    /// The price.
    pub price: Money,
    /// The ODRL Offer.
    pub terms: Value,
    /// Who promises.
    pub promisor: Did,
    /// To whom.
    pub promisee: Did,
    /// Until when it can be taken up.
    #[serde(with = "rfc3339")]
    pub answer_by: Timestamp,
}

pub(super) fn body(proposal: &ProposalPaper, us: &Did) -> Value {
    let mut terms = proposal.terms.clone();
    if let Some(object) = terms.as_object_mut() {
        object.remove("@context");
    }
    json!({
        "@type": "ContractOfferMessage",
        "callbackAddress": us,
        "offer": terms,
        "countersign": {
            "mode": "credential",
            "asset": proposal.asset,
            "price": proposal.price,
            "terms": proposal.terms,
            "promisor": proposal.promisor,
            "promisee": proposal.promisee,
            "answer_by": proposal.answer_by.rfc3339(),
        },
    })
}

pub(super) fn read(message: &Message, participant: String, approval: String) -> Result<Proposed, Refusal> {
    let said = message.body.get("countersign").cloned().unwrap_or_default();
    let said = Said::deserialize(said).map_err(|cause| checks::MESSAGE.refuse(format!("countersign: {cause}")))?;
    checks::MODE
        .hold(said.mode == "credential", || "only proposals in mode `credential` are taken from the inbox".into())?;
    let id = message.body.pointer("/offer/@id").and_then(Value::as_str).filter(|id| !id.is_empty() && id.len() <= 256);
    let id = id.ok_or_else(|| checks::MESSAGE.refuse("offer.@id is missing"))?.to_owned();
    Ok(Proposed { id, said, participant, approval })
}
