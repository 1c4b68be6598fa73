//! What the outside of an envelope is held to.

use super::super::agreement::AgreementPoint;
use super::super::content::Enc;
use super::super::jwe::{self, Sealing};
use super::*;

fn open(envelope: &[u8], curve: Curve) -> Result<Opened, Refusal> {
    decrypt(envelope, &[bobs_key(curve)])
}

fn outside(curve: Curve, change: impl FnOnce(&mut Value)) -> &'static Check {
    refused(open(&changed(&sealed(curve), change), curve))
}

fn header(curve: Curve, change: impl FnOnce(&mut Value)) -> &'static Check {
    outside(curve, |envelope| inside(&mut envelope["protected"], change))
}

/// Sealed as [`seal`] does, whatever the payload.
fn sealed_payload(payload: &[u8], curve: Curve) -> Vec<u8> {
    let AgreementPublic { kid, jwk } = bobs_key(curve).public();
    let recipients = [(kid.to_string(), AgreementPoint::of(&jwk).unwrap())];
    jwe::seal(payload, None, &recipients, MAX_OUTER, &mut counting()).unwrap()
}

#[test]
fn size_and_form() {
    assert_eq!(refused(open(&vec![b' '; MAX_ENVELOPE + 1], Curve::P256)), &checks::SIZE);
    for member in ["aad", "unprotected", "encrypted_key", "header"] {
        assert_eq!(outside(Curve::P256, |envelope| envelope[member] = "e30".into()), &checks::FORM, "{member}");
    }
    for member in ["protected", "recipients", "iv", "tag"] {
        let without = |envelope: &mut Value| drop(envelope.as_object_mut().unwrap().remove(member));
        assert_eq!(outside(Curve::P256, without), &checks::FORM, "{member}");
    }
    assert_eq!(outside(Curve::P256, |envelope| envelope["iv"] = "AAAA".into()), &checks::FORM);
    assert_eq!(outside(Curve::P256, |envelope| envelope["tag"] = "AAAA".into()), &checks::FORM);
    let alg = |envelope: &mut Value| envelope["recipients"][0]["header"]["alg"] = "dir".into();
    assert_eq!(outside(Curve::P256, alg), &checks::FORM);
}

#[test]
fn the_protected_header_is_an_allow_list() {
    for curve in [Curve::X25519, Curve::P256] {
        for (name, value) in [("zip", json!("DEF")), ("crit", json!(["b64"])), ("jku", json!("https://a.example"))] {
            assert_eq!(header(curve, |header| header[name] = value), &checks::HEADER, "{name}");
        }
        for name in ["epk", "apv"] {
            let without = |header: &mut Value| drop(header.as_object_mut().unwrap().remove(name));
            assert_eq!(header(curve, without), &checks::HEADER, "{name}");
        }
        assert_eq!(header(curve, |header| header["typ"] = "JOSE".into()), &checks::TYP);
        assert_eq!(header(curve, |header| header["typ"] = Value::Null), &checks::TYP);
        for alg in ["ECDH-ES", "ECDH-ES+A128KW", "dir", "RSA-OAEP", ""] {
            assert_eq!(header(curve, |header| header["alg"] = alg.into()), &checks::ALG, "{alg}");
        }
        for enc in ["XC20P", "A128GCM", "A128CBC-HS256", ""] {
            assert_eq!(header(curve, |header| header["enc"] = enc.into()), &checks::ENC, "{enc}");
        }
        assert_eq!(header(curve, |header| header["alg"] = "ECDH-1PU+A256KW".into()), &checks::SENDER);
        assert_eq!(header(curve, |header| header["skid"] = alice().kid().to_string().into()), &checks::SENDER);
        assert_eq!(header(curve, |header| header["apu"] = "QQ".into()), &checks::SENDER);
    }
}

