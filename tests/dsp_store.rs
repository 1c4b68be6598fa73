//! Decisions of many plain negotiations share a transaction, and each gets its own answer.

use countersign::encoding::Timestamp;
use countersign::negotiation::plain::{Event, ParticipantId};
use countersign::negotiation::{Role, StateName};
use countersign::node::StoreFault;
use countersign::node::dsp::{PlainCommit, PlainIndex, PlainStore, Spent};
use countersign::store::{SealingKey, Sqlite};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds).unwrap()
}

fn peer() -> ParticipantId {
    "did:key:peer".parse().unwrap()
}

fn named(pid: &str) -> String {
    serde_json::to_string(&Event::Named { pid: pid.into() }).unwrap()
}

fn commit(id: &str, place: u64, events: usize) -> PlainCommit {
    PlainCommit {
        id: id.into(),
        place,
        events: (0..events).map(|number| named(&format!("{id}-{number}"))).collect(),
        send: vec![],
        done: vec![],
        undelivered: vec![],
        told: vec![],
        index: Some(PlainIndex {
            role: Role::Provider,
            peer: peer(),
            peer_pid: Some(format!("peer-{id}")),
            dataset: "urn:d".into(),
            state: StateName::Requested,
            at: at(0),
            lapses: Some(at(60)),
        }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_the_store_was_closed() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("store.sqlite");
    let store = Sqlite::open(&path, SealingKey::new(&[7; 32])).await.unwrap();
    let receipts: Vec<_> = (0..500).map(|number| store.submit(commit(&number.to_string(), 0, 2))).collect();
    for receipt in receipts {
        receipt.await.unwrap();
    }
    store.close().await;
    let store = Sqlite::open(&path, SealingKey::new(&[7; 32])).await.unwrap();
    for number in 0..500 {
        assert_eq!(store.plain_log(&number.to_string()).await.unwrap().unwrap().len(), 2, "{number}");
    }
    assert_eq!(store.find_plain(&peer(), Role::Provider, "peer-7").await.unwrap().as_deref(), Some("7"));
    assert_eq!(store.find_plain(&peer(), Role::Consumer, "peer-7").await.unwrap(), None);
    assert_eq!(store.plain_open_with(&peer()).await.unwrap(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_does_not_fit_fails_alone() {
    let home = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&home.path().join("store.sqlite"), SealingKey::new(&[7; 32])).await.unwrap();
    store.submit(commit("a", 0, 1)).await.unwrap();
    // Submitted before any is awaited: they are written together at first, and alone then.
    let gap = store.submit(commit("a", 3, 1));
    let fits = store.submit(commit("b", 0, 1));
    let again = store.submit(commit("a", 0, 1));
    let follows = store.submit(commit("a", 1, 2));
    let mut same = commit("c", 0, 1);
    same.index.as_mut().unwrap().peer_pid = Some("peer-b".into());
    let same = store.submit(same);
    assert!(matches!(gap.await, Err(StoreFault::Moved)), "a log has no gap");
    assert!(matches!(again.await, Err(StoreFault::Moved)), "a place is taken once");
    assert!(matches!(same.await, Err(StoreFault::Moved)), "a counterparty's id means one negotiation");
    fits.await.unwrap();
    follows.await.unwrap();
    assert_eq!(store.plain_log("a").await.unwrap().unwrap().len(), 3);
    assert_eq!(store.plain_log("c").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_sent_stays_until_it_is_done_and_what_lapses_is_found() {
    let home = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&home.path().join("store.sqlite"), SealingKey::new(&[7; 32])).await.unwrap();
    store.submit(PlainCommit { send: vec![0, 1], ..commit("a", 0, 2) }).await.unwrap();
    assert_eq!(store.plain_unsent().await.unwrap(), [("a".to_owned(), 0), ("a".to_owned(), 1)]);
    store.submit(PlainCommit { id: "a".into(), done: vec![0], ..PlainCommit::default() }).await.unwrap();
    assert_eq!(store.plain_unsent().await.unwrap(), [("a".to_owned(), 1)]);
    assert_eq!(store.plain_lapsed(at(59)).await.unwrap(), (vec![], Some(at(60))));
    assert_eq!(store.plain_lapsed(at(60)).await.unwrap(), (vec!["a".to_owned()], None));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_what_was_not_written_is_not_told_that_it_was() {
    let home = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&home.path().join("store.sqlite"), SealingKey::new(&[7; 32])).await.unwrap();
    let so_far = |place| PlainCommit { id: "a".into(), place, ..PlainCommit::default() };
    let one = store.submit(commit("a", 0, 1));
    let (known, fails) = (store.submit(so_far(1)), store.submit(commit("a", 2, 1)));
    let repeated = store.submit(so_far(3));
    one.await.unwrap();
    known.await.unwrap();
    assert!(matches!(fails.await, Err(StoreFault::Moved)));
    assert!(matches!(repeated.await, Err(StoreFault::Moved)), "what it repeats was not written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_written_with_the_decision_that_follows_and_goes_when_it_has_expired() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("store.sqlite");
    let store = Sqlite::open(&path, SealingKey::new(&[7; 32])).await.unwrap();
    let spend = |store: &Sqlite, token: u8, when: i64| {
        store.spend(Spent { token: [token; 16], at: at(when), until: at(when + 360) })
    };
    let first = spend(&store, 1, 0);
    assert!(!store.is_spent(first), "nothing is written for it alone");
    let gap = store.submit(commit("a", 3, 1));
    let fits = store.submit(commit("b", 0, 1));
    assert!(matches!(gap.await, Err(StoreFault::Moved)));
    fits.await.unwrap();
    assert!(store.is_spent(first), "one that does not fit takes no token with it");
    let second = spend(&store, 2, 100);
    assert!(matches!(store.submit(commit("b", 0, 1)).await, Err(StoreFault::Moved)));
    assert!(!store.is_spent(second));
    store.submit(PlainCommit::default()).await.unwrap();
    assert!(store.is_spent(second), "or without any decision, where somebody waits for it");
    store.close().await;

    let store = Sqlite::open(&path, SealingKey::new(&[7; 32])).await.unwrap();
    assert_eq!(store.spent(at(360)).await.unwrap(), [[1; 16], [2; 16]]);
    assert_eq!(store.spent(at(361)).await.unwrap(), [[2; 16]]);
    spend(&store, 3, 400);
    store.submit(PlainCommit::default()).await.unwrap();
    assert_eq!(store.spent(at(0)).await.unwrap(), [[2; 16], [3; 16]]);
}
