//! PyPI `sd-jwt` and npm `@sd-jwt/*` verify what is signed here, and the other way round.
//!
//! Needs a Python with `interop/sd-jwt/requirements.txt` installed, and a directory with the `node_modules` of
//! `interop/sd-jwt/package-lock.json`: `COUNTERSIGN_PYTHON_SD_JWT=<its python> COUNTERSIGN_NODE_SD_JWT=<directory>
//! cargo test --test interop_sd_jwt -- --ignored`.

#[path = "support/signed_contract.rs"]
mod signed_contract;

use std::io::Write as _;
use std::process::{Command, Stdio};

use countersign::check::Trail;
use countersign::credential::checks;
use countersign::credential::sd_jwt::SdJwt;
use countersign::encoding::encode;
use countersign::identity::{SecretKey, Signer as _, checks as signatures};
use serde_json::{Value, json};
use signed_contract::{ORIGIN, SignedContract, at, key};

const NONCE: &str = "Zm9yIGEgc2luZ2xlIHVzZQ";
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/interop/sd-jwt");

fn run(command: &mut Command, request: &Value) -> Value {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the peer starts");
    child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the peer failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Past the test runner's capture: a run that tested nothing has to be seen.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn jwk(key: &SecretKey, with_secret: bool) -> Value {
    let mut jwk = json!(key.public_key().jwk());
    if with_secret {
        jwk["d"] = encode(*key.secret()).into();
    }
    jwk
}

/// What the peer is asked to verify, and the names it has to see in it; `None` where it has to refuse.
fn asked(contract: &SignedContract) -> (Vec<Value>, Vec<Option<Vec<&'static str>>>) {
    let issuer = jwk(&contract.provider, false);
    let (mut asked, mut expected) = (vec![], vec![]);
    let mut ask = |sd_jwt: String, binding: Option<(&str, &str)>, sees: Option<Vec<&'static str>>| {
        let mut case = json!({ "sd_jwt": sd_jwt, "issuer": issuer, "at": at(60) });
        if let Some((aud, nonce)) = binding {
            (case["aud"], case["nonce"]) = (aud.into(), nonce.into());
        }
        asked.push(case);
        expected.push(sees);
    };
    let (iss, offered) = (contract.core.claims.iss.as_str(), contract.core.claims.negotiation_nonce.as_str());
    let nine = countersign::credential::NINE;
    ask(contract.offer.text(), None, Some(nine.to_vec()));
    ask(contract.core.text.clone(), Some((iss, offered)), Some(vec![]));
    ask(contract.core.text.clone(), Some((iss, NONCE)), None);
    ask(contract.core.text.clone(), Some((ORIGIN, offered)), None);
    // The acceptance does not pass for one of any disclosure.
    let (bound, acceptance) = contract.core.text.split_once('~').unwrap();
    ask(format!("{bound}~{}~{acceptance}", contract.offer.disclosures[0]), Some((iss, offered)), None);

    let all: Vec<usize> = (0..nine.len()).collect();
    for shown in [&all[..], &[4, 7], &[]] {
        let text = contract.present(shown, NONCE);
        let sees = shown.iter().map(|place| nine[*place]).collect();
        ask(text.clone(), Some((ORIGIN, NONCE)), Some(sees));
        ask(text.clone(), Some((ORIGIN, "another")), None);
        ask(text.clone(), Some((iss, NONCE)), None);
        let (before, kb_jwt) = text.rsplit_once('~').unwrap();
        match before.rsplit_once('~') {
            Some((fewer, _)) => ask(format!("{fewer}~{kb_jwt}"), Some((ORIGIN, NONCE)), None),
            None => ask(format!("{before}~{}~{kb_jwt}", contract.offer.disclosures[4]), Some((ORIGIN, NONCE)), None),
        }
        // The issuer's signature is looked at: its first letter changed.
        let signature = text.split(['.', '~']).nth(2).unwrap();
        let other = if signature.starts_with('A') { "B" } else { "A" };
        let changed = text.replacen(signature, &format!("{other}{}", &signature[1..]), 1);
        assert_ne!(changed, text);
        ask(changed, Some((ORIGIN, NONCE)), None);
    }
    (asked, expected)
}

fn judged(verdict: &Value, contract: &SignedContract, sees: Option<&Vec<&str>>, of: &str) {
    let Some(sees) = sees else {
        assert!(verdict["refused"].is_string(), "{of} accepted what it has to refuse: {verdict}");
        return;
    };
    let claims = verdict["claims"].as_object().unwrap_or_else(|| panic!("{of} refused: {verdict}"));
    let values = json!(contract.offer.contents);
    for name in countersign::credential::NINE {
        let value = sees.contains(&name).then(|| &values[name]);
        assert_eq!(claims.get(name), value, "{of}: {name}");
    }
    assert_eq!(claims["contract_id"], json!(contract.core.claims.contract_id));
    assert!(!claims.contains_key("_sd"));
}

