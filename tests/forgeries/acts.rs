//! A party's own acts: what the wallet does not sign, whoever asks.

use countersign::check::Check;
use countersign::credential::{NotSigned, accept, present};

use crate::forge::{CHALLENGE, Changes, ORIGIN, Who, World};
use crate::{core_of, offer_of};

fn refused<T>(act: Result<T, NotSigned>) -> &'static Check {
    match act {
        Err(NotSigned::Refused(refusal)) => refusal.check,
        Err(NotSigned::Failed(cause)) => panic!("{cause}"),
        Ok(_) => panic!("it was signed"),
    }
}

#[test]
fn an_acceptance_is_signed_with_the_contract_s_key_and_in_time() {
    let world = World::default();
    let offer = offer_of(&world, &world.make(&Changes::default())).unwrap();
    accept(&offer, None, Who::OneTime.key(), world.at(3600)).unwrap();
    assert_eq!(refused(accept(&offer, None, Who::Consumer.key(), world.at(30))).id(), "holder.key");
    assert_eq!(refused(accept(&offer, None, Who::OneTime.key(), world.at(3601))).id(), "offer.late");
}

#[test]
fn a_presentation_is_signed_for_the_asset_s_origin_only() {
    let world = World::default();
    let made = world.make(&Changes::default());
    let (core, offer) = (core_of(&made).unwrap(), offer_of(&world, &made).unwrap());
    let asset = &offer.contents.asset;
    let sign = |aud: &str, nonce: &str, who: Who| {
        present(&core, asset, &[&made.disclosures[4]], aud, nonce, world.at(1000), who.key())
    };
    sign(ORIGIN, CHALLENGE, Who::OneTime).unwrap();
    for phisher in ["https://data.example.attacker.example", "http://data.example", "https://data.example/", "null"] {
        assert_eq!(refused(sign(phisher, CHALLENGE, Who::OneTime)).id(), "presentation.origin", "{phisher}");
    }
    assert_eq!(refused(sign(ORIGIN, CHALLENGE, Who::Consumer)).id(), "holder.key");
    assert_eq!(refused(sign(ORIGIN, &core.claims.negotiation_nonce, Who::OneTime)).id(), "presentation.nonce");
}
