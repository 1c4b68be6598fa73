//! Members with every kind of identity that is accepted: P-256 and Ed25519, did:key and did:jwk.

#[path = "support/members.rs"]
mod members;

use countersign::check::Trail;
use countersign::credential::{KeyStatement, Participant, Trust};
use countersign::identity::{Documents, SecretKey, Signer as _, Unverified};
use countersign::node::chance;
use members::{credential, key};
use serde_json::json;

#[test]
fn a_member_of_each_kind_is_believed_and_vouches_for_its_key() {
    let (now, operator, provider) = (chance::now().unwrap(), key(1), key(2));
    let trust: Trust =
        serde_json::from_value(json!({ "operators": [operator.did()], "pinned": [], "chains": [] })).unwrap();
    let kinds = [
        ("did:key:zDn", SecretKey::p256(&[7; 32]).unwrap()),
        ("did:key:z6Mk", SecretKey::ed25519(&[7; 32]).unwrap()),
        ("did:jwk:", SecretKey::p256(&[8; 32]).unwrap().as_did_jwk()),
        ("did:jwk:", SecretKey::ed25519(&[8; 32]).unwrap().as_did_jwk()),
    ];
    for (prefix, member) in kinds {
        assert!(member.did().as_str().starts_with(prefix), "{}", member.did());
        let (documents, mut trail) = (Documents::default(), Trail::default());
        let paper = Unverified::<Participant>::new(credential(&member, &operator, vec![], now));
        let participant = Participant::verify(&paper, &trust, &documents, now, &mut trail).unwrap();
        assert_eq!(participant.did, *member.did());

        let contract = key(9);
        let made = KeyStatement::state(&member, provider.did(), "urn:uuid:1", contract.public_key(), now, now.plus(60))
            .unwrap();
        let statement = Unverified::<KeyStatement>::new(made);
        let statement = KeyStatement::verify(&statement, &documents, now, &mut trail).unwrap();
        assert_eq!(statement.consumer, *member.did());
        assert!(participant.keys.contains(&statement.signed_by), "the key that vouches is the member's");
    }
}
