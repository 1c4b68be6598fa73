//! Requests and messages that a counterparty has no right to, or sends too often.

use countersign::transfer::checks;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_needs_an_agreement_that_opens_its_data() {
    let world = world(held(), held()).await;
    let desk = &world.provider.desk;
    let ask = async |peer: &str, agreement: &str| desk.hear_request(peer, &request("urn:uuid:1", agreement)).await;
    assert_eq!(refused(ask(CONSUMER, "urn:uuid:none").await), &checks::AGREEMENT);
    assert_eq!(refused(ask("did:web:stranger.example", AGREEMENT).await), &checks::AGREEMENT);
    let mut inward = request("urn:uuid:1", AGREEMENT);
    inward["callbackAddress"] = json!("http://169.254.169.254/");
    assert_eq!(refused(desk.hear_request(CONSUMER, &inward).await), &checks::CALLBACK);
    let change = |change: fn(&mut StandingAgreement)| change(&mut world.provider.agreed.0.lock().unwrap()[0]);

    change(|it| it.role = Role::Consumer);
    assert_eq!(
        refused(ask(CONSUMER, AGREEMENT).await),
        &checks::AGREEMENT,
        "its own data is not the consumer's to give"
    );
    change(|it| *it = StandingAgreement { peer: "did:web:unnamed.example".into(), ..agreement(Role::Provider) });
    assert_eq!(refused(ask("did:web:unnamed.example", AGREEMENT).await), &checks::PLAIN);
    // A contract is its own gate's to judge, and here is none.
    change(|it| {
        let asset = json!({
            "id": ASSET, "title": "Highway", "media_type": "application/xml", "sha256": "9f".repeat(32), "size": 1,
            "endpoint": URL,
        });
        let (core, asset) = ("core".into(), serde_json::from_value(asset).unwrap());
        it.contract = Some(OwnContract { core, asset, terms: it.terms.clone() });
    });
    assert_eq!(refused(ask("did:web:unnamed.example", AGREEMENT).await), &checks::GUARDED);

    change(|it| *it = StandingAgreement { asset: "urn:uuid:unguarded".into(), ..agreement(Role::Provider) });
    assert_eq!(refused(ask(CONSUMER, AGREEMENT).await), &checks::GUARDED);
    change(|it| {
        *it = agreement(Role::Provider);
        it.terms["permission"][0]["constraint"] =
            json!([{"leftOperand": "dateTime", "operator": "lteq", "rightOperand": "2020-01-01T00:00:00Z"}]);
    });
    assert_eq!(refused(ask(CONSUMER, AGREEMENT).await).id(), "policy.constraint");
    change(|it| {
        it.terms["permission"][0]["constraint"] =
            json!([{"leftOperand": "count", "operator": "lteq", "rightOperand": 3}]);
    });
    assert_eq!(refused(ask(CONSUMER, AGREEMENT).await), &checks::COUNTED);
    change(|it| *it = agreement(Role::Provider));
    let answer = ask(CONSUMER, AGREEMENT).await.unwrap();
    assert_eq!((&answer["state"], &answer["consumerPid"]), (&json!("REQUESTED"), &json!("urn:uuid:1")));
    let again = ask(CONSUMER, AGREEMENT).await.unwrap();
    assert_eq!(again, answer, "the same request is the same transfer");
    assert_eq!(refused(ask(CONSUMER, "urn:uuid:none").await), &checks::PIDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_party_of_a_transfer_does_not_find_it() {
    let world = world(held(), held()).await;
    let desk = &world.provider.desk;
    desk.hear_request(CONSUMER, &request("urn:uuid:1", AGREEMENT)).await.unwrap();
    let pid = at_provider(&world).await;
    desk.process(CONSUMER, &pid).await.unwrap();
    for result in [
        desk.process("did:web:stranger.example", &pid).await,
        desk.process(CONSUMER, "urn:uuid:none").await,
        desk.hear("did:web:stranger.example", &pid, Kind::Termination, &json!({})).await,
    ] {
        assert!(matches!(result, Err(NodeFault::Unknown { .. })), "{result:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_opens_only_so_many_transfers_at_a_time() {
    let world = world(held(), held()).await;
    let desk = &world.provider.desk;
    for number in 0..1000 {
        desk.hear_request(CONSUMER, &request(&format!("urn:uuid:{number}"), AGREEMENT)).await.unwrap();
    }
    let one_more = desk.hear_request(CONSUMER, &request("urn:uuid:one-more", AGREEMENT)).await;
    assert_eq!(refused(one_more), &checks::OPEN_AT_ONCE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_takes_so_many_messages_and_can_be_ended_all_the_same() {
    let world = world(Plan::default(), held()).await;
    let desk = &world.provider.desk;
    let answer = desk.hear_request(CONSUMER, &request("urn:uuid:1", AGREEMENT)).await.unwrap();
    let pid = answer["providerPid"].as_str().unwrap().to_owned();
    until(&world.provider, &pid, StateName::Started).await;
    let mut heard = 0;
    let check = loop {
        let (kind, name) = match heard % 2 {
            0 => (Kind::Suspension, "TransferSuspensionMessage"),
            _ => (Kind::Start, "TransferStartMessage"),
        };
        match desk.hear(CONSUMER, &pid, kind, &said(name, "urn:uuid:1", &pid, heard)).await {
            Ok(_) => heard += 1,
            result => break refused(result),
        }
        assert!(heard < 600, "each of these is kept for good");
    };
    assert_eq!(check.id(), "message.rate");
    let end = said("TransferTerminationMessage", "urn:uuid:1", &pid, heard);
    desk.hear(CONSUMER, &pid, Kind::Termination, &end).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_at_once_is_one_transfer() {
    let world = world(held(), held()).await;
    let desk = &world.provider.desk;
    for (number, with_id) in [(1, true), (2, false)] {
        let mut request = request(&format!("urn:uuid:{number}"), AGREEMENT);
        if with_id {
            request["@id"] = json!("urn:uuid:message");
        }
        let asks = (0..8).map(|_| {
            let (desk, request) = (desk.clone(), request.clone());
            tokio::spawn(async move { desk.hear_request(CONSUMER, &request).await })
        });
        let answers: Vec<Value> =
            futures::future::join_all(asks).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
        assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
        assert_eq!(desk.list().await.unwrap().len(), number);
    }
    // An id of a message says one thing only.
    let mut other = request("urn:uuid:3", AGREEMENT);
    other["@id"] = json!("urn:uuid:message");
    assert_eq!(refused(desk.hear_request(CONSUMER, &other).await), &checks::PIDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_nobody_can_read_or_keep_are_refused() {
    let world = world(held(), held()).await;
    let desk = &world.provider.desk;
    let long = "x".repeat(100_000);
    let longer = "a".repeat(2049);
    for member in ["consumerPid", "agreementId", "@id", "callbackAddress", "format"] {
        for text in ["", "a\nb", "a\u{1b}[2J", &long, &longer] {
            let mut request = request("urn:uuid:1", AGREEMENT);
            request[member] = json!(text);
            let refusal = refused(desk.hear_request(CONSUMER, &request).await);
            assert_eq!(refusal, &checks::MESSAGE, "{member}: {:.20}", text);
        }
    }
    assert!(desk.list().await.unwrap().is_empty());
    let pid = "urn:straße:münchen 5";
    let answer = desk.hear_request(CONSUMER, &request(pid, AGREEMENT)).await.unwrap();
    assert_eq!(answer["consumerPid"], pid);
    assert!(countersign::dsp::is_valid("TransferProcess", &answer), "{answer}");
}
