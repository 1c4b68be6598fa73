//! Connections on which members are sent what comes, as soon as it comes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::Peer;
use crate::check::Refusal;
use crate::identity::Did;
use crate::node::checks;

/// How many arrivals a slow connection may be behind; what is beyond stays in the queue and is asked for.
const BEHIND: usize = 64;

/// Every connection that somebody has proven to be theirs, with its bell where it is in live mode.
#[derive(Debug, Default)]
pub(super) struct Lines {
    open: Mutex<Open>,
    numbers: AtomicU64,
}

type Open = HashMap<Did, Vec<(u64, Option<Sender<String>>)>>;

/// A lasting connection. It belongs to whoever sent its first message, and nobody is asked where it comes from.
#[derive(Debug)]
pub struct Line {
    lines: Arc<Lines>,
    number: u64,
    bell: Sender<String>,
    /// Whose it is, once somebody has said so and proven it.
    pub(super) peer: Option<Peer>,
    /// Whether answers go back on it: asked for once for the whole connection.
    pub(super) returns: bool,
    /// Whether its owner was granted mediation.
    pub(super) serves: bool,
    live: bool,
}

impl Lines {
    /// A new connection, with the ids of what arrives once it is in live mode.
    pub(super) fn line(self: &Arc<Self>) -> (Line, Receiver<String>) {
        let (bell, arrivals) = channel(BEHIND);
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let line =
            Line { lines: Arc::clone(self), number, bell, peer: None, returns: false, serves: false, live: false };
        (line, arrivals)
    }

    /// Tells every live connection of a member what has arrived.
    pub(super) fn ring(&self, member: &Did, id: &str) {
        for bell in self.open().get(member).into_iter().flatten().filter_map(|(_, bell)| bell.as_ref()) {
            // A connection that is too far behind asks for what it missed.
            let _ = bell.try_send(id.to_owned());
        }
    }

    /// How many connections a member has in live mode.
    pub(super) fn of(&self, member: &Did) -> usize {
        self.open().get(member).into_iter().flatten().filter(|(_, bell)| bell.is_some()).count()
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // A list of senders cannot be left half-written.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Whether it is one of a member: who is none is shown out before long.
    pub fn serves(&self) -> bool {
        self.serves
    }

    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// Gives the connection to whoever wrote its first message, who has at most `most` of them.
    pub(super) fn belongs_to(&mut self, peer: &Peer, most: usize) -> Result<(), Refusal> {
        if let Some(known) = &mut self.peer {
            checks::LINE.hold(known.did == peer.did, || "this connection is another's".into())?;
            // Its newest key is the one that it surely has.
            known.key = peer.key.clone();
            return Ok(());
        }
        let mut open = self.lines.open();
        let own = open.entry(peer.did.clone()).or_default();
        checks::LINE.hold(own.len() < most, || format!("{most} connections of {} are open already", peer.did))?;
        own.push((self.number, None));
        drop(open);
        self.peer = Some(peer.clone());
        Ok(())
    }

    /// Turns live mode on or off.
    pub(super) fn go_live(&mut self, on: bool) {
        let Some(peer) = &self.peer else { return };
        let mut open = self.lines.open();
        if let Some((_, bell)) =
            open.get_mut(&peer.did).into_iter().flatten().find(|(number, _)| *number == self.number)
        {
            *bell = on.then(|| self.bell.clone());
        }
        self.live = on;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Some(peer) = &self.peer else { return };
        let mut open = self.lines.open();
        if let Some(own) = open.get_mut(&peer.did) {
            own.retain(|(number, _)| *number != self.number);
            if own.is_empty() {
                open.remove(&peer.did);
            }
        }
    }
}
