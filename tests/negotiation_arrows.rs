//! The negotiation's arrows, all of them, against a table that was written by hand from section 6 of the protocol.

mod support {
    #![allow(dead_code, unreachable_pub)]
    pub mod parties;
}

use countersign::check::{Check, Refusal};
use countersign::credential::{Entry, Head, Termination};
use countersign::encoding::{Digest, Timestamp};
use countersign::identity::{SecretKey, Signer};
use countersign::negotiation::{
    Arrow, Command, Decider, Decision, Effect, Ending, Event, Input, Kind, Negotiation, Notice, Observation, Opening,
    Received, Role, StateName, arrow, checks,
};
use support::parties::{Deal, Parties, at, entry};

const STATES: [StateName; 7] = [
    StateName::Requested,
    StateName::Offered,
    StateName::Accepted,
    StateName::Agreed,
    StateName::Verified,
    StateName::Finalized,
    StateName::Terminated,
];

/// What a message of a sender does: a letter for each state, in the order of `STATES`.
///
/// `R O A G V F T` lead to that state (G: AGREED), `n` is noted, `k` is known, `e` is early, `-` is refused.
/// A provider that has handed the record out, or stands in AGREED, is never moved by a termination; a consumer's
/// cancel after its acceptance is a wish. Only in REQUESTED and OFFERED either side can end it by itself.
const TABLE: [(Role, Kind, &str); 14] = [
    //                                        R O A G V F T
    (Role::Consumer, Kind::Request, /*     */ "-R-----"),
    (Role::Consumer, Kind::Offer, /*       */ "-------"),
    (Role::Consumer, Kind::Acceptance, /*  */ "-Akkkk-"),
    (Role::Consumer, Kind::Agreement, /*   */ "-------"),
    (Role::Consumer, Kind::Verification, /**/ "--eVkk-"),
    (Role::Consumer, Kind::Finalization, /**/ "-------"),
    (Role::Consumer, Kind::Termination, /* */ "TTn---k"),
    (Role::Provider, Kind::Request, /*     */ "-------"),
    (Role::Provider, Kind::Offer, /*       */ "O------"),
    (Role::Provider, Kind::Acceptance, /*  */ "-------"),
    (Role::Provider, Kind::Agreement, /*   */ "--Gkkk-"),
    (Role::Provider, Kind::Verification, /**/ "-------"),
    (Role::Provider, Kind::Finalization, /**/ "--eeFk-"),
    (Role::Provider, Kind::Termination, /* */ "TTT---k"),
];

fn letter(arrow: Arrow) -> char {
    match arrow {
        Arrow::To(StateName::Requested) => 'R',
        Arrow::To(StateName::Offered) => 'O',
        Arrow::To(StateName::Accepted) => 'A',
        Arrow::To(StateName::Agreed) => 'G',
        Arrow::To(StateName::Verified) => 'V',
        Arrow::To(StateName::Finalized) => 'F',
        Arrow::To(StateName::Terminated) => 'T',
        Arrow::Noted => 'n',
        Arrow::Known => 'k',
        Arrow::Early => 'e',
        Arrow::Refused => '-',
    }
}

/// Papers, and one negotiation of each role in each state.
struct World {
    parties: Parties,
    deal: Deal,
    other: Deal,
}

impl World {
    fn new() -> Self {
        let parties = Parties::new();
        let deal = parties.deal(1, &[(600, 1200), (700, 1300)]);
        let other = parties.deal(2, &[(600, 1200)]);
        Self { parties, deal, other }
    }

    fn own(&self, role: Role) -> &dyn Signer {
        if role == Role::Provider { &self.parties.provider } else { &self.parties.consumer }
    }

    fn opening(&self, role: Role) -> Opening {
        Opening {
            role,
            us: self.own(role).did().clone(),
            peer: self.own(role.other()).did().clone(),
            consumer_pid: Some(self.deal.pid.clone()),
            provider_pid: Some("urn:uuid:provider".into()),
            began: Role::Consumer,
        }
    }

    fn acknowledgement(&self, by: Role) -> String {
        let core = &self.deal.offers[0].cores[0];
        let signer = if by == Role::Provider { &self.parties.provider } else { &self.parties.consumer };
        self.parties.acknowledge(core, &entry(core, 7, at(90)), signer)
    }

