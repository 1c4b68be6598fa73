//! SD-JWT (RFC 9901), compact form, strict: what the contract credential stands on.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::checks;
use super::vocabulary::{SHA_256, TYP_CREDENTIAL};
use crate::check::{Refusal, Trail};
use crate::encoding::{self, Digest, MAX_DEPTH, Timestamp};
use crate::identity::{Header, Jws, PublicKey, checks as signatures};

/// The longest SD-JWT that is read, in bytes.
pub const MAX_SD_JWT: usize = 256 * 1024;
/// The most disclosures that are read.
pub const MAX_DISCLOSURES: usize = 256;

/// Claims that a verifier decides by, which may therefore not be hidden (SD-JWT VC, 3.2.2).
pub(super) const OPEN: [&str; 8] = ["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"];

/// The text of an SD-JWT, cut at its tildes.
#[derive(Clone, Debug)]
pub struct Cut<'a> {
    /// What the issuer signed.
    pub issuer_jwt: &'a str,
    /// The disclosures as sent.
    pub disclosures: Vec<&'a str>,
    /// The KB-JWT, if there is one.
    pub key_binding: Option<&'a str>,
    /// The text that a KB-JWT's `sd_hash` covers: everything up to and with the last tilde.
    pub bound: &'a str,
}

impl<'a> Cut<'a> {
    /// Cuts `<issuer JWT>~<D1>~…~<Dn>~[<KB-JWT>]`.
    ///
    /// # Errors
    /// `sdjwt.form`.
    pub fn new(text: &'a str) -> Result<Self, Refusal> {
        checks::SD_FORM.hold(text.len() <= MAX_SD_JWT, || format!("{} bytes", text.len()))?;
        let (before, last) = text.rsplit_once('~').ok_or_else(|| checks::SD_FORM.refuse("there is no tilde"))?;
        let mut parts = before.split('~');
        let issuer_jwt = parts.next().unwrap_or_default();
        let disclosures: Vec<&str> = parts.take(MAX_DISCLOSURES + 1).collect();
        checks::SD_FORM.hold(disclosures.len() <= MAX_DISCLOSURES, || "too many disclosures".into())?;
        checks::SD_FORM.hold(disclosures.iter().all(|text| !text.is_empty()), || "an empty disclosure".into())?;
        let bound = &text[..before.len() + 1];
        Ok(Self { issuer_jwt, disclosures, key_binding: (!last.is_empty()).then_some(last), bound })
    }
}

/// One disclosure, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Disclosure {
    /// The salt.
    pub salt: String,
    /// The claim's name; `None` for an element of an array.
    pub name: Option<String>,
    /// The value as disclosed; digests inside it are not replaced yet.
    pub value: Value,
    /// The digest that has to stand in the payload or in another disclosure.
    pub digest: String,
}

impl Disclosure {
    /// Reads one disclosure.
    ///
    /// # Errors
    /// `sdjwt.disclosure`, `sdjwt.name`, `encoding.*`.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let refuse = || checks::SD_DISCLOSURE.refuse("not an array of [salt, name, value] or [salt, value]");
        let Value::Array(parts) = encoding::parse_json(&encoding::decode(text)?, MAX_SD_JWT)? else {
            return Err(refuse());
        };
        let count = parts.len();
        let mut parts = parts.into_iter();
        let (Some(Value::String(salt)), Some(second)) = (parts.next(), parts.next()) else { return Err(refuse()) };
        let (name, value) = match (count, second, parts.next()) {
            (2, value, None) => (None, value),
            (3, Value::String(name), Some(value)) => (Some(name), value),
            _ => return Err(refuse()),
        };
        if let Some(name) = &name {
            checks::SD_NAME.hold(name != "_sd" && name != "...", || format!("a disclosure is named `{name}`"))?;
        }
        Ok(Self { salt, name, value, digest: Digest::of(text).b64u() })
    }

    /// Writes a disclosure of an object's member.
    pub fn write(salt: &[u8; 16], name: &str, value: &Value) -> String {
        encoding::encode(Value::from(vec![encoding::encode(salt).into(), name.into(), value.clone()]).to_string())
    }
}

