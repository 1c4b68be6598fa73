use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Asset, Did, Digest, Fee, Money, Role, Time};

/// One side's turn: what it asked for, proposed or offered.
#[derive(ToSchema)]
#[schema(as = Round)]
pub struct RoundView {
    /// Whose turn it was.
    by: Role,
    /// What it was.
    kind: RoundKind,
    /// Its id; a request for what is listed has none.
    id: Option<String>,
    /// What an acceptance of it would bind; only an offer has one.
    sha256: Option<Digest>,
    /// When it came here, or left.
    at: Time,
    /// Its terms by name; a request names only what it wishes for.
    terms: BTreeMap<String, Value>,
    /// What it says differently from what was said before.
    changes: Vec<Change>,
}

/// What can be put on the table.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum RoundKind {
    /// The consumer asked.
    Request,
    /// The provider proposed terms.
    Proposal,
    /// The provider signed an offer.
    Offer,
}

/// One term that changed.
#[derive(ToSchema)]
pub struct Change {
    /// Which: `price`, `template`, `promisor`, `promisee`, `ends` or `parameter NAME`.
    #[schema(example = "price")]
    term: String,
    /// What was said before.
    from: Value,
    /// What is said now.
    to: Value,
}

/// What a provider proposes; what it leaves out is as the asset is listed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposalOrder {
    /// To whom.
    consumer: Did,
    /// Which asset; it has to be listed, and need not be cataloged.
    #[schema(example = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0001")]
    asset: String,
    /// Another template than the listing's.
    template: Option<String>,
    /// Values of the template's parameters.
    parameters: Option<BTreeMap<String, Value>>,
    /// Another price.
    price: Option<Money>,
    /// Who promises; this party when absent.
    promisor: Option<Did>,
    /// To whom; the consumer when absent.
    promisee: Option<Did>,
    /// Seconds until it can be taken up.
    #[schema(minimum = 1)]
    answer_within: Option<i64>,
}

/// A proposal: what an offer of it would say, and no offer.
#[derive(ToSchema)]
#[schema(as = Proposal)]
pub struct ProposalView {
    /// Its id.
    id: String,
    /// Until when it can be answered.
    answer_by: Time,
    /// The template.
    template: String,
    /// What its operator calls it.
    template_title: Option<String>,
    /// Who approved it.
    template_by: Option<Did>,
    /// The asset.
    asset: Asset,
    /// The price.
    price: Money,
    /// The operator's fee.
    fee: Fee,
    /// Who would promise.
    promisor: Did,
    /// To whom.
    promisee: Did,
    /// The terms as sentences.
    in_words: Vec<String>,
    /// The terms as ODRL.
    #[schema(value_type = Object)]
    terms: Value,
}
