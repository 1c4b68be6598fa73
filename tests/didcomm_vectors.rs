//! Published DIDComm vectors: those inside the allow-list open, those outside are refused by the check that says why.

use countersign::check::{Refusal, Trail};
use countersign::encoding::{decode, encode};
use countersign::identity::Jwk;
use countersign::inbox::{Envelope, GeneralJws};
use serde_json::Value;

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn spec() -> Value {
    vectors(include_str!("../fixtures/didcomm/spec-v2.1.json"))
}

fn check(outcome: Result<(), Refusal>) -> Value {
    outcome.err().map_or(Value::Null, |refusal| refusal.check.id().into())
}

fn verify(message: &Value, keys: &Value) -> Result<(), Refusal> {
    let jws = GeneralJws::read(message.to_string().as_bytes())?;
    let mut jwk = keys[jws.kid()].clone();
    jwk.as_object_mut().unwrap().remove("d");
    jws.verify(&Jwk::from_json(&jwk)?.public_key()?, &mut Trail::default())
}

#[test]
fn signed_messages() {
    let spec = spec();
    let signed = spec["signed"].as_array().unwrap();
    assert_eq!(signed.len(), 3);
    for vector in signed {
        assert_eq!(check(verify(&vector["message"], &spec["keys"])), vector["refused"], "{}", vector["name"]);
    }
}

/// The published ES256 signature has a high s: refused as it stands, and right once its own signer spells it with a low s.
#[test]
fn the_es256_signature_verifies_with_low_s() {
    let spec = spec();
    let mut message = spec["signed"][1]["message"].clone();
    let signature = decode(message["signatures"][0]["signature"].as_str().unwrap()).unwrap();
    let low = p256::ecdsa::Signature::from_slice(&signature).unwrap().normalize_s();
    message["signatures"][0]["signature"] = encode(low.to_bytes()).into();
    verify(&message, &spec["keys"]).unwrap();
}

#[test]
fn encrypted_messages() {
    let other = vectors(include_str!("../fixtures/didcomm/didcomm-rust.json"));
    let (spec, mut count) = (spec(), 0);
    for vector in [&spec, &other].into_iter().flat_map(|vectors| vectors["encrypted"].as_array().unwrap()) {
        let read = Envelope::read(vector["message"].to_string().as_bytes()).map(drop);
        assert_eq!(check(read), vector["refused"], "{}", vector["name"]);
        count += 1;
    }
    assert_eq!(count, 8);
}
