//! What a mediator does about what it is asked.

use super::known::vet;
use super::{Admit, DELIVERY, Line, Mediator};
use crate::check::Trail;
use crate::credential::Participant;
use crate::encoding::Timestamp;
use crate::identity::{Did, Jws, Unverified};
use crate::inbox::mediation::{Action, Answer, MAX_PAGE, Outcome, Page, Request, Update, Updated, Word};
use crate::inbox::{self, Message};
use crate::node::{NodeFault, checks};

/// How far ahead another's clock may be, in seconds.
const SKEW: i64 = 60;

impl Mediator {
    pub(super) async fn answer(
        &self,
        message: &Message,
        line: Option<&mut Line>,
        now: Timestamp,
    ) -> Result<Answer, NodeFault> {
        let member = &message.from;
        let early = message.created_time.filter(|created| *created > now.plus(SKEW));
        inbox::checks::CREATED.hold(early.is_none(), || format!("written at {early:?}, it is {now}"))?;
        let request = Request::read(message)?
            .ok_or_else(|| inbox::checks::MEDIATION.refuse(format!("{} is no request", message.kind)))?;
        if let Request::Mediate { contact, participant } = &request {
            return self.admit(member, contact.as_deref(), participant.as_deref(), now).await;
        }
        if self.store.member(member).await?.is_none() {
            let refuse =
                checks::MEMBER.refuse(format!("{member} was not granted mediation: send mediate-request first"));
            return Err(refuse.into());
        }
        let live = line.as_deref().is_some_and(Line::is_live);
        match request {
            // Dealt with above.
            Request::Mediate { .. } => Ok(Answer::Denied),
            Request::Update { updates, words } => {
                let mut updated = Vec::new();
                for update in updates {
                    updated.push(self.update(member, update, &words, now).await);
                }
                Ok(Answer::Updated(updated))
            }
            Request::Query { page } => {
                let (limit, offset) = page.unwrap_or((MAX_PAGE, 0));
                let (dids, all) = self.store.recipients(member, limit, offset).await?;
                let remaining = all.saturating_sub(offset).saturating_sub(dids.len());
                let page = Page { count: dids.len(), offset, remaining };
                Ok(Answer::Recipients(dids, Some(page)))
            }
            Request::Status { recipient } => self.status(member, recipient.as_ref(), live, now).await,
            Request::Deliver { limit, recipient } => {
                let held = self.store.waiting(member, recipient.as_ref(), limit, DELIVERY, now).await?;
                if held.is_empty() {
                    return self.status(member, recipient.as_ref(), live, now).await;
                }
                Ok(Answer::Delivery { recipient, held })
            }
            Request::Received { ids } => {
                self.store.received(member, &ids).await?;
                self.status(member, None, live, now).await
            }
            Request::Live { on } => {
                let Some(line) = line else {
                    if on {
                        let comment = "Connection does not support Live Delivery".into();
                        return Ok(Answer::Problem { code: "e.m.live-mode-not-supported".into(), comment });
                    }
                    return self.status(member, None, false, now).await;
                };
                line.go_live(on);
                self.status(member, None, on, now).await
            }
        }
    }

    async fn status(
        &self,
        member: &Did,
        recipient: Option<&Did>,
        live: bool,
        now: Timestamp,
    ) -> Result<Answer, NodeFault> {
        let mut queue = self.store.queue(member, recipient, now).await?;
        queue.live_delivery = Some(live);
        Ok(Answer::Status(queue))
    }

    async fn admit(
        &self,
        member: &Did,
        contact: Option<&str>,
        participant: Option<&str>,
        now: Timestamp,
    ) -> Result<Answer, NodeFault> {
        if let Some(contact) = contact {
            vet(contact, member, &self.directory.documents())?;
        }
        let admitted = self.store.member(member).await?.is_some() || self.admits(member, participant, now).await?;
        let granted = admitted && *member != *self.did() && {
            let most = self.settings.quota.members;
            self.store.grant(member, contact, now, most).await?
        };
        if granted {
            self.directory.remember(member).await?;
        }
        tracing::info!(%member, granted, "mediation was asked for");
        Ok(if granted { Answer::Granted(vec![self.did().clone()]) } else { Answer::Denied })
    }

    /// Whether the configuration lets somebody use this mediator.
    async fn admits(&self, member: &Did, participant: Option<&str>, now: Timestamp) -> Result<bool, NodeFault> {
        if self.settings.dids.contains(member) {
            return Ok(true);
        }
        match (self.settings.admit, participant) {
            (Admit::Open, _) => Ok(true),
            (Admit::Listed, _) | (Admit::Members, None) => Ok(false),
            (Admit::Members, Some(participant)) => {
                let participant = Unverified::<Participant>::new(participant);
                self.acquaint_operators().await;
                let (documents, trail) = (self.directory.documents(), &mut Trail::default());
                let participant = Participant::verify(&participant, &self.trust, &documents, now, trail)?;
                Ok(participant.did == *member)
            }
        }
    }

    async fn update(&self, member: &Did, update: Update, words: &[String], now: Timestamp) -> Updated {
        let Update { recipient, action } = update;
        let result = match self.change(member, &recipient, action, words, now).await {
            Ok(outcome) => outcome,
            Err(NodeFault::Refused(refusal)) => {
                tracing::info!(%member, %refusal, "a recipient was not changed");
                Outcome::ClientError
            }
            Err(fault) => {
                tracing::error!(%fault, "a recipient could not be changed");
                Outcome::ServerError
            }
        };
        Updated { recipient, action, result }
    }

    async fn change(
        &self,
        member: &Did,
        recipient: &str,
        action: Action,
        words: &[String],
        now: Timestamp,
    ) -> Result<Outcome, NodeFault> {
        let recipient: Did = recipient.parse()?;
        if action == Action::Add && recipient != *member {
            let mut said = false;
            for word in words.iter().filter(|word| signs(&recipient, word)) {
                self.acquaint_with_word(word).await?;
                let documents = self.directory.documents();
                let word = Word::verify(word, member, self.did(), &documents, now, &mut Trail::default());
                said |= word.is_ok_and(|word| word.recipient == recipient);
            }
            inbox::checks::RECIPIENT_WORD
                .hold(said, || format!("no fresh signed word of {recipient} lets {member} pick up for it"))?;
        }
        Ok(self.store.update(member, &recipient, action, now, self.settings.quota.recipients).await?)
    }
}

/// Whether a word says that `recipient` signed it: nobody else is looked up for it.
fn signs(recipient: &Did, word: &str) -> bool {
    Jws::parse(word).is_ok_and(|word| word.header().kid.as_ref().is_some_and(|kid| kid.did() == recipient))
}
