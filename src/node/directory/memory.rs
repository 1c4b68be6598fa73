use std::collections::{HashMap, HashSet, VecDeque};

use super::Known;
use crate::check::Refusal;
use crate::encoding::Timestamp;
use crate::identity::{Did, DidDocument, Documents, checks};

/// How many strangers' documents are fetched in a minute, all of them together.
const STRANGERS_A_MINUTE: u32 = 30;
/// How many strangers' documents are in memory.
const STRANGERS: usize = 256;
/// How many failures are remembered.
const FAILURES: usize = 1024;

/// What a directory has in memory.
pub(super) struct Memory {
    trusted: HashSet<Did>,
    believed: Documents,
    ever: Documents,
    known: HashMap<Did, Known>,
    failed: HashMap<Did, (Timestamp, Refusal)>,
    strangers: VecDeque<Did>,
    minute: (Timestamp, u32),
}

impl Memory {
    pub(super) fn new(trusted: Documents) -> Self {
        Self {
            trusted: trusted.dids().cloned().collect(),
            ever: trusted.clone(),
            believed: trusted,
            known: HashMap::new(),
            failed: HashMap::new(),
            strangers: VecDeque::new(),
            minute: (long_ago(), 0),
        }
    }

    /// Whether the document of `did` needs no asking.
    pub(super) fn is_trusted(&self, did: &Did) -> bool {
        self.trusted.contains(did)
    }

    pub(super) fn believed(&self) -> &Documents {
        &self.believed
    }

    pub(super) fn ever(&self) -> Documents {
        self.ever.as_of(long_ago())
    }

    pub(super) fn known(&self, did: &Did) -> Option<&Known> {
        self.known.get(did)
    }

    /// Takes up what was kept; believed if it is not too old.
    pub(super) fn take(&mut self, known: Known, now: Timestamp, believed_unanswered: i64) {
        let did = known.document.id.clone();
        if self.trusted.contains(&did) {
            return;
        }
        if now <= known.asked.plus(believed_unanswered) {
            self.believed.insert(known.document.clone());
        }
        self.ever.insert(known.document.clone());
        self.known.insert(did, known);
    }

    /// A document was served.
    pub(super) fn learn(&mut self, document: DidDocument, stranger: bool, now: Timestamp) -> Known {
        let did = document.id.clone();
        self.failed.remove(&did);
        let known = match self.known.get(&did) {
            Some(before) => before.after(document, stranger, now),
            None => {
                if stranger {
                    self.make_room();
                    self.strangers.push_back(did.clone());
                }
                Known::new(document, stranger, now)
            }
        };
        self.believed.insert(known.document.clone());
        self.ever.insert(known.document.clone());
        self.known.insert(did, known.clone());
        known
    }

    fn make_room(&mut self) {
        while self.strangers.len() >= STRANGERS {
            let Some(oldest) = self.strangers.pop_front() else { return };
            if self.known.get(&oldest).is_some_and(|known| known.stranger) {
                self.known.remove(&oldest);
                self.believed.remove(&oldest);
                self.ever.remove(&oldest);
            }
        }
    }

    /// A document was not to be had; what was served before is believed for a while longer.
    pub(super) fn fail(
        &mut self,
        did: &Did,
        refusal: Refusal,
        now: Timestamp,
        failed_for: i64,
        believed_unanswered: i64,
    ) -> Result<(), Refusal> {
        if self.failed.len() >= FAILURES {
            self.failed.retain(|_, (until, _)| now < *until);
        }
        if self.failed.len() < FAILURES {
            self.failed.insert(did.clone(), (now.plus(failed_for), refusal.clone()));
        }
        if self.known.get(did).is_none_or(|known| known.asked.plus(believed_unanswered) < now) {
            self.believed.remove(did);
        }
        self.despite(did, refusal)
    }

    /// A failure that was noted not long ago.
    pub(super) fn failed(&self, did: &Did, now: Timestamp) -> Option<Refusal> {
        self.failed.get(did).filter(|(until, _)| now < *until).map(|(_, refusal)| refusal.clone())
    }

    /// Whether a failure does no harm, because an earlier document is still believed.
    pub(super) fn despite(&self, did: &Did, refusal: Refusal) -> Result<(), Refusal> {
        if self.believed.document(did).is_some() { Ok(()) } else { Err(refusal) }
    }

    pub(super) fn forgive(&mut self, did: &Did) {
        self.failed.remove(did);
    }

    /// One more stranger's document, if this minute has room for it.
    pub(super) fn admit_stranger(&mut self, now: Timestamp) -> Result<(), Refusal> {
        let (since, count) = self.minute;
        self.minute = if now.seconds() - since.seconds() >= 60 { (now, 1) } else { (since, count.saturating_add(1)) };
        checks::DID_RESOLVED.hold(self.minute.1 <= STRANGERS_A_MINUTE, || {
            "too many strangers ask to be looked up; try again in a minute".into()
        })
    }

    /// A stranger is known from now on; what is to be kept.
    pub(super) fn befriend(&mut self, did: &Did) -> Option<Known> {
        let known = self.known.get_mut(did).filter(|known| known.stranger)?;
        known.stranger = false;
        Some(known.clone())
    }

    /// The owner has seen the changes; what is to be kept.
    pub(super) fn confirm(&mut self, did: &Did) -> Option<Known> {
        let known = self.known.get_mut(did)?;
        known.confirmed = true;
        Some(known.clone())
    }
}

fn long_ago() -> Timestamp {
    // The earliest time that there is: year 2000.
    Timestamp::from_seconds(946_684_800).expect("the year 2000 is a time")
}
