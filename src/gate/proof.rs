use serde_json::{Map, Value, json};
use url::Url;

use super::checks;
use crate::check::{Check, Refusal, Trail};
use crate::encoding::{self, Digest, Timestamp};
use crate::identity::{Algorithm, Jwk, PublicKey, Signer, SigningFailed, Thumbprint, low_s};

/// The longest proof that is read; real ones have a few hundred letters.
pub const MAX_PROOF: usize = 8 * 1024;
/// How old a proof may be, and how far its clock may be ahead, in seconds.
pub const PROOF_WITHIN: i64 = 60;
/// The longest `jti` and `nonce`.
const MAX_TEXT: usize = 256;
const TYP: &str = "dpop+jwt";
/// Members of a JWK that are secret.
const SECRET: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// What a DPoP proof has to be about (RFC 9449, 4.3).
#[derive(Clone, Copy, Debug)]
pub struct Proven<'a> {
    /// The request's method.
    pub method: &'a str,
    /// The request's URL as the world sees it.
    pub url: &'a str,
    /// The token that comes with it; none where one is asked for.
    pub token: Option<&'a str>,
}

/// A DPoP proof whose form, signature, target and time hold. Whether it came before, whether its nonce was given out
/// and whether its key is the token's is for whoever keeps those to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Thumbprint of the key that signed it.
    pub key: Thumbprint,
    /// Its id.
    pub jti: String,
    /// When it was made.
    pub iat: Timestamp,
    /// The nonce that it answers.
    pub nonce: Option<String>,
}

impl Proof {
    /// Verifies a proof that stands in a `DPoP` header. This is no statement of ours: the key stands in the header, and
    /// vouches for nothing but that the sender holds it.
    ///
    /// # Errors
    /// `gate.proof.*`.
    pub fn verify(text: &str, about: &Proven<'_>, now: Timestamp, trail: &mut Trail) -> Result<Self, Refusal> {
        let (header, claims, signed, signature) = taken_apart(text)?;
        let key = key(&header, trail)?;
        verify(&key, signed, signature)?;
        trail.held(&checks::PROOF_SIGNATURE);
        let claims = Claims::read(&claims)?;
        trail.held(&checks::PROOF_FORM);
        trail.hold(&checks::PROOF_METHOD, claims.htm == about.method, || {
            format!("htm `{}`, the request is {}", claims.htm, about.method)
        })?;
        let (meant, asked) = (normal(claims.htu), normal(about.url));
        trail.hold(&checks::PROOF_TARGET, meant.is_some() && meant == asked, || {
            format!("htu `{}`, the request is to {}", claims.htu, about.url)
        })?;
        let age = now.seconds().saturating_sub(claims.iat.seconds());
        trail.hold(&checks::PROOF_TIME, age.saturating_abs() <= PROOF_WITHIN, || {
            format!("iat {}, it is {now}; the limit is {PROOF_WITHIN} s", claims.iat)
        })?;
        if let Some(token) = about.token {
            let expected = Digest::of(token).b64u();
            trail
                .hold(&checks::PROOF_TOKEN, claims.ath == Some(&*expected), || "ath is not the token's hash".into())?;
        }
        let nonce = claims.nonce.map(str::to_owned);
        Ok(Self { key: key.thumbprint(), jti: claims.jti.to_owned(), iat: claims.iat, nonce })
    }

    /// What the proof is remembered by: one `jti` of one key.
    pub fn id(&self) -> Digest {
        Digest::of(format!("{} {}", self.key, self.jti))
    }

    /// Makes the proof of a request, as a caller sends it.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn make(
        key: &dyn Signer,
        about: &Proven<'_>,
        jti: &str,
        iat: Timestamp,
        nonce: Option<&str>,
    ) -> Result<String, SigningFailed> {
        let public = key.public_key();
        let alg = match public.algorithm() {
            Algorithm::Es256 => "ES256",
            Algorithm::EdDsa => "EdDSA",
        };
        let header = json!({ "typ": TYP, "alg": alg, "jwk": public.jwk() });
        let htu = about.url.split(['?', '#']).next().unwrap_or_default();
        let mut claims = json!({ "jti": jti, "htm": about.method, "htu": htu, "iat": iat });
        if let Some(token) = about.token {
            claims["ath"] = Digest::of(token).b64u().into();
        }
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        let signed = format!("{}.{}", encoding::encode(header.to_string()), encoding::encode(claims.to_string()));
        let signature = key.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", encoding::encode(signature)))
    }
}

/// Claims of a proof; others are of no interest.
struct Claims<'a> {
    jti: &'a str,
    htm: &'a str,
    htu: &'a str,
    iat: Timestamp,
    ath: Option<&'a str>,
    nonce: Option<&'a str>,
}

impl<'a> Claims<'a> {
    fn read(claims: &'a Map<String, Value>) -> Result<Self, Refusal> {
        let wrong = |name: &str| checks::PROOF_FORM.refuse(format!("`{name}` is missing or is not what it has to be"));
        let optional = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() && text.len() <= MAX_PROOF => Ok(Some(text.as_str())),
            Some(_) => Err(wrong(name)),
        };
        let text = |name: &str| optional(name)?.ok_or_else(|| wrong(name));
        let short = |text: &&str| text.len() <= MAX_TEXT;
        let iat = claims.get("iat").and_then(seconds).and_then(|at| Timestamp::from_seconds(at).ok());
        Ok(Self {
            jti: Some(text("jti")?).filter(short).ok_or_else(|| wrong("jti"))?,
            htm: text("htm")?,
            htu: text("htu")?,
            iat: iat.ok_or_else(|| wrong("iat"))?,
            ath: optional("ath")?,
            nonce: optional("nonce")?
                .map(|nonce| Some(nonce).filter(short).ok_or_else(|| wrong("nonce")))
                .transpose()?,
        })
    }
}

