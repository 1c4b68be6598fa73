//! Negotiations in memory, and one decision on its way from there into the store and out to the counterparty.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::outgoing::PlainMessage;
use super::{Connector, PlainCommit, PlainIndex, Receipt};
use crate::check::Refusal;
use crate::dsp::checks;
use crate::encoding::Timestamp;
use crate::negotiation::Role;
use crate::negotiation::plain::{Event, Negotiation, ParticipantId, Said, Word};
use crate::node::{HELD, NodeFault, StoreFault, chance};

/// How many negotiations are kept in memory; beyond it those that nobody holds are read again when they are needed.
const IN_MEMORY: usize = 20_000;

/// A negotiation in memory. The store is the truth: what is not here is read from there.
pub(super) struct Talk {
    pub id: String,
    /// Whether it was open when this store was copied: the original may have decided since.
    pub held: bool,
    /// As its log has it; `None` until it is read, and after a write failed.
    pub standing: tokio::sync::Mutex<Option<Negotiation>>,
    out: Mutex<Out>,
    /// Rings when this side ends it: what was to be said before is waited for no longer.
    pub ended: Notify,
}

/// What goes out to the counterparty, in order, and what a desk is shown of it.
#[derive(Default)]
pub(super) struct Out {
    pub queue: VecDeque<Parcel>,
    /// Whether somebody is sending.
    pub busy: bool,
    /// What the counterparty has not taken, by the place in the log.
    pub messages: BTreeMap<u64, PlainMessage>,
    /// When the clock ends the negotiation.
    pub lapses: Option<Timestamp>,
    /// Who the counterparty is, once the log was read.
    pub peer: Option<ParticipantId>,
}

/// A message on its way out.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub place: u64,
    pub said: Said,
    /// Whether it begins the negotiation.
    pub first: bool,
}

impl Talk {
    pub(super) fn new(id: &str) -> Arc<Self> {
        Self::known(id, false)
    }

    fn known(id: &str, held: bool) -> Arc<Self> {
        Arc::new(Self {
            id: id.to_owned(),
            held,
            standing: tokio::sync::Mutex::default(),
            out: Mutex::default(),
            ended: Notify::new(),
        })
    }

    pub(super) fn out(&self) -> MutexGuard<'_, Out> {
        // A queue of plain values cannot be left half-written by a panic elsewhere.
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type PeerPid = (ParticipantId, Role, String);

/// The negotiations in memory, by this node's id and by the counterparty's.
#[derive(Default)]
pub(super) struct Talks {
    by_id: Mutex<HashMap<String, Arc<Talk>>>,
    by_peer: Mutex<HashMap<PeerPid, String>>,
    open: Mutex<Open>,
}

/// How many negotiations are open, or are about to be.
#[derive(Default)]
struct Open {
    with: HashMap<ParticipantId, u64>,
    /// With all together whom the configuration does not name.
    strangers: u64,
}

/// Room for a negotiation that is about to begin; given back when it is dropped.
pub(super) struct Room<'a> {
    talks: &'a Talks,
    peer: &'a ParticipantId,
    stranger: bool,
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.talks.count(self.peer, self.stranger, false);
    }
}

/// A counterparty's id for a negotiation that is about to begin; given back when it is dropped before it began.
pub(super) struct Claim<'a> {
    talks: &'a Talks,
    pid: PeerPid,
    id: String,
    good: bool,
}

