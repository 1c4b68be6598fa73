use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::{SealingKey, Sqlite};
use crate::encoding::Timestamp;
use crate::node::{BookStore as _, Issue, KeyRecord, KeyStore as _, Room, Store as _, StoreFault};

fn seal() -> SealingKey {
    SealingKey::new(&[7; 32])
}

async fn fill_the_disk(store: &Sqlite) {
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&store.writer).await.unwrap();
    let full = format!("PRAGMA max_page_count = {}", pages + 4);
    sqlx::raw_sql(sqlx::AssertSqlSafe(full)).execute(&store.writer).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_fails_the_write_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("node.db");
    let store = Sqlite::open(&path, seal()).await.unwrap();
    store.put("asset", "a", &json!("small")).await.unwrap();

    let large = json!("x".repeat(1 << 20));
    for id in ["a", "b"] {
        fill_the_disk(&store).await;
        assert!(matches!(store.put("asset", id, &large).await, Err(StoreFault::Full(_))));
        assert_eq!(store.all("asset").await.unwrap(), [("a".into(), json!("small"))]);
    }
    // The disk has room again: the next write goes through, as durably as before.
    store.put("asset", "c", &large).await.unwrap();
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&store.writer).await.unwrap();
    assert_eq!(synchronous, 2, "FULL");
    store.close().await;
    assert_eq!(Sqlite::open(&path, seal()).await.unwrap().all("asset").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_write_that_is_given_up_halfway_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&home.path().join("node.db"), seal()).await.unwrap();
    let mut half = store.writing().await.unwrap();
    super::documents::put(&mut half, "asset", "a", &json!(1)).await.unwrap();
    drop(half);
    assert_eq!(store.one("asset", "a").await.unwrap(), None);
    store.put("asset", "b", &json!(2)).await.unwrap();
    assert_eq!(store.all("asset").await.unwrap(), [("b".into(), json!(2))]);
}

#[tokio::test]
async fn what_ran_out_is_removed_at_once_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&home.path().join("node.db"), seal()).await.unwrap();
    let now = Timestamp::from_seconds(1_790_000_000).unwrap();
    for (id, at) in [("over", now), ("good", now.plus(1))] {
        store.put("mark", id, &json!(at)).await.unwrap();
        store.put("other", id, &json!(at)).await.unwrap();
        store.put("token", id, &json!({ "expires": at.rfc3339() })).await.unwrap();
        store.put("spent", id, &json!("core")).await.unwrap();
    }
    store.put("mark", "odd", &json!("no time")).await.unwrap();
    assert_eq!(store.remove_run_out("mark", None, now).await.unwrap(), 1);
    assert_eq!(store.remove_run_out("mark", None, now).await.unwrap(), 0);
    assert_eq!(store.remove_run_out("token", Some("spent"), now).await.unwrap(), 1);
    let ids =
        async |kind: &str| -> Vec<String> { store.all(kind).await.unwrap().into_iter().map(|(id, _)| id).collect() };
    assert_eq!(ids("mark").await, ["good", "odd"]);
    assert_eq!((ids("token").await, ids("spent").await), (vec!["good".into()], vec!["good".into()]));
    assert_eq!(ids("other").await.len(), 2);
}

#[tokio::test]
async fn whoever_hangs_up_while_a_store_is_tried_has_it_tried_once() {
    let home = tempfile::tempdir().unwrap();
    let store = Arc::new(Sqlite::open(&home.path().join("node.db"), seal()).await.unwrap());
    let room = Room::of(store.clone());
    let changes =
        async || -> i64 { sqlx::query_scalar("SELECT total_changes()").fetch_one(&store.writer).await.unwrap() };
    let before = changes().await;
    let busy = store.writing().await.unwrap();
    for _ in 0..3 {
        assert!(tokio::time::timeout(Duration::from_millis(50), room.hold()).await.is_err(), "it waits for the store");
    }
    drop(busy);
    room.hold().await.unwrap();
    // Something was put and removed, once.
    assert_eq!(changes().await, before + 2);
}

fn line(n: u8) -> serde_json::Value {
    json!({
        "contract_id": format!("urn:uuid:{}", uuid::Uuid::from_bytes([n; 16])), "recorder": format!("0x{}", "cd".repeat(20)),
        "block": n, "block_time": "2026-11-18T11:08:40Z", "transaction": format!("0x{}", "11".repeat(32)),
        "core_sha256": format!("0x{}", "22".repeat(32)), "template": "t", "rule": "fixed",
        "fee": {"amount": "25.00", "currency": "EUR"}, "disclosures": 1, "statement": "s",
        "audited": "2026-12-01T00:00:00Z", "receipt": "r",
    })
}

