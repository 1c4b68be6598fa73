use serde_json::json;

use super::Sqlite;
use crate::node::{Store as _, StoreFault};

async fn fill_the_disk(store: &Sqlite) {
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&store.writer).await.unwrap();
    let full = format!("PRAGMA max_page_count = {}", pages + 4);
    sqlx::raw_sql(sqlx::AssertSqlSafe(full)).execute(&store.writer).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_fails_the_write_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("node.db");
    let store = Sqlite::open(&path).await.unwrap();
    store.put("asset", "a", &json!("small")).await.unwrap();

    let large = json!("x".repeat(1 << 20));
    for id in ["a", "b"] {
        fill_the_disk(&store).await;
        assert!(matches!(store.put("asset", id, &large).await, Err(StoreFault::Failed(_))));
        assert_eq!(store.all("asset").await.unwrap(), [("a".into(), json!("small"))]);
    }
    // The disk has room again: the next write goes through, as durably as before.
    store.put("asset", "c", &large).await.unwrap();
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&store.writer).await.unwrap();
    assert_eq!(synchronous, 2, "FULL");
    store.close().await;
    assert_eq!(Sqlite::open(&path).await.unwrap().all("asset").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_write_that_is_given_up_halfway_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&home.path().join("node.db")).await.unwrap();
    let mut half = store.writing().await.unwrap();
    super::documents::put(&mut half, "asset", "a", &json!(1)).await.unwrap();
    drop(half);
    assert_eq!(store.one("asset", "a").await.unwrap(), None);
    store.put("asset", "b", &json!(2)).await.unwrap();
    assert_eq!(store.all("asset").await.unwrap(), [("b".into(), json!(2))]);
}
