//! Plain negotiations: decisions of many callers are written in one transaction, and all wait for one fsync.

use std::mem::take;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::{SqliteConnection, SqlitePool, query, query_scalar};
use tokio::sync::{mpsc, oneshot};

use super::Sqlite;
use super::damage::{Place, damaged, fault};
use super::tokens::{self, Batch, Notes};
use crate::encoding::Timestamp;
use crate::negotiation::Role;
use crate::negotiation::plain::{Event, ParticipantId};
use crate::node::StoreFault;
use crate::node::dsp::{PlainCommit, PlainEntry, PlainStore, Receipt, Spent};

/// How many decisions share a transaction.
const TOGETHER: usize = 256;
const SQLITE_CONSTRAINT: i32 = 19;

type Waiting = (PlainCommit, oneshot::Sender<Result<(), StoreFault>>);

/// Hands decisions to the task that writes them; the task ends with it.
#[derive(Debug)]
pub(super) struct Desk(mpsc::UnboundedSender<Waiting>, Arc<Notes>);

impl Desk {
    /// A desk that writes nothing any more once it is known what is wrong with the file.
    pub(super) fn open(writer: SqlitePool, damage: Arc<OnceLock<String>>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let notes = Arc::default();
        tokio::spawn(write_all(Writer { file: writer, damage }, receiver, Arc::clone(&notes)));
        Self(sender, notes)
    }
}

/// The file as long as it is whole.
struct Writer {
    file: SqlitePool,
    damage: Arc<OnceLock<String>>,
}

async fn write_all(writer: Writer, mut waiting: mpsc::UnboundedReceiver<Waiting>, notes: Arc<Notes>) {
    let mut batch: Vec<Waiting> = Vec::with_capacity(TOGETHER);
    while waiting.recv_many(&mut batch, TOGETHER).await > 0 {
        let commits: Vec<&PlainCommit> = batch.iter().map(|(commit, _)| commit).collect();
        // After the decisions: what led to one of them was noted before it came.
        let mut noted = notes.take();
        let together = write(&writer, &commits, &noted).await;
        if together.is_ok() {
            notes.written(&mut noted);
        } else if batch.len() == 1 {
            notes.put_back(take(&mut noted));
        }
        if together.is_ok() || batch.len() == 1 {
            for (_, caller) in batch.drain(..) {
                // Whoever does not wait any more does not mind.
                let _ = caller.send(together.clone());
            }
            continue;
        }
        // One of them does not fit: each gets its own answer.
        for (commit, caller) in take(&mut batch) {
            let alone = write(&writer, &[&commit], &noted).await;
            if alone.is_ok() {
                notes.written(&mut noted);
            }
            let _ = caller.send(alone);
        }
        notes.put_back(noted);
    }
}

async fn write(writer: &Writer, commits: &[&PlainCommit], noted: &Batch) -> Result<(), StoreFault> {
    if let Some(what) = writer.damage.get() {
        return Err(StoreFault::Damaged(what.clone()));
    }
    let mut db = writer.file.begin_with("BEGIN IMMEDIATE").await.map_err(fault)?;
    let mut rows = Vec::new();
    let (mut events, mut send, mut done) = (Vec::new(), Vec::new(), Vec::new());
    let (mut told, mut undelivered) = (Vec::new(), Vec::new());
    for commit in commits {
        if let Some(index) = &commit.index {
            told.extend(commit.told.iter().map(|place| json!([index.at, commit.id, place])));
            let version = commit.place.saturating_add(commit.events.len() as u64);
            rows.push(json!([
                commit.id,
                role(index.role),
                index.peer,
                index.peer_pid,
                index.dataset,
                index.state,
                index.at,
                index.lapses,
                version
            ]));
        }
        events.extend((commit.place..).zip(&commit.events).map(|(place, event)| json!([commit.id, place, event])));
        send.extend(commit.send.iter().map(|place| json!([commit.id, place])));
        done.extend(commit.done.iter().map(|place| json!([commit.id, place])));
        undelivered.extend(commit.undelivered.iter().map(|(place, why)| json!([commit.id, place, why])));
    }
    noted.write(&mut db).await?;
    each(&mut db, FILE, rows).await?;
    each(&mut db, LOG, events).await?;
    each(&mut db, SEND, send).await?;
    each(&mut db, DONE, done).await?;
    each(&mut db, TOLD, told).await?;
    each(&mut db, UNDELIVERED, undelivered).await?;
    for commit in commits.iter().filter(|commit| commit.events.is_empty() && commit.place > 0) {
        let written: i64 = query_scalar("SELECT count(*) FROM plain_events WHERE negotiation = ?")
            .bind(&commit.id)
            .fetch_one(&mut *db)
            .await
            .map_err(fault)?;
        // What it waits for was not written; whoever was told otherwise would not say it again.
        if written.unsigned_abs() < commit.place {
            return Err(StoreFault::Moved);
        }
    }
    db.commit().await.map_err(fault)
}

