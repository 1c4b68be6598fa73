use super::*;
use crate::encoding::checks as spelling;
use crate::identity::checks as signatures;
use crate::policy::checks as policy;

fn asked(world: &World) -> Asked {
    Asked {
        provider: world.provider.did().clone(),
        consumer: world.consumer.did().clone(),
        promisor: Some(world.provider.did().clone()),
        promisee: None,
        asset: "urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0001".into(),
        negotiation: "urn:uuid:negotiation".into(),
        consumer_key: world.one_time.public_key().jwk(),
    }
}

#[test]
fn an_honest_offer_is_verified_and_gives_back_what_was_drafted() {
    let world = World::new();
    let (draft, text) = (world.draft(), world.offer_text());
    let offer = world.verify_offer(&text).unwrap();
    assert_eq!(offer.contents, draft.contents);
    assert_eq!(offer.claims.contract_id, draft.contract_id);
    assert_eq!(offer.text(), text);
    assert!(offer.claims.digests.is_sorted());
    assert_eq!(world.verify_offer(&world.forged(|_, _| {})).unwrap().contents, draft.contents);
    let mut trail = Trail::default();
    offer.answers(&asked(&world), at(10), &mut trail).unwrap();
    assert_eq!(trail.checks().len(), 6);
}

#[test]
fn an_offer_may_come_in_any_order_and_is_kept_in_that_of_the_page() {
    let world = World::new();
    let offer = world.offer();
    let shuffled: Vec<String> = offer.disclosures.iter().rev().cloned().collect();
    let again = world.verify_offer(&crate::credential::offer::joined(&offer.issuer_jwt, &shuffled)).unwrap();
    assert_eq!(again.disclosures, offer.disclosures);
}

#[test]
fn open_claims_are_exactly_those_of_the_page() {
    let world = World::new();
    type Change = fn(&mut Map<String, Value>);
    let cases: [(&Check, Change); 25] = [
        (&checks::OFFER_CLAIMS, |claims| drop(claims.insert("nbf".into(), json!(1)))),
        (&checks::OFFER_CLAIMS, |claims| drop(claims.insert("price".into(), json!("1")))),
        (&checks::OFFER_CLAIMS, |claims| drop(claims.remove("record_by"))),
        (&checks::OFFER_CLAIMS, |claims| claims["registry"]["name"] = json!("x")),
        (&checks::OFFER_CLAIMS, |claims| claims["template"]["version"] = json!("x")),
        (&checks::OFFER_CLAIMS, |claims| claims["exp"] = json!("1900000000")),
        (&checks::OFFER_CLAIMS, |claims| claims["exp"] = json!(1_900_000_000.5)),
        (&checks::OFFER_CLAIMS, |claims| claims["cnf"]["jwk"]["kid"] = Value::Null),
        (&checks::OFFER_VCT, |claims| claims["vct"] = json!("urn:countersign:contract:1")),
        (&checks::SD_ALG, |claims| claims["_sd_alg"] = json!("sha-512")),
        (&checks::OFFER_CNF, |claims| drop(claims.remove("cnf"))),
        (&checks::OFFER_CNF, |claims| claims["cnf"] = json!({"kid": "x"})),
        (&checks::OFFER_CNF, |claims| claims["cnf"]["kid"] = json!("x")),
        (&signatures::JWK, |claims| claims["cnf"]["jwk"]["kid"] = json!("x")),
        (&signatures::DID_KEY, |claims| claims["cnf"]["jwk"]["y"] = claims["cnf"]["jwk"]["x"].clone()),
        (&checks::OFFER_NONCE, |claims| claims["negotiation_nonce"] = json!(encoding::encode([1; 15]))),
        (&checks::OFFER_WINDOWS, |claims| claims["accept_by"] = claims["iat"].clone()),
        (&checks::OFFER_WINDOWS, |claims| claims["record_by"] = json!(at(3599))),
        (&checks::OFFER_WINDOWS, |claims| claims["record_by"] = claims["exp"].clone()),
        (&checks::CONTRACT_ID, |claims| claims["contract_id"] = json!("urn:uuid:00000000-0000-0000-0000-000000000000")),
        (&checks::REGISTRY_URN, |claims| claims["registry"]["urn"] = json!("urn:blockchain:tezos:1:contract:0x00")),
        (&checks::ACCOUNT, |claims| claims["registry"]["recorder"] = json!("0xCD")),
        (&checks::OFFER_HIDDEN, |claims| claims["_sd"] = json!([Digest::of("decoy").b64u()])),
        (&checks::SD_DIGEST, |claims| claims["_sd"] = json!(["short"])),
        (&signatures::JWS_KID, |claims| claims["iss"] = json!(key(9).did())),
    ];
    for (n, (check, change)) in cases.into_iter().enumerate() {
        let forged = world.forged(|claims, _| change(claims));
        assert_eq!(world.verify_offer(&forged).unwrap_err(), check, "case {n}");
    }
    let own = world.provider.public_key().jwk();
    let forged = world.forged(|claims, _| claims["cnf"]["jwk"] = json!(own));
    assert_eq!(world.verify_offer(&forged).unwrap_err(), &checks::OFFER_KEY_PROVIDER);
}

