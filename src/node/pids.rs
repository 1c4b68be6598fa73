//! The two ids of a negotiation: each side makes its own and learns the other's.

use super::flow::Heard;
use super::wire::Incoming;
use super::{Node, NodeFault, checks};
use crate::check::Refusal;
use crate::identity::Did;
use crate::negotiation::{Event, Input, Negotiation, Opening, checks as moves};

impl Node {
    /// The negotiation with `peer` that a message belongs to, by the ids that it names.
    pub(super) async fn found(&self, peer: &Did, incoming: &Incoming) -> Result<Option<String>, NodeFault> {
        for pid in [&incoming.consumer_pid, &incoming.provider_pid].into_iter().flatten() {
            if let Some(id) = self.store.find(peer, pid).await? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Whoever began learns the other side's pid from the first answer.
    pub(super) async fn learn_pids(&self, peer: &Did, incoming: &Incoming) -> Result<(), NodeFault> {
        let Some(id) = self.found(peer, incoming).await? else { return Ok(()) };
        if news(self.negotiation(&id).await?.opening(), incoming).is_empty() {
            return Ok(());
        }
        self.advance(&id, None, |negotiation, _| Ok((Input::Elapsed, news(negotiation.opening(), incoming))))
            .await
            .map(|_| ())
    }
}

/// Holds a message to the ids of its negotiation; what it teaches about them.
pub(super) fn belongs(negotiation: &Negotiation, heard: &Heard, incoming: &Incoming) -> Result<Vec<Event>, Refusal> {
    let opening = negotiation.opening();
    checks::THREAD.hold(heard.thread == negotiation.thread(), || "thid is not the pid of whoever began".into())?;
    let pairs = [
        ("consumerPid", &opening.consumer_pid, &incoming.consumer_pid),
        ("providerPid", &opening.provider_pid, &incoming.provider_pid),
    ];
    for (name, known, named) in pairs {
        match (known, named) {
            (Some(known), Some(named)) => moves::PIDS.hold(known == named, || format!("another {name}"))?,
            (None, None) => return Err(moves::PIDS.refuse(format!("{name} is missing"))),
            // Who has had no answer yet does not know the other side's.
            _ => {}
        }
    }
    Ok(news(opening, incoming))
}

fn news(opening: &Opening, incoming: &Incoming) -> Vec<Event> {
    let mut news = Vec::new();
    if let (None, Some(pid)) = (&opening.provider_pid, &incoming.provider_pid) {
        news.push(Event::Named { provider_pid: pid.clone() });
    }
    if let (None, Some(pid)) = (&opening.consumer_pid, &incoming.consumer_pid) {
        news.push(Event::Joined { consumer_pid: pid.clone() });
    }
    news
}
