//! Messages on their way: in order for each negotiation, repeated until they are taken, and none after the end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::reply::{Verdict, judge, judge_first, pid};
use super::talk::{Draft, Parcel, Talk};
use super::{Connector, PlainCommit};
use crate::dsp;
use crate::negotiation::plain::{Event, Negotiation, Opening, Said, State, Word};
use crate::negotiation::{Decider, Kind, Role};
use crate::node::{NodeFault, chance};

/// The pause after a first attempt that failed; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The longest that a peer may have this node wait between two attempts.
pub(super) const ASKED: Duration = Duration::from_secs(3600);
/// How often a message is tried that the peer is not ready for: some fifteen seconds.
const NOT_YET: u32 = 10;
/// How often it is tried while the peer has trouble.
const LATER: u32 = 3000;
/// For how long it is waited all in all: two days.
const WAITED: Duration = Duration::from_secs(2 * 24 * 3600);
/// How long a provider lets its answer to a first request go ahead of what it says next: some peers (EDC, the TCK) do not
/// know the negotiation before they have read it.
const ANSWER_FIRST: Duration = Duration::from_millis(10);

/// What came of a message.
enum Outcome {
    /// The peer took it.
    Taken(Option<Value>),
    /// The negotiation ended meanwhile, or this node cannot say it.
    Pointless,
    /// The peer does not take it, and why.
    Refused(String),
}

impl Connector {
    /// Has what waits in a negotiation sent, unless somebody is at it already.
    pub(super) fn send(self: &Arc<Self>, talk: &Arc<Talk>) {
        let mut out = talk.out();
        if out.busy || out.queue.is_empty() {
            return;
        }
        out.busy = true;
        drop(out);
        self.beside(send_all(Arc::clone(self), Arc::clone(talk)));
    }

