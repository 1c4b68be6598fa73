//! What a contact is held to.

use super::*;
use crate::identity::{Unverified, sign_jws};

fn contact() -> Contact {
    let key = AgreementKey::beside(alice().did(), AgreementSecret::new(Curve::X25519, &[3; 32]).unwrap());
    Contact {
        did: alice().did().clone(),
        url: "https://alice.example/inbox".into(),
        key: key.public(),
        iat: at(NOW),
        routing: vec![],
    }
}

fn verify(text: String) -> Result<crate::identity::Verified<Contact>, Refusal> {
    Contact::verify(&Unverified::new(text), &Documents::default(), &mut Trail::default())
}

fn signed(change: impl FnOnce(&mut Value)) -> Result<crate::identity::Verified<Contact>, Refusal> {
    let mut value = json!(contact());
    change(&mut value);
    verify(sign_jws(&alice(), "countersign-contact+jwt", true, value.to_string().as_bytes()).unwrap())
}

#[test]
fn a_contact_is_what_its_did_signed() {
    let contact = contact();
    let thumbprint = contact.key.jwk.thumbprint().to_string();
    assert_eq!(contact.key.kid, alice().did().url(&thumbprint));
    assert_eq!(*verify(contact.sign(&alice()).unwrap()).unwrap(), contact);
    assert!(signed(|_| ()).is_ok());
}

#[test]
fn members_url_and_key_are_held() {
    assert_eq!(refused(signed(|contact| contact["name"] = "Alice".into())), &checks::CONTACT);
    assert_eq!(refused(signed(|contact| contact["key"]["jwk"]["d"] = "AA".into())), &checks::CONTACT);
    assert_eq!(refused(signed(|contact| contact["iat"] = "now".into())), &checks::CONTACT);
    for url in ["ftp://a.example", "alice", "https://u:p@a.example/", "https://a.example/#x", "file:///etc/passwd"] {
        assert_eq!(refused(signed(|contact| contact["url"] = url.into())), &checks::CONTACT_URL, "{url}");
    }
    let kid = bobs_key(Curve::P256).kid().to_string();
    assert_eq!(refused(signed(|contact| contact["key"]["kid"] = kid.into())), &checks::CONTACT_KEY);
    assert_eq!(refused(signed(|contact| contact["key"]["jwk"]["crv"] = "Ed25519".into())), &checks::AGREEMENT);
    assert_eq!(refused(signed(|contact| contact["key"]["jwk"]["x"] = "AA".into())), &checks::AGREEMENT);
    let bob = bob(Curve::P256).did().to_string();
    assert_eq!(refused(signed(|contact| contact["iss"] = bob.into())), &signing::JWS_KID);
    let other = sign_jws(&alice(), "JWT", true, json!(contact()).to_string().as_bytes()).unwrap();
    assert_eq!(refused(verify(other)), &signing::JWS_TYP);
    let mallory = SecretKey::p256(&[8; 32]).unwrap().for_did(alice().kid().clone());
    assert_eq!(refused(verify(contact().sign(&mallory).unwrap())), &signing::JWS_SIGNATURE);
}

#[test]
fn routing_keys_are_few_and_other_parties() {
    let mediator = bobs_key(Curve::X25519).public();
    let routed = |keys: Vec<AgreementPublic>| signed(|contact| contact["routing"] = json!(keys));
    assert_eq!(routed(vec![mediator.clone()]).unwrap().routing, std::slice::from_ref(&mediator));
    assert!(json!(contact()).get("routing").is_none(), "an old reader still takes a contact without mediator");
    assert_eq!(refused(routed(vec![])), &checks::CONTACT);
    assert_eq!(refused(routed(vec![mediator.clone(); 3])), &checks::CONTACT);
    assert_eq!(refused(routed(vec![contact().key])), &checks::CONTACT_KEY);
    let mut wrong = mediator;
    wrong.jwk.x = "AA".into();
    assert_eq!(refused(routed(vec![wrong])), &checks::AGREEMENT);
}
