//! One token (ES256, four disclosures), verified end to end by three implementations in turn: text taken apart, signature,
//! disclosures, times. Every one of them has the issuer's key at hand.
//!
//! The last lines are ratios, their time by ours: above 1, ours is faster.

use std::hint::black_box;
use std::time::Instant;

use countersign::check::Trail;
use countersign::credential::sd_jwt::{Disclosure, SdJwt};
use countersign::encoding::{Digest, Timestamp};
use countersign::identity::{PublicKey, SecretKey, Signer as _, sign_jws};
use countersign_oracles::{Ssi, decoding_key, sd_jwt_rs};
use serde_json::{Map, Value, json};

const TYP: &str = "dc+sd-jwt";
const WINDOWS: usize = 21;
const COUNT: u32 = 400;

fn token(issuer: &SecretKey, at: Timestamp) -> String {
    let hidden = [
        ("asset", json!({"id": "urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0001", "title": "Junction", "size": 48_211})),
        ("price", json!({"amount": "1000.00", "currency": "EUR"})),
        ("fee", json!({"amount": "25.00", "currency": "EUR", "rule": "percentage", "base": "1000.00"})),
        ("promisor", json!("did:key:zDnaekifvFEAepkojpZEZ8FpQ3cBtBMDgDShQz2oRNKi5JbcU")),
    ];
    let disclosures: Vec<String> =
        hidden.iter().zip(1..).map(|((name, value), salt)| Disclosure::write(&[salt; 16], name, value)).collect();
    let mut digests: Vec<String> = disclosures.iter().map(|text| Digest::of(text).b64u()).collect();
    digests.sort_unstable();
    let payload = json!({
        "iss": issuer.did(), "iat": at, "nbf": at, "exp": at.plus(366 * 86_400), "vct": "urn:countersign:bench:1",
        "cnf": {"jwk": issuer.public_key().jwk()}, "contract_id": "urn:uuid:025b413f-8a9a-421e-a648-a7dd06839eb9",
        "_sd": digests, "_sd_alg": "sha-256",
    });
    let issuer_jwt = sign_jws(issuer, TYP, true, payload.to_string().as_bytes()).expect("a key in memory signs");
    format!("{issuer_jwt}~{}~", disclosures.join("~"))
}

fn ours(text: &str, key: &PublicKey, at: Timestamp) -> Map<String, Value> {
    let parsed = SdJwt::parse(text).expect("well formed");
    parsed.verify(key, TYP, at, &mut Trail::default()).expect("verified")
}

fn window(mut verify: impl FnMut()) -> u64 {
    let begun = Instant::now();
    for _ in 0..COUNT {
        verify();
    }
    begun.elapsed().as_nanos().try_into().expect("a window is short")
}

fn median(mut windows: Vec<u64>) -> f64 {
    windows.sort_unstable();
    windows[windows.len() / 2] as f64 / f64::from(COUNT)
}

fn main() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let at = Timestamp::from_seconds(now.try_into().expect("before 9999")).expect("before 9999");
    let issuer = SecretKey::p256(&[7; 32]).expect("a key");
    let (text, key) = (token(&issuer, at.plus(-60)), *issuer.public_key());
    let theirs = decoding_key(&key);
    let mut ssi = Ssi::new(&text, &key, at);

    // The same token means the same to all three before any of them is timed.
    let claims = Value::from(ours(&text, &key, at));
    assert_eq!(sd_jwt_rs(&text, &theirs, None).as_ref(), Ok(&claims));
    assert_eq!(ssi.verdict.as_ref(), Ok(&claims));

    let mut windows = [const { Vec::new() }; 3];
    // The first round warms up.
    for round in 0..=WINDOWS {
        let times = [
            window(|| drop(black_box(ours(black_box(&text), &key, at)))),
            window(|| drop(black_box(sd_jwt_rs(black_box(&text), &theirs, None)))),
            ssi.time(COUNT),
        ];
        if round > 0 {
            windows.iter_mut().zip(times).for_each(|(windows, time)| windows.push(time));
        }
    }
    let [ours, sd_jwt_rs, ssi] = windows.map(median);
    for (name, time) in [("ours", ours), ("sd-jwt-rs", sd_jwt_rs), ("ssi", ssi)] {
        println!("{name:>10}: {:8.1} µs, {:7.0} a second", time / 1e3, 1e9 / time);
    }
    println!("sd-jwt ours of sd-jwt-rs: {:.2}", sd_jwt_rs / ours);
    println!("sd-jwt ours of ssi: {:.2}", ssi / ours);
}
