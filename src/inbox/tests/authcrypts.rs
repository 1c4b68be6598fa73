//! Envelopes that name their sender, and forwards.

use super::*;

fn key_of(who: &SecretKey, curve: Curve, secret: u8) -> AgreementKey {
    AgreementKey::beside(who.did(), AgreementSecret::new(curve, &[secret; 32]).unwrap())
}

fn authcrypted(curve: Curve) -> (AgreementKey, Vec<u8>) {
    let (alice, bob) = (alice(), bob(curve));
    let sender = key_of(&alice, curve, 21);
    let message = message(alice.did(), bob.did());
    let envelope = seal_from(&message, &sender, &[bobs_key(curve).public()], &mut counting()).unwrap();
    (sender, envelope)
}

fn plain(envelope: &[u8], curve: Curve, sender: &AgreementPublic) -> Result<Plain, Refusal> {
    match Sealed::read(envelope, MAX_OUTER)?.open(&[bobs_key(curve)], Some(sender))? {
        Contents::Plain(plain) => Ok(*plain),
        other => panic!("{other:?}"),
    }
}

#[test]
fn authcrypt_says_who_wrote_on_both_curves() {
    for curve in [Curve::X25519, Curve::P256] {
        let (sender, envelope) = authcrypted(curve);
        let sealed = Sealed::read(&envelope, MAX_ENVELOPE).unwrap();
        assert_eq!(sealed.sender(), Some(sender.kid()));
        let plain = plain(&envelope, curve, &sender.public()).unwrap();
        let read = plain.verify(bob(curve).did(), at(NOW), &mut Trail::default()).unwrap();
        assert_eq!(*read, message(alice().did(), bob(curve).did()));
        let late = plain.verify(bob(curve).did(), at(NOW + 60), &mut Trail::default());
        assert_eq!(refused(late), &checks::EXPIRED);
        assert_eq!(refused(plain.verify(alice().did(), at(NOW), &mut Trail::default())), &checks::TO);
        // What needs a signature does not take it.
        assert_eq!(plain.not_signed().check, &checks::UNSIGNED);
    }
}

#[test]
fn another_sender_key_opens_nothing() {
    for curve in [Curve::X25519, Curve::P256] {
        let (sender, envelope) = authcrypted(curve);
        let other = AgreementPublic { kid: sender.kid().clone(), ..key_of(&alice(), curve, 22).public() };
        assert_eq!(refused(plain(&envelope, curve, &other)), &checks::KEY_WRAP);
        assert_eq!(refused(plain(&envelope, curve, &key_of(&alice(), curve, 22).public())), &checks::SENDER_KEY);
        let none = Sealed::read(&envelope, MAX_OUTER).unwrap().open(&[bobs_key(curve)], None);
        assert_eq!(refused(none), &checks::SENDER_KEY);
        assert_eq!(refused(decrypt(&envelope, &[bobs_key(curve)])), &checks::SENDER_KEY);
        let turned = if curve == Curve::P256 { Curve::X25519 } else { Curve::P256 };
        let of_other_curve = AgreementPublic { kid: sender.kid().clone(), ..key_of(&alice(), turned, 21).public() };
        assert_eq!(refused(plain(&envelope, curve, &of_other_curve)), &checks::AGREEMENT);
    }
}

