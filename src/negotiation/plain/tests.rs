use serde_json::{Value, json};

use super::super::{Kind, Role, StateName, checks};
use super::*;
use crate::encoding::Timestamp;

fn at() -> Timestamp {
    Timestamp::from_seconds(1_800_000_000).unwrap()
}

fn offer(id: &str) -> Value {
    json!({ "@id": id, "@type": "Offer", "target": "urn:d", "permission": [{ "action": "use", "constraint": [] }] })
}

fn agreement() -> Value {
    json!({
        "@id": "urn:a", "@type": "Agreement", "target": "urn:d", "assigner": "P", "assignee": "C",
        "timestamp": "2026-11-25T12:00:00Z", "permission": [{ "action": "use" }],
    })
}

fn word(kind: Kind) -> Word {
    match kind {
        Kind::Request => Word::Request { offer: offer("urn:r") },
        Kind::Offer => Word::Offer { offer: offer("urn:o") },
        Kind::Acceptance => Word::Acceptance { offer: None },
        Kind::Agreement => Word::Agreement { agreement: agreement() },
        Kind::Verification => Word::Verification,
        Kind::Finalization => Word::Finalization,
        Kind::Termination => Word::Termination { code: None, reason: vec![] },
    }
}

fn said(sender: Role, word: Word) -> Said {
    Said { sender, id: None, word, at: at(), by: None, cataloged: None, parties: None, extra: Default::default() }
}

fn opening(role: Role, began: Role) -> Opening {
    let (provider, consumer) = ("P".parse().unwrap(), "C".parse().unwrap());
    let (us, peer) = if role == Role::Provider { (provider, consumer) } else { (consumer, provider) };
    Opening {
        role,
        us,
        peer,
        own_pid: "urn:own".into(),
        peer_pid: Some("urn:peer".into()),
        began,
        address: "http://peer".into(),
        dataset: "urn:d".into(),
    }
}

/// The way to a state, and who says what on it.
fn way(state: StateName) -> Vec<(Role, Kind)> {
    use Role::{Consumer, Provider};
    let mut way = vec![(Consumer, Kind::Request), (Provider, Kind::Offer), (Consumer, Kind::Acceptance)];
    way.extend([(Provider, Kind::Agreement), (Consumer, Kind::Verification), (Provider, Kind::Finalization)]);
    match state {
        StateName::Requested => way.truncate(1),
        StateName::Offered => way.truncate(2),
        StateName::Accepted => way.truncate(3),
        StateName::Agreed => way.truncate(4),
        StateName::Verified => way.truncate(5),
        StateName::Finalized => {}
        StateName::Terminated => {
            way.truncate(1);
            way.push((Provider, Kind::Termination));
        }
    }
    way
}

fn standing(role: Role, state: StateName) -> Negotiation {
    let mut way = way(state).into_iter();
    let (sender, kind) = way.next().unwrap();
    let first = Negotiation::begin(opening(role, sender), said(sender, word(kind))).unwrap();
    let mut negotiation = Negotiation::replay([first]).unwrap();
    for (sender, kind) in way {
        let event = negotiation.decide(said(sender, word(kind))).unwrap().unwrap();
        negotiation = negotiation.apply(event).unwrap();
    }
    assert_eq!(negotiation.state().name(), state);
    negotiation
}

const STATES: [StateName; 7] = [
    StateName::Requested,
    StateName::Offered,
    StateName::Accepted,
    StateName::Agreed,
    StateName::Verified,
    StateName::Finalized,
    StateName::Terminated,
];

/// The specification's table, written a second time: from, sender, message, to.
const TABLE: &str = "
    REQUESTED provider offer OFFERED
    REQUESTED provider agreement AGREED
    REQUESTED provider termination TERMINATED
    REQUESTED consumer termination TERMINATED
    OFFERED consumer request REQUESTED
    OFFERED consumer acceptance ACCEPTED
    OFFERED provider termination TERMINATED
    OFFERED consumer termination TERMINATED
    ACCEPTED provider agreement AGREED
    ACCEPTED provider termination TERMINATED
    ACCEPTED consumer termination TERMINATED
    AGREED consumer verification VERIFIED
    AGREED provider termination TERMINATED
    AGREED consumer termination TERMINATED
    VERIFIED provider finalization FINALIZED
    VERIFIED provider termination TERMINATED
    VERIFIED consumer termination TERMINATED";

