//! One party: the real machine over a log that survives crashes, and around it what `node` does with store and courier.

use std::collections::HashMap;

use countersign::check::{Check, Refusal, Trail};
use countersign::credential::{Core, Entry, Termination, concluded, received_in_time};
use countersign::encoding::Timestamp;
use countersign::identity::{Did, SecretKey, Signer};
use countersign::negotiation::{
    Arrow, Command, CorePaper, Countersigned, Decision, Effect, Event, Input, Kind, Negotiation, Notice, Observation,
    Opening, Received, RequestPaper, Role, State, arrow, checks,
};

use super::super::parties::{Deal, Parties, RECORDER, at};
use super::chain::{Call, Chain};

/// A signed message: whoever is `from` signed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    pub id: String,
    pub from: Did,
    pub to: Did,
    pub thread: String,
    pub consumer_pid: String,
    pub provider_pid: Option<String>,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Request(Box<RequestPaper>),
    /// The text of an offer; verified ones are looked up by it.
    Offer(String),
    Acceptance(String),
    Agreement(Entry),
    Verification(String),
    Finalization(String),
    Termination(String),
    State(String),
}

impl Content {
    fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Request(_) => Kind::Request,
            Self::Offer(_) => Kind::Offer,
            Self::Acceptance(_) => Kind::Acceptance,
            Self::Agreement(_) => Kind::Agreement,
            Self::Verification(_) => Kind::Verification,
            Self::Finalization(_) => Kind::Finalization,
            Self::Termination(_) => Kind::Termination,
            Self::State(_) => return None,
        })
    }
}

pub struct Side<'a> {
    pub role: Role,
    pub parties: &'a Parties,
    pub deal: &'a Deal,
    pub other: &'a Deal,
    pub skew: i64,
    /// The process dies before its next commit.
    pub crash: bool,
    /// What the store holds.
    pub log: Vec<Event>,
    outbox: Vec<(Letter, bool)>,
    orders: Vec<(Effect, bool)>,
    answers: HashMap<(Did, String), Letter>,
    parked: Vec<Letter>,
    letters: u32,
    pub negotiation: Option<Negotiation>,
}

const PROVIDER_PID: &str = "urn:uuid:provider";

impl<'a> Side<'a> {
    pub fn new(role: Role, parties: &'a Parties, deal: &'a Deal, other: &'a Deal, skew: i64) -> Self {
        Self {
            role,
            parties,
            deal,
            other,
            skew,
            crash: false,
            log: vec![],
            outbox: vec![],
            orders: vec![],
            answers: HashMap::new(),
            parked: vec![],
            letters: 0,
            negotiation: None,
        }
    }

