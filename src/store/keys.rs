//! Keys to the management interface: their hashes, never the keys.

use async_trait::async_trait;
use sqlx::query;
use sqlx::sqlite::SqliteRow;

use super::Sqlite;
use super::damage::{Place, fault};
use super::port::done;
use crate::encoding::Timestamp;
use crate::node::{KeyRecord, KeyStore, StoreFault};

#[async_trait]
impl KeyStore for Sqlite {
    async fn api_keys(&self) -> Result<Vec<KeyRecord>, StoreFault> {
        let rows = query("SELECT * FROM api_keys ORDER BY name");
        let rows = rows.fetch_all(&mut *self.reading().await?).await.map_err(fault)?;
        rows.iter().map(record).collect()
    }

    async fn add_api_key(&self, key: &KeyRecord) -> Result<bool, StoreFault> {
        let mut db = self.writing().await?;
        let added =
            query("INSERT INTO api_keys (name, hash, scope, made, used) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
                .bind(&key.name)
                .bind(key.hash.as_bytes().as_slice())
                .bind(key.scope.name())
                .bind(key.made.seconds())
                .bind(key.used.map(Timestamp::seconds))
                .execute(&mut *db)
                .await
                .map_err(fault)?;
        done(db, added.rows_affected() == 1).await
    }

    async fn remove_api_key(&self, name: &str) -> Result<bool, StoreFault> {
        let mut db = self.writing().await?;
        let removed = query("DELETE FROM api_keys WHERE name = ?").bind(name).execute(&mut *db).await.map_err(fault)?;
        done(db, removed.rows_affected() == 1).await
    }

    async fn api_key_used(&self, name: &str, at: Timestamp) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        query("UPDATE api_keys SET used = ? WHERE name = ?")
            .bind(at.seconds())
            .bind(name)
            .execute(&mut *db)
            .await
            .map_err(fault)?;
        done(db, ()).await
    }
}

fn record(row: &SqliteRow) -> Result<KeyRecord, StoreFault> {
    let name: String = Place::new(row, "an API key").read("name")?;
    let place = Place::new(row, format!("the API key {name}"));
    let made = place.time("made")?.ok_or_else(|| place.damaged("made", "missing"))?;
    Ok(KeyRecord { hash: place.digest("hash")?, scope: place.parse("scope")?, made, used: place.time("used")?, name })
}
