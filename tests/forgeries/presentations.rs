//! Presentations, to a gate and to an operator.

use countersign::encoding::{Digest, encode};
use countersign::identity::Jws;
use serde_json::{Value, json};

use super::{Forgery, forgery, gate, hold, operator};
use crate::forge::{CHALLENGE, OFFERED, Token, Who};

pub(super) const FORGERIES: &[Forgery] = &[
    forgery("presentation.form", "the same offer, signed again by its provider, is presented", gate, |forge| {
        forge.presented = Some(signed_again);
    }),
    forgery("presentation.form", "the same offer, signed again by its provider, is shown", operator, |forge| {
        forge.presented = Some(signed_again);
    }),
    forgery("presentation.claims", "an acceptance is presented", gate, |forge| {
        forge.presentation = Some(|token| token.claims["acceptance"] = json!({}));
    }),
    forgery("presentation.claims", "the presentation answers a transaction", gate, |forge| {
        forge.presentation = Some(|token| token.claims["transaction_data_hashes"] = json!([]));
    }),
    forgery("presentation.nonce", "the negotiation's nonce is the gate's challenge", gate, |forge| {
        forge.offer = Some(|token| token.claims["negotiation_nonce"] = CHALLENGE.into());
    }),
    forgery("presentation.time", "the presentation is six minutes old", gate, |forge| {
        forge.presentation = Some(|token| token.claims["iat"] = (OFFERED + 1010 - 301).into());
    }),
    forgery("presentation.time", "the presentation is of the future", gate, |forge| {
        forge.presentation = Some(|token| token.claims["iat"] = (OFFERED + 1010 + 61).into());
    }),
    forgery("kb.present", "the key binding is stripped", gate, |forge| {
        forge.presentation_text = Some(|text| text.truncate(text.rfind('~').unwrap() + 1));
    }),
    forgery("kb.claims", "the presentation is for two gates", gate, |forge| {
        forge.presentation = Some(|token| token.claims["aud"] = json!([token.claims["aud"]]));
    }),
    forgery("kb.aud", "the presentation is for another gate", gate, |forge| {
        forge.presentation = Some(|token| token.claims["aud"] = "https://data.example:8443".into());
    }),
    forgery("kb.nonce", "the presentation answers another challenge", gate, |forge| {
        forge.presentation = Some(|token| token.claims["nonce"] = "another-challenge-of-it".into());
    }),
    forgery("kb.hash", "a disclosure is added after signing", gate, |forge| {
        forge.presentation_text = Some(|text| {
            let twin = crate::forge::World::default().make(&Default::default());
            let at = text.rfind('~').unwrap() + 1;
            text.insert_str(at, &format!("{}~", twin.disclosures[5]));
        });
    }),
    forgery("sdjwt.disclosure.unexplained", "a disclosure that no digest names is presented", gate, |forge| {
        forge.presented = Some(|text| {
            let price = json!([encode([42; 16]), "price", {"amount": "1.00", "currency": "EUR"}]);
            text.push_str(&format!("{}~", encode(price.to_string())));
        });
    }),
    forgery("offer.disclosures", "one disclosure is presented twice", gate, |forge| {
        forge.presented = Some(|text| {
            let last = text[..text.len() - 1].rfind('~').unwrap() + 1;
            *text = format!("{text}{}", &text[last..]);
        });
    }),
    forgery("offer.disclosures", "two prices are presented, each with a salt and a digest", gate, |forge| {
        forge.disclosures = Some(|nine| nine[6] = second_price());
        forge.shown = Some(|shown| *shown = vec!["price"]);
        forge.presented = Some(|text| text.push_str(&format!("{}~", encode(second_price().to_string()))));
    }),
    forgery("offer.nested", "digests stand inside the terms", gate, |forge| {
        forge.disclosures = Some(|nine| nine[7][2]["_sd"] = json!([Digest::of("a duty").b64u()]));
    }),
    forgery("offer.nested", "a digest stands in a list inside the terms", gate, |forge| {
        forge.disclosures = Some(|nine| {
            let duty = json!({"...": Digest::of("a duty").b64u()});
            nine[7][2]["permission"].as_array_mut().unwrap().push(duty);
        });
    }),
    forgery("sdjwt.form", "a key binding comes along where none belongs", operator, |forge| {
        forge.presented = Some(|text| {
            let claims = json!({
                "iat": OFFERED, "aud": Who::Operator.did(), "nonce": CHALLENGE, "sd_hash": Digest::of(&text).b64u(),
            });
            text.push_str(&Token::new("kb+jwt", Who::OneTime, claims).text());
        });
    }),
];

fn second_price() -> Value {
    json!([encode([42; 16]), "price", {"amount": "1.00", "currency": "EUR"}])
}

/// Another issuer JWT of the same meaning in front of the same disclosures.
fn signed_again(text: &mut String) {
    let (issuer_jwt, rest) = text.split_once('~').unwrap();
    let payload = Jws::parse(issuer_jwt).unwrap().payload().to_vec();
    let mut again = Token::new("dc+sd-jwt", Who::Provider, json!(null));
    again.payload = Some(format!("{} ", String::from_utf8(payload).unwrap()));
    *text = format!("{}~{rest}", again.text());
}

#[test]
fn what_opens_no_gate_is_refused() {
    hold(FORGERIES);
}
