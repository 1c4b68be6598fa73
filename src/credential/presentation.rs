use super::{Asset, Core, NotSigned, OpenClaims, Presented};
use crate::check::{Refusal, Trail};
use crate::encoding::Timestamp;
use crate::identity::Signer;

/// Signs a presentation of `disclosures` for a gate: `<issuer JWT>~D…~<KB-JWT>` (`protocol.md` 8).
///
/// # Errors
/// [`NotSigned`] when `aud` is not the origin of the asset's endpoint, when `nonce` is the negotiation's,
/// when `key` is not the contract's key, or when it cannot be used.
pub fn present(
    core: &Core,
    asset: &Asset,
    disclosures: &[&str],
    aud: &str,
    nonce: &str,
    now: Timestamp,
    key: &dyn Signer,
) -> Result<String, NotSigned> {
    let _ = (core, asset, disclosures, aud, nonce, now, key);
    todo!()
}

/// Verifies a presentation of a contract whose core was read before.
///
/// # Errors
/// `presentation.*`, `sdjwt.*`, `kb.*`, `jws.*`, `encoding.*`.
pub fn verify_presentation(
    text: &str,
    core: &Core,
    aud: &str,
    nonce: &str,
    now: Timestamp,
    trail: &mut Trail,
) -> Result<Presented, Refusal> {
    let _ = (text, core, aud, nonce, now, trail);
    todo!()
}

/// Reads `<issuer JWT>~D…~` of a contract whose core was read before; how an operator sees a fee and nothing else.
///
/// # Errors
/// `presentation.*`, `sdjwt.*`, `encoding.*`.
pub fn disclosed(issuer_jwt: &str, claims: &OpenClaims, text: &str, trail: &mut Trail) -> Result<Presented, Refusal> {
    let _ = (issuer_jwt, claims, text, trail);
    todo!()
}
