//! After a start, and when time is up.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::outgoing::PlainMessage;
use super::talk::Parcel;
use super::{Act, Connector, Next, Order};
use crate::negotiation::Decider;
use crate::negotiation::plain::Event;
use crate::node::{NodeFault, chance};

/// The longest sleep without looking at the store.
const LONGEST: Duration = Duration::from_secs(600);
/// How many negotiations one page has.
const PAGE: u32 = 500;

impl Connector {
    /// Takes up what a restart has interrupted, then watches the clock; ends with the returned set.
    pub fn run(self: &Arc<Self>) -> JoinSet<()> {
        let mut loops = JoinSet::new();
        loops.spawn(watch(Arc::clone(self)));
        loops
    }

    /// Sends what was not taken before, and lets happen what follows by itself.
    async fn take_up(self: &Arc<Self>) -> Result<(), NodeFault> {
        let mut before = None;
        loop {
            let page = self.store.plain(true, before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.number);
            for entry in page {
                let Some(talk) = self.talk(&entry.id).await? else { continue };
                let mut slot = talk.standing.lock().await;
                self.read(&talk, &mut slot).await?;
                let Some(negotiation) = slot.as_ref() else { continue };
                if let Next::Itself { after, .. } = self.next_in(&talk, negotiation) {
                    self.later(&talk, negotiation, after);
                }
            }
        }
        for (id, place) in self.store.plain_unsent().await? {
            let Some(talk) = self.talk(&id).await? else { continue };
            let events = self.store.plain_log(&id).await?.unwrap_or_default();
            let event = usize::try_from(place).ok().and_then(|place| events.into_iter().nth(place));
            let (said, first) = match event {
                Some(Event::Began { said, .. }) => (said, true),
                Some(Event::Said { said }) => (said, false),
                _ => continue,
            };
            let mut out = talk.out();
            out.messages.entry(place).or_insert_with(|| PlainMessage::of(&said));
            if out.queue.iter().all(|parcel| parcel.place != place) {
                out.queue.push_back(Parcel { place, said, first });
            }
            drop(out);
            self.send(&talk);
        }
        Ok(())
    }

    /// Ends what waited too long; when the next one is due.
    async fn lapse(self: &Arc<Self>) -> Result<Duration, NodeFault> {
        let now = chance::now()?;
        let (due, next) = self.store.plain_lapsed(now).await?;
        for id in due {
            let order = Order { code: Some("timeout".into()), ..Order::default() };
            if let Err(fault) = self.act(&id, Act::Terminate, order, Decider::Rule("waits".into())).await {
                tracing::warn!(negotiation = id, %fault, "it waited too long, and could not be ended");
            }
        }
        let until = next.map_or(LONGEST.as_secs(), |next| (next.seconds() - now.seconds()).max(1).unsigned_abs());
        Ok(Duration::from_secs(until).min(LONGEST))
    }
}

async fn watch(connector: Arc<Connector>) {
    let _stops = connector.stopping.clone().drop_guard();
    if let Err(fault) = connector.take_up().await {
        tracing::error!(%fault, "plain negotiations were not taken up");
    }
    loop {
        let pause = match connector.lapse().await {
            Ok(pause) => pause,
            Err(fault) => {
                tracing::error!(%fault, "the clock of plain negotiations failed; trying again");
                Duration::from_secs(5)
            }
        };
        let _ = timeout(pause, connector.watch.notified()).await;
    }
}