    /// The log that leads a side to a state, by the shortest way.
    fn log(&self, role: Role, state: StateName) -> Vec<Event> {
        let (opening, request, now) = (self.opening(role), self.deal.request.clone(), at(10));
        let offered = &self.deal.offers[0];
        let entry = entry(&offered.cores[0], 7, at(90));
        let ending = Ending { by: role, code: "rejected".into(), reason: "no".into() };
        let mut log = vec![
            Event::Requested { opening, request, at: now },
            Event::Offered { offer: Box::new(offered.paper.clone()), by: None, at: now },
            Event::Accepted { core: offered.papers[0].clone(), by: None, at: now },
            Event::Agreed { entry: entry.clone(), at: now },
            Event::Verified { entry, acknowledgement: self.acknowledgement(Role::Consumer), at: now },
            Event::Finalized { acknowledgement: self.acknowledgement(Role::Provider), entry: None, at: now },
        ];
        if state == StateName::Terminated {
            log.truncate(3);
            log.push(Event::Terminated { ending, decided: None, at: now });
        } else {
            log.truncate(STATES.iter().position(|name| *name == state).unwrap() + 1);
        }
        log
    }

    fn negotiation(&self, role: Role, state: StateName) -> Negotiation {
        let negotiation = Negotiation::replay(self.log(role, state)).unwrap();
        assert_eq!(negotiation.state().name(), state);
        negotiation
    }

    /// An honest message of each kind, where the receiver's state gives it something to be about.
    fn message(&self, sender: Role, kind: Kind, receiver: &Negotiation) -> Received {
        let offered = &self.deal.offers[0];
        let signer = self.own(sender).did();
        match kind {
            Kind::Request => Received::CounterRequest(self.deal.request.clone()),
            Kind::Offer => Received::Offer(Box::new(offered.paper.clone())),
            Kind::Acceptance => Received::Acceptance(offered.papers[0].clone()),
            Kind::Agreement => Received::Agreement(entry(&offered.cores[0], 7, at(90))),
            Kind::Verification | Kind::Finalization => {
                let text = self.acknowledgement(sender);
                let acknowledged = self.parties.acknowledged(&text, signer).unwrap();
                match kind {
                    Kind::Verification => Received::Verification(acknowledged, text),
                    _ => Received::Finalization(acknowledged, text),
                }
            }
            Kind::Termination => {
                let text = self.termination(sender, receiver.offer().map(|offer| offer.sha256));
                Received::Termination(self.parties.terminated(&text, signer).unwrap())
            }
        }
    }

    fn termination(&self, by: Role, offer: Option<Digest>) -> String {
        let signer = if by == Role::Provider { &self.parties.provider } else { &self.parties.consumer };
        let termination = Termination {
            signer: signer.did().clone(),
            negotiation: self.deal.pid.clone(),
            offer_sha256: offer.map(|digest| digest.b64u()),
            reason: "no".into(),
            code: "rejected".into(),
        };
        self.parties.terminate(&termination, signer)
    }
}

fn after(negotiation: &Negotiation, decision: &Decision) -> Negotiation {
    decision.events.iter().cloned().try_fold(negotiation.clone(), Negotiation::apply).unwrap()
}

fn refused(negotiation: &Negotiation, input: Input, now: Timestamp) -> &'static Check {
    negotiation.decide(input, now).unwrap_err().check
}

fn person() -> Decider {
    Decider::Person("desk".into())
}

#[test]
fn the_table_is_the_protocols() {
    for (sender, kind, row) in TABLE {
        for (state, expected) in STATES.into_iter().zip(row.chars()) {
            assert_eq!(letter(arrow(state, sender, kind)), expected, "{kind:?} of the {sender:?} in {state}");
        }
    }
    let mut rows: Vec<_> = TABLE.iter().map(|(sender, kind, _)| format!("{sender:?} {kind:?}")).collect();
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), 2 * Kind::ALL.len());
}

