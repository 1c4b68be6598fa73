use super::*;
use crate::credential::vocabulary::{TYP_KEY_STATEMENT, TYP_TEMPLATE};
use crate::identity::checks as signatures;

fn participant(world: &World, text: &str, seconds: i64) -> Result<Identity, &'static Check> {
    let text = Unverified::new(text);
    Participant::verify(&text, &world.trust, &world.documents, at(seconds), &mut Trail::default())
        .map(|participant| participant.identity)
        .map_err(|refusal| refusal.check)
}

fn changed(text: &str, signer: &SecretKey, change: impl FnOnce(&mut Map<String, Value>)) -> String {
    let mut claims = Jws::parse(text.trim_end_matches('~')).unwrap().claims().unwrap();
    change(&mut claims);
    let payload = Value::Object(claims).to_string();
    format!("{}~", sign_jws(signer, TYP_CREDENTIAL, true, payload.as_bytes()).unwrap())
}

#[test]
fn a_participant_is_one_that_an_operator_or_the_configuration_vouches_for() {
    let mut world = World::new();
    let text = world.provider_paper.text().to_owned();
    assert_eq!(participant(&world, &text, 0), Ok(Identity::Operator));
    assert_eq!(participant(&world, &text, 400 * DAY), Err(&checks::PARTICIPANT_WINDOW));
    assert_eq!(participant(&world, &text, -DAY - 1), Err(&checks::PARTICIPANT_WINDOW));
    let stranger = Participant::admit(&admission(&world.provider, &[]), &key(9)).unwrap();
    assert_eq!(participant(&world, &stranger, 0), Err(&checks::PARTICIPANT_ISSUER));
    world.trust.pinned = vec![world.provider.did().clone()];
    assert_eq!(participant(&world, &stranger, 0), Ok(Identity::Pinned));
    world.trust.operators.clear();
    assert_eq!(participant(&world, world.consumer_paper.text(), 0), Err(&checks::PARTICIPANT_ISSUER));
}

#[test]
fn a_participant_credential_has_exactly_its_claims() {
    let world = World::new();
    let text = world.provider_paper.text();
    type Change = fn(&mut Map<String, Value>);
    let cases: [(&Check, Change); 6] = [
        (&checks::PARTICIPANT_CLAIMS, |claims| drop(claims.insert("_sd".into(), json!([])))),
        (&checks::PARTICIPANT_CLAIMS, |claims| drop(claims.insert("status".into(), json!({})))),
        (&checks::PARTICIPANT_CLAIMS, |claims| drop(claims.remove("keys"))),
        (&checks::PARTICIPANT_CLAIMS, |claims| claims["country"] = json!("Germany")),
        (&checks::PARTICIPANT_VCT, |claims| claims["vct"] = json!("urn:countersign:participant:2")),
        (&signatures::JWS_KID, |claims| claims["iss"] = json!(key(1).public_key().did_jwk())),
    ];
    let mut world_of_jwk = World::new();
    world_of_jwk.trust.operators.push(key(1).public_key().did_jwk());
    for (n, (check, change)) in cases.into_iter().enumerate() {
        let forged = changed(text, &world.operator, change);
        assert_eq!(participant(&world_of_jwk, &forged, 0), Err(check), "case {n}");
    }
    let disclosure = Disclosure::write(&[1; 16], "x", &json!(1));
    assert_eq!(participant(&world, &format!("{text}{disclosure}~"), 0), Err(&checks::PARTICIPANT_CLAIMS));
    assert_eq!(participant(&world, &format!("{text}x.y.z"), 0), Err(&checks::PARTICIPANT_CLAIMS));
    assert_eq!(participant(&world, text.trim_end_matches('~'), 0), Err(&checks::SD_FORM));
    let mut letters = text.to_owned();
    letters.replace_range(200..201, if &text[200..201] == "A" { "B" } else { "A" });
    assert!(participant(&world, &letters, 0).is_err());
}

#[test]
fn a_template_is_approved_by_an_operator_in_its_time() {
    let world = World::new();
    let verify = |approval: &str, seconds| {
        let approval = Unverified::new(approval);
        ApprovedTemplate::verify(&approval, &world.trust, &world.documents, at(seconds), &mut Trail::default())
            .map(|approved| approved.hash.clone())
            .map_err(|refusal| refusal.check)
    };
    let bytes = template().to_string();
    let hash = Digest::of(&bytes).b64u();
    assert_eq!(verify(world.approval.text(), 0), Ok(hash));
    assert_eq!(verify(world.approval.text(), 400 * DAY), Err(&checks::TEMPLATE_WINDOW));
    let own = ApprovedTemplate::approve(bytes.as_bytes(), &world.provider).unwrap();
    assert_eq!(verify(&own, 0), Err(&checks::TEMPLATE_ISSUER));
    let untyped = sign_jws(&world.operator, TYP_KEY_STATEMENT, true, bytes.as_bytes()).unwrap();
    assert_eq!(verify(&untyped, 0), Err(&signatures::JWS_TYP));
    let unnamed = sign_jws(&world.operator, TYP_TEMPLATE, false, bytes.as_bytes()).unwrap();
    assert_eq!(verify(&unnamed, 0), Err(&signatures::JWS_KID));
    assert!(ApprovedTemplate::approve(b"{}", &world.operator).is_err());
}

#[test]
fn a_key_statement_has_exactly_its_claims_and_is_not_about_the_signers_own_key() {
    let world = World::new();
    let verify = |text: &str| {
        KeyStatement::verify(&Unverified::new(text), &world.documents, at(0), &mut Trail::default())
            .map(|statement| statement.negotiation.clone())
            .map_err(|refusal| refusal.check)
    };
    let text = world.statement();
    assert_eq!(verify(&text).as_deref(), Ok("urn:uuid:negotiation"));
    let mut claims = Jws::parse(&text).unwrap().claims().unwrap();
    claims.insert("scope".into(), json!("all"));
    let payload = Value::Object(claims).to_string();
    let wider = sign_jws(&world.consumer, TYP_KEY_STATEMENT, true, payload.as_bytes()).unwrap();
    assert_eq!(verify(&wider), Err(&checks::STATEMENT_CLAIMS));
    let own = world.consumer.public_key();
    let stated = KeyStatement::state(&world.consumer, world.provider.did(), "n", own, at(0), at(1));
    assert!(matches!(stated, Err(NotSigned::Refused(refusal)) if refusal.check == &checks::OFFER_KEY_FRESH));
}

#[test]
fn a_termination_is_its_signers() {
    let world = World::new();
    let termination = Termination {
        signer: world.provider.did().clone(),
        negotiation: "urn:uuid:negotiation".into(),
        offer_sha256: None,
        reason: "no longer for sale".into(),
        code: "withdrawn".into(),
    };
    let text = termination.sign(&world.provider).unwrap();
    let verify = |by: &SecretKey| Termination::verify(&text, by.did(), &world.documents, &mut Trail::default());
    assert_eq!(verify(&world.provider).unwrap().into_inner(), termination);
    assert_eq!(verify(&world.consumer).unwrap_err().check, &checks::TERMINATION_CLAIMS);
}
