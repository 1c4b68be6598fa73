use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::json;
use tracing::{error, info, warn};

use super::admission::unreadable;
use super::{Contract, GateSettings, Gatekeeper, Open, Standing, kind};
use crate::check::{Check, Refusal, Trail};
use crate::credential::{Sighting, checks as credentials, in_force};
use crate::encoding::{Digest, Timestamp};
use crate::gate::{Known, checks, fresh_head};
use crate::node::{Depth, NodeFault, chance};

/// How many contracts are read at a time.
const AT_ONCE: usize = 8;
/// How often the clock is held against the chain.
const CLOCK: Duration = Duration::from_secs(5);
/// How often what ran out is cleared away; and how soon it is tried again where the chain cannot be relied on.
const CLEARING: Duration = Duration::from_secs(60);
const UNSURE: Duration = Duration::from_millis(500);

/// How the chain was read last.
pub(super) struct Reading {
    fault: Option<Refusal>,
    /// When it was read without a fault.
    good: Option<Timestamp>,
    /// Time of the finalised head then.
    head: Option<Timestamp>,
}

impl Reading {
    pub(super) const fn none() -> Self {
        Self { fault: None, good: None, head: None }
    }

    /// Whether tokens can be honoured by what is known of the chain.
    pub(super) fn hold(&self, settings: &GateSettings, now: Timestamp) -> Result<(), Refusal> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let unread = || checks::CHAIN_UNREACHABLE.refuse("the chain was not read yet");
        let (good, head) = self.good.zip(self.head).ok_or_else(unread)?;
        // A poll that hangs is as bad as one that fails.
        checks::CHAIN_UNREACHABLE
            .hold(now <= good.plus(settings.max_head_age), || format!("the chain was last read at {good}"))?;
        fresh_head(head, settings.max_head_age, now, &mut Trail::default())
    }
}

/// The check behind a durable shut, by its id.
pub(super) fn shutting(id: &str) -> &'static Check {
    [&credentials::FORCE_WITHDRAWN, &credentials::FORCE_EXPIRED]
        .into_iter()
        .find(|check| check.id() == id)
        .unwrap_or(&credentials::FORCE_ENDED)
}

fn is_final(check: &Check) -> bool {
    [&credentials::FORCE_WITHDRAWN, &credentials::FORCE_EXPIRED, &credentials::FORCE_ENDED].contains(&check)
}

impl Gatekeeper {
    /// Reads the chain again and again until `stop`, and clears away what ran out meanwhile.
    pub async fn run(self: Arc<Self>, stop: impl Future<Output = ()> + Send) {
        let mut clock = tokio::task::JoinSet::new();
        clock.spawn(Arc::clone(&self.timepiece).run(CLOCK));
        // Beside each other: however much there is to clear away, the chain is read.
        tokio::select! {
            () = stop => {}
            () = self.watch() => {}
            () = self.tidy() => {}
        }
    }

    async fn watch(&self) {
        loop {
            self.poll().await;
            tokio::time::sleep(Duration::from_millis(self.settings.poll_ms)).await;
        }
    }

