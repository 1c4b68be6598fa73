//! Peers that lead elsewhere, never answer, or turn the promise round.

use countersign::dsp::checks;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn no_request_goes_to_a_private_network_nor_after_a_redirect() {
    let home = tempfile::tempdir().unwrap();
    let node = connectors::connector_in(home, 11, CONFIGURATION, Default::default(), false).await;
    node.node.list_plain(&dataset()).await.unwrap();
    let stranger = Stranger::of(12, &node);
    for callback in ["http://127.0.0.1:9/dsp", "https://10.0.0.1/dsp", "http://provider.example/dsp"] {
        let mut message = stranger.request();
        message["callbackAddress"] = json!(callback);
        refused(&stranger.say("/negotiations/request", &message).await, checks::CALLBACK.id(), callback);
    }

    // A peer that sends elsewhere is not followed: the negotiation ends, and elsewhere hears nothing.
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("http://{}/negotiations/request", elsewhere.local_addr().unwrap());
    let turning = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", turning.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        while let Ok((mut stream, _)) = turning.accept().await {
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).await;
            let answer = format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let open = connector(23, CONFIGURATION).await;
    let order: StartOrder = serde_json::from_value(json!({
        "counterparty": stranger.did(), "address": address, "dataset": DATASET, "terms": terms(),
    }))
    .unwrap();
    let id = open.node.start(&order, countersign::negotiation::Decider::Person("desk".into())).await.unwrap();
    let view = open.reaches(&id, "TERMINATED").await;
    assert_eq!(view.ending.unwrap().code.as_deref(), Some("undelivered"));
    assert!(tokio::time::timeout(Duration::from_millis(100), elsewhere.accept()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_turns_the_promise_round_is_not_what_was_asked_for() {
    let node = connector(25, "plain = ['*']\nuncataloged = 'manual'\n[decide]\naccept = 'automatic'").await;
    let stranger = Stranger::of(12, &node);
    let order: StartOrder = serde_json::from_value(json!({
        "counterparty": stranger.did(), "address": "http://127.0.0.1:9/dsp", "dataset": DATASET, "terms": terms(),
    }))
    .unwrap();
    let id = node.node.start(&order, countersign::negotiation::Decider::Person("desk".into())).await.unwrap();
    let mut offer = stranger.request()["offer"].clone();
    offer["@id"] = json!("urn:offer:turned");
    let message = json!({
        "@context": [CONTEXT], "@type": "ContractOfferMessage", "@id": "urn:uuid:m1", "consumerPid": id,
        "providerPid": "urn:uuid:p", "offer": offer,
        "countersign": {
            "provider": stranger.did(), "consumer": node.did, "promisor": node.did, "promisee": stranger.did(),
        },
    });
    let (status, body) = stranger.say(&format!("/negotiations/{id}/offers"), &message).await;
    assert_eq!(status, 200, "{body}");
    let view = node.view(&id).await;
    assert_eq!(view.state.to_string(), "OFFERED", "the same terms, but this side would promise: a person decides");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_offer_on_cataloged_terms_does_not_keep_roles_that_the_catalog_does_not_have() {
    let node = connector(26, "plain = ['*']\nuncataloged = 'manual'\n[decide]\nagree = 'automatic'").await;
    node.node.list_plain(&dataset()).await.unwrap();
    let stranger = Stranger::of(12, &node);
    let mut first = stranger.request();
    first["countersign"] = json!({
        "provider": node.did, "consumer": stranger.did(), "promisor": stranger.did(), "promisee": node.did,
    });
    let (status, body) = stranger.say("/negotiations/request", &first).await;
    assert_eq!(status, 201, "{body}");
    let pid = node.only().await.id;
    assert_eq!(node.view(&pid).await.state.to_string(), "REQUESTED", "held for a person");
    let by = countersign::negotiation::Decider::Person("desk".into());
    node.node.act(&pid, countersign::node::dsp::Act::Offer, Default::default(), by).await.unwrap();
    let mut counter = stranger.request();
    counter["offer"]["@id"] = json!("urn:offer:2");
    counter.as_object_mut().unwrap().remove("callbackAddress");
    counter["providerPid"] = json!(pid);
    let (status, body) = stranger.say(&format!("/negotiations/{pid}/request"), &counter).await;
    assert_eq!(status, 200, "{body}");
    let talk = node.view(&pid).await;
    let promisor =
        serde_json::to_value(&talk.offers).unwrap().as_array().unwrap().last().unwrap()["parties"]["promisor"].clone();
    assert_eq!(promisor, json!(node.did), "without roles, those of the catalog hold: {:?}", talk.state);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counterparty_that_never_answers_holds_up_nobody_else() {
    let node = connector(27, CONFIGURATION).await;
    let stranger = Stranger::of(12, &node);
    let pit = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", pit.local_addr().unwrap());
    tokio::spawn(async move {
        let mut taken = vec![];
        while let Ok((stream, _)) = pit.accept().await {
            taken.push(stream);
        }
    });
    for _ in 0..200 {
        node.node.start(&order(&stranger.did(), &address), person()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let honest = provider().await;
    node.node.start(&order(&honest.did, &honest.base), person()).await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(5), honest.only()).await;
    assert!(heard.is_ok(), "an honest counterparty waits for one that does not answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_to_what_has_ended_gives_its_sender_no_more_than_its_share() {
    let node = connector(28, "plain = ['*']\nopen = 1").await;
    node.node.list_plain(&dataset()).await.unwrap();
    let stranger = Stranger::of(12, &node);
    assert_eq!(stranger.say("/negotiations/request", &stranger.request()).await.0, 201);
    let slow = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", slow.local_addr().unwrap());
    let starting = tokio::spawn({
        let (node, order) = (node.node.clone(), order(&stranger.did(), &address));
        async move { node.start(&order, person()).await.unwrap() }
    });
    // It asks for the dataset first, and goes on without.
    drop(slow.accept().await.unwrap());
    let id = starting.await.unwrap();
    let (mut stream, _) = slow.accept().await.unwrap();
    node.node.act(&id, countersign::node::dsp::Act::Terminate, Default::default(), person()).await.unwrap();
    {
        use tokio::io::AsyncWriteExt as _;
        let body = json!({ "providerPid": "urn:uuid:late" }).to_string();
        let answer = format!("HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    for _ in 0..200 {
        if node.view(&id).await.provider_pid.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut second = stranger.request();
    second["consumerPid"] = json!("urn:uuid:c2");
    refused(&stranger.say("/negotiations/request", &second).await, checks::OPEN.id(), "one is open already");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_a_first_message_that_is_about_something_else_is_not_taken() {
    let node = connector(29, CONFIGURATION).await;
    let stranger = Stranger::of(12, &node);
    let answers: [fn(&Value) -> Value; 2] = [
        |_| json!({ "@context": [CONTEXT], "@type": "ContractNegotiationError", "reason": ["not me"] }),
        |_| json!({ "@type": "ContractNegotiation", "consumerPid": "urn:other", "providerPid": "urn:p" }),
    ];
    for answer in answers {
        let ear = Ear::answering(move |_, asked, _| (201, answer(asked).to_string())).await;
        let id = node.node.start(&order(&stranger.did(), &ear.url), person()).await.unwrap();
        let view = node.reaches(&id, "TERMINATED").await;
        assert_eq!(view.ending.unwrap().code.as_deref(), Some("undelivered"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_the_peers_id_is_asked_for_again_so_that_the_end_can_be_told() {
    let node = connector(30, CONFIGURATION).await;
    let stranger = Stranger::of(12, &node);
    let ear = Ear::answering(|what, asked, before| match (what.ends_with("/negotiations/request"), before) {
        (true, 0) => (201, String::new()),
        (true, 1) => (200, "<html>welcome</html>".into()),
        (true, _) => requested(asked),
        (false, _) => (200, String::new()),
    })
    .await;
    let id = node.node.start(&order(&stranger.did(), &ear.url), person()).await.unwrap();
    for _ in 0..1000 {
        if node.view(&id).await.provider_pid.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    node.node.act(&id, countersign::node::dsp::Act::Terminate, Default::default(), person()).await.unwrap();
    let told = ear.hears("/negotiations/urn:uuid:p/termination").await;
    assert_eq!(told["providerPid"], "urn:uuid:p");
    let asked = ear.heard("POST", "/negotiations/request");
    assert!(
        asked.len() == 3 && asked.iter().all(|it| it["@id"] == asked[0]["@id"]),
        "one message, said again: {asked:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_slow_to_show_its_catalog_holds_up_nobody_who_looks() {
    let node = connector(50, "plain = ['*']\nuncataloged = 'manual'").await;
    let stranger = Stranger::of(12, &node);
    let offers = json!([{ "@id": "urn:offer:1", "permission": [{ "action": "use" }] }]);
    let ear = Ear::answering(move |what, asked, before| match what.starts_with("GET") {
        true => {
            std::thread::sleep(Duration::from_millis(if before > 0 { 1500 } else { 0 }));
            (200, shown(offers.clone()))
        }
        false => requested(asked),
    })
    .await;
    let id = node.node.start(&order(&stranger.did(), &ear.url), person()).await.unwrap();
    ear.hears("/negotiations/request").await;
    // What was shown is good for two seconds.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let offer = |action: &str| {
        let permission = json!([{ "action": action }]);
        let policy =
            json!({ "@id": format!("urn:{action}"), "@type": "Offer", "target": DATASET, "permission": permission });
        json!({
            "@context": [CONTEXT], "@type": "ContractOfferMessage", "consumerPid": id, "providerPid": "urn:uuid:p",
            "offer": policy,
        })
    };
    let path = format!("/negotiations/{id}/offers");
    let first = offer("read");
    let looks = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let began = std::time::Instant::now();
        assert_eq!(node.view(&id).await.state.to_string(), "REQUESTED");
        node.node.waiting().await.unwrap();
        assert!(began.elapsed() < Duration::from_millis(700), "{:?}", began.elapsed());
    };
    let ((status, body), ()) = tokio::join!(stranger.say(&path, &first), looks);
    assert_eq!(status, 200, "{body}");
    assert_eq!(node.view(&id).await.state.to_string(), "OFFERED");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let asked = ear.heard("GET", "").len();
    refused(&stranger.say(&path, &offer("sell")).await, "negotiation.state", "no arrow");
    assert_eq!(ear.heard("GET", "").len(), asked, "for what nothing can take nobody is asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_waits_for_no_pause_before_what_it_ends_is_said_again() {
    let node = connector(51, "plain = ['*']\nuncataloged = 'manual'").await;
    node.node.list_plain(&dataset()).await.unwrap();
    let stranger = Stranger::of(12, &node);
    let ear = Ear::answering(|what, _, _| (if what.ends_with("/offers") { 503 } else { 200 }, String::new())).await;
    let mut request = stranger.request();
    request["callbackAddress"] = json!(ear.url);
    assert_eq!(stranger.say("/negotiations/request", &request).await.0, 201);
    let id = node.only().await.id;
    node.node.act(&id, countersign::node::dsp::Act::Offer, Default::default(), person()).await.unwrap();
    while ear.heard("POST", "/offers").len() < 7 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The next attempt is three seconds away, and a peer may ask for an hour.
    node.node.act(&id, countersign::node::dsp::Act::Terminate, Default::default(), person()).await.unwrap();
    let told = tokio::time::timeout(Duration::from_millis(1500), ear.hears("/termination")).await;
    assert!(told.is_ok(), "a person's end waits for what it ends");
}