/// What the peer is asked to issue, and to present as a holder.
fn wanted() -> Value {
    let issuer = key(21);
    json!({
        "claims": {
            "iss": issuer.did(), "iat": at(0), "exp": at(3600), "vct": "urn:example:membership:1",
            "name": "Jürgen Müller — 契約", "level": 3, "quota": {"of": [1, 2.5, null, true], "unit": "GiB"},
            "tags": ["a", "b"],
        },
        "hidden": ["name", "level", "quota"], "shown": ["quota"], "kid": issuer.kid(),
        "issuer": jwk(&issuer, true), "holder": jwk(&key(22), true), "aud": ORIGIN, "nonce": NONCE,
    })
}

/// What a peer issued, read by the generic verifier.
fn read(issued: &Value, wanted: &Value) {
    let (issuer, holder) = (key(21), key(22));
    let verify = |text: &Value| {
        let parsed = SdJwt::parse(text.as_str().unwrap()).unwrap();
        assert_eq!(parsed.header().kid.as_ref(), Some(issuer.kid()));
        parsed.verify(issuer.public_key(), "dc+sd-jwt", at(60), &mut Trail::default())
    };
    let (whole, presentation) = (verify(&issued["whole"]).unwrap(), verify(&issued["presentation"]).unwrap());
    for (name, value) in wanted["claims"].as_object().unwrap() {
        assert_eq!(whole.get(name), Some(value));
        let shown = !["name", "level"].contains(&name.as_str());
        assert_eq!(presentation.get(name), shown.then_some(value), "{name}");
    }
    assert_eq!(whole["cnf"]["jwk"], json!(holder.public_key().jwk()));
    assert_eq!(verify(&issued["high"]).unwrap_err().check, &signatures::JWS_CANONICAL);

    let text = issued["presentation"].as_str().unwrap();
    let bound = |text: &str, aud: &str, nonce: &str| {
        let parsed = SdJwt::parse(text).unwrap();
        parsed.verify_binding(holder.public_key(), aud, nonce, &mut Trail::default()).map_err(|refusal| refusal.check)
    };
    assert!(bound(text, ORIGIN, NONCE).unwrap().rest.is_empty());
    assert_eq!(bound(text, ORIGIN, "another").unwrap_err(), &checks::KB_NONCE);
    assert_eq!(bound(text, "https://other.example", NONCE).unwrap_err(), &checks::KB_AUD);
    let parts: Vec<&str> = text.split('~').collect();
    let fewer = format!("{}~{}", parts[0], parts.last().unwrap());
    assert_eq!(bound(&fewer, ORIGIN, NONCE).unwrap_err(), &checks::KB_HASH);
}

fn both_directions(command: &mut Command, peers: &[Option<&str>], name: &str) {
    let contract = SignedContract::new();
    let (asked, expected) = asked(&contract);
    let wanted = wanted();
    let answer = run(command, &json!({ "verify": asked, "issue": [wanted] }));
    let verified = answer["verified"].as_array().unwrap();
    assert_eq!(verified.len(), expected.len());
    for (verdict, sees) in verified.iter().zip(&expected) {
        for peer in peers {
            let verdict = peer.map_or(verdict, |peer| &verdict[peer]);
            judged(verdict, &contract, sees.as_ref(), &format!("{name} {}", peer.unwrap_or_default()));
        }
    }
    read(&answer["issued"][0], &wanted);
    let accepted = expected.iter().flatten().count();
    say(&format!("{name} verified {accepted}, refused {}, issued 1", expected.len() - accepted));
}

#[test]
#[ignore = "needs COUNTERSIGN_PYTHON_SD_JWT, a Python with interop/sd-jwt/requirements.txt"]
fn both_directions_with_pypi_sd_jwt() {
    let Ok(python) = std::env::var("COUNTERSIGN_PYTHON_SD_JWT") else {
        return say("SKIPPED, nothing was tested: COUNTERSIGN_PYTHON_SD_JWT is not set");
    };
    both_directions(Command::new(python).arg(format!("{SCRIPTS}/verify.py")), &[None], "PyPI sd-jwt");
}

#[test]
#[ignore = "needs COUNTERSIGN_NODE_SD_JWT, a directory with the node_modules of interop/sd-jwt"]
fn both_directions_with_npm_sd_jwt() {
    let Ok(directory) = std::env::var("COUNTERSIGN_NODE_SD_JWT") else {
        return say("SKIPPED, nothing was tested: COUNTERSIGN_NODE_SD_JWT is not set");
    };
    let script = format!("{SCRIPTS}/verify.mjs");
    both_directions(Command::new("node").arg(script).arg(directory), &[Some("core"), Some("vc")], "npm @sd-jwt");
}
