//! What came in and waits: envelopes unread, and messages before their turn.

use sqlx::{SqliteConnection, query, query_scalar};

use super::InboxLimits;
use super::damage::{Place, fault};
use crate::encoding::{Digest, Timestamp};
use crate::identity::Did;
use crate::node::{Kept, Parked, StoreFault};

pub(super) async fn keep(
    db: &mut SqliteConnection,
    envelope: &[u8],
    at: Timestamp,
    limits: InboxLimits,
) -> Result<Kept, StoreFault> {
    let digest = Digest::of(envelope);
    let known: Option<i64> = query_scalar("SELECT number FROM envelopes WHERE digest = ?")
        .bind(digest.as_bytes().as_slice())
        .fetch_optional(&mut *db)
        .await
        .map_err(fault)?;
    if known.is_some() {
        return Ok(Kept::Known);
    }
    let row = query("SELECT count(*) AS envelopes, coalesce(sum(size), 0) AS bytes FROM envelopes")
        .fetch_one(&mut *db)
        .await
        .map_err(fault)?;
    let place = Place::new(&row, "the sum of envelopes");
    let (held, bytes): (u64, u64) = (place.count("envelopes")?, place.count("bytes")?);
    let size = i64::try_from(envelope.len()).unwrap_or(i64::MAX);
    if held >= limits.envelopes || bytes.saturating_add(size.unsigned_abs()) > limits.bytes {
        return Ok(Kept::Full);
    }
    query("INSERT INTO envelopes (digest, at, size, bytes) VALUES (?, ?, ?, ?)")
        .bind(digest.as_bytes().as_slice())
        .bind(at.seconds())
        .bind(size)
        .bind(envelope)
        .execute(db)
        .await
        .map_err(fault)?;
    Ok(Kept::New)
}

pub(super) async fn envelopes(db: &mut SqliteConnection, limit: u32) -> Result<Vec<(Digest, Vec<u8>)>, StoreFault> {
    let rows = query("SELECT number, digest, bytes FROM envelopes ORDER BY number LIMIT ?")
        .bind(limit)
        .fetch_all(db)
        .await
        .map_err(fault)?;
    rows.iter()
        .map(|row| {
            let place = Place::of(row, "envelopes")?;
            Ok((place.digest("digest")?, place.read("bytes")?))
        })
        .collect()
}

pub(super) async fn drop_envelope(db: &mut SqliteConnection, digest: Digest) -> Result<(), StoreFault> {
    query("DELETE FROM envelopes WHERE digest = ?")
        .bind(digest.as_bytes().as_slice())
        .execute(db)
        .await
        .map_err(fault)?;
    Ok(())
}

pub(super) async fn park(db: &mut SqliteConnection, parked: &Parked, limit: u32) -> Result<bool, StoreFault> {
    let Parked { from, thread, message, signed, at } = parked;
    let known: Option<i64> = query_scalar("SELECT number FROM parked WHERE sender = ? AND message = ?")
        .bind(from.as_str())
        .bind(message)
        .fetch_optional(&mut *db)
        .await
        .map_err(fault)?;
    if known.is_some() {
        return Ok(true);
    }
    let written = query(
        "INSERT INTO parked (sender, thread, message, signed, at) SELECT ?1, ?2, ?3, ?4, ?5
         WHERE (SELECT count(*) FROM parked WHERE sender = ?1 AND thread = ?2) < ?6",
    )
    .bind(from.as_str())
    .bind(thread)
    .bind(message)
    .bind(signed)
    .bind(at.seconds())
    .bind(limit)
    .execute(db)
    .await
    .map_err(fault)?;
    Ok(written.rows_affected() == 1)
}

pub(super) async fn parked(db: &mut SqliteConnection, peer: &Did, thread: &str) -> Result<Vec<Parked>, StoreFault> {
    let rows = query("SELECT * FROM parked WHERE sender = ? AND thread = ? ORDER BY number")
        .bind(peer.as_str())
        .bind(thread)
        .fetch_all(db)
        .await
        .map_err(fault)?;
    rows.iter()
        .map(|row| {
            let place = Place::of(row, "parked")?;
            Ok(Parked {
                from: place.parse("sender")?,
                thread: place.read("thread")?,
                message: place.read("message")?,
                signed: place.read("signed")?,
                at: place.time("at")?.ok_or_else(|| place.damaged("at", "missing"))?,
            })
        })
        .collect()
}

pub(super) async fn unpark(db: &mut SqliteConnection, from: &Did, message: &str) -> Result<(), StoreFault> {
    query("DELETE FROM parked WHERE sender = ? AND message = ?")
        .bind(from.as_str())
        .bind(message)
        .execute(db)
        .await
        .map_err(fault)?;
    Ok(())
}

pub(super) async fn clear_parked(db: &mut SqliteConnection, before: Timestamp) -> Result<u64, StoreFault> {
    let cleared = query("DELETE FROM parked WHERE at < ?").bind(before.seconds()).execute(db).await.map_err(fault)?;
    Ok(cleared.rows_affected())
}
