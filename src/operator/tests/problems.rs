use super::*;
use crate::credential::{Mark, checks as credential};
use crate::identity::checks as identity;
use crate::policy::checks as policy;

#[test]
fn a_contract_that_was_ended_later_is_still_due() {
    let mut case = Case::one(|_| ());
    case.contracts[0].sighting.ended = Some(Mark { block: 101, log_index: 0, at: at(700), reason: 1 });
    assert_eq!((case.problems(), case.audit().entries.len()), (vec![], 1));
    case.contracts[0].sighting.ended = Some(Mark { block: 99, log_index: 0, at: at(500), reason: 1 });
    assert_eq!((case.problems(), case.audit().entries.len()), (vec![credential::RULE_ENDED.id().into()], 0));
}

#[test]
fn what_both_signed_is_what_is_recorded() {
    let mut case = Case::one(|_| ());
    case.contracts[0].entry().hash = Digest::of("another core");
    assert_eq!(case.problems(), [credential::RULE_HASH.id()]);

    // The acceptance of another offer, and a signature that was touched.
    let (one, other) = (contract(1, &percentage(), "8.00", |_| ()), contract(2, &fixed(), "8.00", |_| ()));
    let acceptance = other.core.text.split_once('~').unwrap().1;
    let mut case = Case::of(vec![one]);
    case.claims.contracts[0].core = format!("{}~{acceptance}", case.contracts[0].core.issuer_jwt);
    let unread = case.audit();
    assert_eq!(unread.problems[0].contract_id, None);
    assert_eq!(case.problems()[1..], [checks::MISSING.id()]);
    let core = &case.contracts[0].core.text;
    let (signed, signature) = core.rsplit_once('.').unwrap();
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    case.claims.contracts[0].core = format!("{signed}.{flipped}{}", &signature[1..]);
    assert_eq!(case.problems(), [identity::JWS_SIGNATURE.id(), checks::MISSING.id()]);
}

#[test]
fn each_contract_is_the_providers_own() {
    let case = Case::of(vec![contract_by(&key(8), 1, &percentage(), "8.00", |_| ())]);
    assert_eq!(case.problems(), [checks::PROVIDER.id(), checks::MISSING.id()]);
}

#[test]
fn each_contract_stands_in_the_registry_that_is_read() {
    let elsewhere = |draft: &mut Draft| draft.registry.address = account(0x11);
    assert_eq!(Case::one(elsewhere).problems()[0], checks::REGISTRY.id());
    let statement = verified(&Case::one(elsewhere).statement()).unwrap();
    assert_eq!(statement.lookups(&registry()), []);
}

#[test]
fn each_contract_is_stated_once() {
    let mut case = Case::one(|_| ());
    case.claims.contracts.push(case.contracts[0].stated(&[]));
    assert_eq!((case.problems(), case.audit().entries.len()), (vec![checks::DUPLICATE.id().into()], 1));
}

#[test]
fn each_contract_has_an_entry() {
    let mut case = Case::one(|_| ());
    case.contracts[0].sighting.entry = None;
    assert_eq!((case.problems(), case.audit().entries.len()), (vec![checks::ENTRY.id().into()], 0));
    case.contracts.clear();
    assert_eq!(case.problems(), [checks::ENTRY.id()]);
}

#[test]
fn each_entry_is_final_in_time_and_in_the_period() {
    let mut case = Case::one(|_| ());
    case.contracts[0].sighting.head.number = 99;
    assert_eq!(case.problems(), [credential::RULE_FINAL.id()]);
    let mut case = Case::one(|_| ());
    case.contracts[0].entry().block_time = at(7201);
    assert_eq!(case.problems(), [credential::RULE_TIME.id()]);
    for (block_time, from, until) in [(600, 601, DAY), (600, 0, 600)] {
        let mut case = Case::one(|_| ());
        case.contracts[0].entry().block_time = at(block_time);
        (case.claims.from, case.claims.until) = (at(from), at(until));
        assert_eq!((case.problems(), case.audit().entries.len()), (vec![checks::TIME.id().into()], 0));
    }
    let mut case = Case::one(|_| ());
    (case.claims.from, case.claims.until) = (at(600), at(601));
    assert_eq!(case.problems(), Vec::<String>::new());
}