fn document(number: u64, credits: Option<u64>, lines: &[u8]) -> Issue {
    let provider = "did:web:alice.example";
    let mut invoice = json!({
        "number": number, "label": format!("INV-{number}"), "kind": if credits.is_some() { "credit-note" } else { "invoice" },
        "issued": "2026-12-01T00:00:00Z", "issuer": {"did": "did:web:operator.example", "name": "O", "address": ["A"]},
        "customer": {"did": provider, "legal_name": "Alice", "legal_id": {"scheme": "LEI", "value": "1"}, "country": "DE"},
        "registry": "urn:blockchain:eip155:1:contract:0x00", "from": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z",
        "lines": lines.iter().map(|n| line(*n)).collect::<Vec<_>>(), "totals": [],
    });
    if let Some(credits) = credits {
        invoice["credits"] = json!({"number": credits, "label": format!("INV-{credits}"), "reason": "why"});
    }
    Issue { invoice: serde_json::from_value(invoice).unwrap(), page: format!("page {number}") }
}

#[tokio::test]
async fn invoices_have_no_gap_claim_each_place_once_and_stay_as_they_are() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("node.db");
    let store = Sqlite::open(&path, seal()).await.unwrap();
    let moved = |outcome: Result<(), StoreFault>| assert!(matches!(outcome, Err(StoreFault::Moved)), "{outcome:?}");
    moved(store.issue(&document(2, None, &[1])).await);
    store.issue(&document(1, None, &[1, 2])).await.unwrap();
    // The second line is claimed already: neither the invoice nor its first line is there afterwards.
    moved(store.issue(&document(2, None, &[3, 2])).await);
    moved(store.issue(&document(1, None, &[4])).await);
    assert_eq!((store.issued().await.unwrap().len(), store.invoiced().await.unwrap().len()), (1, 2));
    assert_eq!(store.next_number().await.unwrap(), 2);

    // A credit note takes a number of the same series, and a place back once; it stays invoiced.
    store.issue(&document(2, Some(1), &[2])).await.unwrap();
    moved(store.issue(&document(3, Some(1), &[2])).await);
    moved(store.issue(&document(3, None, &[2])).await);
    assert!(store.issue(&document(3, Some(1), &[9])).await.is_err(), "what was not invoiced is not credited");
    assert_eq!(store.credited().await.unwrap().len(), 1);

    for forbidden in [
        "UPDATE invoices SET page = 'x'",
        "DELETE FROM invoices WHERE number = 2",
        "DELETE FROM invoiced",
        "INSERT INTO invoices (number, at, document, page) VALUES (9, 0, '{}', '')",
    ] {
        let outcome = sqlx::raw_sql(sqlx::AssertSqlSafe(forbidden)).execute(&store.writer).await;
        assert!(outcome.is_err(), "{forbidden}");
    }
    store.close().await;
    let store = Sqlite::open(&path, seal()).await.unwrap();
    assert_eq!(store.issued().await.unwrap(), [document(1, None, &[1, 2]).invoice, document(2, Some(1), &[2]).invoice]);
    assert_eq!(store.page(2).await.unwrap().as_deref(), Some("page 2"));
    assert_eq!(store.page(3).await.unwrap(), None);
}

