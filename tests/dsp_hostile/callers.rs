//! Callers that prove nothing, or nothing that helps them.

use countersign::dsp::{checks, is_valid};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_proves_nothing_is_nobody() {
    let before = now();
    let node = provider().await;
    let stranger = Stranger::of(12, &node);
    let refused = async |header: Option<&str>| match node.node.recognise(header).await {
        Err(NodeFault::Refused(refusal)) => refusal.check,
        other => panic!("{other:?}"),
    };
    let token = stranger.token(&stranger.claims());
    assert_eq!(node.node.recognise(Some(&token)).await.unwrap(), stranger.did());
    let changes: [(&str, Value); 8] = [
        ("aud", json!("did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169")),
        ("sub", json!(node.did)),
        ("exp", json!(now() + 4000)),
        ("exp", json!(now() - 40)),
        ("iat", json!(now() + 40)),
        // From before it started, by a second: whether that one was used is not known any more.
        ("iat", json!(before - 1)),
        ("jti", json!("short")),
        ("jti", json!(7)),
    ];
    for (name, value) in changes {
        let mut claims = stranger.claims();
        claims[name] = value;
        assert_eq!(refused(Some(&stranger.token(&claims))).await, &checks::TOKEN, "{claims}");
    }
    let mut theirs = stranger.claims();
    (theirs["iss"], theirs["sub"]) = (json!(node.did), json!(node.did));
    assert_eq!(refused(Some(&stranger.token(&theirs))).await, &checks::TOKEN);
    assert_eq!(refused(Some(&token)).await, &checks::TOKEN, "a second time");
    assert_eq!(refused(None).await, &checks::TOKEN);
    for header in ["", "Basic x", "Bearer ", "Bearer a.b.c", "Bearer eyJhbGciOiJub25lIn0.e30."] {
        let request = stranger.client.post(format!("{}/negotiations/request", node.base));
        let answer = request.header("authorization", header).json(&stranger.request()).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{header}");
        assert!(is_valid("ContractNegotiationError", &answer.json().await.unwrap()));
        let catalog = stranger.client.post(format!("{}/catalog/request", node.base)).header("authorization", header);
        let answer = catalog.json(&json!({})).send().await.unwrap();
        assert!(is_valid("CatalogError", &answer.json().await.unwrap()), "{header}");
    }
    assert!(node.node.views(false, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_mode_is_for_those_whom_the_configuration_names_and_no_more_than_it_allows() {
    let nobody = connector(21, "").await;
    let stranger = Stranger::of(12, &nobody);
    let (status, body) = stranger.say("/negotiations/request", &stranger.request()).await;
    assert_eq!(status, 404, "{body}");
    let order: StartOrder = serde_json::from_value(json!({
        "counterparty": stranger.did(), "address": nobody.base, "dataset": DATASET, "terms": terms(),
    }))
    .unwrap();
    let by = countersign::negotiation::Decider::Person("desk".into());
    let fault = nobody.node.start(&order, by).await.unwrap_err();
    assert!(matches!(fault, NodeFault::Refused(refusal) if refusal.check == &checks::PLAIN));

    let few = connector(22, "plain = ['*']\nopen = 1").await;
    few.node.list_plain(&dataset()).await.unwrap();
    let stranger = Stranger::of(12, &few);
    assert_eq!(stranger.say("/negotiations/request", &stranger.request()).await.0, 201);
    let mut second = stranger.request();
    second["consumerPid"] = json!("urn:uuid:c2");
    refused(&stranger.say("/negotiations/request", &second).await, checks::OPEN.id(), "a second one");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_proves_an_id_that_nobody_has_named_is_held_to_a_strangers_share() {
    let node = connector(24, "").await;
    let stranger = Stranger::of(12, &node);
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    // An id costs nothing: each of these proves one, and none of them is anybody here.
    let asks = (0..600).map(|_| stranger.say("/negotiations/urn:uuid:none/termination", &Value::Null));
    for (status, _) in futures::future::join_all(asks).await {
        *statuses.entry(status).or_default() += 1;
    }
    assert!(statuses.get(&429).is_some_and(|refused| *refused > 50), "{statuses:?}");
}
