use super::*;
use crate::credential::vocabulary::TYP_ENTRY;
use crate::identity::checks as signatures;

/// The acceptance's payload after `change`, its hash recomputed, signed with the one-time key.
fn forged(world: &World, change: impl FnOnce(&mut Value)) -> Result<(), &'static Check> {
    let mut payload = Value::Object(Jws::parse(&world.acceptance()).unwrap().claims().unwrap());
    let before = payload["acceptance"].clone();
    change(&mut payload);
    if payload["acceptance"] != before {
        let canonical = encoding::canonical(&payload["acceptance"]).unwrap();
        payload["transaction_data_hashes"] = json!([Digest::of(encoding::encode(canonical)).b64u()]);
    }
    let kb_jwt = key_binding(&payload, &world.one_time);
    world.read_core(Core::join(&world.offer(), &kb_jwt).text()).map(|_| ())
}

#[test]
fn an_acceptance_makes_a_core_whose_hash_any_shell_recomputes() {
    let world = World::new();
    let core = world.core();
    assert_eq!(core.hash, Digest::of(core.text.as_bytes()));
    assert_eq!(core.acceptance.withdrawal_account, Some(account(0xef)));
    assert_eq!(core.acceptance.iat, at(30));
    assert_eq!(core.claims, world.offer().claims);
    assert_eq!(forged(&world, |_| {}), Ok(()));
    let silent = accept(&world.offer(), None, &world.one_time, at(30)).unwrap();
    let core = world.read_core(Core::join(&world.offer(), &silent).text()).unwrap();
    assert_eq!(core.acceptance.withdrawal_account, None);
}

#[test]
fn an_acceptance_says_exactly_what_the_page_says() {
    let world = World::new();
    type Change = fn(&mut Value);
    let cases: [(&Check, Change); 20] = [
        // A login at zero disclosures: the key is shown, nothing is agreed to.
        (&checks::ACCEPTANCE_CLAIMS, |payload| {
            let object = payload.as_object_mut().unwrap();
            object.retain(|name, _| ["iat", "aud", "nonce", "sd_hash"].contains(&name.as_str()));
        }),
        (&checks::ACCEPTANCE_CLAIMS, |payload| payload["exp"] = json!(1)),
        (&checks::ACCEPTANCE_CLAIMS, |payload| payload["acceptance"]["note"] = json!("x")),
        (&checks::ACCEPTANCE_CLAIMS, |payload| payload["acceptance"]["withdrawal_account"] = Value::Null),
        (&checks::ACCEPTANCE_CLAIMS, |payload| payload["acceptance"]["withdrawal_account"] = json!("0xEF")),
        (&checks::ACCEPTANCE_CLAIMS, |payload| payload["acceptance"]["type"] = json!("urn:countersign:acceptance:2")),
        (&checks::ACCEPTANCE_CLAIMS, |payload| payload["acceptance"]["decision"] = json!("reject")),
        (&checks::ACCEPTANCE_CLAIMS, |payload| payload["acceptance"]["effect"] = json!("now")),
        (&checks::ACCEPTANCE_CLAIMS, |payload| payload["acceptance"]["credential_ids"] = json!(["offer", "other"])),
        (&checks::ACCEPTANCE_OFFER, |payload| {
            payload["acceptance"]["contract_id"] = json!("urn:uuid:125b413f-8a9a-421e-a648-a7dd06839eb9");
        }),
        (&checks::ACCEPTANCE_OFFER, |payload| payload["acceptance"]["offer_sha256"] = json!(Digest::of("x").b64u())),
        (&checks::ACCEPTANCE_HASH, |payload| payload["transaction_data_hashes"] = json!([Digest::of("x").b64u()])),
        (&checks::ACCEPTANCE_HASH, |payload| {
            let hash = payload["transaction_data_hashes"][0].clone();
            payload["transaction_data_hashes"] = json!([hash, hash]);
        }),
        (&checks::ACCEPTANCE_HASH, |payload| payload["transaction_data_hashes_alg"] = json!("sha-512")),
        (&checks::KB_AUD, |payload| payload["aud"] = json!("https://data.example")),
        (&checks::KB_CLAIMS, |payload| payload["aud"] = json!([payload["aud"]])),
        (&checks::KB_NONCE, |payload| payload["nonce"] = json!(encoding::encode([8; 16]))),
        (&checks::KB_HASH, |payload| payload["sd_hash"] = json!(Digest::of("other").b64u())),
        (&checks::KB_CLAIMS, |payload| payload["iat"] = json!("today")),
        (&checks::KB_CLAIMS, |payload| drop(payload.as_object_mut().unwrap().remove("nonce"))),
    ];
    for (n, (check, change)) in cases.into_iter().enumerate() {
        assert_eq!(forged(&world, change), Err(check), "case {n}");
    }
}

