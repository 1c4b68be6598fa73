//! Tokens that were used: noted in memory, and written with the decisions that follow, so that none costs an fsync of its own.

use std::mem::take;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sqlx::{SqliteConnection, SqlitePool, query};

use super::damage::{Place, damaged, fault};
use crate::encoding::Timestamp;
use crate::node::StoreFault;
use crate::node::dsp::Spent;

/// How long what stands for a token is.
const LONG: usize = 16;

/// What was noted and is not written yet.
#[derive(Debug, Default)]
pub(super) struct Notes {
    waiting: Mutex<Waiting>,
    written: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    noted: u64,
    tokens: Vec<u8>,
    /// The time of the last one, and until when one of them could be used again.
    at: i64,
    until: i64,
}

/// Notes on their way into the file.
#[derive(Debug, Default)]
pub(super) struct Batch {
    last: u64,
    tokens: Vec<u8>,
    at: i64,
    until: i64,
}

impl Notes {
    fn held(&self) -> MutexGuard<'_, Waiting> {
        // Plain values cannot be left half-written by a panic elsewhere.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a token; its number.
    pub(super) fn note(&self, spent: &Spent) -> u64 {
        let mut waiting = self.held();
        waiting.noted += 1;
        waiting.tokens.extend_from_slice(&spent.token);
        waiting.at = waiting.at.max(spent.at.seconds());
        waiting.until = waiting.until.max(spent.until.seconds());
        waiting.noted
    }

    /// Whether the token of a number is written, and those before it.
    pub(super) fn is_written(&self, number: u64) -> bool {
        self.written.load(Ordering::Acquire) >= number
    }

    /// Takes what waits.
    pub(super) fn take(&self) -> Batch {
        let mut waiting = self.held();
        Batch { last: waiting.noted, tokens: take(&mut waiting.tokens), at: waiting.at, until: waiting.until }
    }

    /// Says that a batch is in the file.
    pub(super) fn written(&self, batch: &mut Batch) {
        batch.tokens.clear();
        self.written.store(batch.last, Ordering::Release);
    }

    /// Puts back what could not be written.
    pub(super) fn put_back(&self, batch: Batch) {
        let mut waiting = self.held();
        let newer = take(&mut waiting.tokens);
        waiting.tokens = batch.tokens;
        waiting.tokens.extend(newer);
    }
}

impl Batch {
    /// Writes it as one row, and forgets the rows whose tokens have expired.
    pub(super) async fn write(&self, db: &mut SqliteConnection) -> Result<(), StoreFault> {
        if self.tokens.is_empty() {
            return Ok(());
        }
        let row = query("INSERT INTO spent_tokens (until, tokens) VALUES (?, ?)").bind(self.until).bind(&*self.tokens);
        row.execute(&mut *db).await.map_err(fault)?;
        query("DELETE FROM spent_tokens WHERE until < ?").bind(self.at).execute(db).await.map_err(fault)?;
        Ok(())
    }
}

/// The tokens that could be used again.
pub(super) async fn spent(readers: &SqlitePool, now: Timestamp) -> Result<Vec<[u8; LONG]>, StoreFault> {
    let rows = query("SELECT number, tokens FROM spent_tokens WHERE until >= ?").bind(now.seconds());
    let rows = rows.fetch_all(readers).await.map_err(fault)?;
    let mut found = Vec::new();
    for row in &rows {
        let tokens: &[u8] = Place::of(row, "spent_tokens")?.read("tokens")?;
        let (whole, rest) = tokens.as_chunks::<LONG>();
        if !rest.is_empty() {
            return Err(damaged("spent_tokens", format!("{} bytes", tokens.len())));
        }
        found.extend_from_slice(whole);
    }
    Ok(found)
}
