//! Published DIDComm vectors: those inside the allow-list open, those outside are refused by the check that says why.

use countersign::check::{Refusal, Trail};
use countersign::encoding::{decode, encode};
use countersign::identity::Jwk;
use countersign::inbox::{AgreementSecret, Curve, Envelope, GeneralJws, Message};
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

/// ECDH-1PU: every recipient that the published envelopes name opens them with the sender's public key, and finds the
/// specification's plaintext, signed or not.
#[test]
fn authenticated_envelopes_open() {
    let other = vectors(include_str!("../fixtures/didcomm/didcomm-rust.json"));
    let (spec, mut opened) = (spec(), 0);
    let public = |kid: &str| {
        let mut jwk = spec["keys"][kid].clone();
        jwk.as_object_mut().unwrap().remove("d");
        Jwk::from_json(&jwk).unwrap()
    };
    for vector in [&spec, &other].into_iter().flat_map(|vectors| vectors["encrypted"].as_array().unwrap()) {
        if !vector["refused"].is_null() {
            continue;
        }
        let envelope = Envelope::read(vector["message"].to_string().as_bytes()).unwrap();
        let skid = envelope.sender().unwrap();
        for kid in envelope.recipients() {
            let key = &spec["keys"][kid];
            let curve = if key["crv"] == "P-256" { Curve::P256 } else { Curve::X25519 };
            let secret = decode(key["d"].as_str().unwrap()).unwrap().try_into().unwrap();
            let secret = AgreementSecret::new(curve, &secret).unwrap();
            let inside = envelope.open_from(kid, &secret, &public(skid)).unwrap();
            let inside: Value = serde_json::from_slice(&inside).unwrap();
            let plaintext: Value = match inside.get("payload") {
                Some(payload) => serde_json::from_slice(&decode(payload.as_str().unwrap()).unwrap()).unwrap(),
                None => inside,
            };
            // The published ciphertexts spell `type` with http, the published plaintext with https.
            for member in ["id", "from", "to", "created_time", "expires_time", "body"] {
                assert_eq!(plaintext[member], spec["plaintext"][member], "{}: {member}", vector["name"]);
            }
            // Somebody else's key in the sender's place does not open it.
            let stranger = envelope.recipients().find(|other| *other != kid).unwrap();
            let refused = check(envelope.open_from(kid, &secret, &public(stranger)).map(drop));
            assert_eq!(refused, "inbox.envelope.key-wrap");
            assert_eq!(check(envelope.open(kid, &secret).map(drop)), "inbox.envelope.sender");
            opened += 1;
        }
    }
    assert_eq!(opened, 7);
    // The specification's names are no DIDs that this wallet knows, so the message itself is refused for that alone.
    let message = Message::read(spec["plaintext"].to_string().as_bytes());
    assert_eq!(check(message.map(drop)), "did.syntax");
}
