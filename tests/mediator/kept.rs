//! What is kept, how much, and until when.

use countersign::node::checks;

use super::*;

#[tokio::test]
async fn what_was_forwarded_waits_until_its_recipient_has_stored_it() {
    let (house, alice, bob) = (House::open_to_all().await, Party::new(1), Party::new(2));
    house.enrol(&alice).await;
    house.enrol(&bob).await;
    let mut sent = vec![];
    for note in 0..20 {
        let (inner, outer) = house.forward(&alice, &note.to_string());
        assert_eq!(house.mediator.take(&outer, None).await.unwrap(), Taken::Kept);
        // The same envelope once more, in another wrapping: kept once.
        let again = inbox::wrap(inner.clone(), &alice.did(), std::slice::from_ref(&house.key), &mut random).unwrap();
        assert_eq!(house.mediator.take(&again, None).await.unwrap(), Taken::Kept);
        sent.push(inner);
    }
    assert_eq!(house.send(&bob, "bob's").await.unwrap(), Taken::Kept);

    let status = queue(house.ask(&alice, Request::Status { recipient: Some(alice.did()) }).await);
    assert_eq!((status.message_count, status.recipient_did.clone()), (20, Some(alice.did())));
    assert_eq!(status.total_bytes, Some(sent.iter().map(Vec::len).sum::<usize>() as u64));
    assert_eq!(status.live_delivery, Some(false));
    let of_bob = queue(house.ask(&alice, Request::Status { recipient: Some(bob.did()) }).await);
    assert_eq!(of_bob.message_count, 0, "another's queue is told to nobody else");

    // Oldest first, as they came, byte for byte; and nothing goes before it is acknowledged.
    let first = delivered(house.ask(&alice, deliver(16)).await);
    assert_eq!(first.len(), 16);
    for ((_, envelope), sent) in first.iter().zip(&sent) {
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(envelope).unwrap(),
            serde_json::from_slice::<serde_json::Value>(sent).unwrap()
        );
    }
    assert_eq!(delivered(house.ask(&alice, deliver(16)).await), first);
    let ids: Vec<String> = first.iter().map(|(id, _)| id.clone()).collect();
    let of_alice = queue(house.ask(&bob, Request::Received { ids: ids.clone() }).await);
    assert_eq!((of_alice.message_count, house.waiting(&alice).await), (1, 20), "nobody acknowledges for another");
    assert_eq!(queue(house.ask(&alice, Request::Received { ids: ids.clone() }).await).message_count, 4);
    assert_eq!(queue(house.ask(&alice, Request::Received { ids }).await).message_count, 4);
    let rest = delivered(house.ask(&alice, deliver(1000)).await);
    assert_eq!(rest.len(), 4);
    let ids = rest.into_iter().map(|(id, _)| id).collect();
    house.ask(&alice, Request::Received { ids }).await;
    // An empty queue is told, not delivered.
    assert_eq!(queue(house.ask(&alice, deliver(10)).await).message_count, 0);
}

