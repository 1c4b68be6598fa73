use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Account, Amount, ContractId, Did, Digest, Hash, LegalId, Money, Summary, Time};

/// Which fees are to be invoiced.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvoiceOrder {
    /// The provider.
    provider: Did,
    /// The first second of the period.
    from: Time,
    /// The first second after the period.
    until: Time,
    /// Whether it is only shown what the invoice would be, and nothing issued.
    #[schema(required = false, default = false)]
    preview: bool,
}

/// Which fees of an invoice are taken back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreditOrder {
    /// The contracts; everything that was not credited yet when empty.
    #[schema(required = false)]
    contracts: Vec<ContractId>,
    /// Why; it stands on the credit note.
    reason: String,
}

/// A payment to record.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PaymentOrder {
    /// The invoice's number.
    #[schema(example = "INV-000007")]
    invoice: String,
    /// How much.
    amount: Amount,
    /// In which currency; that of the invoice when it has one.
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    currency: Option<String>,
    /// The day of the payment, as the bank has it.
    #[schema(format = "date", example = "2026-12-03")]
    date: String,
    /// What the bank's statement calls it.
    reference: String,
    /// Whether the operator paid it back to the provider.
    #[schema(required = false, default = false)]
    refund: bool,
}

/// Why a payment does not count.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoidOrder {
    /// The reason; it stays with the payment.
    reason: String,
}

/// What came in for a period.
#[derive(ToSchema)]
pub struct Collection {
    /// The first second of the period.
    from: Time,
    /// The first second after the period.
    until: Time,
    /// Each member that could have something to state.
    providers: Vec<Collected>,
}

/// What came in of one provider.
#[derive(ToSchema)]
pub struct Collected {
    /// The provider.
    provider: Did,
    /// Its name in law.
    legal_name: String,
    /// `complete`, `missing`, `disputed` or `nothing`.
    #[schema(pattern = "^(complete|missing|disputed|nothing)$")]
    state: String,
    /// The audited statements that touch the period.
    statements: Vec<Summary>,
    /// The parts of the period that no statement covers.
    gaps: Vec<Gap>,
    /// How many entries its recorders have in the period.
    #[schema(minimum = 0)]
    entries: u64,
    /// How many of these an audit found due.
    #[schema(minimum = 0)]
    stated: u64,
    /// Those that are not.
    missing: Vec<Unstated>,
}

/// A part of the period that no statement covers.
#[derive(ToSchema)]
pub struct Gap {
    /// Its first second.
    from: Time,
    /// The first second after it.
    until: Time,
}

/// An entry in the registry that no audit found due.
#[derive(ToSchema)]
pub struct Unstated {
    /// The contract.
    contract_id: ContractId,
    /// Who recorded it.
    recorder: Account,
    /// The block that its entry stands in.
    #[schema(minimum = 0)]
    block: u64,
    /// The block's time.
    block_time: Time,
    /// The transaction that recorded it.
    transaction: Digest,
    /// The check that an audit found broken, if it was stated.
    #[schema(required = false)]
    problem: String,
}

/// An invoice or a credit note, and where it stands.
#[derive(ToSchema)]
#[schema(as = Invoice)]
pub struct Booked {
    /// Its place in the one series of invoices and credit notes.
    #[schema(minimum = 1)]
    number: u64,
    /// The number as it is written.
    #[schema(example = "INV-000007")]
    label: String,
    /// `invoice` or `credit-note`.
    #[schema(pattern = "^(invoice|credit-note)$")]
    kind: String,
    /// When it was issued.
    issued: Time,
    /// The time whose day is the last one for paying; of an invoice.
    #[schema(required = false)]
    due: Time,
    /// Who issued it.
    #[schema(value_type = Object)]
    issuer: Value,
    /// Whom it is for.
    customer: Customer,
    /// The registry's URN.
    registry: String,
    /// The first second of the period.
    from: Time,
    /// The first second after the period.
    until: Time,
    /// The invoice that a credit note corrects: `number`, `label`, `reason`.
    #[schema(required = false, value_type = Object)]
    credits: Value,
    /// One line for each contract.
    lines: Vec<Line>,
    /// The sum of the lines per currency.
    totals: Vec<Money>,
    /// What became of an invoice: `status`, `balances` per currency, `days_overdue`, `age`.
    #[schema(required = false, value_type = Object)]
    standing: Value,
    /// The credit notes about it.
    credit_notes: Vec<String>,
    /// The payments recorded against it.
    payments: Vec<Payment>,
}

/// Who is invoiced.
#[derive(ToSchema)]
pub struct Customer {
    /// Its DID.
    did: Did,
    /// Its name in law.
    legal_name: String,
    /// Its registration.
    legal_id: LegalId,
    /// ISO 3166-1 alpha-2 code.
    country: String,
    /// Its address.
    #[schema(required = false)]
    address: Vec<String>,
    /// Its tax number or VAT id.
    #[schema(required = false)]
    tax_id: String,
}

/// The fee of one contract, with what it rests on.
#[derive(ToSchema)]
#[schema(as = InvoiceLine)]
pub struct Line {
    /// The contract.
    contract_id: ContractId,
    /// Who recorded it.
    recorder: Account,
    /// The block that its entry stands in.
    #[schema(minimum = 0)]
    block: u64,
    /// What dates the contract.
    block_time: Time,
    /// The transaction that recorded it.
    transaction: Digest,
    /// The hash of the core, as the registry has it.
    core_sha256: Digest,
    /// The template's id.
    template: String,
    /// `fixed`, `percentage` or `tiered`.
    #[schema(pattern = "^(fixed|percentage|tiered)$")]
    rule: String,
    /// The price that it was taken of, where the rule needs it.
    #[schema(required = false)]
    base: Amount,
    /// The fee.
    fee: Money,
    /// How many disclosures the operator was given.
    #[schema(minimum = 0)]
    disclosures: u64,
    /// The statement that it rests on, which is also the audit's id.
    statement: Hash,
    /// When that statement was audited.
    audited: Time,
    /// The hash of the operator's signed receipt for the audit.
    receipt: Hash,
}

/// Money that came for an invoice, or went back.
#[derive(ToSchema)]
pub struct Payment {
    /// Its number among all payments.
    #[schema(minimum = 1)]
    number: u64,
    /// The invoice's number.
    #[schema(minimum = 1)]
    invoice: u64,
    /// How much.
    money: Money,
    /// Whether the operator paid it back to the provider.
    refund: bool,
    /// The day of the payment, as the bank has it.
    #[schema(format = "date", example = "2026-12-03")]
    date: String,
    /// What the bank's statement calls it.
    reference: String,
    /// When it was recorded here.
    recorded: Time,
    /// Why it does not count, if it was recorded by mistake.
    #[schema(required = false)]
    void: String,
}
