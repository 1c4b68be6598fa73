//! What a desk is told, in one series. Events of negotiations come into it by a trigger, with the commit that wrote them.

use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, query, query_scalar};

use super::damage::{Place, fault};
use crate::node::{News, Seen, StoreFault};

/// How many refusals are remembered: whoever sends rubbish only pushes out other rubbish.
const REFUSALS: i64 = 1000;

pub(super) async fn after(
    db: &mut SqliteConnection,
    after: u64,
    negotiation: Option<&str>,
    limit: u32,
) -> Result<Vec<News>, StoreFault> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let found = match negotiation {
        None => query("SELECT * FROM news WHERE number > ? ORDER BY number LIMIT ?").bind(after),
        Some(id) => query("SELECT * FROM news WHERE number > ? AND negotiation = ? ORDER BY number LIMIT ?")
            .bind(after)
            .bind(id),
    };
    let rows = found.bind(limit).fetch_all(db).await.map_err(fault)?;
    rows.iter().map(news).collect()
}

pub(super) async fn last(db: &mut SqliteConnection) -> Result<u64, StoreFault> {
    // The highest number ever given: what was forgotten at the end counts too.
    let last: Option<i64> =
        query_scalar("SELECT seq FROM sqlite_sequence WHERE name = 'news'").fetch_optional(db).await.map_err(fault)?;
    Ok(u64::try_from(last.unwrap_or(0)).unwrap_or(0))
}

/// The last refusals, newest last.
pub(super) async fn refusals(db: &mut SqliteConnection, limit: u32) -> Result<Vec<News>, StoreFault> {
    let rows = query("SELECT * FROM news WHERE kind = 'refused' ORDER BY number DESC LIMIT ?")
        .bind(limit)
        .fetch_all(db)
        .await
        .map_err(fault)?;
    rows.iter().rev().map(news).collect()
}

pub(super) async fn note(db: &mut SqliteConnection, seen: &Seen) -> Result<(), StoreFault> {
    let Seen { kind, at, negotiation, detail, once } = seen;
    if let Some(once) = once {
        let told: Option<i64> = query_scalar("SELECT number FROM news WHERE once = ?")
            .bind(once)
            .fetch_optional(&mut *db)
            .await
            .map_err(fault)?;
        // Not left to a conflict: one that inserts nothing uses up a number all the same.
        if told.is_some() {
            return Ok(());
        }
    }
    query("INSERT INTO news (kind, at, negotiation, detail, once) VALUES (?, ?, ?, ?, ?)")
        .bind(kind)
        .bind(at.seconds())
        .bind(negotiation)
        .bind(detail.to_string())
        .bind(once)
        .execute(db)
        .await
        .map_err(fault)?;
    Ok(())
}

pub(super) async fn forget_refusals(db: &mut SqliteConnection) -> Result<(), StoreFault> {
    query(
        "DELETE FROM news WHERE kind = 'refused' AND number <= (SELECT number FROM news
            WHERE kind = 'refused' ORDER BY number DESC LIMIT 1 OFFSET ?)",
    )
    .bind(REFUSALS)
    .execute(db)
    .await
    .map_err(fault)?;
    Ok(())
}

fn news(row: &SqliteRow) -> Result<News, StoreFault> {
    let place = Place::of(row, "news")?;
    let written: Option<&str> = place.read("detail")?;
    Ok(News {
        number: place.count("number")?,
        kind: place.read("kind")?,
        at: place.time("at")?,
        negotiation: place.read("negotiation")?,
        place: place.read::<Option<i64>>("place")?.and_then(|place| usize::try_from(place).ok()),
        detail: if written.is_some() { place.json("detail")? } else { serde_json::Value::Null },
    })
}