#[test]
fn disclosures_are_exactly_the_nine() {
    let world = World::new();
    type Change = fn(&mut Vec<Value>);
    let cases: [(&Check, Change); 17] = [
        (&checks::OFFER_DISCLOSURES, |nine| nine[5][1] = json!("prices")),
        (&checks::OFFER_DISCLOSURES, |nine| nine[5] = json!([encoding::encode([99; 16]), "fee", nine[6][2]])),
        (&checks::OFFER_SALT, |nine| nine[5][0] = json!("c2hvcnQ")),
        (&checks::OFFER_SALT, |nine| nine[5][0] = nine[6][0].clone()),
        (&checks::OFFER_NESTED, |nine| nine[7][2]["_sd"] = json!([Digest::of("second price").b64u()])),
        (&checks::OFFER_NESTED, |nine| nine[7][2]["permission"] = json!([{"...": Digest::of("x").b64u()}])),
        (&checks::OFFER_NESTED, |nine| nine[4][2]["_sd"] = json!([])),
        (&checks::OFFER_VALUE, |nine| nine[4][2]["note"] = json!("x")),
        (&checks::OFFER_VALUE, |nine| nine[4][2]["version"] = Value::Null),
        (&checks::OFFER_VALUE, |nine| nine[5][2]["amount"] = json!(1000)),
        (&checks::OFFER_VALUE, |nine| nine[7][2] = json!("terms")),
        (&checks::OFFER_ASSET, |nine| nine[4][2]["version"] = json!("2")),
        (&checks::OFFER_ASSET, |nine| nine[4][2]["sha256"] = json!("9F".repeat(32))),
        (&checks::OFFER_ASSET, |nine| nine[4][2]["endpoint"] = json!("file:///etc/passwd")),
        (&checks::OFFER_PARTIES, |nine| nine[2][2] = nine[3][2].clone()),
        (&checks::OFFER_PARTIES, |nine| nine[0][2] = nine[1][2].clone()),
        (&checks::SD_DISCLOSURE, |nine| nine[5] = json!([encoding::encode([99; 16]), "no name"])),
    ];
    for (n, (check, change)) in cases.into_iter().enumerate() {
        let forged = world.forged(|_, nine| change(nine));
        assert_eq!(world.verify_offer(&forged).unwrap_err(), check, "case {n}");
    }
}