#[tokio::test]
async fn a_full_disk_issues_no_half_invoice() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("node.db");
    let store = Sqlite::open(&path, seal()).await.unwrap();
    fill_the_disk(&store).await;
    let large = Issue { page: "x".repeat(1 << 20), ..document(1, None, &[1, 2]) };
    assert!(store.issue(&large).await.is_err());
    assert_eq!((store.next_number().await.unwrap(), store.invoiced().await.unwrap().len()), (1, 0));
    let room = sqlx::raw_sql("PRAGMA max_page_count = 1073741823").execute(&store.writer).await;
    room.unwrap();
    store.issue(&large).await.unwrap();
    assert_eq!(store.invoiced().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_copy_says_that_it_is_one_and_has_no_keys_to_the_management_interface() {
    let home = tempfile::tempdir().unwrap();
    let (path, into) = (home.path().join("node.db"), home.path().join("copy.db"));
    let at = crate::encoding::Timestamp::from_seconds(1_800_000_000).unwrap();
    let store = Sqlite::open(&path, seal()).await.unwrap();
    let hash = crate::encoding::Digest::of("key");
    let key = KeyRecord { name: "desk".into(), hash, scope: "read".parse().unwrap(), made: at, used: None };
    assert!(store.add_api_key(&key).await.unwrap());
    store.put("asset", "a", &json!(1)).await.unwrap();
    store.put("own-contact", "us", &json!({ "url": "http://a/", "iat": 5 })).await.unwrap();
    super::copy(&path, &into, at).await.unwrap();
    assert!(matches!(super::put_to_use(&path, at).await, Err(StoreFault::Failed(_) | StoreFault::Damaged(_))));
    super::put_to_use(&into, at.plus(9)).await.unwrap();
    let copy = Sqlite::open(&into, seal()).await.unwrap();
    assert_eq!((store.api_keys().await.unwrap().len(), copy.api_keys().await.unwrap().len()), (1, 0));
    assert_eq!(copy.one("asset", "a").await.unwrap(), Some(json!(1)));
    let said = copy.one("own-contact", "us").await.unwrap().unwrap();
    assert_eq!(said, json!({ "url": "", "iat": 5 }), "it says anew where it is, later than it did");
    let mark = json!({ "at": at, "used_from": at.plus(9) });
    assert_eq!(copy.one(crate::node::COPY, crate::node::COPY).await.unwrap(), Some(mark));
    assert!(super::copy(&path, &into, at).await.is_err(), "a copy does not replace another");
}

#[tokio::test]
async fn a_secret_stands_nowhere_in_the_file_and_opens_only_under_its_name_and_key() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("node.db");
    let store = Sqlite::open(&path, seal()).await.unwrap();
    let secret = *b"a very secret key of a contract!";
    store.keep_key("one", &secret).await.unwrap();
    store.keep_key("one", &secret).await.unwrap();
    assert!(store.keep_key("one", &[1; 32]).await.is_err());
    assert_eq!(*store.key("one").await.unwrap().unwrap(), secret);
    sqlx::raw_sql("INSERT INTO keys SELECT 'two', secret FROM keys").execute(&store.writer).await.unwrap();
    assert!(matches!(store.key("two").await, Err(StoreFault::Damaged(_))), "a row under another name");
    sqlx::raw_sql("DELETE FROM keys WHERE name = 'two'").execute(&store.writer).await.unwrap();
    store.close().await;
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    let refused = Sqlite::open(&path, SealingKey::new(&[8; 32])).await.unwrap_err().to_string();
    assert!(refused.contains("another keyring"), "{refused}");
}

#[tokio::test]
async fn a_store_with_a_damaged_page_or_none_at_all_is_not_taken_for_an_empty_one() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("node.db");
    let store = Sqlite::open(&path, seal()).await.unwrap();
    for n in 0..200 {
        store.put("asset", &format!("{n}"), &json!("x".repeat(500))).await.unwrap();
    }
    store.close().await;
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2 / 4096 * 4096;
    damaged[middle..middle + 64].fill(0xa5);
    for wrong in [damaged, vec![]] {
        std::fs::write(&path, &wrong).unwrap();
        let fault = Sqlite::open(&path, seal()).await.unwrap_err();
        assert!(matches!(fault, StoreFault::Damaged(_)), "{fault}");
        assert_eq!(std::fs::read(&path).unwrap(), wrong, "it is kept as it is");
    }
    std::fs::remove_file(&path).unwrap();
    let fault = Sqlite::open(&path, seal()).await.unwrap_err().to_string();
    assert!(fault.contains("there was one here") && fault.contains("node.db.lock"), "{fault}");
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(Sqlite::open(&path, seal()).await.unwrap().all("asset").await.unwrap().len(), 200);
    // Whoever wants to begin anew says so.
    std::fs::remove_file(&path).unwrap();
    std::fs::remove_file(home.path().join("node.db.lock")).unwrap();
    assert!(Sqlite::open(&path, seal()).await.unwrap().all("asset").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_store_that_is_known_to_be_damaged_takes_no_plain_decision_either() {
    use crate::node::dsp::{PlainCommit, PlainStore as _};
    let home = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&home.path().join("node.db"), seal()).await.unwrap();
    store.submit(PlainCommit::default()).await.unwrap();
    store.damage.set("a page is not what it was".into()).unwrap();
    assert!(matches!(store.submit(PlainCommit::default()).await, Err(StoreFault::Damaged(_))));
    assert!(matches!(store.put("asset", "a", &json!(1)).await, Err(StoreFault::Damaged(_))));
}
