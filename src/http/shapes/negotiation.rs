use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    Account, Amount, Asset, ContractId, Decision, Did, Digest, Money, PartyView, ProposalView, RoundView, Time,
    Undelivered,
};

/// Which side of the contract a party is on.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Role {
    /// Offers, records, finalises.
    Provider,
    /// Requests, accepts, verifies.
    Consumer,
}

/// The states of the Dataspace Protocol.
#[derive(ToSchema)]
#[schema(rename_all = "UPPERCASE")]
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

/// A decision that needs consent.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Point {
    /// REQUESTED → OFFERED, the provider's.
    Offer,
    /// OFFERED → ACCEPTED, the consumer's.
    Accept,
    /// ACCEPTED → AGREED, the provider's.
    Record,
}

/// A negotiation.
#[derive(ToSchema)]
#[schema(as = Negotiation)]
pub struct NegotiationView {
    /// This node's id of it.
    #[schema(example = "urn:uuid:f46f8a7e-6a6f-4a3f-9e0b-0f5d2c7316a1")]
    id: String,
    /// This node's side.
    role: Role,
    /// The counterparty.
    counterparty: Did,
    /// This desk's own name for it.
    counterparty_name: Option<String>,
    /// Provider and consumer, with what is proven about them.
    parties: Vec<PartyView>,
    /// The consumer's pid, once known.
    consumer_pid: Option<String>,
    /// The provider's pid, once known.
    provider_pid: Option<String>,
    /// Where it stands.
    state: StateName,
    /// The asset asked for.
    asset: String,
    /// What this side has to decide, if it is its turn.
    waits_for: Option<Point>,
    /// The same, with who decides and until when.
    due: Option<Due>,
    /// Whether what is on the table is what the provider's catalog says; null where this side has seen none.
    cataloged: Option<bool>,
    /// Who promises, by what is on the table.
    promisor: Did,
    /// To whom.
    promisee: Did,
    /// Since when this node, restored from a copy, decides nothing here any more.
    held_since: Option<Time>,
    /// The offer that stands or was accepted.
    offer: Option<OfferView>,
    /// The proposal that stands and waits for an answer: nobody is bound by it.
    proposal: Option<ProposalView>,
    /// What was put on the table one after the other, and what changed each time.
    rounds: Vec<RoundView>,
    /// How many offers there were.
    #[schema(minimum = 0)]
    offers: u64,
    /// SHA-256 of the core, once both have signed.
    hash: Option<Digest>,
    /// The entry, once it stands.
    entry: Option<Entry>,
    /// The consumer's wish to cancel what it has accepted.
    cancel_asked: Option<String>,
    /// Why it ended without a contract.
    ending: Option<Ending>,
    /// An entry that appeared although the negotiation was terminated: the contract exists all the same.
    entry_despite_termination: Option<Entry>,
    /// The states entered, oldest first, with who decided.
    history: Vec<Moved>,
    /// What was decided on this side: by whom, when, and on which text.
    decisions: Vec<Decided>,
    /// Messages on their way out, with what became of them.
    messages: Vec<MessageView>,
    /// What keeps a message from getting through; null where nothing does.
    undelivered: Option<Undelivered>,
}

/// An offer.
#[derive(ToSchema)]
#[schema(as = Offer)]
pub struct OfferView {
    /// The contract's id.
    contract_id: ContractId,
    /// SHA-256 of the issuer JWT: what an acceptance binds.
    sha256: Digest,
    /// When it was made.
    made: Time,
    /// Until when it can be accepted.
    accept_by: Time,
    /// Until when it must be recorded.
    record_by: Time,
    /// End of the contract.
    ends: Time,
    /// The registry, as an EVES-007 URN.
    registry: String,
    /// Who records it.
    recorder: Account,
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
    /// Who promises.
    promisor: Did,
    /// To whom.
    promisee: Did,
    /// The terms as sentences.
    in_words: Vec<String>,
    /// The terms as ODRL.
    #[schema(value_type = Object)]
    terms: Value,
}

/// The operator's fee.
#[derive(ToSchema)]
pub struct Fee {
    /// How much.
    amount: Amount,
    /// ISO 4217 code.
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    currency: String,
    /// By which kind of rule.
    rule: FeeRule,
    /// The price that a percentage or a tier was taken of.
    #[schema(nullable = false)]
    base: Option<Amount>,
}

/// The kinds of fee rule.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum FeeRule {
    /// The same for every contract.
    Fixed,
    /// A share of the price, at least a minimum.
    Percentage,
    /// By the price's size.
    Tiered,
}

