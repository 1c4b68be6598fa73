//! Messages out: in order for each transfer, repeated until they are taken or need not be any more.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::{DueNotice, PostFault, Transfers, chance};
use crate::dsp::is_id;
use crate::negotiation::Role;
use crate::node::NodeFault;
use crate::node::dsp::send::escaped;
use crate::transfer::{Kind, Transfer};

/// How many messages are on their way at a time.
const AT_ONCE: usize = 64;
/// How many of them go to one counterparty: whoever answers slowly keeps its own waiting.
const EACH: usize = 8;
/// How many due ones are read at a time: which are due is a question about all that are, and not asked for each.
const READ: u32 = 256;
/// How many of those go to one counterparty.
const READ_EACH: u32 = 32;
/// The pauses before the first tries anew: a counterparty that is about to be ready is not kept waiting.
const SOON: [u64; 4] = [150, 300, 600, 1200];
/// How often a message is tried before it is given up: with pauses of up to an hour, some five days.
const TRIES: u32 = 120;
/// How long the loop sleeps without a bell.
const UNRUNG: Duration = Duration::from_secs(1);

/// What is on its way, and what was due when that was read last.
#[derive(Default)]
struct Telling {
    /// Which transfers are telling, and whom.
    busy: HashMap<String, String>,
    /// The oldest notice of each of other transfers.
    due: VecDeque<DueNotice>,
}

impl Telling {
    fn place(&self) -> Option<usize> {
        let free = |peer: &String| self.busy.values().filter(|busy| *busy == peer).count() < EACH;
        self.due.iter().position(|notice| free(&notice.peer)).filter(|_| self.busy.len() < AT_ONCE)
    }

    /// Whether another one can go now, or none may.
    fn has_next(&self) -> bool {
        self.busy.len() >= AT_ONCE || self.place().is_some()
    }

    fn next(&mut self) -> Option<DueNotice> {
        let notice = self.due.remove(self.place()?)?;
        self.busy.insert(notice.transfer.clone(), notice.peer.clone());
        Some(notice)
    }
}

impl Transfers {
    /// Starts the loop that tells counterparties; it ends with the returned set.
    pub fn run(self: &Arc<Self>) -> JoinSet<()> {
        let desk = Arc::clone(self);
        let mut loops = JoinSet::new();
        loops.spawn(async move {
            if let Err(fault) = desk.resume_plan().await {
                warn!(%fault, "what was to be decided about transfers could not be read");
            }
            // A slow counterparty keeps nobody else waiting: each transfer has a task of its own while it tells.
            let (mut tries, mut telling) = (JoinSet::new(), Telling::default());
            loop {
                if let Err(fault) = desk.tell_due(&mut tries, &mut telling).await {
                    warn!(%fault, "transfers could not be told");
                }
                tokio::select! {
                    Some(told) = tries.join_next() => { told.ok().map(|id: String| telling.busy.remove(&id)); }
                    _ = timeout(UNRUNG, desk.bell.notified()) => {}
                }
            }
        });
        loops
    }

    /// Begins to tell what is due, one notice of each transfer that is not telling already.
    async fn tell_due(self: &Arc<Self>, tries: &mut JoinSet<String>, telling: &mut Telling) -> Result<(), NodeFault> {
        if !telling.has_next() {
            telling.due = self.store.notices_due(chance::now()?, READ, READ_EACH).await?.into();
            // The store has what is being told until it was.
            telling.due.retain(|notice| !telling.busy.contains_key(&notice.transfer));
        }
        while let Some(notice) = telling.next() {
            let desk = Arc::clone(self);
            tries.spawn(async move {
                if let Err(fault) = desk.tell(&notice).await {
                    warn!(transfer = notice.transfer, %fault, "a message could not be sent");
                    sleep(UNRUNG).await;
                }
                notice.transfer
            });
        }
        Ok(())
    }