#[test]
fn recipients_are_few_once_and_of_one_did() {
    let curve = Curve::P256;
    assert_eq!(outside(curve, |envelope| envelope["recipients"] = json!([])), &checks::RECIPIENTS);
    let repeat = |times: usize| {
        move |envelope: &mut Value| envelope["recipients"] = vec![envelope["recipients"][0].clone(); times].into()
    };
    assert_eq!(outside(curve, repeat(2)), &checks::RECIPIENTS);
    assert_eq!(outside(curve, repeat(17)), &checks::RECIPIENTS);

    let (bob, other) = (bobs_key(curve), AgreementKey::of_did_key(&alice()).unwrap());
    let signed = sign(&message(alice().did(), bob.kid().did()), &alice()).unwrap();
    let seal = |recipients: &[AgreementPublic]| seal_signed(&signed, recipients, &mut counting());
    assert_eq!(refused(seal(&[bob.public(), other.public()])), &checks::RECIPIENTS);
    assert_eq!(refused(seal(&[])), &checks::RECIPIENTS);
    assert_eq!(refused(seal(&vec![bob.public(); 17])), &checks::RECIPIENTS);
    let second = AgreementKey::beside(bob.kid().did(), AgreementSecret::new(Curve::X25519, &[3; 32]).unwrap());
    assert_eq!(refused(seal(&[bob.public(), second.public()])), &checks::RECIPIENTS);

    let points = [&bob, &other].map(|key| (key.kid().to_string(), AgreementPoint::of(&key.public().jwk).unwrap()));
    let both = jwe::seal(signed.as_bytes(), None, &points, MAX_ENVELOPE, &mut counting()).unwrap();
    assert_eq!(refused(open(&both, curve)), &checks::RECIPIENTS);
    assert_eq!(refused(addressed_to(&both)), &checks::RECIPIENTS);
}

#[test]
fn apv_binds_the_recipients() {
    for curve in [Curve::X25519, Curve::P256] {
        assert_eq!(header(curve, |header| header["apv"] = encode([0; 32]).into()), &checks::APV);
        let rename = |envelope: &mut Value| {
            envelope["recipients"][0]["header"]["kid"] = format!("{}x", bobs_key(curve).kid()).into();
        };
        assert_eq!(outside(curve, rename), &checks::APV);
    }
}

#[test]
fn ephemeral_keys_are_points_of_the_recipients_curve() {
    let epk = |curve, value: Value| header(curve, |header| header["epk"] = value);
    let (p256, x25519) = (bobs_key(Curve::P256).public().jwk, bobs_key(Curve::X25519).public().jwk);
    let mut off = p256.clone();
    off.y = Some(encode([1; 32]));
    assert_eq!(epk(Curve::P256, json!(off)), &checks::EPK);
    off.y = None;
    assert_eq!(epk(Curve::P256, json!(off)), &checks::EPK);
    assert_eq!(epk(Curve::P256, json!({ "kty": "EC", "crv": "P-384", "x": "AQ", "y": "AQ" })), &checks::EPK);
    assert_eq!(epk(Curve::P256, json!(x25519)), &checks::EPK);
    assert_eq!(epk(Curve::X25519, json!(p256)), &checks::EPK);
    assert_eq!(epk(Curve::X25519, json!({ "kty": "OKP", "crv": "X25519", "x": "AQ" })), &checks::EPK);
    let mut private = json!(x25519);
    private["d"] = "AQ".into();
    assert_eq!(epk(Curve::X25519, private), &checks::EPK);
    for low_order in [[0; 32], {
        let mut one = [0; 32];
        one[0] = 1;
        one
    }] {
        let low_order = json!({ "kty": "OKP", "crv": "X25519", "x": encode(low_order) });
        assert_eq!(epk(Curve::X25519, low_order.clone()), &checks::SHARED);
        let recipient = AgreementPublic {
            kid: bobs_key(Curve::X25519).kid().clone(),
            jwk: serde_json::from_value(low_order).unwrap(),
        };
        assert_eq!(refused(seal_signed("{}", &[recipient], &mut counting())), &checks::SHARED);
    }
    let no_key = AgreementPublic { kid: bobs_key(Curve::P256).kid().clone(), jwk: alice_as_ed25519() };
    assert_eq!(refused(seal_signed("{}", &[no_key], &mut counting())), &checks::AGREEMENT);
    assert_eq!(refused(seal_signed("{}", &[bobs_key(Curve::P256).public()], &mut |_| ())), &checks::EPK);
}

fn alice_as_ed25519() -> crate::identity::Jwk {
    SecretKey::ed25519(&[1; 32]).unwrap().public_key().jwk()
}