/// A registry entry.
#[derive(ToSchema)]
pub struct Entry {
    /// EIP-155 chain id.
    chain_id: u64,
    /// The registry contract.
    registry: Account,
    /// Who recorded it.
    recorder: Account,
    /// The recorded hash.
    hash: Digest,
    /// The transaction's hash.
    transaction: Digest,
    /// The log's index in its block.
    log_index: u64,
    /// Height of the block.
    block: u64,
    /// Hash of the block.
    block_hash: Digest,
    /// The block's time: what dates the contract.
    block_time: Time,
}

/// Why and by whom a negotiation was terminated.
#[derive(ToSchema)]
pub struct Ending {
    /// Who ended it.
    by: Role,
    /// `rejected`, `cancelled`, `timeout.accept-by`, … or the id of the failed check.
    #[schema(example = "rejected")]
    code: String,
    /// For people.
    reason: String,
}

/// One entry of the history.
#[derive(ToSchema)]
pub struct Moved {
    /// The state entered.
    state: StateName,
    /// When, by this node's clock.
    at: Time,
    /// Who decided, where a decision of this side led here.
    #[schema(nullable = false)]
    decided: Option<Decider>,
}

/// What somebody on this side decided.
#[derive(ToSchema)]
pub struct Decided {
    /// What was decided.
    act: Act,
    /// Who decided.
    by: Decider,
    /// When, by this node's clock.
    at: Time,
    /// The offer that it was decided on; absent where no offer stood.
    #[schema(nullable = false)]
    on: Option<Digest>,
}

/// What can be decided.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
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
    /// In plain mode: the consumer asked, or asked anew.
    Counter,
    /// In plain mode: the provider agreed.
    Agree,
    /// In plain mode: the consumer verified the agreement.
    Verify,
    /// In plain mode: the provider finalized it.
    Finalize,
    /// In plain mode: either side ended it.
    Terminate,
    /// The provider ended the contract.
    End,
    /// The consumer withdrew from the contract.
    Withdraw,
}

/// A decision that is this side's turn.
#[derive(ToSchema)]
pub struct Due {
    /// What is to be decided.
    decision: Decision,
    /// Whether a person must decide: no rule of the configuration does, or the one that should cannot.
    person: bool,
    /// The rule that decides, where one does.
    #[schema(nullable = false)]
    rule: Option<String>,
    /// Why that rule could not decide.
    #[schema(nullable = false)]
    stuck: Option<String>,
    /// Until when; afterwards it is too late.
    #[schema(nullable = false)]
    until: Option<Time>,
}

/// Who decided.
#[derive(ToSchema)]
pub struct Decider {
    /// A person through this interface, or a rule of the configuration.
    kind: DeciderKind,
    /// The name of the person's key (`desk` is the owner's), or the rule's name.
    #[schema(example = "desk")]
    name: String,
}

/// What kind of decider.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum DeciderKind {
    /// Through this interface.
    Person,
    /// By a rule of the configuration.
    Rule,
}

/// A message on its way out.
#[derive(ToSchema)]
#[schema(as = Message)]
pub struct MessageView {
    /// Its id.
    id: String,
    /// How often it was sent.
    attempts: u32,
    /// Whether it is done.
    done: bool,
    /// What the last attempt or the answer said.
    note: Option<String>,
}

/// A message or an envelope that was refused.
#[derive(ToSchema)]
pub struct RefusedMessage {
    /// When.
    at: Time,
    /// The key that is said to have signed; null for an envelope that did not open.
    signer: Option<String>,
    /// The check that failed.
    #[schema(example = "jws.signature")]
    check: String,
    /// What was found and what was expected.
    detail: String,
}

/// What a consumer asks for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestOrder {
    /// Of whom.
    provider: Did,
    /// Which asset.
    #[schema(example = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0001")]
    asset: String,
    /// A wish for the template.
    template: Option<String>,
    /// Wishes for the template's parameters.
    #[schema(required = false)]
    parameters: BTreeMap<String, Value>,
    /// A wish for the price.
    price: Option<Money>,
    /// Who promises; the provider when absent.
    promisor: Option<Did>,
    /// To whom; this party when absent.
    promisee: Option<Did>,
}

/// What a provider says about an offer; what it leaves out is as the asset is listed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferOrder {
    /// Another template than the listing's.
    template: Option<String>,
    /// Values of the template's parameters.
    parameters: Option<BTreeMap<String, Value>>,
    /// Another price.
    price: Option<Money>,
    /// Seconds until it can be accepted.
    #[schema(example = 172800)]
    accept_within: Option<i64>,
    /// Seconds until it must be recorded.
    #[schema(example = 259200)]
    record_within: Option<i64>,
    /// Seconds until the contract ends.
    #[schema(example = 31536000)]
    valid_for: Option<i64>,
}