#[test]
fn what_travels_beside_the_signature_is_explained_by_it() {
    let world = World::new();
    let text = world.offer_text();
    let offer = world.offer();
    let without = text.replace(&format!("{}~", offer.disclosures[6]), "");
    assert_eq!(world.verify_offer(&without).unwrap_err(), &checks::OFFER_DISCLOSURES);
    let stranger = Disclosure::write(&[77; 16], "fee", &json!({"amount": "0.00", "currency": "EUR", "rule": "fixed"}));
    let swapped = text.replace(&offer.disclosures[6], &stranger);
    assert_eq!(world.verify_offer(&swapped).unwrap_err(), &checks::SD_UNEXPLAINED);
    let twice = format!("{text}{}~", offer.disclosures[6]);
    assert_eq!(world.verify_offer(&twice).unwrap_err(), &checks::OFFER_DISCLOSURES);
    let bound = format!("{text}{}", world.acceptance());
    assert_eq!(world.verify_offer(&bound).unwrap_err(), &checks::SD_FORM);
    assert_eq!(world.verify_offer(text.trim_end_matches('~')).unwrap_err(), &checks::SD_FORM);
    assert_eq!(world.verify_offer(&text.replacen('~', "~~", 1)).unwrap_err(), &checks::SD_FORM);
    assert_eq!(world.verify_offer(&"~".repeat(400)).unwrap_err(), &checks::SD_FORM);
    assert_eq!(world.verify_offer(&text.replacen('~', "=~", 2)).unwrap_err(), &spelling::BASE64URL);
    assert_eq!(world.verify_offer("").unwrap_err(), &checks::SD_FORM);
}

#[test]
fn terms_and_fee_are_what_the_template_yields() {
    let world = World::new();
    type Change = fn(&mut Vec<Value>);
    let cases: [(&Check, Change); 4] = [
        (&policy::TEMPLATE_MATCH, |nine| nine[7][2]["permission"][0]["action"] = json!("distribute")),
        (&policy::TEMPLATE_VALUE, |nine| {
            nine[7][2]["permission"][0]["constraint"][0]["rightOperand"] = json!(11);
        }),
        (&policy::FEE_TEMPLATE, |nine| nine[6][2]["amount"] = json!("24.99")),
        (&policy::FEE_TEMPLATE, |nine| nine[5][2]["amount"] = json!("1000000.00")),
    ];
    for (n, (check, change)) in cases.into_iter().enumerate() {
        let forged = world.forged(|_, nine| change(nine));
        assert_eq!(world.verify_offer(&forged).unwrap_err(), check, "case {n}");
    }
    for (member, other) in [("id", "urn:uuid:other"), ("hash", "1fZOCvugklgUsBIEOs2tBd98BDeGHG5aFwvuZifRK38")] {
        let forged = world.forged(|claims, _| claims["template"][member] = json!(other));
        assert_eq!(world.verify_offer(&forged).unwrap_err(), &checks::OFFER_TEMPLATE, "{member}");
    }
}

#[test]
fn registry_recorder_and_keys_are_those_that_are_vouched_for() {
    let mut world = World::new();
    let other = RegistryUrn { address: account(1), ..world.registry };
    let forged = world.forged(|claims, _| claims["registry"]["urn"] = json!(other));
    assert_eq!(world.verify_offer(&forged).unwrap_err(), &checks::OFFER_REGISTRY);
    let forged = world.forged(|claims, _| claims["registry"]["recorder"] = json!(account(1)));
    assert_eq!(world.verify_offer(&forged).unwrap_err(), &checks::OFFER_RECORDER);

    // The members sign with keys that the operator did not list.
    let mut unlisted = admission(&world.provider, &[]);
    unlisted.keys = vec![key(9).public_key().thumbprint()];
    world.provider_paper = Unverified::new(Participant::admit(&unlisted, &world.operator).unwrap());
    assert_eq!(world.verify_offer(&world.offer_text()).unwrap_err(), &checks::OFFER_KEYS);
    let mut world = World::new();
    let mut unlisted = admission(&world.consumer, &[]);
    unlisted.keys = vec![key(9).public_key().thumbprint()];
    world.consumer_paper = Unverified::new(Participant::admit(&unlisted, &world.operator).unwrap());
    assert_eq!(world.verify_offer(&world.offer_text()).unwrap_err(), &checks::OFFER_KEYS);

    // The one-time key is listed as a key that signs other things.
    let mut world = World::new();
    let mut reused = admission(&world.consumer, &[]);
    reused.keys.push(world.one_time.public_key().thumbprint());
    world.consumer_paper = Unverified::new(Participant::admit(&reused, &world.operator).unwrap());
    assert_eq!(world.verify_offer(&world.offer_text()).unwrap_err(), &checks::OFFER_KEY_FRESH);
}