#[test]
fn each_recorder_is_the_providers_at_the_time() {
    let foreign = |draft: &mut Draft| draft.recorder = account(0x22);
    assert_eq!(Case::one(foreign).problems(), [checks::RECORDER.id()]);
    // The member has had that recorder before, says the operator's own copy of its credential.
    let mut case = Case::one(foreign);
    case.admitted = vec![Unverified::new(admitted(&key(2), account(0x22), at(601), &key(1)))];
    assert_eq!(case.problems(), Vec::<String>::new());
    case.admitted = vec![Unverified::new(admitted(&key(2), account(0x22), at(600), &key(1)))];
    assert_eq!(case.problems(), [checks::RECORDER.id()]);
    case.admitted = vec![Unverified::new(admitted(&key(3), account(0x22), at(DAY), &key(1)))];
    assert_eq!(case.problems(), [checks::RECORDER.id()]);
}

#[test]
fn each_template_is_approved_by_this_operator() {
    let mut case = Case::one(|_| ());
    case.claims.templates.clear();
    assert_eq!(case.problems(), [checks::TEMPLATE.id()]);
    case.claims.templates = vec![ApprovedTemplate::approve(&template(&percentage()), &key(9)).unwrap()];
    assert_eq!(case.problems(), [credential::TEMPLATE_ISSUER.id()]);
    let renamed = Case::one(|draft| draft.template_id = "urn:uuid:7a1c9b1e-0a53-4b6e-9d6c-2f3a44f1c002".into());
    assert_eq!(renamed.problems(), [checks::TEMPLATE.id()]);
}

#[test]
fn each_fee_is_what_the_template_yields() {
    let cheap = Case::one(|draft| draft.contents.fee.amount = "0.19".parse().unwrap());
    assert_eq!((cheap.problems(), cheap.audit().entries.len()), (vec![policy::FEE_TEMPLATE.id().into()], 0));
    let lower = |draft: &mut Draft| draft.contents.fee.amount = "0.09".parse().unwrap();
    assert_eq!(Case::of(vec![contract(1, &fixed(), "8.00", lower)]).problems(), [policy::FEE_TEMPLATE.id()]);
}

#[test]
fn the_fee_is_disclosed_and_nothing_else() {
    let mut case = Case::one(|_| ());
    case.claims.contracts[0].fee = format!("{}~", case.contracts[0].core.issuer_jwt);
    assert_eq!(case.problems(), [checks::FEE.id()]);
    for more in [0, 1, 2, 3, 4, 5, 7, 8] {
        case.claims.contracts[0] = case.contracts[0].stated(&[more]);
        let audit = case.audit();
        assert_eq!(case.problems(), [checks::OVERSHARED.id()], "{more}");
        assert_eq!(audit.entries[0].disclosures.len(), 2, "the evidence says what the operator was given");
        assert_eq!(audit.problems[0].contract_id, Some(audit.entries[0].contract_id));
    }
    // The fee of another contract.
    let other = contract(2, &fixed(), "8.00", |_| ());
    case.claims.contracts[0].fee = other.stated(&[]).fee;
    assert_eq!(case.problems(), [credential::PRESENTATION_FORM.id()]);
    case.claims.contracts[0].fee = format!("{}~{}~", case.contracts[0].core.issuer_jwt, other.disclosures[6]);
    assert_eq!(case.problems(), [credential::SD_UNEXPLAINED.id()]);
}

#[test]
fn every_entry_is_stated() {
    let mut case = Case::of(vec![contract(1, &fixed(), "8.00", |_| ()), contract(2, &percentage(), "8.00", |_| ())]);
    let left_out = case.claims.contracts.remove(1);
    let audit = case.audit();
    assert_eq!(audit.problems.len(), 1);
    assert_eq!(audit.problems[0].check, checks::MISSING.id());
    assert_eq!(audit.problems[0].contract_id, Some(case.contracts[1].sighting.contract_id));
    case.claims.contracts.push(left_out);
    assert_eq!(case.problems(), Vec::<String>::new());
}
