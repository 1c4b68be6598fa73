//! A directory with a resolver that is told what to answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::identity::{FormerKey, PublicKey, SecretKey, Service, Signer as _};

fn did(name: &str) -> Did {
    format!("did:web:{name}.example").parse().unwrap()
}

fn key(seed: u8) -> PublicKey {
    *SecretKey::p256(&[seed; 32]).unwrap().public_key()
}

fn document(name: &str, seed: u8, inbox: &str) -> DidDocument {
    let did = did(name);
    let service = Service {
        kind: "DIDCommMessaging".into(),
        uri: inbox.into(),
        accept: vec!["didcomm/v2".into()],
        routing_keys: vec![],
    };
    DidDocument {
        keys: vec![(did.url(&key(seed).thumbprint().to_string()), key(seed))],
        services: vec![service],
        ..DidDocument::bare(did)
    }
}

#[derive(Default)]
struct Told {
    answers: Mutex<HashMap<Did, DidDocument>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Resolver for Told {
    async fn resolve(&self, did: &Did) -> Result<DidDocument, Refusal> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(20)).await;
        lock(&self.answers).get(did).cloned().ok_or_else(|| checks::DID_RESOLVED.refuse("nobody answers"))
    }
}

impl Told {
    fn say(&self, document: DidDocument) {
        lock(&self.answers).insert(document.id.clone(), document);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn directory(told: &Arc<Told>, believed_for: i64) -> Directory {
    Directory { resolver: Some(Arc::clone(told) as _), believed_for, ..Directory::closed(Documents::default()) }
}

#[tokio::test]
async fn a_document_is_asked_for_once_however_many_want_it() {
    let told = Arc::new(Told::default());
    told.say(document("alice", 1, "https://alice.example/inbox"));
    let directory = directory(&told, 60);
    let alice = did("alice");
    let all = (0..20).map(|_| directory.acquaint(&alice, Acquaintance::Known));
    assert!(futures::future::join_all(all).await.into_iter().all(|done| done.is_ok()));
    assert_eq!(told.asked(), 1);
    assert!(directory.documents().document(&alice).is_some());
    assert!(lock(&directory.flights).is_empty());
    // A key that it does not list asks again at most every few seconds.
    let kid = alice.url("another");
    for _ in 0..5 {
        directory.acquaint_with(&kid, Acquaintance::Known).await.unwrap();
    }
    assert_eq!(told.asked(), 1);
}

#[tokio::test]
async fn a_failure_is_an_answer_for_a_while_and_an_earlier_document_holds_through_it() {
    let told = Arc::new(Told::default());
    let directory = directory(&told, -1);
    let alice = did("alice");
    for _ in 0..5 {
        let refusal = directory.acquaint(&alice, Acquaintance::Known).await.unwrap_err();
        assert_eq!(refusal.check, &checks::DID_RESOLVED);
    }
    assert_eq!(told.asked(), 1, "the failure is remembered");
    told.say(document("alice", 1, "https://alice.example/inbox"));
    directory.ask_now(&alice).await.unwrap();
    assert_eq!(told.asked(), 2, "its owner wants to know");
    lock(&told.answers).clear();
    directory.acquaint(&alice, Acquaintance::Known).await.unwrap();
    directory.acquaint(&alice, Acquaintance::Known).await.unwrap();
    assert_eq!(told.asked(), 3, "a silent server is not asked each time");
    assert!(directory.documents().document(&alice).is_some(), "what it said holds for an hour");
}

#[tokio::test]
async fn strangers_are_looked_up_so_often_and_not_more() {
    let told = Arc::new(Told::default());
    let directory = directory(&told, 60);
    let mut refused = 0;
    for number in 0..100 {
        let stranger = did(&format!("stranger{number}"));
        told.say(document(&format!("stranger{number}"), 1, "https://s.example"));
        refused += usize::from(directory.acquaint(&stranger, Acquaintance::Stranger).await.is_err());
    }
    assert_eq!((told.asked(), refused), (30, 70));
    told.say(document("alice", 1, "https://alice.example"));
    directory.acquaint(&did("alice"), Acquaintance::Known).await.unwrap();
}

#[tokio::test]
async fn what_changed_is_told_and_every_key_is_remembered() {
    let told = Arc::new(Told::default());
    let directory = directory(&told, -1);
    let alice = did("alice");
    told.say(document("alice", 1, "https://alice.example/inbox"));
    directory.acquaint(&alice, Acquaintance::Known).await.unwrap();
    assert!(directory.known(&alice).unwrap().changes.is_empty());
    told.say(document("alice", 2, "https://elsewhere.example/inbox"));
    directory.acquaint(&alice, Acquaintance::Known).await.unwrap();
    let known = directory.known(&alice).unwrap();
    assert!(!known.confirmed);
    let what = &known.changes[0].what;
    assert!(what[0].contains("alice.example/inbox -> https://elsewhere.example/inbox"), "{what:?}");
    assert!(what[1].starts_with("signing key: "), "{what:?}");

    let old = alice.url(&key(1).thumbprint().to_string());
    let refusal = directory.documents().key(&old).unwrap_err();
    assert_eq!(refusal.check, &checks::JWS_KID, "not for anything new");
    assert_eq!(directory.documents_ever().key(&old).unwrap(), key(1), "but for what it signed before");
    assert_eq!(directory.shown(&alice, std::slice::from_ref(&old)).keys, [(old.clone(), key(1))]);
    directory.confirm(&alice).await.unwrap();
    assert!(directory.known(&alice).unwrap().confirmed);

    // What is kept reads back the same.
    let known = directory.known(&alice).unwrap();
    assert_eq!(Known::of_json(&alice, &known.to_json()).unwrap(), known);
}

#[test]
fn a_former_keys_end_is_what_its_document_says_or_when_it_was_seen_last() {
    let at = |seconds: i64| Timestamp::from_seconds(1_795_000_000 + seconds).unwrap();
    let known = Known::new(document("alice", 1, "https://a.example"), false, at(0));
    let silent = known.after(document("alice", 2, "https://a.example"), false, at(100));
    assert_eq!(silent.document.former[0].until, Some(at(0)), "seen last");
    let mut told = document("alice", 2, "https://a.example");
    told.former.push(FormerKey { kid: known.document.keys[0].0.clone(), key: key(1), until: Some(at(50)) });
    let told = known.after(told, false, at(100));
    assert_eq!(told.document.former[0].until, Some(at(50)), "as its document says");
    let later = told.after(document("alice", 2, "https://a.example"), false, at(200));
    assert_eq!(later.document.former, told.document.former, "and remembered");
}

#[tokio::test]
async fn a_directory_without_a_resolver_knows_what_dids_spell_themselves() {
    let directory = Directory::closed(Documents::default());
    let refusal = directory.acquaint(&did("alice"), Acquaintance::Known).await.unwrap_err();
    assert_eq!(refusal.check, &checks::DID_DOCUMENT);
    directory.acquaint(&key(1).did_key(), Acquaintance::Stranger).await.unwrap();
}

#[tokio::test]
async fn who_does_not_wait_for_the_answer_leaves_nothing_behind() {
    let told = Arc::new(Told::default());
    let directory = directory(&told, 60);
    for number in 0..20 {
        let stranger = did(&format!("stranger{number}"));
        let asked = directory.acquaint(&stranger, Acquaintance::Stranger);
        assert!(tokio::time::timeout(Duration::from_millis(1), asked).await.is_err());
    }
    assert_eq!(lock(&directory.flights).len(), 0, "a caller that hangs up fills no memory");
}
