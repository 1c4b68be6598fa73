use super::{Account, NotSigned, Offer};
use crate::encoding::Timestamp;
use crate::identity::Signer;

/// The consumer's acceptance: a KB-JWT over zero disclosures with typed content (`protocol.md` 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// When it was signed; judged on receipt only.
    pub iat: Timestamp,
    /// The account whose `withdraw` counts, if one was named.
    pub withdrawal_account: Option<Account>,
    /// `b64u(H(issuer JWT))`.
    pub offer_sha256: String,
    /// The KB-JWT.
    pub text: String,
}

/// Signs the acceptance of a verified offer with its one-time key.
///
/// # Errors
/// [`NotSigned`] when `key` is not the offer's key, when `now` is past `accept_by`, or when the key cannot be used.
pub fn accept(offer: &Offer, account: Option<Account>, key: &dyn Signer, now: Timestamp) -> Result<String, NotSigned> {
    let _ = (offer, account, key, now);
    todo!()
}

/// The acceptance of a foreign wallet with its ES256 signature in the low-s form; anything else is returned as it is.
///
/// Only the consumer's own node may do this, before anybody hashes the acceptance.
pub fn normalise_acceptance(kb_jwt: &str) -> String {
    let _ = kb_jwt;
    todo!()
}
