//! A party whose address changes says so to those it has to do with, and hears it of them (`contact`, protocol.md 11).

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::contacts::changes;
use super::{Node, NodeFault, chance, checks, kind};
use crate::encoding::Timestamp;
use crate::identity::{Did, Method};
use crate::inbox::{Attachment, Contact, Message};

/// For how long the counterparty of a negotiation that is over may still wait for an answer, in seconds.
const LATELY: i64 = 7 * 24 * 3600;
/// How long after one change of a contact another one sends what waits for it anew, in seconds: whoever moves about makes
/// this node send no more often than that.
const AT_MOST_EVERY: i64 = 10;

/// What this node last said about where it is reached.
#[derive(Default)]
pub(super) struct Said(Mutex<Option<Contact>>);

impl Said {
    /// What is said now. A contact's time is that of its content: said again it is the same, and what says otherwise is
    /// later than what was said before, whatever the clock did in between.
    pub(super) fn now(&self, mut fresh: Contact) -> Contact {
        let mut said = self.lock();
        match &*said {
            Some(before) if before.says(&fresh) => return before.clone(),
            Some(before) if fresh.iat <= before.iat => fresh.iat = before.iat.plus(1),
            _ => {}
        }
        *said = Some(fresh.clone());
        fresh
    }

    /// The same, said anew: whoever is given it by hand believes it whatever word of this party was heard before.
    pub(super) fn anew(&self, fresh: Contact) -> Contact {
        let mut said = self.lock();
        let iat = said.as_ref().map_or(fresh.iat, |before| {
            let least = if before.says(&fresh) { before.iat } else { before.iat.plus(1) };
            fresh.iat.max(least)
        });
        said.insert(Contact { iat, ..fresh }).clone()
    }

