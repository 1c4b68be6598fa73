//! Negotiations: their logs, what they are found by, and what their decisions order.

use sqlx::{SqliteConnection, query, query_scalar};

use super::damage::{Place, damaged, fault};
use super::outbox;
use crate::encoding::Timestamp;
use crate::identity::Did;
use crate::negotiation::{Event, StateName};
use crate::node::{Commit, Dealings, Index, Order, StoreFault};

pub(super) async fn commit(db: &mut SqliteConnection, commit: &Commit) -> Result<(), StoreFault> {
    let Commit { negotiation, version, events, outgoing, effects, mark, index } = commit;
    // Before the version: whoever repeats a message is told so, and not to decide again.
    if let Some(mark) = mark {
        outbox::refuse_repeated(db, mark).await?;
    }
    let known: Option<i64> = query_scalar("SELECT version FROM negotiations WHERE id = ?")
        .bind(negotiation)
        .fetch_optional(&mut *db)
        .await
        .map_err(fault)?;
    if u64::try_from(known.unwrap_or(0)) != Ok(*version) {
        return Err(StoreFault::Moved);
    }
    if known.is_none() && events.is_empty() {
        return Err(StoreFault::Failed(format!("negotiation {negotiation} cannot begin without an event")));
    }
    let first = known.unwrap_or(0);
    file(db, negotiation, index, first.saturating_add(count(events.len()))).await?;
    claim_pids(db, negotiation, index, known.is_none()).await?;
    for (place, event) in (first..).zip(events) {
        query("INSERT INTO events (negotiation, place, event) VALUES (?, ?, ?)")
            .bind(negotiation)
            .bind(place)
            .bind(written(event)?)
            .execute(&mut *db)
            .await
            .map_err(fault)?;
    }
    for message in outgoing {
        outbox::add(db, message).await?;
    }
    for effect in effects {
        query("INSERT INTO orders (negotiation, effect, attempts, due) VALUES (?, ?, 0, ?)")
            .bind(negotiation)
            .bind(written(effect)?)
            .bind(index.at.seconds())
            .execute(&mut *db)
            .await
            .map_err(fault)?;
    }
    match mark {
        Some(mark) => outbox::mark(db, mark, Some(negotiation), outgoing).await,
        None => Ok(()),
    }
}

async fn file(db: &mut SqliteConnection, id: &str, index: &Index, version: i64) -> Result<(), StoreFault> {
    query(
        "INSERT INTO negotiations (id, peer, state, watched, at, version) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET peer = excluded.peer, state = excluded.state, watched = excluded.watched,
            at = excluded.at, version = excluded.version",
    )
    .bind(id)
    .bind(index.peer.as_str())
    .bind(index.state.to_string())
    .bind(index.watched)
    .bind(index.at.seconds())
    .bind(version)
    .execute(db)
    .await
    .map_err(fault)?;
    Ok(())
}

