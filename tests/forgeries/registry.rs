//! Rule R and what follows it: entries that make no contract, and contracts that are over.

use countersign::credential::{Account, Mark};
use countersign::encoding::{Digest, Timestamp};

use super::{Forgery, chain, clerk, forgery, hold, newest};
use crate::forge::OFFERED;

pub(super) const FORGERIES: &[Forgery] = &[
    forgery("rule.chain", "the entry stands on another chain", chain, |forge| {
        forge.finalised = Some(|seen| seen.chain_id += 1);
    }),
    forgery("rule.registry", "the entry stands in another registry", chain, |forge| {
        forge.finalised = Some(|seen| seen.registry = Account([1; 20]));
    }),
    forgery("rule.recorder", "somebody else recorded it", chain, |forge| {
        forge.finalised = Some(|seen| seen.recorder = Account([1; 20]));
    }),
    forgery("rule.recorder", "the entry itself names somebody else", chain, |forge| {
        forge.finalised = Some(|seen| seen.entry.as_mut().unwrap().recorder = Account([1; 20]));
    }),
    forgery("rule.contract", "another contract was looked up", chain, |forge| {
        forge.finalised = Some(|seen| {
            seen.contract_id = "urn:uuid:5ad1a3a8-1b7b-4f0a-8a36-0f4f4f9d0002".parse().unwrap();
        });
    }),
    forgery("rule.entry.missing", "nothing was recorded", chain, |forge| {
        forge.finalised = Some(|seen| seen.entry = None);
    }),
    forgery("rule.final", "the entry's block is not final", chain, |forge| {
        forge.finalised = Some(|seen| seen.head.number = 99);
    }),
    forgery("rule.hash", "another hash was recorded", chain, |forge| {
        forge.finalised = Some(|seen| seen.entry.as_mut().unwrap().hash = Digest::of("another core"));
    }),
    forgery("rule.time", "it was recorded a second after record_by", chain, |forge| {
        forge.finalised = Some(|seen| seen.entry.as_mut().unwrap().block_time = at(7201));
    }),
    forgery("rule.ended", "it was ended in a block before", chain, |forge| {
        forge.finalised = Some(|seen| seen.ended = mark(99, 7));
    }),
    forgery("rule.ended", "it was ended in the same block, a log before", chain, |forge| {
        forge.finalised = Some(|seen| seen.ended = mark(100, 2));
    }),
    forgery("rule.withdrawn", "the consumer withdrew a log before", chain, |forge| {
        forge.finalised = Some(|seen| seen.withdrawn = mark(100, 2));
    }),
    forgery("entry.stated", "the file gives the contract another date", clerk, |forge| {
        forge.file = Some(|file| file["entry"]["block_time"] = at(60).rfc3339().into());
    }),
    forgery("entry.stated", "the file names another transaction", clerk, |forge| {
        forge.file = Some(|file| file["entry"]["transaction"] = Digest::of("another").hex().into());
    }),
    forgery("force.ended", "the recorder ended it", newest, |forge| {
        forge.latest = Some(|seen| seen.ended = mark(120, 0));
    }),
    forgery("force.withdrawn", "the consumer withdrew", newest, |forge| {
        forge.latest = Some(|seen| seen.withdrawn = mark(120, 0));
    }),
    forgery("force.expired", "its time is over", newest, |forge| {
        forge.offer = Some(|token| token.claims["exp"] = (OFFERED + 10_000).into());
    }),
    forgery("rule.chain", "the newest block is another chain's", newest, |forge| {
        forge.latest = Some(|seen| seen.chain_id += 1);
    }),
];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(OFFERED + seconds).unwrap()
}

fn mark(block: u64, log_index: u64) -> Option<Mark> {
    Some(Mark { block, log_index, at: at(6 * block as i64), reason: 0 })
}

#[test]
fn what_the_chain_does_not_show_is_refused() {
    hold(FORGERIES);
}

#[test]
fn an_end_after_the_entry_and_a_withdrawal_that_nobody_may_make_change_nothing() {
    let world = crate::forge::World::default();
    let after = crate::forge::Changes {
        finalised: Some(|seen| (seen.ended, seen.withdrawn) = (mark(100, 4), mark(101, 0))),
        ..Default::default()
    };
    chain(&world, &world.make(&after)).unwrap();
    let nobody = crate::forge::World { withdrawal: None, ..world };
    let withdrawn = crate::forge::Changes {
        finalised: Some(|seen| seen.withdrawn = mark(1, 0)),
        latest: Some(|seen| seen.withdrawn = mark(1, 0)),
        ..Default::default()
    };
    let made = nobody.make(&withdrawn);
    chain(&nobody, &made).unwrap();
    newest(&nobody, &made).unwrap();
}
