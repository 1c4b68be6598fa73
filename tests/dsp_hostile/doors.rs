//! What stands at the doors: paths and pages that are none, addresses for answers, ids, and when to come again.

use countersign::dsp::{Dataset, checks};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_before_the_message_is_answered_in_the_protocols_words() {
    let node = provider().await;
    let stranger = Stranger::of(12, &node);
    let asks = json!({ "@context": [CONTEXT], "@type": "CatalogRequestMessage" });
    for page in ["page=x", "page=-1", "page=1&page=2", "page=99999999999999999999999"] {
        let path = format!("/catalog/request?{page}");
        let (status, body) = stranger.say(&path, &asks).await;
        assert_eq!((status, &body["code"]), (400, &json!(checks::MESSAGE.id())), "{page}");
        assert!(is_valid("CatalogError", &body), "{page}: {body}");
        let unproven = stranger.client.post(format!("{}{path}", node.base)).json(&asks).send().await.unwrap();
        assert_eq!(unproven.status(), 404, "{page}");
        assert!(is_valid("CatalogError", &unproven.json().await.unwrap()), "{page}");
    }
    assert_eq!(stranger.say("/catalog/request?page=18446744073709551615", &asks).await.0, 200);
    for (path, error) in [("/negotiations/%FF", "ContractNegotiationError"), ("/catalog/datasets/%FF", "CatalogError")]
    {
        for proof in [None, Some("Bearer none")] {
            let answer = stranger.get(path, proof).await;
            assert_eq!(answer.status(), 404, "{path}");
            assert!(is_valid(error, &answer.json().await.unwrap()), "{path}");
        }
    }
    for last in ["request", "offers", "agreement", "agreement/verification", "events", "termination", "state"] {
        let (status, body) = stranger.say(&format!("/negotiations/%FF/{last}"), &json!({})).await;
        assert_eq!(status, 404, "{last}");
        assert!(is_valid("ContractNegotiationError", &body), "{last}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_for_answers_is_one_below_which_paths_can_be_called() {
    let node = provider().await;
    let stranger = Stranger::of(12, &node);
    let with = |callback: &str| {
        let mut message = stranger.request();
        message["callbackAddress"] = json!(callback);
        message
    };
    let host = "127.0.0.1:9";
    for callback in ["HOST/admin#", "HOST/admin?cmd=", "HOST/a?b#c", "USER@HOST/dsp", "USER:word@HOST/dsp"] {
        let callback = format!("http://{}", callback.replace("HOST", host).replace("USER", "user"));
        refused(&stranger.say("/negotiations/request", &with(&callback)).await, checks::CALLBACK.id(), &callback);
    }
    assert!(node.node.views(false, 10).await.unwrap().is_empty());
    assert_eq!(stranger.say("/negotiations/request", &with("HTTP://127.0.0.1:9/dsp")).await.0, 201);

    let home = tempfile::tempdir().unwrap();
    let public = connectors::connector_in(home, 11, CONFIGURATION, Default::default(), false).await;
    public.node.list_plain(&dataset()).await.unwrap();
    for callback in ["https://localhost:9443/dsp", "https://LOCALHOST./dsp", "https://peer.internal/dsp"] {
        let stranger = Stranger::of(12, &public);
        refused(&stranger.say("/negotiations/request", &with(callback)).await, checks::CALLBACK.id(), callback);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_of_any_script_and_every_letter_is_seen() {
    let node = provider().await;
    let named =
        json!({ "id": "urn:straße:7", "title": "Eine Straße", "offers": [{ "id": "angebot ä", "terms": terms() }] });
    let named: Dataset = serde_json::from_value(named).unwrap();
    node.node.list_plain(&named).await.unwrap();
    let stranger = Stranger::of(12, &node);
    let shown: Value = stranger.get("/catalog/datasets/urn:stra%C3%9Fe:7", None).await.json().await.unwrap();
    assert!(is_valid("RootDataset", &shown), "{shown}");
    // JSON-LD readers know the term with a prefix of the protocol's context only.
    assert_eq!((&shown["dct:title"], &shown["title"]), (&json!("Eine Straße"), &json!("Eine Straße")));
    let mut message = stranger.request();
    message["consumerPid"] = json!("urn:größe:1");
    message["offer"]["@id"] = json!("angebot ä");
    message["offer"]["target"] = json!("urn:straße:7");
    let (status, body) = stranger.say("/negotiations/request", &message).await;
    assert_eq!((status, &body["consumerPid"]), (201, &json!("urn:größe:1")), "{body}");
    for id in ["urn:\u{202e}x", "a\u{200b}b", "a\tb", " a", "a  b"] {
        let mut message = stranger.request();
        message["consumerPid"] = json!(id);
        refused(&stranger.say("/negotiations/request", &message).await, checks::MESSAGE.id(), id);
    }
}

/// A peer that is busy once, for so long, and then takes everything; when it was called.
async fn busy(seconds: u32) -> (String, tokio::task::JoinHandle<Vec<Instant>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let calls = tokio::spawn(async move {
        let mut calls = vec![];
        while calls.len() < 2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 16_384];
            let length = stream.read(&mut asked).await.unwrap_or_default();
            // It has no catalog, and is asked for one first.
            let post = asked[..length].starts_with(b"POST");
            if post {
                calls.push(Instant::now());
            }
            let answer = match calls.len() {
                _ if !post => "HTTP/1.1 404 Not Found\r\n".to_owned(),
                1 => format!("HTTP/1.1 503 Busy\r\nRetry-After: {seconds}\r\n"),
                _ => "HTTP/1.1 200 OK\r\n".to_owned(),
            };
            let _ =
                stream.write_all(format!("{answer}Content-Length: 0\r\nConnection: close\r\n\r\n").as_bytes()).await;
        }
        calls
    });
    (address, calls)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_busy_is_left_alone_for_as_long_as_it_asks() {
    let node = connector(30, CONFIGURATION).await;
    let (address, calls) = busy(2).await;
    let order: StartOrder = serde_json::from_value(json!({
        "counterparty": Stranger::of(12, &node).did(), "address": address, "dataset": DATASET, "terms": terms(),
    }))
    .unwrap();
    node.node.start(&order, countersign::negotiation::Decider::Person("desk".into())).await.unwrap();
    let calls = tokio::time::timeout(Duration::from_secs(10), calls).await.unwrap().unwrap();
    assert!(calls[1] - calls[0] >= Duration::from_millis(1900), "{:?}", calls[1] - calls[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfers_message_waits_for_a_busy_peer_as_well() {
    use countersign::node::transfers::{Post as _, PostFault};
    let node = connector(31, CONFIGURATION).await;
    let (address, _calls) = busy(70).await;
    let peer = Stranger::of(12, &node).did();
    let url = format!("{address}/transfers/request");
    let fault = node.node.post(peer.as_str(), &url, &json!({})).await.unwrap_err();
    assert_eq!(fault, PostFault::Wait("answered 503".into(), Duration::from_secs(70)));
}
