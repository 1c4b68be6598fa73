//! One thing, one spelling: another would have another hash.

use serde_json::{Value, json};

use super::{Forgery, consumer, forgery, hold, holder, reader};
use crate::forge::members;

pub(super) const FORGERIES: &[Forgery] = &[
    forgery("encoding.base64url", "the acceptance's signature is padded", holder, |forge| {
        forge.kb_jwt = Some(|token| token.after = Some(|text| text + "="));
    }),
    forgery("encoding.base64url", "the acceptance's signature ends in loose bits", holder, |forge| {
        forge.kb_jwt = Some(|token| {
            token.after = Some(|mut text| {
                const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                let last = LETTERS.find(text.pop().unwrap()).unwrap();
                text.push(LETTERS.as_bytes()[last | 1].into());
                text
            });
        });
    }),
    forgery("encoding.base64url", "a disclosure is padded, and its digest fits", consumer, |forge| {
        forge.offer = Some(|token| {
            // Any disclosure whose length leaves room for padding will do.
            token.claims["_sd"][2] = json!(super::spelling::padded(2).1);
        });
        forge.offer_text = Some(|text| {
            let (bare, padded) = (super::spelling::padded(2).0, super::spelling::padded(2).2);
            *text = text.replace(&bare, &padded);
        });
    }),
    forgery("encoding.json", "more text follows the acceptance's JSON", holder, |forge| {
        forge.kb_jwt = Some(|token| token.payload = Some(format!("{} 1", token.claims)));
    }),
    forgery("encoding.json.duplicate", "the acceptance decides twice", holder, |forge| {
        forge.kb_jwt = Some(|token| {
            let text = token.claims.to_string();
            let once = r#""decision":"accept""#;
            assert!(text.contains(once));
            token.payload = Some(text.replace(once, &format!("{once},{once}")));
        });
    }),
    forgery("encoding.json.depth", "a member that nobody knows is deep", reader, |forge| {
        forge.file = Some(|file| {
            file["remark"] = (0..40).fold(Value::Null, |inner, _| json!([inner]));
        });
    }),
    forgery("encoding.size", "a member that nobody knows is long", reader, |forge| {
        forge.file = Some(|file| file["remark"] = "long ".repeat(1024 * 1024).into());
    }),
    forgery("encoding.time", "the acceptance is of 1970", holder, |forge| {
        forge.kb_jwt = Some(|token| token.claims["iat"] = 1.into());
    }),
    forgery("encoding.time", "the acceptance is of a year that no calendar writes", holder, |forge| {
        forge.kb_jwt = Some(|token| token.claims["iat"] = i64::MAX.into());
    }),
    forgery("account.form", "the recorder is in capital letters", holder, |forge| {
        forge.offer = Some(|token| token.claims["registry"]["recorder"] = format!("0x{}", "CD".repeat(20)).into());
    }),
    forgery("registry.urn", "the chain id begins with a zero", holder, |forge| {
        forge.offer = Some(|token| {
            let urn = token.claims["registry"]["urn"].as_str().unwrap().replace("eip155:", "eip155:0");
            token.claims["registry"]["urn"] = urn.into();
        });
    }),
    forgery("contract.id", "the contract's id is in capital letters", holder, |forge| {
        forge.offer = Some(|token| {
            let id = token.claims["contract_id"].as_str().unwrap();
            token.claims["contract_id"] = format!("urn:uuid:{}", id["urn:uuid:".len()..].to_uppercase()).into();
        });
    }),
    forgery("jws.form", "an empty part follows the acceptance's signature", holder, |forge| {
        forge.kb_jwt = Some(|token| token.after = Some(|text| text + "."));
    }),
    forgery("jws.form", "the acceptance is long, with blanks that mean nothing", holder, |forge| {
        forge.kb_jwt = Some(|token| token.payload = Some(format!("{}{}", token.claims, " ".repeat(64 * 1024))));
    }),
    forgery("jws.header", "the acceptance has a critical extension", holder, |forge| {
        forge.kb_jwt = Some(|token| token.header["crit"] = json!(["exp"]));
    }),
    forgery("jws.header", "the offer brings its own key along", holder, |forge| {
        forge.offer = Some(|token| token.header["jku"] = "https://keys.example/".into());
    }),
    forgery("jws.header", "the offer has no typ", holder, |forge| {
        forge.offer = Some(|token| drop(members(&mut token.header).remove("typ")));
    }),
    forgery("jws.header", "the acceptance names a kid", holder, |forge| {
        forge.kb_jwt = Some(|token| token.header["kid"] = json!(crate::forge::Who::OneTime.kid()));
    }),
];

/// The honest disclosure at `at`, the digest of its padded text, and that text.
fn padded(at: usize) -> (String, String, String) {
    use countersign::encoding::Digest;
    let made = crate::forge::World::default().make(&Default::default());
    let bare = made.disclosures[at].clone();
    let padded = format!("{bare}{}", "=".repeat((4 - bare.len() % 4) % 4));
    assert_ne!(bare, padded);
    (bare, Digest::of(&padded).b64u(), padded)
}

#[test]
fn another_spelling_is_refused() {
    hold(FORGERIES);
}