/// Every state, role and kind again, this time through the machine with papers that hold.
#[test]
fn each_message_does_what_the_table_says() {
    let world = World::new();
    for (sender, kind, row) in TABLE {
        for (state, expected) in STATES.into_iter().zip(row.chars()) {
            let negotiation = world.negotiation(sender.other(), state);
            let message = world.message(sender, kind, &negotiation);
            let outcome = negotiation.decide(Input::Received(message), at(20));
            let what = format!("{kind:?} of the {sender:?} in {state}");
            match (expected, outcome) {
                ('k', Ok(decision)) => assert_eq!(decision, Decision::default(), "{what}"),
                ('n', Ok(decision)) => {
                    assert_eq!(after(&negotiation, &decision).state(), negotiation.state(), "{what}");
                    assert_eq!(after(&negotiation, &decision).cancel_asked(), Some("no"), "{what}");
                }
                ('-' | 'e', Err(refusal)) => {
                    let over = matches!(state, StateName::Finalized | StateName::Terminated);
                    let check = if over { &checks::TERMINAL } else { &checks::STATE };
                    assert_eq!(refusal.check, check, "{what}");
                }
                (to, Ok(decision)) => {
                    let after = after(&negotiation, &decision);
                    assert_eq!(letter(Arrow::To(after.state().name())), to, "{what}");
                    assert!(decision.effects.is_empty(), "{what}: a message is answered, not told on");
                }
                (expected, outcome) => panic!("{what}: expected {expected}, found {outcome:?}"),
            }
        }
    }
}

/// Every command, by role and state: which state it leads to, or which check refuses it.
///
/// Letters as in `TABLE`; `.` stays where it is and tells, `=` stays silently, `s` is refused by `negotiation.state`,
/// `t` by `negotiation.terminal`, `r` by `negotiation.recorded`.
#[test]
fn each_command_does_what_the_protocol_allows() {
    let world = World::new();
    let offered = &world.deal.offers[0];
    let offer = || Command::Offer(Box::new(world.deal.offers[1].paper.clone()), person());
    let counter = || Command::CounterRequest(world.deal.request.clone(), person());
    let accept = || Command::Accept(offered.papers[0].clone(), person());
    let record = || Command::Record(person());
    let end = || Command::Terminate { code: "cancelled".into(), reason: "changed plans".into(), by: person() };
    let rows: [(Role, &dyn Fn() -> Command, &str); 10] = [
        //                            R O A G V F T
        (Role::Provider, &offer, /**/ "Osssstt"),
        (Role::Provider, &counter, /**/ "ssssstt"),
        (Role::Provider, &accept, /**/ "ssssstt"),
        (Role::Provider, &record, /**/ "ss.sstt"),
        (Role::Provider, &end, /*  */ "TTTrrtt"),
        (Role::Consumer, &offer, /**/ "ssssstt"),
        (Role::Consumer, &counter, /**/ "sRssstt"),
        (Role::Consumer, &accept, /**/ "sAssstt"),
        (Role::Consumer, &record, /**/ "ssssstt"),
        (Role::Consumer, &end, /*  */ "TT.rrtt"),
    ];
    for (role, command, row) in rows {
        for (state, expected) in STATES.into_iter().zip(row.chars()) {
            let negotiation = world.negotiation(role, state);
            let command = command();
            let what = format!("{command:?} of the {role:?} in {state}");
            match (expected, negotiation.decide(Input::Ordered(command), at(20))) {
                ('s', Err(refusal)) => assert_eq!(refusal.check, &checks::STATE, "{what}"),
                ('t', Err(refusal)) => assert_eq!(refusal.check, &checks::TERMINAL, "{what}"),
                ('r', Err(refusal)) => assert_eq!(refusal.check, &checks::RECORDED, "{what}"),
                ('.', Ok(decision)) => {
                    assert_eq!(after(&negotiation, &decision).state(), negotiation.state(), "{what}");
                    assert_eq!(decision.effects.len(), 1, "{what}");
                }
                (to, Ok(decision)) => {
                    assert_eq!(letter(Arrow::To(after(&negotiation, &decision).state().name())), to, "{what}");
                    let [Effect::Tell { notice }] = &decision.effects[..] else { panic!("{what}: {decision:?}") };
                    // What one side tells is an arrow of the other side, which stands where this side stood.
                    assert_eq!(letter(arrow(state, role, notice.kind())), to, "{what}");
                }
                (expected, outcome) => panic!("{what}: expected {expected}, found {outcome:?}"),
            }
        }
    }
}

