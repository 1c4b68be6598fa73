//! Whether contracts are in force: read from the newest block, remembered for when the chain does not answer.

use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::port::Depth;
use super::store::Seen;
use super::{Node, NodeFault, StoreFault, chance, kind};
use crate::check::Trail;
use crate::credential::{Asset, ContractId, Entry, Mark, checks, in_force, rfc3339};
use crate::encoding::Timestamp;
use crate::identity::Did;
use crate::negotiation::{Countersigned, Negotiation, Role, StateName};
use crate::policy::Money;

/// How long the chain is waited for before the last reading has to do.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many contracts are looked up at once.
const AT_ONCE: usize = 8;

/// A contract with its standing, for people and scripts.
#[derive(Clone, Debug, Serialize)]
pub struct ContractView {
    /// The contract.
    pub contract_id: ContractId,
    /// The negotiation that it came of.
    pub negotiation: String,
    /// This node's side.
    pub role: Role,
    /// The counterparty.
    pub counterparty: Did,
    /// Its name among the contacts.
    pub counterparty_name: Option<String>,
    /// The asset.
    pub asset: Asset,
    /// The price.
    pub price: Money,
    /// What dates the contract: its entry's block time.
    #[serde(with = "rfc3339")]
    pub recorded: Timestamp,
    /// When it ends by itself.
    #[serde(with = "rfc3339")]
    pub ends: Timestamp,
    /// Where the negotiation stands.
    pub state: StateName,
    /// Where the contract stands.
    pub standing: StandingView,
}

/// Where a contract stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StandingView {
    /// In one word.
    pub standing: Force,
    /// When it was ended, withdrawn from, or lapsed.
    #[serde(serialize_with = "optional", skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The ground that the registry shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ground: Option<&'static str>,
    /// The block that this was read at; absent where the chain was never read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<u64>,
    /// When that was, by this node's clock.
    #[serde(serialize_with = "optional", skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// Whether the chain did not answer now, so that this is what was read last.
    pub stale: bool,
}

/// Where a contract stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Force {
    /// Recorded at finality, not ended, not withdrawn from, not past its end.
    InForce,
    /// Its provider ended it.
    Ended,
    /// Its consumer withdrew.
    Withdrawn,
    /// Its time is over.
    Lapsed,
    /// The entry is there, the consumer's own node has not seen it at finality yet.
    NotFinal,
    /// The chain could not be read, now or before.
    Unknown,
}

/// What was read last of a contract's end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Reading {
    block: u64,
    #[serde(with = "rfc3339")]
    at: Timestamp,
    ended: Option<Mark>,
    withdrawn: Option<Mark>,
}

fn optional<S: serde::Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339::serialize(at, serializer),
        None => serializer.serialize_none(),
    }
}

/// A ground of the registry in words.
pub const fn ground(reason: u8) -> &'static str {
    match reason {
        0 => "unspecified",
        1 => "completed",
        2 => "by agreement",
        3 => "breach",
        4 => "key compromised",
        5 => "void",
        _ => "a ground of their own",
    }
}

impl Node {
    /// Every contract that has an entry, newest first, with its standing at the newest block.
    ///
    /// # Errors
    /// When the store fails; a chain that does not answer is told in the standing.
    pub async fn contracts(&self) -> Result<Vec<ContractView>, NodeFault> {
        let mut found = Vec::new();
        for id in self.store.negotiations(&[]).await? {
            let negotiation = self.negotiation(&id).await?;
            if entry_of(&negotiation).is_some() {
                found.push((id, negotiation));
            }
        }
        let views = stream::iter(found).map(|(id, negotiation)| async move { self.held(&id, &negotiation).await });
        let views: Vec<_> = views.buffered(AT_ONCE).collect().await;
        views.into_iter().filter_map(Result::transpose).collect()
    }

    /// One contract with its standing, by the negotiation that it came of.
    ///
    /// # Errors
    /// `Unknown` when there is no such negotiation, or no contract came of it yet.
    pub async fn contract_view(&self, id: &str) -> Result<ContractView, NodeFault> {
        let negotiation = self.negotiation(id).await?;
        self.held(id, &negotiation).await?.ok_or_else(|| NodeFault::unknown("contract of negotiation", id))
    }

    async fn held(&self, id: &str, negotiation: &Negotiation) -> Result<Option<ContractView>, NodeFault> {
        let (Some(countersigned), Some(entry)) = (negotiation.countersigned(), entry_of(negotiation)) else {
            return Ok(None);
        };
        let opening = negotiation.opening();
        Ok(Some(ContractView {
            contract_id: countersigned.core.contract_id,
            negotiation: id.to_owned(),
            role: opening.role,
            counterparty: opening.peer.clone(),
            counterparty_name: self.name_of(&opening.peer).await?,
            asset: countersigned.offer.asset.clone(),
            price: countersigned.offer.price,
            recorded: entry.block_time,
            ends: countersigned.offer.exp,
            state: negotiation.state().name(),
            standing: self.standing(id, countersigned, negotiation.state().name()).await?,
        }))
    }

