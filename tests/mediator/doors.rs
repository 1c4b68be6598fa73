//! Which way answers go, and what is shown out at the door.

use super::*;

#[tokio::test]
async fn answers_go_the_way_that_was_asked_for() {
    let (house, alice) = (House::open_to_all().await, Party::new(1));
    let plain = |request: &Request| {
        // As the specification has it: without `return_route` the answer is a message of its own.
        let message = alice.message(request, &house.did());
        let text = message.write().unwrap().replace(",\"return_route\":\"all\"", "");
        assert!(!text.contains("return_route"));
        let keys = [house.key.clone()];
        inbox::seal_text(&text, Some(&alice.agreement), &keys, MAX_OUTER, &mut random).unwrap()
    };
    let contact = Contact {
        did: alice.did(),
        url: "https://alice.example/inbox".into(),
        key: alice.agreement.public(),
        iat: chance::now().unwrap(),
        routing: vec![],
    };
    let contact = Some(contact.sign(&alice.key).unwrap());
    let taken = house.mediator.take(&plain(&Request::Mediate { contact, participant: None }), None).await.unwrap();
    assert_eq!(taken, Taken::Heard);
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        if !house.post.0.lock().unwrap().is_empty() {
            break;
        }
    }
    let (url, envelope) = house.post.0.lock().unwrap().pop().unwrap();
    assert_eq!(url, "https://alice.example/inbox");
    assert_eq!(house.opened(&alice, &envelope), Answer::Granted(vec![house.did()]));
    // How much waits is told to whoever is connected, or not at all.
    assert_eq!(house.mediator.take(&plain(&Request::Status { recipient: None }), None).await.unwrap(), Taken::Heard);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(house.post.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn only_envelopes_are_kept_and_only_for_whom_it_was_asked() {
    let (house, alice) = (House::open_to_all().await, Party::new(1));
    assert!(matches!(house.send(&alice, "x").await, Err(NodeFault::Unknown { .. })), "a stranger's, for a stranger");
    house.enrol(&alice).await;
    let kept_nothing = async |outer: Vec<u8>, check: &countersign::check::Check| {
        match house.mediator.take(&outer, None).await {
            Err(NodeFault::Refused(refusal)) => assert_eq!(refusal.check, check),
            other => panic!("{other:?}"),
        }
        assert_eq!(house.waiting(&alice).await, 0);
    };
    let forward = |body: serde_json::Value, inner: serde_json::Value, expires: Option<i64>| {
        let mut forward = json!({
            "id": "1", "type": "https://didcomm.org/routing/2.0/forward", "body": body,
            "attachments": [{ "id": "0", "data": { "json": inner } }],
        });
        if let Some(expires) = expires {
            forward["expires_time"] = expires.into();
        }
        let from = Party::new(9);
        inbox::seal_text(
            &forward.to_string(),
            Some(&from.agreement),
            std::slice::from_ref(&house.key),
            MAX_OUTER,
            &mut random,
        )
        .unwrap()
    };
    let (inner, _) = house.forward(&alice, "x");
    let inner: serde_json::Value = serde_json::from_slice(&inner).unwrap();
    let next = json!({ "next": alice.did() });
    kept_nothing(forward(next.clone(), json!({ "hello": 1 }), None), &inbox::checks::FORWARD).await;
    kept_nothing(forward(json!({ "next": "alice" }), inner.clone(), None), &inbox::checks::FORWARD).await;
    kept_nothing(forward(next.clone(), inner.clone(), Some(1_000_000_000)), &inbox::checks::EXPIRED).await;
    let mut large = inner.clone();
    large["ciphertext"] = "A".repeat(inbox::MAX_ENVELOPE).into();
    kept_nothing(forward(next.clone(), large, None), &inbox::checks::SIZE).await;
    // A key of the recipient is as good as its DID.
    let of_a_key = json!({ "next": alice.agreement.kid() });
    let taken = house.mediator.take(&forward(of_a_key, inner, None), None).await.unwrap();
    assert_eq!((taken, house.waiting(&alice).await), (Taken::Kept, 1));

    // What moves a negotiation is the wallet's, and a plaintext of another kind nobody's.
    let other =
        Message { kind: "urn:countersign:negotiation/1.0/request".into(), ..alice.message(&deliver(1), &house.did()) };
    let signed = inbox::seal(&other, &alice.key, std::slice::from_ref(&house.key), &mut random).unwrap();
    assert_eq!(house.mediator.take(&signed, None).await.unwrap(), Taken::Another);
    let sealed = inbox::seal_from(&other, &alice.agreement, std::slice::from_ref(&house.key), &mut random).unwrap();
    kept_nothing_more(&house, &sealed).await;
}

async fn kept_nothing_more(house: &House, envelope: &[u8]) {
    match house.mediator.take(envelope, None).await {
        Err(NodeFault::Refused(refusal)) => assert_eq!(*refusal.check, inbox::checks::UNSIGNED),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_nonsense_are_shown_out_at_the_door() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (house, alice) = (House::open_to_all().await, Party::new(1));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/inbox", listener.local_addr().unwrap());
    let router = mediator_router(Arc::clone(&house.mediator), None);
    let served = serve(listener, router, std::time::Duration::from_secs(30));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |body: Vec<u8>, kind: &str| {
        client.post(&url).header("content-type", kind).body(body).send().await.unwrap().status().as_u16()
    };
    let sealed = "application/didcomm-encrypted+json";
    let (_, forward) = house.forward(&alice, "x");
    assert_eq!(post(forward.clone(), "application/json").await, 415);
    assert_eq!(post(forward.clone(), sealed).await, 404, "nobody registered that recipient");
    assert_eq!(post(b"{}".to_vec(), sealed).await, 422);
    assert_eq!(post(vec![b'x'; MAX_OUTER + 1], sealed).await, 413);
    let other = Message { kind: "urn:x:y".into(), ..alice.message(&deliver(1), &house.did()) };
    let signed = inbox::seal(&other, &alice.key, std::slice::from_ref(&house.key), &mut random).unwrap();
    assert_eq!(post(signed, sealed).await, 404, "no wallet lives here");

    let courier = HttpCourier::new(AddressPolicy { private_networks: true }).unwrap();
    for nonsense in [b"hello".to_vec(), vec![b'x'; MAX_OUTER + 1], forward] {
        let mut line = courier.connect(&url).await.unwrap();
        let _ = line.send(nonsense).await;
        assert!(line.next().await.is_err(), "the connection is ended");
    }
    // A member's connection stays; what is answered is sealed for it alone.
    house.enrol(&alice).await;
    let mut line = courier.connect(&url).await.unwrap();
    line.send(house.sealed(&alice, &Request::Live { on: true })).await.unwrap();
    let said = line.next().await.unwrap();
    assert_eq!(queue(house.opened(&alice, &said)).live_delivery, Some(true));
    house.send(&alice, "live").await.unwrap();
    let said = line.next().await.unwrap();
    assert_eq!(delivered(house.opened(&alice, &said)).len(), 1);
    drop(line);
    for _ in 0..200 {
        if house.live(&alice).await == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(house.live(&alice).await, 0, "who hangs up is rung no more");
    let strict = HttpCourier::new(AddressPolicy::default()).unwrap();
    assert!(strict.connect(&url).await.is_err(), "no connection goes to a private network by default");
    served.shutdown().await;
}