#[test]
fn a_record_is_ordered_once_and_in_time() {
    let world = World::new();
    let accepted = world.negotiation(Role::Provider, StateName::Accepted);
    let order = || Input::Ordered(Command::Record(person()));
    let decision = accepted.decide(order(), at(1200)).unwrap();
    let core = &world.deal.offers[0].papers[0];
    assert_eq!(decision.effects, [Effect::Record { contract_id: core.contract_id, hash: core.hash }]);
    assert_eq!(refused(&accepted, order(), at(1201)), &checks::RECORD_BY);

    let ordered = after(&accepted, &decision);
    assert!(ordered.record_ordered());
    assert!(ordered.decide(order(), at(20)).unwrap().is_empty());
    let end = Command::Terminate { code: "cancelled".into(), reason: String::new(), by: person() };
    assert_eq!(refused(&ordered, Input::Ordered(end), at(20)), &checks::RECORDED);
}

#[test]
fn an_acceptance_is_of_the_standing_offer_once_and_in_time() {
    let world = World::new();
    let offered = &world.deal.offers[0];
    let heard = |core| Input::Received(Received::Acceptance(core));
    let ordered = |core| Input::Ordered(Command::Accept(core, person()));
    for (role, input) in [(Role::Provider, &heard as &dyn Fn(_) -> Input), (Role::Consumer, &ordered)] {
        let negotiation = world.negotiation(role, StateName::Offered);
        assert!(negotiation.decide(input(offered.papers[0].clone()), at(600)).is_ok());
        assert_eq!(refused(&negotiation, input(offered.papers[0].clone()), at(601)), &checks::ACCEPT_BY);
        for of_another in [&world.deal.offers[1], &world.other.offers[0]] {
            assert_eq!(refused(&negotiation, input(of_another.papers[0].clone()), at(20)), &checks::SUPERSEDED);
        }
    }
    let accepted = world.negotiation(Role::Provider, StateName::Accepted);
    assert!(accepted.decide(heard(offered.papers[0].clone()), at(9999)).unwrap().is_empty());
    assert_eq!(refused(&accepted, heard(offered.papers[1].clone()), at(20)), &checks::SAME_ACCEPTANCE);

    let requested = world.negotiation(Role::Consumer, StateName::Requested);
    let late = Input::Received(Received::Offer(Box::new(offered.paper.clone())));
    assert_eq!(refused(&requested, late, at(601)), &checks::ACCEPT_BY);
}

#[test]
fn evidence_is_of_this_contract() {
    let world = World::new();
    let (own, other) = (&world.deal.offers[0].cores[0], &world.other.offers[0].cores[0]);
    let accepted = world.negotiation(Role::Consumer, StateName::Accepted);
    let told = |entry| Input::Received(Received::Agreement(entry));
    let right = entry(own, 7, at(90));
    assert!(accepted.decide(told(right.clone()), at(20)).is_ok());
    let mut wrong = vec![entry(other, 7, at(90))];
    let changes: [fn(&mut Entry); 4] = [
        |entry| entry.chain_id += 1,
        |entry| entry.registry.0[0] ^= 1,
        |entry| entry.recorder.0[0] ^= 1,
        |entry| entry.hash = Digest::of("another core"),
    ];
    for change in changes {
        let mut entry = right.clone();
        change(&mut entry);
        wrong.push(entry);
    }
    for entry in wrong {
        assert_eq!(refused(&accepted, told(entry.clone()), at(20)), &checks::ENTRY);
        let agreed = world.negotiation(Role::Consumer, StateName::Agreed);
        assert_eq!(refused(&agreed, told(entry.clone()), at(20)), &checks::ENTRY);
        let receipt = Input::Observed(Observation::Receipt(entry));
        let provider = world.negotiation(Role::Provider, StateName::Accepted);
        assert!(provider.decide(receipt, at(20)).unwrap().is_empty(), "a receipt of another contract moves nothing");
    }

    let agreed = world.negotiation(Role::Provider, StateName::Agreed);
    let verified = |text: &str, by: &dyn Signer| {
        let acknowledged = world.parties.acknowledged(text, by.did()).unwrap();
        Input::Received(Received::Verification(acknowledged, text.to_owned()))
    };
    let parties = &world.parties;
    let by_the_provider = parties.acknowledge(own, &right, &parties.provider);
    assert_eq!(refused(&agreed, verified(&by_the_provider, &parties.provider), at(20)), &checks::ENTRY);
    let mut elsewhere = right.clone();
    elsewhere.chain_id += 1;
    elsewhere.block_hash = Digest::of("elsewhere");
    for (core, entry) in [(other, entry(other, 7, at(90))), (own, elsewhere)] {
        let text = parties.acknowledge(core, &entry, &parties.consumer);
        assert_eq!(refused(&agreed, verified(&text, &parties.consumer), at(20)), &checks::ENTRY);
    }
}

