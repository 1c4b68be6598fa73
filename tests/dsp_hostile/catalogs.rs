//! What is cataloged: by whose word, by which id, and when nobody knows.

use countersign::dsp::checks;

use super::*;

fn offer_of(stranger: &Stranger, action: &str, callback: &str) -> Value {
    let mut message = stranger.request();
    message["@type"] = json!("ContractOfferMessage");
    message["providerPid"] = message.as_object_mut().unwrap().remove("consumerPid").unwrap();
    message["callbackAddress"] = json!(callback);
    message["offer"]["@id"] = json!(format!("urn:offer:{action}"));
    message["offer"]["permission"][0]["action"] = json!(action);
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsolicited_offer_is_looked_up_in_its_providers_catalog_once() {
    let node = connector(41, CONFIGURATION).await;
    let stranger = Stranger::of(12, &node);
    let offers =
        json!([{ "@id": "urn:offer:1", "@type": "Offer", "permission": [{ "action": "use" }], "prohibition": [] }]);
    let ear = Ear::answering(move |_, _, _| (200, shown(offers.clone()))).await;
    let (status, body) = stranger.say("/negotiations/offers", &offer_of(&stranger, "use", &ear.url)).await;
    assert_eq!(status, 201, "{body}");
    let view = node.only().await;
    assert_eq!((view.cataloged, view.person), (Some(true), true));
    let path = format!("/catalog/datasets/{DATASET}");
    assert_eq!(ear.heard("GET", &path).len(), 1, "asked once");
    let mut other = offer_of(&stranger, "sell", &ear.url);
    other["providerPid"] = json!("urn:uuid:other");
    let answer = stranger.say("/negotiations/offers", &other).await;
    refused(&answer, checks::UNCATALOGED.id(), "the provider's own catalog does not have it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_is_held_for_a_person_and_never_ended() {
    let node = connector(42, "plain = ['*']\nuncataloged = 'manual'").await;
    let cautious = connector(47, CONFIGURATION).await;
    let stranger = Stranger::of(12, &node);
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mute = format!("http://{}", silent.local_addr().unwrap());
    let nonsense = Ear::answering(|_, _, _| (200, "{\"@id\": \"urn:other\"}".into())).await;
    let nowhere = Ear::answering(|_, _, _| (404, String::new())).await;
    let began = std::time::Instant::now();
    for (place, callback) in ["http://127.0.0.1:9", &mute, &nonsense.url, &nowhere.url].into_iter().enumerate() {
        let mut message = offer_of(&stranger, "use", callback);
        message["providerPid"] = json!(format!("urn:uuid:{place}"));
        let (status, body) = stranger.say("/negotiations/offers", &message).await;
        assert_eq!(status, 201, "{callback}: {body}");
        // Who takes nothing that is in no catalog loses nothing by it: nobody there has asked.
        let answer = Stranger::of(12, &cautious).say("/negotiations/offers", &message).await;
        refused(&answer, checks::UNCATALOGED.id(), callback);
    }
    assert!(cautious.node.views(false, 10).await.unwrap().is_empty(), "nothing waits for a person");
    assert!(began.elapsed() < Duration::from_secs(8), "a provider that does not answer is not waited for long");
    for view in node.node.views(false, 10).await.unwrap() {
        assert_eq!((view.state.to_string().as_str(), view.cataloged, view.person), ("OFFERED", None, true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_was_copied_from_the_catalog_is_the_catalogs_with_its_roles() {
    let node = connector(43, CONFIGURATION).await;
    let stranger = Stranger::of(12, &node);
    let promised = json!({ "id": DATASET, "offers": [
        { "id": "urn:offer:1", "terms": terms() },
        { "id": "urn:offer:2", "terms": terms(), "promisor": stranger.did() },
    ] });
    node.node.list_plain(&serde_json::from_value(promised).unwrap()).await.unwrap();
    let shown = node.node.dataset_shown(DATASET).await.unwrap();
    let usual = json!({
        "provider": node.did, "consumer": stranger.did(), "promisor": node.did, "promisee": stranger.did(),
    });
    let turned = json!({
        "provider": node.did, "consumer": stranger.did(), "promisor": stranger.did(), "promisee": node.did,
    });
    // Which policy is copied, under which id, with which roles beside it; and who promises then.
    let cases = [
        (0, None, None, Some(&node.did)),
        (1, None, None, Some(&stranger.did())),
        (1, None, Some(&turned), Some(&stranger.did())),
        (0, None, Some(&turned), Some(&stranger.did())),
        (0, Some("urn:offer:nobodys"), None, Some(&node.did)),
        // What the policy says inside is what is said beside it.
        (1, None, Some(&usual), None),
    ];
    for (place, (policy, id, roles, promisor)) in cases.into_iter().enumerate() {
        let mut message = stranger.request();
        message["consumerPid"] = json!(format!("urn:uuid:c{place}"));
        message["offer"] = shown["hasPolicy"][policy].clone();
        message["offer"]["target"] = json!(DATASET);
        if let Some(id) = id {
            message["offer"]["@id"] = json!(id);
        }
        if let Some(roles) = roles {
            message["countersign"] = roles.clone();
        }
        let answer = stranger.say("/negotiations/request", &message).await;
        let Some(promisor) = promisor else {
            refused(&answer, checks::ROLES.id(), "a copy that says otherwise");
            continue;
        };
        assert_eq!(answer.0, 201, "{place}: {}", answer.1);
        let view = node.view(answer.1["providerPid"].as_str().unwrap()).await;
        assert_eq!((view.cataloged, &view.parties.promisor), (Some(true), promisor), "{place}");
    }
    let mut reordered = stranger.request();
    reordered["consumerPid"] = json!("urn:uuid:r");
    reordered["offer"]["permission"] = json!([{ "action": "use" }, { "action": "read" }]);
    let listed = json!({ "id": DATASET, "offers": [
        { "id": "urn:offer:3", "terms": { "permission": [{ "action": "read" }, { "action": "use" }] } },
    ] });
    node.node.list_plain(&serde_json::from_value(listed).unwrap()).await.unwrap();
    assert_eq!(stranger.say("/negotiations/request", &reordered).await.0, 201, "rules in another order");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_began_from_the_catalog_asks_for_it_no_more() {
    let node = connector(44, "plain = ['*']\n[decide]\naccept = 'automatic'").await;
    let stranger = Stranger::of(12, &node);
    let offers = json!([{ "@id": "urn:offer:1", "permission": [{ "action": "use" }] }]);
    let ear = Ear::answering(move |what, asked, _| match what.starts_with("GET") {
        true => (200, shown(offers.clone())),
        false => requested(asked),
    })
    .await;
    let mut from_catalog = order(&stranger.did(), &ear.url);
    from_catalog.terms = None;
    let id = node.node.start(&from_catalog, person()).await.unwrap();
    let mut offer = ear.hears("/negotiations/request").await;
    offer["@type"] = json!("ContractOfferMessage");
    offer.as_object_mut().unwrap().remove("callbackAddress");
    offer["providerPid"] = json!("urn:uuid:p");
    assert_eq!(stranger.say(&format!("/negotiations/{id}/offers"), &offer).await.0, 200);
    let view = node.reaches(&id, "ACCEPTED").await;
    assert_eq!((view.cataloged, view.offers.len()), (Some(true), 2));
    assert_eq!(ear.heard("GET", "").len(), 1, "asked before it began, and not again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_accepts_no_roles_that_only_the_providers_catalog_names_and_nothing_unasked() {
    let rule = "plain = ['*']\n[[rule]]\nname = 'use'\npoint = 'accept'\n\
        terms = { permission = [{ action = 'use' }] }\ndatasets = ['urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0001']";
    let node = connector(46, rule).await;
    let stranger = Stranger::of(12, &node);
    let (provider, consumer) = (stranger.did(), node.did.clone());
    let turned = json!({ "provider": provider, "consumer": consumer, "promisor": consumer, "promisee": provider });
    let policy = json!({ "@id": "urn:offer:turned", "permission": [{ "action": "use" }], "countersign": turned });
    let usual = json!({ "@id": "urn:offer:use", "permission": [{ "action": "use" }] });
    let offers = json!([policy, usual]);
    let ear = Ear::answering(move |what, asked, _| {
        let own = format!("urn:p:{}", asked["consumerPid"].as_str().unwrap_or_default());
        match what.starts_with("GET") {
            true => (200, shown(offers.clone())),
            false => (201, requested(asked).1.replace("urn:uuid:p", &own)),
        }
    })
    .await;
    let mut turned_round = offer_of(&stranger, "use", &ear.url);
    turned_round["offer"]["@id"] = json!("urn:offer:turned");
    turned_round["countersign"] = turned.clone();
    let mut unasked = offer_of(&stranger, "use", &ear.url);
    unasked["providerPid"] = json!("urn:uuid:p2");
    for message in [&turned_round, &unasked] {
        let (status, body) = stranger.say("/negotiations/offers", message).await;
        assert_eq!(status, 201, "{body}");
        let view = node.view(body["consumerPid"].as_str().unwrap()).await;
        assert_eq!(
            (view.state.to_string().as_str(), view.cataloged, view.person),
            ("OFFERED", Some(true), true),
            "nobody here has asked for anything: a person decides"
        );
    }
    // In answer to a request the rule takes the usual roles, and not those that the catalog has beside them.
    for (message, state) in [(turned_round, "OFFERED"), (unasked, "ACCEPTED")] {
        let id = node.node.start(&order(&stranger.did(), &ear.url), person()).await.unwrap();
        let mut offer = message;
        offer.as_object_mut().unwrap().remove("callbackAddress");
        (offer["providerPid"], offer["consumerPid"]) = (json!(format!("urn:p:{id}")), json!(id));
        let (status, body) = stranger.say(&format!("/negotiations/{id}/offers"), &offer).await;
        assert_eq!(status, 200, "{body}");
        let view = node.view(&id).await;
        assert_eq!((view.state.to_string().as_str(), view.cataloged), (state, Some(true)), "{offer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_can_say_its_first_message_again() {
    let node = connector(48, "plain = ['*']\nuncataloged = 'manual'").await;
    let mut stranger = Stranger::of(12, &node);
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let message = offer_of(&stranger, "use", &format!("http://{}", silent.local_addr().unwrap()));
    let proof = stranger.token(&stranger.claims());
    let impatient = stranger.client.post(format!("{}/negotiations/offers", node.base)).header("authorization", proof);
    let gone = impatient.json(&message).timeout(Duration::from_millis(300)).send().await;
    assert!(gone.unwrap_err().is_timeout(), "it asks the provider meanwhile");
    tokio::time::sleep(Duration::from_millis(100)).await;
    stranger.client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (status, body) = stranger.say("/negotiations/offers", &message).await;
    assert_eq!(status, 201, "{body}");
    assert_eq!(node.node.views(false, 10).await.unwrap().len(), 1);
}
