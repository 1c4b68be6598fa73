use serde::{Deserialize, Serialize};
use serde_json::json;

use super::exact::exact;
use super::vocabulary::TYP_KEY_STATEMENT;
use super::{NotSigned, checks};
use crate::check::{Refusal, Trail};
use crate::encoding::Timestamp;
use crate::identity::{
    Did, Documents, Jws, PublicKey, Signer, Thumbprint, Unverified, Verified, sign_jws, verify_signed_by,
};

/// The consumer's statement that a one-time key is its own (`protocol.md` 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatement {
    /// `iss`.
    pub consumer: Did,
    /// `aud`.
    pub provider: Did,
    /// The consumer's process id.
    pub negotiation: String,
    /// Thumbprint of the one-time key.
    pub jkt: Thumbprint,
    /// Valid from.
    pub iat: Timestamp,
    /// Valid before.
    pub exp: Timestamp,
    /// The consumer's DID key that signed this.
    pub signed_by: Thumbprint,
    /// The statement as sent: a compact JWS.
    pub text: String,
}

impl KeyStatement {
    /// Signs the statement that `key` is the one-time key of `signer`'s DID in `negotiation` with `provider`.
    ///
    /// # Errors
    /// [`NotSigned`] when `key` is the signer's own key or the signer cannot be used.
    pub fn state(
        signer: &dyn Signer,
        provider: &Did,
        negotiation: &str,
        key: &PublicKey,
        iat: Timestamp,
        exp: Timestamp,
    ) -> Result<String, NotSigned> {
        checks::OFFER_KEY_FRESH
            .hold(key != signer.public_key(), || "the one-time key is the signer's own key".into())?;
        checks::STATEMENT_WINDOW.hold(iat < exp, || format!("from {iat} to {exp}"))?;
        let claims = Wire {
            iss: signer.did().clone(),
            aud: provider.clone(),
            negotiation: negotiation.to_owned(),
            jkt: key.thumbprint(),
            iat,
            exp,
        };
        Ok(sign_jws(signer, TYP_KEY_STATEMENT, true, json!(claims).to_string().as_bytes())?)
    }

    /// Verifies a statement as of `at`.
    ///
    /// # Errors
    /// `statement.*`, `jws.*`, `did.*`, `encoding.*`.
    pub fn verify(
        text: &Unverified<KeyStatement>,
        documents: &Documents,
        at: Timestamp,
        trail: &mut Trail,
    ) -> Result<Verified<KeyStatement>, Refusal> {
        let jws = Jws::parse(text.text())?;
        let claims: Wire = exact(&checks::STATEMENT_CLAIMS, jws.claims()?)?;
        trail.held(&checks::STATEMENT_CLAIMS);
        let key = verify_signed_by(&jws, TYP_KEY_STATEMENT, &claims.iss, documents, trail)?;
        trail.hold(&checks::STATEMENT_WINDOW, claims.iat <= at && at < claims.exp, || {
            format!("valid from {} to {}, judged at {at}", claims.iat, claims.exp)
        })?;
        Ok(Verified::vouched(KeyStatement {
            consumer: claims.iss,
            provider: claims.aud,
            negotiation: claims.negotiation,
            jkt: claims.jkt,
            iat: claims.iat,
            exp: claims.exp,
            signed_by: key.thumbprint(),
            text: text.text().to_owned(),
        }))
    }

    /// Holds the statement to the parties and the key that it is used for.
    ///
    /// # Errors
    /// `statement.parties`, `statement.key`.
    pub fn binds(&self, consumer: &Did, provider: &Did, key: &Thumbprint, trail: &mut Trail) -> Result<(), Refusal> {
        trail.hold(&checks::STATEMENT_PARTIES, self.consumer == *consumer && self.provider == *provider, || {
            format!("stated by {} to {}, expected by {consumer} to {provider}", self.consumer, self.provider)
        })?;
        trail.hold(&checks::STATEMENT_KEY, self.jkt == *key, || format!("jkt {}, expected {key}", self.jkt))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    iss: Did,
    aud: Did,
    negotiation: String,
    jkt: Thumbprint,
    iat: Timestamp,
    exp: Timestamp,
}