/// A NumericDate may have a fraction (RFC 7519, 2).
fn seconds(value: &Value) -> Option<i64> {
    let whole = |number: &f64| number.is_finite() && number.abs() < 1e12;
    value.as_i64().or_else(|| value.as_f64().filter(whole).map(|number| number.floor() as i64))
}

type Parts<'a> = (Map<String, Value>, Map<String, Value>, &'a str, Vec<u8>);

fn taken_apart(text: &str) -> Result<Parts<'_>, Refusal> {
    let malformed = |what: &str| checks::PROOF_FORM.refuse(what.to_owned());
    if text.len() > MAX_PROOF {
        return Err(malformed("longer than a proof may be"));
    }
    let (signed, signature) = text.rsplit_once('.').ok_or_else(|| malformed("no compact JWS"))?;
    let (header, claims) = signed.split_once('.').ok_or_else(|| malformed("no compact JWS"))?;
    let object = |part: &str| {
        let bytes = encoding::decode(part).map_err(|refusal| malformed(&refusal.detail))?;
        match encoding::parse_json(&bytes, MAX_PROOF).map_err(|refusal| malformed(&refusal.detail))? {
            Value::Object(members) => Ok(members),
            _ => Err(malformed("header and payload are JSON objects")),
        }
    };
    let signature = encoding::decode(signature).map_err(|refusal| malformed(&refusal.detail))?;
    Ok((object(header)?, object(claims)?, signed, signature))
}

/// The key of the header, which has to be public and of the header's algorithm.
fn key(header: &Map<String, Value>, trail: &mut Trail) -> Result<PublicKey, Refusal> {
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    trail.hold(&checks::PROOF_TYP, text("typ") == Some(TYP), || {
        format!("typ {:?}, expected `{TYP}`", header.get("typ"))
    })?;
    // Whoever understands no extension has to refuse one that is critical (RFC 7515, 4.1.11).
    checks::PROOF_FORM.hold(!header.contains_key("crit"), || "a critical extension".into())?;
    let algorithm = match text("alg") {
        Some("ES256") => Algorithm::Es256,
        Some("EdDSA") => Algorithm::EdDsa,
        other => return Err(checks::PROOF_ALG.refuse(format!("alg {other:?}, expected ES256 or EdDSA"))),
    };
    let refuse = |what: String| checks::PROOF_KEY.refuse(what);
    let jwk = header.get("jwk").and_then(Value::as_object).ok_or_else(|| refuse("jwk is missing".into()))?;
    if let Some(name) = SECRET.iter().find(|name| jwk.contains_key(**name)) {
        return Err(refuse(format!("jwk has the secret member `{name}`")));
    }
    let members = ["kty", "crv", "x", "y"].into_iter();
    let bare: Map<_, _> = members.filter_map(|name| Some((name.to_owned(), jwk.get(name)?.clone()))).collect();
    let key = Jwk::from_json(&bare.into()).and_then(|jwk| jwk.public_key()).map_err(|cause| refuse(cause.detail))?;
    trail.held(&checks::PROOF_KEY);
    trail.hold(&checks::PROOF_ALG, key.algorithm() == algorithm, || {
        format!("alg {algorithm:?} with a key for {:?}", key.algorithm())
    })?;
    Ok(key)
}

/// Other senders' ES256 signatures may have a high `s`; nothing here rests on there being one spelling.
fn verify(key: &PublicKey, signed: &str, signature: Vec<u8>) -> Result<(), Refusal> {
    let refuse = |refusal: Refusal| checks::PROOF_SIGNATURE.refuse(refusal.detail);
    let signature = match key.algorithm() {
        Algorithm::Es256 => low_s(&signature).map_or(signature, |low| low.to_vec()),
        Algorithm::EdDsa => signature,
    };
    key.verify(signed.as_bytes(), &signature).map_err(refuse)
}

/// An http URL in its one spelling, without query and fragment (RFC 3986, 6.2.2 and 6.2.3).
fn normal(url: &str) -> Option<String> {
    let mut url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    Some(format!("{}{}", url.origin().ascii_serialization(), plain(url.path())?))
}

/// Escapes in capitals, and none where the letter could stand itself.
fn plain(path: &str) -> Option<String> {
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, behind)) = rest.split_once('%') {
        plain.push_str(before);
        let pair = behind.get(..2).filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let byte = u8::from_str_radix(pair, 16).ok()?;
        match char::from(byte) {
            letter if letter.is_ascii_alphanumeric() || "-._~".contains(letter) => plain.push(letter),
            _ => plain.push_str(&format!("%{byte:02X}")),
        }
        rest = &behind[2..];
    }
    plain.push_str(rest);
    Some(plain)
}

/// Whether a check is one that a caller mends by a better proof.
pub fn asks_for_proof(check: &Check) -> bool {
    check.id().starts_with("gate.proof.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_one_spelling() {
        let same = |one: &str, other: &str| assert_eq!(normal(one), normal(other), "{one} {other}");
        same("HTTPS://Data.Example:443/a%2fb", "https://data.example/a%2Fb?x#y");
        same("https://data.example", "https://data.example/");
        same("https://data.example/%7Eroads/%61", "https://data.example/~roads/a");
        same("https://data.example/a/../b", "https://data.example/b");
        for other in
            ["http://data.example/", "https://data.example:8443/", "https://data.example/a", "https://example/"]
        {
            assert_ne!(normal("https://data.example/"), normal(other), "{other}");
        }
        for none in ["data.example", "ftp://data.example/", "https://me@data.example/", "https://data.example/%2", ""] {
            assert_eq!(normal(none), None, "{none}");
        }
    }
}
