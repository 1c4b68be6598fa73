use super::*;
use crate::credential::sd_jwt::{OPEN, SdJwt};

fn key() -> SecretKey {
    super::key(5)
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
        (&checks::SD_DISCLOSURE, json!({"_sd": [item_digest]}), std::slice::from_ref(&item)),
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
    let kb_jwt = sign_jws(&holder, TYP_KEY_BINDING, false, payload.to_string().as_bytes()).unwrap();
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
