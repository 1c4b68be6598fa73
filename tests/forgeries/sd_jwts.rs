//! RFC 9901 below the contract: SD-JWTs of any claims, with one thing wrong.

use countersign::check::{Refusal, Trail};
use countersign::credential::sd_jwt::SdJwt;
use countersign::encoding::{Digest, encode};
use countersign::identity::Signer as _;
use serde_json::{Value, json};

use crate::forge::{CHALLENGE, Change, OFFERED, ORIGIN, Token, Who, World, members};

/// An SD-JWT with key binding about to be put together: disclosures of `name`, and of an element of `list`.
pub(super) struct Bare {
    claims: Value,
    disclosures: Vec<Value>,
}

fn digest(disclosure: &Value) -> Value {
    Digest::of(encode(disclosure.to_string())).b64u().into()
}

impl Bare {
    fn honest() -> Self {
        let name = json!(["salt-1", "name", {"given": "Ada"}]);
        let element = json!(["salt-2", "hidden"]);
        let deep = json!(["salt-3", "inner", 1]);
        let holder = json!(["salt-4", "outer", {"_sd": [digest(&deep)]}]);
        let claims = json!({
            "iss": Who::Provider.did(), "vct": "https://credentials.example/any", "exp": OFFERED + 100,
            "nbf": OFFERED, "cnf": {"jwk": Who::OneTime.key().public_key().jwk()},
            "_sd": [digest(&name), digest(&holder), Digest::of("a decoy").b64u()], "_sd_alg": "sha-256",
            "list": ["shown", {"...": digest(&element)}, {"...": Digest::of("another decoy").b64u()}],
        });
        Self { claims, disclosures: vec![name, element, holder, deep] }
    }

    fn text(&self) -> String {
        let issuer_jwt = Token::new("dc+sd-jwt", Who::Provider, self.claims.clone()).text();
        let disclosures: Vec<String> = self.disclosures.iter().map(|parts| encode(parts.to_string())).collect();
        let bound = crate::forge::joined(&issuer_jwt, disclosures.iter());
        let claims = json!({
            "iat": OFFERED, "aud": ORIGIN, "nonce": CHALLENGE, "sd_hash": Digest::of(&bound).b64u(),
        });
        format!("{bound}{}", Token::new("kb+jwt", Who::OneTime, claims).text())
    }

    /// Explains `disclosure` at the top level and shows it.
    fn disclose(&mut self, disclosure: Value) {
        self.claims["_sd"].as_array_mut().unwrap().push(digest(&disclosure));
        self.disclosures.push(disclosure);
    }
}

fn verify(text: &str) -> Result<Value, Refusal> {
    let (trail, at) = (&mut Trail::default(), World::default().at(50));
    let sd_jwt = SdJwt::parse(text)?;
    sd_jwt.verify_binding(Who::OneTime.key().public_key(), ORIGIN, CHALLENGE, trail)?;
    sd_jwt.verify(Who::Provider.key().public_key(), "dc+sd-jwt", at, trail).map(Value::Object)
}

