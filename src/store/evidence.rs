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
/// How many bytes go at least where there are too many, when a piece comes; how many of one contract, before it is looked
/// anew who has the most; and how many when there is time.
const TURN: i64 = 64 << 10;
const OF_ONE: i64 = 16 << 10;
pub(super) const AT_LEISURE: i64 = 1 << 20;

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
    // More than comes goes, so that a store which is too full gets emptier; and not all at once, so that nobody waits for it.
    let turn = size.saturating_mul(2).max(TURN);
    make_room(db, &contract, held.saturating_sub(number(most)).min(turn)).await?;
    if let Some(all) = all {
        make_room_of_all(db, all, turn).await?;
    }
    Ok(())
}

/// Drops what of all contracts together is beyond `all` bytes, at most about `turn` bytes of it: always from whoever has the
/// most then, the oldest first. How many bytes were freed.
pub(super) async fn make_room_of_all(db: &mut SqliteConnection, all: u64, turn: i64) -> Result<i64, StoreFault> {
    let total: i64 = query_scalar("SELECT held FROM gate_total").fetch_one(&mut *db).await.map_err(fault)?;
    let over = total.saturating_sub(number(all)).min(turn);
    let mut freed = 0;
    while freed < over {
        let fullest: Option<String> =
            query_scalar("SELECT contract FROM gate_sums WHERE held > 0 ORDER BY held DESC LIMIT 1")
                .fetch_optional(&mut *db)
                .await
                .map_err(fault)?;
        let Some(fullest) = fullest else { break };
        freed += make_room(db, &fullest, (over - freed).min(OF_ONE)).await?;
    }
    Ok(freed)
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
            // There is nothing of it any more, whatever its sum says.
            lighten(db, contract, i64::MAX).await?;
            return Ok(freed);
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::encoding::{Digest, Timestamp};
    use crate::node::{Evidence, EvidenceKind, Store as _};
    use crate::store::{InboxLimits, SealingKey, Sqlite};

    async fn number(store: &Sqlite, what: &'static str) -> i64 {
        sqlx::query_scalar(what).fetch_one(&store.writer).await.unwrap()
    }

    #[tokio::test]
    async fn a_store_with_far_too_much_is_emptied_bit_by_bit() {
        let home = tempfile::tempdir().unwrap();
        let open = async |most| {
            let path = home.path().join("gate.db");
            Sqlite::open_within(&path, SealingKey::new(&[7; 32]), InboxLimits::default(), most).await.unwrap()
        };
        let now = Timestamp::from_seconds(1_790_000_000).unwrap();
        let piece = |contract: &str, id: String| Evidence {
            kind: EvidenceKind::Delivery,
            id,
            contract: Digest::of(contract),
            at: now,
            bytes: 1,
            value: json!("x".repeat(500)),
        };
        let store = open(None).await;
        store.keep_evidence(&piece("little", "little".into()), u64::MAX).await.unwrap();
        store.keep_evidence(&piece("much", "much".into()), u64::MAX).await.unwrap();
        let many = "INSERT INTO gate_evidence (kind, id, contract, at, size, stays, value)
            WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 6000)
            SELECT kind, id || n, contract, at, size, stays, value FROM gate_evidence, n WHERE id = 'much'";
        sqlx::query(many).execute(&store.writer).await.unwrap();
        sqlx::query("UPDATE gate_sums SET held = held * 6001, deliveries = 6001 WHERE held IN (SELECT size FROM gate_evidence WHERE id = 'much') AND contract = (SELECT contract FROM gate_evidence WHERE id = 'much')")
            .execute(&store.writer).await.unwrap();
        store.close().await;

        // What it may take now is less than what it has.
        let most = 4 << 20;
        let store = open(Some(most)).await;
        let pieces = "SELECT count(*) FROM gate_evidence";
        let mut before = number(&store, pieces).await;
        assert_eq!(before, 6002);
        for turn in 0..5 {
            store.keep_evidence(&piece("other", format!("other {turn}")), u64::MAX).await.unwrap();
            let after = number(&store, pieces).await;
            assert!((2..=256).contains(&(before - after)), "{before} {after}");
            before = after;
        }
        // The rest goes when there is time.
        while store.forget_evidence(now.plus(-1)).await.unwrap() > 0 {}
        let held = number(&store, "SELECT sum(size) FROM gate_evidence").await;
        assert!(held <= 2 << 20 && held > (2 << 20) - (64 << 10), "{held}");
        assert_eq!(number(&store, "SELECT held FROM gate_total").await, held);
        assert_eq!(number(&store, "SELECT sum(held) FROM gate_sums").await, held);
        assert!(store.evidence(EvidenceKind::Delivery, "little").await.unwrap().is_some(), "others' stays");
        assert_eq!(store.evidence_sum(&Digest::of("much")).await.unwrap().unwrap().deliveries, 6001);
    }
}
