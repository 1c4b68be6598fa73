//! Two parties, a network that does what it wants, and a chain.

pub mod chain;
pub mod side;

use countersign::check::Trail;
use countersign::credential::{Account, Core, Termination, concluded, in_force};
use countersign::identity::{SecretKey, Signer};
use countersign::negotiation::{Command, Decider, Negotiation, Role, State, StateName};

use super::parties::{Deal, Parties, RECORDER, WITHDRAWAL, entry};
use chain::{Call, Chain};
use side::{Content, Letter, Side};

/// One thing that happens. Picks are taken modulo what there is to pick from.
#[derive(Clone, Debug)]
pub enum Step {
    /// The network delivers a letter.
    Deliver(u8),
    /// The network delivers a letter and keeps a copy.
    Double(u8),
    /// The network loses a letter.
    Lose(u8),
    /// Everybody does what comes next, in order.
    Go,
    /// A side sends again what was not answered.
    Send(bool),
    /// A side looks at clock and chain.
    Watch(bool),
    /// The provider performs its orders; perhaps it forgets that it did.
    Perform(bool),
    /// The side dies before its next commit.
    Crash(bool),
    /// Time passes.
    Wait(u8),
    /// The clock jumps to just before or after a deadline of the offer on the table.
    Deadline(i8),
    /// A block comes with some of what is pending.
    Block(u8),
    /// Blocks become final.
    Finalise(u8),
    /// Blocks that are not final are replaced.
    Reorganise(bool),
    /// A pending transaction is dropped.
    Drop(u8),
    /// The provider's people.
    Offer,
    Record,
    /// They order the record and change their minds at once.
    Regret,
    End,
    /// The consumer's people; which of the two acceptances they sign.
    Accept(bool),
    CounterRequest,
    Withdraw,
    /// Either side's people give up.
    Terminate(bool),
    /// Somebody hostile, in one of several ways.
    Hostile(u8, u8),
    /// A stranger writes to the registry.
    Stranger(u8),
}

pub struct World<'a> {
    pub parties: &'a Parties,
    deal: &'a Deal,
    other: &'a Deal,
    pub provider: Side<'a>,
    pub consumer: Side<'a>,
    pub chain: Chain,
    network: Vec<Letter>,
    /// Every letter that ever was on the network.
    sent: Vec<Letter>,
    pub clock: i64,
    offers: usize,
    forged: u32,
}

impl<'a> World<'a> {
    pub fn new(parties: &'a Parties, deal: &'a Deal, other: &'a Deal, skews: (i64, i64)) -> Self {
        let mut world = Self {
            parties,
            deal,
            other,
            provider: Side::new(Role::Provider, parties, deal, other, skews.0),
            consumer: Side::new(Role::Consumer, parties, deal, other, skews.1),
            chain: Chain::new(),
            network: vec![],
            sent: vec![],
            clock: 10,
            offers: 0,
            forged: 0,
        };
        world.consumer.ask(10);
        world.send(false);
        world
    }

