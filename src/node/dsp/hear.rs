//! Messages of counterparties: read, held to the negotiation that they are about, decided on, committed, and answered.

use std::sync::Arc;

use serde_json::Value;

use super::act::hold_parties;
use super::talk::{Draft, Talk};
use super::{Connector, PlainCommit, Uncataloged};
use crate::check::Refusal;
use crate::dsp::{self, Form, Letter, Named, checks};
use crate::encoding::Timestamp;
use crate::negotiation::plain::{Negotiation, Opening, ParticipantId, Parties, Said, Word};
use crate::negotiation::{Role, checks as machine};
use crate::node::{NodeFault, StoreFault, chance, checks as limits};

/// How many messages a negotiation takes; each is kept.
const MOST: u64 = 256;

/// What a message that was taken is answered with.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// Where the negotiation stands.
    pub acknowledgement: Value,
    /// Whether it has just begun.
    pub began: bool,
}

/// Why a message was not taken, with the negotiation that it named.
#[derive(Debug)]
pub struct Unheard {
    /// Why.
    pub fault: NodeFault,
    /// What it named.
    pub named: Named,
}

impl Connector {
    /// Takes a first message: a consumer's request, or a provider's unsolicited offer.
    ///
    /// # Errors
    /// What it broke; nothing has moved.
    pub async fn hear_first(
        self: &Arc<Self>,
        from: &ParticipantId,
        form: Form,
        body: &[u8],
    ) -> Result<Answered, Unheard> {
        if let Some(answer) = self.hear_signed(from, body).await {
            return answer;
        }
        let letter = dsp::read(body, form).map_err(|(refusal, named)| Unheard { fault: refusal.into(), named })?;
        let mut named = letter.named();
        let fault = match self.begin(from, form, letter, &mut named).await {
            Ok(answered) => return Ok(answered),
            Err(fault) => fault,
        };
        Err(Unheard { fault, named })
    }

    async fn begin(
        self: &Arc<Self>,
        from: &ParticipantId,
        form: Form,
        letter: Letter,
        named: &mut Named,
    ) -> Result<Answered, NodeFault> {
        checks::PLAIN.hold(self.settings.plain.has(from), || format!("[dsp] plain does not name {from}"))?;
        let now = chance::now()?;
        let began = if form == Form::Request { Role::Consumer } else { Role::Provider };
        let missing = |what: &str| checks::MESSAGE.refuse(format!("a first message has {what}"));
        let callback = letter.callback.clone().ok_or_else(|| missing("a callbackAddress"))?;
        let pid = match began {
            Role::Consumer => letter.consumer_pid.clone(),
            Role::Provider => letter.provider_pid.clone(),
        };
        let pid = pid.ok_or_else(|| missing("the sender's process id"))?;
        let target = letter.word.offer().and_then(|offer| offer.get("target")?.as_str()).unwrap_or_default().to_owned();
        let opening = Opening {
            role: began.other(),
            us: self.us.clone(),
            peer: from.clone(),
            own_pid: chance::urn_uuid()?,
            peer_pid: Some(pid.clone()),
            began,
            address: callback.trim_end_matches('/').to_owned(),
            dataset: target,
        };
        let said = self.said(&opening, letter, None, now).await?;
        // Two first messages of one thread begin one negotiation.
        if let Some(known) = self.talks.claim(from, opening.role, &pid, &opening.own_pid) {
            return self.begun_already(&known, &said, named).await;
        }
        let done = self.begin_new(opening, said.clone(), now).await;
        if done.is_err() {
            self.talks.unclaim(from, began.other(), &pid);
        }
        match done {
            // It is in the store, and memory had forgotten it.
            Err(NodeFault::Store(StoreFault::Moved)) => {
                let known = self.store.find_plain(from, began.other(), &pid).await?.ok_or(StoreFault::Moved)?;
                self.begun_already(&known, &said, named).await
            }
            done => done,
        }
    }

    async fn begin_new(self: &Arc<Self>, opening: Opening, said: Said, now: Timestamp) -> Result<Answered, NodeFault> {
        self.messenger.may_call(&opening.address).map_err(|fault| checks::CALLBACK.refuse(fault.to_string()))?;
        let open = self.talks.open_with(&opening.peer);
        checks::OPEN.hold(open < self.settings.open.0, || format!("{open} negotiations are open"))?;
        let scripted = self.script.datasets.contains_key(&opening.dataset);
        let taken = said.cataloged == Some(true) || scripted || self.settings.uncataloged != Uncataloged::Reject;
        checks::UNCATALOGED.hold(taken, || match opening.role {
            Role::Provider => format!("the catalog has no such offer of {}", opening.dataset),
            Role::Consumer => format!("nobody here has asked for an offer of {}", opening.dataset),
        })?;
        let talk = self.talks.keep(Talk::new(&opening.own_pid));
        let mut slot = talk.standing.lock().await;
        let draft = Draft::begin(Negotiation::begin(opening, said)?)?;
        // The answer says what the message led to; what this side decides at once is a message of its own.
        let acknowledgement = dsp::acknowledge(&draft.negotiation);
        let draft = self.follow(&talk, draft).await?;
        let settling = self.submit(&talk, &mut slot, draft)?;
        drop(slot);
        tracing::info!(negotiation = talk.id, at = %now, "a counterparty began a plain negotiation");
        settling.settled().await?;
        Ok(Answered { acknowledgement, began: true })
    }