/// What the counterparty may say again, under another id: its state rests on it, and nothing moves.
const KNOWN: &str = "
    AGREED provider agreement
    VERIFIED provider agreement
    FINALIZED provider agreement
    VERIFIED consumer verification
    FINALIZED consumer verification
    FINALIZED provider finalization";

#[test]
fn every_arrow_of_the_specification_is_walked_and_no_other() {
    let (mut walked, mut known) = (0, 0);
    for own in [Role::Provider, Role::Consumer] {
        for state in STATES {
            for sender in [Role::Provider, Role::Consumer] {
                for kind in Kind::ALL {
                    let side = if sender == Role::Provider { "provider" } else { "consumer" };
                    let start = format!("{state} {side} {} ", kind.name());
                    let to = TABLE.lines().find_map(|line| line.trim().strip_prefix(&start));
                    let negotiation = standing(own, state);
                    let decided = negotiation.decide(said(sender, word(kind)));
                    if sender != own && KNOWN.lines().any(|line| line.trim() == start.trim()) {
                        assert_eq!(decided.unwrap(), None, "{start}");
                        known += 1;
                        continue;
                    }
                    match to {
                        Some(to) => {
                            let after = negotiation.apply(decided.unwrap().unwrap()).unwrap();
                            assert_eq!(after.state().name().to_string(), to, "{start}");
                            walked += 1;
                        }
                        None => {
                            let over = matches!(state, StateName::Finalized | StateName::Terminated);
                            let check = if over { &checks::TERMINAL } else { &checks::STATE };
                            assert_eq!(decided.unwrap_err().check, check, "{start}");
                        }
                    }
                }
            }
        }
    }
    assert_eq!((walked, known), (2 * 17, 6));
}

#[test]
fn only_a_request_or_an_unasked_offer_begins() {
    for sender in [Role::Provider, Role::Consumer] {
        for kind in Kind::ALL {
            let begins = matches!((sender, kind), (Role::Consumer, Kind::Request) | (Role::Provider, Kind::Offer));
            let first = Negotiation::begin(opening(Role::Provider, sender), said(sender, word(kind)));
            assert_eq!(first.is_ok(), begins, "{sender:?} {kind:?}");
        }
    }
    let first = Negotiation::begin(opening(Role::Consumer, Role::Provider), said(Role::Provider, word(Kind::Offer)));
    assert_eq!(Negotiation::replay([first.unwrap()]).unwrap().state(), &State::Offered);
}

#[test]
fn a_message_of_an_id_that_was_heard_moves_nothing() {
    let negotiation = standing(Role::Provider, StateName::Offered);
    let counter = Said { id: Some("urn:m".into()), ..said(Role::Consumer, word(Kind::Request)) };
    let event = negotiation.decide(counter.clone()).unwrap().unwrap();
    let negotiation = negotiation.apply(event).unwrap();
    assert_eq!(negotiation.decide(counter.clone()).unwrap(), None);
    let anew = Said { id: Some("urn:n".into()), ..counter };
    assert_eq!(negotiation.decide(anew).unwrap_err().check, &checks::STATE);
    assert_eq!(negotiation.offers().len(), 3);
}

#[test]
fn an_acceptance_of_an_offer_that_was_superseded_is_refused() {
    let negotiation = standing(Role::Provider, StateName::Offered);
    let names = |id: &str| said(Role::Consumer, Word::Acceptance { offer: Some(id.into()) });
    assert_eq!(negotiation.decide(names("urn:r")).unwrap_err().check, &checks::SUPERSEDED);
    assert!(negotiation.decide(names("urn:o")).is_ok());
}

