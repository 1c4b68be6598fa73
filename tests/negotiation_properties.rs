//! Two parties, a hostile network and a chain, at random: what must hold always, and what must hold in the end.
//!
//! The machines, the papers and every verification are the real ones; network, store, clock and chain are simulated, so
//! that they can lose, repeat, reorder, lie and die. `PROPTEST_CASES` sets how many stories are told.

mod support {
    #![allow(dead_code, unreachable_pub)]
    pub mod parties;
    pub mod world;
}

use std::cell::RefCell;
use std::collections::BTreeMap;

use countersign::negotiation::{Negotiation, State};
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use support::parties::{Deal, Parties};
use support::world::{Step, World};

/// Papers of one negotiation with several offers, and of another one.
struct Pool {
    parties: Parties,
    deal: Deal,
    other: Deal,
}

impl Pool {
    fn new() -> Self {
        let parties = Parties::new();
        // The second is recorded by the moment until which it can be accepted.
        let deal = parties.deal(1, &[(150, 300), (350, 350), (600, 900)]);
        let other = parties.deal(2, &[(600, 900)]);
        Self { parties, deal, other }
    }
}

/// `calm` says how much goes as it should.
fn step(calm: u32) -> impl Strategy<Value = Step> {
    prop_oneof![
        calm => Just(Step::Go),
        14 => any::<u8>().prop_map(Step::Deliver),
        3 => any::<u8>().prop_map(Step::Double),
        2 => any::<u8>().prop_map(Step::Lose),
        5 => any::<bool>().prop_map(Step::Send),
        6 => any::<bool>().prop_map(Step::Watch),
        4 => any::<bool>().prop_map(Step::Perform),
        2 => any::<bool>().prop_map(Step::Crash),
        2 => (0_u8..60).prop_map(Step::Wait),
        2 => (-2_i8..3).prop_map(Step::Deadline),
        4 => any::<u8>().prop_map(Step::Block),
        4 => (0_u8..4).prop_map(Step::Finalise),
        1 => any::<bool>().prop_map(Step::Reorganise),
        1 => any::<u8>().prop_map(Step::Drop),
        5 => Just(Step::Offer),
        4 => Just(Step::Record),
        3 => Just(Step::Regret),
        1 => Just(Step::End),
        5 => any::<bool>().prop_map(Step::Accept),
        1 => Just(Step::CounterRequest),
        1 => Just(Step::Withdraw),
        1 => any::<bool>().prop_map(Step::Terminate),
        6 => any::<(u8, u8)>().prop_map(|(kind, pick)| Step::Hostile(kind, pick)),
        1 => any::<u8>().prop_map(Step::Stranger),
    ]
}

fn story() -> impl Strategy<Value = ((i64, i64), Vec<Step>)> {
    (
        (-30_i64..30, -30_i64..30),
        prop_oneof![prop::collection::vec(step(1), 1..160), prop::collection::vec(step(60), 1..120)],
    )
}

/// Tells a story to its end; how both sides name that end.
fn tell(pool: &Pool, skews: (i64, i64), steps: &[Step]) -> String {
    let mut world = World::new(&pool.parties, &pool.deal, &pool.other, skews);
    for step in steps {
        world.step(step);
        world.hold();
    }
    world.settle();
    world.hold_settled();
    match world.consumer.negotiation.as_ref().map(Negotiation::state) {
        Some(State::Terminated(ending, countersigned)) => {
            let bound = if countersigned.is_some() { "after acceptance" } else { "before" };
            format!("{} {bound}", ending.code)
        }
        _ => "finalized".to_owned(),
    }
}

#[test]
fn whatever_happens_both_sides_end_alike() {
    let pool = Pool::new();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let cases = config.cases;
    let ends: RefCell<BTreeMap<String, u32>> = RefCell::default();
    // Shrinking panics hundreds of times; only the smallest story is told.
    let loud = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = TestRunner::new(config).run(&story(), |(skews, steps)| {
        let end = tell(&pool, skews, &steps);
        *ends.borrow_mut().entry(end).or_default() += 1;
        Ok(())
    });
    std::panic::set_hook(loud);
    match outcome {
        Err(TestError::Fail(why, (skews, steps))) => panic!("{why}\nclocks {skews:?}\n{steps:#?}"),
        Err(TestError::Abort(why)) => panic!("{why}"),
        Ok(()) => {}
    }
    let ends = ends.into_inner();
    println!("{ends:#?}");
    // Stories that all end before anything is at stake would show nothing.
    let finalized = ends.get("finalized").copied().unwrap_or_default();
    assert!(cases < 200 || finalized * 20 > cases, "{finalized} of {cases} stories made a contract");
    assert!(cases < 200 || ends.contains_key("timeout.record-by after acceptance"), "{ends:?}");
}

/// The way that everybody wishes for, so that the simulation itself is known to be able to go it.
#[test]
fn nothing_in_the_way_a_contract_is_made() {
    let pool = Pool::new();
    let all = |steps: &[Step]| tell(&pool, (0, 0), steps);
    let straight = [
        Step::Deliver(0), // the request
        Step::Offer,
        Step::Send(true),
        Step::Deliver(0), // the answer
        Step::Deliver(0), // the offer
        Step::Accept(true),
        Step::Send(false),
        Step::Deliver(0),
        Step::Deliver(0), // the acceptance
        Step::Record,
        Step::Perform(false),
        Step::Block(0xff),
        Step::Perform(false),
    ];
    assert_eq!(all(&straight), "finalized");
    assert_eq!(all(&straight[..9]), "timeout.record-by after acceptance");
    assert_eq!(all(&straight[..6]), "timeout.record-by after acceptance");
    assert_eq!(all(&straight[..5]), "timeout.accept-by before");
    assert_eq!(all(&[]), "timeout.request before");
}