/// An SD-JWT taken apart; nothing about it is proven yet.
#[derive(Clone, Debug)]
pub struct SdJwt<'a> {
    cut: Cut<'a>,
    issuer: Jws,
    disclosures: Vec<Disclosure>,
}

impl<'a> SdJwt<'a> {
    /// Takes an SD-JWT apart, with or without key binding.
    ///
    /// # Errors
    /// `sdjwt.form`, `sdjwt.disclosure`, `sdjwt.name`, `jws.*`, `encoding.*`.
    pub fn parse(text: &'a str) -> Result<Self, Refusal> {
        let cut = Cut::new(text)?;
        let issuer = Jws::parse(cut.issuer_jwt)?;
        let disclosures = cut.disclosures.iter().map(|text| Disclosure::read(text)).collect::<Result<_, _>>()?;
        Ok(Self { cut, issuer, disclosures })
    }

    /// The header of what the issuer signed.
    pub fn header(&self) -> &Header {
        self.issuer.header()
    }

    /// Whether a KB-JWT came along.
    pub fn is_bound(&self) -> bool {
        self.cut.key_binding.is_some()
    }

    /// Verifies the KB-JWT. Whether one is required is the caller's to know before it looks at the message.
    ///
    /// `holder` is the key in `cnf` of the processed claims.
    ///
    /// # Errors
    /// `kb.*`, `jws.*`, `encoding.*`.
    pub fn verify_binding(
        &self,
        holder: &PublicKey,
        aud: &str,
        nonce: &str,
        trail: &mut Trail,
    ) -> Result<super::KeyBinding, Refusal> {
        let text = self.cut.key_binding.ok_or_else(|| checks::KB_PRESENT.refuse("there is no KB-JWT"))?;
        trail.held(&checks::KB_PRESENT);
        super::KeyBinding::verify(text, self.cut.bound, holder, aud, nonce, trail)
    }

    /// Verifies the issuer's signature with `key` and gives the claims with every disclosure in its place, as of `at`.
    ///
    /// That `key` is the issuer's is the caller's to know.
    ///
    /// # Errors
    /// `sdjwt.*`, `jws.*`, `encoding.*`.
    pub fn verify(
        self,
        key: &PublicKey,
        typ: &str,
        at: Timestamp,
        trail: &mut Trail,
    ) -> Result<Map<String, Value>, Refusal> {
        trail.hold(&signatures::JWS_TYP, self.issuer.header().typ == typ, || {
            format!("typ `{}`, expected `{typ}`", self.issuer.header().typ)
        })?;
        self.issuer.verify(key, trail)?;
        let claims = process(self.issuer.claims()?, self.disclosures)?;
        for check in [&checks::SD_ALG, &checks::SD_DISCLOSURE, &checks::SD_DIGEST_TWICE, &checks::SD_UNEXPLAINED] {
            trail.held(check);
        }
        if typ == TYP_CREDENTIAL {
            checks::SD_OPEN.hold(claims.get("vct").is_some_and(Value::is_string), || "vct is missing".into())?;
        }
        let time = |name: &str| match claims.get(name) {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(seconds) => Timestamp::from_seconds(seconds).map(Some),
                None => Err(checks::SD_WINDOW.refuse(format!("{name} is no integer"))),
            },
        };
        let (nbf, exp) = (time("nbf")?, time("exp")?);
        trail.hold(&checks::SD_WINDOW, nbf.is_none_or(|nbf| nbf <= at) && exp.is_none_or(|exp| at < exp), || {
            format!("nbf {nbf:?}, exp {exp:?}, judged at {at}")
        })?;
        Ok(claims)
    }
}

/// The payload with every disclosure in its place and without a trace of digests (RFC 9901, 7.1).
///
/// # Errors
/// `sdjwt.*`.
pub fn process(mut payload: Map<String, Value>, disclosures: Vec<Disclosure>) -> Result<Map<String, Value>, Refusal> {
    match payload.shift_remove("_sd_alg") {
        None => {}
        Some(Value::String(alg)) if alg == SHA_256 => {}
        Some(alg) => return Err(checks::SD_ALG.refuse(format!("_sd_alg {alg}, expected {SHA_256}"))),
    }
    let given = disclosures.len();
    let mut unfolding = Unfolding { given: HashMap::with_capacity(given), met: Default::default() };
    for disclosure in disclosures {
        unfolding.given.insert(disclosure.digest.clone(), disclosure);
    }
    checks::SD_UNEXPLAINED.hold(unfolding.given.len() == given, || "a disclosure is there twice".into())?;
    unfolding.object(&mut payload, 0)?;
    match unfolding.given.into_values().next() {
        None => Ok(payload),
        Some(left) => {
            Err(checks::SD_UNEXPLAINED
                .refuse(format!("no digest names the disclosure of {}", label(left.name.as_deref()))))
        }
    }
}

