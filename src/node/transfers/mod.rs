//! Transfers at work: requests under agreements that stand, decisions, messages out, and whom the data is open to.

mod data;
mod desk;
mod hear;
mod plan;
pub mod port;
mod send;
mod view;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

pub use data::Opened;
pub use plan::{Plan, PlannedStep, Step};
pub use port::{Agreements, DueNotice, Post, PostFault, StandingAgreement, TransferCommit, TransferStore};
use tokio::sync::{Notify, watch};
pub use view::TransferView;

use super::{Gatekeeper, NodeFault, Standing, StoreFault, chance};
use crate::encoding::{Digest, Timestamp};
use crate::transfer::{Decision, Transfer};

/// How transfers behave.
#[derive(Clone, Debug, Default)]
pub struct TransferSettings {
    /// Where counterparties reach this node's Dataspace Protocol doors, without a slash at its end.
    pub callback: String,
    /// The assets whose data this node's gate guards, with the URL of each.
    pub guarded: HashMap<String, String>,
    /// Counterparties to whom an unsigned agreement opens data.
    pub plain_for: BTreeSet<String>,
    /// What is decided by a script, for tests.
    pub plan: Plan,
}

/// The desk where transfers are begun, heard, decided and told.
pub struct Transfers {
    settings: TransferSettings,
    store: Arc<dyn TransferStore>,
    agreements: Arc<dyn Agreements>,
    post: Arc<dyn Post>,
    gate: OnceLock<Arc<Gatekeeper>>,
    bell: Notify,
    /// Running downloads look here whether they have to end.
    standing: Mutex<HashMap<String, watch::Sender<Standing>>>,
}

impl Transfers {
    /// A desk over what it needs of the world.
    pub fn new(
        settings: TransferSettings,
        store: Arc<dyn TransferStore>,
        agreements: Arc<dyn Agreements>,
        post: Arc<dyn Post>,
    ) -> Arc<Self> {
        let standing = Mutex::default();
        let gate = OnceLock::new();
        Arc::new(Self { settings, store, agreements, post, gate, bell: Notify::new(), standing })
    }

    /// The gate in front of the data: it judges contracts.
    pub fn guarded_by(&self, gate: &Arc<Gatekeeper>) {
        // A second introduction would only repeat the first.
        let _ = self.gate.set(Arc::clone(gate));
    }

    /// A transfer with its version.
    async fn read(&self, id: &str) -> Result<(Transfer, u64), NodeFault> {
        let log = self.store.transfer_log(id).await?.ok_or_else(|| NodeFault::unknown("transfer", id))?;
        let version = log.len() as u64;
        let damaged = |what| StoreFault::Damaged(format!("transfer {id}: {what}"));
        Ok((Transfer::replay(log).map_err(damaged)?, version))
    }

    /// Commits a decision about `before`, and does what follows from it here. `false`: somebody else decided meanwhile.
    async fn commit(
        self: &Arc<Self>,
        before: Option<(Transfer, u64)>,
        decision: Decision,
        message: Option<String>,
        token: Option<Digest>,
        at: Timestamp,
    ) -> Result<Option<Transfer>, NodeFault> {
        let Decision { events, notice } = decision;
        let (version, log) = before.map_or((0, None), |(transfer, version)| (version, Some(transfer)));
        let damaged = |what| NodeFault::Store(StoreFault::Damaged(what));
        let after = match log {
            Some(transfer) => events.iter().cloned().try_fold(transfer, Transfer::apply),
            None => Transfer::replay(events.clone()),
        };
        let after = after.map_err(damaged)?;
        let opening = after.opening();
        let told = notice.is_some();
        let commit = TransferCommit {
            id: after.own_pid().to_owned(),
            version,
            events,
            notice: notice.map(|notice| Ok::<_, NodeFault>((chance::urn_uuid()?, notice))).transpose()?,
            message,
            token,
            peer: opening.peer.clone(),
            consumer_pid: opening.consumer_pid.clone(),
            agreement: opening.agreement.clone(),
            state: after.state(),
            at,
        };
        match self.store.commit_transfer(commit).await {
            Err(StoreFault::Moved) => return Ok(None),
            other => other?,
        }
        self.moved(&after);
        if told {
            self.bell.notify_one();
        }
        self.follow_plan(&after);
        Ok(Some(after))
    }
}
