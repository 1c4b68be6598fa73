//! A mediator's keeping: members, their DIDs, and the envelopes that wait for them.

use async_trait::async_trait;
use sqlx::{SqliteConnection, query, query_scalar};

use super::Sqlite;
use super::damage::{Place, fault};
use super::port::done;
use crate::encoding::{Digest, Timestamp};
use crate::identity::Did;
use crate::inbox::mediation::{Action, Held, Outcome, Queue};
use crate::node::{Arrival, Arrived, Granted, MediatorStore, MemberView, Quota, StoreFault};

/// What waits for a member, or for one of its DIDs where `?2` is one, and is not expired at `?3`.
const WAITING: &str = "FROM held JOIN recipients USING (recipient)
    WHERE recipients.member = ?1 AND (?2 IS NULL OR held.recipient = ?2) AND held.until > ?3";

#[async_trait]
impl MediatorStore for Sqlite {
    async fn grant(&self, member: &Did, contact: Option<&str>, at: Timestamp, most: u64) -> Result<bool, StoreFault> {
        let mut db = self.writing().await?;
        let written = query(
            "INSERT INTO mediated (member, at, contact) SELECT ?1, ?2, ?3
             WHERE (SELECT count(*) FROM mediated) < ?4 OR EXISTS (SELECT 1 FROM mediated WHERE member = ?1)
             ON CONFLICT (member) DO UPDATE SET contact = coalesce(?3, contact)",
        )
        .bind(member.as_str())
        .bind(at.seconds())
        .bind(contact)
        .bind(signed(most))
        .execute(&mut *db)
        .await
        .map_err(fault)?;
        done(db, written.rows_affected() == 1).await
    }

    async fn member(&self, member: &Did) -> Result<Option<Granted>, StoreFault> {
        let row = query("SELECT at, contact FROM mediated WHERE member = ?").bind(member.as_str());
        let row = row.fetch_optional(&mut *self.reading().await?).await.map_err(fault)?;
        row.map(|row| {
            let place = Place::new(&row, "mediated");
            let at = place.time("at")?.ok_or_else(|| place.damaged("at", "missing"))?;
            Ok(Granted { at, contact: place.read("contact")? })
        })
        .transpose()
    }

    async fn members(&self) -> Result<Vec<MemberView>, StoreFault> {
        let rows = query(
            "SELECT member, at,
                 (SELECT count(*) FROM recipients WHERE recipients.member = mediated.member) AS recipients,
                 (SELECT count(*) FROM held JOIN recipients USING (recipient)
                   WHERE recipients.member = mediated.member) AS messages,
                 (SELECT coalesce(sum(size), 0) FROM held JOIN recipients USING (recipient)
                   WHERE recipients.member = mediated.member) AS bytes,
                 (SELECT min(held.at) FROM held JOIN recipients USING (recipient)
                   WHERE recipients.member = mediated.member) AS oldest
             FROM mediated ORDER BY bytes DESC, member",
        );
        let rows = rows.fetch_all(&mut *self.reading().await?).await.map_err(fault)?;
        rows.iter()
            .map(|row| {
                let place = Place::new(row, "mediated");
                Ok(MemberView {
                    did: place.parse("member")?,
                    since: place.time("at")?.ok_or_else(|| place.damaged("at", "missing"))?,
                    recipients: place.count("recipients")?,
                    messages: place.count("messages")?,
                    bytes: place.count("bytes")?,
                    oldest: place.time("oldest")?,
                    live: 0,
                })
            })
            .collect()
    }

    async fn dismiss(&self, member: &Did) -> Result<bool, StoreFault> {
        let mut db = self.writing().await?;
        let gone = query("DELETE FROM mediated WHERE member = ?").bind(member.as_str());
        let gone = gone.execute(&mut *db).await.map_err(fault)?;
        done(db, gone.rows_affected() == 1).await
    }

    async fn update(
        &self,
        member: &Did,
        recipient: &Did,
        action: Action,
        at: Timestamp,
        most: u64,
    ) -> Result<Outcome, StoreFault> {
        let mut db = self.writing().await?;
        let outcome = match action {
            Action::Add => add(&mut db, member, recipient, at, most).await?,
            Action::Remove => {
                let gone = query("DELETE FROM recipients WHERE recipient = ? AND member = ?");
                let gone = gone.bind(recipient.as_str()).bind(member.as_str()).execute(&mut *db).await;
                if gone.map_err(fault)?.rows_affected() == 1 { Outcome::Success } else { Outcome::NoChange }
            }
        };
        done(db, outcome).await
    }