    async fn tell(self: &Arc<Self>, due: &DueNotice) -> Result<(), NodeFault> {
        let mut pauses = SOON.into_iter();
        loop {
            let (transfer, _) = self.read(&due.transfer).await?;
            if overtaken(&transfer) {
                self.store.notice_tried(&due.id, None).await?;
                return Ok(());
            }
            let message = due.notice.message(&transfer, &due.id, &self.settings.callback);
            let opening = transfer.opening();
            let (base, path) = (&opening.hears_at, due.notice.kind.path());
            let url = match (due.notice.kind, opening.role, &opening.provider_pid) {
                (Kind::Request, ..) => format!("{base}/transfers/{path}"),
                (_, Role::Consumer, Some(pid)) => format!("{base}/transfers/{}/{path}", escaped(pid)),
                (_, Role::Provider, _) => {
                    format!("{base}/transfers/{}/{path}", escaped(&opening.consumer_pid))
                }
                // The request was never answered, so that nobody knows of this transfer.
                (_, Role::Consumer, None) => return Ok(self.store.notice_tried(&due.id, None).await?),
            };
            let (why, asked) = match self.post.post(&opening.peer, &url, &message.body()).await {
                Ok(answer) => {
                    if due.notice.kind == Kind::Request {
                        self.learn(&due.transfer, &answer).await?;
                    }
                    return Ok(self.store.notice_tried(&due.id, None).await?);
                }
                Err(PostFault::Refused(why)) => {
                    warn!(transfer = due.transfer, kind = path, why, "the counterparty refuses a message");
                    self.store.notice_tried(&due.id, None).await?;
                    return self.give_up(&transfer, &why).await;
                }
                Err(PostFault::Later(why)) => (why, 0),
                Err(PostFault::Wait(why, asked)) => (why, i64::try_from(asked.as_secs()).unwrap_or(i64::MAX)),
            };
            match pauses.next().filter(|_| due.attempts == 0 && asked == 0) {
                Some(pause) => sleep(Duration::from_millis(pause)).await,
                None if due.attempts >= TRIES => {
                    warn!(transfer = due.transfer, kind = path, why, "given up");
                    return Ok(self.store.notice_tried(&due.id, None).await?);
                }
                None => {
                    let pause = 2_i64.saturating_pow(due.attempts.min(12)).min(3600).max(asked);
                    return Ok(self.store.notice_tried(&due.id, Some(chance::now()?.plus(pause))).await?);
                }
            }
        }
    }

    /// The provider's pid, from the answer to a request.
    async fn learn(self: &Arc<Self>, id: &str, answer: &Value) -> Result<(), NodeFault> {
        let Some(pid) = answer.get("providerPid").and_then(Value::as_str).filter(|pid| is_id(pid)) else {
            warn!(transfer = id, "the answer to a request names no providerPid; the start will");
            return Ok(());
        };
        loop {
            let (transfer, version) = self.read(id).await?;
            let decision = transfer.named(pid)?;
            if decision.events.is_empty() {
                return Ok(());
            }
            let now = chance::now()?;
            if self.commit(Some((transfer, version)), decision, None, None, now).await?.is_some() {
                return Ok(());
            }
        }
    }

    /// A refused request is no transfer; any other refused message leaves both sides where they say that they are.
    async fn give_up(self: &Arc<Self>, transfer: &Transfer, why: &str) -> Result<(), NodeFault> {
        if transfer.state().is_final() || transfer.opening().provider_pid.is_some() {
            return Ok(());
        }
        let id = transfer.own_pid().to_owned();
        let step = super::Step::Terminate;
        self.decide_because(&id, step, Some(&format!("the provider refused the request: {why}"))).await.map(|_| ())
    }
}

/// Whether a notice need not be told any more: the other side has ended the transfer. What this side did before it ended it
/// is told in its order.
fn overtaken(transfer: &Transfer) -> bool {
    transfer.state().is_final() && transfer.history().last().is_some_and(|moved| moved.by != transfer.opening().role)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::Notice;

    #[test]
    fn whoever_has_much_to_be_told_has_a_few_told_at_a_time_and_others_go_first() {
        let due = |peer: &str, number: usize| DueNotice {
            id: format!("{peer} {number}"),
            transfer: format!("{peer} {number}"),
            peer: peer.into(),
            notice: Notice { kind: Kind::Start, address: None, reason: Default::default() },
            attempts: 0,
        };
        let greedy = (0..20).map(|number| due("greedy", number));
        let mut telling = Telling { due: greedy.chain([due("modest", 0)]).collect(), ..Telling::default() };
        let begun: Vec<String> = std::iter::from_fn(|| telling.next()).map(|notice| notice.id).collect();
        let eight = (0..EACH).map(|number| format!("greedy {number}"));
        assert_eq!(begun, eight.chain(["modest 0".into()]).collect::<Vec<_>>());
        assert!(!telling.has_next(), "others may be due: they are read");
        telling.busy.remove("greedy 3");
        assert!(telling.has_next(), "what was read is told before it is read again");
        assert_eq!(telling.next().unwrap().id, "greedy 8");
    }
}
