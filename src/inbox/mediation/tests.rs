use serde_json::{Value, json};

use super::*;
use crate::check::{Refusal, Trail};
use crate::encoding::Timestamp;
use crate::identity::{Did, Documents, SecretKey, Signer as _};
use crate::inbox::{Attachment, Message, checks};

fn key(secret: u8) -> SecretKey {
    SecretKey::p256(&[secret; 32]).unwrap()
}

fn message((kind, body, attachments): (String, Value, Vec<Attachment>)) -> Message {
    let (from, to) = (key(1).did().clone(), vec![key(2).did().clone()]);
    let id = "1".into();
    Message { id, kind, from, to, thid: None, pthid: None, created_time: None, expires_time: None, body, attachments }
}

fn asked(kind: &str, body: Value) -> Result<Option<Request>, Refusal> {
    Request::read(&message((kind.into(), body, vec![])))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds).unwrap()
}

#[test]
fn every_request_reads_as_it_was_written() {
    let did: Did = key(3).did().clone();
    let updates = vec![
        Update { recipient: did.to_string(), action: Action::Add },
        Update { recipient: "did:peer:2".into(), action: Action::Remove },
    ];
    for request in [
        Request::Mediate { contact: Some("a.b.c".into()), participant: None },
        Request::Update { updates, words: vec!["d.e.f".into()] },
        Request::Query { page: None },
        Request::Query { page: Some((10, 20)) },
        Request::Status { recipient: None },
        Request::Status { recipient: Some(did.clone()) },
        Request::Deliver { limit: 10, recipient: Some(did.clone()) },
        Request::Received { ids: vec!["1".into(), "2".into()] },
        Request::Live { on: true },
    ] {
        let written = message(request.write());
        assert!(asks_a_mediator(&written.kind), "{}", written.kind);
        // Each asks for its answer on the same way.
        let text: Value = serde_json::from_str(&written.write().unwrap()).unwrap();
        assert_eq!(text["return_route"], "all");
        assert_eq!(Request::read(&written).unwrap(), Some(request));
    }
    assert_eq!(asked("https://didcomm.org/trust-ping/2.0/ping", json!({})).unwrap(), None);
}

#[test]
fn every_answer_reads_as_it_was_written() {
    let did: Did = key(3).did().clone();
    let updated = Updated { recipient: did.to_string(), action: Action::Add, result: Outcome::NoChange };
    let queue = Queue { message_count: 2, total_bytes: Some(10), live_delivery: Some(false), ..Queue::default() };
    for answer in [
        Answer::Granted(vec![did.clone()]),
        Answer::Denied,
        Answer::Updated(vec![updated]),
        Answer::Recipients(vec![did.clone()], Some(Page { count: 1, offset: 0, remaining: 3 })),
        Answer::Status(queue),
        Answer::Delivery { recipient: None, held: vec![Held { id: "x".into(), envelope: "{}".into() }] },
        Answer::Problem { code: "e.m.live-mode-not-supported".into(), comment: "no".into() },
    ] {
        let written = message(answer.write());
        assert!(!asks_a_mediator(&written.kind));
        assert!(!written.write().unwrap().contains("return_route"));
        assert_eq!(Answer::read(&written).unwrap(), Some(answer));
    }
}

#[test]
fn a_mediate_request_needs_no_body() {
    let text = json!({ "id": "1", "type": format!("{COORDINATION}mediate-request"), "from": key(1).did(), "to": [key(2).did()] });
    let read = Message::read(text.to_string().as_bytes()).unwrap();
    assert!(matches!(Request::read(&read).unwrap(), Some(Request::Mediate { contact: None, participant: None })));
    let other = text.to_string().replace("mediate-request", "recipient");
    assert_eq!(Message::read(other.as_bytes()).unwrap_err().check, &checks::PLAINTEXT);
}

#[test]
fn what_has_not_the_body_of_its_kind_is_refused() {
    let many: Vec<String> = (0..257).map(|id| id.to_string()).collect();
    let did = key(3).did().clone();
    let updates = vec![json!({ "recipient_did": did, "action": "add" }); 33];
    for (kind, body) in [
        (format!("{COORDINATION}recipient-update"), json!({})),
        (format!("{COORDINATION}recipient-update"), json!({ "updates": updates })),
        (format!("{COORDINATION}recipient-update"), json!({ "updates": [{ "recipient_did": did, "action": "take" }] })),
        (format!("{COORDINATION}recipient-query"), json!({ "paginate": { "limit": 3 } })),
        (format!("{PICKUP}status-request"), json!({ "recipient_did": "nobody" })),
        (format!("{PICKUP}delivery-request"), json!({})),
        (format!("{PICKUP}delivery-request"), json!({ "limit": 0 })),
        (format!("{PICKUP}delivery-request"), json!({ "limit": -1 })),
        (format!("{PICKUP}messages-received"), json!({ "message_id_list": many })),
        (format!("{PICKUP}messages-received"), json!({ "message_id_list": [""] })),
        (format!("{PICKUP}live-delivery-change"), json!({ "live_delivery": "yes" })),
    ] {
        assert_eq!(asked(&kind, body.clone()).unwrap_err().check, &checks::MEDIATION, "{kind} {body}");
    }
    // More than one delivery holds is asked for, and not given.
    let asked = asked(&format!("{PICKUP}delivery-request"), json!({ "limit": 1_000_000 })).unwrap();
    assert_eq!(asked, Some(Request::Deliver { limit: MAX_HELD, recipient: None }));
}

#[test]
fn a_did_says_itself_who_picks_up_for_it() {
    let (owner, member, mediator, other) = (key(1), key(2), key(3), key(4));
    let word = Word {
        recipient: owner.did().clone(),
        member: member.did().clone(),
        mediator: mediator.did().clone(),
        exp: at(60),
    };
    let verify = |text: &str, member: &SecretKey, mediator: &SecretKey, now: i64| {
        Word::verify(text, member.did(), mediator.did(), &Documents::default(), at(now), &mut Trail::default())
    };
    let signed = word.sign(&owner).unwrap();
    assert_eq!(*verify(&signed, &member, &mediator, 0).unwrap(), word);
    for (member, mediator, now) in
        [(&other, &mediator, 0), (&member, &other, 0), (&member, &mediator, 60), (&member, &mediator, -DAY)]
    {
        assert_eq!(verify(&signed, member, mediator, now).unwrap_err().check, &checks::RECIPIENT_WORD);
    }
    // The member's own signature under the owner's name proves nothing.
    assert!(verify(&word.sign(&member).unwrap(), &member, &mediator, 0).is_err());
}

const DAY: i64 = 24 * 3600;
