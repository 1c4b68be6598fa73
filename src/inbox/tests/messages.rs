//! What a signed message and its plaintext are held to.

use super::super::jws;
use super::*;

fn plaintext(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    changed(message(alice().did(), bob(Curve::P256).did()).write().unwrap().as_bytes(), change)
}

fn signed(change: impl FnOnce(&mut Value)) -> String {
    let signed = sign(&message(alice().did(), bob(Curve::P256).did()), &alice()).unwrap();
    String::from_utf8(changed(signed.as_bytes(), change)).unwrap()
}

/// Signed validly under another protected and unprotected header.
fn signed_under(protected: &Value, outside: Option<Value>) -> String {
    let (protected, payload) = (encode(protected.to_string()), encode(plaintext(|_| ())));
    let signature = alice().sign(format!("{protected}.{payload}").as_bytes()).unwrap();
    let mut signature = json!({ "protected": protected, "signature": encode(signature) });
    if let Some(outside) = outside {
        signature["header"] = outside;
    }
    json!({ "payload": payload, "signatures": [signature] }).to_string()
}

fn verify(signed: &str) -> Result<Verified, Refusal> {
    let now = at(NOW);
    Opened::read(signed)?.verify(bob(Curve::P256).did(), &Documents::default(), now, &mut Trail::default())
}

type Verified = crate::identity::Verified<Message>;

#[test]
fn a_signed_message_has_one_signature_and_nothing_else() {
    assert!(verify(&signed(|_| ())).is_ok());
    let form = |change: fn(&mut Value)| assert_eq!(refused(verify(&signed(change))), &checks::SIGNED_FORM);
    form(|jws| jws["protected"] = "e30".into());
    form(|jws| jws["signatures"] = json!([]));
    form(|jws| jws["signatures"] = json!([jws["signatures"][0], jws["signatures"][0]]));
    form(|jws| jws["signatures"][0]["header"]["jwk"] = json!({}));
    form(|jws| *jws = json!({ "payload": jws["payload"], "protected": "e30", "signature": "AA" }));
    assert_eq!(refused(verify(&plaintext_text())), &checks::NESTING);
}

fn plaintext_text() -> String {
    String::from_utf8(plaintext(|_| ())).unwrap()
}

#[test]
fn the_kid_stands_in_either_header_and_is_the_same_in_both() {
    let kid = alice().kid().to_string();
    let typ = "application/didcomm-signed+json";
    let both = json!({ "typ": typ, "alg": "ES256", "kid": kid });
    let none = json!({ "typ": typ, "alg": "ES256" });
    assert!(verify(&signed_under(&both, None)).is_ok());
    assert!(verify(&signed_under(&none, Some(json!({ "kid": kid })))).is_ok());
    assert!(verify(&signed_under(&both, Some(json!({ "kid": kid })))).is_ok());
    let other = Some(json!({ "kid": bob(Curve::P256).kid() }));
    assert_eq!(refused(verify(&signed_under(&both, other.clone()))), &checks::SIGNED_HEADER);
    assert_eq!(refused(verify(&signed_under(&none, None))), &checks::SIGNED_HEADER);
    assert_eq!(refused(verify(&signed_under(&none, other))), &checks::FROM);
    let relative = Some(json!({ "kid": "#key-1" }));
    assert_eq!(refused(verify(&signed_under(&none, relative))), &signing::JWS_KID);
    let crit = json!({ "typ": typ, "alg": "ES256", "kid": kid, "crit": ["b64"], "b64": false });
    assert_eq!(refused(verify(&signed_under(&crit, None))), &checks::SIGNED_HEADER);
    for typ in ["application/didcomm-plain+json", "JWT"] {
        let wrong = json!({ "typ": typ, "alg": "ES256", "kid": kid });
        assert_eq!(refused(verify(&signed_under(&wrong, None))), &checks::SIGNED_TYP);
    }
    for alg in ["ES256K", "none", "HS256", "EdDSA"] {
        let wrong = json!({ "typ": typ, "alg": alg, "kid": kid });
        assert_eq!(refused(verify(&signed_under(&wrong, None))), &signing::JWS_ALG, "{alg}");
    }
}

#[test]
fn signatures_are_canonical_and_fit() {
    let high = signed(|jws| {
        let bytes = b64u(jws["signatures"][0]["signature"].as_str().unwrap()).unwrap();
        let (r, s) = p256::ecdsa::Signature::from_slice(&bytes).unwrap().split_scalars();
        let high = p256::ecdsa::Signature::from_scalars(r, -*s).unwrap();
        jws["signatures"][0]["signature"] = encode(high.to_bytes()).into();
    });
    assert_eq!(refused(verify(&high)), &signing::JWS_CANONICAL);
    let forged = signed(|jws| inside(&mut jws["payload"], |plaintext| plaintext["body"] = json!({ "price": 0 })));
    assert_eq!(refused(verify(&forged)), &signing::JWS_SIGNATURE);
    let mallory = SecretKey::p256(&[8; 32]).unwrap().for_did(alice().kid().clone());
    let forged = sign(&message(alice().did(), bob(Curve::P256).did()), &mallory).unwrap();
    assert_eq!(refused(verify(&forged)), &signing::JWS_SIGNATURE);
}

