//! Who may use a mediator, and for whose messages.

use countersign::node::checks;

use super::*;

#[tokio::test]
async fn nobody_takes_anothers_did() {
    let (house, alice, bob, carol) = (House::open_to_all().await, Party::new(1), Party::new(2), Party::new(3));
    for party in [&bob, &carol] {
        house.enrol(party).await;
    }
    let word = |of: &Party, to: &Party| {
        let exp = chance::now().unwrap().plus(600);
        Word { recipient: of.did(), member: to.did(), mediator: house.did(), exp }.sign(&of.key).unwrap()
    };
    // Alice uses this mediator not yet; bob is quicker.
    assert_eq!(house.update(&bob, &alice.did(), Action::Add, vec![]).await, Outcome::ClientError);
    assert_eq!(house.update(&bob, &alice.did(), Action::Add, vec![word(&bob, &bob)]).await, Outcome::ClientError);
    assert_eq!(house.update(&bob, &alice.did(), Action::Add, vec![word(&alice, &carol)]).await, Outcome::ClientError);
    assert!(matches!(house.send(&alice, "x").await, Err(NodeFault::Unknown { .. })));
    // A DID may say itself who picks up for it; and say so differently later.
    assert_eq!(house.update(&bob, &alice.did(), Action::Add, vec![word(&alice, &bob)]).await, Outcome::Success);
    assert_eq!(house.update(&bob, &alice.did(), Action::Add, vec![word(&alice, &bob)]).await, Outcome::NoChange);
    assert_eq!(house.update(&carol, &alice.did(), Action::Add, vec![word(&alice, &carol)]).await, Outcome::ClientError);
    assert_eq!(house.update(&carol, &alice.did(), Action::Remove, vec![]).await, Outcome::NoChange);
    assert_eq!(house.send(&alice, "for alice").await.unwrap(), Taken::Kept);
    assert_eq!((house.waiting(&bob).await, house.waiting(&carol).await), (1, 0));
    house.enrol(&alice).await;
    assert_eq!((house.waiting(&alice).await, house.waiting(&bob).await), (1, 0), "what waits goes with its DID");
    assert_eq!(house.update(&bob, &alice.did(), Action::Add, vec![word(&alice, &bob)]).await, Outcome::ClientError);

    let Answer::Recipients(dids, page) = house.ask(&bob, Request::Query { page: Some((10, 0)) }).await else {
        panic!()
    };
    assert_eq!((dids, page.unwrap().remaining), (vec![bob.did()], 0));
    // A DID of a method that is not known here is answered, not refused.
    let updates = vec![Update { recipient: "did:peer:2.abc".into(), action: Action::Add }];
    let answer = house.ask(&bob, Request::Update { updates, words: vec![] }).await;
    let result = Updated { recipient: "did:peer:2.abc".into(), action: Action::Add, result: Outcome::ClientError };
    assert_eq!(answer, Answer::Updated(vec![result]));
    assert_eq!(house.update(&bob, &bob.did(), Action::Remove, vec![]).await, Outcome::Success);
    assert!(matches!(house.send(&bob, "x").await, Err(NodeFault::Unknown { .. })));
}

#[tokio::test]
async fn mediation_is_granted_to_whom_the_configuration_says() {
    let (operator, alice, bob) = (SecretKey::p256(&[50; 32]).unwrap(), Party::new(1), Party::new(2));
    let credential = members::credential(&alice.key, &operator, vec![], chance::now().unwrap());
    let house = House::open(MediatorSettings::default(), trusting(&[operator.did().clone()])).await;
    assert_eq!(house.ask(&alice, mediate(None)).await, Answer::Denied);
    assert_eq!(house.ask(&bob, mediate(Some(credential.clone()))).await, Answer::Denied, "another's credential");
    assert!(matches!(house.ask(&bob, mediate(Some("no credential".into()))).await, Answer::Problem { .. }));
    for request in [deliver(1), Request::Status { recipient: None }, Request::Query { page: None }] {
        assert!(is_problem(&house.ask(&bob, request).await, &checks::MEMBER));
    }
    assert_eq!(house.ask(&alice, mediate(Some(credential))).await, Answer::Granted(vec![house.did()]));
    assert_eq!(house.ask(&alice, mediate(None)).await, Answer::Granted(vec![house.did()]), "once granted, it stays");
    house.mediator.dismiss(&alice.did()).await.unwrap();
    assert_eq!(house.ask(&alice, mediate(None)).await, Answer::Denied);

    let quota = Quota { members: 1, ..Quota::default() };
    let listed = MediatorSettings { admit: Admit::Listed, dids: vec![alice.did(), bob.did()], quota };
    let house = House::open(listed, trusting(&[])).await;
    assert_eq!(house.ask(&Party::new(3), mediate(None)).await, Answer::Denied);
    house.enrol(&alice).await;
    assert_eq!(house.ask(&bob, mediate(None)).await, Answer::Denied, "there is no room for another member");
    house.enrol_again(&alice).await;
}
