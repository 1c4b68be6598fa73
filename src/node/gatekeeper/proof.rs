use serde_json::json;

use super::{Gatekeeper, kind};
use crate::check::{Refusal, Trail};
use crate::encoding::Timestamp;
use crate::gate::{Proof, Proven, checks};
use crate::identity::Thumbprint;
use crate::node::{NodeFault, chance};

/// How long a nonce for proofs is good, in seconds.
const NONCE_TTL: i64 = 300;
/// How long a proof is remembered, in seconds: longer than it is good, for clocks that are set back.
const REMEMBERED: i64 = 900;

/// How a token comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// RFC 6750: whoever has it may use it.
    Bearer,
    /// RFC 9449: with a proof of the key that it is bound to.
    Dpop,
}

/// What a request brings to be let in.
#[derive(Clone, Debug)]
pub struct Carried<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path on the gate's origin, as it came.
    pub path: &'a str,
    /// Its token and how that comes; none where there is none or more than one.
    pub token: Option<(Scheme, &'a str)>,
    /// Its `DPoP` headers.
    pub proofs: Vec<&'a str>,
}

impl<'a> Carried<'a> {
    pub(super) fn token(&self) -> Result<&'a str, Refusal> {
        self.token.map(|(_, token)| token).ok_or_else(|| checks::TOKEN_MISSING.refuse("no token, or more than one"))
    }
}

impl Gatekeeper {
    /// A nonce that the next proof has to answer; none where this gate asks for none.
    ///
    /// # Errors
    /// When there is no time or randomness.
    pub fn proof_nonce(&self) -> Result<Option<String>, NodeFault> {
        if !self.settings.dpop_nonces {
            return Ok(None);
        }
        let expires = chance::now()?.plus(NONCE_TTL);
        Ok(Some(self.challenges.challenge(&self.nonce_aud(), chance::random()?, expires).nonce))
    }

    /// The key that a token which is asked for will be bound to.
    pub(super) fn key_asked_for(&self, carried: &Carried<'_>, now: Timestamp) -> Result<Option<Proof>, Refusal> {
        if carried.proofs.is_empty() && !self.settings.dpop_required {
            return Ok(None);
        }
        self.proof(carried, None, now).map(Some)
    }

    /// Holds a request to the key that its token is bound to; a token that is bound is no bearer token, and the other way
    /// round.
    pub(super) async fn prove(
        &self,
        carried: &Carried<'_>,
        key: Option<&Thumbprint>,
        now: Timestamp,
    ) -> Result<(), NodeFault> {
        let Some((scheme, token)) = carried.token else { return Ok(carried.token().map(drop)?) };
        let Some(key) = key else {
            let bearer = scheme == Scheme::Bearer;
            return Ok(checks::TOKEN_BOUND.hold(bearer, || "a bearer token by the scheme DPoP".into())?);
        };
        checks::TOKEN_BOUND.hold(scheme == Scheme::Dpop, || "a bound token by the scheme Bearer".into())?;
        let proof = self.proof(carried, Some(token), now)?;
        checks::PROOF_BOUND.hold(proof.key == *key, || format!("bound to {key}, proven is {}", proof.key))?;
        self.take(&proof).await
    }

    /// Takes a proof, for good: it comes once.
    pub(super) async fn take(&self, proof: &Proof) -> Result<(), NodeFault> {
        let until = proof.iat.plus(REMEMBERED);
        let first = self.store.put_once(kind::PROOF, &proof.id().hex(), &json!(until)).await?;
        Ok(checks::PROOF_REPLAYED.hold(first, || "this proof came before".into())?)
    }

    fn proof(&self, carried: &Carried<'_>, token: Option<&str>, now: Timestamp) -> Result<Proof, Refusal> {
        let [text] = carried.proofs[..] else {
            return Err(checks::PROOF_MISSING.refuse(format!("{} DPoP headers", carried.proofs.len())));
        };
        let url = format!("{}{}", self.policy.origin, carried.path);
        let about = Proven { method: carried.method, url: &url, token };
        let proof = Proof::verify(text, &about, now, &mut Trail::default())?;
        if self.settings.dpop_nonces {
            let nonce = proof.nonce.as_deref().ok_or_else(|| checks::PROOF_NONCE.refuse("there is none"))?;
            self.challenges
                .recognise(nonce, &self.nonce_aud(), now, &mut Trail::default())
                .map_err(|refusal| checks::PROOF_NONCE.refuse(refusal.detail))?;
        }
        Ok(proof)
    }

    /// What a nonce for proofs is for: never what a challenge is for.
    fn nonce_aud(&self) -> String {
        format!("DPoP {}", self.policy.origin)
    }
}