/// A receipt comes before finality: the block that it names may be replaced, and the contract file states the final one.
#[test]
fn both_sides_finalize_the_entry_that_became_final() {
    let world = World::new();
    let core = &world.deal.offers[0].cores[0];
    let (receipt, mut last) = (entry(core, 7, at(90)), entry(core, 8, at(95)));
    last.block_hash = Digest::of("the block that stayed");
    let parties = &world.parties;
    let acknowledged = |by: &SecretKey, entry: &Entry| parties.acknowledge(core, entry, by);

    let mut provider = world.negotiation(Role::Provider, StateName::Agreed);
    assert_eq!(provider.entry(), Some(&receipt));
    let text = acknowledged(&parties.consumer, &last);
    let heard = parties.acknowledged(&text, parties.consumer.did()).unwrap();
    let decision = provider.decide(Input::Received(Received::Verification(heard, text)), at(99)).unwrap();
    provider = after(&provider, &decision);
    let concluded = Observation::Concluded(last.clone(), acknowledged(&parties.provider, &last));
    let decision = provider.decide(Input::Observed(concluded), at(99)).unwrap();
    provider = after(&provider, &decision);
    assert_eq!((provider.state().name(), provider.entry()), (StateName::Finalized, Some(&last)));

    let consumer = world.negotiation(Role::Consumer, StateName::Verified);
    for (entry, holds) in [(consumer.entry().unwrap().clone(), true), (last, false)] {
        let text = acknowledged(&parties.provider, &entry);
        let heard = parties.acknowledged(&text, parties.provider.did()).unwrap();
        let outcome = consumer.decide(Input::Received(Received::Finalization(heard, text)), at(99));
        assert_eq!(outcome.map_err(|refusal| refusal.check).err(), (!holds).then_some(&checks::ENTRY));
    }
}

#[test]
fn a_termination_names_the_offer_that_stands() {
    let world = World::new();
    for role in [Role::Provider, Role::Consumer] {
        let negotiation = world.negotiation(role, StateName::Offered);
        let peer = role.other();
        let heard = |offer: Option<Digest>| {
            let text = world.termination(peer, offer);
            let termination = world.parties.terminated(&text, world.own(peer).did()).unwrap();
            negotiation.decide(Input::Received(Received::Termination(termination)), at(20))
        };
        assert!(heard(Some(world.deal.offers[0].paper.sha256)).is_ok());
        assert!(heard(None).is_ok());
        assert_eq!(heard(Some(world.deal.offers[1].paper.sha256)).unwrap_err().check, &checks::SUPERSEDED);
    }
}

