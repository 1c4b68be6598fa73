//! The port: which call reads, which writes, and that a write is one transaction.

use async_trait::async_trait;
use serde_json::Value;
use sqlx::pool::PoolConnection;
use sqlx::{Sqlite as Database, Transaction};
use zeroize::Zeroizing;

use super::damage::fault;
use super::{Sqlite, documents, evidence, goods, inbox, ledger, news, outbox, tally};
use crate::encoding::{Digest, Timestamp};
use crate::identity::Did;
use crate::negotiation::{Event, StateName};
use crate::node::{
    Commit, Dealings, Evidence, EvidenceKind, EvidenceSum, Good, Kept, Mark, News, Order, Outgoing, Parked, Seen,
    Spending, Spent, Store, StoreFault, Tally,
};

impl Sqlite {
    pub(super) async fn reading(&self) -> Result<PoolConnection<Database>, StoreFault> {
        self.readers.acquire().await.map_err(fault)
    }

    /// Whoever drops it before [`done`] has written nothing.
    pub(super) async fn writing(&self) -> Result<Transaction<'static, Database>, StoreFault> {
        if let Some(what) = self.damage.get() {
            return Err(StoreFault::Damaged(what.clone()));
        }
        self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(fault)
    }

    /// How many bytes of evidence there may be: half of the file is for everything else.
    fn for_evidence(&self) -> Option<u64> {
        self.most.map(|most| most / 2)
    }
}

pub(super) async fn done<T>(transaction: Transaction<'static, Database>, outcome: T) -> Result<T, StoreFault> {
    transaction.commit().await.map_err(fault)?;
    Ok(outcome)
}

