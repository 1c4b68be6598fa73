use std::sync::Arc;

use serde_json::json;
use tokio::sync::Mutex;
use tracing::{error, info};

use super::{NodeFault, Store, StoreFault, chance};
use crate::encoding::Timestamp;

/// What is written to see whether anything can be, and for how many seconds that is believed; less where it could not.
const TRIED: &str = "room";
const SIZE: usize = 8 * 1024;
const BELIEVED: i64 = 30;
const DOUBTED: i64 = 3;

/// Whether a store has room for what comes. A limit is looked up each time it is asked; that a disk has room shows only when
/// something is written, so that is tried now and then.
pub struct Room {
    store: Arc<dyn Store>,
    tried: Arc<Mutex<Tried>>,
}

/// What was found, and when.
type Tried = Option<(Timestamp, Result<(), StoreFault>)>;

impl Room {
    /// That of a store.
    pub fn of(store: Arc<dyn Store>) -> Self {
        Self { store, tried: Arc::default() }
    }

    /// # Errors
    /// `Full` where there is no room; when the store fails, or there is no time.
    pub async fn hold(&self) -> Result<(), NodeFault> {
        let now = chance::now()?;
        let mut tried = Arc::clone(&self.tried).lock_owned().await;
        // A clock that was set back makes nothing believed for longer.
        let still = |at: Timestamp, within| at <= now && now < at.plus(within);
        let recent =
            |(at, found): &(Timestamp, Result<_, _>)| still(*at, if found.is_ok() { BELIEVED } else { DOUBTED });
        if let Err(fault) = self.store.room().await {
            note(&mut tried, now, &Err(fault.clone()));
            return Err(fault.into());
        }
        if let Some((_, found)) = tried.as_ref().filter(|tried| recent(tried)) {
            return Ok(found.clone()?);
        }
        let store = Arc::clone(&self.store);
        // Whoever asks may hang up: what was begun is brought to its end, so that nobody has it begun again and again.
        let attempt = tokio::spawn(async move {
            let found = attempt(&*store).await;
            note(&mut tried, now, &found);
            found
        });
        let ended =
            attempt.await.map_err(|_| StoreFault::Failed("whether it takes things could not be tried".into()))?;
        Ok(ended?)
    }
}

fn note(tried: &mut Tried, now: Timestamp, found: &Result<(), StoreFault>) {
    let was = tried.as_ref().is_none_or(|(_, found)| found.is_ok());
    match found {
        Err(fault) if was => error!(%fault, "the store takes nothing any more"),
        Ok(()) if !was => info!("the store takes things again"),
        _ => {}
    }
    *tried = Some((now, found.clone()));
}

async fn attempt(store: &dyn Store) -> Result<(), StoreFault> {
    store.put(TRIED, TRIED, &json!("-".repeat(SIZE))).await?;
    store.remove(TRIED, TRIED).await.map(drop)
}
