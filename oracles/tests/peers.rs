//! sd-jwt-rs and ssi verify what is signed here; what one of them wrongly accepts is refused here.

#[path = "../../tests/support/signed_contract.rs"]
mod signed_contract;

use countersign::check::Trail;
use countersign::credential::sd_jwt::{Disclosure, SdJwt};
use countersign::credential::{NINE, checks};
use countersign::encoding::{Digest, decode, encode};
use countersign::identity::{SecretKey, Signer as _, checks as signatures, low_s, sign_jws};
use countersign_oracles::{Ssi, decoding_key, sd_jwt_rs};
use jsonwebtoken::EncodingKey;
use sd_jwt_rs::{ClaimsForSelectiveDisclosureStrategy, SDJWTIssuer, SDJWTSerializationFormat};
use serde_json::{Value, json};
use signed_contract::{ORIGIN, SignedContract, at, key};

const NONCE: &str = "Zm9yIGEgc2luZ2xlIHVzZQ";

fn sees(claims: &Value, contract: &SignedContract, places: &[usize]) {
    let values = json!(contract.offer.contents);
    for (place, name) in NINE.iter().enumerate() {
        assert_eq!(claims.get(name), places.contains(&place).then(|| &values[name]), "{name}");
    }
    assert_eq!(claims["contract_id"], json!(contract.core.claims.contract_id));
}

#[test]
fn sd_jwt_rs_verifies_core_and_presentations_and_their_binding() {
    let contract = SignedContract::new();
    let issuer = decoding_key(contract.provider.public_key());
    let verify = |text: &str, aud: &str, nonce: &str| sd_jwt_rs(text, &issuer, Some((aud, nonce)));
    let (core, claims) = (&contract.core.text, &contract.core.claims);
    let (iss, offered) = (claims.iss.as_str(), claims.negotiation_nonce.as_str());
    sees(&verify(core, iss, offered).unwrap(), &contract, &[]);
    assert!(verify(core, iss, NONCE).is_err());
    assert!(verify(core, ORIGIN, offered).is_err());
    let more = core.replacen('~', &format!("~{}~", contract.offer.disclosures[0]), 1);
    assert!(verify(&more, iss, offered).is_err());

    let all: Vec<usize> = (0..NINE.len()).collect();
    sees(&sd_jwt_rs(&contract.offer.text(), &issuer, None).unwrap(), &contract, &all);
    for shown in [&all[..], &[4, 7], &[]] {
        let text = contract.present(shown, NONCE);
        sees(&verify(&text, ORIGIN, NONCE).unwrap(), &contract, shown);
        assert!(verify(&text, ORIGIN, "another").is_err());
        assert!(verify(&text, iss, NONCE).is_err());
        let (jwt, rest) = text.split_once('~').unwrap();
        let other = format!("{jwt}~{}~{rest}", Disclosure::write(&[9; 16], "note", &json!("added")));
        assert!(verify(&other, ORIGIN, NONCE).is_err());
        assert!(sd_jwt_rs(&text, &decoding_key(contract.one_time.public_key()), None).is_err());
    }
}

#[test]
fn ssi_verifies_what_is_disclosed() {
    let contract = SignedContract::new();
    let issuer = contract.provider.public_key();
    let all: Vec<usize> = (0..NINE.len()).collect();
    for shown in [&all[..], &[4, 7], &[]] {
        // ssi leaves key binding to its caller: it gets what stands before the KB-JWT.
        let text = contract.present(shown, NONCE);
        let before = &text[..=text.rfind('~').unwrap()];
        sees(Ssi::new(before, issuer, at(60)).verdict.as_ref().unwrap(), &contract, shown);
        assert!(Ssi::new(before, contract.one_time.public_key(), at(60)).verdict.is_err());
        assert!(Ssi::new(before, issuer, contract.core.claims.exp.plus(1)).verdict.is_err());
    }
    let added = format!("{}{}~", contract.offer.text(), Disclosure::write(&[9; 16], "note", &json!("added")));
    assert!(Ssi::new(&added, issuer, at(60)).verdict.is_err());
}

/// A token whose payload and disclosures a test changes, signed by `key(31)`.
fn token(typ: &str, change: impl FnOnce(&mut Value, &mut Vec<String>)) -> String {
    let issuer = key(31);
    let mut disclosures = vec![Disclosure::write(&[1; 16], "name", &json!("Example"))];
    let mut payload = json!({
        "iss": issuer.did(), "iat": at(0), "exp": at(86_400), "vct": "urn:example:membership:1", "_sd_alg": "sha-256",
        "_sd": [Digest::of(&disclosures[0]).b64u()],
    });
    change(&mut payload, &mut disclosures);
    let jwt = sign_jws(&issuer, typ, true, payload.to_string().as_bytes()).unwrap();
    disclosures.iter().fold(format!("{jwt}~"), |text, disclosure| format!("{text}{disclosure}~"))
}

fn ours(text: &str) -> Result<Value, &'static str> {
    let parsed = SdJwt::parse(text).map_err(|refusal| refusal.check.id())?;
    let verdict = parsed.verify(key(31).public_key(), "dc+sd-jwt", at(60), &mut Trail::default());
    verdict.map(Value::from).map_err(|refusal| refusal.check.id())
}

fn hide(payload: &mut Value, disclosures: &mut Vec<String>, disclosure: String) {
    payload["_sd"].as_array_mut().unwrap().push(Digest::of(&disclosure).b64u().into());
    disclosures.push(disclosure);
}

