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
    tried: Mutex<Option<(Timestamp, Result<(), StoreFault>)>>,
}

impl Room {
    /// That of a store.
    pub fn of(store: Arc<dyn Store>) -> Self {
        Self { store, tried: Mutex::new(None) }
    }

    /// # Errors
    /// `Full` where there is no room; when the store fails, or there is no time.
    pub async fn hold(&self) -> Result<(), NodeFault> {
        let now = chance::now()?;
        let mut tried = self.tried.lock().await;
        let before = tried.take();
        // A clock that was set back makes nothing believed for longer.
        let still = |at: Timestamp, within| at <= now && now < at.plus(within);
        let recent = before.clone().filter(|(at, found)| still(*at, if found.is_ok() { BELIEVED } else { DOUBTED }));
        let (at, found) = match (self.store.room().await, recent) {
            (Ok(()), Some(recent)) => recent,
            (Ok(()), None) => (now, self.attempt().await),
            (Err(fault), _) => (now, Err(fault)),
        };
        let was = before.is_none_or(|(_, found)| found.is_ok());
        match &found {
            Err(fault) if was => error!(%fault, "the store takes nothing any more"),
            Ok(()) if !was => info!("the store takes things again"),
            _ => {}
        }
        *tried = Some((at, found.clone()));
        Ok(found?)
    }

    async fn attempt(&self) -> Result<(), StoreFault> {
        self.store.put(TRIED, TRIED, &json!("-".repeat(SIZE))).await?;
        self.store.remove(TRIED, TRIED).await.map(drop)
    }
}
