//! What an invitation is held to, and what its reader is told.

use super::*;
use crate::inbox::Invitation;

fn contact(of: &SecretKey) -> String {
    let key = AgreementKey::beside(of.did(), AgreementSecret::new(Curve::X25519, &[3; 32]).unwrap()).public();
    let contact = Contact {
        did: of.did().clone(),
        url: "https://alice.example/inbox".into(),
        key,
        iat: at(NOW),
        routing: vec![],
    };
    contact.sign(of).unwrap()
}

fn invitation() -> Invitation {
    Invitation {
        id: "7c6f3a52-4f6c-4d7e-9d4c-1b5f0a2c0001".into(),
        from: alice().did().clone(),
        to: None,
        goal: Some("road data for „Müller & Söhne“".into()),
        created: Some(at(NOW)),
        expires: Some(at(NOW + 600)),
        contact: contact(&alice()),
    }
}

/// The invitation as a link, with a change to its JSON.
fn changed(change: impl FnOnce(&mut Value)) -> Result<Invitation, Refusal> {
    let mut value: Value = serde_json::from_str(&invitation().write().unwrap()).unwrap();
    change(&mut value);
    Invitation::read(&format!("https://a.example/?_oob={}", encode(value.to_string())))
}

#[test]
fn an_invitation_travels_as_a_link_or_a_file() {
    let invitation = invitation();
    let link = invitation.link(None).unwrap();
    assert!(link.starts_with("countersign:invitation?_oob="), "{link}");
    assert_eq!(Invitation::read(&link).unwrap(), invitation);
    let link = invitation.link(Some("https://alice.example")).unwrap();
    assert!(link.starts_with("https://alice.example/invitation?_oob="), "{link}");
    assert_eq!(Invitation::read(&link).unwrap(), invitation);
    assert_eq!(Invitation::read(&invitation.write().unwrap()).unwrap(), invitation);
    // What a mail program, a wallet of another make and a browser do to a link.
    let (front, back) = link.split_at(200);
    assert_eq!(Invitation::read(&format!("  {front}\n   {back}\n")).unwrap(), invitation);
    let carried = link.split_once('=').unwrap().1;
    assert_eq!(Invitation::read(&format!("didcomm://x?a=1&_oob={carried}==&b=2#top")).unwrap(), invitation);
}

#[test]
fn a_damaged_or_cut_link_says_so() {
    let link = invitation().link(None).unwrap();
    for length in [link.len() - 1, link.len() - 2, link.len() - 100, 60] {
        let refusal = Invitation::read(&link[..length]).unwrap_err();
        assert!([&checks::INVITATION, &checks::INVITATION_LINK].contains(&refusal.check), "{length}: {refusal}");
        assert!(refusal.detail.contains("cut short or damaged"), "{length}: {refusal}");
    }
    let refusal = Invitation::read(&link.replacen("_oob=e", "_oob=!", 1)).unwrap_err();
    assert!(refusal.detail.contains("copy all of it"), "{refusal}");
    for text in ["", "alice", "https://a.example/", "https://a.example/?_oobid=5f0796bd", "countersign:invitation"] {
        assert_eq!(refused(Invitation::read(text)), &checks::INVITATION_LINK, "{text}");
    }
    assert_eq!(refused(Invitation::read(&"x".repeat(65 * 1024))), &checks::INVITATION_LINK);
    assert_eq!(refused(changed(|value| value["from"] = "alice".into())), &checks::INVITATION);
    assert_eq!(refused(changed(|value| value["to"] = json!([alice().did(), alice().did()]))), &checks::INVITATION);
}

#[test]
fn an_invitation_of_another_kind_of_wallet_is_told_apart() {
    assert!(changed(|_| ()).is_ok());
    let protocol = &checks::INVITATION_PROTOCOL;
    assert_eq!(
        refused(changed(|value| value["type"] = "https://didcomm.org/out-of-band/1.1/invitation".into())),
        protocol
    );
    let aries = json!({ "@type": "did:sov:BzCbsNYhMrjHiqZDTUASHg;spec/connections/1.0/invitation", "label": "Alice" });
    assert_eq!(refused(changed(|value| *value = aries)), protocol);
    assert_eq!(refused(Invitation::read("https://a.example/ssi?c_i=eyJAdHlwZSI6ICJ4In0")), protocol);
    assert_eq!(refused(changed(|value| value["body"]["accept"] = json!(["didcomm/aip2;env=rfc587"]))), protocol);
    assert_eq!(refused(changed(|value| value["attachments"] = json!([]))), protocol);
}

#[test]
fn an_invitation_is_taken_by_whom_it_is_for_and_in_time() {
    let bob = bob(Curve::P256);
    let addressed = Invitation { to: Some(bob.did().clone()), ..invitation() };
    assert!(invitation().hold(bob.did(), at(NOW)).is_ok());
    assert!(addressed.hold(bob.did(), at(NOW)).is_ok());
    let other = SecretKey::p256(&[8; 32]).unwrap();
    assert_eq!(refused(addressed.hold(other.did(), at(NOW))), &checks::INVITATION_FOR);
    assert_eq!(refused(invitation().hold(alice().did(), at(NOW))), &checks::INVITATION_FOR);
    assert_eq!(refused(invitation().hold(bob.did(), at(NOW + 600))), &checks::INVITATION_EXPIRED);
    assert!(invitation().once(None).is_ok());
    assert_eq!(refused(invitation().once(Some(at(NOW)))), &checks::INVITATION_USED);
}