#[test]
fn what_sd_jwt_rs_wrongly_accepts_is_refused_here() {
    let issuer = decoding_key(key(31).public_key());
    let honest = token("dc+sd-jwt", |_, _| {});
    assert_eq!(ours(&honest), sd_jwt_rs(&honest, &issuer, None).map_err(|_| ""));

    let jwt = honest.split('~').next().unwrap();
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let high = honest.replacen(jwt, &format!("{signed}.{}", encode(high_s(&decode(signature).unwrap()))), 1);
    let cases = [
        (
            "a disclosure that no digest names",
            &checks::SD_UNEXPLAINED,
            token("dc+sd-jwt", |_, disclosures| {
                disclosures.push(Disclosure::write(&[2; 16], "level", &json!(9)));
            }),
        ),
        ("another kind of statement", &signatures::JWS_TYP, token("JWT", |_, _| {})),
        (
            "the type of the credential from a disclosure",
            &checks::SD_OPEN,
            token("dc+sd-jwt", |payload, disclosures| {
                payload.as_object_mut().unwrap().remove("vct");
                hide(payload, disclosures, Disclosure::write(&[2; 16], "vct", &json!("urn:example:chair:1")));
            }),
        ),
        (
            "key confirmation from a disclosure",
            &checks::SD_OPEN,
            token("dc+sd-jwt", |payload, disclosures| {
                let cnf = json!({"jwk": key(32).public_key().jwk()});
                hide(payload, disclosures, Disclosure::write(&[2; 16], "cnf", &cnf));
            }),
        ),
        (
            "no type of credential",
            &checks::SD_OPEN,
            token("dc+sd-jwt", |payload, _| {
                payload.as_object_mut().unwrap().remove("vct");
            }),
        ),
        ("the same signature, spelled otherwise", &signatures::JWS_CANONICAL, high),
    ];
    for (what, check, text) in cases {
        assert!(sd_jwt_rs(&text, &issuer, None).is_ok(), "sd-jwt-rs refuses {what} by now");
        assert_eq!(ours(&text), Err(check.id()), "{what}");
    }
}

#[test]
fn what_ssi_wrongly_accepts_is_refused_here() {
    let issuer = key(31);
    let ssi = |text: &str| Ssi::new(text, issuer.public_key(), at(60)).verdict.is_ok();
    assert!(ssi(&token("dc+sd-jwt", |_, _| {})));
    let cases = [
        ("another kind of statement", &signatures::JWS_TYP, token("JWT", |_, _| {})),
        (
            "the type of the credential from a disclosure",
            &checks::SD_OPEN,
            token("dc+sd-jwt", |payload, disclosures| {
                payload.as_object_mut().unwrap().remove("vct");
                hide(payload, disclosures, Disclosure::write(&[2; 16], "vct", &json!("urn:example:chair:1")));
            }),
        ),
        (
            "an end from a disclosure",
            &checks::SD_OPEN,
            token("dc+sd-jwt", |payload, disclosures| {
                payload.as_object_mut().unwrap().remove("exp");
                hide(payload, disclosures, Disclosure::write(&[2; 16], "exp", &json!(at(86_400))));
            }),
        ),
    ];
    for (what, check, text) in cases {
        assert!(ssi(&text), "ssi refuses {what} by now");
        assert_eq!(ours(&text), Err(check.id()), "{what}");
    }
}

#[test]
fn what_sd_jwt_rs_issues_names_no_kind_of_statement_and_is_refused_for_that_alone() {
    let issuer: SecretKey = key(31);
    let der = pkcs8(&issuer);
    let mut theirs = SDJWTIssuer::new(EncodingKey::from_ec_der(&der), None);
    let claims = json!({"iss": issuer.did(), "exp": at(86_400), "vct": "urn:example:membership:1", "level": 9});
    let strategy = ClaimsForSelectiveDisclosureStrategy::Custom(vec!["$.level"]);
    let text = theirs.issue_sd_jwt(claims.clone(), strategy, None, true, SDJWTSerializationFormat::Compact).unwrap();
    assert_eq!(ours(&text), Err(signatures::JWS_HEADER.id()));

    // The payload and the disclosures that it made, under a header that says what they are.
    let (jwt, rest) = text.split_once('~').unwrap();
    let payload = decode(jwt.split('.').nth(1).unwrap()).unwrap();
    let named = format!("{}~{rest}", sign_jws(&issuer, "dc+sd-jwt", true, &payload).unwrap());
    assert_eq!(ours(&named), Ok(claims));
}

/// The other of the two values that verify.
fn high_s(signature: &[u8]) -> [u8; 64] {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
        0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut high: [u8; 64] = signature.try_into().unwrap();
    let mut borrow = 0;
    for place in (0..32).rev() {
        let difference = i16::from(ORDER[place]) - i16::from(signature[32 + place]) - borrow;
        borrow = i16::from(difference < 0);
        high[32 + place] = difference.rem_euclid(256) as u8;
    }
    assert_eq!(low_s(&high).as_ref().map(|low| &low[..]), Some(signature));
    high
}

/// The key as PKCS #8 (RFC 5958), with the ECPrivateKey of RFC 5915 inside.
fn pkcs8(key: &SecretKey) -> Vec<u8> {
    let jwk = key.public_key().jwk();
    let mut der = vec![
        0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
        0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20,
    ];
    der.extend_from_slice(&*key.secret());
    der.extend_from_slice(&[0xa1, 0x44, 0x03, 0x42, 0x00, 0x04]);
    der.extend(decode(&jwk.x).unwrap());
    der.extend(decode(&jwk.y.unwrap()).unwrap());
    der
}