#[test]
fn the_key_statement_is_the_consumers_about_this_key_at_that_time() {
    let world = World::new();
    let state = |signer: &SecretKey, to: &SecretKey, key: &SecretKey, from: i64, until: i64| {
        let text = KeyStatement::state(signer, to.did(), "urn:uuid:n", key.public_key(), at(from), at(until)).unwrap();
        world.verify_offer(&world.forged(|_, nine| nine[8][2] = json!(text))).map(|_| ())
    };
    let (provider, consumer, one_time) = (&world.provider, &world.consumer, &world.one_time);
    assert_eq!(state(consumer, provider, one_time, 0, 1), Ok(()));
    assert_eq!(state(provider, provider, one_time, 0, 1), Err(&checks::STATEMENT_PARTIES));
    assert_eq!(state(consumer, consumer, one_time, 0, 1), Err(&checks::STATEMENT_PARTIES));
    assert_eq!(state(consumer, provider, &key(8), 0, 1), Err(&checks::STATEMENT_KEY));
    assert_eq!(state(consumer, provider, one_time, 1, 2), Err(&checks::STATEMENT_WINDOW));
    assert_eq!(state(consumer, provider, one_time, -2, 0), Err(&checks::STATEMENT_WINDOW));
}

#[test]
fn an_offer_answers_what_was_asked() {
    let world = World::new();
    let offer = world.offer();
    let refused = |change: fn(&mut Asked), seconds| {
        let mut asked = asked(&world);
        change(&mut asked);
        offer.answers(&asked, at(seconds), &mut Trail::default()).unwrap_err().check
    };
    assert_eq!(refused(|asked| asked.provider = key(9).did().clone(), 0), &checks::OFFER_ASKED_PARTIES);
    assert_eq!(refused(|asked| asked.promisor = Some(asked.consumer.clone()), 0), &checks::OFFER_ASKED_PARTIES);
    assert_eq!(refused(|asked| asked.asset = "urn:x".into(), 0), &checks::OFFER_ASKED_ASSET);
    assert_eq!(refused(|asked| asked.negotiation = "urn:x".into(), 0), &checks::OFFER_ASKED_NEGOTIATION);
    assert_eq!(refused(|asked| asked.consumer_key = key(9).public_key().jwk(), 0), &checks::OFFER_ASKED_KEY);
    assert_eq!(refused(|_| {}, -61), &checks::OFFER_EARLY);
    assert_eq!(refused(|_| {}, 3601), &checks::OFFER_LATE);
}

#[test]
fn a_provider_does_not_sign_what_the_other_side_refuses() {
    let world = World::new();
    let refused = |change: fn(&mut Draft)| {
        let mut draft = world.draft();
        change(&mut draft);
        match offer(&draft, &salts(), &world.provider) {
            Err(NotSigned::Refused(refusal)) => refusal.check,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(|draft| draft.record_by = draft.exp), &checks::OFFER_WINDOWS);
    assert_eq!(refused(|draft| draft.negotiation_nonce = "AA".into()), &checks::OFFER_NONCE);
    assert_eq!(refused(|draft| draft.contents.asset.version = Some("1".into())), &checks::OFFER_ASSET);
    assert_eq!(refused(|draft| draft.contents.promisor = draft.contents.promisee.clone()), &checks::OFFER_PARTIES);
    assert_eq!(refused(|draft| draft.consumer_key = key(2).public_key().jwk()), &checks::OFFER_KEY_PROVIDER);
    let same = offer(&world.draft(), &[[1; 16]; 9], &world.provider);
    assert!(matches!(same, Err(NotSigned::Refused(refusal)) if refusal.check == &checks::OFFER_SALT));
}
