//! Messages on their way out, and the marks of those that came in.

use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, query, query_scalar};

use super::damage::{Place, fault};
use crate::encoding::Timestamp;
use crate::identity::Did;
use crate::node::{Mark, Outgoing, StoreFault};

/// Puts a message into the queue; a second one under the same id is a fault of the program.
pub(super) async fn add(db: &mut SqliteConnection, outgoing: &Outgoing) -> Result<(), StoreFault> {
    let Outgoing { id, negotiation, to, signed, wants_answer, attempts, due, note } = outgoing;
    query(
        "INSERT INTO outgoing (id, negotiation, recipient, signed, wants_answer, attempts, due, note)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(id)
    .bind(negotiation)
    .bind(to.as_str())
    .bind(signed)
    .bind(wants_answer)
    .bind(attempts)
    .bind(due.map(Timestamp::seconds))
    .bind(note)
    .execute(db)
    .await
    .map_err(fault)?;
    Ok(())
}

/// Queues a message; the very same one again (an answer that is repeated) only becomes due again.
pub(super) async fn queue(
    db: &mut SqliteConnection,
    outgoing: &Outgoing,
    cause: Option<&Mark>,
) -> Result<(), StoreFault> {
    if let Some(cause) = cause {
        refuse_repeated(db, cause).await?;
    }
    let again = query("UPDATE outgoing SET due = ? WHERE id = ? AND recipient = ? AND signed = ? AND acknowledged = 0")
        .bind(outgoing.due.map(Timestamp::seconds))
        .bind(&outgoing.id)
        .bind(outgoing.to.as_str())
        .bind(&outgoing.signed)
        .execute(&mut *db)
        .await
        .map_err(fault)?;
    if again.rows_affected() == 0 {
        add(db, outgoing).await?;
    }
    match cause {
        Some(cause) => {
            mark(db, cause, outgoing.negotiation.as_deref(), std::slice::from_ref(outgoing)).await?;
            if outgoing.negotiation.is_some() { Ok(()) } else { forget(db, &cause.from).await }
        }
        None => Ok(()),
    }
}

/// How many answers that belong to no negotiation a counterparty has here; older ones are forgotten, and whoever repeats
/// so old a question is answered anew.
const UNRELATED: i64 = 32;

async fn forget(db: &mut SqliteConnection, peer: &Did) -> Result<(), StoreFault> {
    query(
        "DELETE FROM marks WHERE sender = ?1 AND negotiation IS NULL AND number <= (SELECT number FROM marks
            WHERE sender = ?1 AND negotiation IS NULL ORDER BY number DESC LIMIT 1 OFFSET ?2)",
    )
    .bind(peer.as_str())
    .bind(UNRELATED)
    .execute(&mut *db)
    .await
    .map_err(fault)?;
    query(
        "DELETE FROM outgoing WHERE recipient = ?1 AND negotiation IS NULL AND wants_answer = 0
         AND NOT EXISTS (SELECT 1 FROM marks WHERE answer = outgoing.id)",
    )
    .bind(peer.as_str())
    .execute(db)
    .await
    .map_err(fault)?;
    Ok(())
}

pub(super) async fn refuse_repeated(db: &mut SqliteConnection, mark: &Mark) -> Result<(), StoreFault> {
    let known: Option<i64> = query_scalar("SELECT number FROM marks WHERE sender = ? AND message = ?")
        .bind(mark.from.as_str())
        .bind(&mark.message)
        .fetch_optional(db)
        .await
        .map_err(fault)?;
    known.map_or(Ok(()), |_| Err(StoreFault::Repeated))
}

/// Marks a message as dealt with. Its answer may be one of the messages `queued` already.
pub(super) async fn mark(
    db: &mut SqliteConnection,
    mark: &Mark,
    negotiation: Option<&str>,
    queued: &[Outgoing],
) -> Result<(), StoreFault> {
    let Mark { from, message, signed, answer } = mark;
    if !queued.iter().any(|outgoing| outgoing.id == answer.id) {
        // An answer is never answered; else it would hold back what follows it.
        add(db, &Outgoing { wants_answer: false, ..answer.clone() }).await?;
    }
    query("INSERT INTO marks (sender, message, negotiation, signed, answer) VALUES (?, ?, ?, ?, ?)")
        .bind(from.as_str())
        .bind(message)
        .bind(negotiation)
        .bind(signed)
        .bind(&answer.id)
        .execute(db)
        .await
        .map_err(fault)?;
    Ok(())
}

pub(super) async fn answered(
    db: &mut SqliteConnection,
    from: &Did,
    message: &str,
) -> Result<Option<Outgoing>, StoreFault> {
    let row = query("SELECT o.* FROM marks m JOIN outgoing o ON o.id = m.answer WHERE m.sender = ? AND m.message = ?")
        .bind(from.as_str())
        .bind(message)
        .fetch_optional(db)
        .await
        .map_err(fault)?;
    row.as_ref().map(outgoing).transpose()
}

