//! Whose keys are which: the DID documents of did:web that this node knows, and when it asks for them anew.
//!
//! Verification never fetches. Whoever is about to verify asks here first ([`Directory::acquaint`]); a document is then
//! believed for a minute, or, where its server does not answer, for an hour. Every key that a known party's document ever
//! listed is remembered, with the time until which it was seen, so that a rotation unmakes nothing that was signed
//! before. Strangers' documents are fetched at a bounded rate and not kept.

mod known;
mod memory;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;
use tokio::sync::Semaphore;

pub use known::{Alteration, Known};
use memory::Memory;

use super::{NodeFault, Resolver, Store, StoreFault, chance, kind};
use crate::check::Refusal;
use crate::encoding::Timestamp;
use crate::identity::{Did, DidDocument, DidUrl, Documents, Method, checks};

/// How long a document is believed before it is asked for again, in seconds.
pub const BELIEVED_FOR: i64 = 60;
/// How long a document is believed whose server does not answer, since it last did.
const BELIEVED_UNANSWERED: i64 = 60 * 60;
/// How long a failure is an answer that somebody had to be waited for.
const FAILED_FOR: i64 = 30;
/// What takes longer than this, in seconds, was waited for. Who fails at once may be starting just now, and what it says
/// first is signed with keys that nobody has looked up yet.
const AT_ONCE_WITHIN: i64 = 1;
/// A known party's document is not asked for more often than this, whatever comes.
const AT_MOST_EVERY: i64 = 5;
/// How many documents are on their way at once.
const AT_ONCE: usize = 8;

/// Whether somebody is known here: a contact, an operator, a member, a counterparty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acquaintance {
    /// Its document is kept, and asked for as often as needed.
    Known,
    /// Anybody: at a bounded rate for all of them together, and nothing is kept.
    Stranger,
}

/// The DID documents that a node knows.
pub struct Directory {
    resolver: Option<Arc<dyn Resolver>>,
    store: Option<Arc<dyn Store>>,
    believed_for: i64,
    memory: Mutex<Memory>,
    flights: Mutex<HashMap<Did, Arc<tokio::sync::Mutex<()>>>>,
    seats: Semaphore,
}

impl Directory {
    /// A directory without a resolver: it knows what DIDs spell by themselves, and `documents`.
    pub fn closed(documents: Documents) -> Self {
        Self {
            resolver: None,
            store: None,
            believed_for: BELIEVED_FOR,
            memory: Mutex::new(Memory::new(documents)),
            flights: Mutex::default(),
            seats: Semaphore::new(AT_ONCE),
        }
    }

