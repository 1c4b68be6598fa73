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
    let node = connector(42, CONFIGURATION).await;
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
    }
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