#[test]
fn keys_and_content_belong_together() {
    for curve in [Curve::X25519, Curve::P256] {
        let stranger = AgreementKey::of_did_key(&alice()).unwrap();
        assert_eq!(refused(decrypt(&sealed(curve), &[stranger])), &checks::RECIPIENT);
        assert_eq!(refused(decrypt(&sealed(curve), &[])), &checks::RECIPIENT);
        let other = AgreementKey { kid: bobs_key(curve).kid, secret: AgreementSecret::new(curve, &[4; 32]).unwrap() };
        assert_eq!(refused(decrypt(&sealed(curve), &[other])), &checks::KEY_WRAP);
        let flip = |member: &mut Value| {
            let mut bytes = b64u(member.as_str().unwrap()).unwrap();
            bytes[0] ^= 1;
            *member = encode(bytes).into();
        };
        assert_eq!(outside(curve, |e| flip(&mut e["recipients"][0]["encrypted_key"])), &checks::KEY_WRAP);
        assert_eq!(outside(curve, |e| e["recipients"][0]["encrypted_key"] = "AA".into()), &checks::KEY_WRAP);
        for member in ["ciphertext", "iv", "tag"] {
            assert_eq!(outside(curve, |envelope| flip(&mut envelope[member])), &checks::CONTENT, "{member}");
        }
        assert_eq!(header(curve, |header| header["typ"] = "didcomm-encrypted+json".into()), &checks::CONTENT);
    }
}

#[test]
fn a256gcm_is_read() {
    for curve in [Curve::X25519, Curve::P256] {
        let signed = sign(&message(alice().did(), bob(curve).did()), &alice()).unwrap();
        let AgreementPublic { kid, jwk } = bobs_key(curve).public();
        let ephemeral = AgreementSecret::new(curve, &[5; 32]).unwrap();
        let header = json!({
            "typ": "application/didcomm-encrypted+json", "alg": "ECDH-ES+A256KW", "enc": "A256GCM",
            "epk": ephemeral.point().jwk(), "apv": crate::encoding::Digest::of(kid.to_string()).b64u(),
        });
        let recipients = [(kid.to_string(), AgreementPoint::of(&jwk).unwrap())];
        let with = Sealing { ephemeral: &ephemeral, sender: None, enc: Enc::A256Gcm, key: &[6; 32], iv: &[7; 12] };
        let envelope = jwe::assemble(signed.as_bytes(), &header, &recipients, &with);
        assert_eq!(open(&envelope.unwrap(), curve).unwrap().text(), signed);
    }
}

#[test]
fn what_is_nested_otherwise_is_refused() {
    let curve = Curve::X25519;
    let letter = message(alice().did(), bob(curve).did());
    let plaintext = letter.write().unwrap();
    let signed = sign(&letter, &alice()).unwrap();
    assert_eq!(refused(open(plaintext.as_bytes(), curve)), &checks::NESTING);
    assert_eq!(refused(open(signed.as_bytes(), curve)), &checks::NESTING);
    assert_eq!(refused(open(&sealed_payload(plaintext.as_bytes(), curve), curve)), &checks::UNSIGNED);
    assert_eq!(refused(open(&sealed_payload(&sealed(curve), curve), curve)), &checks::NESTING);
    assert_eq!(refused(open(&sealed_payload(&[0xff], curve), curve)), &checks::NESTING);
    for inner in [signed.as_bytes(), &sealed(curve)] {
        let twice = super::super::jws::sign(std::str::from_utf8(inner).unwrap(), &alice()).unwrap();
        assert_eq!(refused(open(&sealed_payload(twice.as_bytes(), curve), curve)), &checks::NESTING);
    }
    assert!(open(&sealed_payload(signed.as_bytes(), curve), curve).is_ok());
}

#[test]
fn what_would_not_be_read_is_not_sent() {
    let (alice, bob) = (alice(), bob(Curve::X25519));
    let to = [bobs_key(Curve::X25519).public()];
    let check = |message: &Message| match seal(message, &alice, &to, &mut counting()) {
        Err(SealFailed::Refused(refusal)) => refusal.check,
        other => panic!("{other:?}"),
    };
    assert_eq!(check(&message(bob.did(), bob.did())), &checks::FROM);
    assert_eq!(check(&message(alice.did(), alice.did())), &checks::TO);
    let mut long = message(alice.did(), bob.did());
    long.body = json!({ "text": "x".repeat(MAX_PLAINTEXT) });
    assert_eq!(check(&long), &crate::encoding::checks::SIZE);
    // The longest plaintext still fits its envelope.
    let rest = MAX_PLAINTEXT - (long.write().unwrap_err(), message(alice.did(), bob.did()).write().unwrap().len()).1;
    long.body = json!({ "text": "x".repeat(rest) });
    assert!(seal(&long, &alice, &to, &mut counting()).unwrap().len() <= MAX_ENVELOPE);
}
