//! Copies of a store: made while its node runs, and marked as copies before anybody can open them.

use std::path::Path;

use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{Connection as _, SqliteConnection, query, query_scalar};

use super::damage::{damaged, fault};
use crate::encoding::Timestamp;
use crate::node::{COPY, HELD, StoreFault};

/// Copies the store in the file `from` into a new file, as of one moment, and marks the copy.
///
/// Every negotiation that was not over is held in the copy: the original may have decided since. A gate's open
/// challenges and tokens, and those of transfers, are void in it, for they may have been spent since, and so are keys to the management interface,
/// which may have been revoked.
///
/// # Errors
/// [`StoreFault::Damaged`] when the store is damaged; [`StoreFault::Failed`] when it cannot be read or the copy cannot
/// be written.
pub async fn copy(from: &Path, into: &Path, at: Timestamp) -> Result<(), StoreFault> {
    let unnamed = || StoreFault::Failed(format!("{} is no name for a copy", into.display()));
    let options = SqliteConnectOptions::new().filename(from).busy_timeout(super::open::BUSY_TIMEOUT);
    let mut original = SqliteConnection::connect_with(&options).await.map_err(fault)?;
    let copied =
        query("VACUUM INTO ?").bind(into.to_str().ok_or_else(unnamed)?).execute(&mut original).await.map_err(fault);
    // The node that runs may hold the last checkpoint back until this reader is gone.
    original.close().await.map_err(fault)?;
    copied?;
    let mut copy = open(into).await?;
    let marked = mark(&mut copy, at).await;
    copy.close().await.map_err(fault)?;
    marked
}

/// Notes in a copy when it was put to use: what was agreed on before then may have been used under the original.
///
/// # Errors
/// [`StoreFault::Damaged`] when it is no whole copy of a store.
pub async fn put_to_use(path: &Path, at: Timestamp) -> Result<(), StoreFault> {
    let mut copy = open(path).await?;
    let whole: String = query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut copy).await.map_err(fault)?;
    if whole != "ok" {
        return Err(damaged(path.display(), whole));
    }
    let noted = query("UPDATE documents SET value = json_set(value, '$.used_from', ?) WHERE kind = ? AND id = ?")
        .bind(at.seconds())
        .bind(COPY)
        .bind(COPY)
        .execute(&mut copy)
        .await
        .map_err(fault)?;
    copy.close().await.map_err(fault)?;
    match noted.rows_affected() {
        1 => Ok(()),
        _ => Err(damaged(path.display(), "it does not say that it is a copy")),
    }
}

async fn open(path: &Path) -> Result<SqliteConnection, StoreFault> {
    // One file with nothing beside it, so that it can be moved.
    let options = SqliteConnectOptions::new().filename(path).journal_mode(SqliteJournalMode::Delete).foreign_keys(true);
    SqliteConnection::connect_with(&options).await.map_err(fault)
}

/// Whether a table is there; a store that an older version wrote has fewer.
async fn has(copy: &mut SqliteConnection, table: &str) -> Result<bool, StoreFault> {
    let found = query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").bind(table);
    Ok(found.fetch_optional(copy).await.map_err(fault)?.is_some())
}

async fn mark(copy: &mut SqliteConnection, at: Timestamp) -> Result<(), StoreFault> {
    let mut copy = copy.begin().await.map_err(fault)?;
    let copied = json!({ "at": at }).to_string();
    query(
        "INSERT INTO documents (kind, id, value) SELECT ?, id, ? FROM negotiations WHERE state <> 'FINALIZED'
         ON CONFLICT (kind, id) DO UPDATE SET value = excluded.value",
    )
    .bind(HELD)
    .bind(&copied)
    .execute(&mut *copy)
    .await
    .map_err(fault)?;
    query("INSERT INTO documents (kind, id, value) VALUES (?1, ?1, ?2) ON CONFLICT (kind, id) DO UPDATE SET value = excluded.value")
        .bind(COPY)
        .bind(&copied)
        .execute(&mut *copy)
        .await
        .map_err(fault)?;
    for kind in crate::node::VOID_IN_A_COPY {
        query("DELETE FROM documents WHERE kind = ?").bind(kind).execute(&mut *copy).await.map_err(fault)?;
    }
    // Where the original has moved to since, the copy does not know: what it says next is another word than its last, and
    // so a later one.
    query("UPDATE documents SET value = json_set(value, '$.url', '') WHERE kind = ?")
        .bind(crate::node::kind::OWN_CONTACT)
        .execute(&mut *copy)
        .await
        .map_err(fault)?;
    query("DELETE FROM keys WHERE name = ?")
        .bind(crate::node::CHALLENGE_KEY)
        .execute(&mut *copy)
        .await
        .map_err(fault)?;
    // A key to the management interface that was revoked since must not open the restored node.
    if has(&mut copy, "api_keys").await? {
        query("DELETE FROM api_keys").execute(&mut *copy).await.map_err(fault)?;
    }
    if has(&mut copy, "plain_negotiations").await? {
        query(
            "INSERT INTO documents (kind, id, value)
             SELECT ?, id, ? FROM plain_negotiations WHERE state NOT IN ('FINALIZED', 'TERMINATED')
             ON CONFLICT (kind, id) DO UPDATE SET value = excluded.value",
        )
        .bind(HELD)
        .bind(&copied)
        .execute(&mut *copy)
        .await
        .map_err(fault)?;
    }
    // A transfer may have been suspended or ended since; a new start gives a new token out.
    if has(&mut copy, "transfers").await? {
        query("UPDATE transfers SET token = NULL").execute(&mut *copy).await.map_err(fault)?;
    }
    copy.commit().await.map_err(fault)
}