#[test]
fn sender_recipient_and_time_are_held() {
    let letter = |change: fn(&mut Value)| {
        verify(&jws::sign(std::str::from_utf8(&plaintext(change)).unwrap(), &alice()).unwrap())
    };
    assert_eq!(refused(letter(|message| message["from"] = message["to"][0].clone())), &checks::FROM);
    assert_eq!(refused(letter(|message| message["to"] = json!([]))), &checks::TO);
    assert_eq!(refused(letter(|message| drop(message.as_object_mut().unwrap().remove("to")))), &checks::TO);
    assert_eq!(refused(letter(|message| message["to"] = json!([message["from"]]))), &checks::TO);
    assert_eq!(refused(letter(|message| message["expires_time"] = NOW.into())), &checks::EXPIRED);
    assert!(letter(|message| message["expires_time"] = (NOW + 1).into()).is_ok());
    assert!(letter(|message| drop(message.as_object_mut().unwrap().remove("expires_time"))).is_ok());

    // Opened with a key of one of this wallet's DIDs, addressed to another.
    let (first, second) = (bob(Curve::X25519), bob(Curve::P256));
    let mut letter = message(alice().did(), first.did());
    letter.to.push(second.did().clone());
    let envelope = seal(&letter, &alice(), &[bobs_key(Curve::X25519).public()], &mut counting()).unwrap();
    let opened = decrypt(&envelope, &[bobs_key(Curve::X25519)]).unwrap();
    let verify = |own| opened.verify(own, &Documents::default(), at(NOW), &mut Trail::default());
    assert!(verify(first.did()).is_ok());
    assert_eq!(refused(verify(second.did())), &checks::TO);
}

#[test]
fn plaintexts_are_read_strictly() {
    let check = |change: fn(&mut Value)| refused(Message::read(&plaintext(change)));
    for change in [
        (|message| message["body"] = json!([])) as fn(&mut Value),
        |message| drop(message.as_object_mut().unwrap().remove("body")),
        |message| drop(message.as_object_mut().unwrap().remove("id")),
        |message| message["id"] = "".into(),
        |message| message["id"] = "x".repeat(513).into(),
        |message| message["id"] = 7.into(),
        |message| message["type"] = "two words".into(),
        |message| message["thid"] = Value::Null,
        |message| drop(message.as_object_mut().unwrap().remove("from")),
        |message| message["to"] = "did:web:a.example".into(),
        |message| message["to"] = vec![message["to"][0].clone(); 17].into(),
        |message| message["created_time"] = "now".into(),
        |message| message["expires_time"] = 1.5.into(),
    ] {
        assert_eq!(check(change), &checks::PLAINTEXT);
    }
    assert_eq!(refused(Message::read(b"[]")), &checks::PLAINTEXT);
    assert_eq!(check(|message| message["typ"] = "application/json".into()), &checks::PLAINTEXT_TYP);
    assert_eq!(check(|message| message["from_prior"] = "e30.e30.AA".into()), &checks::ROTATION);
    assert_eq!(check(|message| message["to"] = json!(["did:example:bob"])), &signing::DID);
    assert!(Message::read(&plaintext(|message| message["please_ack"] = json!([""]))).is_ok());
    assert!(Message::read(&plaintext(|message| message["typ"] = "didcomm-plain+json".into())).is_ok());
}

#[test]
fn attachments_are_texts_that_came_along() {
    let with = |data: Value| {
        let attachments = json!([{ "id": "a", "data": data }]);
        Message::read(&plaintext(|message| message["attachments"] = attachments))
    };
    assert_eq!(with(json!({ "base64": "w7w" })).unwrap().attachment("a"), Some("ü"));
    assert_eq!(with(json!({ "json": { "b": [1] } })).unwrap().attachment("a"), Some(r#"{"b":[1]}"#));
    for data in [
        json!({ "links": ["https://a.example"], "hash": "x" }),
        json!({ "base64": "w7w", "links": [] }),
        json!({ "base64": "w7w", "json": {} }),
        json!({ "base64": "_w" }),
        json!({ "base64": 7 }),
        json!({}),
        Value::Null,
    ] {
        assert_eq!(refused(with(data)), &checks::ATTACHMENT);
    }
    assert_eq!(refused(with(json!({ "base64": "w7w=" }))), &crate::encoding::checks::BASE64URL);
    let list = |list: Value| refused(Message::read(&plaintext(|message| message["attachments"] = list)));
    let one = json!({ "id": "a", "data": { "json": {} } });
    assert_eq!(list(json!([one, one])), &checks::ATTACHMENT);
    assert_eq!(list(json!([{ "data": { "json": {} } }])), &checks::ATTACHMENT);
    assert_eq!(list(json!([{ "id": "a", "media_type": 1, "data": { "json": {} } }])), &checks::ATTACHMENT);
    assert_eq!(list(json!({})), &checks::ATTACHMENT);
    let many = (0..17).map(|n| json!({ "id": n.to_string(), "data": { "json": {} } })).collect();
    assert_eq!(list(many), &checks::ATTACHMENT);
}