impl Claim<'_> {
    /// It has begun: whoever says its first message again is told of it.
    pub(super) const fn hold(&mut self) {
        self.good = true;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut by_peer = held(&self.talks.by_peer);
        if !self.good && by_peer.get(&self.pid) == Some(&self.id) {
            by_peer.remove(&self.pid);
        }
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    // Maps of plain values cannot be left half-written by a panic elsewhere.
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Talks {
    pub(super) fn get(&self, id: &str) -> Option<Arc<Talk>> {
        held(&self.by_id).get(id).cloned()
    }

    /// Keeps a talk, unless somebody was quicker; the one that is kept.
    pub(super) fn keep(&self, talk: Arc<Talk>) -> Arc<Talk> {
        let mut by_id = held(&self.by_id);
        if by_id.len() >= IN_MEMORY {
            by_id.retain(|_, talk| Arc::strong_count(talk) > 1);
            held(&self.by_peer).retain(|_, id| by_id.contains_key(id));
        }
        by_id.entry(talk.id.clone()).or_insert(talk).clone()
    }

    pub(super) fn forget(&self, id: &str) {
        held(&self.by_id).remove(id);
        held(&self.by_peer).retain(|_, known| known != id);
    }

    /// Claims a counterparty's id for a negotiation; the one that has it already, if one does.
    pub(super) fn claim(&self, peer: &ParticipantId, role: Role, pid: &str, id: &str) -> Result<Claim<'_>, String> {
        let pid = (peer.clone(), role, pid.to_owned());
        match held(&self.by_peer).entry(pid.clone()) {
            std::collections::hash_map::Entry::Occupied(known) => Err(known.get().clone()),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(id.to_owned());
                Ok(Claim { talks: self, pid, id: id.to_owned(), good: false })
            }
        }
    }

    /// Takes room for one more, where fewer than `most` are open with `peer`, and with all strangers where it is one.
    pub(super) fn room<'a>(
        &'a self,
        peer: &'a ParticipantId,
        most: u64,
        strangers: Option<u64>,
    ) -> Result<Room<'a>, Refusal> {
        let mut open = held(&self.open);
        let with = open.with.get(peer).copied().unwrap_or_default();
        checks::OPEN.hold(with < most, || format!("{with} negotiations are open"))?;
        checks::OPEN.hold(strangers.is_none_or(|most| open.strangers < most), || {
            "too many negotiations are open with parties that are not known here; try again later".into()
        })?;
        open.count(peer, strangers.is_some(), true);
        Ok(Room { talks: self, peer, stranger: strangers.is_some() })
    }

    pub(super) fn count(&self, peer: &ParticipantId, stranger: bool, more: bool) {
        held(&self.open).count(peer, stranger, more);
    }

    /// So many are open with a party.
    pub(super) fn open(&self, peer: &ParticipantId, stranger: bool, many: u64) {
        let mut open = held(&self.open);
        (0..many).for_each(|_| open.count(peer, stranger, true));
    }
}

impl Open {
    fn count(&mut self, peer: &ParticipantId, stranger: bool, more: bool) {
        let step = |count: &mut u64| *count = if more { count.saturating_add(1) } else { count.saturating_sub(1) };
        if stranger {
            step(&mut self.strangers);
        }
        let count = self.with.entry(peer.clone()).or_default();
        step(count);
        if *count == 0 {
            self.with.remove(peer);
        }
    }
}

/// A decision that is being put together: what happened so far, and what of it goes out.
pub(super) struct Draft {
    pub negotiation: Negotiation,
    place: u64,
    events: Vec<String>,
    parcels: Vec<Parcel>,
    told: Vec<u64>,
    began: bool,
    /// Whether it was not over before.
    ended: bool,
}

impl Draft {
    /// The first decision of a negotiation.
    pub(super) fn begin(event: Event) -> Result<Self, NodeFault> {
        let (text, parcel) = (written(&event)?, outgoing(&event, None, 0));
        let negotiation = Negotiation::replay([event]).map_err(damaged)?;
        Ok(Self {
            negotiation,
            place: 0,
            events: vec![text],
            parcels: parcel.into_iter().collect(),
            told: vec![0],
            began: true,
            ended: true,
        })
    }

    /// A further decision.
    pub(super) fn further(negotiation: Negotiation) -> Self {
        let ended = !negotiation.is_over();
        let place = negotiation.events();
        Self { place, negotiation, events: vec![], parcels: vec![], told: vec![], began: false, ended }
    }

    pub(super) fn add(mut self, event: Event) -> Result<Self, NodeFault> {
        let place = self.place + self.events.len() as u64;
        self.events.push(written(&event)?);
        // Learning the counterparty's id moves nothing.
        self.told.extend(super::outgoing::message(&event).map(|_| place));
        self.parcels.extend(outgoing(&event, Some(self.negotiation.opening().role), place));
        self.negotiation = self.negotiation.apply(event).map_err(damaged)?;
        Ok(self)
    }
}

/// The message that an event is, where this side said it.
fn outgoing(event: &Event, role: Option<Role>, place: u64) -> Option<Parcel> {
    match event {
        Event::Began { opening, said } if said.sender == opening.role => {
            Some(Parcel { place, said: said.clone(), first: true })
        }
        Event::Said { said } if Some(said.sender) == role => Some(Parcel { place, said: said.clone(), first: false }),
        _ => None,
    }
}

fn written(event: &Event) -> Result<String, NodeFault> {
    serde_json::to_string(event).map_err(|cause| StoreFault::Failed(cause.to_string()).into())
}

fn damaged(what: String) -> NodeFault {
    StoreFault::Damaged(format!("a decision does not follow from its log: {what}")).into()
}

impl Connector {
    /// The negotiation of an id; `None` where there is none.
    pub(super) async fn talk(&self, id: &str) -> Result<Option<Arc<Talk>>, NodeFault> {
        self.counted().await?;
        if let Some(talk) = self.talks.get(id) {
            return Ok(Some(talk));
        }
        let Some(events) = self.store.plain_log(id).await? else { return Ok(None) };
        let held = self.kept.one(HELD, id).await?.is_some();
        let talk = Talk::known(id, held);
        self.pending(&talk, &events).await?;
        *talk.standing.lock().await = Some(Negotiation::replay(events).map_err(damaged)?);
        Ok(Some(self.talks.keep(talk)))
    }