const FILE: &str = "INSERT INTO plain_negotiations
        (id, role, peer, peer_pid, dataset, state, at, lapses, version)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
        value ->> 8
    FROM json_each(?) WHERE true
    ON CONFLICT (id) DO UPDATE SET peer_pid = excluded.peer_pid, state = excluded.state, at = excluded.at,
        lapses = excluded.lapses, version = excluded.version";
const LOG: &str = "INSERT INTO plain_events (negotiation, place, event)
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)";
const SEND: &str = "INSERT INTO plain_outgoing (negotiation, place)
    SELECT value ->> 0, value ->> 1 FROM json_each(?)";
const DONE: &str = "DELETE FROM plain_outgoing
    WHERE (negotiation, place) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))";
const TOLD: &str = "INSERT INTO news (kind, at, negotiation, place)
    SELECT 'plain', value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)";
const UNDELIVERED: &str = "INSERT INTO plain_undelivered (negotiation, place, why)
    SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true
    ON CONFLICT (negotiation, place) DO UPDATE SET why = excluded.why";

/// One statement for all rows: a batch costs as many statements as there are tables.
async fn each(db: &mut SqliteConnection, statement: &'static str, rows: Vec<Value>) -> Result<(), StoreFault> {
    if rows.is_empty() {
        return Ok(());
    }
    let done = query(statement).bind(Value::Array(rows).to_string()).execute(db).await;
    done.map(drop).map_err(|cause| {
        let code = cause.as_database_error().and_then(|cause| cause.code()?.parse::<i32>().ok());
        match code.map(|extended| extended & 0xff) {
            Some(SQLITE_CONSTRAINT) => StoreFault::Moved,
            _ => fault(cause),
        }
    })
}

const fn role(role: Role) -> &'static str {
    match role {
        Role::Provider => "provider",
        Role::Consumer => "consumer",
    }
}

#[async_trait]
impl PlainStore for Sqlite {
    fn submit(&self, commit: PlainCommit) -> Receipt {
        let (caller, answer) = oneshot::channel();
        let closed = || StoreFault::Failed("the store is closed".into());
        let handed = self.desk.0.send((commit, caller)).map_err(|_| closed());
        Box::pin(async move {
            handed?;
            answer.await.map_err(|_| closed())?
        })
    }

    fn spend(&self, token: Spent) -> u64 {
        self.desk.1.note(&token)
    }

    fn is_spent(&self, number: u64) -> bool {
        self.desk.1.is_written(number)
    }

    async fn spent(&self, now: Timestamp) -> Result<Vec<[u8; 16]>, StoreFault> {
        tokens::spent(&self.readers, now).await
    }

    async fn plain_log(&self, id: &str) -> Result<Option<Vec<Event>>, StoreFault> {
        let rows = query(
            "SELECT n.version, e.place, e.event FROM plain_negotiations n LEFT JOIN plain_events e ON e.negotiation = n.id
             WHERE n.id = ? ORDER BY e.place",
        )
        .bind(id)
        .fetch_all(&mut *self.reading().await?)
        .await
        .map_err(fault)?;
        let Some(first) = rows.first() else { return Ok(None) };
        let whole = format!("the log of plain negotiation {id}");
        let version: u64 = Place::new(first, whole.as_str()).count("version")?;
        if version != rows.len() as u64 {
            return Err(damaged(whole, format!("{} events where {version} were written", rows.len())));
        }
        rows.iter().map(|row| Place::new(row, whole.as_str()).json("event")).collect::<Result<_, _>>().map(Some)
    }

    async fn find_plain(&self, peer: &ParticipantId, side: Role, pid: &str) -> Result<Option<String>, StoreFault> {
        query_scalar("SELECT id FROM plain_negotiations WHERE peer = ? AND role = ? AND peer_pid = ?")
            .bind(peer.as_str())
            .bind(role(side))
            .bind(pid)
            .fetch_optional(&mut *self.reading().await?)
            .await
            .map_err(fault)
    }