    /// A directory that asks `resolver`, and remembers in `store`. `trusted` are the documents that need no asking: keys
    /// that the trust names, and the node's own. A document is believed for `believed_for` seconds.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn open(
        resolver: Arc<dyn Resolver>,
        store: Arc<dyn Store>,
        trusted: Documents,
        believed_for: i64,
    ) -> Result<Self, NodeFault> {
        let mut memory = Memory::new(trusted);
        let now = chance::now()?;
        for (did, kept) in store.all(kind::DID_DOCUMENT).await? {
            let known: Known = did
                .parse::<Did>()
                .ok()
                .and_then(|did| Known::of_json(&did, &kept))
                .ok_or_else(|| StoreFault::Damaged(format!("{} {did}", kind::DID_DOCUMENT)))?;
            memory.take(known, now, BELIEVED_UNANSWERED);
        }
        Ok(Self {
            resolver: Some(resolver),
            store: Some(store),
            believed_for,
            memory: Mutex::new(memory),
            ..Self::closed(Documents::default())
        })
    }

    /// The documents as they are believed now: what is about to be verified for the first time rests on these.
    pub fn documents(&self) -> Documents {
        self.memory().believed().clone()
    }

    /// The documents with every key that a known party ever signed with: for what was verified here before.
    pub fn documents_ever(&self) -> Documents {
        self.memory().ever()
    }

    /// What is known of a did:web.
    pub fn known(&self, did: &Did) -> Option<Known> {
        self.memory().known(did).cloned()
    }

    /// Makes sure that the document of `did` is at hand and believed.
    ///
    /// # Errors
    /// `did.resolved` and what else a resolver refuses; nothing was believed then.
    pub async fn acquaint(&self, did: &Did, who: Acquaintance) -> Result<(), Refusal> {
        self.ask(did, who, self.believed_for).await
    }

    /// As [`Directory::acquaint`] of the DID in `kid`; a document that does not list that key is asked for again, since
    /// it may have been replaced just now.
    ///
    /// # Errors
    /// As [`Directory::acquaint`].
    pub async fn acquaint_with(&self, kid: &DidUrl, who: Acquaintance) -> Result<(), Refusal> {
        self.acquaint(kid.did(), who).await?;
        let lists = |known: &Known| {
            let agreement = known.document.agreement.iter().any(|(listed, _)| listed == kid);
            agreement || known.document.key(kid).is_ok()
        };
        let listed = self.memory().known(kid.did()).is_none_or(lists);
        if listed { Ok(()) } else { self.ask(kid.did(), who, AT_MOST_EVERY.min(self.believed_for)).await }
    }

    /// Asks for the document of `did`, because it says that it has changed; not more often than every few seconds.
    ///
    /// # Errors
    /// As [`Directory::acquaint`].
    pub async fn ask_again(&self, did: &Did) -> Result<(), Refusal> {
        self.ask(did, Acquaintance::Known, AT_MOST_EVERY.min(self.believed_for)).await
    }

    /// Asks for the document of `did` now, because its owner wants to know.
    ///
    /// # Errors
    /// As [`Directory::acquaint`].
    pub async fn ask_now(&self, did: &Did) -> Result<(), Refusal> {
        self.memory().forgive(did);
        self.ask(did, Acquaintance::Known, -1).await
    }

    /// Keeps the document of somebody who is known from now on.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn remember(&self, did: &Did) -> Result<(), NodeFault> {
        let known = self.memory().befriend(did);
        match known {
            Some(known) => self.keep(&known).await,
            None => Ok(()),
        }
    }

    /// The owner has seen what changed about `did`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn confirm(&self, did: &Did) -> Result<(), NodeFault> {
        let known = self.memory().confirm(did);
        match known {
            Some(known) => self.keep(&known).await,
            None => Ok(()),
        }
    }

    async fn ask(&self, did: &Did, who: Acquaintance, not_older_than: i64) -> Result<(), Refusal> {
        if did.method() != Method::Web || self.memory().is_trusted(did) {
            return Ok(());
        }
        if let Some(answer) = self.answer(did, not_older_than)? {
            return answer;
        }
        let flight = Flight::join(self, did);
        let _alone = flight.turn.lock().await;
        match self.answer(did, not_older_than)? {
            Some(answer) => answer,
            None => self.fetch(did, who).await,
        }
    }

    /// The answer without asking anybody, if there is one.
    fn answer(&self, did: &Did, not_older_than: i64) -> Result<Option<Result<(), Refusal>>, Refusal> {
        let now = now()?;
        let memory = self.memory();
        if memory.known(did).is_some_and(|known| now.seconds() - known.asked.seconds() <= not_older_than) {
            return Ok(Some(Ok(())));
        }
        Ok(memory.failed(did, now).map(|refusal| memory.despite(did, refusal)))
    }

    async fn fetch(&self, did: &Did, who: Acquaintance) -> Result<(), Refusal> {
        let Some(resolver) = &self.resolver else {
            return Err(checks::DID_DOCUMENT.refuse(format!("the document of {did} is not at hand")));
        };
        let now = now()?;
        let known = who == Acquaintance::Known || self.memory().known(did).is_some_and(|known| !known.stranger);
        if !known {
            self.memory().admit_stranger(now)?;
        }
        let _seat = self.seats.acquire().await;
        let began = self::now()?;
        let found = resolver.resolve(did).await;
        let now = self::now()?;
        let learned = match found {
            Ok(document) => self.memory().learn(document, !known, now),
            Err(refusal) => {
                tracing::debug!(%did, %refusal, "its document was not to be had");
                let waited = now.seconds() - began.seconds() > AT_ONCE_WITHIN;
                let failed_for = if known && !waited { AT_MOST_EVERY } else { FAILED_FOR };
                return self.memory().fail(did, refusal, now, failed_for, BELIEVED_UNANSWERED);
            }
        };
        if known {
            if let Some(change) = learned.changes.last().filter(|change| change.at == now) {
                tracing::warn!(%did, what = change.what.join("; "), "a DID document has changed");
            }
            // Not kept is asked for again after a restart; nothing else rests on it.
            if let Err(fault) = self.keep(&learned).await {
                tracing::error!(%did, %fault, "its document could not be kept");
            }
        }
        Ok(())
    }

    async fn keep(&self, known: &Known) -> Result<(), NodeFault> {
        let Some(store) = &self.store else { return Ok(()) };
        let json: Value = known.to_json();
        Ok(store.put(kind::DID_DOCUMENT, known.document.id.as_str(), &json).await?)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        lock(&self.memory)
    }

    /// What a contract file shows of the keys behind `kids`: a document that lists these and nothing else.
    pub fn shown(&self, did: &Did, kids: &[DidUrl]) -> DidDocument {
        let ever = self.documents_ever();
        let mut shown = DidDocument::bare(did.clone());
        for kid in kids.iter().filter(|kid| kid.did() == did) {
            if let (Ok(key), false) = (ever.key(kid), shown.keys.iter().any(|(known, _)| known == kid)) {
                shown.keys.push((kid.clone(), key));
            }
        }
        shown.keys.sort_by_key(|(kid, _)| kid.to_string());
        shown
    }
}

/// One of those who wait for the answer about a DID. Whoever leaves last, with an answer or without, takes it off the map.
struct Flight<'a> {
    directory: &'a Directory,
    did: &'a Did,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl<'a> Flight<'a> {
    fn join(directory: &'a Directory, did: &'a Did) -> Self {
        let turn = Arc::clone(lock(&directory.flights).entry(did.clone()).or_default());
        Self { directory, did, turn }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut flights = lock(&self.directory.flights);
        // Nobody else waits for it: the map's own and this one.
        if Arc::strong_count(&self.turn) <= 2 {
            flights.remove(self.did);
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nobody panics while holding it; if somebody did, what it guards is still whole.
    of.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn now() -> Result<Timestamp, Refusal> {
    chance::now().map_err(|fault| checks::DID_RESOLVED.refuse(fault.to_string()))
}

#[cfg(test)]
mod tests;