    /// Reads the negotiation where memory does not have it.
    pub(super) async fn read(&self, talk: &Talk, slot: &mut Option<Negotiation>) -> Result<(), NodeFault> {
        if slot.is_none() {
            let events = self.store.plain_log(&talk.id).await?;
            let events = events.ok_or_else(|| NodeFault::unknown("negotiation", &talk.id))?;
            self.pending(talk, &events).await?;
            *slot = Some(Negotiation::replay(events).map_err(damaged)?);
        }
        Ok(())
    }

    /// Hands a decision to the store, and whatever follows to a task that outlives an impatient caller.
    ///
    /// Memory goes ahead at once, so that the next message does not wait for this one's fsync; the store writes in order.
    pub(super) fn submit(
        self: &Arc<Self>,
        talk: &Arc<Talk>,
        slot: &mut Option<Negotiation>,
        draft: Draft,
    ) -> Result<Settling, NodeFault> {
        let Draft { negotiation, place, events, parcels, told, began, ended } = draft;
        let now = chance::now()?;
        let peer = &negotiation.opening().peer;
        if began {
            self.count(peer, true);
        }
        if negotiation.is_over() && ended {
            self.count(peer, false);
        }
        let index = self.index(&negotiation, now);
        {
            let mut out = talk.out();
            out.lapses = index.lapses;
            out.peer.get_or_insert_with(|| peer.clone());
            out.messages.extend(parcels.iter().map(|parcel| (parcel.place, PlainMessage::of(&parcel.said))));
        }
        let commit = PlainCommit {
            id: talk.id.clone(),
            place,
            send: parcels.iter().map(|parcel| parcel.place).collect(),
            events,
            told,
            index: Some(index),
            ..PlainCommit::default()
        };
        tracing::debug!(negotiation = talk.id, state = %negotiation.state().name(), "committed");
        *slot = Some(negotiation);
        let receipt = self.store.submit(commit);
        Ok(Settling(tokio::spawn(settle(Arc::clone(self), Arc::clone(talk), receipt, parcels, began))))
    }

    fn index(&self, negotiation: &Negotiation, at: Timestamp) -> PlainIndex {
        let opening = negotiation.opening();
        let waits = i64::from(self.settings.waits.0);
        PlainIndex {
            role: opening.role,
            peer: opening.peer.clone(),
            peer_pid: opening.peer_pid.clone(),
            dataset: opening.dataset.clone(),
            state: negotiation.state().name(),
            at,
            lapses: (!negotiation.is_over()).then(|| at.plus(waits)),
        }
    }
}

/// A decision that is being written.
pub(super) struct Settling(JoinHandle<Result<(), StoreFault>>);

impl Settling {
    /// Waits until it is durable.
    pub(super) async fn settled(self) -> Result<(), NodeFault> {
        let ended = self.0.await.map_err(|cause| StoreFault::Failed(cause.to_string()))?;
        Ok(ended?)
    }
}

async fn settle(
    connector: Arc<Connector>,
    talk: Arc<Talk>,
    receipt: Receipt,
    parcels: Vec<Parcel>,
    began: bool,
) -> Result<(), StoreFault> {
    match receipt.await {
        Ok(()) => {
            if !parcels.is_empty() {
                let ends = parcels.iter().any(|parcel| matches!(parcel.said.word, Word::Termination { .. }));
                let mut out = talk.out();
                // What waits for itself alone is not woken.
                let before = !out.queue.is_empty();
                out.queue.extend(parcels);
                drop(out);
                if ends && before {
                    talk.ended.notify_one();
                }
                connector.send(&talk);
            }
            connector.watch.notify_one();
            connector.wallet.get().into_iter().for_each(|wallet| wallet.ring());
            Ok(())
        }
        Err(fault) => {
            match &fault {
                // Whoever is turned away for it is told, and the log as often as it helps.
                StoreFault::Full(_) => tracing::debug!(negotiation = talk.id, %fault, "a decision was not written"),
                _ => tracing::error!(negotiation = talk.id, %fault, "a decision was not written"),
            }
            parcels.iter().for_each(|parcel| Connector::shown_no_more(&talk, parcel));
            // Memory went ahead of the store: it is read again.
            let before = talk.standing.lock().await.take();
            if began {
                connector.talks.forget(&talk.id);
                before.iter().for_each(|negotiation| connector.count(&negotiation.opening().peer, false));
            }
            Err(fault)
        }
    }
}
