use serde_json::Value;

use super::{Algorithm, Did, DidUrl, Documents, PublicKey, Signer, SigningFailed, checks};
use crate::check::{Refusal, Trail};
use crate::encoding::{self, checks as spelling};

/// The longest JWS that is read, in bytes, where its kind does not say otherwise.
pub const MAX_JWS: usize = 64 * 1024;

/// A protected header: exactly these members, nothing a sender could steer a verifier with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `alg`.
    pub alg: Algorithm,
    /// `typ`: the kind of statement.
    pub typ: String,
    /// `kid`; absent in a KB-JWT, whose key is the credential's `cnf`.
    pub kid: Option<DidUrl>,
}

/// A compact JWS (RFC 7515 section 7.1), parsed strictly; nothing about it is proven yet.
#[derive(Clone, Debug)]
pub struct Jws {
    header: Header,
    payload: Vec<u8>,
    signed: String,
    signature: Vec<u8>,
}

impl Jws {
    /// Takes a compact JWS apart.
    ///
    /// # Errors
    /// `jws.form`, `jws.header`, `jws.alg`, `encoding.*`.
    pub fn parse(compact: &str) -> Result<Self, Refusal> {
        Self::parse_within(compact, MAX_JWS)
    }

    /// Takes a compact JWS of a longer kind apart: at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Jws::parse`].
    pub fn parse_within(compact: &str, limit: usize) -> Result<Self, Refusal> {
        checks::JWS_FORM.hold(compact.len() <= limit, || format!("a JWS of {} bytes", compact.len()))?;
        let parts: Vec<&str> = compact.split('.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(checks::JWS_FORM.refuse(format!("{} parts, expected 3", parts.len())));
        };
        Ok(Self {
            header: parse_header(&encoding::decode(header)?)?,
            payload: encoding::decode(payload)?,
            signed: compact[..header.len() + 1 + payload.len()].to_owned(),
            signature: encoding::decode(signature)?,
        })
    }

    /// The protected header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The payload bytes as they were signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The payload as a JSON object, read strictly.
    ///
    /// # Errors
    /// `encoding.*` when it is no such object.
    pub fn claims(&self) -> Result<serde_json::Map<String, Value>, Refusal> {
        // Parsing has bounded the payload already.
        match encoding::parse_json(&self.payload, self.payload.len())? {
            Value::Object(claims) => Ok(claims),
            _ => Err(spelling::JSON.refuse("the payload is not a JSON object")),
        }
    }

    /// The compact form, byte for byte as it was parsed.
    pub fn compact(&self) -> String {
        format!("{}.{}", self.signed, encoding::encode(&self.signature))
    }

    /// Verifies the signature with `key`, in either spelling that ES256 has: most libraries know of no other rule than that
    /// of RFC 7515. For tokens that nobody keeps, and that their own ids tell apart.
    ///
    /// # Errors
    /// `jws.alg` when the key is of another algorithm, `jws.signature.canonical` for another length, `jws.signature`.
    pub fn verify_any(&self, key: &PublicKey) -> Result<(), Refusal> {
        let fits = self.header.alg == key.algorithm();
        checks::JWS_ALG.hold(fits, || format!("alg {:?} with a key for {:?}", self.header.alg, key.algorithm()))?;
        key.verify_any(self.signed.as_bytes(), &self.signature)
    }

    /// Verifies the signature with `key`.
    ///
    /// # Errors
    /// `jws.alg` when the key is of another algorithm, `jws.signature.canonical`, `jws.signature`.
    pub fn verify(&self, key: &PublicKey, trail: &mut Trail) -> Result<(), Refusal> {
        trail.hold(&checks::JWS_ALG, self.header.alg == key.algorithm(), || {
            format!("alg {:?} with a key for {:?}", self.header.alg, key.algorithm())
        })?;
        key.verify(self.signed.as_bytes(), &self.signature)?;
        trail.held(&checks::JWS_CANONICAL);
        trail.held(&checks::JWS_SIGNATURE);
        Ok(())
    }
}

fn parse_header(bytes: &[u8]) -> Result<Header, Refusal> {
    let Value::Object(members) = encoding::parse_json(bytes, 8 * 1024)? else {
        return Err(checks::JWS_HEADER.refuse("the header is not a JSON object"));
    };
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    if let Some(name) = members.keys().find(|name| !matches!(name.as_str(), "alg" | "typ" | "kid")) {
        return Err(checks::JWS_HEADER.refuse(format!("unexpected header member `{name}`")));
    }
    let alg = match text("alg") {
        Some("ES256") => Algorithm::Es256,
        Some("EdDSA") => Algorithm::EdDsa,
        other => return Err(checks::JWS_ALG.refuse(format!("alg {other:?}, expected ES256 or EdDSA"))),
    };
    let typ = text("typ").ok_or_else(|| checks::JWS_HEADER.refuse("typ is missing or not a string"))?.to_owned();
    let kid = match members.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.parse()?),
        Some(_) => return Err(checks::JWS_HEADER.refuse("kid is not a string")),
    };
    Ok(Header { alg, typ, kid })
}

/// Verifies a statement that `iss` made: typ, `kid` of the issuer, signature by a key of the issuer's document.
///
/// Returns the issuer and the claims; what the claims mean is the caller's to check.
///
/// # Errors
/// `jws.*`, `did.*`, `encoding.*`.
pub fn verify_signed_by(
    jws: &Jws,
    typ: &str,
    iss: &Did,
    documents: &Documents,
    trail: &mut Trail,
) -> Result<PublicKey, Refusal> {
    trail.hold(&checks::JWS_TYP, jws.header.typ == typ, || format!("typ `{}`, expected `{typ}`", jws.header.typ))?;
    let kid = jws.header.kid.as_ref().ok_or_else(|| checks::JWS_KID.refuse("kid is missing"))?;
    trail.hold(&checks::JWS_KID, kid.did() == iss, || format!("kid is of {}, iss is {iss}", kid.did()))?;
    let key = documents.key(kid)?;
    jws.verify(&key, trail)?;
    Ok(key)
}

/// Signs `payload` as a compact JWS with `alg`, `typ` and, unless it is a KB-JWT, `kid`.
///
/// # Errors
/// When the key cannot be used.
pub fn sign_jws(signer: &dyn Signer, typ: &str, with_kid: bool, payload: &[u8]) -> Result<String, SigningFailed> {
    let signed = signing_input(signer, typ, with_kid, payload);
    let signature = signer.sign(signed.as_bytes())?;
    Ok(format!("{signed}.{}", encoding::encode(signature)))
}

/// Signs the `payload` of a token that lives for seconds, as [`sign_jws`] does, by the quicker way.
///
/// # Errors
/// When the key cannot be used.
pub fn sign_token(signer: &dyn Signer, typ: &str, payload: &[u8]) -> Result<String, SigningFailed> {
    let signed = signing_input(signer, typ, true, payload);
    let signature = signer.sign_quickly(signed.as_bytes())?;
    Ok(format!("{signed}.{}", encoding::encode(signature)))
}

fn signing_input(signer: &dyn Signer, typ: &str, with_kid: bool, payload: &[u8]) -> String {
    let mut header = serde_json::Map::new();
    let alg = match signer.public_key().algorithm() {
        Algorithm::Es256 => "ES256",
        Algorithm::EdDsa => "EdDSA",
    };
    header.insert("alg".into(), alg.into());
    header.insert("typ".into(), typ.into());
    if with_kid {
        header.insert("kid".into(), signer.kid().to_string().into());
    }
    format!("{}.{}", encoding::encode(Value::Object(header).to_string()), encoding::encode(payload))
}
