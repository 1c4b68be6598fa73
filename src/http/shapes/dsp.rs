use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Decider, Mode, Role, StateName, Time};

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
    /// Who promises; the provider when neither is named, otherwise the other of the two.
    #[schema(nullable = false)]
    promisor: Option<String>,
    /// To whom; the consumer when neither is named, otherwise the other of the two.
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

/// What this side can do in a plain negotiation.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum PlainAct {
    /// As provider, put other terms on the table.
    Offer,
    /// As consumer, put other terms on the table.
    Counter,
    /// As consumer, accept.
    Accept,
    /// As provider, agree.
    Agree,
    /// As consumer, verify the agreement.
    Verify,
    /// As provider, finalize it.
    Finalize,
    /// End it.
    Terminate,
}

/// Whose turn it is.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum PlainTurn {
    /// A person of this side decides.
    Person,
    /// This node does what the configuration decides.
    Node,
    /// The counterparty's.
    Counterparty,
    /// It is over.
    Nobody,
}

/// A plain negotiation.
#[derive(ToSchema)]
pub struct PlainNegotiation {
    /// This node's id of it.
    id: String,
    /// `plain`.
    mode: Mode,
    /// Whether a contract is signed: never in plain mode.
    signed: bool,
    /// Its state in the Dataspace Protocol.
    state: StateName,
    /// This party's side.
    role: Role,
    /// The counterparty.
    counterparty: String,
    /// This desk's own name for it.
    counterparty_name: Option<String>,
    /// Where the counterparty takes messages.
    address: String,
    /// The consumer's id of it, once it is known.
    consumer_pid: Option<String>,
    /// The provider's id of it, once it is known.
    provider_pid: Option<String>,
    /// Who began it.
    began: Role,
    /// The dataset.
    dataset: String,
    /// Whether the offer that stands is the catalog's; null where nobody knows.
    cataloged: Option<bool>,
    /// Who promises what to whom.
    parties: PlainParties,
    /// Whether a person of this side has to decide.
    person: bool,
    /// Whose turn it is.
    turn: PlainTurn,
    /// When it ends by itself unless somebody moves it before.
    until: Option<Time>,
    /// Whether this node, restored from a copy, decides nothing here any more: it can only be ended.
    held: bool,
    /// What this side can do now.
    acts: Vec<PlainAct>,
    /// Every offer that was on the table, oldest first; the last one stands.
    offers: Vec<PlainOffer>,
    /// The ODRL Agreement, from AGREED on; its terms are those of the offer that stands.
    #[schema(value_type = Option<Object>)]
    agreement: Option<Value>,
    /// Why it ended without one.
    ending: Option<PlainEnding>,
    /// Whether the counterparty has taken everything that this side said. Of what is over: whether it knows of the end.
    acknowledged: bool,
    /// This side's messages that the counterparty has not taken: on their way, or tried no more.
    messages: Vec<PlainMessage>,
    /// The states entered, oldest first.
    history: Vec<PlainEntered>,
    /// When it began.
    began_at: Option<Time>,
}

/// The four roles of an offer.
#[derive(ToSchema)]
pub struct PlainParties {
    /// Whose data it is.
    provider: String,
    /// Who uses it.
    consumer: String,
    /// Who promises.
    promisor: String,
    /// To whom.
    promisee: String,
}

/// An offer that was on the table, of either side.
#[derive(ToSchema)]
pub struct PlainOffer {
    /// Whose it is.
    by: Role,
    /// When it came, by this node's clock.
    at: Time,
    /// The ODRL Offer.
    #[schema(value_type = Object)]
    offer: Value,
    /// Whether its terms are those of the provider's catalog; null where nobody knows.
    cataloged: Option<bool>,
    /// Who promises what to whom.
    parties: PlainParties,
    /// The terms, each as a sentence; what has no sentence as JSON.
    in_words: Vec<String>,
    /// What its terms changed against the offer before it.
    changes: Option<PlainChanges>,
}

/// How the terms of an offer differ from those of the one before: by the member that they stand under, and what.
#[derive(ToSchema)]
pub struct PlainChanges {
    /// What was not there before.
    added: Vec<Vec<Value>>,
    /// What is gone.
    removed: Vec<Vec<Value>>,
}

/// A message of this side that the counterparty has not taken.
#[derive(ToSchema)]
pub struct PlainMessage {
    /// Its id.
    id: Option<String>,
    /// What it is.
    #[schema(example = "acceptance")]
    kind: String,
    /// How often it was tried in vain since this node started.
    attempts: u32,
    /// Whether it is tried no more: the counterparty never took it.
    done: bool,
    /// What the counterparty answered last, or why there was no answer.
    note: Option<String>,
}

/// Why and by whom a plain negotiation was ended.
#[derive(ToSchema)]
pub struct PlainEnding {
    /// Who ended it.
    by: Role,
    /// A short stable code, where one was given.
    code: Option<String>,
    /// For people, in the counterparty's own form.
    reason: Vec<Value>,
}

/// A state that was entered.
#[derive(ToSchema)]
pub struct PlainEntered {
    /// The state.
    state: StateName,
    /// When, by this node's clock.
    at: Time,
    /// Whose message led there.
    by: Role,
    /// Who decided, where this side did.
    #[schema(nullable = false)]
    decided: Option<Decider>,
    /// Of an agreement: other ids under which the provider said it again.
    #[schema(nullable = false)]
    renamed: Option<Vec<String>>,
}

/// Whose catalog is read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PeerCatalogOrder {
    /// Whose: a DID, or the name that `[[dsp.literal]]` gives a party.
    counterparty: String,
    /// Where it takes messages, its version path included; where `[[dsp.peer]]` or its own messages say when absent.
    #[schema(nullable = false, format = "uri", example = "https://provider.example/dsp/2025-1")]
    address: Option<String>,
    /// What the request filters by, in the provider's own form; between wallets the ids of datasets.
    #[schema(required = false)]
    filter: Vec<Value>,
}

/// Another connector's catalog, as far as it reads.
#[derive(ToSchema)]
pub struct PeerCatalog {
    /// Whose it was asked for as.
    counterparty: String,
    /// Where it was asked for.
    address: String,
    /// Whose the catalog itself says that it is.
    participant: Option<String>,
    /// What it lists.
    datasets: Vec<PeerDataset>,
    /// How many pages were read.
    #[schema(minimum = 0)]
    pages: u64,
    /// Whether there is more than was read.
    more: bool,
    /// How many entries did not read as datasets.
    #[schema(minimum = 0)]
    unread: u64,
}

/// A dataset in another connector's catalog.
#[derive(ToSchema)]
pub struct PeerDataset {
    /// Its id: what a negotiation is about.
    id: String,
    /// What it is called, where it says so.
    title: Option<String>,
    /// What it is offered on.
    offers: Vec<PeerOffer>,
    /// How it can be had.
    formats: Vec<String>,
}

/// An offer in another connector's catalog.
#[derive(ToSchema)]
pub struct PeerOffer {
    /// Its id.
    id: String,
    /// Who promises, where the catalog says so; the provider otherwise.
    promisor: Option<String>,
    /// The terms, each as a sentence; what has no sentence as JSON.
    in_words: Vec<String>,
    /// The terms as they stand there.
    terms: Map<String, Value>,
}
