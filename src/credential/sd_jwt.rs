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
const OPEN: [&str; 8] = ["iss", "nbf", "exp", "cnf", "vct", "vct#integrity", "aka_vcts", "status"];

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::Check;
    use crate::identity::{SecretKey, Signer, sign_jws};

    fn key() -> SecretKey {
        SecretKey::p256(&[5; 32]).unwrap()
    }

    fn verify_as(typ: &str, payload: &Value, disclosures: &[String]) -> Result<Value, &'static Check> {
        let mut text = sign_jws(&key(), typ, false, payload.to_string().as_bytes()).unwrap() + "~";
        disclosures.iter().for_each(|disclosure| text += &format!("{disclosure}~"));
        let at = Timestamp::from_seconds(1_800_000_000).unwrap();
        SdJwt::parse(&text)
            .and_then(|token| token.verify(key().public_key(), typ, at, &mut Trail::default()))
            .map(Value::Object)
            .map_err(|refusal| refusal.check)
    }

    fn verify(payload: &Value, disclosures: &[String]) -> Result<Value, &'static Check> {
        verify_as("example+sd-jwt", payload, disclosures)
    }

    fn member(n: u8, name: &str, value: Value) -> (String, String) {
        let text = Disclosure::write(&[n; 16], name, &value);
        let digest = Digest::of(&text).b64u();
        (text, digest)
    }

    fn element(value: Value) -> (String, String) {
        let text = encoding::encode(json!(["salt", value]).to_string());
        let digest = Digest::of(&text).b64u();
        (text, digest)
    }

    #[test]
    fn digests_are_those_of_the_rfc() {
        // RFC 9901, 4.2.1 to 4.2.3.
        let named = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0";
        let read = Disclosure::read(named).unwrap();
        assert_eq!((read.name.as_deref(), &read.value), (Some("family_name"), &json!("Möbius")));
        assert_eq!(read.digest, "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0");
        let unnamed = "WyJsa2x4RjVqTVlsR1RQVW92TU5JdkNBIiwgIkZSIl0";
        let read = Disclosure::read(unnamed).unwrap();
        assert_eq!((read.name, read.value), (None, json!("FR")));
        assert_eq!(read.digest, "w0I8EKcdCtUPkGCNUrfwVp2xEgNjtoIDlOxc9-PlOhs");
    }

    #[test]
    fn members_elements_and_nested_disclosures_take_their_places() {
        let (street, street_digest) = member(1, "street", json!("Main"));
        let (address, address_digest) = member(2, "address", json!({"city": "X", "_sd": [street_digest]}));
        let (french, french_digest) = element(json!("FR"));
        let decoy = Digest::of("decoy").b64u();
        let payload = json!({
            "_sd_alg": "sha-256", "_sd": [address_digest, decoy],
            "nationalities": ["DE", {"...": french_digest}, {"...": Digest::of("hidden").b64u()}]
        });
        let all = verify(&payload, &[street.clone(), address.clone(), french]).unwrap();
        assert_eq!(all, json!({"nationalities": ["DE", "FR"], "address": {"city": "X", "street": "Main"}}));
        let some = verify(&payload, &[address]).unwrap();
        assert_eq!(some, json!({"nationalities": ["DE"], "address": {"city": "X"}}));
        assert_eq!(verify(&payload, &[street]), Err(&checks::SD_UNEXPLAINED));
        assert_eq!(verify(&json!({"a": 1}), &[]), Ok(json!({"a": 1})));
    }

    #[test]
    fn what_the_rfc_says_to_reject_is_rejected() {
        let (text, digest) = member(1, "a", json!(1));
        let (other, other_digest) = member(2, "a", json!(2));
        let (item, item_digest) = element(json!(1));
        let one = [text.clone()];
        let cases = [
            (&checks::SD_ALG, json!({"_sd_alg": "md5", "_sd": [digest]}), &one[..]),
            (&checks::SD_ALG, json!({"x": {"_sd_alg": "sha-256"}, "_sd": [digest]}), &one),
            (&checks::SD_UNEXPLAINED, json!({}), &one),
            (&checks::SD_UNEXPLAINED, json!({"_sd": [digest]}), &[text.clone(), text.clone()]),
            (&checks::SD_DIGEST_TWICE, json!({"_sd": [digest, digest]}), &one),
            (&checks::SD_DIGEST_TWICE, json!({"_sd": [other_digest], "x": [{"...": other_digest}]}), &[]),
            (&checks::SD_DIGEST, json!({"_sd": [1]}), &[]),
            (&checks::SD_DIGEST, json!({"_sd": "x"}), &[]),
            (&checks::SD_NAME_TAKEN, json!({"a": 0, "_sd": [digest]}), &one),
            (&checks::SD_NAME_TAKEN, json!({"_sd": [digest, other_digest]}), &[text.clone(), other.clone()]),
            (&checks::SD_NAME, json!({"...": digest}), &one),
            (&checks::SD_NAME, json!({"x": [{"...": digest, "y": 1}]}), &one),
            (&checks::SD_NAME, json!({}), &[member(3, "_sd", json!([])).0]),
            (&checks::SD_NAME, json!({}), &[member(3, "...", json!(1)).0]),
            (&checks::SD_DISCLOSURE, json!({"_sd": [item_digest]}), &[item.clone()]),
            (&checks::SD_DISCLOSURE, json!({"x": [{"...": digest}]}), &one),
            (&checks::SD_DISCLOSURE, json!({}), &[encoding::encode("[\"salt\"]")]),
            (&checks::SD_DISCLOSURE, json!({}), &[encoding::encode("{}")]),
            (&checks::SD_DISCLOSURE, json!({}), &[encoding::encode("[\"salt\",\"name\",1,2]")]),
            (&checks::SD_DISCLOSURE, json!({}), &[encoding::encode("[1,\"name\",1]")]),
            (&checks::SD_WINDOW, json!({"exp": 1_800_000_000}), &[]),
            (&checks::SD_WINDOW, json!({"nbf": 1_800_000_001}), &[]),
            (&checks::SD_WINDOW, json!({"exp": "never"}), &[]),
        ];
        for (n, (check, payload, disclosures)) in cases.into_iter().enumerate() {
            assert_eq!(verify(&payload, disclosures), Err(check), "case {n}");
        }
        for name in OPEN {
            let (text, digest) = member(1, name, json!(1));
            assert_eq!(verify(&json!({"_sd": [digest]}), &[text]), Err(&checks::SD_OPEN), "{name}");
        }
        assert_eq!(verify_as(TYP_CREDENTIAL, &json!({"iss": "x"}), &[]), Err(&checks::SD_OPEN));
    }

    #[test]
    fn nesting_has_an_end() {
        let (mut text, mut digest) = member(0, "n", json!(1));
        let mut disclosures = vec![text];
        for n in 1..40 {
            (text, digest) = member(n, "n", json!({"_sd": [digest]}));
            disclosures.push(text);
        }
        assert_eq!(verify(&json!({"_sd": [digest]}), &disclosures), Err(&checks::SD_DEPTH));
    }

    #[test]
    fn key_binding_is_checked_where_it_is_required() {
        let holder = SecretKey::p256(&[6; 32]).unwrap();
        let bound = sign_jws(&key(), "x", false, b"{}").unwrap() + "~";
        let payload = json!({"iat": 1_800_000_000, "aud": "a", "nonce": "n", "sd_hash": Digest::of(&bound).b64u()});
        let kb_jwt = sign_jws(&holder, "kb+jwt", false, payload.to_string().as_bytes()).unwrap();
        let bind = |text: &str, aud: &str, nonce: &str, holder: &SecretKey| {
            SdJwt::parse(text)
                .and_then(|token| token.verify_binding(holder.public_key(), aud, nonce, &mut Trail::default()))
                .map(drop)
                .map_err(|refusal| refusal.check)
        };
        let whole = format!("{bound}{kb_jwt}");
        assert_eq!(bind(&whole, "a", "n", &holder), Ok(()));
        assert_eq!(bind(&bound, "a", "n", &holder), Err(&checks::KB_PRESENT));
        assert_eq!(bind(&whole, "b", "n", &holder), Err(&checks::KB_AUD));
        assert_eq!(bind(&whole, "a", "m", &holder), Err(&checks::KB_NONCE));
        assert_eq!(bind(&whole, "a", "n", &key()), Err(&crate::identity::checks::JWS_SIGNATURE));
        let (more, _) = member(1, "a", json!(1));
        assert_eq!(bind(&format!("{bound}{more}~{kb_jwt}"), "a", "n", &holder), Err(&checks::KB_HASH));
    }
}
