//! What happened under contracts at a gate: kept for a while, and never so much of one contract that others have no room.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::{SqliteConnection, query, query_scalar};

use super::damage::{Place, fault};
use crate::encoding::{Digest, Timestamp};
use crate::node::{Evidence, EvidenceKind, EvidenceSum, StoreFault};

/// What a row takes beside its value: ids, numbers, and its places in the indices.
const ROW: i64 = 400;
/// How many rows are looked at, or go, at a time.
const AT_ONCE: i64 = 64;
const MANY: i64 = 4096;

const fn name(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::Presentation => "presentation",
        EvidenceKind::Transfer => "transfer",
        EvidenceKind::Delivery => "delivery",
    }
}

/// Keeps a piece, unless it is kept; what of its contract is beyond `most` bytes goes, the oldest first, and what of all
/// contracts together is beyond `all` goes from whoever has the most.
pub(super) async fn keep(
    db: &mut SqliteConnection,
    evidence: &Evidence,
    most: u64,
    all: Option<u64>,
) -> Result<(), StoreFault> {
    let Evidence { kind, id, contract, at, bytes, value } = evidence;
    let (kind, contract, value) = (*kind, contract.hex(), value.to_string());
    let size = number(value.len() as u64).saturating_add(ROW);
    let stays = kind != EvidenceKind::Delivery && staying(db, &contract, kind).await?.is_none();
    let kept = query(
        "INSERT INTO gate_evidence (kind, id, contract, at, size, stays, value) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT DO NOTHING",
    )
    .bind(name(kind))
    .bind(id)
    .bind(&contract)
    .bind(at.seconds())
    .bind(size)
    .bind(stays)
    .bind(value)
    .execute(&mut *db)
    .await
    .map_err(fault)?;
    if kept.rows_affected() == 0 {
        return Ok(());
    }
    let delivers = kind == EvidenceKind::Delivery;
    let held: i64 = query_scalar(
        "INSERT INTO gate_sums (contract, held, openings, deliveries, bytes, first, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
         ON CONFLICT (contract) DO UPDATE SET held = held + ?2, openings = openings + ?3, deliveries = deliveries + ?4,
            bytes = bytes + ?5, last = max(last, ?6)
         RETURNING held",
    )
    .bind(&contract)
    .bind(if stays { 0 } else { size })
    .bind(i64::from(!delivers))
    .bind(i64::from(delivers))
    .bind(number(*bytes))
    .bind(at.seconds())
    .fetch_one(&mut *db)
    .await
    .map_err(fault)?;
    make_room(db, &contract, held.saturating_sub(number(most))).await?;
    let Some(all) = all else { return Ok(()) };
    loop {
        let total: i64 =
            query_scalar("SELECT coalesce(sum(held), 0) FROM gate_sums").fetch_one(&mut *db).await.map_err(fault)?;
        let over = total.saturating_sub(number(all));
        if over <= 0 {
            return Ok(());
        }
        let fullest: String = query_scalar("SELECT contract FROM gate_sums ORDER BY held DESC LIMIT 1")
            .fetch_one(&mut *db)
            .await
            .map_err(fault)?;
        if make_room(db, &fullest, over.min(size)).await? == 0 {
            return Ok(());
        }
    }
}

/// Drops the oldest pieces of a contract until at least `over` bytes are free; how many were freed.
async fn make_room(db: &mut SqliteConnection, contract: &str, over: i64) -> Result<i64, StoreFault> {
    let mut freed = 0;
    while freed < over {
        let oldest =
            query("SELECT number, size FROM gate_evidence WHERE contract = ? AND stays = 0 ORDER BY number LIMIT ?")
                .bind(contract)
                .bind(AT_ONCE)
                .fetch_all(&mut *db)
                .await
                .map_err(fault)?;
        let (mut last, before): (i64, i64) = (0, freed);
        for row in &oldest {
            if freed >= over {
                break;
            }
            let place = Place::new(row, "gate_evidence");
            last = place.read("number")?;
            freed += place.read::<i64>("size")?;
        }
        if freed == before {
            break;
        }
        query("DELETE FROM gate_evidence WHERE contract = ? AND stays = 0 AND number <= ?")
            .bind(contract)
            .bind(last)
            .execute(&mut *db)
            .await
            .map_err(fault)?;
    }
    lighten(db, contract, freed).await?;
    Ok(freed)
}