    async fn standing(
        &self,
        negotiation: &str,
        countersigned: &Countersigned,
        state: StateName,
    ) -> Result<StandingView, NodeFault> {
        let (offer, now) = (&countersigned.offer, chance::now()?);
        let id = countersigned.core.contract_id;
        let (recorder, account) = (offer.recorder, countersigned.core.withdrawal_account);
        let looked = self.registry.sighting(Depth::Latest, recorder, id, account, offer.iat);
        let seen = match tokio::time::timeout(PATIENCE, looked).await {
            Ok(Ok(sighting)) => {
                // What belongs to another contract, or withdraws without an account, is held off there.
                match in_force(&*self.core(&countersigned.core.text)?, &sighting, now, &mut Trail::default()) {
                    Err(refusal) if !FORCE.contains(&refusal.check) => return Err(refusal.into()),
                    _ => {}
                }
                let withdrawn = sighting.withdrawn.filter(|_| account.is_some());
                Some(Reading { block: sighting.head.number, at: now, ended: sighting.ended, withdrawn })
            }
            _ => None,
        };
        let stale = seen.is_none();
        let kept = self.store.one(kind::STANDING, &id.to_string()).await?;
        let kept: Option<Reading> = kept.and_then(|kept| serde_json::from_value(kept).ok());
        if let Some(reading) = &seen {
            self.keep_reading(negotiation, id, kept.as_ref(), reading).await?;
        }
        let known = seen.or(kept);
        let mark = |standing, mark: Mark| (standing, Some(mark.at), Some(ground(mark.reason)));
        let (standing, since, ground) = match known {
            Some(Reading { ended: Some(ended), .. }) => mark(Force::Ended, ended),
            Some(Reading { withdrawn: Some(withdrawn), .. }) => mark(Force::Withdrawn, withdrawn),
            _ if now >= offer.exp => (Force::Lapsed, Some(offer.exp), None),
            None => (Force::Unknown, None, None),
            Some(_) if state == StateName::Agreed => (Force::NotFinal, None, None),
            Some(_) => (Force::InForce, None, None),
        };
        let (block, read_at) = (known.map(|known| known.block), known.map(|known| known.at));
        Ok(StandingView { standing, since, ground, block, read_at, stale })
    }
}

/// How old a reading that says nothing new may grow in the store, in seconds.
const READ_EACH: i64 = 600;
/// How many contracts one round looks at.
const ROUND: usize = 64;

impl Node {
    /// Keeps a reading, and tells of an end that was not known.
    async fn keep_reading(
        &self,
        negotiation: &str,
        id: ContractId,
        kept: Option<&Reading>,
        reading: &Reading,
    ) -> Result<(), NodeFault> {
        // Told before the reading is kept: a crash in between tells it again, and the store knows that it was told.
        for (kind, mark, known) in [
            ("ended", reading.ended, kept.is_some_and(|kept| kept.ended.is_some())),
            ("withdrawn", reading.withdrawn, kept.is_some_and(|kept| kept.withdrawn.is_some())),
        ] {
            let Some(mark) = mark.filter(|_| !known) else { continue };
            let why = format!("{kind} in block {} at {}: {}", mark.block, mark.at, ground(mark.reason));
            self.store
                .tell_once(&Seen {
                    kind,
                    at: reading.at,
                    negotiation: Some(negotiation.to_owned()),
                    detail: json!({ "contract": id, "why": why }),
                    once: Some(format!("{kind}:{id}")),
                })
                .await?;
            self.bells.news.send_replace(());
        }
        let new = |kept: &Reading| {
            kept.ended.is_some() != reading.ended.is_some()
                || kept.withdrawn.is_some() != reading.withdrawn.is_some()
                || reading.at > kept.at.plus(READ_EACH)
        };
        if kept.is_none_or(new) {
            self.store.put(kind::STANDING, &id.to_string(), &json!(reading)).await?;
        }
        Ok(())
    }

    /// Looks whether contracts were ended or withdrawn from, so many of them from `place` on; where to go on.
    pub(super) async fn look_for_ends(&self, place: usize) -> Result<usize, NodeFault> {
        let mut ids = self.store.negotiations(&[StateName::Verified, StateName::Finalized]).await?;
        ids.reverse();
        let place = if place < ids.len() { place } else { 0 };
        let round: Vec<String> = ids.into_iter().skip(place).take(ROUND).collect();
        let (next, now) = (place.saturating_add(round.len()), chance::now()?);
        let looked = stream::iter(round).map(|id| async move {
            let negotiation = self.negotiation(&id).await?;
            let Some(countersigned) = negotiation.countersigned() else { return Ok(()) };
            let kept = self.store.one(kind::STANDING, &countersigned.core.contract_id.to_string()).await?;
            let kept: Option<Reading> = kept.and_then(|kept| serde_json::from_value(kept).ok());
            let over = kept.is_some_and(|kept| kept.ended.is_some() || kept.withdrawn.is_some());
            if over || now >= countersigned.offer.exp {
                return Ok(());
            }
            self.standing(&id, countersigned, negotiation.state().name()).await.map(|_| ())
        });
        for looked in looked.buffer_unordered(AT_ONCE).collect::<Vec<Result<(), NodeFault>>>().await {
            match looked {
                Err(fault @ NodeFault::Store(StoreFault::Failed(_))) => return Err(fault),
                Err(fault) => tracing::warn!(%fault, "a contract's end could not be looked for"),
                Ok(()) => {}
            }
        }
        Ok(next)
    }
}

/// What is about the contract itself; every other refusal means that the endpoint told about something else.
const FORCE: [&crate::check::Check; 3] = [&checks::FORCE_ENDED, &checks::FORCE_WITHDRAWN, &checks::FORCE_EXPIRED];

fn entry_of(negotiation: &Negotiation) -> Option<&Entry> {
    negotiation.entry().or_else(|| negotiation.entry_despite_termination())
}
