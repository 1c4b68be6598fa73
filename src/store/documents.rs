//! Documents, counters and the keys of contracts.

use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, query, query_scalar};
use zeroize::Zeroizing;

use super::SealingKey;
use super::damage::{Place, damaged, fault};
use crate::encoding::Timestamp;
use crate::node::{Spending, Spent, StoreFault};

pub(super) async fn put(db: &mut SqliteConnection, kind: &str, id: &str, value: &Value) -> Result<(), StoreFault> {
    query(
        "INSERT INTO documents (kind, id, value) VALUES (?, ?, ?)
         ON CONFLICT (kind, id) DO UPDATE SET value = excluded.value",
    )
    .bind(kind)
    .bind(id)
    .bind(value.to_string())
    .execute(db)
    .await
    .map_err(fault)?;
    Ok(())
}

pub(super) async fn put_once(
    db: &mut SqliteConnection,
    kind: &str,
    id: &str,
    value: &Value,
) -> Result<bool, StoreFault> {
    let written = query("INSERT INTO documents (kind, id, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
        .bind(kind)
        .bind(id)
        .bind(value.to_string())
        .execute(db)
        .await
        .map_err(fault)?;
    Ok(written.rows_affected() == 1)
}

pub(super) async fn one(db: &mut SqliteConnection, kind: &str, id: &str) -> Result<Option<Value>, StoreFault> {
    let row = query("SELECT value FROM documents WHERE kind = ? AND id = ?")
        .bind(kind)
        .bind(id)
        .fetch_optional(db)
        .await
        .map_err(fault)?;
    row.map(|row| Place::new(&row, format!("{kind} {id}")).json("value")).transpose()
}

pub(super) async fn all(db: &mut SqliteConnection, kind: &str) -> Result<Vec<(String, Value)>, StoreFault> {
    let rows = query("SELECT id, value FROM documents WHERE kind = ? ORDER BY id").bind(kind).fetch_all(db).await;
    read_all(kind, &rows.map_err(fault)?)
}

pub(super) async fn all_under(
    db: &mut SqliteConnection,
    kind: &str,
    beginning: &str,
) -> Result<Vec<(String, Value)>, StoreFault> {
    // Ids are compared byte by byte: what begins so stands between it and it with the last of all characters.
    let rows = query("SELECT id, value FROM documents WHERE kind = ? AND id >= ? AND id < ? ORDER BY id")
        .bind(kind)
        .bind(beginning)
        .bind(format!("{beginning}\u{10FFFF}"))
        .fetch_all(db)
        .await;
    read_all(kind, &rows.map_err(fault)?)
}

fn read_all(kind: &str, rows: &[SqliteRow]) -> Result<Vec<(String, Value)>, StoreFault> {
    rows.iter()
        .map(|row| {
            let id: String = Place::new(row, format!("a {kind}")).read("id")?;
            let value = Place::new(row, format!("{kind} {id}")).json("value")?;
            Ok((id, value))
        })
        .collect()
}

pub(super) async fn remove(db: &mut SqliteConnection, kind: &str, id: &str) -> Result<bool, StoreFault> {
    let removed = query("DELETE FROM documents WHERE kind = ? AND id = ?")
        .bind(kind)
        .bind(id)
        .execute(db)
        .await
        .map_err(fault)?;
    Ok(removed.rows_affected() == 1)
}

/// How many documents are removed at a time.
const AT_ONCE: i64 = 1024;

pub(super) async fn remove_run_out(
    db: &mut SqliteConnection,
    kind: &str,
    along: Option<&str>,
    now: Timestamp,
) -> Result<u64, StoreFault> {
    let gone: Vec<String> = query_scalar(
        "DELETE FROM documents WHERE kind = ?1 AND id IN
            (SELECT id FROM documents WHERE kind = ?1 AND
                CASE WHEN value GLOB '[0-9]*' THEN CAST(value AS INTEGER) ELSE unixepoch(value ->> '$.expires') END <= ?2
             LIMIT ?3)
         RETURNING id",
    )
    .bind(kind)
    .bind(now.seconds())
    .bind(AT_ONCE)
    .fetch_all(&mut *db)
    .await
    .map_err(fault)?;
    if let Some(along) = along {
        for id in &gone {
            remove(db, along, id).await?;
        }
    }
    Ok(gone.len() as u64)
}

pub(super) async fn count(
    db: &mut SqliteConnection,
    kind: &str,
    id: &str,
    limit: u64,
) -> Result<Option<u64>, StoreFault> {
    let counted: Option<i64> = query_scalar(
        "INSERT INTO counters (kind, id, value) SELECT ?1, ?2, 1 WHERE ?3 > 0
         ON CONFLICT (kind, id) DO UPDATE SET value = value + 1 WHERE value < ?3 RETURNING value",
    )
    .bind(kind)
    .bind(id)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_optional(db)
    .await
    .map_err(fault)?;
    counted.map(|value| whole(kind, id, value)).transpose()
}

/// Whoever is told that none is left has to drop what was written.
pub(super) async fn spend(db: &mut SqliteConnection, spending: &Spending<'_>) -> Result<Spent, StoreFault> {
    let (kind, id, value) = spending.once;
    if !put_once(db, kind, id, value).await? {
        return Ok(Spent::Before);
    }
    let counts = match spending.within {
        Some((kind, id, value)) => put_once(db, kind, id, value).await?,
        None => true,
    };
    let (kind, id) = spending.counter;
    Ok(match counts && count(db, kind, id, spending.limit).await?.is_none() {
        true => Spent::NoneLeft,
        false => Spent::Now,
    })
}

pub(super) async fn counted(db: &mut SqliteConnection, kind: &str, id: &str) -> Result<u64, StoreFault> {
    let value: Option<i64> = query_scalar("SELECT value FROM counters WHERE kind = ? AND id = ?")
        .bind(kind)
        .bind(id)
        .fetch_optional(db)
        .await
        .map_err(fault)?;
    value.map_or(Ok(0), |value| whole(kind, id, value))
}

fn whole(kind: &str, id: &str, value: i64) -> Result<u64, StoreFault> {
    u64::try_from(value).map_err(|_| damaged(format!("counter {kind} {id}"), value))
}

/// How long a sealed key is.
const SEALED: usize = SealingKey::OVERHEAD + 32;

/// A name stands for one key for ever: another secret would lose the contract that the first was made for.
pub(super) async fn keep_key(
    db: &mut SqliteConnection,
    seal: &SealingKey,
    name: &str,
    secret: &[u8; 32],
) -> Result<(), StoreFault> {
    let sealed = seal.seal(&bound(name), secret).map_err(|cause| StoreFault::Failed(cause.to_string()))?;
    query("INSERT INTO keys (name, secret) VALUES (?, ?) ON CONFLICT DO NOTHING")
        .bind(name)
        .bind(sealed)
        .execute(&mut *db)
        .await
        .map_err(fault)?;
    match key(db, seal, name).await? {
        Some(kept) if kept.as_slice() == secret => Ok(()),
        _ => Err(StoreFault::Failed(format!("another key is kept under {name}"))),
    }
}

pub(super) async fn key(
    db: &mut SqliteConnection,
    seal: &SealingKey,
    name: &str,
) -> Result<Option<Zeroizing<[u8; 32]>>, StoreFault> {
    let row = query("SELECT secret FROM keys WHERE name = ?").bind(name).fetch_optional(db).await.map_err(fault)?;
    let Some(row) = row else { return Ok(None) };
    let place = Place::new(&row, format!("key {name}"));
    let sealed: &[u8] = place.read("secret")?;
    let bytes = seal.open(&bound(name), sealed).map_err(|cause| place.damaged("secret", cause))?;
    let mut secret = Zeroizing::new([0; 32]);
    if bytes.len() != secret.len() {
        return Err(place.damaged("secret", "not 32 bytes"));
    }
    secret.copy_from_slice(&bytes);
    Ok(Some(secret))
}

/// Holds the store to the keyring: with another wallet's, it would lose every contract's key without a word.
pub(super) async fn try_seal(db: &mut SqliteConnection, seal: &SealingKey, store: &str) -> Result<(), StoreFault> {
    let rows = query("SELECT name, secret FROM keys ORDER BY name LIMIT 8").fetch_all(db).await.map_err(fault)?;
    let (mut opened, mut sealed_ones) = (false, 0);
    for row in &rows {
        let place = Place::new(row, "keys");
        let (name, sealed): (&str, &[u8]) = (place.read("name")?, place.read("secret")?);
        // What is no sealed key at all is damage, and told where it is read.
        sealed_ones += usize::from(sealed.len() == SEALED);
        opened |= seal.open(&bound(name), sealed).is_ok();
    }
    if opened || sealed_ones == 0 {
        return Ok(());
    }
    Err(StoreFault::Failed(format!(
        "the secrets in {store} were sealed with another keyring than this home's: put that keyring back (countersign keys import)"
    )))
}

/// What a sealed key belongs to: its name, so that two rows cannot be swapped.
fn bound(name: &str) -> Vec<u8> {
    format!("countersign-store-key-1:{name}").into_bytes()
}