async fn lighten(db: &mut SqliteConnection, contract: &str, freed: i64) -> Result<(), StoreFault> {
    if freed == 0 {
        return Ok(());
    }
    query("UPDATE gate_sums SET held = max(0, held - ?) WHERE contract = ?")
        .bind(freed)
        .bind(contract)
        .execute(db)
        .await
        .map_err(fault)?;
    Ok(())
}

pub(super) async fn one(db: &mut SqliteConnection, kind: EvidenceKind, id: &str) -> Result<Option<Value>, StoreFault> {
    let row = query("SELECT value FROM gate_evidence WHERE kind = ? AND id = ?")
        .bind(name(kind))
        .bind(id)
        .fetch_optional(db)
        .await
        .map_err(fault)?;
    row.map(|row| Place::new(&row, format!("{} {id}", name(kind))).json("value")).transpose()
}

/// The first piece of a contract and a kind, which stays, with its id.
pub(super) async fn first(
    db: &mut SqliteConnection,
    contract: &Digest,
    kind: EvidenceKind,
) -> Result<Option<(String, Value)>, StoreFault> {
    staying(db, &contract.hex(), kind).await
}

async fn staying(
    db: &mut SqliteConnection,
    contract: &str,
    kind: EvidenceKind,
) -> Result<Option<(String, Value)>, StoreFault> {
    let row = query("SELECT id, value FROM gate_evidence WHERE contract = ? AND kind = ? AND stays = 1")
        .bind(contract)
        .bind(name(kind))
        .fetch_optional(db)
        .await
        .map_err(fault)?;
    row.map(|row| {
        let place = Place::new(&row, format!("the first {} of {contract}", name(kind)));
        Ok((place.read("id")?, place.json("value")?))
    })
    .transpose()
}

pub(super) async fn sum(db: &mut SqliteConnection, contract: &Digest) -> Result<Option<EvidenceSum>, StoreFault> {
    let contract = contract.hex();
    let row =
        query("SELECT * FROM gate_sums WHERE contract = ?").bind(&contract).fetch_optional(db).await.map_err(fault)?;
    row.map(|row| {
        let place = Place::new(&row, format!("the sum of {contract}"));
        let time = |column| place.time(column)?.ok_or_else(|| place.damaged(column, "no time"));
        Ok(EvidenceSum {
            openings: place.count("openings")?,
            deliveries: place.count("deliveries")?,
            bytes: place.count("bytes")?,
            first: time("first")?,
            last: time("last")?,
        })
    })
    .transpose()
}

/// Drops what happened before `before`, so many pieces at a time; how many went.
pub(super) async fn forget(db: &mut SqliteConnection, before: Timestamp) -> Result<u64, StoreFault> {
    let gone = query(
        "DELETE FROM gate_evidence WHERE number IN
            (SELECT number FROM gate_evidence WHERE stays = 0 AND at < ? ORDER BY at LIMIT ?)
         RETURNING contract, size",
    )
    .bind(before.seconds())
    .bind(MANY)
    .fetch_all(&mut *db)
    .await
    .map_err(fault)?;
    let mut freed: BTreeMap<String, i64> = BTreeMap::new();
    for row in &gone {
        let place = Place::new(row, "gate_evidence");
        *freed.entry(place.read("contract")?).or_default() += place.read::<i64>("size")?;
    }
    for (contract, freed) in &freed {
        lighten(db, contract, *freed).await?;
    }
    Ok(gone.len() as u64)
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
