//! Transfers: their logs, what they are found by, and what counterparties have not been told yet.

use async_trait::async_trait;
use sqlx::{SqliteConnection, query, query_scalar};

use super::Sqlite;
use super::damage::{Place, damaged, fault};
use super::port::done;
use crate::encoding::{Digest, Timestamp};
use crate::node::StoreFault;
use crate::node::transfers::{DueNotice, TransferCommit, TransferStore};
use crate::transfer::Event;

#[async_trait]
impl TransferStore for Sqlite {
    async fn commit_transfer(&self, commit: TransferCommit) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        write(&mut db, &commit).await?;
        done(db, ()).await
    }

    async fn transfer_log(&self, id: &str) -> Result<Option<Vec<Event>>, StoreFault> {
        log(&mut *self.reading().await?, id).await
    }

    async fn transfer_of(&self, peer: &str, consumer_pid: &str) -> Result<Option<String>, StoreFault> {
        begun(&mut *self.reading().await?, peer, consumer_pid).await
    }

    async fn transfer_of_token(&self, token: Digest) -> Result<Option<String>, StoreFault> {
        let found = query_scalar("SELECT id FROM transfers WHERE token = ?").bind(token.as_bytes().to_vec());
        found.fetch_optional(&mut *self.reading().await?).await.map_err(fault)
    }

    async fn transfer_heard(&self, peer: &str, message: &str) -> Result<bool, StoreFault> {
        heard(&mut *self.reading().await?, peer, message).await
    }

    async fn transfers(&self) -> Result<Vec<String>, StoreFault> {
        let ids = query_scalar("SELECT id FROM transfers ORDER BY number DESC");
        ids.fetch_all(&mut *self.reading().await?).await.map_err(fault)
    }

    async fn transfers_open(&self, agreement: &str) -> Result<u64, StoreFault> {
        let row = query(
            "SELECT count(*) AS open FROM transfers WHERE agreement = ? AND state NOT IN ('COMPLETED', 'TERMINATED')",
        );
        let row = row.bind(agreement).fetch_one(&mut *self.reading().await?).await.map_err(fault)?;
        Place::new(&row, "the sum of transfers").count("open")
    }

    async fn notices_due(&self, now: Timestamp, limit: u32, each: u32) -> Result<Vec<DueNotice>, StoreFault> {
        // A notice waits for the older ones of its transfer.
        let rows = query(
            "SELECT * FROM (
                SELECT n.*, t.peer, row_number() OVER (PARTITION BY t.peer ORDER BY n.number) AS turn
                FROM transfer_notices n JOIN transfers t ON t.id = n.transfer
                WHERE due <= ? AND NOT EXISTS (
                    SELECT 1 FROM transfer_notices e WHERE e.transfer = n.transfer AND e.number < n.number))
             WHERE turn <= ? ORDER BY number LIMIT ?",
        );
        let rows = rows
            .bind(now.seconds())
            .bind(each)
            .bind(limit)
            .fetch_all(&mut *self.reading().await?)
            .await
            .map_err(fault)?;
        let notices = rows.iter().map(|row| {
            let place = Place::of(row, "transfer_notices")?;
            Ok(DueNotice {
                id: place.read("id")?,
                transfer: place.read("transfer")?,
                peer: place.read("peer")?,
                notice: place.json("notice")?,
                attempts: place.count("attempts")?,
            })
        });
        notices.collect()
    }

    async fn agreed(&self, agreement: &str) -> Result<Vec<String>, StoreFault> {
        let found = query_scalar(
            "SELECT DISTINCT negotiation FROM plain_events WHERE event ->> '$.said.word.kind' = 'agreement'
             AND event ->> '$.said.word.agreement.\"@id\"' = ?",
        );
        found.bind(agreement).fetch_all(&mut *self.reading().await?).await.map_err(fault)
    }

    async fn contracted(&self, contract: &str) -> Result<Vec<String>, StoreFault> {
        let found = query_scalar(
            "SELECT DISTINCT negotiation FROM events WHERE json_valid(event) AND event ->> '$.event' = 'accepted'
             AND event ->> '$.core.contract_id' = ?",
        );
        found.bind(contract).fetch_all(&mut *self.reading().await?).await.map_err(fault)
    }

    async fn notice_tried(&self, id: &str, again: Option<Timestamp>) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        let statement = match again {
            Some(again) => query("UPDATE transfer_notices SET attempts = attempts + 1, due = ? WHERE id = ?")
                .bind(again.seconds())
                .bind(id),
            None => query("DELETE FROM transfer_notices WHERE id = ?").bind(id),
        };
        statement.execute(&mut *db).await.map_err(fault)?;
        done(db, ()).await
    }
}

