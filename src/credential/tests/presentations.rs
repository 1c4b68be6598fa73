use super::*;

const AUD: &str = "https://data.example";
const NONCE: &str = "bm9uY2Ugb2YgdGhlIGdhdGU";

fn show(world: &World, names: &[usize]) -> String {
    let offer = world.offer();
    let disclosures: Vec<&str> = names.iter().map(|n| offer.disclosures[*n].as_str()).collect();
    present(&world.core(), &offer.contents.asset, &disclosures, AUD, NONCE, at(900), &world.one_time).unwrap()
}

fn verify(world: &World, text: &str, seconds: i64) -> Result<Presented, &'static Check> {
    verify_presentation(text, &world.core(), AUD, NONCE, at(seconds), &mut Trail::default())
        .map_err(|refusal| refusal.check)
}

/// A presentation of nothing with any KB-JWT payload.
fn forged(world: &World, change: impl FnOnce(&mut Value)) -> Result<Presented, &'static Check> {
    let bound = format!("{}~", world.core().issuer_jwt);
    let mut payload = json!({"iat": at(900), "aud": AUD, "nonce": NONCE, "sd_hash": Digest::of(&bound).b64u()});
    change(&mut payload);
    verify(world, &format!("{bound}{}", key_binding(&payload, &world.one_time)), 900)
}

#[test]
fn a_presentation_shows_what_was_chosen_and_no_more() {
    let world = World::new();
    let contents = world.offer().contents.clone();
    let presented = verify(&world, &show(&world, &[4, 7]), 900).unwrap();
    assert_eq!((presented.asset, presented.terms), (Some(contents.asset), Some(contents.terms)));
    assert_eq!((presented.price, presented.fee, presented.consumer), (None, None, None));
    assert_eq!(verify(&world, &show(&world, &[]), 1200), Ok(Presented::default()));
    assert_eq!(forged(&world, |_| {}), Ok(Presented::default()));
}

#[test]
fn a_presentation_is_fresh_for_this_gate_and_of_this_contract() {
    let world = World::new();
    let text = show(&world, &[4]);
    assert_eq!(verify(&world, &text, 1201), Err(&checks::PRESENTATION_TIME));
    assert_eq!(verify(&world, &text, 839), Err(&checks::PRESENTATION_TIME));
    let core = world.core();
    let elsewhere = verify_presentation(&text, &core, "https://x.example", NONCE, at(900), &mut Trail::default());
    assert_eq!(elsewhere.unwrap_err().check, &checks::KB_AUD);
    let replayed = verify_presentation(&text, &core, AUD, "another", at(900), &mut Trail::default());
    assert_eq!(replayed.unwrap_err().check, &checks::KB_NONCE);
    let asset = &world.offer().disclosures[4];
    assert_eq!(verify(&world, &text.replace(&format!("{asset}~"), ""), 900), Err(&checks::KB_HASH));
    let stranger = Disclosure::write(&[77; 16], "terms", &json!({}));
    assert_eq!(verify(&world, &text.replace(asset.as_str(), &stranger), 900), Err(&checks::SD_UNEXPLAINED));
    let twice = text.replace(asset.as_str(), &format!("{asset}~{asset}"));
    assert_eq!(verify(&world, &twice, 900), Err(&checks::OFFER_DISCLOSURES));
    let (bound, _) = text.rsplit_once('~').unwrap();
    assert_eq!(verify(&world, &format!("{bound}~"), 900), Err(&checks::KB_PRESENT));
    let other = world.forged(|claims, _| claims["exp"] = json!(at(201 * DAY)));
    let other = text.replace(&core.issuer_jwt, other.split_once('~').unwrap().0);
    assert_eq!(verify(&world, &other, 900), Err(&checks::PRESENTATION_FORM));
}

#[test]
fn an_acceptance_opens_no_gate_and_a_presentation_accepts_nothing() {
    let world = World::new();
    let core = world.core();
    let claims = &core.claims;
    let (aud, nonce) = (claims.iss.as_str(), claims.negotiation_nonce.as_str());
    let as_presentation = verify_presentation(&core.text, &core, aud, nonce, at(31), &mut Trail::default());
    assert_eq!(as_presentation.unwrap_err().check, &checks::PRESENTATION_CLAIMS);
    assert_eq!(
        forged(&world, |payload| payload["transaction_data_hashes"] = json!([])),
        Err(&checks::PRESENTATION_CLAIMS)
    );
    let login = json!({"iat": at(31), "aud": aud, "nonce": nonce, "sd_hash": Digest::of(format!("{}~", core.issuer_jwt)).b64u()});
    let login = format!("{}~{}", core.issuer_jwt, key_binding(&login, &world.one_time));
    let as_presentation = verify_presentation(&login, &core, aud, nonce, at(31), &mut Trail::default());
    assert_eq!(as_presentation.unwrap_err().check, &checks::PRESENTATION_NONCE);
    assert_eq!(world.read_core(&login).unwrap_err(), &checks::ACCEPTANCE_CLAIMS);
    let shown = show(&world, &[]);
    assert_eq!(world.read_core(&shown).unwrap_err(), &checks::KB_AUD);
}

#[test]
fn a_wallet_signs_only_for_the_assets_origin_and_with_the_contracts_key() {
    let world = World::new();
    let (core, asset) = (world.core(), world.offer().contents.asset.clone());
    let refused = |aud: &str, nonce: &str, disclosures: &[&str], signer: &SecretKey| match present(
        &core,
        &asset,
        disclosures,
        aud,
        nonce,
        at(900),
        signer,
    ) {
        Err(NotSigned::Refused(refusal)) => refusal.check,
        other => panic!("{other:?}"),
    };
    let own = &world.one_time;
    assert_eq!(refused("https://data.example.evil", NONCE, &[], own), &checks::PRESENTATION_ORIGIN);
    assert_eq!(refused("https://data.example/", NONCE, &[], own), &checks::PRESENTATION_ORIGIN);
    assert_eq!(refused(AUD, &core.claims.negotiation_nonce, &[], own), &checks::PRESENTATION_NONCE);
    assert_eq!(refused(AUD, NONCE, &[], &key(9)), &checks::HOLDER_KEY);
    let stranger = Disclosure::write(&[77; 16], "terms", &json!({}));
    assert_eq!(refused(AUD, NONCE, &[&stranger], own), &checks::SD_UNEXPLAINED);
}

#[test]
fn an_operator_sees_the_fee_and_nothing_else() {
    let world = World::new();
    let (offer, core) = (world.offer(), world.core());
    let text = format!("{}~{}~", core.issuer_jwt, offer.disclosures[6]);
    let seen = disclosed(&core.issuer_jwt, &core.claims, &text, &mut Trail::default()).unwrap();
    assert_eq!(json!(seen.fee), disclosed_value(&offer.disclosures[6]));
    assert_eq!(Presented { fee: None, ..seen }, Presented::default());
    let bound = show(&world, &[6]);
    let refused = disclosed(&core.issuer_jwt, &core.claims, &bound, &mut Trail::default()).unwrap_err();
    assert_eq!(refused.check, &checks::SD_FORM);
}