// A message waits for the older ones of its negotiation that want an answer and are not done; answers never wait.
macro_rules! waiting {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM outgoing o WHERE o.due IS NOT NULL AND (o.wants_answer = 0 OR o.negotiation IS NULL OR NOT EXISTS (
                SELECT 1 FROM outgoing e WHERE e.negotiation = o.negotiation AND e.wants_answer = 1
                AND e.due IS NOT NULL AND e.number < o.number)) ",
            $rest
        )
    };
}

pub(super) async fn due(db: &mut SqliteConnection, now: Timestamp, limit: u32) -> Result<Vec<Outgoing>, StoreFault> {
    let rows = query(concat!(
        "SELECT * FROM (",
        waiting!("o.*, row_number() OVER (PARTITION BY o.recipient ORDER BY o.number) AS turn", "AND o.due <= ?"),
        ") ORDER BY turn, number LIMIT ?"
    ))
    .bind(now.seconds())
    .bind(limit)
    .fetch_all(db)
    .await
    .map_err(fault)?;
    rows.iter().map(outgoing).collect()
}

pub(super) async fn next_due(db: &mut SqliteConnection) -> Result<Option<Timestamp>, StoreFault> {
    let row = query(waiting!("min(o.due) AS due", "")).fetch_one(db).await.map_err(fault)?;
    Place::new(&row, "the earliest row of outgoing").time("due")
}

pub(super) async fn hasten(db: &mut SqliteConnection, to: &Did, from: Timestamp) -> Result<(), StoreFault> {
    query("UPDATE outgoing SET due = ?1 WHERE recipient = ?2 AND due > ?1")
        .bind(from.seconds())
        .bind(to.as_str())
        .execute(db)
        .await
        .map_err(fault)?;
    Ok(())
}

pub(super) async fn undelivered(
    db: &mut SqliteConnection,
    attempts: u32,
    limit: u32,
) -> Result<Vec<Outgoing>, StoreFault> {
    let sql = waiting!(
        "o.*",
        "AND o.wants_answer = 1 AND o.negotiation IS NOT NULL AND o.attempts >= ? ORDER BY o.number LIMIT ?"
    );
    let rows = query(sql).bind(attempts).bind(limit).fetch_all(db).await.map_err(fault)?;
    rows.iter().map(outgoing).collect()
}

pub(super) async fn attempted(
    db: &mut SqliteConnection,
    id: &str,
    next: Option<Timestamp>,
    note: Option<&str>,
) -> Result<(), StoreFault> {
    query(
        "UPDATE outgoing SET attempts = attempts + 1, due = iif(acknowledged, NULL, ?1),
            note = iif(acknowledged, note, ?2) WHERE id = ?3",
    )
    .bind(next.map(Timestamp::seconds))
    .bind(note)
    .bind(id)
    .execute(db)
    .await
    .map_err(fault)?;
    Ok(())
}

pub(super) async fn signed_anew(db: &mut SqliteConnection, id: &str, signed: &str) -> Result<(), StoreFault> {
    query("UPDATE outgoing SET signed = ?1 WHERE id = ?2").bind(signed).bind(id).execute(db).await.map_err(fault)?;
    Ok(())
}

pub(super) async fn acknowledged(
    db: &mut SqliteConnection,
    id: &str,
    to: &Did,
    note: Option<&str>,
) -> Result<(), StoreFault> {
    // The first answer stands.
    query(
        "UPDATE outgoing SET due = NULL, acknowledged = 1, note = ? WHERE id = ? AND recipient = ? AND acknowledged = 0",
    )
    .bind(note)
    .bind(id)
    .bind(to.as_str())
    .execute(db)
    .await
    .map_err(fault)?;
    Ok(())
}

pub(super) async fn sent(db: &mut SqliteConnection, negotiation: &str) -> Result<Vec<Outgoing>, StoreFault> {
    let rows = query("SELECT * FROM outgoing WHERE negotiation = ? ORDER BY number")
        .bind(negotiation)
        .fetch_all(db)
        .await
        .map_err(fault)?;
    rows.iter().map(outgoing).collect()
}

fn outgoing(row: &SqliteRow) -> Result<Outgoing, StoreFault> {
    let place = Place::of(row, "outgoing")?;
    Ok(Outgoing {
        id: place.read("id")?,
        negotiation: place.read("negotiation")?,
        to: place.parse("recipient")?,
        signed: place.read("signed")?,
        wants_answer: place.read("wants_answer")?,
        attempts: place.count("attempts")?,
        due: place.time("due")?,
        note: place.read("note")?,
    })
}

/// The signed messages of the counterparty that were dealt with in a negotiation, oldest first.
pub(super) async fn received(db: &mut SqliteConnection, negotiation: &str) -> Result<Vec<String>, StoreFault> {
    query_scalar("SELECT signed FROM marks WHERE negotiation = ? AND signed IS NOT NULL ORDER BY number")
        .bind(negotiation)
        .fetch_all(db)
        .await
        .map_err(fault)
}

pub(super) async fn heard_in(db: &mut SqliteConnection, negotiation: &str) -> Result<u64, StoreFault> {
    let row = query("SELECT count(*) AS marks FROM marks WHERE negotiation = ?")
        .bind(negotiation)
        .fetch_one(db)
        .await
        .map_err(fault)?;
    Place::new(&row, "the sum of marks").count("marks")
}