#[test]
fn an_agreement_is_the_offer_that_stands_and_names_both() {
    let negotiation = standing(Role::Consumer, StateName::Accepted);
    let says = |change: &dyn Fn(&mut Value)| {
        let mut agreement = agreement();
        change(&mut agreement);
        negotiation.decide(said(Role::Provider, Word::Agreement { agreement }))
    };
    assert!(says(&|_| {}).is_ok());
    assert!(says(&|a| a["permission"] = json!({ "action": "use" })).is_ok());
    assert!(says(&|a| a["prohibition"] = json!([])).is_ok());
    let changes: [&dyn Fn(&mut Value); 5] = [
        &|a| a["permission"] = json!([{ "action": "read" }]),
        &|a| a["prohibition"] = json!([{ "action": "print" }]),
        &|a| a["target"] = json!("urn:e"),
        &|a| a["assigner"] = json!("C"),
        &|a| a["assignee"] = json!("somebody"),
    ];
    for change in changes {
        assert_eq!(says(change).unwrap_err().check, &checks::AGREEMENT);
    }
}

#[test]
fn an_agreement_said_again_under_another_id_is_known_and_another_agreement_is_not() {
    for state in [StateName::Agreed, StateName::Verified, StateName::Finalized] {
        let negotiation = standing(Role::Consumer, state);
        let says = |member: &str, value: &str| {
            let mut agreement = agreement();
            agreement[member] = value.into();
            negotiation.decide(said(Role::Provider, Word::Agreement { agreement }))
        };
        assert_eq!(says("timestamp", "2026-11-25T13:00:00Z"), Ok(None), "{state}");
        let renamed = says("@id", "urn:another").unwrap().unwrap();
        assert_eq!(renamed, Event::Renamed { agreement: "urn:another".into() }, "{state}");
        assert!(says("assignee", "somebody").is_err(), "{state}");
        // It is noted once, beside the agreement that came first, and moves nothing.
        let noted = negotiation.clone().apply(renamed).unwrap();
        assert_eq!((noted.state(), noted.history().len()), (negotiation.state(), negotiation.history().len()));
        let agreed = noted.history().iter().find(|entered| entered.state == StateName::Agreed).unwrap();
        assert_eq!(agreed.renamed, ["urn:another"]);
        let mut again = agreement();
        again["@id"] = json!("urn:another");
        assert_eq!(noted.decide(said(Role::Provider, Word::Agreement { agreement: again })), Ok(None));
    }
}

fn turned() -> Parties {
    let usual = opening(Role::Consumer, Role::Consumer).parties();
    Parties { promisor: usual.promisee, promisee: usual.promisor, ..usual }
}

#[test]
fn an_agreement_says_the_roles_of_the_offer_or_leaves_the_usual_ones_unsaid() {
    let usual = standing(Role::Consumer, StateName::Accepted);
    let asks = Said { parties: Some(turned()), ..said(Role::Consumer, word(Kind::Request)) };
    let asked = Negotiation::begin(opening(Role::Consumer, Role::Consumer), asks).unwrap();
    let asked = Negotiation::replay([asked]).unwrap();
    let says = |negotiation: &Negotiation, parties: Option<Parties>| {
        let refused = negotiation.decide(Said { parties, ..said(Role::Provider, word(Kind::Agreement)) }).err();
        refused.map(|refusal| refusal.check)
    };
    assert_eq!(says(&usual, None), None);
    assert_eq!(says(&usual, Some(usual.parties())), None);
    assert_eq!(says(&usual, Some(turned())), Some(&checks::AGREEMENT));
    assert_eq!(says(&asked, Some(turned())), None);
    assert_eq!(says(&asked, Some(usual.parties())), Some(&checks::AGREEMENT));
    assert_eq!(says(&asked, None), Some(&checks::AGREEMENT), "who knows nothing of roles has not agreed to these");
}

#[test]
fn an_id_that_stood_for_an_offer_stands_for_no_other() {
    let negotiation = standing(Role::Consumer, StateName::Offered);
    let counter = |id: &str, action: &str, parties: Option<Parties>| {
        let mut offer = offer(id);
        offer["permission"] = json!([{ "action": action }]);
        negotiation.decide(Said { parties, ..said(Role::Consumer, Word::Request { offer }) })
    };
    for id in ["urn:r", "urn:o"] {
        assert!(counter(id, "use", None).is_ok(), "{id}: the same offer again");
        assert_eq!(counter(id, "read", None).unwrap_err().check, &checks::OFFER_ID, "{id}");
        assert_eq!(counter(id, "use", Some(turned())).unwrap_err().check, &checks::OFFER_ID, "{id}");
    }
    assert!(counter("urn:n", "read", Some(turned())).is_ok());
}

