//! Deliveries whose terms run out while they run.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::Standing;
use crate::encoding::Timestamp;
use crate::node::{Timepiece, chance};
use crate::policy::checks;

/// How long nobody looks at the clock: it may be set, and the machine may sleep.
const LOOK: i64 = 5;
/// How exactly an end is met, in its last second.
const NEAR: Duration = Duration::from_millis(100);

/// The moment by which terms are judged: a clock that lags behind the chain keeps nothing open.
pub(in crate::node) fn moment(timepiece: &Timepiece, now: Timestamp) -> Timestamp {
    timepiece.seen().latest.map_or(now, |(head, _)| now.max(head.time))
}

/// What tells a delivery that it has to be cut: what `standing` tells, and the end of its terms at `until`.
pub(in crate::node) fn ends(
    standing: watch::Receiver<Standing>,
    until: Option<Timestamp>,
    timepiece: &Arc<Timepiece>,
) -> watch::Receiver<Standing> {
    let Some(until) = until else { return standing };
    let (sender, receiver) = watch::channel(standing.borrow().clone());
    tokio::spawn(tell(standing, sender, until, Arc::clone(timepiece)));
    receiver
}

async fn tell(
    mut standing: watch::Receiver<Standing>,
    sender: watch::Sender<Standing>,
    until: Timestamp,
    timepiece: Arc<Timepiece>,
) {
    loop {
        // Without a clock nothing is known to be open.
        let left = chance::now().map_or(0, |now| until.seconds() - moment(&timepiece, now).seconds());
        let pause = match u64::try_from((left - 1).min(LOOK)) {
            _ if left <= 0 => {
                let over = checks::POLICY_CONSTRAINT.refuse(format!("the terms ran out at {until}"));
                tracing::info!(check = over.check.id(), detail = over.detail, "what runs is cut");
                sender.send_replace(Standing::Shut(over));
                return;
            }
            Ok(whole) if whole > 0 => Duration::from_secs(whole),
            _ => NEAR,
        };
        tokio::select! {
            () = sender.closed() => return,
            () = sleep(pause) => {}
            changed = standing.changed() => {
                if changed.is_err() {
                    // Whoever held the contract is gone; that cuts as well.
                    return;
                }
                sender.send_replace(standing.borrow_and_update().clone());
            }
        }
    }
}
