//! Forgeries: each is validly signed, and differs from what is accepted in exactly one respect.
//!
//! A row names the check that has to refuse it, what was changed, and who judges it. The judge first accepts the
//! unforged twin, so a row that refuses for another reason, or a check that is gone, shows.

#[allow(dead_code)]
#[path = "../support/forge.rs"]
mod forge;

mod acceptances;
mod acts;
mod files;
mod keys;
mod offers;
mod papers;
mod presentations;
mod registry;
mod sd_jwts;
mod spelling;

use std::collections::BTreeSet;

use countersign::check::{Refusal, Trail};
use countersign::credential::checks as credential;
use countersign::credential::{
    Asked, ContractFile, Core, Offer, Papers, Termination, Trust, concluded, disclosed, in_force, proven,
    received_in_time, stated, verify_presentation,
};
use countersign::encoding::checks as encoding;
use countersign::identity::{Documents, Unverified, Verified, checks as identity};
use forge::{CHALLENGE, Changes, Made, NEGOTIATION, ORIGIN, Who, World};

/// Who looks at a forgery, with everything that such a verifier has.
type Judge = fn(&World, &Made) -> Result<(), Refusal>;

/// One forgery.
struct Forgery {
    check: &'static str,
    changed: &'static str,
    judge: Judge,
    world: fn(&mut World),
    forge: fn(&mut Changes),
}

/// A forgery by a change to what is signed.
const fn forgery(check: &'static str, changed: &'static str, judge: Judge, forge: fn(&mut Changes)) -> Forgery {
    Forgery { check, changed, judge, world: |_| (), forge }
}

/// A forgery by a change to who takes part.
const fn party(check: &'static str, changed: &'static str, judge: Judge, world: fn(&mut World)) -> Forgery {
    Forgery { check, changed, judge, world, forge: |_| () }
}

/// Holds each forgery to its check, and its twin to acceptance.
fn hold(forgeries: &[Forgery]) {
    let honest = World::default();
    let twin = honest.make(&Changes::default());
    let wrong: Vec<String> = forgeries
        .iter()
        .filter_map(|forgery| {
            if let Err(refusal) = (forgery.judge)(&honest, &twin) {
                return Some(format!("the twin of `{}` is refused: {refusal}", forgery.changed));
            }
            let (mut world, mut changes) = (World::default(), Changes::default());
            (forgery.world)(&mut world);
            (forgery.forge)(&mut changes);
            let found = (forgery.judge)(&world, &world.make(&changes));
            match &found {
                Err(refusal) if refusal.check.id() == forgery.check => None,
                Err(refusal) => Some(format!("{}: {}: refused by {refusal}", forgery.check, forgery.changed)),
                Ok(()) => Some(format!("{}: {}: ACCEPTED", forgery.check, forgery.changed)),
            }
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), forgeries.len(), wrong.join("\n"));
}

fn documents() -> Documents {
    Documents::default()
}

fn core_of(made: &Made) -> Result<Verified<Core>, Refusal> {
    Core::read(&Unverified::new(&made.core), &documents(), &mut Trail::default())
}

fn offer_of(world: &World, made: &Made) -> Result<Verified<Offer>, Refusal> {
    let trust: &Trust = &made.trust;
    let (provider, consumer) = (Unverified::new(&made.provider_paper), Unverified::new(&made.consumer_paper));
    let (approval, documents) = (Unverified::new(&made.approval), documents());
    let papers = Papers { provider: &provider, consumer: &consumer, approval: &approval, trust, documents: &documents };
    Offer::verify(&Unverified::new(&made.offer), &papers, world.at(10), &mut Trail::default())
}

/// Anybody, years later, with the file and nothing else.
fn reader(_: &World, made: &Made) -> Result<(), Refusal> {
    let file = ContractFile::read(made.file.to_string().as_bytes())?;
    proven(&file, &made.trust, &documents()).map(drop).map_err(|not| not.refusal)
}

