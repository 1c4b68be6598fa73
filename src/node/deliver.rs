//! Messages on their way out: sealed anew for each attempt, repeated with back-off until the counterparty answers.

use futures::stream::{self, StreamExt as _};

use super::contacts::Reach;
use super::store::Outgoing;
use super::{Acquaintance, Node, NodeFault, StoreFault, chance};
use crate::encoding::Timestamp;
use crate::inbox::{self, AgreementPublic};

/// The longest pause between two attempts, in seconds.
const LONGEST_PAUSE: i64 = 60;
/// After so many attempts, about an hour, the counterparty is away for longer: then it is tried every quarter of an hour.
const PATIENCE: u32 = 60;
const RARELY: i64 = 15 * 60;
/// What a mediator has taken is kept there until it is fetched: another copy would only take up room.
const MEDIATED: i64 = 60 * 60;
/// How many messages are on their way at once.
const AT_ONCE: usize = 32;
/// A question that belongs to no negotiation is given up after so many attempts, about a week.
const QUESTION_TRIES: u32 = PATIENCE + 7 * 24 * 4;
/// An answer that could not be delivered so often is given up: the sender repeats its message and gets it then.
const ANSWER_TRIES: u32 = 5;

impl Node {
    /// Sends every message that is due; when the next one will be.
    pub(super) async fn deliver_due(&self) -> Result<Option<Timestamp>, NodeFault> {
        let due = self.store.due(chance::now()?, 64).await?;
        // A recipient that takes its time must not hold up the others.
        let delivered = stream::iter(due).map(|outgoing| async move { self.deliver(&outgoing).await });
        for done in delivered.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await {
            done?;
        }
        Ok(self.store.next_due().await?)
    }

    async fn deliver(&self, outgoing: &Outgoing) -> Result<(), NodeFault> {
        let sent = match self.send(outgoing).await {
            Ok(sent) => Ok(sent),
            Err(fault @ (NodeFault::Store(StoreFault::Failed(_) | StoreFault::Full(_)) | NodeFault::NoRandomness)) => {
                return Err(fault);
            }
            // A contact whose key cannot be sealed for is this recipient's matter, not that of the whole queue.
            Err(fault) => Err(fault.to_string()),
        };
        let longest = if outgoing.attempts < PATIENCE { LONGEST_PAUSE } else { RARELY };
        let went = sent.as_ref().ok().and_then(|sent| sent.reach.as_ref());
        let (moved, now) = (
            went.is_some() && self.reach(&outgoing.to).await.is_ok_and(|now| now.is_some() && now.as_ref() != went),
            chance::now()?,
        );
        let pause = match &sent {
            // What went to where the recipient has just moved away from waits for nothing but the recipient's moving about.
            _ if moved => self.again_after_move(&outgoing.to).await?.seconds() - now.seconds(),
            Ok(Sent { outcome: Ok(Taken::ByMediator), .. }) => MEDIATED,
            _ => (1_i64 << outgoing.attempts.min(10)).min(longest),
        };
        let sent = sent.and_then(|sent| sent.outcome);
        let again = Some(now.plus(pause));
        let next = match (&sent, outgoing.wants_answer) {
            (_, true) if outgoing.negotiation.is_none() && outgoing.attempts >= QUESTION_TRIES => None,
            (_, true) => again,
            (Err(_), false) if outgoing.attempts < ANSWER_TRIES => again,
            (_, false) => None,
        };
        let note = sent.err();
        if let Some(note) = &note {
            tracing::debug!(to = %outgoing.to, attempt = outgoing.attempts + 1, note, "not delivered yet");
        }
        self.store.attempted(&outgoing.id, next, note.as_deref()).await?;
        if note.is_some() {
            self.bells.news.send_replace(());
        }
        Ok(())
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Sent, NodeFault> {
        let signed = self.signed_now(&outgoing.signed)?;
        if signed != outgoing.signed {
            self.store.signed_anew(&outgoing.id, &signed).await?;
        }
        if let Some(connector) = self.connector()
            && let Some(address) = connector.address_of(&outgoing.to).await?
            && let Some(carried) = connector.carry(&address, &outgoing.to, &signed).await
        {
            return Ok(Sent { outcome: carried.map(|()| Taken::ByInbox), reach: None });
        }
        // What is sealed for a key of a little while ago is not lost: a rotated key still opens.
        let looked_up = self.directory.acquaint(&outgoing.to, Acquaintance::Known).await;
        let Some(reach) = self.reach(&outgoing.to).await? else {
            let why = looked_up.err().map_or_else(|| "no contact of it is known".to_owned(), |why| why.to_string());
            return Ok(Sent { outcome: Err(format!("{} cannot be reached: {why}", outgoing.to)), reach: None });
        };
        let curve = reach.keys.first().map(AgreementPublic::curve).transpose()?;
        let keys: Vec<_> = reach.keys.iter().filter(|key| key.curve().ok() == curve).cloned().collect();
        // Sealing draws no more than a few dozen bytes; a system without randomness fails below.
        let mut drawn = Ok(());
        let mut random = |bytes: &mut [u8]| {
            if drawn.is_ok() {
                drawn = chance::fill(bytes);
            }
        };
        let envelope = inbox::seal_signed(&signed, &keys, &mut random)?;
        let envelope = inbox::wrap(envelope, &outgoing.to, &reach.via, &mut random)?;
        drawn?;
        let taken = if reach.via.is_empty() { Taken::ByInbox } else { Taken::ByMediator };
        let outcome = self.courier.deliver(&reach.inbox, envelope).await;
        Ok(Sent { outcome: outcome.map(|()| taken).map_err(|fault| fault.to_string()), reach: Some(reach) })
    }
}

/// What became of an attempt, and where it went, where an inbox was known.
struct Sent {
    outcome: Result<Taken, String>,
    reach: Option<Reach>,
}

/// Who has taken an envelope.
enum Taken {
    ByInbox,
    ByMediator,
}
