use super::*;

fn sighting(world: &World) -> Sighting {
    Sighting {
        head: Head { number: 110, hash: Digest::of("head"), time: at(700) },
        chain_id: world.registry.chain_id,
        registry: world.registry.address,
        recorder: world.recorder,
        contract_id: world.draft().contract_id,
        entry: Some(world.entry()),
        ended: None,
        withdrawn: None,
    }
}

fn mark(block: u64, log_index: u64) -> Option<Mark> {
    Some(Mark { block, log_index, at: at(600), reason: 3 })
}

#[test]
fn rule_r_holds_exactly_under_its_conditions() {
    let world = World::new();
    let core = world.core();
    let concluded = |change: fn(&mut Sighting)| {
        let mut sighting = sighting(&world);
        change(&mut sighting);
        concluded(&core, &sighting, &mut Trail::default()).map(drop).map_err(|refusal| refusal.check)
    };
    type Change = fn(&mut Entry);
    let entry = |sighting: &mut Sighting, change: Change| change(sighting.entry.as_mut().unwrap());
    assert_eq!(concluded(|_| {}), Ok(()));
    assert_eq!(concluded(|sighting| sighting.entry = None), Err(&checks::RULE_MISSING));
    assert_eq!(concluded(|sighting| sighting.chain_id += 1), Err(&checks::RULE_CHAIN));
    assert_eq!(concluded(|sighting| sighting.registry = account(1)), Err(&checks::RULE_REGISTRY));
    assert_eq!(concluded(|sighting| sighting.recorder = account(1)), Err(&checks::RULE_RECORDER));
    assert_eq!(concluded(|sighting| sighting.contract_id.0 = uuid::Uuid::from_u128(7)), Err(&checks::RULE_CONTRACT));
    let entries: [(&Check, Change); 6] = [
        (&checks::RULE_CHAIN, |entry| entry.chain_id += 1),
        (&checks::RULE_REGISTRY, |entry| entry.registry = account(1)),
        (&checks::RULE_RECORDER, |entry| entry.recorder = account(1)),
        (&checks::RULE_HASH, |entry| entry.hash = Digest::of("another")),
        (&checks::RULE_TIME, |entry| entry.block_time = at(7201)),
        (&checks::RULE_FINAL, |entry| entry.block = 111),
    ];
    for (check, change) in entries {
        let mut sighting = sighting(&world);
        entry(&mut sighting, change);
        let refusal = super::super::concluded(&core, &sighting, &mut Trail::default()).unwrap_err();
        assert_eq!(refusal.check, check);
    }
    let mut at_the_last_second = sighting(&world);
    entry(&mut at_the_last_second, |entry| entry.block_time = at(7200));
    assert!(super::super::concluded(&core, &at_the_last_second, &mut Trail::default()).is_ok());
}

#[test]
fn only_an_earlier_end_or_withdrawal_keeps_a_contract_from_existing() {
    let world = World::new();
    let core = world.core();
    let with = |ended, withdrawn| {
        let sighting = Sighting { ended, withdrawn, ..sighting(&world) };
        concluded(&core, &sighting, &mut Trail::default()).map(drop).map_err(|refusal| refusal.check)
    };
    assert_eq!(with(mark(99, 9), None), Err(&checks::RULE_ENDED));
    assert_eq!(with(mark(100, 2), None), Err(&checks::RULE_ENDED));
    assert_eq!(with(mark(100, 4), None), Ok(()));
    assert_eq!(with(mark(101, 0), mark(101, 0)), Ok(()));
    assert_eq!(with(None, mark(100, 2)), Err(&checks::RULE_WITHDRAWN));
    assert_eq!(with(None, mark(100, 4)), Ok(()));
}

#[test]
fn a_contract_is_in_force_until_somebody_or_time_ends_it() {
    let world = World::new();
    let core = world.core();
    let force = |change: fn(&mut Sighting), seconds| {
        let mut sighting = sighting(&world);
        change(&mut sighting);
        in_force(&core, &sighting, at(seconds), &mut Trail::default()).map_err(|refusal| refusal.check)
    };
    assert_eq!(force(|_| {}, 700), Ok(()));
    assert_eq!(force(|sighting| sighting.ended = mark(105, 0), 700), Err(&checks::FORCE_ENDED));
    assert_eq!(force(|sighting| sighting.withdrawn = mark(105, 0), 700), Err(&checks::FORCE_WITHDRAWN));
    assert_eq!(force(|_| {}, 200 * DAY), Err(&checks::FORCE_EXPIRED));
    assert_eq!(force(|_| {}, 200 * DAY - 1), Ok(()));
    assert_eq!(force(|sighting| sighting.recorder = account(1), 700), Err(&checks::RULE_RECORDER));
}

#[test]
fn a_withdrawal_counts_only_for_the_account_that_was_named() {
    let world = World::new();
    let silent = accept(&world.offer(), None, &world.one_time, at(30)).unwrap();
    let core = world.read_core(Core::join(&world.offer(), &silent).text()).unwrap();
    let mut sighting = Sighting { withdrawn: mark(1, 0), ..sighting(&world) };
    sighting.entry.as_mut().unwrap().hash = core.hash;
    assert!(concluded(&core, &sighting, &mut Trail::default()).is_ok());
    assert!(in_force(&core, &sighting, at(700), &mut Trail::default()).is_ok());
}