    async fn begun_already(self: &Arc<Self>, id: &str, said: &Said, named: &mut Named) -> Result<Answered, NodeFault> {
        let talk = self.talk(id).await?.ok_or_else(|| NodeFault::unknown("negotiation", id))?;
        let mut slot = talk.standing.lock().await;
        self.read(&talk, &mut slot).await?;
        let negotiation = slot.as_ref().ok_or_else(|| NodeFault::unknown("negotiation", id))?;
        *named = names(negotiation);
        machine::STATE.hold(negotiation.has_heard(said), || {
            format!("the negotiation has begun already, and is {}", negotiation.state().name())
        })?;
        let answered = Answered { acknowledgement: dsp::acknowledge(negotiation), began: true };
        let events = negotiation.events();
        drop(slot);
        self.written(id, events).await?;
        Ok(answered)
    }

    /// Waits until so many events of a negotiation are durable: a repetition is answered no sooner than what it repeats,
    /// and not as taken where that was not written.
    async fn written(&self, id: &str, events: u64) -> Result<(), NodeFault> {
        let so_far = PlainCommit { id: id.to_owned(), place: events, ..PlainCommit::default() };
        Ok(self.store.submit(so_far).await?)
    }

    /// Takes a message about a negotiation, at the endpoint of this node's id of it.
    ///
    /// # Errors
    /// What it broke; nothing has moved. `Unknown` for who is no party of it.
    pub async fn hear(
        self: &Arc<Self>,
        from: &ParticipantId,
        id: &str,
        form: Form,
        body: &[u8],
    ) -> Result<Answered, Unheard> {
        if let Some(answer) = self.hear_signed(from, body).await {
            return answer;
        }
        let nobody = Named { consumer_pid: None, provider_pid: None };
        let talk = match self.talk_with(from, id).await {
            Ok(talk) => talk,
            Err(fault) => return Err(Unheard { fault, named: nobody }),
        };
        let mut slot = talk.standing.lock().await;
        if let Err(fault) = self.read(&talk, &mut slot).await {
            return Err(Unheard { fault, named: nobody });
        }
        let named = slot.as_ref().map(names).unwrap_or_default();
        let heard = match dsp::read(body, form) {
            Ok(letter) => self.take(&talk, &mut slot, form, letter).await,
            Err((refusal, _)) => Err(refusal.into()),
        };
        let events = slot.as_ref().map_or(0, Negotiation::events);
        drop(slot);
        let heard = match heard {
            Ok((answered, None)) => self.written(&talk.id, events).await.map(|()| answered),
            Ok((answered, Some(settling))) => settling.settled().await.map(|()| answered),
            Err(fault) => Err(fault),
        };
        heard.map_err(|fault| Unheard { fault, named })
    }

    async fn take(
        self: &Arc<Self>,
        talk: &Arc<Talk>,
        slot: &mut Option<Negotiation>,
        form: Form,
        letter: Letter,
    ) -> Result<(Answered, Option<super::talk::Settling>), NodeFault> {
        let negotiation = slot.as_ref().ok_or_else(|| NodeFault::unknown("negotiation", &talk.id))?;
        let opening = negotiation.opening();
        hold_side(opening.role, form, &letter)?;
        let (heard, ends) = (negotiation.events(), matches!(letter.word, Word::Termination { .. }));
        limits::RATE
            .hold(heard < MOST || ends, || format!("the negotiation has {heard} messages; it can only be ended"))?;
        let learned = negotiation.hold_pids(letter.consumer_pid.as_deref(), letter.provider_pid.as_deref())?;
        let own = match opening.role {
            Role::Consumer => &letter.consumer_pid,
            Role::Provider => &letter.provider_pid,
        };
        checks::MESSAGE.hold(own.is_some(), || "the message does not name this side's process".into())?;
        let said = self.said(opening, letter, Some(negotiation), chance::now()?).await?;
        let Some(event) = negotiation.decide(said)? else {
            return Ok((Answered { acknowledgement: dsp::acknowledge(negotiation), began: false }, None));
        };
        // Nothing refuses it any more: memory gives the negotiation out of hand, and reads it again if a step fails.
        let Some(negotiation) = slot.take() else { return Err(NodeFault::unknown("negotiation", &talk.id)) };
        let mut draft = Draft::further(negotiation);
        if let Some(learned) = learned {
            draft = draft.add(learned)?;
        }
        draft = draft.add(event)?;
        let acknowledgement = dsp::acknowledge(&draft.negotiation);
        let draft = self.follow(talk, draft).await?;
        let settling = self.submit(talk, slot, draft)?;
        Ok((Answered { acknowledgement, began: false }, Some(settling)))
    }