pub(super) const FORGERIES: &[(&str, &str, Change<Bare>)] = &[
    ("sdjwt.alg", "another hash", Some(|bare| bare.claims["_sd_alg"] = "sha-512".into())),
    ("sdjwt.alg", "the hash is named below the top", Some(|bare| bare.claims["inner"] = json!({"_sd_alg": "sha-256"}))),
    ("sdjwt.disclosure", "a member's disclosure without a name", Some(|bare| bare.disclose(json!(["salt-9", 1])))),
    (
        "sdjwt.disclosure",
        "an element's disclosure with a name",
        Some(|bare| {
            let named = json!(["salt-9", "name-9", 1]);
            bare.claims["list"][0] = json!({"...": digest(&named)});
            bare.disclosures.push(named);
        }),
    ),
    ("sdjwt.disclosure", "a salt that is no string", Some(|bare| bare.disclose(json!([9, "name-9", 1])))),
    ("sdjwt.name", "a disclosure named _sd", Some(|bare| bare.disclose(json!(["salt-9", "_sd", []])))),
    ("sdjwt.name", "a disclosure named ...", Some(|bare| bare.disclose(json!(["salt-9", "...", "x"])))),
    ("sdjwt.name", "a member named ...", Some(|bare| bare.claims["..."] = "x".into())),
    ("sdjwt.name", "a member beside an element's digest", Some(|bare| bare.claims["list"][1]["beside"] = true.into())),
    ("sdjwt.name.taken", "a name that is open already", Some(|bare| bare.disclose(json!(["salt-9", "list", 1])))),
    ("sdjwt.name.taken", "a name that was disclosed already", Some(|bare| bare.disclose(json!(["salt-9", "name", 1])))),
    ("sdjwt.digest", "a digest that is none", Some(|bare| bare.claims["_sd"][2] = "short".into())),
    ("sdjwt.digest", "an element's digest that is none", Some(|bare| bare.claims["list"][2]["..."] = 7.into())),
    ("sdjwt.digest", "digests that are no list", Some(|bare| bare.claims["more"] = json!({"_sd": "none"}))),
    ("sdjwt.digest.twice", "a decoy twice", Some(|bare| bare.claims["list"][2]["..."] = bare.claims["_sd"][2].clone())),
    (
        "sdjwt.digest.twice",
        "a disclosure named in two places",
        Some(|bare| bare.claims["list"][2]["..."] = bare.claims["list"][1]["..."].clone()),
    ),
    (
        "sdjwt.disclosure.unexplained",
        "a disclosure that nothing names",
        Some(|bare| bare.disclosures.push(json!(["salt-9", "name-9", 1]))),
    ),
    (
        "sdjwt.disclosure.unexplained",
        "a disclosure twice",
        Some(|bare| bare.disclosures.push(bare.disclosures[0].clone())),
    ),
    (
        "sdjwt.depth",
        "disclosures inside disclosures",
        Some(|bare| {
            let mut inner = json!(["salt-0", "end", 1]);
            for depth in 0..40 {
                let outer = json!([format!("salt-{depth}"), "next", {"_sd": [digest(&inner)]}]);
                bare.disclosures.push(inner);
                inner = outer;
            }
            bare.disclose(inner);
        }),
    ),
    (
        "sdjwt.open",
        "the end is hidden",
        Some(|bare| {
            let exp = members(&mut bare.claims).remove("exp").unwrap();
            bare.disclose(json!(["salt-9", "exp", exp]));
        }),
    ),
    (
        "sdjwt.open",
        "the key is hidden",
        Some(|bare| {
            let cnf = members(&mut bare.claims).remove("cnf").unwrap();
            bare.disclose(json!(["salt-9", "cnf", cnf]));
        }),
    ),
    ("sdjwt.open", "the status is hidden", Some(|bare| bare.disclose(json!(["salt-9", "status", {}])))),
    ("sdjwt.open", "there is no type", Some(|bare| drop(members(&mut bare.claims).remove("vct")))),
    ("sdjwt.window", "it is over", Some(|bare| bare.claims["exp"] = (OFFERED + 50).into())),
    ("sdjwt.window", "it has not begun", Some(|bare| bare.claims["nbf"] = (OFFERED + 51).into())),
    ("sdjwt.window", "its end is no time", Some(|bare| bare.claims["exp"] = "never".into())),
];

#[test]
fn an_sd_jwt_with_one_thing_wrong_is_refused() {
    let shown = verify(&Bare::honest().text()).unwrap();
    assert_eq!(shown["name"]["given"], "Ada");
    assert_eq!(shown["list"], json!(["shown", "hidden"]));
    assert_eq!(shown["outer"], json!({"inner": 1}));
    let mut wrong = Vec::new();
    for (check, changed, change) in FORGERIES {
        let mut bare = Bare::honest();
        change.unwrap()(&mut bare);
        match verify(&bare.text()) {
            Err(refusal) if refusal.check.id() == *check => {}
            Err(refusal) => wrong.push(format!("{check}: {changed}: refused by {refusal}")),
            Ok(_) => wrong.push(format!("{check}: {changed}: ACCEPTED")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_cut_otherwise_is_no_sd_jwt() {
    let text = Bare::honest().text();
    let bound = text.rfind('~').unwrap() + 1;
    let cases = [
        ("sdjwt.form", text.replace('~', "")),
        ("sdjwt.form", text.replacen('~', "~~", 1)),
        ("sdjwt.form", format!("{}{}", "~".repeat(300), text)),
        ("sdjwt.form", format!("{text}{}", "A".repeat(256 * 1024))),
        ("kb.present", text[..bound].to_owned()),
        ("kb.hash", text.replacen(&format!("{}~", encode(Bare::honest().disclosures[0].to_string())), "", 1)),
    ];
    for (check, text) in cases {
        assert_eq!(verify(&text).unwrap_err().check.id(), check);
    }
}
