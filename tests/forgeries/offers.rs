//! Offers: the provider signs what it may not offer.

use countersign::encoding::{Digest, encode};
use serde_json::{Value, json};

use super::{Forgery, consumer, forgery, hold, holder, party, reader};
use crate::forge::{CHALLENGE, DAY, OFFERED, Token, Who, members};

pub(super) const FORGERIES: &[Forgery] = &[
    forgery("offer.claims", "an open claim too many", holder, |forge| {
        forge.offer = Some(|token| token.claims["nbf"] = OFFERED.into());
    }),
    forgery("offer.claims", "a price beside the nine", holder, |forge| {
        forge.offer = Some(|token| token.claims["price"] = json!({"amount": "9000.00", "currency": "EUR"}));
    }),
    forgery("offer.claims", "an end that is no integer", holder, |forge| {
        forge.offer = Some(|token| token.claims["exp"] = json!(OFFERED as f64 + 200.5 * DAY as f64));
    }),
    forgery("offer.claims", "a member too many beside the recorder", holder, |forge| {
        forge.offer = Some(|token| token.claims["registry"]["also"] = "0x".into());
    }),
    forgery("offer.vct", "it calls itself a contract", holder, |forge| {
        forge.offer = Some(|token| token.claims["vct"] = "urn:countersign:contract:1".into());
    }),
    forgery("offer.cnf", "no key is bound", holder, |forge| {
        forge.offer = Some(|token| drop(members(&mut token.claims).remove("cnf")));
    }),
    forgery("offer.cnf", "a key beside the one-time key", holder, |forge| {
        forge.offer = Some(|token| token.claims["cnf"]["kid"] = json!(Who::Provider.kid()));
    }),
    forgery("offer.nonce", "the nonce can be guessed", holder, |forge| {
        forge.offer = Some(|token| token.claims["negotiation_nonce"] = "1".into());
    }),
    forgery("offer.windows", "it can be accepted until after it must be recorded", holder, |forge| {
        forge.offer = Some(|token| token.claims["accept_by"] = (OFFERED + 7201).into());
    }),
    forgery("offer.windows", "it can be recorded when the contract is over", holder, |forge| {
        forge.offer = Some(|token| token.claims["record_by"] = (OFFERED + 200 * DAY).into());
    }),
    forgery("offer.windows", "it cannot be accepted any more when it is made", holder, |forge| {
        forge.offer = Some(|token| token.claims["accept_by"] = OFFERED.into());
    }),
    party("offer.key.provider", "the provider holds the consumer's key and accepts its own offer", holder, |world| {
        world.holder = Who::Provider;
    }),
    party("offer.key.fresh", "the consumer's one-time key is the key of its DID", reader, |world| {
        world.holder = Who::Consumer;
    }),
    forgery("offer.key.fresh", "the consumer's one-time key stands in its credential", consumer, |forge| {
        forge.consumer_paper =
            Some(|token| token.claims["keys"] = json!([Who::Consumer.thumbprint(), Who::OneTime.thumbprint()]));
    }),
    forgery("offer.key.fresh", "the consumer's one-time key stands in the provider's credential", consumer, |forge| {
        forge.provider_paper =
            Some(|token| token.claims["keys"] = json!([Who::Provider.thumbprint(), Who::OneTime.thumbprint()]));
    }),
    forgery("offer.digest.hidden", "a tenth digest that nothing explains", holder, |forge| {
        forge.offer = Some(|token| {
            let digests = token.claims["_sd"].as_array_mut().unwrap();
            digests.push(Digest::of("a second price").b64u().into());
        });
    }),
    forgery("offer.disclosures", "one of the nine is withheld", consumer, |forge| {
        forge.offer_text = Some(|text| {
            let at = text[..text.len() - 1].rfind('~').unwrap();
            text.truncate(at + 1);
        });
    }),
    forgery("offer.disclosures", "one of the nine comes twice, with another salt and price", consumer, |forge| {
        forge.disclosures = Some(|nine| {
            nine[6] = json!([encode([42; 16]), "price", {"amount": "1.00", "currency": "EUR"}]);
        });
    }),
    forgery("offer.disclosures", "one of the nine has another name", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[5][1] = "rabatt".into());
    }),
    forgery("offer.salt", "a salt can be guessed", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[5][0] = "salt".into());
    }),
    forgery("offer.salt", "two disclosures share their salt", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[5][0] = nine[4][0].clone());
    }),
    forgery("offer.value", "the price has a member too many", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[5][2]["discount"] = "1.00".into());
    }),
    forgery("offer.value", "the price is a number", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[5][2]["amount"] = 1000.into());
    }),
    forgery("offer.value", "the asset has a member that is null", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[4][2]["version"] = Value::Null);
    }),
    forgery("offer.asset", "the asset's digest is in capital letters", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[4][2]["sha256"] = "9F".repeat(32).into());
    }),
    forgery("offer.asset", "the asset has a size and a version", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[4][2]["version"] = "2".into());
    }),
    forgery("offer.asset", "the asset's endpoint is a file of the consumer's", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[4][2]["endpoint"] = "file:///etc/passwd".into());
    }),
    forgery("offer.parties", "somebody else promises", reader, |forge| {
        forge.disclosures = Some(|nine| nine[2][2] = json!(Who::Stranger.did()));
    }),
    forgery("offer.parties", "the consumer promises itself", reader, |forge| {
        forge.disclosures = Some(|nine| nine[2][2] = json!(Who::Consumer.did()));
    }),
    forgery("offer.participants", "the offer names another credential of the provider", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[0][2]["participant"] = Digest::of("another credential").b64u().into());
    }),
    forgery("offer.participants", "the offer names another credential of the consumer", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[1][2]["participant"] = Digest::of("another credential").b64u().into());
    }),
    forgery("offer.keys", "the provider's key does not stand in its credential", consumer, |forge| {
        forge.provider_paper = Some(|token| token.claims["keys"] = json!([Who::Stranger.thumbprint()]));
    }),
    forgery("offer.keys", "the consumer's key does not stand in its credential", consumer, |forge| {
        forge.consumer_paper = Some(|token| token.claims["keys"] = json!([]));
    }),
    forgery("offer.recorder", "the recorder is not the provider's", consumer, |forge| {
        forge.provider_paper = Some(|token| {
            let another = format!("eip155:127823:0x{}", "ee".repeat(20));
            token.claims["recorders"] = json!([another]);
        });
    }),
    forgery("offer.recorder", "the recorder is the provider's on another chain", consumer, |forge| {
        forge.provider_paper = Some(|token| {
            let elsewhere = format!("eip155:42793:0x{}", "cd".repeat(20));
            token.claims["recorders"] = json!([elsewhere]);
        });
    }),
    forgery("offer.registry", "the registry is one that nobody trusts", consumer, |forge| {
        forge.trust = Some(|trust| trust.chains[0].registry.0[0] ^= 1);
    }),
    forgery("offer.registry", "the registry is on a chain that nobody trusts", reader, |forge| {
        forge.trust = Some(|trust| trust.chains[0].chain_id += 1);
    }),
    forgery("offer.template", "the offer gives the template another name", consumer, |forge| {
        forge.offer = Some(|token| token.claims["template"]["id"] = "urn:uuid:another".into());
    }),
    forgery("offer.template", "the offer names another template by its hash", consumer, |forge| {
        forge.offer = Some(|token| token.claims["template"]["hash"] = Digest::of("another").b64u().into());
    }),
    forgery("template.match", "the terms permit what the template does not", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[7][2]["permission"][0]["action"] = "distribute".into());
    }),
    forgery("template.value", "the terms permit more uses than the template allows", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[7][2]["permission"][0]["constraint"][0]["rightOperand"] = 11.into());
    }),
    forgery("fee.template", "the fee is a cent too low", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[6][2]["amount"] = "24.99".into());
    }),
    forgery("fee.template", "the price is raised behind the fee's back", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[5][2]["amount"] = "2000.00".into());
    }),
    forgery("offer.early", "the offer is of the future", consumer, |forge| {
        forge.offer = Some(|token| token.claims["iat"] = (OFFERED + 71).into());
    }),
    forgery("offer.late", "the offer cannot be accepted any more", consumer, |forge| {
        forge.offer = Some(|token| token.claims["accept_by"] = (OFFERED + 9).into());
    }),
    forgery("offer.asked.parties", "the roles are the other way round", consumer, |forge| {
        forge.disclosures = Some(|nine| {
            let promisor = nine[2][2].take();
            nine[2][2] = nine[3][2].take();
            nine[3][2] = promisor;
        });
    }),
    forgery("offer.asked.asset", "another asset is offered", consumer, |forge| {
        forge.disclosures = Some(|nine| {
            nine[4][2]["id"] = "urn:uuid:another".into();
            nine[7][2]["target"] = "urn:uuid:another".into();
        });
    }),
    forgery("offer.asked.negotiation", "the key was stated for another negotiation", consumer, |forge| {
        forge.statement = Some(|token| token.claims["negotiation"] = "urn:uuid:another".into());
    }),
    party("offer.asked.key", "another key of the consumer is bound", consumer, |world| {
        world.holder = Who::Stranger;
    }),
    forgery("sdjwt.form", "the offer comes with a key binding", consumer, |forge| {
        forge.offer_text = Some(|text| {
            let claims = json!({
                "iat": OFFERED, "aud": Who::Provider.did(), "nonce": CHALLENGE, "sd_hash": Digest::of(&text).b64u(),
            });
            text.push_str(&Token::new("kb+jwt", Who::OneTime, claims).text());
        });
    }),
    forgery("sdjwt.alg", "the digests are said to be of another hash", holder, |forge| {
        forge.offer = Some(|token| token.claims["_sd_alg"] = "sha-512".into());
    }),
    forgery("sdjwt.disclosure", "a disclosure has a fourth part", consumer, |forge| {
        forge.disclosures = Some(|nine| nine[5].as_array_mut().unwrap().push("and another thing".into()));
    }),
    forgery("sdjwt.disclosure.unexplained", "a tenth disclosure that no digest names", consumer, |forge| {
        forge.offer_text = Some(|text| {
            let tenth = json!([encode([42; 16]), "price", {"amount": "1.00", "currency": "EUR"}]);
            text.push_str(&format!("{}~", encode(tenth.to_string())));
        });
    }),
];

#[test]
fn what_may_not_be_offered_is_refused() {
    hold(FORGERIES);
}
