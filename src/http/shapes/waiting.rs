use utoipa::ToSchema;

use super::{Digest, Money, PlainAct, Time};

/// Whether a contract comes of it.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Mode {
    /// Both sides sign: a contract.
    Credential,
    /// Over the Dataspace Protocol, and nobody signs.
    Plain,
}

/// What there is to decide.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Decision {
    /// To make an offer.
    Offer,
    /// To accept the one on the table.
    Accept,
    /// To have the contract recorded.
    Record,
    /// In plain mode: to agree to what was asked for or accepted.
    Agree,
    /// In plain mode: to verify the agreement.
    Verify,
    /// In plain mode: to finalize it.
    Finalize,
}

/// Something that waits for a person.
#[derive(ToSchema)]
pub struct Waiting {
    /// Whether it is on the way to a contract, or plain.
    mode: Mode,
    /// The negotiation.
    negotiation: String,
    /// What is to be decided; in plain mode what leads on.
    decision: Decision,
    /// Whether a person must decide: no rule of the configuration does, or the one that should cannot.
    person: bool,
    /// The rule that decides, where one does.
    #[schema(nullable = false)]
    rule: Option<String>,
    /// Why that rule could not decide.
    #[schema(nullable = false)]
    stuck: Option<String>,
    /// In plain mode: everything that this side can do now, by its name in `/api/dsp/negotiations/{id}/{act}`.
    #[schema(nullable = false)]
    acts: Option<Vec<PlainAct>>,
    /// In plain mode: the command that shows all of it.
    #[schema(nullable = false, example = "countersign dsp show 5b0f6a3e")]
    command: Option<String>,
    /// With whom: a DID, or in plain mode also the name that the configuration gives a party.
    counterparty: String,
    /// This desk's own name for it.
    #[schema(nullable = false)]
    counterparty_name: Option<String>,
    /// The id of the asset, or in plain mode of the dataset.
    asset: String,
    /// What the asset is called.
    #[schema(nullable = false)]
    title: Option<String>,
    /// Whether the terms are those of the catalog; absent where this side has not seen one.
    #[schema(nullable = false)]
    cataloged: Option<bool>,
    /// The offer that is to be decided on.
    #[schema(nullable = false)]
    offer_sha256: Option<Digest>,
    /// In plain mode: the id of the offer on the table.
    #[schema(nullable = false)]
    offer: Option<String>,
    /// In plain mode: who promises.
    #[schema(nullable = false)]
    promisor: Option<String>,
    /// In plain mode: to whom.
    #[schema(nullable = false)]
    promisee: Option<String>,
    /// The price on the table.
    #[schema(nullable = false)]
    price: Option<Money>,
    /// Until when; afterwards it is too late.
    #[schema(nullable = false)]
    until: Option<Time>,
    /// The consumer's wish to cancel what it accepted.
    #[schema(nullable = false)]
    cancel_asked: Option<String>,
}