    async fn recipients(&self, member: &Did, limit: usize, offset: usize) -> Result<(Vec<Did>, usize), StoreFault> {
        let mut db = self.reading().await?;
        let rows = query("SELECT recipient FROM recipients WHERE member = ? ORDER BY recipient LIMIT ? OFFSET ?")
            .bind(member.as_str())
            .bind(signed(limit as u64))
            .bind(signed(offset as u64))
            .fetch_all(&mut *db)
            .await
            .map_err(fault)?;
        let count: i64 = query_scalar("SELECT count(*) FROM recipients WHERE member = ?")
            .bind(member.as_str())
            .fetch_one(&mut *db)
            .await
            .map_err(fault)?;
        let dids = rows.iter().map(|row| Place::new(row, "recipients").parse("recipient")).collect::<Result<_, _>>()?;
        Ok((dids, usize::try_from(count).unwrap_or_default()))
    }

    async fn hold(&self, arrival: Arrival<'_>, quota: &Quota) -> Result<Arrived, StoreFault> {
        let mut db = self.writing().await?;
        let arrived = hold(&mut db, arrival, quota).await?;
        done(db, arrived).await
    }

    async fn queue(&self, member: &Did, recipient: Option<&Did>, now: Timestamp) -> Result<Queue, StoreFault> {
        let sums =
            "SELECT count(*) AS count, coalesce(sum(size), 0) AS bytes, min(held.at) AS oldest, max(held.at) AS newest";
        let row = query(sqlx::AssertSqlSafe(format!("{sums} {WAITING}")))
            .bind(member.as_str())
            .bind(recipient.map(Did::as_str))
            .bind(now.seconds())
            .fetch_one(&mut *self.reading().await?)
            .await
            .map_err(fault)?;
        let place = Place::new(&row, "the sum of held");
        let (oldest, newest) = (place.time("oldest")?, place.time("newest")?);
        Ok(Queue {
            recipient_did: recipient.cloned(),
            message_count: place.count("count")?,
            longest_waited_seconds: oldest.map(|oldest| (now.seconds() - oldest.seconds()).max(0)),
            newest_received_time: newest.map(Timestamp::seconds),
            oldest_received_time: oldest.map(Timestamp::seconds),
            total_bytes: Some(place.count("bytes")?),
            live_delivery: None,
        })
    }

    async fn waiting(
        &self,
        member: &Did,
        recipient: Option<&Did>,
        limit: usize,
        bytes: usize,
        now: Timestamp,
    ) -> Result<Vec<Held>, StoreFault> {
        let mut db = self.reading().await?;
        let rows = query(sqlx::AssertSqlSafe(format!("SELECT id, size {WAITING} ORDER BY number LIMIT ?4")))
            .bind(member.as_str())
            .bind(recipient.map(Did::as_str))
            .bind(now.seconds())
            .bind(signed(limit as u64))
            .fetch_all(&mut *db)
            .await
            .map_err(fault)?;
        let (mut waiting, mut room) = (Vec::new(), bytes);
        for row in &rows {
            let place = Place::new(row, "held");
            let (id, size): (String, usize) = (place.read("id")?, place.count("size")?);
            if !waiting.is_empty() && size > room {
                break;
            }
            room = room.saturating_sub(size);
            // Acknowledged meanwhile, on another connection.
            let Some(held) = one(&mut db, member, &id).await? else { continue };
            waiting.push(held);
        }
        Ok(waiting)
    }

    async fn held(&self, member: &Did, id: &str) -> Result<Option<Held>, StoreFault> {
        one(&mut *self.reading().await?, member, id).await
    }

    async fn received(&self, member: &Did, ids: &[String]) -> Result<u64, StoreFault> {
        let mut db = self.writing().await?;
        let mut gone = 0;
        for id in ids {
            let forgotten = query(
                "DELETE FROM held WHERE id = ?1 AND recipient IN (SELECT recipient FROM recipients WHERE member = ?2)",
            );
            let forgotten = forgotten.bind(id).bind(member.as_str()).execute(&mut *db).await.map_err(fault)?;
            gone += forgotten.rows_affected();
        }
        done(db, gone).await
    }

    async fn expire(&self, now: Timestamp) -> Result<u64, StoreFault> {
        let mut db = self.writing().await?;
        let gone = query("DELETE FROM held WHERE until <= ?").bind(now.seconds()).execute(&mut *db).await;
        let gone = gone.map_err(fault)?.rows_affected();
        done(db, gone).await
    }
}

