//! did:web parties whose keys were rotated: what stands, and what an untrusted document cannot do.

use super::files::file;
use super::*;
use crate::identity::{Did, DidDocument, FormerKey, checks as signing};

fn did(name: &str) -> Did {
    format!("did:web:{name}.example").parse().unwrap()
}

/// The key of `seed`, signing for a did:web under its thumbprint.
fn web(name: &str, seed: u8) -> SecretKey {
    let key = key(seed);
    let kid = did(name).url(&key.public_key().thumbprint().to_string());
    key.for_did(kid)
}

/// The document of `name` that lists `key`.
fn listing(name: &str, key: &SecretKey) -> DidDocument {
    DidDocument { keys: vec![(key.kid().clone(), *key.public_key())], ..DidDocument::bare(did(name)) }
}

fn world() -> World {
    let (provider, consumer) = (web("alice", 2), web("bob", 3));
    let mut documents = Documents::default();
    documents.insert(listing("alice", &provider));
    documents.insert(listing("bob", &consumer));
    World::of(key(1), provider, consumer, documents)
}

/// The world's contract file with the documents as they were.
fn whole(world: &World) -> ContractFile {
    let mut file = file(world);
    for (name, key) in [("alice", &world.provider), ("bob", &world.consumer)] {
        file.did_documents.insert(did(name).to_string(), listing(name, key).to_json());
    }
    file
}

fn refused(file: &ContractFile, world: &World, documents: &Documents) -> &'static Check {
    proven(file, &world.trust, documents).unwrap_err().refusal.check
}

#[test]
fn a_contract_stays_proven_after_both_have_rotated_and_when_nobody_serves_a_document_any_more() {
    let world = world();
    let file = whole(&world);
    assert!(proven(&file, &world.trust, &world.documents).is_ok());
    let mut rotated = Documents::default();
    rotated.insert(listing("alice", &web("alice", 12)));
    rotated.insert(listing("bob", &web("bob", 13)));
    assert!(proven(&file, &world.trust, &rotated).is_ok());
    assert!(proven(&file, &world.trust, &Documents::default()).is_ok(), "offline");
    let bare = super::files::file(&world);
    assert_eq!(refused(&bare, &world, &rotated), &signing::JWS_KID, "the key has to come from somewhere");
}

#[test]
fn an_offer_signed_with_a_replaced_key_is_refused() {
    let mut world = world();
    let text = world.offer_text();
    assert!(world.verify_offer(&text).is_ok());
    let mut served = listing("alice", &web("alice", 12));
    let (kid, key) = (world.provider.kid().clone(), *world.provider.public_key());
    served.former.push(FormerKey { kid, key, until: Some(at(1000)) });
    world.documents.insert(served);
    let papers = world.papers();
    let refusal = Offer::verify(&Unverified::new(&text), &papers, at(0), &mut Trail::default()).unwrap_err();
    assert!(*refusal.check == signing::JWS_KID && refusal.detail.contains("replaced"), "{refusal}");
    // And the new key counts only once an operator has listed it.
    world.provider = web("alice", 12);
    assert_eq!(world.verify_offer(&world.offer_text()).unwrap_err(), &checks::OFFER_KEYS);
}