#[test]
fn the_senders_name_is_bound() {
    let curve = Curve::X25519;
    let (sender, envelope) = authcrypted(curve);
    let with = |change: &dyn Fn(&mut Value)| {
        let envelope = changed(&envelope, |envelope| inside(&mut envelope["protected"], change));
        refused(plain(&envelope, curve, &sender.public()))
    };
    let mallory = SecretKey::p256(&[8; 32]).unwrap().kid().to_string();
    assert_eq!(with(&|header| header["skid"] = mallory.as_str().into()), &checks::SENDER);
    assert_eq!(with(&|header| header["apu"] = encode(&mallory).into()), &checks::SENDER);
    for name in ["skid", "apu"] {
        let without = |header: &mut Value| drop(header.as_object_mut().unwrap().remove(name));
        assert_eq!(with(&without), &checks::SENDER, "{name}");
    }
    assert_eq!(with(&|header| header["enc"] = "A256GCM".into()), &checks::ENC);
    // Both changed together: the key derivation still knows the true name.
    let both = changed(&envelope, |envelope| {
        inside(&mut envelope["protected"], |header| {
            (header["skid"], header["apu"]) = (mallory.as_str().into(), encode(&mallory).into());
        });
    });
    let claimed = AgreementPublic { kid: mallory.parse().unwrap(), ..sender.public() };
    assert_eq!(refused(plain(&both, curve, &claimed)), &checks::KEY_WRAP);
    // An authenticated envelope that is passed off as an anonymous one.
    let anonymous = changed(&envelope, |envelope| {
        inside(&mut envelope["protected"], |header| {
            header["alg"] = "ECDH-ES+A256KW".into();
            header.as_object_mut().unwrap().retain(|name, _| name != "skid" && name != "apu");
        });
    });
    assert_eq!(refused(decrypt(&anonymous, &[bobs_key(curve)])), &checks::KEY_WRAP);
    let tag = changed(&envelope, |envelope| envelope["tag"] = encode([0; 32]).into());
    assert_eq!(refused(plain(&tag, curve, &sender.public())), &checks::KEY_WRAP, "the tag is in the derivation");
}

#[test]
fn from_is_whoever_sealed() {
    let curve = Curve::X25519;
    let (alice, bob) = (alice(), bob(curve));
    let own = key_of(&alice, curve, 21);
    let to = [bobs_key(curve).public()];
    let forged = message(SecretKey::p256(&[8; 32]).unwrap().did(), bob.did());
    assert_eq!(refused(seal_from(&forged, &own, &to, &mut counting())), &checks::FROM);
    let astray = message(alice.did(), alice.did());
    assert_eq!(refused(seal_from(&astray, &own, &to, &mut counting())), &checks::TO);
    let sealed = |text: &str| envelope::seal_text(text, Some(&own), &to, MAX_OUTER, &mut counting()).unwrap();
    let plain = plain(&sealed(&forged.write().unwrap()), curve, &own.public()).unwrap();
    assert_eq!(refused(plain.verify(bob.did(), at(NOW), &mut Trail::default())), &checks::FROM);
    // The same for a signed message: whose envelope, his signature.
    let mallory = SecretKey::p256(&[8; 32]).unwrap();
    let signed = sign(&forged, &mallory).unwrap();
    let opened = Sealed::read(&sealed(&signed), MAX_OUTER).unwrap().open(&[bobs_key(curve)], Some(&own.public()));
    assert_eq!(refused(opened), &checks::FROM);
}

#[test]
fn authcrypt_over_sign_and_inside_anoncrypt_is_read() {
    let curve = Curve::X25519;
    let (alice, bob) = (alice(), bob(curve));
    let (own, to) = (key_of(&alice, curve, 21), [bobs_key(curve).public()]);
    let signed = sign(&message(alice.did(), bob.did()), &alice).unwrap();
    let inner = envelope::seal_text(&signed, Some(&own), &to, MAX_OUTER, &mut counting()).unwrap();
    let inner_text = String::from_utf8(inner.clone()).unwrap();
    let outer = envelope::seal_text(&inner_text, None, &to, MAX_OUTER, &mut counting()).unwrap();
    let opened = |envelope: &[u8]| match Sealed::read(envelope, MAX_OUTER)
        .unwrap()
        .open(&[bobs_key(curve)], Some(&own.public()))
        .unwrap()
    {
        Contents::Signed(opened) => Ok(opened.text().to_owned()),
        Contents::Sealed(inner) => Err(inner),
        Contents::Plain(plain) => panic!("{plain:?}"),
    };
    assert_eq!(opened(&inner).unwrap(), signed);
    let hidden = opened(&outer).unwrap_err();
    assert_eq!(hidden.sender(), Some(own.kid()));
    let Contents::Signed(found) = hidden.open(&[bobs_key(curve)], Some(&own.public())).unwrap() else { panic!() };
    assert_eq!(found.text(), signed);
    // Two envelopes are the most, and the inner one says who wrote.
    let outer_text = String::from_utf8(outer).unwrap();
    let thrice = envelope::seal_text(&outer_text, None, &to, MAX_OUTER, &mut counting()).unwrap();
    let opened = Sealed::read(&thrice, MAX_OUTER).unwrap().open(&[bobs_key(curve)], None);
    assert_eq!(refused(opened), &checks::NESTING);
}