    async fn deliver(&self, talk: &Talk, parcel: &Parcel) -> Result<Outcome, NodeFault> {
        if !parcel.first && parcel.place == 1 && parcel.said.sender == Role::Provider {
            sleep(ANSWER_FIRST).await;
        }
        let (mut not_yet, mut later, mut pause, mut waited) = (0, 0, FIRST_PAUSE, Duration::ZERO);
        loop {
            let Some((url, message, opening)) = self.spell(talk, parcel).await? else {
                return Ok(Outcome::Pointless);
            };
            let answer = {
                let _lane = self.lanes.to(&opening.peer).await;
                // Not before: it would grow old while it waits.
                let proof = self.identity.prove_to(&opening.peer)?;
                self.messenger.post(&url, &proof, message).await
            };
            let asked = answer.as_ref().ok().and_then(|posted| posted.later).unwrap_or_default();
            let verdict = match answer {
                Ok(posted) if parcel.first => {
                    // By now the peer may have named itself in a message that was quicker than its answer.
                    let mut slot = talk.standing.lock().await;
                    self.read(talk, &mut slot).await?;
                    judge_first(posted, slot.as_ref().map_or(&opening, Negotiation::opening))
                }
                Ok(posted) => judge(posted),
                Err(fault) => Verdict::Later(fault.0),
            };
            let why = match verdict {
                Verdict::Taken(body) => return Ok(Outcome::Taken(body)),
                Verdict::Refused(why) => return Ok(Outcome::Refused(why)),
                Verdict::NotYet(why) => {
                    not_yet += 1;
                    why
                }
                Verdict::Later(why) => {
                    later += 1;
                    why
                }
            };
            self.tried(talk, parcel, &why);
            if not_yet >= NOT_YET || later >= LATER || waited >= WAITED {
                return Ok(Outcome::Refused(why));
            }
            tracing::debug!(negotiation = talk.id, why, "not taken yet");
            let wait = pause.max(asked.min(ASKED));
            waited += wait;
            tokio::select! {
                () = sleep(wait) => {}
                () = talk.ended.notified() => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Where a message goes and what it is; `None` when it need not be sent any more.
    async fn spell(&self, talk: &Talk, parcel: &Parcel) -> Result<Option<(String, Vec<u8>, Opening)>, NodeFault> {
        let mut slot = talk.standing.lock().await;
        self.read(talk, &mut slot).await?;
        let Some(negotiation) = slot.as_ref() else { return Ok(None) };
        let (opening, kind) = (negotiation.opening(), parcel.said.word.kind());
        let last = match negotiation.state() {
            State::Terminated(ending, _) => kind == Kind::Termination && ending.by == opening.role,
            State::Finalized(_) => kind == Kind::Finalization,
            _ => true,
        };
        if !last {
            return Ok(None);
        }
        let Some(path) = path(opening, &parcel.said, parcel.first) else {
            let message = kind.name();
            tracing::warn!(negotiation = talk.id, message, "not sent: the counterparty never named its negotiation");
            return Ok(None);
        };
        let message = dsp::write(opening, &parcel.said, parcel.first.then_some(self.base.as_str()));
        Ok(Some((format!("{}{path}", opening.address), message.to_string().into_bytes(), opening.clone())))
    }

    /// Notes that a message is done, without waiting for it: a repetition would do no harm.
    pub(super) fn done(&self, talk: &Talk, parcel: &Parcel) {
        Self::shown_no_more(talk, parcel);
        let (id, done) = (talk.id.clone(), vec![parcel.place]);
        let receipt = self.store.submit(PlainCommit { id, done, ..PlainCommit::default() });
        tokio::spawn(async move {
            if let Err(fault) = receipt.await {
                tracing::warn!(%fault, "a message that was taken will be sent again after a restart");
            }
        });
    }

    /// Learns the peer's id of the negotiation from its first answer, where no message was quicker.
    async fn learn(self: &Arc<Self>, talk: &Arc<Talk>, answer: Option<&Value>) -> Result<(), NodeFault> {
        let mut slot = talk.standing.lock().await;
        self.read(talk, &mut slot).await?;
        let Some(opening) = slot.as_ref().map(|negotiation| negotiation.opening()) else { return Ok(()) };
        let member = if opening.role == Role::Consumer { "providerPid" } else { "consumerPid" };
        let named = answer.and_then(|answer| pid(answer, member));
        let (None, Some(pid)) = (&opening.peer_pid, named) else { return Ok(()) };
        let event = Event::Named { pid: pid.to_owned() };
        let Some(negotiation) = slot.take() else { return Ok(()) };
        let draft = Draft::further(negotiation).add(event)?;
        // Nobody waits for it: what is said next is written behind it, and after a restart the peer answers again.
        drop(self.submit(talk, &mut slot, draft)?);
        Ok(())
    }

    /// Ends a negotiation whose message the peer does not take.
    async fn give_up(self: &Arc<Self>, talk: &Arc<Talk>, parcel: &Parcel, why: &str) -> Result<(), NodeFault> {
        let kind = parcel.said.word.kind();
        tracing::warn!(negotiation = talk.id, message = kind.name(), why, "the counterparty does not take a message");
        let mut slot = talk.standing.lock().await;
        self.read(talk, &mut slot).await?;
        let Some(negotiation) = slot.as_ref().filter(|negotiation| !negotiation.is_over()) else { return Ok(()) };
        let said = Said {
            sender: negotiation.opening().role,
            id: Some(chance::urn_uuid()?),
            word: Word::Termination {
                code: Some("undelivered".into()),
                reason: vec![json!(format!("the {} was not taken: {why}", kind.name()))],
            },
            at: chance::now()?,
            by: Some(Decider::Rule("undelivered".into())),
            cataloged: None,
            parties: None,
            extra: serde_json::Map::new(),
        };
        let Some(event) = Self::uttered(negotiation, said)? else { return Ok(()) };
        let Some(negotiation) = slot.take() else { return Ok(()) };
        let settling = self.submit(talk, &mut slot, Draft::further(negotiation).add(event)?)?;
        drop(slot);
        settling.settled().await
    }
}

async fn send_all(connector: Arc<Connector>, talk: Arc<Talk>) {
    loop {
        let next = {
            let mut out = talk.out();
            let next = out.queue.front().cloned();
            out.busy = next.is_some();
            next
        };
        let Some(parcel) = next else { return };
        let ended = match connector.deliver(&talk, &parcel).await {
            Ok(Outcome::Taken(answer)) => {
                let learned = if parcel.first { connector.learn(&talk, answer.as_ref()).await } else { Ok(()) };
                connector.done(&talk, &parcel);
                learned
            }
            Ok(Outcome::Pointless) => {
                connector.unsaid(&talk, &parcel);
                Ok(())
            }
            Ok(Outcome::Refused(why)) => {
                connector.undelivered(&talk, &parcel, &why);
                connector.give_up(&talk, &parcel, &why).await
            }
            Err(fault) => Err(fault),
        };
        if let Err(fault) = ended {
            tracing::error!(negotiation = talk.id, %fault, "a message could not be dealt with");
        }
        talk.out().queue.pop_front();
    }
}

/// Where a message stands below the peer's base; `None` while the peer's id of the negotiation is not known.
fn path(opening: &Opening, said: &Said, first: bool) -> Option<String> {
    let kind = said.word.kind();
    if first {
        return Some(if kind == Kind::Request { "/negotiations/request" } else { "/negotiations/offers" }.to_owned());
    }
    let last = match kind {
        Kind::Request => "request",
        Kind::Offer => "offers",
        Kind::Acceptance | Kind::Finalization => "events",
        Kind::Agreement => "agreement",
        Kind::Verification => "agreement/verification",
        Kind::Termination => "termination",
    };
    opening.peer_pid.as_ref().map(|pid| format!("/negotiations/{}/{last}", escaped(pid)))
}

/// A text as one segment of a path.
pub(in crate::node) fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@!$&'()*+,;=".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
