//! Messages of counterparties: read, held to the negotiation that they are about, decided on, committed, and answered.

use std::sync::Arc;

use serde_json::Value;

use super::known::Mark;
use super::say::{hold_copy, hold_parties};
use super::talk::{Claim, Draft, Talk};
use super::{Connector, PlainCommit, Uncataloged};
use crate::check::Refusal;
use crate::dsp::{self, Form, Letter, Named, checks};
use crate::encoding::Timestamp;
use crate::negotiation::plain::{Event, Negotiation, Opening, ParticipantId, Parties, Said, Word};
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

/// What a first message says, to tell it from another one.
struct First {
    message: Option<String>,
    address: String,
    offer: Option<Value>,
    parties: Option<Parties>,
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
        let nobody = |refusal: Refusal| Unheard { fault: refusal.into(), named: Named::default() };
        let message = dsp::parse(body).map_err(nobody)?;
        if let Some(answer) = self.hear_signed(from, &message).await {
            return answer;
        }
        let letter = dsp::read(message, form).map_err(|(refusal, named)| Unheard { fault: refusal.into(), named })?;
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
        let first = First {
            message: letter.id.clone(),
            address: opening.address.clone(),
            offer: letter.word.offer().cloned(),
            parties: letter.parties.clone(),
        };
        // Two first messages of one thread begin one negotiation.
        let claim = match self.talks.claim(from, opening.role, &pid, &opening.own_pid) {
            Ok(claim) => claim,
            Err(known) => return self.begun_already(&known, &first, named).await,
        };
        match self.begin_new(opening, letter, claim, now).await {
            // It is in the store, and memory had forgotten it.
            Err(NodeFault::Store(StoreFault::Moved)) => {
                let known = self.store.find_plain(from, began.other(), &pid).await?.ok_or(StoreFault::Moved)?;
                self.begun_already(&known, &first, named).await
            }
            done => done,
        }
    }

    async fn begin_new(
        self: &Arc<Self>,
        opening: Opening,
        letter: Letter,
        mut claim: Claim<'_>,
        now: Timestamp,
    ) -> Result<Answered, NodeFault> {
        self.messenger.may_call(&opening.address).map_err(|fault| checks::CALLBACK.refuse(fault.to_string()))?;
        self.counted().await?;
        let (peer, most) = (opening.peer.clone(), self.settings.open.0);
        let strangers = (!self.names(&peer)).then_some(self.settings.open_with_strangers.0);
        let room = self.talks.room(&peer, most, strangers)?;
        let said = self.said(&opening, letter, None, None, now).await?;
        let scripted = self.script.datasets.contains_key(&opening.dataset);
        // Under `reject` what this side did not ask for is the catalog's, or it is nothing: refusing it loses nothing, and
        // whoever does not show a catalog fills nobody's inbox.
        let taken = said.cataloged == Some(true) || scripted || self.settings.uncataloged != Uncataloged::Reject;
        checks::UNCATALOGED.hold(taken, || match opening.role {
            Role::Provider => format!("the catalog has no such offer of {}", opening.dataset),
            Role::Consumer => {
                let shows = match said.cataloged {
                    None => "does not show whether it has such one",
                    Some(_) => "has no such one",
                };
                format!("nobody here has asked for an offer of {}, and your catalog {shows}", opening.dataset)
            }
        })?;
        let talk = self.talks.keep(Talk::new(&opening.own_pid));
        let mut slot = talk.standing.lock().await;
        let draft = Draft::begin(Negotiation::begin(opening, said)?)?;
        // The answer says what the message led to; what this side decides at once is a message of its own.
        let acknowledgement = dsp::acknowledge(&draft.negotiation);
        let draft = self.follow(&talk, draft).await?;
        let settling = self.submit(&talk, &mut slot, draft)?;
        // Up to here a caller that does not wait leaves nothing behind; from here on the negotiation is there without it.
        claim.hold();
        drop((room, slot));
        tracing::info!(negotiation = talk.id, at = %now, "a counterparty began a plain negotiation");
        settling.settled().await?;
        Ok(Answered { acknowledgement, began: true })
    }

    async fn begun_already(
        self: &Arc<Self>,
        id: &str,
        first: &First,
        named: &mut Named,
    ) -> Result<Answered, NodeFault> {
        let talk = self.talk(id).await?.ok_or_else(|| NodeFault::unknown("negotiation", id))?;
        let mut slot = talk.standing.lock().await;
        self.read(&talk, &mut slot).await?;
        let negotiation = slot.as_ref().ok_or_else(|| NodeFault::unknown("negotiation", id))?;
        *named = names(negotiation);
        let again = negotiation.has_heard_id(first.message.as_deref())
            || negotiation.was_begun_with(&first.address, first.offer.as_ref(), first.parties.as_ref());
        machine::STATE
            .hold(again, || format!("the negotiation has begun already, and is {}", negotiation.state().name()))?;
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
        let message = dsp::parse(body);
        if let Ok(message) = &message
            && let Some(answer) = self.hear_signed(from, message).await
        {
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
        let letter = message.and_then(|message| dsp::read(message, form).map_err(|(refusal, _)| refusal));
        let asks = letter.and_then(|letter| {
            let negotiation = slot.as_ref().filter(|_| letter.word.offer().is_some());
            let asks = negotiation.map_or(Ok(false), |negotiation| Self::is_news(negotiation, form, &letter))?;
            Ok((letter, negotiation.filter(|_| asks).map(|negotiation| negotiation.opening().clone())))
        });
        let heard = match asks {
            Ok((letter, None)) => self.take(&talk, &mut slot, form, letter, None).await,
            Ok((letter, Some(opening))) => {
                // Nobody waits for the provider's answer but who sent the offer: what has happened by then holds.
                drop(slot);
                let offer = letter.word.offer().unwrap_or(&Value::Null);
                let mark = self.mark(&opening, offer, letter.parties.as_ref()).await;
                slot = talk.standing.lock().await;
                match (mark, self.read(&talk, &mut slot).await) {
                    (Ok(mark), Ok(())) => self.take(&talk, &mut slot, form, letter, Some(mark)).await,
                    (Err(fault), _) | (_, Err(fault)) => Err(fault),
                }
            }
            Err(refusal) => Err(refusal.into()),
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
        mark: Option<Mark>,
    ) -> Result<(Answered, Option<super::talk::Settling>), NodeFault> {
        let negotiation = slot.as_ref().ok_or_else(|| NodeFault::unknown("negotiation", &talk.id))?;
        let opening = negotiation.opening();
        let learned = hold_place(negotiation, form, &letter)?;
        if letter.word.offer().is_some() && negotiation.has_heard_id(letter.id.as_deref()) {
            return Ok((Answered { acknowledgement: dsp::acknowledge(negotiation), began: false }, None));
        }
        // A provider is asked before the negotiation is held, and never while it is.
        let mark = mark.or_else(|| (opening.role == Role::Consumer).then(|| Mark::without(None)));
        let said = self.said(opening, letter, Some(negotiation), mark, chance::now()?).await?;
        let Some(event) = negotiation.decide(said)? else {
            return Ok((Answered { acknowledgement: dsp::acknowledge(negotiation), began: false }, None));
        };
        // Nothing refuses it any more: memory gives the negotiation out of hand, and reads it again if a step fails.
        let Some(negotiation) = slot.take() else { return Err(NodeFault::unknown("negotiation", &talk.id)) };
        let mut draft = Draft::further(negotiation);
        if let Some(learned) = learned {
            draft = draft.add(learned)?;
        }
        let renamed = matches!(event, Event::Renamed { .. });
        draft = draft.add(event)?;
        let acknowledgement = dsp::acknowledge(&draft.negotiation);
        if renamed {
            tracing::warn!(
                negotiation = talk.id,
                "the provider says its agreement again under another id; the first holds"
            );
        } else {
            draft = self.follow(talk, draft).await?;
        }
        let settling = self.submit(talk, slot, draft)?;
        Ok((Answered { acknowledgement, began: false }, Some(settling)))
    }

    /// Whether an offer of a provider's is one that its catalog has to be asked about. What is no arrow, or is about
    /// something else, is refused before anybody is asked.
    fn is_news(negotiation: &Negotiation, form: Form, letter: &Letter) -> Result<bool, Refusal> {
        let opening = negotiation.opening();
        let Some(offer) = letter.word.offer().filter(|_| opening.role == Role::Consumer) else { return Ok(false) };
        hold_place(negotiation, form, letter)?;
        if let Some(parties) = &letter.parties {
            hold_parties(opening, parties)?;
        }
        let roles = letter.parties.clone().unwrap_or_else(|| negotiation.parties());
        if Self::as_before(negotiation, offer, &roles).is_some() {
            return Ok(false);
        }
        let (id, word, parties) = (letter.id.clone(), letter.word.clone(), Some(roles));
        // It is thrown away: which time it has is all the same.
        let Some(at) = negotiation.history().last().map(|entered| entered.at) else { return Ok(true) };
        let sender = Role::Provider;
        let said = Said { sender, id, word, at, by: None, cataloged: None, parties, extra: serde_json::Map::new() };
        match negotiation.decide(said) {
            // Without roles in the message the catalog's hold, and only they tell whether the id may be used.
            Err(refusal) if letter.parties.is_none() && *refusal.check == machine::OFFER_ID => Ok(true),
            decided => Ok(decided?.is_some()),
        }
    }

    /// A letter as the log keeps it; with `mark`, whoever knows the catalog is not asked.
    async fn said(
        &self,
        opening: &Opening,
        letter: Letter,
        negotiation: Option<&Negotiation>,
        mark: Option<Mark>,
        at: Timestamp,
    ) -> Result<Said, NodeFault> {
        let Letter { id, word, mut parties, extra, .. } = letter;
        let mut cataloged = None;
        let standing = negotiation.map_or_else(|| opening.parties(), Negotiation::parties);
        if let Some(parties) = &parties {
            hold_parties(opening, parties)?;
        }
        if let Some(offer) = word.offer() {
            let before = negotiation.filter(|_| opening.role == Role::Consumer);
            let before = before.and_then(|it| Self::as_before(it, offer, parties.as_ref().unwrap_or(&standing)));
            let Mark { cataloged: known, parties: by_catalog, .. } = match before.or(mark) {
                Some(mark) => mark,
                None => self.mark(opening, offer, parties.as_ref()).await?,
            };
            cataloged = known;
            // Without roles in the message: those of the cataloged offer, or of the offer before.
            let holds = parties.or(by_catalog).unwrap_or(standing);
            hold_copy(offer, &holds)?;
            parties = Some(holds);
        } else if let Word::Agreement { agreement } = &word {
            hold_copy(agreement, &standing)?;
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
        let message = dsp::parse(body).map_err(|_| unknown())?;
        self.hear_signed(from, &message).await.ok_or_else(unknown)?
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

/// Holds a letter to the negotiation that it is about; the event that learns the sender's id of it.
fn hold_place(negotiation: &Negotiation, form: Form, letter: &Letter) -> Result<Option<Event>, Refusal> {
    let role = negotiation.opening().role;
    hold_side(role, form, letter)?;
    let (heard, ends) = (negotiation.events(), matches!(letter.word, Word::Termination { .. }));
    limits::RATE
        .hold(heard < MOST || ends, || format!("the negotiation has {heard} messages; it can only be ended"))?;
    let learned = negotiation.hold_pids(letter.consumer_pid.as_deref(), letter.provider_pid.as_deref())?;
    let own = match role {
        Role::Consumer => &letter.consumer_pid,
        Role::Provider => &letter.provider_pid,
    };
    checks::MESSAGE.hold(own.is_some(), || "the message does not name this side's process".into())?;
    Ok(learned)
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
