use serde::Deserialize;
use utoipa::ToSchema;

use super::{ContractId, Decided, Digest, Due, Ending, Mode, Role, StateName, Time};

/// The process answers.
#[derive(ToSchema)]
pub struct Health {
    /// `ok`.
    #[schema(pattern = "^ok$")]
    status: String,
}

/// Whether a node does its work.
#[derive(ToSchema)]
pub struct Readiness {
    /// `ready` or `not ready`.
    #[schema(pattern = "^(ready|not ready)$")]
    status: String,
    /// What keeps it from its work.
    #[schema(nullable = false)]
    missing: Option<Vec<Missing>>,
    /// What may be wrong.
    #[schema(nullable = false)]
    hints: Option<Vec<String>>,
}

/// Something that keeps a node from its work.
#[derive(ToSchema)]
pub struct Missing {
    /// `clock`, `chain` or `gate`.
    #[schema(pattern = "^(clock|chain|gate)$")]
    what: String,
    /// Why, for who brings a key.
    #[schema(nullable = false)]
    why: Option<String>,
}

/// What a key may do; each holds the one before it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Scope)]
pub enum KeyScope {
    /// Looks.
    Read,
    /// Decides in negotiations and uses contracts.
    Decide,
    /// Sets up.
    Admin,
}

/// A key to the management interface.
#[derive(ToSchema)]
#[schema(as = ApiKey)]
pub struct KeyView {
    /// Its name, as histories show who decided.
    #[schema(example = "erp")]
    name: String,
    /// What it may do.
    scope: KeyScope,
    /// When it was made.
    made: Time,
    /// When it was used last, to the minute; absent when it never was.
    #[schema(nullable = false)]
    used: Option<Time>,
}

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApiKeyOrder)]
pub struct KeyOrder {
    /// Its name.
    #[schema(pattern = "^[A-Za-z0-9_.@][A-Za-z0-9_.@-]{0,63}$", example = "erp")]
    name: String,
    /// What it may do.
    scope: KeyScope,
}

/// A key that was just made.
#[derive(ToSchema)]
#[schema(as = NewApiKey)]
pub struct NewKey {
    /// Its name.
    name: String,
    /// What it may do.
    scope: KeyScope,
    /// The key; it is shown this once.
    #[schema(pattern = "^csk_[A-Za-z0-9_-]{43}$")]
    key: String,
}

/// What was told, and where the series stands.
#[derive(ToSchema)]
pub struct Events {
    /// What was told, oldest first.
    events: Vec<Told>,
    /// The place of what was told last: ask again from the last `id` here until it is reached.
    #[schema(minimum = 0)]
    last: u64,
}

/// Something that a desk is told.
///
/// `requested`, `proposed`, `named`, `joined`, `counter-requested`, `offered`, `accepted`, `cancel-asked`, `record-ordered`, `agreed`,
/// `verified`, `finalized`, `terminated` and `entry-despite-termination` happen to a negotiation, and say how it stood
/// then; `delivery-failing` and `message-turned-down` are of messages to a counterparty, `message-refused` of what came
/// in; `contract-ended` and `contract-withdrawn` are seen on the chain. `plain-requested`, `plain-offered`, `plain-accepted`,
/// `plain-agreed`, `plain-verified`, `plain-finalized` and `plain-terminated` are messages of plain negotiations over the
/// Dataspace Protocol, which nobody signs: `mode` says so. Others may be added.
#[derive(ToSchema)]
#[schema(as = Event)]
pub struct Told {
    /// Its place in the series, which outlives the node; a later one is larger.
    #[schema(minimum = 1)]
    id: u64,
    /// What kind of thing it is.
    #[schema(example = "offered")]
    r#type: String,
    /// When, by this node's clock.
    at: Time,
    /// The negotiation that it belongs to.
    #[schema(nullable = false)]
    negotiation: Option<String>,
    /// Whether the negotiation is on the way to a contract, or plain.
    #[schema(nullable = false)]
    mode: Option<Mode>,
    /// This node's side.
    #[schema(nullable = false)]
    role: Option<Role>,
    /// The counterparty: a DID, or in plain mode also the name that the configuration gives a party.
    #[schema(nullable = false)]
    counterparty: Option<String>,
    /// This desk's own name for it.
    #[schema(nullable = false)]
    counterparty_name: Option<String>,
    /// The asset.
    #[schema(nullable = false)]
    asset: Option<String>,
    /// The negotiation's state.
    #[schema(nullable = false)]
    state: Option<StateName>,
    /// The offer that stood.
    #[schema(nullable = false)]
    offer_sha256: Option<Digest>,
    /// The id of the offer that stood, in plain mode.
    #[schema(nullable = false)]
    offer: Option<String>,
    /// In plain mode: whether its terms are those of the catalog; absent where nobody knows.
    #[schema(nullable = false)]
    cataloged: Option<bool>,
    /// The contract that the offer is of.
    #[schema(nullable = false)]
    contract_id: Option<ContractId>,
    /// The decision of this side that it was: by whom, and on which text.
    #[schema(nullable = false)]
    decided: Option<Decided>,
    /// What waited for this side from then on.
    #[schema(nullable = false)]
    waits_for: Option<Due>,
    /// Why the negotiation ended without a contract.
    #[schema(nullable = false)]
    ending: Option<Ending>,
    /// The consumer's wish to cancel what it accepted.
    #[schema(nullable = false)]
    cancel_asked: Option<String>,
    /// Whom a message is for.
    #[schema(nullable = false)]
    peer: Option<String>,
    /// The message's id.
    #[schema(nullable = false)]
    message: Option<String>,
    /// The contract that was ended or withdrawn from.
    #[schema(nullable = false)]
    contract: Option<ContractId>,
    /// The check that a refused message broke.
    #[schema(nullable = false)]
    check: Option<String>,
    /// Why, for people.
    #[schema(nullable = false)]
    detail: Option<String>,
}