/// The consumer's node, ten seconds after the offer was made.
fn consumer(world: &World, made: &Made) -> Result<(), Refusal> {
    let asked = Asked {
        provider: Who::Provider.did().clone(),
        consumer: Who::Consumer.did().clone(),
        promisor: Some(Who::Provider.did().clone()),
        promisee: Some(Who::Consumer.did().clone()),
        asset: "urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0001".into(),
        negotiation: NEGOTIATION.into(),
        consumer_key: countersign::identity::Signer::public_key(Who::OneTime.key()).jwk(),
    };
    offer_of(world, made)?.answers(&asked, world.at(10), &mut Trail::default())
}

/// Whoever has the core alone.
fn holder(_: &World, made: &Made) -> Result<(), Refusal> {
    core_of(made).map(drop)
}

/// The provider's node, forty seconds after it made the offer.
fn provider(world: &World, made: &Made) -> Result<(), Refusal> {
    received_in_time(&*core_of(made)?, world.at(40), &mut Trail::default())
}

/// A gate that gave a challenge out.
fn gate(world: &World, made: &Made) -> Result<(), Refusal> {
    let (core, now) = (core_of(made)?, world.at(1010));
    verify_presentation(&made.presentation, &core, ORIGIN, CHALLENGE, now, &mut Trail::default()).map(drop)
}

/// An operator that is shown some of a contract.
fn operator(_: &World, made: &Made) -> Result<(), Refusal> {
    let core = core_of(made)?;
    disclosed(&core.issuer_jwt, &core.claims, &made.shown, &mut Trail::default()).map(drop)
}

/// Rule R at the finalised head.
fn chain(_: &World, made: &Made) -> Result<(), Refusal> {
    concluded(&*core_of(made)?, &made.finalised, &mut Trail::default()).map(drop)
}

/// Rule R, and then the file's entry held to what the registry shows.
fn clerk(_: &World, made: &Made) -> Result<(), Refusal> {
    let entry = concluded(&*core_of(made)?, &made.finalised, &mut Trail::default())?;
    let file = ContractFile::read(made.file.to_string().as_bytes())?;
    stated(&file.entry, &entry, &mut Trail::default())
}

/// The newest block, ten thousand seconds after the offer.
fn newest(world: &World, made: &Made) -> Result<(), Refusal> {
    in_force(&*core_of(made)?, &made.latest, world.at(10_000), &mut Trail::default())
}

/// The consumer's node when the provider says that it is over.
fn counterparty(_: &World, made: &Made) -> Result<(), Refusal> {
    Termination::verify(&made.termination, Who::Provider.did(), &documents(), &mut Trail::default()).map(drop)
}

#[test]
fn the_honest_contract_is_accepted_by_everybody() {
    let world = World::default();
    let made = world.make(&Changes::default());
    let judges: [Judge; 10] = [reader, consumer, holder, provider, gate, operator, chain, clerk, newest, counterparty];
    for judge in judges {
        judge(&world, &made).unwrap();
    }
}

#[test]
fn every_check_of_what_is_signed_has_its_forgery() {
    let tables = [
        acceptances::FORGERIES,
        files::FORGERIES,
        keys::FORGERIES,
        offers::FORGERIES,
        papers::FORGERIES,
        presentations::FORGERIES,
        registry::FORGERIES,
        spelling::FORGERIES,
    ];
    let mut forged: BTreeSet<&str> = tables.iter().copied().flatten().map(|forgery| forgery.check).collect();
    forged.extend(sd_jwts::FORGERIES.iter().map(|(check, ..)| *check));
    // What a wallet does not sign is no message; `acts` shows it.
    forged.extend(["holder.key", "presentation.origin"]);
    // What is named, looked up or configured is not signed; the tests of documents, the resolver and the trust show it.
    forged.extend(["did.web", "did.resolved", "trust.key"]);
    let declared = [encoding::ALL, identity::ALL, credential::ALL].into_iter().flatten().map(|check| check.id());
    let missing: Vec<&str> = declared.filter(|id| !forged.contains(id)).collect();
    assert!(missing.is_empty(), "without a forgery: {missing:?}");
}
