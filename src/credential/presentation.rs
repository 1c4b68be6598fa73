use serde_json::json;

use super::sd_jwt::{Cut, Disclosure};
use super::vocabulary::TYP_KEY_BINDING;
use super::{Asset, Core, KeyBinding, NINE, NotSigned, OpenClaims, Presented, checks};
use crate::check::{Refusal, Trail};
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Signer, sign_jws};

/// How far a counterparty's clock may be ahead, in seconds.
pub const CLOCK_SKEW: i64 = 60;
/// How old a presentation may be, in seconds.
pub const MAX_AGE: i64 = 300;

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
    let origin = asset.origin();
    checks::PRESENTATION_ORIGIN.hold(origin.as_deref() == Some(aud), || {
        format!("asked for `{aud}`, the asset's origin is `{}`", origin.as_deref().unwrap_or_default())
    })?;
    fresh(core, nonce)?;
    checks::HOLDER_KEY.hold(*key.public_key() == core.consumer_key, || "another key than cnf".into())?;
    let mut text = format!("{}~", core.issuer_jwt);
    for disclosure in disclosures {
        text.push_str(disclosure);
        text.push('~');
    }
    read(&Cut::new(&text)?, &core.issuer_jwt, &core.claims, &mut Trail::default())?;
    let payload = json!({ "iat": now, "aud": aud, "nonce": nonce, "sd_hash": Digest::of(&text).b64u() });
    text.push_str(&sign_jws(key, TYP_KEY_BINDING, false, payload.to_string().as_bytes())?);
    Ok(text)
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
    let cut = Cut::new(text)?;
    let presented = read(&cut, &core.issuer_jwt, &core.claims, trail)?;
    bound(&cut, core, aud, nonce, now, trail)?;
    Ok(presented)
}

/// Verifies a presentation that shows the very disclosures of an earlier one that was verified: of these only the
/// KB-JWT is new. `shown` is the earlier one's text up to and with its last tilde.
///
/// `None` when the presentation shows something else; then it is for [`verify_presentation`].
///
/// # Errors
/// `presentation.*`, `sdjwt.form`, `kb.*`, `jws.*`, `encoding.*`.
pub fn verify_presentation_again(
    text: &str,
    shown: &str,
    core: &Core,
    aud: &str,
    nonce: &str,
    now: Timestamp,
    trail: &mut Trail,
) -> Result<Option<()>, Refusal> {
    let cut = Cut::new(text)?;
    if cut.bound != shown {
        return Ok(None);
    }
    bound(&cut, core, aud, nonce, now, trail).map(Some)
}

/// Reads `<issuer JWT>~D…~` of a contract whose core was read before; how an operator sees a fee and nothing else.
///
/// # Errors
/// `presentation.*`, `sdjwt.*`, `encoding.*`.
pub fn disclosed(issuer_jwt: &str, claims: &OpenClaims, text: &str, trail: &mut Trail) -> Result<Presented, Refusal> {
    let cut = Cut::new(text)?;
    checks::SD_FORM.hold(cut.key_binding.is_none(), || "a KB-JWT where none belongs".into())?;
    read(&cut, issuer_jwt, claims, trail)
}

/// Holds the KB-JWT of a presentation to the core's key, the audience, the nonce and the time.
fn bound(cut: &Cut<'_>, core: &Core, aud: &str, nonce: &str, now: Timestamp, trail: &mut Trail) -> Result<(), Refusal> {
    let kb_jwt = cut.key_binding.ok_or_else(|| checks::KB_PRESENT.refuse("there is no KB-JWT"))?;
    trail.held(&checks::KB_PRESENT);
    let binding = KeyBinding::verify(kb_jwt, cut.bound, &core.consumer_key, aud, nonce, trail)?;
    trail.hold(&checks::PRESENTATION_CLAIMS, binding.rest.is_empty(), || {
        format!("further claims: {:?}", binding.rest.keys().collect::<Vec<_>>())
    })?;
    fresh(core, &binding.nonce)?;
    trail.held(&checks::PRESENTATION_NONCE);
    let recent = binding.iat <= now.plus(CLOCK_SKEW) && now <= binding.iat.plus(MAX_AGE);
    trail.hold(&checks::PRESENTATION_TIME, recent, || format!("signed at {}, it is {now}", binding.iat))
}

fn fresh(core: &Core, nonce: &str) -> Result<(), Refusal> {
    checks::PRESENTATION_NONCE.hold(nonce != core.claims.negotiation_nonce, || "the nonce is the negotiation's".into())
}

fn read(cut: &Cut<'_>, issuer_jwt: &str, claims: &OpenClaims, trail: &mut Trail) -> Result<Presented, Refusal> {
    trail.hold(&checks::PRESENTATION_FORM, cut.issuer_jwt == issuer_jwt, || {
        "the issuer JWT is not the contract's".into()
    })?;
    checks::SD_FORM.hold(cut.disclosures.len() <= NINE.len(), || "more disclosures than there are claims".into())?;
    let disclosures = cut.disclosures.iter().map(|text| Disclosure::read(text)).collect::<Result<_, _>>()?;
    Presented::read(disclosures, claims, trail)
}