/// Two first messages of one thread begin one negotiation. Later on a pid that means another negotiation already stays
/// with that one: whoever names an id twice is not found by it.
async fn claim_pids(db: &mut SqliteConnection, id: &str, index: &Index, begins: bool) -> Result<(), StoreFault> {
    for pid in [index.consumer_pid.as_ref(), index.provider_pid.as_ref()].into_iter().flatten() {
        query("INSERT INTO pids (peer, pid, negotiation) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(index.peer.as_str())
            .bind(pid)
            .bind(id)
            .execute(&mut *db)
            .await
            .map_err(fault)?;
        if begins && find(db, &index.peer, pid).await?.as_deref() != Some(id) {
            return Err(StoreFault::Moved);
        }
    }
    Ok(())
}

pub(super) async fn log(db: &mut SqliteConnection, negotiation: &str) -> Result<Option<Vec<Event>>, StoreFault> {
    // One statement, so that version and events are of one moment.
    let rows = query(
        "SELECT n.version, e.place, e.event FROM negotiations n LEFT JOIN events e ON e.negotiation = n.id
         WHERE n.id = ? ORDER BY e.place",
    )
    .bind(negotiation)
    .fetch_all(db)
    .await
    .map_err(fault)?;
    let Some(first) = rows.first() else { return Ok(None) };
    let whole = format!("the log of negotiation {negotiation}");
    let version: i64 = Place::new(first, whole.as_str()).read("version")?;
    if version != count(rows.len()) {
        return Err(damaged(whole, format!("{} events where {version} were written", rows.len())));
    }
    let mut events = Vec::with_capacity(rows.len());
    for (expected, row) in (0_i64..).zip(&rows) {
        let place = Place::new(row, format!("event {expected} of negotiation {negotiation}"));
        let found: Option<i64> = place.read("place")?;
        if found != Some(expected) {
            return Err(place.damaged("place", "missing"));
        }
        events.push(place.json("event")?);
    }
    Ok(Some(events))
}

pub(super) async fn find(db: &mut SqliteConnection, peer: &Did, pid: &str) -> Result<Option<String>, StoreFault> {
    query_scalar("SELECT negotiation FROM pids WHERE peer = ? AND pid = ?")
        .bind(peer.as_str())
        .bind(pid)
        .fetch_optional(db)
        .await
        .map_err(fault)
}

pub(super) async fn negotiations(db: &mut SqliteConnection, states: &[StateName]) -> Result<Vec<String>, StoreFault> {
    query_scalar(
        "SELECT id FROM negotiations WHERE ?1 = '[]' OR state IN (SELECT value FROM json_each(?1)) ORDER BY number DESC",
    )
    .bind(written(&states)?)
    .fetch_all(db)
    .await
    .map_err(fault)
}

pub(super) async fn dealings(db: &mut SqliteConnection, peer: &Did, since: Timestamp) -> Result<Dealings, StoreFault> {
    let row = query(
        "SELECT coalesce(sum(state = ?1), 0) AS open, coalesce(sum(at >= ?2), 0) AS recent
         FROM negotiations WHERE peer = ?3",
    )
    .bind(StateName::Requested.to_string())
    .bind(since.seconds())
    .bind(peer.as_str())
    .fetch_one(db)
    .await
    .map_err(fault)?;
    let place = Place::new(&row, "the sum of negotiations");
    Ok(Dealings { open: place.count("open")?, recent: place.count("recent")? })
}

pub(super) async fn counterparties(db: &mut SqliteConnection, since: Timestamp) -> Result<Vec<Did>, StoreFault> {
    let rows = query(
        "SELECT peer FROM negotiations WHERE state NOT IN (?1, ?2) OR at >= ?3
         UNION SELECT recipient AS peer FROM outgoing WHERE due IS NOT NULL AND wants_answer = 1",
    )
    .bind(StateName::Finalized.to_string())
    .bind(StateName::Terminated.to_string())
    .bind(since.seconds())
    .fetch_all(db)
    .await
    .map_err(fault)?;
    rows.iter().map(|row| Place::new(row, "a counterparty").parse("peer")).collect()
}

pub(super) async fn watched(db: &mut SqliteConnection) -> Result<Vec<String>, StoreFault> {
    query_scalar("SELECT id FROM negotiations WHERE watched = 1 ORDER BY number").fetch_all(db).await.map_err(fault)
}

pub(super) async fn orders(db: &mut SqliteConnection, now: Timestamp) -> Result<Vec<Order>, StoreFault> {
    let rows = query("SELECT * FROM orders WHERE due <= ? ORDER BY number")
        .bind(now.seconds())
        .fetch_all(db)
        .await
        .map_err(fault)?;
    rows.iter()
        .map(|row| {
            let place = Place::of(row, "orders")?;
            Ok(Order {
                number: place.read("number")?,
                negotiation: place.read("negotiation")?,
                effect: place.json("effect")?,
                attempts: place.count("attempts")?,
            })
        })
        .collect()
}

pub(super) async fn performed(
    db: &mut SqliteConnection,
    order: i64,
    retry: Option<(Timestamp, &str)>,
) -> Result<(), StoreFault> {
    // What is done stays done, whatever a slower attempt reports.
    query("UPDATE orders SET attempts = attempts + 1, due = ?, note = ? WHERE number = ? AND due IS NOT NULL")
        .bind(retry.map(|(next, _)| next.seconds()))
        .bind(retry.map(|(_, why)| why))
        .bind(order)
        .execute(db)
        .await
        .map_err(fault)?;
    Ok(())
}

/// How the log and the orders are written.
fn written<T: serde::Serialize>(value: &T) -> Result<String, StoreFault> {
    serde_json::to_string(value).map_err(|cause| StoreFault::Failed(cause.to_string()))
}

fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}