    pub fn key(&self) -> &'a SecretKey {
        if self.role == Role::Provider { &self.parties.provider } else { &self.parties.consumer }
    }

    pub fn peer(&self) -> &'a Did {
        if self.role == Role::Provider { self.parties.consumer.did() } else { self.parties.provider.did() }
    }

    pub fn now(&self, clock: i64) -> Timestamp {
        at(clock + self.skew)
    }

    fn opening(&self) -> Opening {
        Opening {
            role: self.role,
            us: self.key().did().clone(),
            peer: self.peer().clone(),
            consumer_pid: Some(self.deal.pid.clone()),
            provider_pid: (self.role == Role::Provider).then(|| PROVIDER_PID.to_owned()),
            began: Role::Consumer,
        }
    }

    /// The consumer asks.
    pub fn ask(&mut self, clock: i64) {
        let decision = Negotiation::begin(self.opening(), self.deal.request.clone(), self.now(clock));
        self.commit(decision, None);
    }

    /// Every letter that nobody has answered yet.
    pub fn repeats(&self) -> Vec<Letter> {
        self.outbox.iter().filter(|(_, answered)| !answered).map(|(letter, _)| letter.clone()).collect()
    }

    fn letter(&mut self, to: &Did, content: Content) -> Letter {
        self.letters += 1;
        let opening = self.negotiation.as_ref().map(|negotiation| negotiation.opening().clone());
        Letter {
            id: format!("{:?}-{}", self.role, self.letters),
            from: self.key().did().clone(),
            to: to.clone(),
            thread: self.deal.pid.clone(),
            consumer_pid: self.deal.pid.clone(),
            provider_pid: opening.and_then(|opening| opening.provider_pid),
            content,
        }
    }

    /// Events, letters, orders and the answer are kept together, or not at all when the process dies first.
    fn commit(&mut self, decision: Decision, heard: Option<&Letter>) -> Vec<Letter> {
        if std::mem::take(&mut self.crash) {
            return vec![];
        }
        let before = self.negotiation.take();
        self.negotiation = Some(match before {
            None => Negotiation::replay(decision.events.clone()).unwrap(),
            Some(before) => decision.events.iter().cloned().try_fold(before, Negotiation::apply).unwrap(),
        });
        self.log.extend(decision.events);
        for effect in decision.effects {
            match effect {
                Effect::Tell { notice } => {
                    let content = self.content(notice);
                    let letter = self.letter(self.peer(), content);
                    self.outbox.push((letter, false));
                }
                record @ Effect::Record { .. } => self.orders.push((record, false)),
            }
        }
        heard.map(|letter| self.answer(letter)).into_iter().collect()
    }

    fn answer(&mut self, heard: &Letter) -> Letter {
        let answer = self.letter(&heard.from, Content::State(heard.id.clone()));
        self.answers.insert((heard.from.clone(), heard.id.clone()), answer.clone());
        answer
    }

    fn content(&self, notice: Notice) -> Content {
        match notice {
            Notice::Request(request) => Content::Request(request),
            Notice::Offer(offer) => Content::Offer(offer.text),
            Notice::Proposal(_) => unreachable!("this world's consumers begin"),
            Notice::Acceptance(core) => Content::Acceptance(core.text.split_once('~').unwrap().1.to_owned()),
            Notice::Agreement { entry } => Content::Agreement(entry),
            Notice::Verification { acknowledgement } => Content::Verification(acknowledgement),
            Notice::Finalization { acknowledgement } => Content::Finalization(acknowledgement),
            Notice::Termination { offer_sha256, ending } => {
                let termination = Termination {
                    signer: self.key().did().clone(),
                    negotiation: self.deal.pid.clone(),
                    offer_sha256: offer_sha256.map(|digest| digest.b64u()),
                    reason: ending.reason,
                    code: ending.code,
                };
                Content::Termination(self.parties.terminate(&termination, self.key()))
            }
        }
    }

    /// Deals with a letter as `node::receive` does; the answers.
    pub fn hear(&mut self, letter: &Letter, clock: i64) -> Vec<Letter> {
        if let Some(answer) = self.answers.get(&(letter.from.clone(), letter.id.clone())) {
            return vec![answer.clone()];
        }
        let ours = letter.from == *self.peer() && letter.consumer_pid == self.deal.pid;
        if let Content::State(answers) = &letter.content {
            if ours && letter.to == *self.key().did() {
                self.learn_pid(letter);
                self.outbox.iter_mut().filter(|(sent, _)| sent.id == *answers).for_each(|(_, done)| *done = true);
            }
            return vec![];
        }
        match (&self.negotiation, &letter.content) {
            (None, Content::Request(request))
                if ours && letter.provider_pid.is_none() && letter.thread == letter.consumer_pid =>
            {
                let decision = Negotiation::begin(self.opening(), (**request).clone(), self.now(clock));
                let mut answers = self.commit(decision, Some(letter));
                answers.extend(self.hear_parked(clock));
                answers
            }
            (Some(_), _) if ours => self.hear_in(letter, clock),
            _ => {
                self.park(letter);
                vec![]
            }
        }
    }

    fn hear_in(&mut self, letter: &Letter, clock: i64) -> Vec<Letter> {
        let (Some(negotiation), Some(kind)) = (self.negotiation.clone(), letter.content.kind()) else { return vec![] };
        if arrow(negotiation.state().name(), self.role.other(), kind) == Arrow::Early {
            self.park(letter);
            return vec![];
        }
        let now = self.now(clock);
        let decided = belongs(&negotiation, letter).and_then(|learned| {
            let received = self.verified(&negotiation, letter, now)?;
            let decision = negotiation.decide(Input::Received(received), now)?;
            Ok((learned, decision))
        });
        match decided {
            Ok((mut events, mut decision)) => {
                events.append(&mut decision.events);
                decision.events = events;
                let mut answers = self.commit(decision, Some(letter));
                if !answers.is_empty() {
                    answers.extend(self.hear_parked(clock));
                }
                answers
            }
            Err(_) => {
                if std::mem::take(&mut self.crash) {
                    return vec![];
                }
                vec![self.answer(letter)]
            }
        }
    }

    fn hear_parked(&mut self, clock: i64) -> Vec<Letter> {
        let mut answers = Vec::new();
        for letter in std::mem::take(&mut self.parked) {
            answers.extend(self.hear(&letter, clock));
        }
        answers
    }

    fn park(&mut self, letter: &Letter) {
        if self.parked.len() < 32 && !self.parked.contains(letter) {
            self.parked.push(letter.clone());
        }
    }

    fn learn_pid(&mut self, letter: &Letter) {
        let Some(negotiation) = &self.negotiation else { return };
        if let (None, Some(pid)) = (&negotiation.opening().provider_pid, &letter.provider_pid) {
            let named = Event::Named { provider_pid: pid.clone() };
            self.commit(Decision { events: vec![named], effects: vec![] }, None);
        }
    }

    /// What a letter brings, verified for real.
    fn verified(&self, negotiation: &Negotiation, letter: &Letter, now: Timestamp) -> Result<Received, Refusal> {
        let peer = self.peer();
        Ok(match &letter.content {
            Content::Request(request) => Received::CounterRequest((**request).clone()),
            Content::Offer(text) => {
                let all = self.deal.offers.iter().chain(&self.other.offers);
                let offered =
                    all.into_iter().find(|offered| offered.paper.text == *text).expect("an offer of the pool");
                offered.offer.answers(&self.deal.asked, now, &mut Trail::default())?;
                let known = negotiation.offers().any(|offer| offer.contract_id == offered.paper.contract_id);
                checks::SUPERSEDED.hold(!known, || "the contract id was used in an earlier offer".into())?;
                Received::Offer(Box::new(offered.paper.clone()))
            }
            Content::Acceptance(text) => {
                let no_offer = || checks::STATE.refuse("there is no offer");
                let offer = negotiation.offer().ok_or_else(no_offer)?;
                let issuer_jwt = offer.text.split('~').next().unwrap();
                let core = self.parties.core(&format!("{issuer_jwt}~{text}"))?;
                if negotiation.countersigned().is_none() {
                    received_in_time(&core, now, &mut Trail::default())?;
                }
                Received::Acceptance(CorePaper::of(&core))
            }
            Content::Agreement(entry) => Received::Agreement(entry.clone()),
            Content::Verification(text) => Received::Verification(self.parties.acknowledged(text, peer)?, text.clone()),
            Content::Finalization(text) => Received::Finalization(self.parties.acknowledged(text, peer)?, text.clone()),
            Content::Termination(text) => {
                let termination = self.parties.terminated(text, peer)?;
                checks::PIDS.hold(termination.negotiation == negotiation.thread(), || "another negotiation".into())?;
                Received::Termination(termination)
            }
            Content::State(_) => unreachable!(),
        })
    }

    /// A person's or a rule's command; refused ones leave everything as it was.
    pub fn order(&mut self, command: Command, clock: i64) -> Option<&'static Check> {
        let negotiation = self.negotiation.as_ref()?;
        match negotiation.decide(Input::Ordered(command), self.now(clock)) {
            Ok(decision) => {
                self.commit(decision, None);
                None
            }
            Err(refusal) => Some(refusal.check),
        }
    }

    /// Performs what was ordered, as `node::perform` does; `forget` dies after the effect, before it is noted.
    pub fn perform(&mut self, chain: &mut Chain, clock: i64, forget: bool) {
        for index in 0..self.orders.len() {
            let (Effect::Record { contract_id, hash }, false) = self.orders[index].clone() else { continue };
            let Some(State::Accepted(Countersigned { offer, .. })) = self.negotiation.as_ref().map(Negotiation::state)
            else {
                self.orders[index].1 = true;
                continue;
            };
            if self.now(clock) > offer.record_by {
                self.orders[index].1 = true;
                continue;
            }
            let receipt = chain.receipt(RECORDER, contract_id);
            match receipt {
                None => chain.submit(Call::Record { by: RECORDER, id: contract_id, hash }),
                Some(entry) if entry.hash != hash => self.orders[index].1 = true,
                Some(entry) if !forget => {
                    self.observe(Observation::Receipt(entry), clock);
                    self.orders[index].1 = true;
                }
                Some(_) => {}
            }
        }
    }

    fn observe(&mut self, observation: Observation, clock: i64) {
        let Some(negotiation) = &self.negotiation else { return };
        let decision = negotiation.decide(Input::Observed(observation), self.now(clock)).unwrap();
        if !decision.is_empty() {
            self.commit(decision, None);
        }
    }

    /// Looks at clock and chain, as `node::watch` does.
    pub fn watch(&mut self, chain: &Chain, clock: i64) {
        let Some(negotiation) = self.negotiation.clone() else { return };
        let lapse = negotiation.decide(Input::Elapsed, self.now(clock)).unwrap();
        if !lapse.is_empty() {
            self.commit(lapse, None);
            return;
        }
        let Some(Countersigned { offer, core }) = negotiation.countersigned() else { return };
        let sighting = chain.sighting(false, offer.recorder, core.contract_id, core.withdrawal_account);
        let verified = self.parties.core(&core.text).unwrap();
        let late = sighting.head.time > offer.record_by;
        let observation = match concluded(&verified, &sighting, &mut Trail::default()) {
            Ok(entry) => {
                let acknowledgement = self.parties.acknowledge(&verified, &entry, self.key());
                Observation::Concluded(entry, acknowledgement)
            }
            Err(_) if sighting.entry.is_none() && late => Observation::Nothing(sighting.head),
            Err(_) if sighting.entry.is_none() => return,
            Err(refusal) => Observation::Broken(refusal),
        };
        let waits = self.role == Role::Provider && matches!(negotiation.state(), State::Agreed(..));
        let seen = matches!(observation, Observation::Concluded(..));
        if (waits && seen) || (matches!(negotiation.state(), State::Terminated(..)) && !seen) {
            return;
        }
        self.observe(observation, clock);
    }

    /// The core that both signed, as this side has it.
    pub fn core(&self) -> Option<Core> {
        let core = &self.negotiation.as_ref()?.countersigned()?.core;
        Some(self.parties.core(&core.text).unwrap().into_inner())
    }
}

fn belongs(negotiation: &Negotiation, letter: &Letter) -> Result<Vec<Event>, Refusal> {
    let opening = negotiation.opening();
    checks::PIDS.hold(letter.from == opening.peer, || "the sender is not the counterparty".into())?;
    checks::PIDS.hold(Some(&letter.consumer_pid) == opening.consumer_pid.as_ref(), || "another consumerPid".into())?;
    checks::PIDS.hold(letter.thread == negotiation.thread(), || "another thread".into())?;
    match (&opening.provider_pid, &letter.provider_pid) {
        (Some(known), Some(named)) => checks::PIDS.hold(known == named, || "another".into()).map(|()| vec![]),
        (None, Some(named)) => Ok(vec![Event::Named { provider_pid: named.clone() }]),
        (Some(_), None) => Ok(vec![]),
        (None, None) => Err(checks::PIDS.refuse("providerPid is missing")),
    }
}
