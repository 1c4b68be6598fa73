use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// What a plain negotiation is begun with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlainStart {
    /// With whom: a DID, or the name that `[[dsp.literal]]` gives a party.
    #[schema(example = "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169")]
    counterparty: String,
    /// Where it takes messages, its version path included.
    #[schema(format = "uri", example = "https://provider.example/dsp/2025-1")]
    address: String,
    /// About which dataset.
    dataset: String,
    /// This party's side: `consumer` or `provider`; the consumer's when absent.
    #[schema(required = false, example = "consumer")]
    role: String,
    /// The offer's id; optional when terms are given.
    #[schema(nullable = false)]
    offer: Option<String>,
    /// permission, prohibition, obligation, profile; those of the provider's catalog when absent.
    #[schema(nullable = false, example = json!({ "permission": [{ "action": "use" }] }))]
    terms: Option<Map<String, Value>>,
    /// Who promises; the provider when absent.
    #[schema(nullable = false)]
    promisor: Option<String>,
    /// To whom; the consumer when absent.
    #[schema(nullable = false)]
    promisee: Option<String>,
}

/// What a decision in a plain negotiation says beside its kind; everything can be left out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlainOrder {
    /// The terms of an offer or a counter-offer.
    #[schema(nullable = false, example = json!({ "permission": [{ "action": "use" }] }))]
    terms: Option<Map<String, Value>>,
    /// The offer that was read: another one that stands meanwhile is refused.
    #[schema(nullable = false)]
    offer: Option<String>,
    /// Who promises.
    #[schema(nullable = false)]
    promisor: Option<String>,
    /// To whom.
    #[schema(nullable = false)]
    promisee: Option<String>,
    /// Why it ends, as a short stable code.
    #[schema(nullable = false)]
    code: Option<String>,
    /// Why it ends, for people.
    #[schema(nullable = false)]
    reason: Option<String>,
}

/// A dataset that is offered over the Dataspace Protocol.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlainDataset {
    /// Its id: the target of every offer for it.
    id: String,
    /// For people.
    #[schema(required = false)]
    title: String,
    /// What it is offered on.
    offers: Vec<PlainTerms>,
    /// How it can be had; `HttpData-PULL` when absent.
    #[schema(required = false)]
    distributions: Vec<PlainWay>,
    /// Further members of its entry.
    #[schema(required = false)]
    extra: Map<String, Value>,
}

/// An offer of a catalog.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlainTerms {
    /// Its id.
    id: String,
    /// permission, prohibition, obligation, profile.
    #[schema(example = json!({ "permission": [{ "action": "use" }] }))]
    terms: Map<String, Value>,
    /// Who promises; the provider when absent.
    #[schema(nullable = false)]
    promisor: Option<String>,
}

/// A way to have a dataset.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlainWay {
    /// For example `HttpData-PULL`.
    #[schema(example = "HttpData-PULL")]
    format: String,
}

/// A plain negotiation.
#[derive(ToSchema)]
pub struct PlainNegotiation {
    /// This node's id of it.
    id: String,
    /// `plain`.
    mode: String,
    /// Whether a contract is signed: never in plain mode.
    signed: bool,
    /// Its state in the Dataspace Protocol.
    #[schema(example = "REQUESTED")]
    state: String,
    /// This party's side.
    #[schema(example = "consumer")]
    role: String,
    /// The counterparty.
    counterparty: String,
    /// Where the counterparty takes messages.
    address: String,
    /// The consumer's id of it, once it is known.
    consumer_pid: Option<String>,
    /// The provider's id of it, once it is known.
    provider_pid: Option<String>,
    /// Who began it.
    began: String,
    /// The dataset.
    dataset: String,
    /// Whether the offer that stands is the catalog's; null where nobody knows.
    cataloged: Option<bool>,
    /// provider, consumer, promisor, promisee.
    parties: Map<String, Value>,
    /// Whether a person of this side has to decide.
    person: bool,
    /// What this side can do now.
    acts: Vec<String>,
    /// Every offer that was on the table, oldest first, with what it changed.
    offers: Vec<Value>,
    /// The ODRL Agreement, from AGREED on.
    agreement: Option<Value>,
    /// Why it ended without one.
    ending: Option<Value>,
    /// The states entered.
    history: Vec<Value>,
    /// When it began.
    #[schema(format = "date-time")]
    began_at: Option<String>,
}