#[test]
fn a_forward_is_unwrapped_mediator_by_mediator() {
    let curve = Curve::X25519;
    let envelope = sealed(curve);
    let mediators = [31, 32].map(|secret| SecretKey::p256(&[secret; 32]).unwrap());
    let keys = [0, 1].map(|place| key_of(&mediators[place], curve, 40 + place as u8));
    let via = keys.each_ref().map(AgreementKey::public);
    let unwrapped = |envelope: &[u8], key: &AgreementKey| {
        let sealed = Sealed::read(envelope, MAX_OUTER).unwrap();
        assert_eq!((sealed.recipients(), sealed.sender()), (&[key.kid().clone()][..], None));
        let Contents::Plain(plain) = sealed.open(std::slice::from_ref(key), None).unwrap() else { panic!() };
        assert_eq!(refused(plain.verify(key.kid().did(), at(NOW), &mut Trail::default())), &checks::UNSIGNED);
        plain.forward().unwrap().unwrap()
    };
    let wrapped = wrap(envelope.clone(), bob(curve).did(), &via, &mut counting()).unwrap();
    let first = unwrapped(&wrapped, &keys[0]);
    assert_eq!(first.next, mediators[1].did().as_str());
    let second = unwrapped(&first.envelope, &keys[1]);
    assert_eq!(second.next, bob(curve).did().as_str());
    assert!(decrypt(&second.envelope, &[bobs_key(curve)]).is_ok());
    assert_eq!(wrap(envelope.clone(), bob(curve).did(), &[], &mut counting()).unwrap(), envelope);
    let three = [via[0].clone(), via[1].clone(), via[0].clone()];
    assert_eq!(refused(wrap(envelope, bob(curve).did(), &three, &mut counting())), &checks::HOPS);
}

/// What has the shape of one is passed on.
const ENVELOPE: &str = r#"{"protected":"","recipients":[],"ciphertext":""}"#;

#[test]
fn a_forward_is_read_strictly() {
    let forward = json!({
        "id": "f", "type": "https://didcomm.org/routing/2.0/forward", "body": { "next": alice().did() },
        "attachments": [{ "data": { "base64": encode(ENVELOPE) } }],
    });
    let read = |change: &dyn Fn(&mut Value)| {
        let mut forward = forward.clone();
        change(&mut forward);
        Forward::read(forward.to_string().as_bytes())
    };
    assert_eq!(read(&|_| ()).unwrap().unwrap().envelope, ENVELOPE.as_bytes());
    let key = alice().kid().to_string();
    assert_eq!(read(&|forward| forward["body"]["next"] = key.as_str().into()).unwrap().unwrap().next, key);
    assert_eq!(read(&|forward| forward["type"] = "https://didcomm.org/trust-ping/2.0/ping".into()).unwrap(), None);
    let changes: [&dyn Fn(&mut Value); 9] = [
        &|forward| forward["attachments"][0]["data"] = json!({ "base64": encode("{}") }),
        &|forward| forward["typ"] = "JWM".into(),
        &|forward| forward["body"]["next"] = "alice".into(),
        &|forward| forward["body"] = json!({}),
        &|forward| forward["attachments"] = json!([]),
        &|forward| forward["attachments"] = json!([{ "data": { "json": {} } }, { "data": { "json": {} } }]),
        &|forward| forward["attachments"][0]["data"] = json!({ "links": ["https://a.example"], "hash": "x" }),
        &|forward| forward["attachments"][0]["data"]["json"] = json!({}),
        &|forward| forward["expires_time"] = "soon".into(),
    ];
    for (place, change) in changes.into_iter().enumerate() {
        assert_eq!(refused(read(change)), &checks::FORWARD, "{place}");
    }
    let read = |kind: &str| Forward::read(json!({ "type": kind, "body": {} }).to_string().as_bytes());
    assert_eq!(refused(read("https://didcomm.org/routing/2.0/forward")), &checks::FORWARD);
}