    /// Takes up what was said before this node was last stopped.
    fn recall(&self, kept: &Contact) {
        let mut said = self.lock();
        match &mut *said {
            None => *said = Some(kept.clone()),
            Some(now) if now.says(kept) => now.iat = now.iat.max(kept.iat),
            Some(now) if now.iat <= kept.iat => now.iat = kept.iat.plus(1),
            Some(_) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Contact>> {
        // It is replaced as a whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    /// Tells everybody with whom something is open where this node is reached, if that is not where it was before.
    ///
    /// What is about to be said is kept first: whoever was told before a crash is told of the next change as well, and
    /// some are told the same twice.
    pub(super) async fn say_where(&self) -> Result<(), NodeFault> {
        let kept = self.store.one(kind::OWN_CONTACT, self.did().as_str()).await?.and_then(read);
        if let Some((kept, _)) = &kept {
            self.said.recall(kept);
        }
        let own = match self.own_contact() {
            Ok(own) => own,
            // Said once there is something to say.
            Err(NodeFault::Unready(_) | NodeFault::Key(_)) => return Ok(()),
            Err(fault) => return Err(fault),
        };
        if kept.as_ref().is_some_and(|(kept, told)| *told && *kept == own) {
            return Ok(());
        }
        if kept.is_none_or(|(kept, told)| !told || !kept.says(&own)) {
            self.keep_said(&own, false).await?;
            for peer in self.store.counterparties(chance::now()?.plus(-LATELY)).await? {
                // Who is reached by no envelope is told by none; who cannot be looked up now, once that is possible.
                if !matches!(self.reach(&peer).await, Ok(None)) {
                    tracing::info!(to = %peer, url = own.url, "saying where this wallet is reached now");
                    self.post(&self.whereabouts(&peer, None)?, None).await?;
                }
            }
        }
        self.keep_said(&own, true).await
    }

    async fn keep_said(&self, own: &Contact, told: bool) -> Result<(), NodeFault> {
        let mut kept = json!(own);
        kept["told"] = told.into();
        Ok(self.store.put(kind::OWN_CONTACT, self.did().as_str(), &kept).await?)
    }

    /// Hears where somebody is reached now, and says the same of this node.
    pub(super) async fn hear_where(&self, message: &Message) -> Result<(), NodeFault> {
        let from = &message.from;
        let known = self.store.one(kind::CONTACT, from.as_str()).await?.is_some();
        checks::ACQUAINTED.hold(known, || format!("{from} is no contact here"))?;
        let contact = message.attachment("contact");
        if let Some(contact) = contact {
            self.learn_contact(from, contact).await?;
        }
        if from.method() == Method::Web {
            self.look_again(from).await?;
        }
        match message.thid.as_deref() {
            Some(asked) if asked != message.id => {
                self.store.acknowledged(asked, from, None).await?;
                self.bells.outbox.notify_one();
                Ok(())
            }
            _ => {
                checks::MESSAGE.hold(contact.is_some(), || "`contact` is missing".into())?;
                self.post(&self.whereabouts(from, Some(message))?, Some(message)).await
            }
        }
    }

    /// Sends what waits for `did` to where it is reached now; not again within ten seconds after `changed`.
    pub(super) async fn send_after(&self, did: &Did, changed: Option<Timestamp>) -> Result<(), NodeFault> {
        let from = not_before(chance::now()?, changed);
        self.store.hasten(did, from).await?;
        self.bells.outbox.notify_one();
        Ok(())
    }

    /// When what went to where `did` has just moved away from is sent again: no more often than [`Node::send_after`] does.
    pub(super) async fn again_after_move(&self, did: &Did) -> Result<Timestamp, NodeFault> {
        let changes = if did.method() == Method::Web {
            self.directory.known(did).map(|known| known.changes).unwrap_or_default()
        } else {
            self.store.one(kind::CONTACT, did.as_str()).await?.map(|kept| changes(&kept)).unwrap_or_default()
        };
        // The last one is the move itself.
        let before = changes.iter().rev().nth(1).map(|change| change.at);
        Ok(not_before(chance::now()?, before))
    }

    /// A message that says where this node is reached; the answer to one, where it is one.
    fn whereabouts(&self, to: &Did, answers: Option<&Message>) -> Result<Message, NodeFault> {
        let contact = match (self.contact(), answers) {
            (Ok(contact), _) => Some(contact),
            // It was heard all the same.
            (Err(NodeFault::Unready(_)), Some(_)) => None,
            (Err(fault), _) => return Err(fault),
        };
        let attachments =
            contact.map(|text| Attachment { id: "contact".into(), media_type: Some("application/jwt".into()), text });
        let id = chance::urn_uuid()?;
        let thread = answers.map_or_else(|| id.clone(), |asked| asked.id.clone());
        self.unrelated("contact", id, to, &thread, json!({}), attachments.into_iter().collect())
    }
}

fn not_before(now: Timestamp, changed: Option<Timestamp>) -> Timestamp {
    changed.map_or(now, |changed| now.max(changed.plus(AT_MOST_EVERY)))
}

/// What was said, and whether everybody was told; a row that does not speak of that was written once they were.
fn read(mut kept: Value) -> Option<(Contact, bool)> {
    let told = kept.as_object_mut().and_then(|kept| kept.remove("told")).and_then(|told| told.as_bool());
    Some((serde_json::from_value(kept).ok()?, told.unwrap_or(true)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{SecretKey, Signer as _};
    use crate::inbox::AgreementKey;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + seconds).unwrap()
    }

    fn contact(url: &str, seconds: i64) -> Contact {
        let key = SecretKey::p256(&[1; 32]).unwrap();
        let agreement = AgreementKey::of_did_key(&key).unwrap().public();
        Contact { did: key.did().clone(), url: url.into(), key: agreement, iat: at(seconds), routing: vec![] }
    }

    #[test]
    fn what_says_otherwise_is_later_whatever_the_clock_does() {
        let said = Said::default();
        assert_eq!(said.now(contact("http://a/", 5)).iat, at(5));
        assert_eq!(said.now(contact("http://a/", 9)).iat, at(5), "the same is not newer");
        assert_eq!(said.now(contact("http://b/", 5)).iat, at(6), "within one second");
        assert_eq!(said.now(contact("http://a/", 1)).iat, at(7), "the clock was set back");
        assert_eq!(said.now(contact("http://b/", 20)).iat, at(20));
    }

    #[test]
    fn who_moves_about_is_sent_something_once_in_ten_seconds() {
        assert_eq!(not_before(at(5), None), at(5), "the first move");
        assert_eq!(not_before(at(5), Some(at(2))), at(12));
        assert_eq!(not_before(at(15), Some(at(2))), at(15));
    }

    #[test]
    fn what_is_given_by_hand_is_no_older_than_now_nor_than_what_was_said() {
        let said = Said::default();
        assert_eq!(said.now(contact("http://a/", 5)).iat, at(5));
        assert_eq!(said.anew(contact("http://a/", 9)).iat, at(9));
        assert_eq!(said.now(contact("http://a/", 12)).iat, at(9), "the same as was given");
        assert_eq!(said.anew(contact("http://a/", 2)).iat, at(9), "the clock was set back");
        assert_eq!(said.anew(contact("http://b/", 3)).iat, at(10));
    }

    #[test]
    fn what_was_said_before_a_restart_is_recalled_even_after_something_was_said() {
        let restarted = Said::default();
        restarted.recall(&contact("http://a/", 5));
        assert_eq!(restarted.now(contact("http://a/", 9)).iat, at(5));
        let early = Said::default();
        early.now(contact("http://b/", 3));
        early.recall(&contact("http://a/", 5));
        assert_eq!(early.now(contact("http://b/", 4)).iat, at(6));
        early.recall(&contact("http://b/", 8));
        assert_eq!(early.now(contact("http://b/", 9)).iat, at(8));
    }
}
