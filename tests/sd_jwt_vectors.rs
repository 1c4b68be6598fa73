//! The worked examples of RFC 9901, read by the verifier that the contract stands on.

use countersign::check::Trail;
use countersign::credential::sd_jwt::{Disclosure, SdJwt, process};
use countersign::credential::{KeyBinding, checks};
use countersign::encoding::{Timestamp, decode, encode};
use countersign::identity::{Jwk, Jws, PublicKey, checks as signatures, low_s};
use serde_json::{Map, Value};

const AT: i64 = 1_750_000_000;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../fixtures/sd-jwt/rfc9901.json")).unwrap()
}

fn key(jwk: &Value) -> PublicKey {
    Jwk::from_json(jwk).unwrap().public_key().unwrap()
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn read(texts: &[&str]) -> Vec<Disclosure> {
    texts.iter().map(|text| Disclosure::read(text).unwrap()).collect()
}

/// The JWS with its ES256 signature in the canonical form, and whether it had that form before.
fn canonical(jws: &str) -> (String, bool) {
    let (signed, signature) = jws.rsplit_once('.').unwrap();
    let low = format!("{signed}.{}", encode(low_s(&decode(signature).unwrap()).unwrap()));
    let was = low == jws;
    (low, was)
}

#[test]
fn disclosures_and_their_digests() {
    let vectors = vectors();
    let cases = vectors["disclosures"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        let read = Disclosure::read(case["disclosure"].as_str().unwrap()).unwrap();
        let contents = case["contents"].as_array().unwrap();
        assert_eq!(Value::from(read.salt), contents[0]);
        assert_eq!(Some(&read.value), contents.last());
        assert_eq!(read.name.map(Value::from).as_ref(), (contents.len() == 3).then(|| &contents[1]));
        if let Some(digest) = case.get("digest") {
            assert_eq!(&Value::from(read.digest), digest);
        }
    }
}

#[test]
fn payloads_before_they_are_signed() {
    let vectors = vectors();
    let cases = vectors["payloads"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let claims = process(object(&case["payload"]), read(&texts(&case["disclosures"]))).unwrap();
        assert_eq!(Value::from(claims), case["claims"], "{} {}", case["section"], case["name"]);
    }
}

#[test]
fn signed_examples_with_and_without_key_binding() {
    let (vectors, at) = (vectors(), Timestamp::from_seconds(AT).unwrap());
    let (issuer, holder) = (key(&vectors["issuer"]), key(&vectors["holder"]));
    let cases = vectors["signed"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    let mut bound = 0;
    for case in cases {
        let name = format!("{} {}", case["section"], case["name"]);
        let (issuer_jwt, typ) = (case["issuer_jwt"].as_str().unwrap(), case["typ"].as_str().unwrap());
        let rest: String = texts(&case["disclosures"]).iter().map(|text| format!("~{text}")).collect::<String>() + "~";
        let verify = |issuer_jwt: &str, typ: &str, key: &PublicKey| {
            let text = format!("{issuer_jwt}{rest}");
            SdJwt::parse(&text).unwrap().verify(key, typ, at, &mut Trail::default())
        };
        // Some of the RFC's signatures have a high s. Here that is another spelling of the same signature, and refused.
        let (low, was) = canonical(issuer_jwt);
        if !was {
            assert_eq!(verify(issuer_jwt, typ, &issuer).unwrap_err().check, &signatures::JWS_CANONICAL, "{name}");
        }
        assert_eq!(Value::from(verify(&low, typ, &issuer).unwrap()), case["claims"], "{name}");
        assert_eq!(verify(&low, "JWT", &issuer).unwrap_err().check, &signatures::JWS_TYP, "{name}");
        assert_eq!(verify(&low, typ, &holder).unwrap_err().check, &signatures::JWS_SIGNATURE, "{name}");

        let Some(binding) = case.get("key_binding") else { continue };
        bound += 1;
        let (kb_jwt, aud) = (binding["kb_jwt"].as_str().unwrap(), binding["aud"].as_str().unwrap());
        let nonce = binding["nonce"].as_str().unwrap();
        let kb_jwt = canonical(kb_jwt).0;
        // The hash covers the issuer's JWT as the RFC prints it.
        let over = format!("{issuer_jwt}{rest}");
        let verify = |over: &str, aud: &str, nonce: &str| {
            KeyBinding::verify(&kb_jwt, over, &holder, aud, nonce, &mut Trail::default())
        };
        let read = verify(&over, aud, nonce).unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert_eq!((Value::from(read.iat.seconds()), read.rest.len()), (binding["iat"].clone(), 0), "{name}");
        assert_eq!(verify(&over, "https://example.org", nonce).unwrap_err().check, &checks::KB_AUD, "{name}");
        assert_eq!(verify(&over, aud, "1234567891").unwrap_err().check, &checks::KB_NONCE, "{name}");
        let fewer = over[..over.len() - 1].rsplit_once('~').unwrap().0;
        assert_eq!(verify(&format!("{fewer}~"), aud, nonce).unwrap_err().check, &checks::KB_HASH, "{name}");
        assert!(Jws::parse(&kb_jwt).unwrap().header().kid.is_none());
    }
    assert_eq!(bound, 2);
}
