//! The type metadata that wallets show the credential by says what the credential is.

use countersign::credential::{NINE, vocabulary};
use serde_json::Value;

/// `_sd` and `_sd_alg` are how an SD-JWT is made, not claims of the type.
const OPEN: [&str; 11] = [
    "iss",
    "iat",
    "exp",
    "vct",
    "cnf",
    "contract_id",
    "negotiation_nonce",
    "accept_by",
    "record_by",
    "registry",
    "template",
];

fn metadata() -> Value {
    serde_json::from_str(include_str!("../src/credential/type_metadata.json")).unwrap()
}

fn claims(sd: &str) -> Vec<Vec<String>> {
    let metadata = metadata();
    let claims = metadata["claims"].as_array().unwrap().iter().filter(|claim| claim["sd"] == sd);
    claims.map(|claim| serde_json::from_value(claim["path"].clone()).unwrap()).collect()
}

#[test]
fn it_is_about_the_offer() {
    assert_eq!(metadata()["vct"], vocabulary::CONTRACT_OFFER);
}

#[test]
fn exactly_the_nine_are_disclosed_and_the_open_claims_never_are() {
    assert_eq!(claims("always"), NINE.map(|name| vec![name.to_owned()]));
    let top: Vec<String> = claims("never").into_iter().filter(|path| path.len() == 1).flatten().collect();
    assert_eq!(top, OPEN);
    assert_eq!(claims("allowed"), Vec::<Vec<String>>::new());
}

#[test]
fn nothing_is_left_out_of_an_offer() {
    for claim in metadata()["claims"].as_array().unwrap() {
        assert_eq!(claim["mandatory"], true, "{}", claim["path"]);
    }
}