    /// A letter as the log keeps it.
    async fn said(
        &self,
        opening: &Opening,
        letter: Letter,
        negotiation: Option<&Negotiation>,
        at: Timestamp,
    ) -> Result<Said, NodeFault> {
        let Letter { id, word, mut parties, extra, .. } = letter;
        let mut cataloged = None;
        if let Some(offer) = word.offer() {
            if let Some(parties) = &parties {
                hold_parties(opening, parties)?;
            }
            cataloged = match (opening.role, negotiation) {
                (Role::Provider, _) => {
                    let dataset = self.dataset(&opening.dataset).await?;
                    let known = dataset.as_ref().and_then(|dataset| dataset.offer_of(offer));
                    // Of a cataloged offer, the four roles are what the catalog says; also where the message names none.
                    let roles = known.map(|known| {
                        let promisor = known.promisor.as_ref().unwrap_or(&opening.us).clone();
                        let promisee = if promisor == opening.us { &opening.peer } else { &opening.us }.clone();
                        Parties { promisor, promisee, ..opening.parties() }
                    });
                    let roles = roles.filter(|roles| hold_parties(opening, roles).is_ok());
                    let cataloged = roles.as_ref().is_some_and(|roles| parties.as_ref().is_none_or(|it| it == roles));
                    parties = parties.or(roles);
                    Some(cataloged)
                }
                (Role::Consumer, Some(negotiation)) => {
                    let standing = negotiation.parties();
                    Self::as_before(negotiation, offer, parties.as_ref().unwrap_or(&standing))
                }
                (Role::Consumer, None) => None,
            };
        } else {
            parties = None;
        }
        Ok(Said { sender: opening.role.other(), id, word, at, by: None, cataloged, parties, extra })
    }

    /// The negotiation of an id, for a party of it.
    async fn talk_with(&self, from: &ParticipantId, id: &str) -> Result<Arc<Talk>, NodeFault> {
        let unknown = || NodeFault::unknown("negotiation", id);
        let talk = self.talk(id).await?.ok_or_else(unknown)?;
        let mut slot = talk.standing.lock().await;
        self.read(&talk, &mut slot).await?;
        let party = slot.as_ref().is_some_and(|negotiation| negotiation.opening().peer == *from);
        drop(slot);
        // The door tells who is no party of it no more than who asks for one that does not exist.
        checks::PARTY.hold(party, || format!("{from} is no party of {id}"))?;
        Ok(talk)
    }

    /// Takes a wallet's signed word about where a negotiation stands.
    ///
    /// # Errors
    /// `Unknown` for what is not signed: the protocol itself knows no such message.
    pub async fn hear_state(&self, from: &ParticipantId, id: &str, body: &[u8]) -> Result<Answered, Unheard> {
        let unknown = || Unheard { fault: NodeFault::unknown("negotiation", id), named: Named::default() };
        self.hear_signed(from, body).await.ok_or_else(unknown)?
    }

    /// Where a negotiation stands, for a party of it.
    ///
    /// # Errors
    /// `Unknown` for everybody else.
    pub async fn state_for(&self, from: &ParticipantId, id: &str) -> Result<Value, NodeFault> {
        let talk = match self.talk_with(from, id).await {
            // What is no plain negotiation may be one of the wallet's.
            Err(fault @ NodeFault::Unknown { .. }) => return self.signed_state_for(from, id).await?.ok_or(fault),
            talk => talk?,
        };
        let mut slot = talk.standing.lock().await;
        self.read(&talk, &mut slot).await?;
        let negotiation = slot.as_ref().ok_or_else(|| NodeFault::unknown("negotiation", id))?;
        let (state, events) = (dsp::acknowledge(negotiation), negotiation.events());
        drop(slot);
        // Memory goes ahead of the store, and what is not written is told to nobody.
        self.written(&talk.id, events).await?;
        Ok(state)
    }
}

/// An endpoint of the provider's takes what a consumer sends, and the other way round.
fn hold_side(role: Role, form: Form, letter: &Letter) -> Result<(), Refusal> {
    let takes = match form {
        Form::Request | Form::Verification => role == Role::Provider,
        Form::Offer | Form::Agreement => role == Role::Consumer,
        Form::Event | Form::Termination => true,
    };
    checks::SIDE.hold(takes, || format!("this side does not take a {}", form.name()))?;
    let from_consumer = match letter.word {
        Word::Acceptance { .. } => true,
        Word::Finalization => false,
        _ => return Ok(()),
    };
    checks::EVENT.hold(from_consumer == (role == Role::Provider), || "the event is this side's own to send".into())
}

fn names(negotiation: &Negotiation) -> Named {
    let opening = negotiation.opening();
    Named {
        consumer_pid: opening.consumer_pid().map(str::to_owned),
        provider_pid: opening.provider_pid().map(str::to_owned),
    }
}

impl Letter {
    fn named(&self) -> Named {
        Named { consumer_pid: self.consumer_pid.clone(), provider_pid: self.provider_pid.clone() }
    }
}