async fn add(
    db: &mut SqliteConnection,
    member: &Did,
    recipient: &Did,
    at: Timestamp,
    most: u64,
) -> Result<Outcome, StoreFault> {
    let owner: Option<String> = query_scalar("SELECT member FROM recipients WHERE recipient = ?")
        .bind(recipient.as_str())
        .fetch_optional(&mut *db)
        .await
        .map_err(fault)?;
    match owner {
        Some(owner) if owner == member.as_str() => return Ok(Outcome::NoChange),
        // Only the DID itself takes back what it let another pick up.
        Some(_) if recipient != member => return Ok(Outcome::ClientError),
        _ => {}
    }
    let written = query(
        "INSERT INTO recipients (recipient, member, at) SELECT ?1, ?2, ?3
         WHERE (SELECT count(*) FROM recipients WHERE member = ?2) < ?4
         ON CONFLICT (recipient) DO UPDATE SET member = ?2, at = ?3",
    )
    .bind(recipient.as_str())
    .bind(member.as_str())
    .bind(at.seconds())
    .bind(signed(most))
    .execute(db)
    .await
    .map_err(fault)?;
    Ok(if written.rows_affected() == 1 { Outcome::Success } else { Outcome::ClientError })
}

async fn hold(db: &mut SqliteConnection, arrival: Arrival<'_>, quota: &Quota) -> Result<Arrived, StoreFault> {
    let member: Option<String> = query_scalar("SELECT member FROM recipients WHERE recipient = ?")
        .bind(arrival.recipient.as_str())
        .fetch_optional(&mut *db)
        .await
        .map_err(fault)?;
    let Some(member) = member else { return Ok(Arrived::Nobody) };
    let digest = Digest::of(arrival.envelope);
    let known: Option<i64> = query_scalar("SELECT number FROM held WHERE recipient = ? AND digest = ?")
        .bind(arrival.recipient.as_str())
        .bind(digest.as_bytes().as_slice())
        .fetch_optional(&mut *db)
        .await
        .map_err(fault)?;
    if known.is_some() {
        return Ok(Arrived::Known);
    }
    let row = query(
        "SELECT
             (SELECT count(*) FROM held WHERE recipient = ?1) AS messages,
             (SELECT coalesce(sum(size), 0) FROM held WHERE recipient = ?1) AS bytes,
             (SELECT coalesce(sum(size), 0) FROM held
               WHERE recipient IN (SELECT recipient FROM recipients WHERE member = ?2)) AS of_member,
             (SELECT coalesce(sum(size), 0) FROM held) AS total",
    )
    .bind(arrival.recipient.as_str())
    .bind(&member)
    .fetch_one(&mut *db)
    .await
    .map_err(fault)?;
    let place = Place::new(&row, "the sum of held");
    let size = arrival.envelope.len() as u64;
    let fits = |column: &str, most: u64| Ok::<_, StoreFault>(place.count::<u64>(column)?.saturating_add(size) <= most);
    let room = place.count::<u64>("messages")? < quota.messages
        && fits("bytes", quota.bytes)?
        && fits("of_member", quota.member_bytes)?
        && fits("total", quota.total_bytes)?;
    if !room {
        return Ok(Arrived::Full);
    }
    query("INSERT INTO held (id, recipient, digest, at, until, size, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)")
        .bind(arrival.id)
        .bind(arrival.recipient.as_str())
        .bind(digest.as_bytes().as_slice())
        .bind(arrival.at.seconds())
        .bind(arrival.until.seconds())
        .bind(signed(size))
        .bind(arrival.envelope)
        .execute(db)
        .await
        .map_err(fault)?;
    let member = member.parse().map_err(|_| StoreFault::Damaged(format!("recipients: `member`: {member}")))?;
    Ok(Arrived::Kept(member))
}

async fn one(db: &mut SqliteConnection, member: &Did, id: &str) -> Result<Option<Held>, StoreFault> {
    let row = query("SELECT number, id, bytes FROM held JOIN recipients USING (recipient) WHERE id = ? AND member = ?")
        .bind(id)
        .bind(member.as_str())
        .fetch_optional(db)
        .await
        .map_err(fault)?;
    row.map(|row| {
        let place = Place::of(&row, "held")?;
        let bytes: Vec<u8> = place.read("bytes")?;
        let envelope = String::from_utf8(bytes).map_err(|_| place.damaged("bytes", "not text"))?;
        Ok(Held { id: place.read("id")?, envelope })
    })
    .transpose()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