    fn side(&mut self, provider: bool) -> &mut Side<'a> {
        if provider { &mut self.provider } else { &mut self.consumer }
    }

    fn send(&mut self, provider: bool) {
        let letters = self.side(provider).repeats();
        self.post(letters);
    }

    fn post(&mut self, letters: Vec<Letter>) {
        self.sent.extend(letters.iter().cloned());
        self.network.extend(letters);
    }

    fn hand_over(&mut self, letter: &Letter) {
        let clock = self.clock;
        let provider = letter.to == *self.parties.provider.did();
        let answers = self.side(provider).hear(letter, clock);
        self.post(answers);
    }

    fn pick(&self, pick: u8) -> Option<usize> {
        (!self.network.is_empty()).then(|| usize::from(pick) % self.network.len())
    }

    pub fn step(&mut self, step: &Step) {
        let clock = self.clock;
        match *step {
            Step::Deliver(pick) => {
                let Some(index) = self.pick(pick) else { return };
                let letter = self.network.remove(index);
                self.hand_over(&letter);
            }
            Step::Double(pick) => {
                let Some(index) = self.pick(pick) else { return };
                let letter = self.network[index].clone();
                self.hand_over(&letter);
            }
            Step::Lose(pick) => {
                let Some(index) = self.pick(pick) else { return };
                self.network.remove(index);
            }
            Step::Go => self.go(),
            Step::Send(provider) => self.send(provider),
            Step::Watch(true) => self.provider.watch(&self.chain, clock),
            Step::Watch(false) => self.consumer.watch(&self.chain, clock),
            Step::Perform(forget) => self.provider.perform(&mut self.chain, clock, forget),
            Step::Crash(provider) => self.side(provider).crash = true,
            Step::Wait(seconds) => self.clock += i64::from(seconds),
            Step::Deadline(off) => {
                let sides = [&self.provider, &self.consumer];
                let offer = sides.iter().find_map(|side| side.negotiation.as_ref()?.offer());
                let deadlines = offer.into_iter().flat_map(|offer| [offer.accept_by, offer.record_by]);
                let start = super::parties::at(0).seconds();
                let next = deadlines.map(|at| at.seconds() - start).find(|at| *at + 3 > clock);
                self.clock = next.map_or(clock, |at| clock.max(at + i64::from(off)));
            }
            Step::Block(mask) => self.chain.block(clock, |index| mask >> (index % 8) & 1 == 1),
            Step::Finalise(blocks) => self.chain.finalise(usize::from(blocks)),
            Step::Reorganise(lose) => self.chain.reorganise(lose),
            Step::Drop(pick) => {
                if !self.chain.pending.is_empty() {
                    let index = usize::from(pick) % self.chain.pending.len();
                    self.chain.pending.remove(index);
                }
            }
            Step::Offer => self.offer(),
            Step::Record => drop(self.provider.order(Command::Record(rule()), clock)),
            Step::Regret => {
                self.provider.order(Command::Record(rule()), clock);
                self.provider.perform(&mut self.chain, clock, false);
                let end = Command::Terminate { code: "cancelled".into(), reason: "changed plans".into(), by: rule() };
                self.provider.order(end, clock);
            }
            Step::End => {
                if let Some(core) = self.provider.core() {
                    self.chain.submit(Call::End { by: RECORDER, id: core.claims.contract_id });
                }
            }
            Step::Accept(which) => self.accept(usize::from(which)),
            Step::CounterRequest => {
                let request = self.deal.request.clone();
                self.consumer.order(Command::CounterRequest(request, rule()), clock);
            }
            Step::Withdraw => {
                if let Some(core) = self.consumer.core() {
                    let id = core.claims.contract_id;
                    self.chain.submit(Call::Withdraw { by: WITHDRAWAL, recorder: RECORDER, id });
                }
            }
            Step::Terminate(provider) => {
                let end = Command::Terminate { code: "cancelled".into(), reason: "changed plans".into(), by: rule() };
                self.side(provider).order(end, clock);
            }
            Step::Hostile(kind, pick) => self.hostile(kind, pick),
            Step::Stranger(kind) => self.stranger(kind),
        }
    }

    fn go(&mut self) {
        let clock = self.clock;
        if self.network.is_empty() {
            self.offer();
            self.accept(0);
            self.provider.order(Command::Record(rule()), clock);
            self.provider.perform(&mut self.chain, clock, false);
            self.chain.block(clock, |_| true);
            self.chain.finalise(1);
            self.provider.watch(&self.chain, clock);
            self.consumer.watch(&self.chain, clock);
            self.send(true);
            self.send(false);
        } else {
            let letter = self.network.remove(0);
            self.hand_over(&letter);
        }
    }

    fn offer(&mut self) {
        let requested = matches!(self.provider.negotiation.as_ref().map(Negotiation::state), Some(State::Requested));
        let now = self.provider.now(self.clock);
        while self.deal.offers.get(self.offers).is_some_and(|offered| offered.paper.accept_by <= now) {
            self.offers += 1;
        }
        if let (true, Some(offered)) = (requested, self.deal.offers.get(self.offers)) {
            self.offers += 1;
            self.provider.order(Command::Offer(Box::new(offered.paper.clone()), rule()), self.clock);
        }
    }

    fn accept(&mut self, which: usize) {
        let Some(State::Offered(offer)) = self.consumer.negotiation.as_ref().map(Negotiation::state) else { return };
        let offered = self.deal.offers.iter().find(|offered| offered.paper == *offer).unwrap();
        let now = self.consumer.now(self.clock);
        if offered.offer.open(now, &mut Trail::default()).is_ok() {
            self.consumer.order(Command::Accept(offered.papers[which].clone(), rule()), self.clock);
        }
    }

    /// Hands over what nobody honest sent, and holds that it moved nothing.
    fn hostile(&mut self, kind: u8, pick: u8) {
        let old = self.sent.get(usize::from(pick) % self.sent.len().max(1)).cloned();
        let to_provider = pick.is_multiple_of(2);
        self.forged += 1;
        let id = format!("forged-{}", self.forged);
        let forged = match (kind % 6, old) {
            // Repeated as it was, perhaps long ago: harmless, but news if it never arrived.
            (0, Some(old)) => return self.hand_over(&old),
            (1, Some(old)) => Letter { id, from: self.parties.stranger.did().clone(), ..old },
            (2, Some(old)) => Letter { id, consumer_pid: self.other.pid.clone(), ..old },
            (3, Some(old)) => {
                let side = self.side(old.to == *self.parties.provider.did());
                if side.negotiation.as_ref().is_none_or(|known| known.opening().provider_pid.is_none()) {
                    return;
                }
                Letter { id, provider_pid: Some("urn:uuid:forged".into()), thread: "urn:uuid:forged".into(), ..old }
            }
            (4, _) => match self.of_another_contract(to_provider, pick) {
                Some(content) => self.by_the_peer(to_provider, id, content),
                None => return,
            },
            // A provider that speaks of an entry before there is one: the consumer believes its own node alone.
            (5, _) => {
                let Some(core) = self.consumer.core() else { return };
                let invented = entry(&core, 3, super::parties::at(self.clock));
                let letter = self.by_the_peer(false, id, Content::Agreement(invented));
                return self.hand_over(&letter);
            }
            _ => return,
        };
        let states = |world: &Self| [&world.provider, &world.consumer].map(|side| side.negotiation.clone());
        let before = states(self);
        self.hand_over(&forged);
        assert_eq!(before, states(self), "{forged:?} moved somebody");
    }

    fn by_the_peer(&self, to_provider: bool, id: String, content: Content) -> Letter {
        let (from, to) = (self.key(!to_provider), self.key(to_provider));
        let pid = self.provider.negotiation.as_ref().and_then(|known| known.opening().provider_pid.clone());
        Letter {
            id,
            from: from.did().clone(),
            to: to.did().clone(),
            thread: self.deal.pid.clone(),
            consumer_pid: self.deal.pid.clone(),
            provider_pid: pid,
            content,
        }
    }

    fn key(&self, provider: bool) -> &'a SecretKey {
        if provider { &self.parties.provider } else { &self.parties.consumer }
    }

    /// Evidence that the peer did sign, but about something else.
    fn of_another_contract(&self, to_provider: bool, pick: u8) -> Option<Content> {
        let (receiver, signer) = (if to_provider { &self.provider } else { &self.consumer }, self.key(!to_provider));
        let foreign = &self.other.offers[0];
        let seen = entry(&foreign.cores[0], 3, super::parties::at(self.clock));
        let kb = |core: &Core| core.acceptance.text.clone();
        let negotiation = receiver.negotiation.as_ref()?;
        Some(match (pick / 2 % 4, to_provider) {
            (0, true) => Content::Acceptance(kb(&foreign.cores[0])),
            (0, false) => Content::Offer(foreign.paper.text.clone()),
            (1, true) => Content::Verification(self.parties.acknowledge(&foreign.cores[0], &seen, signer)),
            (1, false) => Content::Finalization(self.parties.acknowledge(&foreign.cores[0], &seen, signer)),
            (2, true) => {
                // A second acceptance of the offer that was accepted already.
                let first = &negotiation.countersigned()?.core;
                let offered = self.deal.offers.iter().find(|offered| offered.papers.contains(first))?;
                Content::Acceptance(kb(offered.cores.iter().find(|core| core.hash != first.hash)?))
            }
            (2, false) => Content::Agreement(seen),
            (_, _) => {
                let standing = negotiation.offer().is_some() && pick.is_multiple_of(3);
                let termination = Termination {
                    signer: signer.did().clone(),
                    negotiation: if standing { self.deal.pid.clone() } else { self.other.pid.clone() },
                    offer_sha256: standing.then(|| foreign.paper.sha256.b64u()),
                    reason: "of another contract".into(),
                    code: "cancelled".into(),
                };
                Content::Termination(self.parties.terminate(&termination, signer))
            }
        })
    }

    fn stranger(&mut self, kind: u8) {
        let Some(core) = self.consumer.core() else { return };
        let (by, id) = (Account([0x66; 20]), core.claims.contract_id);
        self.chain.submit(match kind % 3 {
            0 => Call::Record { by, id, hash: core.hash },
            1 => Call::End { by, id },
            _ => Call::Withdraw { by, recorder: RECORDER, id },
        });
    }

    /// Messages and blocks get through, and nobody decides anything any more.
    pub fn settle(&mut self) {
        for round in 0..40 {
            (self.provider.crash, self.consumer.crash) = (false, false);
            self.send(true);
            self.send(false);
            while !self.network.is_empty() {
                let letter = self.network.remove(0);
                self.hand_over(&letter);
                self.hold_states();
            }
            self.provider.perform(&mut self.chain, self.clock, false);
            self.chain.block(self.clock, |_| true);
            self.chain.finalise(usize::MAX / 2);
            self.provider.watch(&self.chain, self.clock);
            self.hold_states();
            self.consumer.watch(&self.chain, self.clock);
            self.hold_states();
            if round % 8 == 0 {
                self.hold();
            }
            // At the end a request that nobody answers lapses, too.
            self.clock += if round < 25 { 60 } else { 86_400 };
        }
    }

    pub fn states(&self) -> [Option<StateName>; 2] {
        [&self.provider, &self.consumer]
            .map(|side| side.negotiation.as_ref().map(|negotiation| negotiation.state().name()))
    }

    fn hold_states(&self) {
        let states = self.states();
        let ended = |state| states.contains(&Some(state));
        assert!(!(ended(StateName::Finalized) && ended(StateName::Terminated)), "{states:?}");
    }

    /// What holds at every moment.
    pub fn hold(&self) {
        self.hold_states();

        let mut entries = 0;
        for call in self.chain.calls().chain(&self.chain.pending) {
            if let Call::Record { by: RECORDER, id, hash } = call {
                // What the provider hands out is the core that its log holds with both signatures, verified.
                let core = self.provider.core().expect("an entry without both signatures");
                assert_eq!((core.claims.contract_id, core.hash), (*id, *hash));
                assert!(self.provider.negotiation.as_ref().unwrap().record_ordered());
                entries += usize::from(self.chain.calls().any(|stands| stands == call));
            }
        }
        assert!(entries <= 1, "{entries} entries of one negotiation");

        for core in self.deal.offers.iter().chain(&self.other.offers).flat_map(|offered| &offered.cores) {
            let (id, account) = (core.claims.contract_id, core.acceptance.withdrawal_account);
            let finalised = self.chain.sighting(false, RECORDER, id, account);
            let latest = self.chain.sighting(true, RECORDER, id, account);
            let contract = concluded(core, &finalised, &mut Trail::default()).is_ok();
            assert_eq!(contract, self.chain.rule_r(core), "rule R");
            let now = super::parties::at(self.clock);
            let opens = contract && in_force(core, &latest, now, &mut Trail::default()).is_ok();
            assert!(!opens || self.chain.rule_r(core), "access without rule R");
            if contract {
                let states = self.states();
                assert!(!states.contains(&Some(StateName::Terminated)), "a contract, and {states:?}");
                assert_eq!(self.provider.core().map(|core| core.hash), Some(core.hash));
                assert_eq!(self.consumer.core().map(|core| core.hash), Some(core.hash));
            }
        }
        if self.states().contains(&Some(StateName::Finalized)) {
            let core = self.provider.core().unwrap();
            assert!(self.chain.rule_r(&core), "FINALIZED without a contract");
        }
    }

    /// What holds once everything got through.
    pub fn hold_settled(&self) {
        let [provider, consumer] = self.states();
        assert_eq!(provider, consumer, "{:?}\n{:?}", self.provider.log, self.consumer.log);
        assert!(matches!(provider, Some(StateName::Finalized | StateName::Terminated)), "stuck in {provider:?}");
        assert!(self.provider.repeats().is_empty() && self.consumer.repeats().is_empty(), "something is unanswered");
        for side in [&self.provider, &self.consumer] {
            assert_eq!(Negotiation::replay(side.log.clone()).as_ref().ok(), side.negotiation.as_ref());
        }
        if provider == Some(StateName::Finalized) {
            let [ours, theirs] = [&self.provider, &self.consumer].map(|side| side.negotiation.as_ref().unwrap());
            assert_eq!(ours.entry(), theirs.entry());
            assert_eq!(ours.acknowledgements(), theirs.acknowledgements());
        }
    }
}

fn rule() -> Decider {
    Decider::Rule("test".into())
}