    async fn plain(&self, open: bool, before: Option<i64>, limit: u32) -> Result<Vec<PlainEntry>, StoreFault> {
        let statement = if open {
            "SELECT number, id FROM plain_negotiations WHERE state NOT IN ('FINALIZED', 'TERMINATED') AND number < ?
             ORDER BY number DESC LIMIT ?"
        } else {
            "SELECT number, id FROM plain_negotiations WHERE number < ? ORDER BY number DESC LIMIT ?"
        };
        let rows = query(statement)
            .bind(before.unwrap_or(i64::MAX))
            .bind(limit)
            .fetch_all(&mut *self.reading().await?)
            .await
            .map_err(fault)?;
        rows.iter()
            .map(|row| {
                let place = Place::of(row, "plain_negotiations")?;
                Ok(PlainEntry { number: place.read("number")?, id: place.read("id")? })
            })
            .collect()
    }

    async fn plain_open_with(&self, peer: &ParticipantId) -> Result<u64, StoreFault> {
        let open: i64 = query_scalar(
            "SELECT count(*) FROM plain_negotiations WHERE peer = ? AND state NOT IN ('FINALIZED', 'TERMINATED')",
        )
        .bind(peer.as_str())
        .fetch_one(&mut *self.reading().await?)
        .await
        .map_err(fault)?;
        Ok(open.unsigned_abs())
    }

    async fn plain_open(&self) -> Result<Vec<(ParticipantId, u64)>, StoreFault> {
        let rows = query(
            "SELECT peer, count(*) AS open FROM plain_negotiations WHERE state NOT IN ('FINALIZED', 'TERMINATED')
             GROUP BY peer",
        );
        let rows = rows.fetch_all(&mut *self.reading().await?).await.map_err(fault)?;
        rows.iter()
            .map(|row| {
                let place = Place::new(row, "plain_negotiations");
                Ok((place.parse("peer")?, place.count("open")?))
            })
            .collect()
    }

    async fn plain_lapsed(&self, now: Timestamp) -> Result<(Vec<String>, Option<Timestamp>), StoreFault> {
        let mut db = self.reading().await?;
        let due = query_scalar("SELECT id FROM plain_negotiations WHERE lapses <= ? ORDER BY lapses LIMIT 1000")
            .bind(now.seconds())
            .fetch_all(&mut *db)
            .await
            .map_err(fault)?;
        let next: Option<i64> = query_scalar("SELECT min(lapses) FROM plain_negotiations WHERE lapses > ?")
            .bind(now.seconds())
            .fetch_one(&mut *db)
            .await
            .map_err(fault)?;
        Ok((due, next.and_then(|next| Timestamp::from_seconds(next).ok())))
    }

    async fn plain_pending(&self, id: &str) -> Result<crate::node::dsp::PlainPending, StoreFault> {
        let mut db = self.reading().await?;
        let lapses: Option<Option<i64>> = query_scalar("SELECT lapses FROM plain_negotiations WHERE id = ?")
            .bind(id)
            .fetch_optional(&mut *db)
            .await
            .map_err(fault)?;
        let rows = query("SELECT place, why FROM plain_undelivered WHERE negotiation = ? ORDER BY place")
            .bind(id)
            .fetch_all(&mut *db)
            .await
            .map_err(fault)?;
        let undelivered = rows.iter().map(|row| {
            let place = Place::new(row, "plain_undelivered");
            Ok((place.count("place")?, place.read("why")?))
        });
        Ok(crate::node::dsp::PlainPending {
            lapses: lapses.flatten().and_then(|at| Timestamp::from_seconds(at).ok()),
            undelivered: undelivered.collect::<Result<_, StoreFault>>()?,
        })
    }

    async fn plain_unsent(&self) -> Result<Vec<(String, u64)>, StoreFault> {
        let rows = query("SELECT negotiation, place FROM plain_outgoing ORDER BY negotiation, place");
        let rows = rows.fetch_all(&mut *self.reading().await?).await.map_err(fault)?;
        rows.iter()
            .map(|row| {
                let place = Place::new(row, "plain_outgoing");
                Ok((place.read("negotiation")?, place.count("place")?))
            })
            .collect()
    }
}
