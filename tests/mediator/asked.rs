//! What a mediator is asked wrongly by somebody who has proven who it is: answered, on whatever way it came.

use super::*;

/// A request whose body is another, sealed by a member.
fn sealed(house: &House, party: &Party, request: &Request, change: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut message = party.message(request, &house.did());
    change(&mut message);
    inbox::seal_from(&message, &party.agreement, std::slice::from_ref(&house.key), &mut random).unwrap()
}

async fn answered(house: &House, party: &Party, envelope: &[u8], line: Option<&mut Line>) -> Answer {
    match house.mediator.take(envelope, line).await {
        Ok(Taken::Answered(answer)) => house.opened(party, &answer),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_members_malformed_request_is_answered_and_ends_no_connection() {
    let (house, alice) = (House::open_to_all().await, Party::new(1));
    house.enrol(&alice).await;
    let update = |count: usize| {
        let update = json!({ "recipient_did": alice.did(), "action": "add" });
        sealed(&house, &alice, &Request::Update { updates: vec![], words: vec![] }, |message| {
            message.body = json!({ "updates": vec![update; count] });
        })
    };
    let limit = |limit: serde_json::Value| {
        sealed(&house, &alice, &deliver(1), |message| message.body = json!({ "limit": limit }))
    };
    let (mut line, _arrivals) = house.mediator.line();
    house.on(Some(&mut line), &alice, Request::Live { on: true }).await;
    for wrong in [update(33), limit(json!(0)), limit(json!(-1)), limit(json!("x"))] {
        let answer = answered(&house, &alice, &wrong, None).await;
        assert!(is_problem(&answer, &inbox::checks::MEDIATION), "{answer:?}");
        let answer = answered(&house, &alice, &wrong, Some(&mut line)).await;
        assert!(is_problem(&answer, &inbox::checks::MEDIATION), "{answer:?}");
    }
    assert!(line.serves());
    assert!(
        matches!(answered(&house, &alice, &update(32), Some(&mut line)).await, Answer::Updated(done) if done.len() == 32)
    );

    // Signed, it is no different: the key for the answer is the one that the DID spells.
    let mut message = alice.message(&deliver(1), &house.did());
    message.body = json!({ "limit": 0 });
    let signed = inbox::seal(&message, &alice.key, std::slice::from_ref(&house.key), &mut random).unwrap();
    assert!(is_problem(&answered(&house, &alice, &signed, None).await, &inbox::checks::MEDIATION));
}

#[tokio::test]
async fn a_request_from_the_future_is_refused() {
    let (house, alice) = (House::open_to_all().await, Party::new(1));
    house.enrol(&alice).await;
    let now = chance::now().unwrap();
    let written = |ahead: i64| {
        sealed(&house, &alice, &Request::Status { recipient: None }, |message| {
            message.created_time = Some(now.plus(ahead));
        })
    };
    for ahead in [120, 24 * 3600] {
        let answer = answered(&house, &alice, &written(ahead), None).await;
        assert!(is_problem(&answer, &inbox::checks::CREATED), "{answer:?}");
    }
    // A clock that is a little ahead, and one that is behind.
    for ahead in [30, -24 * 3600] {
        assert!(matches!(answered(&house, &alice, &written(ahead), None).await, Answer::Status(_)));
    }
}