async fn write(db: &mut SqliteConnection, commit: &TransferCommit) -> Result<(), StoreFault> {
    if let Some(message) = &commit.message {
        // Before the version: whoever repeats a message is told so, and not to decide again.
        if heard(db, &commit.peer, message).await? {
            return Err(StoreFault::Repeated);
        }
        query("INSERT INTO transfer_marks (peer, message) VALUES (?, ?)")
            .bind(&commit.peer)
            .bind(message)
            .execute(&mut *db)
            .await
            .map_err(fault)?;
    }
    let known: Option<i64> = query_scalar("SELECT version FROM transfers WHERE id = ?")
        .bind(&commit.id)
        .fetch_optional(&mut *db)
        .await
        .map_err(fault)?;
    let first = known.unwrap_or(0);
    if u64::try_from(first) != Ok(commit.version) {
        return Err(StoreFault::Moved);
    }
    if known.is_none() && begun(db, &commit.peer, &commit.consumer_pid).await?.is_some() {
        return Err(StoreFault::Moved);
    }
    let version = first.saturating_add(i64::try_from(commit.events.len()).unwrap_or(i64::MAX));
    let statement = match known {
        None => query(
            "INSERT INTO transfers (state, token, at, version, id, peer, consumer_pid, agreement)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        ),
        // A token that was given out is good until another one is, or the transfer ends.
        Some(_) => query(
            "UPDATE transfers SET state = ?1, token = iif(?1 IN ('COMPLETED', 'TERMINATED'), NULL, ifnull(?2, token)),
                at = ?3, version = ?4 WHERE id = ?5",
        ),
    };
    let statement = statement
        .bind(commit.state.name())
        .bind(commit.token.map(|token| token.as_bytes().to_vec()))
        .bind(commit.at.seconds())
        .bind(version)
        .bind(&commit.id);
    let statement = match known {
        None => statement.bind(&commit.peer).bind(&commit.consumer_pid).bind(&commit.agreement),
        Some(_) => statement,
    };
    statement.execute(&mut *db).await.map_err(fault)?;
    for (place, event) in (first..).zip(&commit.events) {
        query("INSERT INTO transfer_events (transfer, place, event) VALUES (?, ?, ?)")
            .bind(&commit.id)
            .bind(place)
            .bind(written(event)?)
            .execute(&mut *db)
            .await
            .map_err(fault)?;
    }
    if let Some((id, notice)) = &commit.notice {
        query("INSERT INTO transfer_notices (id, transfer, notice, attempts, due) VALUES (?, ?, ?, 0, ?)")
            .bind(id)
            .bind(&commit.id)
            .bind(written(notice)?)
            .bind(commit.at.seconds())
            .execute(db)
            .await
            .map_err(fault)?;
    }
    Ok(())
}

async fn begun(db: &mut SqliteConnection, peer: &str, consumer_pid: &str) -> Result<Option<String>, StoreFault> {
    let found = query_scalar("SELECT id FROM transfers WHERE peer = ? AND consumer_pid = ?");
    found.bind(peer).bind(consumer_pid).fetch_optional(db).await.map_err(fault)
}

async fn heard(db: &mut SqliteConnection, peer: &str, message: &str) -> Result<bool, StoreFault> {
    let found: Option<i64> = query_scalar("SELECT 1 FROM transfer_marks WHERE peer = ? AND message = ?")
        .bind(peer)
        .bind(message)
        .fetch_optional(db)
        .await
        .map_err(fault)?;
    Ok(found.is_some())
}

async fn log(db: &mut SqliteConnection, id: &str) -> Result<Option<Vec<Event>>, StoreFault> {
    // One statement, so that version and events are of one moment.
    let rows = query(
        "SELECT t.version, e.place, e.event FROM transfers t LEFT JOIN transfer_events e ON e.transfer = t.id
         WHERE t.id = ? ORDER BY e.place",
    );
    let rows = rows.bind(id).fetch_all(db).await.map_err(fault)?;
    let Some(first) = rows.first() else { return Ok(None) };
    let version: i64 = Place::new(first, format!("the log of transfer {id}")).read("version")?;
    if i64::try_from(rows.len()) != Ok(version) {
        return Err(damaged(format!("transfer {id}"), format!("{} events, {version} were written", rows.len())));
    }
    rows.iter()
        .map(|row| Place::new(row, format!("an event of transfer {id}")).json("event"))
        .collect::<Result<_, _>>()
        .map(Some)
}

fn written(value: &impl serde::Serialize) -> Result<String, StoreFault> {
    serde_json::to_string(value).map_err(|cause| StoreFault::Failed(cause.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SealingKey;
    use crate::transfer::{Kind, Notice, StateName};

    #[tokio::test]
    async fn a_counterparty_with_much_to_be_told_leaves_room_for_the_others() {
        let home = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&home.path().join("node.db"), SealingKey::new(&[7; 32])).await.unwrap();
        let at = Timestamp::from_seconds(1_800_000_000).unwrap();
        let begin = async |peer: &str, number: u32| {
            let notice = Notice { kind: Kind::Start, address: None, reason: Default::default() };
            let commit = TransferCommit {
                id: format!("{peer} {number}"),
                version: 0,
                events: vec![Event::Named { provider_pid: "urn:uuid:p".into() }],
                notice: Some((format!("notice of {peer} {number}"), notice)),
                message: None,
                token: None,
                peer: peer.into(),
                consumer_pid: number.to_string(),
                agreement: "urn:uuid:a".into(),
                state: StateName::Started,
                at,
            };
            store.commit_transfer(commit).await.unwrap();
        };
        for number in 0..20 {
            begin("greedy", number).await;
        }
        begin("modest", 0).await;
        let due: Vec<String> =
            store.notices_due(at, 64, 8).await.unwrap().into_iter().map(|notice| notice.transfer).collect();
        let expected: Vec<String> =
            (0..8).map(|number| format!("greedy {number}")).chain(["modest 0".into()]).collect();
        assert_eq!(due, expected);
        assert_eq!(store.notices_due(at, 3, 8).await.unwrap().len(), 3);
        store.notice_tried("notice of greedy 0", None).await.unwrap();
        assert_eq!(store.notices_due(at, 64, 8).await.unwrap()[7].transfer, "greedy 8");
    }
}