/// What the chain shows, by role and state. Letters as above; `-` moves nothing.
#[test]
fn each_observation_does_what_the_protocol_says() {
    let world = World::new();
    let core = &world.deal.offers[0].cores[0];
    let entry = entry(core, 7, at(90));
    let head = |seconds| Head { number: 9, hash: Digest::of("head"), time: at(seconds) };
    let broken = Refusal { check: &countersign::credential::checks::RULE_TIME, detail: "late".into() };
    let seen = |what: &str, role| match what {
        "receipt" => Observation::Receipt(entry.clone()),
        "concluded" => Observation::Concluded(entry.clone(), world.acknowledgement(role)),
        "broken" => Observation::Broken(broken.clone()),
        "nothing yet" => Observation::Nothing(head(1200)),
        _ => Observation::Nothing(head(1201)),
    };
    let rows = [
        //                                     R O A G V F T
        (Role::Provider, "receipt", /*      */ "--G----"),
        (Role::Provider, "concluded", /*    */ "--G-F-*"),
        (Role::Provider, "broken", /*       */ "--TT---"),
        (Role::Provider, "nothing yet", /*  */ "-------"),
        (Role::Provider, "nothing", /*      */ "--TT---"),
        (Role::Consumer, "receipt", /*      */ "-------"),
        (Role::Consumer, "concluded", /*    */ "--VV--*"),
        (Role::Consumer, "broken", /*       */ "--TT---"),
        (Role::Consumer, "nothing yet", /*  */ "-------"),
        (Role::Consumer, "nothing", /*      */ "--TT---"),
    ];
    for (role, what, row) in rows {
        for (state, expected) in STATES.into_iter().zip(row.chars()) {
            let negotiation = world.negotiation(role, state);
            let decision = negotiation.decide(Input::Observed(seen(what, role)), at(2000)).unwrap();
            let after = after(&negotiation, &decision);
            let about = format!("{what} for the {role:?} in {state}");
            match expected {
                '-' => assert_eq!((decision, after), (Decision::default(), negotiation), "{about}"),
                '*' => {
                    assert_eq!(after.state(), negotiation.state(), "{about}");
                    assert_eq!(after.entry_despite_termination(), Some(&entry), "{about}");
                    let again = after.decide(Input::Observed(seen(what, role)), at(2000)).unwrap();
                    assert!(again.is_empty(), "{about}");
                }
                to => {
                    assert_eq!(letter(Arrow::To(after.state().name())), to, "{about}");
                    assert!(matches!(decision.effects[..], [Effect::Tell { .. }]), "{about}");
                }
            }
        }
    }
}

/// What time alone does: `accept_by` ends an offer, a week an unanswered request, nothing else.
#[test]
fn time_ends_only_what_nobody_is_bound_by() {
    let world = World::new();
    for role in [Role::Provider, Role::Consumer] {
        for state in STATES {
            let negotiation = world.negotiation(role, state);
            let ends = |now| !negotiation.decide(Input::Elapsed, now).unwrap().is_empty();
            let (last, first) = match state {
                StateName::Requested => (at(10 + 7 * 86_400), at(11 + 7 * 86_400)),
                StateName::Offered => (at(600), at(601)),
                _ => (at(0), at(400 * 86_400)),
            };
            let bound = !matches!(state, StateName::Requested | StateName::Offered);
            assert!(!ends(last), "{role:?} in {state}");
            assert_eq!(ends(first), !bound, "{role:?} in {state}");
        }
    }
}

/// A log that this program did not write does not replay: no event, no state that it could follow from.
#[test]
fn events_follow_only_from_their_states() {
    let world = World::new();
    for role in [Role::Provider, Role::Consumer] {
        let whole = world.log(role, StateName::Finalized);
        for (state, from) in STATES.into_iter().enumerate().map(|(index, state)| (state, index)) {
            let negotiation = world.negotiation(role, state);
            for (index, event) in whole.iter().enumerate() {
                let follows = state != StateName::Terminated && index == from + 1;
                assert_eq!(negotiation.clone().apply(event.clone()).is_ok(), follows, "event {index} in {state}");
            }
        }
        assert!(Negotiation::replay(whole[1..].to_vec()).is_err());
        assert!(Negotiation::replay(vec![]).is_err());
        let written = serde_json::to_string(&whole).unwrap();
        let read: Vec<Event> = serde_json::from_str(&written).unwrap();
        assert_eq!(Negotiation::replay(read), Negotiation::replay(whole));
    }
}

/// What begins: the consumer tells, the provider notes.
#[test]
fn only_a_consumer_tells_of_its_request() {
    let world = World::new();
    for role in [Role::Provider, Role::Consumer] {
        let decision = Negotiation::begin(world.opening(role), world.deal.request.clone(), at(10));
        let tells = decision.effects.iter().any(|effect| {
            matches!(effect, Effect::Tell { notice: Notice::Request(request) } if **request == world.deal.request)
        });
        assert_eq!(tells, role == Role::Consumer);
    }
}
