use utoipa::ToSchema;

use super::{Asset, ContractId, Did, Jws, Money, Role, StateName, Time};

/// A contract with where it stands.
#[derive(ToSchema)]
#[schema(as = Contract)]
pub struct ContractView {
    /// The contract.
    contract_id: ContractId,
    /// The negotiation that it came of.
    negotiation: String,
    /// This node's side.
    role: Role,
    /// The counterparty.
    counterparty: Did,
    /// This desk's own name for it.
    counterparty_name: Option<String>,
    /// The asset.
    asset: Asset,
    /// The price.
    price: Money,
    /// What dates the contract: its entry's block time.
    recorded: Time,
    /// When it ends by itself.
    ends: Time,
    /// Where the negotiation stands.
    state: StateName,
    /// Where the contract stands.
    standing: StandingView,
}

/// Where a contract stands.
#[derive(ToSchema)]
#[schema(as = ContractStanding)]
pub struct StandingView {
    /// In one word.
    standing: Force,
    /// When it was ended, withdrawn from, or lapsed.
    #[schema(nullable = false)]
    since: Option<Time>,
    /// The ground that the registry shows.
    #[schema(nullable = false)]
    ground: Option<String>,
    /// The block that this was read at.
    #[schema(nullable = false)]
    block: Option<u64>,
    /// When that was.
    #[schema(nullable = false)]
    read_at: Option<Time>,
    /// Whether the chain did not answer now, so that this is what was read last.
    stale: bool,
}

/// Where a contract stands, in one word.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[allow(clippy::enum_variant_names, reason = "the words of the node's own answer")]
pub enum Force {
    /// Recorded at finality, not ended, not withdrawn from, not past its end.
    InForce,
    /// Its provider ended it.
    Ended,
    /// Its consumer withdrew.
    Withdrawn,
    /// Its time is over.
    Lapsed,
    /// The entry is there, and not final yet.
    NotFinal,
    /// The chain could not be read, now or before.
    Unknown,
}

/// A gate's challenge.
#[derive(ToSchema)]
pub struct Challenge {
    /// To be signed.
    nonce: String,
    /// The gate's origin.
    #[schema(example = "https://data.example")]
    aud: String,
    /// Until when.
    expires: Time,
}

/// The answer to a challenge.
#[derive(ToSchema)]
pub struct Presentation {
    /// `<issuer JWT>~<acceptance KB-JWT>`.
    core: String,
    /// `<issuer JWT>~D…~<KB-JWT>`.
    presentation: String,
}

/// A gate's receipt for a delivery.
#[derive(ToSchema)]
#[schema(as = DeliveryReceipt)]
pub struct ReceiptView {
    /// The gate that signed it.
    gate: Did,
    /// How many bytes were delivered.
    #[schema(minimum = 0)]
    bytes: u64,
    /// Which file of a directory it was; absent where it was the asset itself.
    #[schema(nullable = false)]
    part: Option<ListedFile>,
    /// Which bytes of it these were; absent where it was the whole of it.
    #[schema(nullable = false, example = "bytes=0-99")]
    range: Option<String>,
    /// When the delivery began.
    from: Time,
    /// When it was done.
    to: Time,
    /// The receipt, as the gate signed it.
    receipt: Jws,
}

/// A file of a directory, as its `SHA256SUMS` lists it.
#[derive(ToSchema)]
pub struct ListedFile {
    /// Where it is below the directory.
    #[schema(example = "south/b.csv")]
    path: String,
    /// SHA-256 of its bytes, 64 lowercase hexadecimal digits.
    sha256: String,
}