#[test]
fn a_document_that_nobody_vouches_for_adds_no_key() {
    let honest = world();
    // Whoever holds the domain now puts a key of its own into the file, and signs with it.
    let mut taken_over = world();
    taken_over.provider = web("alice", 66);
    taken_over.documents.insert(listing("alice", &taken_over.provider));
    let issuer_jwt = {
        let claims = Jws::parse(&honest.offer().issuer_jwt).unwrap();
        sign_jws(&taken_over.provider, TYP_CREDENTIAL, true, claims.payload()).unwrap()
    };
    let mut forged = whole(&honest);
    let acceptance = forged.core.text().split_once('~').unwrap().1.to_owned();
    forged.core = Unverified::new(format!("{issuer_jwt}~{acceptance}"));
    let own = listing("alice", &taken_over.provider).to_json();
    forged.did_documents.insert(did("alice").to_string(), own);
    assert_eq!(refused(&forged, &honest, &Documents::default()), &signing::DID_DOCUMENT);

    // A document in the file cannot speak for an operator: its own member would be anybody.
    let operator = web("operator", 1);
    let (provider, consumer) = (web("alice", 2), web("bob", 3));
    let mut documents = Documents::default();
    for (name, key) in [("operator", &operator), ("alice", &provider), ("bob", &consumer)] {
        documents.insert(listing(name, key));
    }
    let world = World::of(operator, provider, consumer, documents);
    let mut file = whole(&world);
    assert!(proven(&file, &world.trust, &world.documents).is_ok());
    file.did_documents.insert(did("operator").to_string(), listing("operator", &world.operator).to_json());
    assert_eq!(refused(&file, &world, &Documents::default()), &signing::DID_DOCUMENT);

    // The trust can: then nothing has to be looked up.
    let mut trust = world.trust.clone();
    let named = TrustedKey { kid: world.operator.kid().clone(), jwk: world.operator.public_key().jwk() };
    trust.keys.push(named);
    assert!(proven(&file, &trust, &trust.documents().unwrap()).is_ok());
    trust.operators.clear();
    assert_eq!(trust.documents().unwrap_err().check, &checks::TRUST_KEY);
}

#[test]
fn whoever_is_only_pinned_is_not_known_by_the_keys_that_others_list_for_it() {
    let mut world = world();
    // Mallory lists a key for a DID that somebody pins.
    let mallory = key(66);
    let recorders = [format!("eip155:{}:{}", world.registry.chain_id, world.recorder)];
    world.provider_paper =
        Unverified::new(Participant::admit(&admission(&world.provider, &recorders), &mallory).unwrap());
    world.trust.pinned = vec![did("alice"), did("bob")];
    let file = whole(&world);
    assert!(proven(&file, &world.trust, &world.documents).is_ok(), "its own document lists the key");
    let mut elsewhere = Documents::default();
    elsewhere.insert(listing("alice", &web("alice", 12)));
    assert_eq!(refused(&file, &world, &elsewhere), &signing::JWS_KID);
}

#[test]
fn a_former_key_of_an_operator_that_trades_itself_admits_nobody_by_way_of_the_file() {
    // The operator admitted itself as a member, with the key of then, and has replaced that key since.
    let (stolen, provider) = (web("operator", 1), key(2));
    let mut before = Documents::default();
    before.insert(listing("operator", &stolen));
    let mut world = World::of(stolen, provider, web("operator", 1), before);
    let honest = Participant::admit(&admission(&world.consumer, &[]), &world.operator).unwrap();
    // The operator's credential of itself is signed anew, with the key of now; the thief signs the provider's.
    let current = web("operator", 11);
    let member = Participant::admit(&admission(&world.consumer, &[]), &current).unwrap();
    assert_ne!(honest, member);
    world.consumer_paper = Unverified::new(member);
    let mut now = Documents::default();
    now.insert(listing("operator", &current));
    let mut both = now.clone();
    both.vouch(world.operator.kid().clone(), *world.operator.public_key());
    world.documents = both;
    let mut file = file(&world);
    assert!(proven(&file, &world.trust, &world.documents).is_ok(), "as if the stolen key were believed");
    file.did_documents.insert(did("operator").to_string(), listing("operator", &world.operator).to_json());
    assert_eq!(refused(&file, &world, &now), &signing::JWS_KID);
}

#[test]
fn an_operators_former_key_counts_for_what_was_recorded_before_its_end() {
    let operator = web("operator", 1);
    let mut documents = Documents::default();
    documents.insert(listing("operator", &operator));
    let (provider, consumer) = (key(2), key(3));
    let world = World::of(operator, provider, consumer, documents);
    let file = file(&world);
    let rotated = |until: i64| {
        let mut served = listing("operator", &web("operator", 11));
        let (kid, key) = (world.operator.kid().clone(), *world.operator.public_key());
        served.former.push(FormerKey { kid, key, until: Some(at(until)) });
        let mut documents = Documents::default();
        documents.insert(served);
        documents
    };
    assert!(proven(&file, &world.trust, &rotated(601)).is_ok(), "the entry is of 600");
    assert_eq!(refused(&file, &world, &rotated(600)), &signing::JWS_KID);
}
