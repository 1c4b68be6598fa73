//! Acceptances and what binds them to their offer.

use countersign::encoding::{Digest, encode};
use serde_json::json;

use super::{Forgery, forgery, hold, holder, provider};
use crate::forge::{OFFERED, Token, Who, members};

pub(super) const FORGERIES: &[Forgery] = &[
    forgery("acceptance.claims", "a log-in is passed off as an acceptance", holder, |forge| {
        forge.kb_jwt = Some(|token| {
            let claims = members(&mut token.claims);
            claims.retain(|name, _| ["iat", "aud", "nonce", "sd_hash"].contains(&name.as_str()));
        });
    }),
    forgery("acceptance.claims", "a claim too many", holder, |forge| {
        forge.kb_jwt = Some(|token| token.claims["exp"] = (OFFERED + 60).into());
    }),
    forgery("acceptance.claims", "the consumer declines", holder, |forge| {
        forge.acceptance = Some(|acceptance| acceptance["decision"] = "decline".into());
    }),
    forgery("acceptance.claims", "the consumer accepts at once, entry or no entry", holder, |forge| {
        forge.acceptance = Some(|acceptance| acceptance["effect"] = "immediate".into());
    }),
    forgery("acceptance.claims", "the acceptance is of another type", holder, |forge| {
        forge.acceptance = Some(|acceptance| acceptance["type"] = "urn:countersign:acceptance:2".into());
    }),
    forgery("acceptance.claims", "the acceptance is of two credentials", holder, |forge| {
        forge.acceptance = Some(|acceptance| acceptance["credential_ids"] = json!(["offer", "other"]));
    }),
    forgery("acceptance.claims", "the acceptance has a condition", holder, |forge| {
        forge.acceptance = Some(|acceptance| acceptance["provided"] = "the price is halved".into());
    }),
    forgery("acceptance.claims", "the withdrawal account is null", holder, |forge| {
        forge.acceptance = Some(|acceptance| acceptance["withdrawal_account"] = json!(null));
    }),
    forgery("acceptance.offer", "the acceptance is of another contract", holder, |forge| {
        forge.acceptance = Some(|acceptance| {
            acceptance["contract_id"] = "urn:uuid:5ad1a3a8-1b7b-4f0a-8a36-0f4f4f9d0002".into();
        });
    }),
    forgery("acceptance.offer", "the acceptance is of another offer", holder, |forge| {
        forge.acceptance = Some(|acceptance| acceptance["offer_sha256"] = Digest::of("another").b64u().into());
    }),
    forgery("acceptance.hash", "what was shown for signing is another transaction", holder, |forge| {
        forge.kb_jwt = Some(|token| token.claims["transaction_data_hashes"] = json!([Digest::of("another").b64u()]));
    }),
    forgery("acceptance.hash", "what was shown for signing is two transactions", holder, |forge| {
        forge.kb_jwt = Some(|token| {
            let hashes = token.claims["transaction_data_hashes"].as_array_mut().unwrap();
            hashes.push(Digest::of("another").b64u().into());
        });
    }),
    forgery("acceptance.hash", "the transaction is said to be hashed otherwise", holder, |forge| {
        forge.kb_jwt = Some(|token| token.claims["transaction_data_hashes_alg"] = "sha-512".into());
    }),
    forgery("kb.aud", "the acceptance is for somebody else", holder, |forge| {
        forge.kb_jwt = Some(|token| token.claims["aud"] = json!(Who::Stranger.did()));
    }),
    forgery("kb.nonce", "the acceptance is of another negotiation", holder, |forge| {
        forge.kb_jwt = Some(|token| token.claims["nonce"] = encode([8; 16]).into());
    }),
    forgery("kb.hash", "the acceptance is bound to another text", holder, |forge| {
        forge.kb_jwt = Some(|token| token.claims["sd_hash"] = Digest::of("another~").b64u().into());
    }),
    forgery("kb.claims", "the acceptance is for two", holder, |forge| {
        forge.kb_jwt = Some(|token| token.claims["aud"] = json!([Who::Provider.did()]));
    }),
    forgery("kb.claims", "the acceptance is not dated", holder, |forge| {
        forge.kb_jwt = Some(|token| drop(members(&mut token.claims).remove("iat")));
    }),
    forgery("kb.hash", "the provider signs the same offer again", holder, |forge| {
        forge.core = Some(|core| {
            let (issuer_jwt, acceptance) = core.split_once('~').unwrap();
            let payload = countersign::identity::Jws::parse(issuer_jwt).unwrap().payload().to_vec();
            let mut again = Token::new("dc+sd-jwt", Who::Provider, json!(null));
            // A blank gives another text of the same meaning, as another random signature would.
            again.payload = Some(format!("{} ", String::from_utf8(payload).unwrap()));
            *core = format!("{}~{acceptance}", again.text());
        });
    }),
    forgery("core.form", "a disclosure stands in the core, and the acceptance covers it", holder, |forge| {
        forge.core = Some(|core| {
            let (issuer_jwt, _) = core.split_once('~').unwrap();
            let world = crate::forge::World::default();
            let twin = world.make(&Default::default());
            let bound = format!("{issuer_jwt}~{}~", twin.disclosures[5]);
            let mut claims = countersign::identity::Jws::parse(&twin.acceptance).unwrap().claims().unwrap();
            claims.insert("sd_hash".into(), Digest::of(&bound).b64u().into());
            *core = format!("{bound}{}", Token::new("kb+jwt", Who::OneTime, claims.into()).text());
        });
    }),
    forgery("core.form", "nobody accepted", holder, |forge| {
        forge.core = Some(|core| core.truncate(core.find('~').unwrap() + 1));
    }),
    forgery("sdjwt.form", "there is nothing but an offer's JWT", holder, |forge| {
        forge.core = Some(|core| core.truncate(core.find('~').unwrap()));
    }),
    forgery("acceptance.time", "the acceptance is older than its offer", provider, |forge| {
        forge.kb_jwt = Some(|token| token.claims["iat"] = (OFFERED - 61).into());
    }),
    forgery("acceptance.time", "the acceptance is dated after accept_by", provider, |forge| {
        forge.offer = Some(|token| token.claims["accept_by"] = (OFFERED + 50).into());
        forge.kb_jwt = Some(|token| token.claims["iat"] = (OFFERED + 51).into());
    }),
    forgery("acceptance.late", "the acceptance arrives after accept_by", provider, |forge| {
        forge.offer = Some(|token| token.claims["accept_by"] = (OFFERED + 39).into());
    }),
];

#[test]
fn what_is_no_acceptance_is_refused() {
    hold(FORGERIES);
}