fn label(name: Option<&str>) -> String {
    name.map_or_else(|| "an array's element".into(), |name| format!("`{name}`"))
}

struct Unfolding {
    /// Disclosures whose digest was not met yet.
    given: HashMap<String, Disclosure>,
    met: std::collections::HashSet<String>,
}

impl Unfolding {
    fn value(&mut self, value: &mut Value, depth: usize) -> Result<(), Refusal> {
        checks::SD_DEPTH.hold(depth <= MAX_DEPTH, || format!("more than {MAX_DEPTH} levels"))?;
        match value {
            Value::Object(object) => self.object(object, depth),
            Value::Array(list) => self.array(list, depth),
            _ => Ok(()),
        }
    }

    fn object(&mut self, object: &mut Map<String, Value>, depth: usize) -> Result<(), Refusal> {
        checks::SD_ALG.hold(!object.contains_key("_sd_alg"), || "_sd_alg below the top level".into())?;
        checks::SD_NAME.hold(!object.contains_key("..."), || "`...` outside an array".into())?;
        let digests = object.shift_remove("_sd");
        for value in object.values_mut() {
            self.value(value, depth + 1)?;
        }
        let digests = match digests {
            None => return Ok(()),
            Some(Value::Array(digests)) => digests,
            Some(_) => return Err(checks::SD_DIGEST.refuse("_sd is not an array")),
        };
        for digest in &digests {
            let Some(mut disclosure) = self.take(digest)? else { continue };
            let name = disclosure.name.take().ok_or_else(|| {
                checks::SD_DISCLOSURE.refuse("a disclosure of an array's element is named by a digest in _sd")
            })?;
            checks::SD_OPEN
                .hold(depth > 0 || !OPEN.contains(&name.as_str()), || format!("`{name}` comes from a disclosure"))?;
            checks::SD_NAME_TAKEN.hold(!object.contains_key(&name), || format!("`{name}` is there already"))?;
            self.value(&mut disclosure.value, depth + 1)?;
            object.insert(name, disclosure.value);
        }
        Ok(())
    }

    fn array(&mut self, list: &mut Vec<Value>, depth: usize) -> Result<(), Refusal> {
        let mut shown = Vec::with_capacity(list.len());
        for mut element in std::mem::take(list) {
            match element.as_object() {
                Some(object) if object.contains_key("...") => {
                    checks::SD_NAME.hold(object.len() == 1, || "`...` beside other members".into())?;
                    let Some(mut disclosure) = self.take(&object["..."])? else { continue };
                    checks::SD_DISCLOSURE.hold(disclosure.name.is_none(), || {
                        "a disclosure of a member is named by a digest in an array".into()
                    })?;
                    self.value(&mut disclosure.value, depth + 1)?;
                    shown.push(disclosure.value);
                }
                _ => {
                    self.value(&mut element, depth + 1)?;
                    shown.push(element);
                }
            }
        }
        *list = shown;
        Ok(())
    }

    /// The disclosure that `digest` names, if it was given.
    fn take(&mut self, digest: &Value) -> Result<Option<Disclosure>, Refusal> {
        let digest = digest.as_str().filter(|text| is_digest(text));
        let digest = digest.ok_or_else(|| checks::SD_DIGEST.refuse("a digest is not the base64url of 32 bytes"))?;
        checks::SD_DIGEST_TWICE.hold(self.met.insert(digest.to_owned()), || format!("{digest} is met twice"))?;
        Ok(self.given.remove(digest))
    }
}

/// Whether a text is the base64url of 32 bytes.
pub(super) fn is_digest(text: &str) -> bool {
    text.len() == 43 && encoding::decode(text).is_ok()
}
