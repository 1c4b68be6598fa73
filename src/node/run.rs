//! The node at work: loops that sleep until there is something to do. Only the chain is polled often.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Node, NodeFault, chance};

/// How long a loop waits after its store or chain failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How often clocks are looked at: the finest time that protocol.md knows is a second.
const TICK: Duration = Duration::from_secs(1);

/// How long a loop sleeps without a bell: a caller that goes away while the store writes leaves it unrung.
const UNRUNG: Duration = Duration::from_secs(10);

/// How often the clock is held against the chain at most, and how often contracts are looked up that may have ended.
const LOOK: Duration = Duration::from_secs(10);
const ENDS: Duration = Duration::from_secs(30);

/// So many polls of the chain, a second at least and `most` at most.
pub(super) fn paced(poll_ms: u64, polls: u64, most: Duration) -> Duration {
    Duration::from_millis(poll_ms.saturating_mul(polls)).clamp(TICK, most)
}

impl Node {
    /// Starts the node's loops; they end with the returned set.
    pub fn run(self: &Arc<Self>) -> JoinSet<()> {
        let mut loops = JoinSet::new();
        self.run_in(&mut loops);
        loops
    }

    /// Starts the node's loops beside others; they end with the set.
    pub fn run_in(self: &Arc<Self>, loops: &mut JoinSet<()>) {
        loops.spawn(opening(self.clone()));
        loops.spawn(delivering(self.clone()));
        loops.spawn(performing(self.clone()));
        loops.spawn(watching(self.clone()));
        loops.spawn(looking_for_ends(self.clone()));
        loops.spawn(saying_where(self.clone()));
        loops.spawn(Arc::clone(&self.timepiece).run(paced(self.settings.poll_ms, 5, LOOK)));
    }
}

async fn opening(node: Arc<Node>) {
    loop {
        match node.open_envelopes().await {
            Ok(0) => {
                let _ = timeout(UNRUNG, node.bells.inbox.notified()).await;
            }
            Ok(_) => {}
            Err(fault) => failed("inbox", &fault).await,
        }
    }
}

async fn delivering(node: Arc<Node>) {
    loop {
        match node.deliver_due().await {
            Ok(next) => {
                let now = chance::now().ok();
                let until = next.zip(now).map(|(next, now)| (next.seconds() - now.seconds()).max(0).unsigned_abs());
                match until {
                    Some(seconds) => {
                        let pause = Duration::from_secs(seconds).max(Duration::from_millis(20));
                        let _ = timeout(pause, node.bells.outbox.notified()).await;
                    }
                    None => {
                        let _ = timeout(UNRUNG, node.bells.outbox.notified()).await;
                    }
                }
            }
            Err(fault) => failed("outbox", &fault).await,
        }
    }
}

async fn performing(node: Arc<Node>) {
    loop {
        if let Err(fault) = node.perform_orders().await {
            failed("orders", &fault).await;
        }
        let _ = timeout(TICK, node.bells.orders.notified()).await;
    }
}

async fn watching(node: Arc<Node>) {
    let poll = Duration::from_millis(node.settings.poll_ms.max(50));
    let mut looked = tokio::time::Instant::now();
    let mut chain = true;
    loop {
        if let Err(fault) = node.watch(chain).await {
            failed("watch", &fault).await;
        }
        let _ = timeout(poll.min(TICK), node.bells.watch.notified()).await;
        chain = looked.elapsed() >= poll;
        if chain {
            looked = tokio::time::Instant::now();
        }
    }
}

async fn looking_for_ends(node: Arc<Node>) {
    let mut place = 0;
    loop {
        sleep(paced(node.settings.poll_ms, 10, ENDS)).await;
        match node.look_for_ends(place).await {
            Ok(next) => place = next,
            Err(fault) => failed("ends", &fault).await,
        }
    }
}

async fn saying_where(node: Arc<Node>) {
    loop {
        match node.say_where().await {
            Ok(()) => node.bells.moved.notified().await,
            Err(fault) => failed("contact", &fault).await,
        }
    }
}

async fn failed(what: &str, fault: &NodeFault) {
    tracing::error!(what, %fault, "failed; trying again");
    sleep(PAUSE).await;
}
