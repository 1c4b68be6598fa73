use super::{Acceptance, Offer, OpenClaims};
use crate::check::{Refusal, Trail};
use crate::encoding::{Digest, Timestamp};
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
        let _ = (text, documents, trail);
        todo!()
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
    let _ = (core, now, trail);
    todo!()
}