#[tokio::test]
async fn quotas_hold_and_what_is_not_picked_up_expires() {
    let (alice, bob) = (Party::new(1), Party::new(2));
    let settings = |quota| MediatorSettings { admit: Admit::Open, quota, ..MediatorSettings::default() };
    let one = { House::open_to_all().await.forward(&alice, "1").0.len() as u64 };
    for quota in [
        Quota { messages: 2, ..Quota::default() },
        Quota { bytes: one * 5 / 2, ..Quota::default() },
        Quota { member_bytes: one * 5 / 2, ..Quota::default() },
        Quota { total_bytes: one * 5 / 2, ..Quota::default() },
    ] {
        let house = House::open(settings(quota), trusting(&[])).await;
        house.enrol(&alice).await;
        house.enrol(&bob).await;
        for (note, taken) in [("1", Taken::Kept), ("2", Taken::Kept), ("3", Taken::Full)] {
            assert_eq!(house.send(&alice, note).await.unwrap(), taken, "{quota:?}");
        }
        let other = if quota.total_bytes < one * 3 { Taken::Full } else { Taken::Kept };
        assert_eq!(house.send(&bob, "1").await.unwrap(), other, "another's queue has room of its own");
        let ids = delivered(house.ask(&alice, deliver(1)).await).into_iter().map(|(id, _)| id).collect();
        house.ask(&alice, Request::Received { ids }).await;
        assert_eq!(house.send(&alice, "3").await.unwrap(), Taken::Kept, "what is acknowledged makes room");
    }
    let house = House::open(settings(Quota { keep_for: 1, ..Quota::default() }), trusting(&[])).await;
    house.enrol(&alice).await;
    house.send(&alice, "soon gone").await.unwrap();
    let later = Timestamp::from_seconds(chance::now().unwrap().seconds() + 5).unwrap();
    assert_eq!(house.store.queue(&alice.did(), None, later).await.unwrap().message_count, 0);
    assert_eq!(house.store.expire(later).await.unwrap(), 1);
}

#[tokio::test]
async fn live_mode_sends_what_comes_at_once_and_forgets_nothing() {
    let settings = MediatorSettings { admit: Admit::Open, ..MediatorSettings::default() };
    let quota = Quota { live: 2, ..settings.quota };
    let house = House::open(MediatorSettings { quota, ..settings }, trusting(&[])).await;
    let (alice, bob) = (Party::new(1), Party::new(2));
    house.enrol(&alice).await;
    house.enrol(&bob).await;
    house.send(&alice, "before").await.unwrap();

    // A single request is no connection on which something could be sent later.
    let answer = house.ask(&alice, Request::Live { on: true }).await;
    assert!(matches!(answer, Answer::Problem { ref code, .. } if code == "e.m.live-mode-not-supported"));
    let (mut line, mut arrivals) = house.mediator.line();
    assert!(!line.serves());
    let status = queue(house.on(Some(&mut line), &alice, Request::Live { on: true }).await);
    assert_eq!((status.live_delivery, status.message_count), (Some(true), 1));
    assert!(line.serves());
    // What waited before is asked for; what comes now is sent.
    assert!(arrivals.try_recv().is_err());
    house.send(&alice, "now").await.unwrap();
    house.send(&bob, "not hers").await.unwrap();
    let id = arrivals.recv().await.unwrap();
    let sent = house.mediator.arrival(&line, &id).await.unwrap().unwrap();
    let sent = delivered(house.opened(&alice, &sent));
    assert_eq!((sent.len(), sent[0].0.as_str()), (1, id.as_str()));
    assert!(arrivals.try_recv().is_err(), "nothing of another member");
    assert_eq!(house.waiting(&alice).await, 2, "sent is not stored");
    house.on(Some(&mut line), &alice, Request::Received { ids: vec![id.clone()] }).await;
    assert_eq!(house.mediator.arrival(&line, &id).await.unwrap(), None);

    // A connection is one member's; each has a share of them.
    let on_hers = house.mediator.take(&house.sealed(&bob, &deliver(1)), Some(&mut line)).await;
    assert!(matches!(on_hers, Err(NodeFault::Refused(refusal)) if *refusal.check == checks::LINE));
    let (mut second, _) = house.mediator.line();
    house.on(Some(&mut second), &alice, Request::Live { on: true }).await;
    let (mut third, _) = house.mediator.line();
    let third = house.mediator.take(&house.sealed(&alice, &deliver(1)), Some(&mut third)).await;
    assert!(matches!(third, Err(NodeFault::Refused(refusal)) if *refusal.check == checks::LINE));
    assert_eq!(house.live(&alice).await, 2);
    drop(second);
    assert_eq!(queue(house.on(Some(&mut line), &alice, Request::Live { on: false }).await).live_delivery, Some(false));
    assert_eq!(house.live(&alice).await, 0);
    house.send(&alice, "later").await.unwrap();
    assert!(arrivals.try_recv().is_err());
}
