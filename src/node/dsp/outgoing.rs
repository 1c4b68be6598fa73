//! What a desk is shown of this side's messages: those on their way, and those that the counterparty never took.

use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::talk::{Parcel, Talk};
use super::{Connector, PlainCommit};
use crate::encoding::Timestamp;
use crate::negotiation::Kind;
use crate::negotiation::plain::{Event, Said};
use crate::node::{Seen, StoreFault, chance};

/// After how many attempts somebody is told: by then it has been tried for more than a second.
const WORTH_TELLING: u32 = 6;

/// What a negotiation has beside its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainPending {
    /// When the clock ends it.
    pub lapses: Option<Timestamp>,
    /// Messages that the counterparty never took: their places in the log, and why.
    pub undelivered: Vec<(u64, String)>,
}

/// A message of this side that the counterparty has not taken.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlainMessage {
    /// Its id.
    pub id: Option<String>,
    /// What it is: `request`, `offer`, `acceptance`, `agreement`, `verification`, `finalization` or `termination`.
    pub kind: &'static str,
    /// How often it was tried in vain since this node started.
    pub attempts: u32,
    /// Whether it is tried no more: the counterparty never took it.
    pub done: bool,
    /// What the counterparty answered last, or why there was no answer.
    pub note: Option<String>,
}

impl PlainMessage {
    pub(super) fn of(said: &Said) -> Self {
        Self { id: said.id.clone(), kind: said.word.kind().name(), attempts: 0, done: false, note: None }
    }
}

/// The message that an event is, where it is one.
pub(super) fn message(event: &Event) -> Option<&Said> {
    if let Event::Began { said, .. } | Event::Said { said } = event { Some(said) } else { None }
}

impl Connector {
    /// Notes that a message was tried in vain.
    pub(super) fn tried(&self, talk: &Talk, parcel: &Parcel, why: &str) {
        let attempts = {
            let mut out = talk.out();
            let Some(message) = out.messages.get_mut(&parcel.place) else { return };
            message.attempts = message.attempts.saturating_add(1);
            message.note = Some(why.to_owned());
            message.attempts
        };
        if attempts == WORTH_TELLING {
            let kind = parcel.said.word.kind().name();
            tracing::warn!(negotiation = talk.id, message = kind, why, "the counterparty does not take a message yet");
            self.tell("failing", talk, parcel, why);
        }
    }

    /// Shows a message no more.
    pub(super) fn shown_no_more(talk: &Talk, parcel: &Parcel) {
        talk.out().messages.remove(&parcel.place);
    }

    /// Notes for good that the counterparty never took a message.
    pub(super) fn undelivered(&self, talk: &Talk, parcel: &Parcel, why: &str) {
        if let Some(message) = talk.out().messages.get_mut(&parcel.place) {
            // It was tried at least once: some answers are no reason to try again.
            message.attempts = message.attempts.max(1);
            message.done = true;
            message.note = Some(why.to_owned());
        }
        let receipt = self.store.submit(PlainCommit {
            id: talk.id.clone(),
            done: vec![parcel.place],
            undelivered: vec![(parcel.place, why.to_owned())],
            ..PlainCommit::default()
        });
        tokio::spawn(async move {
            if let Err(fault) = receipt.await {
                tracing::warn!(%fault, "a message that was turned down will be sent again after a restart");
            }
        });
        self.tell("turned-down", talk, parcel, why);
    }

    /// Notes that a message will not be sent: an end came first; or of an end itself, that nobody could be told.
    pub(super) fn unsaid(&self, talk: &Talk, parcel: &Parcel) {
        // Whoever never took the first message knows of nothing that could end.
        let begun = talk.out().messages.get(&0).is_none_or(|first| !first.done);
        if parcel.said.word.kind() == Kind::Termination && begun {
            let why = "the counterparty's id of the negotiation never became known here, so that it could not be told";
            return self.undelivered(talk, parcel, why);
        }
        self.done(talk, parcel);
    }

    /// Tells the desk of a message that has trouble, once.
    fn tell(&self, kind: &'static str, talk: &Talk, parcel: &Parcel, why: &str) {
        let Ok(at) = chance::now() else { return };
        let peer = talk.out().peer.clone();
        let seen = Seen {
            kind,
            at,
            negotiation: Some(talk.id.clone()),
            detail: json!({ "message": parcel.said.id, "to": peer, "why": why }),
            once: Some(format!("plain {kind} {} {}", talk.id, parcel.place)),
        };
        let (kept, wallet) = (Arc::clone(&self.kept), self.wallet.get().cloned());
        tokio::spawn(async move {
            match kept.tell_once(&seen).await {
                Ok(()) => wallet.iter().for_each(|wallet| wallet.ring()),
                Err(fault) => tracing::warn!(%fault, "a desk was not told of a message that has trouble"),
            }
        });
    }

    /// What the store knows of messages that were never taken.
    pub(super) async fn pending(&self, talk: &Talk, events: &[Event]) -> Result<(), StoreFault> {
        let pending = self.store.plain_pending(&talk.id).await?;
        let mut out = talk.out();
        out.lapses = pending.lapses;
        if let Some(Event::Began { opening, .. }) = events.first() {
            out.peer = Some(opening.peer.clone());
        }
        for (place, why) in pending.undelivered {
            let event = usize::try_from(place).ok().and_then(|place| events.get(place));
            if let Some(said) = event.and_then(message) {
                out.messages.insert(place, PlainMessage { done: true, note: Some(why), ..PlainMessage::of(said) });
            }
        }
        Ok(())
    }
}