#[test]
fn a_core_is_two_signatures_in_their_one_spelling() {
    let world = World::new();
    let (offer, acceptance) = (world.offer(), world.acceptance());
    let payload = Value::Object(Jws::parse(&acceptance).unwrap().claims().unwrap());
    let read = |kb_jwt: &str| world.read_core(Core::join(&offer, kb_jwt).text()).map(|_| ());
    assert_eq!(read(&key_binding(&payload, &key(9))), Err(&signatures::JWS_SIGNATURE));
    let typed = sign_jws(&world.one_time, TYP_ENTRY, false, payload.to_string().as_bytes()).unwrap();
    assert_eq!(read(&typed), Err(&signatures::JWS_TYP));
    let named = sign_jws(&world.one_time, TYP_KEY_BINDING, true, payload.to_string().as_bytes()).unwrap();
    assert_eq!(read(&named), Err(&signatures::JWS_HEADER));
    assert_eq!(read(""), Err(&checks::CORE_FORM));
    let disclosing = format!("{}{acceptance}", offer.text());
    assert_eq!(world.read_core(&disclosing).map(|_| ()), Err(&checks::CORE_FORM));
    let other = world.forged(|claims, _| claims["exp"] = json!(at(201 * DAY)));
    let (other, _) = other.split_once('~').unwrap();
    assert_eq!(world.read_core(&format!("{other}~{acceptance}")).map(|_| ()), Err(&checks::KB_HASH));
}

#[test]
fn a_foreign_wallets_high_s_is_refused_until_its_own_node_normalises_it() {
    let world = World::new();
    let (offer, acceptance) = (world.offer(), world.acceptance());
    let (signed, signature) = acceptance.rsplit_once('.').unwrap();
    let low = p256::ecdsa::Signature::from_slice(&encoding::decode(signature).unwrap()).unwrap();
    let (r, s) = low.split_scalars();
    let high = p256::ecdsa::Signature::from_scalars(*r, -*s).unwrap();
    let high = format!("{signed}.{}", encoding::encode(high.to_bytes()));
    assert_ne!(high, acceptance);
    let refused = world.read_core(Core::join(&offer, &high).text()).unwrap_err();
    assert_eq!(refused, &signatures::JWS_CANONICAL);
    assert_eq!(normalise_acceptance(&high), acceptance);
    for same in [acceptance.as_str(), "", "a.b.c", "..", "a.b"] {
        assert_eq!(normalise_acceptance(same), same);
    }
}

#[test]
fn an_acceptance_has_its_time() {
    let world = World::new();
    let (offer, core) = (world.offer(), world.core());
    let received =
        |seconds| received_in_time(&core, at(seconds), &mut Trail::default()).map_err(|refusal| refusal.check);
    assert_eq!(received(31), Ok(()));
    assert_eq!(received(3600), Ok(()));
    assert_eq!(received(3601), Err(&checks::ACCEPTANCE_LATE));
    assert_eq!(received(-31), Err(&checks::ACCEPTANCE_TIME));
    let refused = |signed| match accept(&offer, None, &world.one_time, at(signed)) {
        Err(NotSigned::Refused(refusal)) => Some(refusal.check),
        _ => None,
    };
    assert_eq!(refused(3601), Some(&checks::OFFER_LATE));
    assert_eq!(refused(3600), None);
    let early = accept(&offer, None, &world.one_time, at(-61)).unwrap();
    let early = world.read_core(Core::join(&offer, &early).text()).unwrap();
    let refused = received_in_time(&early, at(10), &mut Trail::default()).unwrap_err();
    assert_eq!(refused.check, &checks::ACCEPTANCE_TIME);
    let stranger = accept(&offer, None, &key(9), at(1));
    assert!(matches!(stranger, Err(NotSigned::Refused(refusal)) if refusal.check == &checks::HOLDER_KEY));
}
