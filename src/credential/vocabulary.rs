//! The names that countersign gives to things: all of them under one root.

macro_rules! named {
    ($name:literal) => {
        concat!("urn:countersign:", $name)
    };
}

/// The root of every name of ours.
pub const ROOT: &str = named!("");
/// `vct` of an offer; not of a contract, so that a verifier that knows nothing of us never takes it for one.
pub const CONTRACT_OFFER: &str = named!("contract-offer:1");
/// `vct` of a participant credential.
pub const PARTICIPANT: &str = named!("participant:1");
/// `type` of an acceptance.
pub const ACCEPTANCE: &str = named!("acceptance:1");
/// Prefix of the message types of `protocol.md` 11.
pub const NEGOTIATION: &str = named!("negotiation/1.0/");

/// `typ` of an SD-JWT VC.
pub const TYP_CREDENTIAL: &str = "dc+sd-jwt";
/// `typ` of a KB-JWT.
pub const TYP_KEY_BINDING: &str = "kb+jwt";
/// `typ` of a template approval.
pub const TYP_TEMPLATE: &str = "countersign-template+jwt";
/// `typ` of a consumer key statement.
pub const TYP_KEY_STATEMENT: &str = "countersign-key+jwt";
/// `typ` of an acknowledgement of an entry.
pub const TYP_ENTRY: &str = "countersign-entry+jwt";
/// `typ` of a signed termination.
pub const TYP_TERMINATION: &str = "countersign-termination+jwt";
/// `typ` of a provider's fee statement.
pub const TYP_FEE_STATEMENT: &str = "countersign-statement+jwt";
/// `typ` of an operator's receipt for a fee statement.
pub const TYP_FEE_RECEIPT: &str = "countersign-statement-receipt+jwt";
/// `typ` of a gate's delivery receipt.
pub const TYP_RECEIPT: &str = "countersign-receipt+jwt";

/// The only hash of `_sd_alg` and `transaction_data_hashes_alg`.
pub const SHA_256: &str = "sha-256";
/// `format` of a contract file.
pub const CONTRACT_FORMAT: &str = "countersign-contract-1";
/// Media type of a contract file.
pub const CONTRACT_MEDIA_TYPE: &str = "application/vnd.countersign.contract+json";
