//! Callers that prove nothing, or nothing that helps them.

use countersign::dsp::{checks, is_valid};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_proves_nothing_is_nobody() {
    let node = provider().await;
    let stranger = Stranger::of(12, &node);
    let refused = async |header: Option<&str>| match node.node.recognise(header).await {
        Err(NodeFault::Refused(refusal)) => refusal.check,
        other => panic!("{other:?}"),
    };
    let token = stranger.token(&stranger.claims());
    assert_eq!(node.node.recognise(Some(&token)).await.unwrap().who, stranger.did());
    let changes: [(&str, Value); 10] = [
        ("aud", json!([node.did, "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169"])),
        ("aud", json!([])),
        ("aud", json!("did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169")),
        ("sub", json!(node.did)),
        ("exp", json!(now() + 4000)),
        ("exp", json!(now() - 40)),
        ("iat", json!(now() + 40)),
        ("nbf", json!(now() + 40)),
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
async fn what_is_usual_in_tokens_of_others_is_taken() {
    let node = provider().await;
    let stranger = Stranger::of(12, &node);
    let mut listed = stranger.claims();
    listed["aud"] = json!([node.did]);
    let mut begun = stranger.claims();
    begun["nbf"] = json!(now());
    // By a clock that is behind, from before this node began.
    let mut behind = stranger.claims();
    behind["iat"] = json!(now() - 25);
    for claims in [listed, begun, behind] {
        let known = node.node.recognise(Some(&stranger.token(&claims))).await;
        assert_eq!(known.unwrap().who, stranger.did(), "{claims}");
    }
    // Libraries that know no other rule than RFC 7515's make half of their signatures so.
    let low = stranger.token(&stranger.claims());
    let (signed, signature) = low.rsplit_once('.').unwrap();
    let bytes = countersign::encoding::decode(signature).unwrap();
    let (r, s) = p256::ecdsa::Signature::from_slice(&bytes).unwrap().split_scalars();
    let high = p256::ecdsa::Signature::from_scalars(r, -*s).unwrap().to_bytes();
    let high = format!("{signed}.{}", countersign::encoding::encode(high));
    assert_eq!(node.node.recognise(Some(&high)).await.unwrap().who, stranger.did());
    assert!(node.node.recognise(Some(&low)).await.is_err(), "it is the same token, in another spelling");
    let lower = stranger.token(&stranger.claims()).replace("Bearer", "bearer");
    assert_eq!(node.node.recognise(Some(&lower)).await.unwrap().who, stranger.did());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_used_once_across_a_restart() {
    let node = provider().await;
    let stranger = Stranger::of(12, &node);
    let path = format!("/catalog/datasets/{DATASET}");
    let mut ahead = stranger.claims();
    ahead["iat"] = json!(now() + 25);
    let read = stranger.token(&ahead);
    assert_eq!(stranger.get(&path, Some(&read)).await.status(), 200);
    let refused = stranger.token(&stranger.claims());
    assert_eq!(stranger.get("/catalog/datasets/none", Some(&refused)).await.status(), 404);
    let decided = stranger.token(&stranger.claims());
    let begin = stranger.client.post(format!("{}/negotiations/request", node.base)).header("authorization", &decided);
    assert_eq!(begin.json(&stranger.request()).send().await.unwrap().status(), 201);

    let node = connectors::connector_in(node.crash().await, 11, CONFIGURATION, Default::default(), true).await;
    let stranger = Stranger::of(12, &node);
    for used in [read, refused, decided] {
        assert_eq!(stranger.get(&path, Some(&used)).await.status(), 404, "it was used before the restart");
    }
    let mut behind = stranger.claims();
    behind["iat"] = json!(now() - 25);
    assert_eq!(stranger.get(&path, Some(&stranger.token(&behind))).await.status(), 200, "and this one was not");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_takes_no_token_from_before_it_was_put_to_use() {
    let node = provider().await;
    let stranger = Stranger::of(12, &node);
    let home = tempfile::tempdir().unwrap();
    let (copied, at) = (home.path().join("store.sqlite"), countersign::node::chance::now().unwrap());
    countersign::store::copy(&node.home.path().join("store.sqlite"), &copied, at).await.unwrap();
    countersign::store::put_to_use(&copied, at.plus(1)).await.unwrap();
    let token = stranger.token(&stranger.claims());
    let path = format!("/catalog/datasets/{DATASET}");
    assert_eq!(stranger.get(&path, Some(&token)).await.status(), 200);
    drop(node.crash().await);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let node = connectors::connector_in(home, 11, CONFIGURATION, Default::default(), true).await;
    let stranger = Stranger::of(12, &node);
    let answer = stranger.get(&path, Some(&token)).await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (503, &"10".parse().unwrap()));
    assert!(is_valid("CatalogError", &answer.json().await.unwrap()));
    assert_eq!(stranger.get(&path, None).await.status(), 200);
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

    // At once they are no more.
    let several = connector(23, "plain = ['*']\nopen = 3").await;
    several.node.list_plain(&dataset()).await.unwrap();
    let stranger = Stranger::of(12, &several);
    let requests: Vec<Value> = (0..12)
        .map(|number| {
            let mut request = stranger.request();
            request["consumerPid"] = json!(format!("urn:uuid:{number}"));
            request
        })
        .collect();
    let said = requests.iter().map(|request| stranger.say("/negotiations/request", request));
    let begun = futures::future::join_all(said).await.iter().filter(|(status, _)| *status == 201).count();
    assert!((1..=3).contains(&begun), "{begun} began");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_together_whom_nobody_has_named_have_so_many_open() {
    let named = SecretKey::p256(&[9; 32]).unwrap();
    let configuration = format!("plain = ['*', '{}']\nopen_with_strangers = 2", named.did());
    let node = connector(29, &configuration).await;
    node.node.list_plain(&dataset()).await.unwrap();
    for key in [12, 13] {
        let stranger = Stranger::of(key, &node);
        assert_eq!(stranger.say("/negotiations/request", &stranger.request()).await.0, 201);
    }
    let third = Stranger::of(14, &node);
    refused(&third.say("/negotiations/request", &third.request()).await, checks::OPEN.id(), "a third stranger");
    let known = Stranger::of(9, &node);
    assert_eq!(known.say("/negotiations/request", &known.request()).await.0, 201);
    // It is so after a restart as well, and until one of them is over.
    let open = node.node.views(true, 10).await.unwrap();
    let one = open.iter().find(|view| view.counterparty != known.did()).unwrap().id.clone();
    let node = connectors::connector_in(node.crash().await, 29, &configuration, Default::default(), true).await;
    node.view(&one).await;
    let third = Stranger::of(14, &node);
    refused(&third.say("/negotiations/request", &third.request()).await, checks::OPEN.id(), "after a restart");
    let by = countersign::negotiation::Decider::Person("desk".into());
    node.node.act(&one, countersign::node::dsp::Act::Terminate, Default::default(), by).await.unwrap();
    assert_eq!(third.say("/negotiations/request", &third.request()).await.0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_star_lets_in_is_a_stranger_all_the_same() {
    let node = provider().await;
    let asks = (0..400_u16).map(|number| {
        let mut key = [7; 32];
        key[..2].copy_from_slice(&number.to_be_bytes());
        let stranger = Stranger::by(key, &node);
        async move {
            let request = stranger.client.post(format!("{}/negotiations/request", stranger.base));
            let request = request.header("authorization", stranger.token(&stranger.claims()));
            let answer = request.json(&stranger.request()).send().await.unwrap();
            let again = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
            (answer.status().as_u16(), again)
        }
    });
    let answers = futures::future::join_all(asks).await;
    let held: Vec<_> = answers.iter().filter(|(status, _)| *status == 429).collect();
    assert!(held.len() > 50, "{} of 400 were held to a share", held.len());
    assert!(held.iter().all(|(_, again)| again.as_deref() == Some("1")), "{held:?}");
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
