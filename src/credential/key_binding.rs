use serde_json::{Map, Value};

use super::checks;
use super::vocabulary::TYP_KEY_BINDING;
use crate::check::{Refusal, Trail};
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Jws, PublicKey, checks as signatures};

/// A KB-JWT whose signature, audience, nonce and hash were checked (RFC 9901, 7.3); its time is the caller's to judge.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyBinding {
    /// When it was signed.
    pub iat: Timestamp,
    /// For whom.
    pub aud: String,
    /// What makes it fresh.
    pub nonce: String,
    /// `b64u(H(text before the KB-JWT))`.
    pub sd_hash: String,
    /// Claims beside these four.
    pub rest: Map<String, Value>,
}

impl KeyBinding {
    /// Verifies `text` as the KB-JWT after `bound`, which ends in a tilde.
    ///
    /// # Errors
    /// `kb.*`, `jws.*`, `encoding.*`.
    pub fn verify(
        text: &str,
        bound: &str,
        holder: &PublicKey,
        aud: &str,
        nonce: &str,
        trail: &mut Trail,
    ) -> Result<Self, Refusal> {
        Self::verify_over(text, Digest::of(bound), holder, aud, nonce, trail)
    }

    /// Verifies `text` as the KB-JWT after a text with the hash `sd_hash`.
    pub(super) fn verify_over(
        text: &str,
        sd_hash: Digest,
        holder: &PublicKey,
        aud: &str,
        nonce: &str,
        trail: &mut Trail,
    ) -> Result<Self, Refusal> {
        let jws = Jws::parse(text)?;
        let header = jws.header();
        trail.hold(&signatures::JWS_TYP, header.typ == TYP_KEY_BINDING, || {
            format!("typ `{}`, expected `{TYP_KEY_BINDING}`", header.typ)
        })?;
        trail.hold(&signatures::JWS_HEADER, header.kid.is_none(), || "a KB-JWT names a kid".into())?;
        jws.verify(holder, trail)?;
        let binding = Self::read(jws.claims()?)?;
        trail.held(&checks::KB_CLAIMS);
        trail.hold(&checks::KB_AUD, binding.aud == aud, || format!("aud `{}`, expected `{aud}`", binding.aud))?;
        trail.hold(&checks::KB_NONCE, binding.nonce == nonce, || "another nonce than the one given out".into())?;
        trail.hold(&checks::KB_HASH, binding.sd_hash == sd_hash.b64u(), || "sd_hash is of another text".into())?;
        Ok(binding)
    }

    fn read(mut claims: Map<String, Value>) -> Result<Self, Refusal> {
        let refuse = |name: &str| checks::KB_CLAIMS.refuse(format!("`{name}` is missing or of the wrong type"));
        let iat = claims.shift_remove("iat").and_then(|value| value.as_i64()).ok_or_else(|| refuse("iat"))?;
        let mut text = |name: &str| match claims.shift_remove(name) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(refuse(name)),
        };
        let (aud, nonce, sd_hash) = (text("aud")?, text("nonce")?, text("sd_hash")?);
        Ok(Self { iat: Timestamp::from_seconds(iat)?, aud, nonce, sd_hash, rest: claims })
    }
}