#[test]
fn rules_in_another_order_are_the_same_terms_and_a_sequence_is_not() {
    let rule = |action: &str| json!({ "action": action, "constraint": [] });
    let with = |rules: Value| json!({ "target": "urn:d", "permission": rules });
    assert!(same_terms(&with(json!([rule("use"), rule("read")])), &with(json!([rule("read"), { "action": "use" }]))));
    assert!(!same_terms(&with(json!([rule("use"), rule("use")])), &with(json!([rule("use")]))), "a rule more");
    assert!(!same_terms(&with(json!([rule("use")])), &with(json!([rule("read")]))));
    let constraint = |left: &str, right: &str| {
        let atomic = |left: &str| json!({ "leftOperand": left, "operator": "eq", "rightOperand": "x" });
        json!([atomic(left), atomic(right)])
    };
    let limited = |constraint: Value| with(json!([{ "action": "use", "constraint": constraint }]));
    assert!(same_terms(&limited(constraint("a", "b")), &limited(constraint("b", "a"))));
    let sequence = |items: Value| limited(json!([{ "andSequence": items }]));
    assert!(!same_terms(&sequence(constraint("a", "b")), &sequence(constraint("b", "a"))));
    let (and, or) = (limited(json!([{ "and": [] }])), limited(json!([{ "or": [] }])));
    assert!(!same_terms(&and, &or), "all of nothing is another thing than one of nothing");
    assert!(same_terms(&with(json!([{ "action": "use", "unknown": [] }])), &with(json!([rule("use")]))));
    // What an offer that was copied from a catalog brings along is compared by itself.
    let mut copied = with(json!([rule("use")]));
    copied["countersign"] = json!({ "promisor": "C" });
    assert!(same_terms(&copied, &with(json!([rule("use")]))));
}

#[test]
fn pids_are_those_that_are_known_and_the_first_is_learned() {
    let known = standing(Role::Consumer, StateName::Requested);
    assert_eq!(known.hold_pids(Some("urn:own"), Some("urn:peer")).unwrap(), None);
    assert_eq!(known.hold_pids(Some("urn:other"), Some("urn:peer")).unwrap_err().check, &checks::PIDS);
    assert_eq!(known.hold_pids(Some("urn:own"), Some("urn:other")).unwrap_err().check, &checks::PIDS);
    let opening = Opening { peer_pid: None, ..opening(Role::Consumer, Role::Consumer) };
    let first = Negotiation::begin(opening, said(Role::Consumer, word(Kind::Request))).unwrap();
    let fresh = Negotiation::replay([first]).unwrap();
    let named = fresh.hold_pids(Some("urn:own"), Some("urn:peer")).unwrap();
    assert_eq!(named, Some(Event::Named { pid: "urn:peer".into() }));
    assert_eq!(fresh.apply(named.unwrap()).unwrap().opening().peer_pid.as_deref(), Some("urn:peer"));
}

#[test]
fn a_negotiation_about_one_dataset_stays_about_it() {
    let negotiation = standing(Role::Provider, StateName::Offered);
    let mut other = offer("urn:x");
    other["target"] = json!("urn:e");
    let refused = negotiation.decide(said(Role::Consumer, Word::Request { offer: other })).unwrap_err();
    assert_eq!(refused.check, &checks::STATE);
}

#[test]
fn differences_name_the_rules_that_came_and_went() {
    let mut after = offer("urn:x");
    after["permission"] = json!([{ "action": "read" }]);
    let found = differences(&offer("urn:r"), &after);
    assert_eq!(found.added, [("permission".to_owned(), json!({ "action": "read" }))]);
    assert_eq!(found.removed, [("permission".to_owned(), json!({ "action": "use" }))]);
    assert_eq!(differences(&after, &after), Differences::default());
}
