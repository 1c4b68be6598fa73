use super::claims::{Issued, verify_issued};
use super::presentation::CLOCK_SKEW;
use super::sd_jwt::Cut;
use super::{Acceptance, Offer, OpenClaims, checks};
use crate::check::{Refusal, Trail};
use crate::encoding::{Digest, Hasher, Timestamp};
use crate::identity::{Documents, PublicKey, Unverified, Verified};

/// What both signed: `<issuer JWT>~<acceptance KB-JWT>` (`protocol.md` 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// The whole string.
    pub text: String,
    /// What the provider signed.
    pub issuer_jwt: String,
    /// The open claims.
    pub claims: OpenClaims,
    /// What the consumer signed.
    pub acceptance: Acceptance,
    /// `H(text)`: what stands in the registry.
    pub hash: Digest,
    /// The consumer's one-time key.
    pub consumer_key: PublicKey,
}

impl Core {
    /// Verifies both signatures, the open claims and the binding of one to the other; needs no disclosure.
    ///
    /// # Errors
    /// `core.*`, `offer.*`, `acceptance.*`, `jws.*`, `did.*`, `encoding.*`.
    pub fn read(text: &Unverified<Core>, documents: &Documents, trail: &mut Trail) -> Result<Verified<Core>, Refusal> {
        let text = text.text();
        let cut = Cut::new(text)?;
        let kb_jwt = cut.key_binding.filter(|_| cut.disclosures.is_empty()).ok_or_else(|| {
            checks::CORE_FORM.refuse(format!(
                "{} disclosures, acceptance: {}",
                cut.disclosures.len(),
                cut.key_binding.is_some()
            ))
        })?;
        trail.held(&checks::CORE_FORM);
        let Issued { claims, consumer_key, .. } = verify_issued(cut.issuer_jwt, documents, trail)?;
        // The three texts begin alike and are hashed in one go.
        let mut hashed = Hasher::default();
        hashed.update(cut.issuer_jwt.as_bytes());
        let offer = hashed.clone().finish();
        hashed.update(b"~");
        let sd_hash = hashed.clone().finish();
        hashed.update(kb_jwt.as_bytes());
        let acceptance = Acceptance::verify(kb_jwt, offer, sd_hash, &claims, &consumer_key, trail)?;
        Ok(Verified::vouched(Core {
            text: text.to_owned(),
            issuer_jwt: cut.issuer_jwt.to_owned(),
            claims,
            acceptance,
            hash: hashed.finish(),
            consumer_key,
        }))
    }

    /// What an offer and an acceptance make together; [`Core::read`] says whether they belong together.
    pub fn join(offer: &Offer, acceptance: &str) -> Unverified<Core> {
        Unverified::new(format!("{}~{acceptance}", offer.issuer_jwt))
    }
}

/// Holds an acceptance to its time, on receipt only: signed between offer and `accept_by`, and `now` not past that.
///
/// # Errors
/// `acceptance.time`, `acceptance.late`.
pub fn received_in_time(core: &Core, now: Timestamp, trail: &mut Trail) -> Result<(), Refusal> {
    let (offered, accepted, accept_by) = (core.claims.iat, core.acceptance.iat, core.claims.accept_by);
    let between = offered <= accepted.plus(CLOCK_SKEW) && accepted <= accept_by && accepted <= now.plus(CLOCK_SKEW);
    trail.hold(&checks::ACCEPTANCE_TIME, between, || {
        format!("offered at {offered}, accepted at {accepted}, accept_by {accept_by}, it is {now}")
    })?;
    trail.hold(&checks::ACCEPTANCE_LATE, now <= accept_by, || format!("accept_by {accept_by}, it is {now}"))
}
