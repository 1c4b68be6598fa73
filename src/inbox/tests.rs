//! One negative test for every check, and round trips.

use std::sync::OnceLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::check::{Check, Refusal, Trail};
use crate::encoding::{Timestamp, decode as b64u, encode};
use crate::identity::{Did, Documents, SecretKey, Signer as _, checks as signing};

mod authcrypts;
mod contacts;
mod envelopes;
mod invitations;
mod messages;

/// Deterministic: each call continues where the one before ended.
fn counting() -> impl FnMut(&mut [u8]) {
    let mut next = 1_u8;
    move |buffer| {
        for byte in buffer {
            *byte = next;
            next = next.wrapping_mul(5).wrapping_add(3);
        }
    }
}

fn alice() -> SecretKey {
    SecretKey::p256(&[7; 32]).unwrap()
}

fn bob(curve: Curve) -> SecretKey {
    match curve {
        Curve::X25519 => SecretKey::ed25519(&[9; 32]).unwrap(),
        Curve::P256 => SecretKey::p256(&[9; 32]).unwrap(),
    }
}

fn bobs_key(curve: Curve) -> AgreementKey {
    AgreementKey::of_did_key(&bob(curve)).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds).unwrap()
}

const NOW: i64 = 1_800_000_000;

fn message(from: &Did, to: &Did) -> Message {
    Message {
        id: "m-1".into(),
        kind: "urn:countersign:negotiation/1.0/offer".into(),
        from: from.clone(),
        to: vec![to.clone()],
        thid: Some("urn:uuid:0b0e2d3c-6f5a-4a52-9d0e-0c8f6a4f4e11".into()),
        created_time: Some(at(NOW)),
        pthid: None,
        expires_time: Some(at(NOW + 60)),
        body: json!({ "providerPid": "urn:uuid:1" }),
        attachments: vec![Attachment {
            id: "offer".into(),
            media_type: Some("application/dc+sd-jwt".into()),
            text: "a.b.c~ü~".into(),
        }],
    }
}

/// Alice's message, sealed for Bob; made once, for sealing is slow without optimisation.
fn sealed(curve: Curve) -> Vec<u8> {
    static MADE: [OnceLock<Vec<u8>>; 2] = [const { OnceLock::new() }; 2];
    let seal = || {
        let (alice, bob) = (alice(), bob(curve));
        seal(&message(alice.did(), bob.did()), &alice, &[bobs_key(curve).public()], &mut counting()).unwrap()
    };
    MADE[usize::from(curve == Curve::P256)].get_or_init(seal).clone()
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> &'static Check {
    outcome.unwrap_err().check
}

/// The same JSON with one change.
fn changed(text: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(text).unwrap();
    change(&mut value);
    value.to_string().into_bytes()
}

/// Changes what is inside a base64url member.
fn inside(member: &mut Value, change: impl FnOnce(&mut Value)) {
    let text = changed(&b64u(member.as_str().unwrap()).unwrap(), change);
    *member = encode(text).into();
}

#[test]
fn a_message_arrives_as_it_was_sent_on_both_curves() {
    for curve in [Curve::X25519, Curve::P256] {
        let (alice, bob) = (alice(), bob(curve));
        let sent = message(alice.did(), bob.did());
        let envelope = sealed(curve);
        assert_eq!(addressed_to(&envelope).unwrap(), [bobs_key(curve).kid().clone()]);
        let opened = decrypt(&envelope, &[bobs_key(curve)]).unwrap();
        assert_eq!(opened.signer_kid(), alice.kid());
        let mut trail = Trail::default();
        let read = opened.verify(bob.did(), &Documents::default(), at(NOW), &mut trail).unwrap();
        assert_eq!(*read, sent);
        assert_eq!(read.attachment("offer"), Some("a.b.c~ü~"));
        for check in [&checks::FROM, &checks::TO, &checks::EXPIRED, &signing::JWS_SIGNATURE] {
            assert!(trail.checks().contains(&check), "{check}");
        }
        let kept = Opened::read(opened.text()).unwrap();
        assert_eq!(*kept.verify_kept(&Documents::default(), &mut trail).unwrap(), sent);
    }
}

#[test]
fn one_envelope_serves_all_keys_of_a_did() {
    let bob = bob(Curve::X25519);
    let second = AgreementKey::beside(bob.did(), AgreementSecret::new(Curve::X25519, &[3; 32]).unwrap());
    let signed = sign(&message(alice().did(), bob.did()), &alice()).unwrap();
    let recipients = [second.public(), bobs_key(Curve::X25519).public()];
    let envelope = seal_signed(&signed, &recipients, &mut counting()).unwrap();
    for key in [second, bobs_key(Curve::X25519)] {
        let kid = key.kid().clone();
        assert_eq!(decrypt(&envelope, &[key]).unwrap().opened_with(), Some(&kid));
    }
}

#[test]
fn agreement_keys_follow_from_the_did() {
    for curve in [Curve::X25519, Curve::P256] {
        let bob = bob(curve);
        let keys = agreement_keys_of(bob.did()).unwrap();
        assert_eq!(keys, [bobs_key(curve).public()]);
        assert_eq!(keys[0].kid.did(), bob.did());
    }
    let jwk = alice().as_did_jwk();
    assert_eq!(refused(agreement_keys_of(jwk.did())), &checks::AGREEMENT_DID);
    assert_eq!(refused(AgreementKey::of_did_key(&jwk)), &checks::AGREEMENT_DID);
}

/// The example of the did:key method, section "Ed25519 / X25519".
#[test]
fn the_derived_x25519_key_is_the_published_one() {
    let did: Did = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp".parse().unwrap();
    let key = &agreement_keys_of(&did).unwrap()[0];
    assert_eq!(key.kid.fragment(), "z6LShs9GGnqk85isEBzzshkuVWrVKsRp24GnDuHk8QWkARMW");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_byte_of_an_envelope_can_be_changed(place: prop::sample::Index, byte in 0x20_u8..0x7f) {
        let mut envelope = sealed(Curve::X25519);
        let place = place.index(envelope.len());
        prop_assume!(envelope[place] != byte);
        envelope[place] = byte;
        prop_assert!(decrypt(&envelope, &[bobs_key(Curve::X25519)]).is_err());
    }

    #[test]
    fn nothing_that_arrives_makes_the_reader_panic(bytes: Vec<u8>, header in "[ -~]{0,80}", inner in "[ -~]{0,80}") {
        prop_assert!(decrypt(&bytes, &[]).is_err());
        let protected = encode(header);
        let envelope = json!({
            "protected": protected, "iv": "", "tag": "", "ciphertext": "",
            "recipients": [{ "header": { "kid": inner }, "encrypted_key": "" }],
        });
        prop_assert!(decrypt(envelope.to_string().as_bytes(), &[]).is_err());
        let signature = json!({ "protected": protected, "signature": "AA" });
        let signed = json!({ "payload": encode(&inner), "signatures": [signature] }).to_string();
        prop_assert!(Opened::read(&signed).is_err());
        prop_assert!(Message::read(inner.as_bytes()).is_err());
    }
}