#[async_trait]
impl Store for Sqlite {
    async fn commit(&self, commit: Commit) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        ledger::commit(&mut db, &commit).await?;
        done(db, ()).await
    }

    async fn log(&self, negotiation: &str) -> Result<Option<Vec<Event>>, StoreFault> {
        ledger::log(&mut *self.reading().await?, negotiation).await
    }

    async fn find(&self, peer: &Did, pid: &str) -> Result<Option<String>, StoreFault> {
        ledger::find(&mut *self.reading().await?, peer, pid).await
    }

    async fn negotiations(&self, states: &[StateName]) -> Result<Vec<String>, StoreFault> {
        ledger::negotiations(&mut *self.reading().await?, states).await
    }

    async fn dealings(&self, peer: &Did, since: Timestamp) -> Result<Dealings, StoreFault> {
        ledger::dealings(&mut *self.reading().await?, peer, since).await
    }

    async fn heard_in(&self, negotiation: &str) -> Result<u64, StoreFault> {
        outbox::heard_in(&mut *self.reading().await?, negotiation).await
    }

    async fn watched(&self) -> Result<Vec<String>, StoreFault> {
        ledger::watched(&mut *self.reading().await?).await
    }

    async fn keep_envelope(&self, envelope: &[u8], at: Timestamp) -> Result<Kept, StoreFault> {
        let mut db = self.writing().await?;
        let outcome = inbox::keep(&mut db, envelope, at, self.limits).await?;
        done(db, outcome).await
    }

    async fn envelopes(&self, limit: u32) -> Result<Vec<(Digest, Vec<u8>)>, StoreFault> {
        inbox::envelopes(&mut *self.reading().await?, limit).await
    }

    async fn drop_envelope(&self, digest: Digest) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        inbox::drop_envelope(&mut db, digest).await?;
        done(db, ()).await
    }

    async fn answered(&self, from: &Did, message: &str) -> Result<Option<Outgoing>, StoreFault> {
        outbox::answered(&mut *self.reading().await?, from, message).await
    }

    async fn park(&self, parked: Parked, limit: u32) -> Result<bool, StoreFault> {
        let mut db = self.writing().await?;
        let outcome = inbox::park(&mut db, &parked, limit).await?;
        done(db, outcome).await
    }

    async fn parked(&self, peer: &Did, thread: &str) -> Result<Vec<Parked>, StoreFault> {
        inbox::parked(&mut *self.reading().await?, peer, thread).await
    }

    async fn unpark(&self, from: &Did, message: &str) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        inbox::unpark(&mut db, from, message).await?;
        done(db, ()).await
    }

    async fn clear_parked(&self, before: Timestamp) -> Result<u64, StoreFault> {
        let mut db = self.writing().await?;
        let outcome = inbox::clear_parked(&mut db, before).await?;
        done(db, outcome).await
    }

    async fn queue(&self, outgoing: Outgoing, mark: Option<Mark>) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        outbox::queue(&mut db, &outgoing, mark.as_ref()).await?;
        done(db, ()).await
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Outgoing>, StoreFault> {
        outbox::due(&mut *self.reading().await?, now, limit).await
    }

    async fn signed_anew(&self, outgoing: &str, signed: &str) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        outbox::signed_anew(&mut db, outgoing, signed).await?;
        done(db, ()).await
    }

    async fn attempted(&self, outgoing: &str, next: Option<Timestamp>, note: Option<&str>) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        outbox::attempted(&mut db, outgoing, next, note).await?;
        done(db, ()).await
    }

    async fn acknowledged(&self, outgoing: &str, to: &Did, note: Option<&str>) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        outbox::acknowledged(&mut db, outgoing, to, note).await?;
        done(db, ()).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreFault> {
        outbox::next_due(&mut *self.reading().await?).await
    }

    async fn hasten(&self, to: &Did, from: Timestamp) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        outbox::hasten(&mut db, to, from).await?;
        done(db, ()).await
    }

    async fn undelivered(&self, attempts: u32, limit: u32) -> Result<Vec<Outgoing>, StoreFault> {
        outbox::undelivered(&mut *self.reading().await?, attempts, limit).await
    }

    async fn counterparties(&self, since: Timestamp) -> Result<Vec<Did>, StoreFault> {
        ledger::counterparties(&mut *self.reading().await?, since).await
    }

    async fn sent(&self, negotiation: &str) -> Result<Vec<Outgoing>, StoreFault> {
        outbox::sent(&mut *self.reading().await?, negotiation).await
    }

    async fn received(&self, negotiation: &str) -> Result<Vec<String>, StoreFault> {
        outbox::received(&mut *self.reading().await?, negotiation).await
    }

    async fn orders(&self, now: Timestamp) -> Result<Vec<Order>, StoreFault> {
        ledger::orders(&mut *self.reading().await?, now).await
    }

    async fn performed(&self, order: i64, retry: Option<(Timestamp, &str)>) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        ledger::performed(&mut db, order, retry).await?;
        done(db, ()).await
    }

    async fn keep_key(&self, name: &str, secret: &[u8; 32]) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        documents::keep_key(&mut db, &self.seal, name, secret).await?;
        done(db, ()).await
    }

    async fn key(&self, name: &str) -> Result<Option<Zeroizing<[u8; 32]>>, StoreFault> {
        documents::key(&mut *self.reading().await?, &self.seal, name).await
    }

    async fn put(&self, kind: &str, id: &str, value: &Value) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        documents::put(&mut db, kind, id, value).await?;
        done(db, ()).await
    }

    async fn one(&self, kind: &str, id: &str) -> Result<Option<serde_json::Value>, StoreFault> {
        documents::one(&mut *self.reading().await?, kind, id).await
    }

    async fn all(&self, kind: &str) -> Result<Vec<(String, serde_json::Value)>, StoreFault> {
        documents::all(&mut *self.reading().await?, kind).await
    }

    async fn all_under(&self, kind: &str, beginning: &str) -> Result<Vec<(String, serde_json::Value)>, StoreFault> {
        documents::all_under(&mut *self.reading().await?, kind, beginning).await
    }

    async fn put_once(&self, kind: &str, id: &str, value: &Value) -> Result<bool, StoreFault> {
        let mut db = self.writing().await?;
        let outcome = documents::put_once(&mut db, kind, id, value).await?;
        done(db, outcome).await
    }

    async fn remove(&self, kind: &str, id: &str) -> Result<bool, StoreFault> {
        let mut db = self.writing().await?;
        let outcome = documents::remove(&mut db, kind, id).await?;
        done(db, outcome).await
    }

    async fn remove_run_out(&self, kind: &str, along: Option<&str>, now: Timestamp) -> Result<u64, StoreFault> {
        let mut db = self.writing().await?;
        let outcome = documents::remove_run_out(&mut db, kind, along, now).await?;
        done(db, outcome).await
    }

    async fn shelve(&self, provider: &Did, goods: &[Good]) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        goods::shelve(&mut db, provider, goods).await?;
        done(db, ()).await
    }

    async fn find_goods(&self, words: &str, provider: Option<&Did>, limit: u32) -> Result<Vec<Good>, StoreFault> {
        goods::find(&mut *self.reading().await?, words, provider, limit).await
    }

    async fn count(&self, kind: &str, id: &str, limit: u64) -> Result<Option<u64>, StoreFault> {
        let mut db = self.writing().await?;
        let outcome = documents::count(&mut db, kind, id, limit).await?;
        done(db, outcome).await
    }

    async fn spend(&self, spending: &Spending<'_>) -> Result<Spent, StoreFault> {
        let mut db = self.writing().await?;
        match documents::spend(&mut db, spending).await? {
            // What was marked on the way is not written.
            Spent::NoneLeft => Ok(Spent::NoneLeft),
            outcome => done(db, outcome).await,
        }
    }

    async fn counted(&self, kind: &str, id: &str) -> Result<u64, StoreFault> {
        documents::counted(&mut *self.reading().await?, kind, id).await
    }

    async fn keep_evidence(&self, evidence: &Evidence, most: u64) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        evidence::keep(&mut db, evidence, most, self.for_evidence()).await?;
        done(db, ()).await
    }

    async fn evidence(&self, kind: EvidenceKind, id: &str) -> Result<Option<Value>, StoreFault> {
        evidence::one(&mut *self.reading().await?, kind, id).await
    }

    async fn first_evidence(
        &self,
        contract: &Digest,
        kind: EvidenceKind,
    ) -> Result<Option<(String, Value)>, StoreFault> {
        evidence::first(&mut *self.reading().await?, contract, kind).await
    }

    async fn evidence_sum(&self, contract: &Digest) -> Result<Option<EvidenceSum>, StoreFault> {
        evidence::sum(&mut *self.reading().await?, contract).await
    }

    async fn forget_evidence(&self, before: Timestamp) -> Result<u64, StoreFault> {
        let mut db = self.writing().await?;
        let mut outcome = evidence::forget(&mut db, before).await?;
        if let Some(all) = self.for_evidence() {
            outcome += u64::from(evidence::make_room_of_all(&mut db, all, evidence::AT_LEISURE).await? > 0);
        }
        done(db, outcome).await
    }

    async fn room(&self) -> Result<(), StoreFault> {
        tally::room(&mut *self.reading().await?, self.most).await
    }

    async fn news(&self, after: u64, negotiation: Option<&str>, limit: u32) -> Result<Vec<News>, StoreFault> {
        news::after(&mut *self.reading().await?, after, negotiation, limit).await
    }

    async fn last_news(&self) -> Result<u64, StoreFault> {
        news::last(&mut *self.reading().await?).await
    }

    async fn refusals(&self, limit: u32) -> Result<Vec<News>, StoreFault> {
        news::refusals(&mut *self.reading().await?, limit).await
    }

    async fn refuse_envelope(&self, digest: Digest, seen: &Seen) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        inbox::drop_envelope(&mut db, digest).await?;
        news::note(&mut db, seen).await?;
        news::forget_refusals(&mut db).await?;
        done(db, ()).await
    }

    async fn tell_once(&self, seen: &Seen) -> Result<(), StoreFault> {
        let mut db = self.writing().await?;
        news::note(&mut db, seen).await?;
        done(db, ()).await
    }

    async fn tally(&self) -> Result<Tally, StoreFault> {
        tally::of(&mut *self.reading().await?).await
    }
}
