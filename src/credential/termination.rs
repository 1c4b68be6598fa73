use serde::{Deserialize, Serialize};
use serde_json::json;

use super::checks;
use super::exact::exact;
use super::vocabulary::TYP_TERMINATION;
use crate::check::{Refusal, Trail};
use crate::identity::{Did, Documents, Jws, Signer, SigningFailed, Verified, sign_jws, verify_signed_by};

/// A party's signed word that a negotiation is over (`protocol.md` 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termination {
    /// `iss`.
    pub signer: Did,
    /// The process id that the message's `thid` names.
    pub negotiation: String,
    /// `b64u(H(issuer JWT))` of the offer on the table, if there was one.
    pub offer_sha256: Option<String>,
    /// For people.
    pub reason: String,
    /// For programs.
    pub code: String,
}

impl Termination {
    /// Signs the termination in the name of `signer`'s DID, which is `self.signer`.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn sign(&self, signer: &dyn Signer) -> Result<String, SigningFailed> {
        let claims = Wire {
            iss: signer.did().clone(),
            negotiation: self.negotiation.clone(),
            offer_sha256: self.offer_sha256.clone(),
            reason: self.reason.clone(),
            code: self.code.clone(),
        };
        sign_jws(signer, TYP_TERMINATION, true, json!(claims).to_string().as_bytes())
    }

    /// Verifies a termination by `by`.
    ///
    /// # Errors
    /// `termination.*`, `jws.*`, `did.*`, `encoding.*`.
    pub fn verify(
        text: &str,
        by: &Did,
        documents: &Documents,
        trail: &mut Trail,
    ) -> Result<Verified<Termination>, Refusal> {
        let jws = Jws::parse(text)?;
        let claims: Wire = exact(&checks::TERMINATION_CLAIMS, jws.claims()?)?;
        checks::TERMINATION_CLAIMS.hold(claims.iss == *by, || format!("iss {}, expected {by}", claims.iss))?;
        trail.held(&checks::TERMINATION_CLAIMS);
        verify_signed_by(&jws, TYP_TERMINATION, by, documents, trail)?;
        Ok(Verified::vouched(Termination {
            signer: claims.iss,
            negotiation: claims.negotiation,
            offer_sha256: claims.offer_sha256,
            reason: claims.reason,
            code: claims.code,
        }))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    iss: Did,
    negotiation: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offer_sha256: Option<String>,
    reason: String,
    code: String,
}
