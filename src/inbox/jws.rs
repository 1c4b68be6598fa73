use serde::Deserialize;
use serde_json::{Value, json};

use super::checks;
use super::jwe::MAX_ENVELOPE;
use super::message::is_media_type;
use crate::check::{Refusal, Trail};
use crate::encoding;
use crate::identity::{Algorithm, PublicKey, Signer, SigningFailed, checks as signing};

const SIGNED: &str = "application/didcomm-signed+json";

/// A general JSON JWS (RFC 7515 section 7.2.1) with one signature, read strictly; nothing about it is proven yet.
///
/// At this layer a key's name is any text, as in JOSE; [`super::Opened`] holds it to be a DID URL.
#[derive(Clone, Debug)]
pub struct GeneralJws {
    kid: String,
    alg: Algorithm,
    signed: String,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireJws {
    payload: String,
    signatures: Vec<WireSignature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSignature {
    protected: String,
    signature: String,
    #[serde(default)]
    header: Option<WireHeader>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireHeader {
    kid: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Protected {
    typ: Value,
    alg: String,
    #[serde(default)]
    kid: Option<String>,
}

impl GeneralJws {
    /// Takes a signed message apart.
    ///
    /// # Errors
    /// `inbox.nesting`, `inbox.signed.*`, `jws.alg`, `encoding.*`.
    pub fn read(text: &[u8]) -> Result<Self, Refusal> {
        let value = encoding::parse_json(text, MAX_ENVELOPE)?;
        let signed = value.get("ciphertext").is_none() && value.get("payload").is_some();
        checks::NESTING.hold(signed, || "not a signed message".into())?;
        let wire = WireJws::deserialize(value).map_err(|cause| checks::SIGNED_FORM.refuse(cause.to_string()))?;
        let count = wire.signatures.len();
        let [WireSignature { protected, signature, header }] = <[WireSignature; 1]>::try_from(wire.signatures)
            .map_err(|_| checks::SIGNED_FORM.refuse(format!("{count} signatures, expected 1")))?;
        let (alg, kid) = read_header(&protected, header.map(|header| header.kid))?;
        Ok(Self {
            kid,
            alg,
            payload: encoding::decode(&wire.payload)?,
            signed: format!("{protected}.{}", wire.payload),
            signature: encoding::decode(&signature)?,
        })
    }

    /// The name of the key that is said to have signed.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The bytes that were signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Verifies the signature with `key`.
    ///
    /// # Errors
    /// `jws.alg`, `jws.signature.canonical`, `jws.signature`.
    pub fn verify(&self, key: &PublicKey, trail: &mut Trail) -> Result<(), Refusal> {
        trail.hold(&signing::JWS_ALG, self.alg == key.algorithm(), || {
            format!("alg {:?} with a key for {:?}", self.alg, key.algorithm())
        })?;
        key.verify(self.signed.as_bytes(), &self.signature)?;
        trail.held(&signing::JWS_CANONICAL);
        trail.held(&signing::JWS_SIGNATURE);
        Ok(())
    }
}

fn read_header(protected: &str, outside: Option<String>) -> Result<(Algorithm, String), Refusal> {
    let value = encoding::parse_json(&encoding::decode(protected)?, 8 * 1024)?;
    let header = Protected::deserialize(value).map_err(|cause| checks::SIGNED_HEADER.refuse(cause.to_string()))?;
    checks::SIGNED_TYP.hold(is_media_type(&header.typ, SIGNED), || format!("typ {}, expected {SIGNED}", header.typ))?;
    let alg = match header.alg.as_str() {
        "ES256" => Algorithm::Es256,
        "EdDSA" => Algorithm::EdDsa,
        other => return Err(signing::JWS_ALG.refuse(format!("alg {other:?}, expected ES256 or EdDSA"))),
    };
    let kid = match (header.kid, outside) {
        (Some(inside), Some(outside)) if inside != outside => {
            return Err(checks::SIGNED_HEADER.refuse(format!("kid {inside} inside, {outside} outside")));
        }
        (Some(kid), _) | (None, Some(kid)) => kid,
        (None, None) => return Err(checks::SIGNED_HEADER.refuse("kid is missing")),
    };
    Ok((alg, kid))
}

/// Signs `payload`. The kid stands outside the protected header, where every DIDComm stack looks for it, and only there:
/// RFC 7515 section 7.2.1 lets a member stand in one of the two headers.
pub(super) fn sign(payload: &str, signer: &dyn Signer) -> Result<String, SigningFailed> {
    let header = json!({ "typ": SIGNED, "alg": signer.public_key().algorithm() });
    let (protected, payload) = (encoding::encode(header.to_string()), encoding::encode(payload));
    let signature = signer.sign(format!("{protected}.{payload}").as_bytes())?;
    let signature =
        json!({ "protected": protected, "signature": encoding::encode(signature), "header": { "kid": signer.kid() } });
    Ok(json!({ "payload": payload, "signatures": [signature] }).to_string())
}