    async fn tidy(&self) {
        loop {
            // By a clock that the chain confirms: what is cleared away too early could be used again.
            let pause = match self.ready() {
                Ok(()) => {
                    if let Err(fault) = self.clear().await {
                        error!(%fault, "what ran out could not be cleared away");
                    }
                    CLEARING
                }
                Err(_) => UNSURE,
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Reads the chain once: its finalised head, and every contract that has tokens or running deliveries at the newest
    /// block. Shuts what was ended or withdrawn, at once and for good.
    pub async fn poll(&self) {
        match self.round().await {
            Ok(()) => {}
            Err(NodeFault::Refused(refusal)) => self.unread(refusal),
            Err(fault) => {
                error!(%fault, "the watch on the chain failed");
                self.unread(checks::CHAIN_UNREACHABLE.refuse("the watch on the chain failed"));
            }
        }
    }

    /// Whether the chain was read and is fresh.
    ///
    /// # Errors
    /// The check by which every token is denied at the moment.
    pub fn ready(&self) -> Result<(), NodeFault> {
        self.timepiece.hold()?;
        Ok(self.lock().chain.hold(&self.settings, chance::now()?)?)
    }

    async fn round(&self) -> Result<(), NodeFault> {
        let head = self.registry.head(Depth::Finalised).await.map_err(unreadable)?;
        fresh_head(head.time, self.settings.max_head_age, chance::now()?, &mut Trail::default())?;
        let watched = self.watched()?;
        let judged: Vec<_> = futures::stream::iter(watched)
            .map(|(core, known)| async move { (core, self.judge_again(&known).await) })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut fault = None;
        for (core, standing) in judged {
            match standing {
                Ok(()) => self.stands(core, Standing::Open),
                Err(NodeFault::Refused(refusal)) if is_final(refusal.check) => {
                    self.shut_for_good(core, refusal).await?
                }
                Err(NodeFault::Refused(refusal)) => {
                    self.suspend(core, &refusal)?;
                    let chain = [&checks::CHAIN_UNREACHABLE, &checks::CHAIN_DISAGREEMENT, &checks::REGISTRY];
                    fault = fault.or_else(|| chain.contains(&refusal.check).then_some(refusal));
                }
                Err(other) => return Err(other),
            }
        }
        if let Some(refusal) = fault {
            return Err(refusal.into());
        }
        let now = chance::now()?;
        let mut open = self.lock();
        if open.chain.fault.take().is_some() || open.chain.good.is_none() {
            info!(finalised = head.number, "the chain is read");
        }
        (open.chain.good, open.chain.head) = (Some(now), Some(head.time));
        Ok(())
    }

    /// Contracts with tokens or deliveries; the others are forgotten, they are read again when somebody answers.
    fn watched(&self) -> Result<Vec<(Digest, Arc<Known>)>, NodeFault> {
        let now = chance::now()?;
        let mut open = self.lock();
        let Open { contracts, tokens, .. } = &mut *open;
        tokens.retain(|_, token| now < token.expires);
        let live: HashSet<Digest> = tokens.values().map(|token| token.grant.core).collect();
        contracts.retain(|core, contract| live.contains(core) || contract.standing.receiver_count() > 0);
        let not_shut = |contract: &Contract| !matches!(*contract.standing.borrow(), Standing::Shut(_));
        let watched = contracts.iter().filter(|(_, contract)| not_shut(contract));
        Ok(watched.map(|(core, contract)| (*core, Arc::clone(&contract.known))).collect())
    }

    async fn judge_again(&self, known: &Known) -> Result<(), NodeFault> {
        let core = &known.core;
        let (claims, account) = (&core.claims, core.acceptance.withdrawal_account);
        let seen =
            self.registry.sighting(Depth::Latest, claims.recorder, claims.contract_id, account, claims.iat).await;
        let seen: Sighting = seen.map_err(unreadable)?;
        let moment = chance::now()?.max(seen.head.time);
        in_force(core, &seen, moment, &mut Trail::default())?;
        let recorded = seen.entry.is_some_and(|entry| entry.hash == core.hash);
        Ok(checks::CHAIN_DISAGREEMENT.hold(recorded, || "the entry is gone from the newest block".into())?)
    }

    fn stands(&self, core: Digest, standing: Standing) {
        if let Some(contract) = self.lock().contracts.get(&core) {
            contract.standing.send_if_modified(|now| {
                let moves = !matches!(now, Standing::Shut(_)) && *now != standing;
                if moves {
                    *now = standing;
                }
                moves
            });
        }
    }

    /// Denies until the chain says otherwise; what runs is cut once that lasts longer than a head may be old.
    fn suspend(&self, core: Digest, refusal: &Refusal) -> Result<(), NodeFault> {
        let now = chance::now()?;
        let standing = self.lock().contracts.get(&core).map(|contract| contract.standing.borrow().clone());
        let since = match standing {
            Some(Standing::Suspended { since, .. }) => since,
            _ => now,
        };
        let cut = now > since.plus(self.settings.max_head_age);
        warn!(%core, check = refusal.check.id(), detail = refusal.detail, cut, "suspended");
        self.stands(core, Standing::Suspended { refusal: refusal.clone(), since, cut });
        Ok(())
    }

    /// The registry knows no way back from an end, so the gate needs none either: a reading that lags behind, or a chain
    /// that lost the block, opens nothing again.
    async fn shut_for_good(&self, core: Digest, refusal: Refusal) -> Result<(), NodeFault> {
        warn!(%core, check = refusal.check.id(), detail = refusal.detail, "shut");
        // Memory first: nobody is served while the store is busy.
        self.stands(core, Standing::Shut(refusal.clone()));
        self.store.put_once(kind::SHUT, &core.hex(), &json!([refusal.check.id(), refusal.detail])).await?;
        Ok(())
    }

    /// The chain cannot be relied on: every token is denied, and what runs is cut once that lasts.
    fn unread(&self, refusal: Refusal) {
        warn!(check = refusal.check.id(), detail = refusal.detail, "the chain cannot be relied on");
        let (lasting, contracts) = {
            let mut open = self.lock();
            let good = open.chain.good;
            open.chain.fault = Some(refusal.clone());
            let limit = |good: Timestamp| good.plus(self.settings.max_head_age);
            let lasting = chance::now().is_ok_and(|now| good.is_none_or(|good| now > limit(good)));
            (lasting, open.contracts.keys().copied().collect::<Vec<_>>())
        };
        if let (true, Ok(since)) = (lasting, chance::now()) {
            for core in contracts {
                self.stands(core, Standing::Suspended { refusal: refusal.clone(), since, cut: true });
            }
        }
    }

    /// Clears away used challenges, used proofs, tokens that ran out, and what is older than it is kept.
    async fn clear(&self) -> Result<(), NodeFault> {
        let now = chance::now()?;
        self.forget(now).await?;
        for kind in [kind::NONCE, kind::PROOF, kind::SPENT_PART] {
            while self.store.remove_run_out(kind, None, now).await? > 0 {}
        }
        while self.store.remove_run_out(kind::TOKEN, Some(kind::SPENT), now).await? > 0 {}
        Ok(())
    }
}
