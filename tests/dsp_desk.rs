//! What a desk sees of plain negotiations: terms, deadlines, what waits, what has not arrived, and others' catalogs.

#[path = "support/stranger.rs"]
mod stranger;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign::dsp::checks;
use countersign::negotiation::Decider;
use countersign::node::NodeFault;
use countersign::node::dsp::{Act, CatalogOrder, Order, PlainView, StartOrder, Turn};
use serde_json::{Value, json};
use stranger::connectors::{self, DATASET, Running, connector, dataset, terms};
use stranger::{CONTEXT, Stranger};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

const MANUAL: &str = "plain = ['*']\nuncataloged = 'manual'";

fn person() -> Decider {
    Decider::Person("desk".into())
}

fn order(with: &str, at: &str, more: Value) -> StartOrder {
    let mut order = json!({ "counterparty": with, "address": at, "dataset": DATASET });
    for (name, value) in more.as_object().unwrap() {
        order[name] = value.clone();
    }
    serde_json::from_value(order).unwrap()
}

/// Waits until a negotiation looks as it should.
async fn until(node: &Running, id: &str, what: &str, fits: impl Fn(&PlainView) -> bool) -> PlainView {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let view = node.view(id).await;
        if fits(&view) {
            return view;
        }
        assert!(Instant::now() < until, "{what}: {view:#?}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// A peer that answers as a closure says: status, headers, body, by the path that was posted to.
async fn peer(
    answer: impl Fn(&str) -> (u16, String, String) + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/dsp", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (seen, answer) = (asked.clone(), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (seen, answer) = (seen.clone(), answer.clone());
            tokio::spawn(async move {
                let mut text = Vec::new();
                let mut part = [0; 8192];
                let path = loop {
                    let read = stream.read(&mut part).await.unwrap_or(0);
                    text.extend_from_slice(&part[..read]);
                    let whole = String::from_utf8_lossy(&text).into_owned();
                    if let Some((head, body)) = whole.split_once("\r\n\r\n") {
                        let head = head.to_ascii_lowercase();
                        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
                        if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
                            break whole.split(' ').nth(1).unwrap_or_default().to_owned();
                        }
                    }
                    if read == 0 {
                        return;
                    }
                };
                seen.lock().unwrap().push(path.clone());
                let (status, headers, body) = answer(&path);
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status} X\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n");
                let _ = stream.write_all((head + &body).as_bytes()).await;
            });
        }
    });
    (base, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_says_whose_turn_it_is_until_when_and_what_the_terms_are() {
    let (provider, consumer) = (connector(31, &format!("{MANUAL}\nwaits = 600")).await, connector(32, MANUAL).await);
    provider.node.list_plain(&dataset()).await.unwrap();
    let asked = json!({ "terms": {
        "permission": [{ "action": "use", "constraint": [{ "leftOperand": "count", "operator": "lteq", "rightOperand": "3" }] }],
        "prohibition": [{ "action": "distribute", "refinement": { "of": "the rest" } }],
    } });
    let did = provider.did.to_string();
    let id = consumer.node.start(&order(&did, &provider.base, asked), person()).await.unwrap();
    let theirs = provider.only().await;
    assert_eq!((theirs.turn, theirs.person, theirs.acknowledged), (Turn::Person, true, true));
    assert_eq!(theirs.offers[0].in_words[0], "The consumer may use the asset at most 3 times.");
    assert_eq!(theirs.offers[0].in_words[1], r#"prohibition: {"action":"distribute","refinement":{"of":"the rest"}}"#);
    let began = theirs.began_at.unwrap();
    let left = theirs.until.unwrap().seconds() - began.seconds();
    assert!((600..=602).contains(&left), "{left}");
    let view = until(&consumer, &id, "the request arrived", |view| view.acknowledged).await;
    assert_eq!((view.turn, view.person), (Turn::Counterparty, false));
    assert!(view.until.unwrap() > theirs.until.unwrap(), "a week is longer");

    let waiting = provider.node.waiting().await.unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!((waiting[0].due.decision, waiting[0].due.until), (Act::Agree, theirs.until));
    assert_eq!(waiting[0].offer.as_deref(), theirs.offers[0].offered.offer["@id"].as_str());
    assert!(waiting[0].command.starts_with("countersign dsp show ") && waiting[0].cataloged == Some(false));
    assert!(consumer.node.waiting().await.unwrap().is_empty());

    // The deadline is that of the last move, and outlives the process.
    sleep(Duration::from_millis(1100)).await;
    let stale = Order { offer: Some("urn:another".into()), ..Order::default() };
    assert!(
        provider.node.act(&theirs.id, Act::Offer, stale, person()).await.is_err(),
        "it was another offer that was read"
    );
    let offered = provider.node.act(&theirs.id, Act::Offer, Order::default(), person()).await.unwrap();
    assert!(offered.until.unwrap() > theirs.until.unwrap());
    let view = consumer.reaches(&id, "OFFERED").await;
    assert!(view.cataloged.is_some());
    assert_eq!(consumer.node.waiting().await.unwrap()[0].due.decision, Act::Accept);
    let home = provider.crash().await;
    let provider = connectors::connector_in(home, 31, MANUAL, Default::default(), true).await;
    assert_eq!(provider.view(&theirs.id).await.until, offered.until);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_does_not_arrive_is_shown_with_what_was_answered() {
    let consumer = connector(33, MANUAL).await;
    let stranger = Stranger::of(34, &consumer).did().to_string();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/dsp", silent.local_addr().unwrap());
    drop(silent);
    let id = consumer.node.start(&order(&stranger, &address, json!({ "terms": terms() })), person()).await.unwrap();
    let view = until(&consumer, &id, "it was tried", |view| view.messages.iter().any(|one| one.attempts > 1)).await;
    assert_eq!(
        (view.state.to_string().as_str(), view.acknowledged, view.turn),
        ("REQUESTED", false, Turn::Counterparty)
    );
    let message = &view.messages[0];
    assert_eq!((message.kind, message.done, message.id.is_some()), ("request", false, true));
    assert!(message.note.as_ref().is_some_and(|note| !note.is_empty()), "{message:?}");
    // After a restart it is on its way still.
    let home = consumer.crash().await;
    let consumer = connectors::connector_in(home, 33, MANUAL, Default::default(), true).await;
    let view = until(&consumer, &id, "it is tried again", |view| !view.messages.is_empty()).await;
    assert!(!view.acknowledged && !view.messages[0].done);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_the_other_side_never_took_shows_itself_also_after_a_restart() {
    let provider = connector(35, "plain = ['*']\n[decide]\nagree = 'automatic'").await;
    provider.node.list_plain(&dataset()).await.unwrap();
    let consumer = Stranger::of(36, &provider);
    let (address, _) = peer(|path| match path.ends_with("/events") {
        true => (400, String::new(), json!({ "reason": ["not finalized here"] }).to_string()),
        false => (200, String::new(), String::new()),
    })
    .await;
    let mut request = consumer.request();
    request["callbackAddress"] = json!(address);
    let (status, answer) = consumer.say("/negotiations/request", &request).await;
    assert_eq!(status, 201, "{answer}");
    let id = answer["providerPid"].as_str().unwrap().to_owned();
    until(&provider, &id, "the agreement was taken", |view| {
        view.state.to_string() == "AGREED" && view.acknowledged && view.agreement.is_some()
    })
    .await;
    let verified = json!({
        "@context": [CONTEXT], "@type": "ContractAgreementVerificationMessage", "@id": "urn:uuid:v1",
        "consumerPid": answer["consumerPid"], "providerPid": id,
    });
    let (status, answer) = consumer.say(&format!("/negotiations/{id}/agreement/verification"), &verified).await;
    assert_eq!(status, 200, "{answer}");
    let refused = |view: &PlainView| view.messages.iter().any(|one| one.done);
    let view = until(&provider, &id, "the end was refused", refused).await;
    assert_eq!((view.state.to_string().as_str(), view.acknowledged, view.turn), ("FINALIZED", false, Turn::Nobody));
    assert_eq!(view.messages[0].kind, "finalization");
    assert!(view.messages[0].note.as_ref().unwrap().contains("not finalized here"), "{view:#?}");
    sleep(Duration::from_millis(100)).await;
    let home = provider.crash().await;
    let provider = connectors::connector_in(home, 35, MANUAL, Default::default(), true).await;
    let again = provider.view(&id).await;
    assert!(!again.acknowledged && again.messages[0].done, "{again:#?}");
    assert_eq!(again.messages[0].note, view.messages[0].note);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_names_the_promisor_need_not_name_the_promisee() {
    let (alice, bob) = (connector(37, MANUAL).await, connector(38, MANUAL).await);
    alice.node.list_plain(&dataset()).await.unwrap();
    let (a, b) = (alice.did.to_string(), bob.did.to_string());
    let one = order(&a, &alice.base, json!({ "terms": terms(), "promisor": b }));
    let id = bob.node.start(&one, person()).await.unwrap();
    let view = bob.view(&id).await;
    assert_eq!([view.parties.promisor.to_string(), view.parties.promisee.to_string()], [b.clone(), a.clone()]);
    let theirs = alice.only().await;
    let back = Order { promisee: Some(bob.did.clone()), ..Order::default() };
    let view = alice.node.act(&theirs.id, Act::Offer, back, person()).await.unwrap();
    assert_eq!([view.parties.promisor.to_string(), view.parties.promisee.to_string()], [a, b]);
    let nobody = order(&bob.did.to_string(), &bob.base, json!({ "terms": terms(), "promisor": "did:key:zNobody" }));
    assert!(alice.node.start(&nobody, person()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_nobody_asked_for_is_refused_as_that() {
    let (alice, bob) = (connector(39, MANUAL).await, connector(40, "plain = ['*']").await);
    let unasked = order(&bob.did.to_string(), &bob.base, json!({ "role": "provider", "terms": terms() }));
    let id = alice.node.start(&unasked, person()).await.unwrap();
    let view = alice.reaches(&id, "TERMINATED").await;
    let why = serde_json::to_string(&view.ending).unwrap();
    assert!(why.contains("nobody here has asked for an offer"), "{why}");
}

fn whose(with: &str, at: Option<&str>, filter: Value) -> CatalogOrder {
    serde_json::from_value(json!({ "counterparty": with, "address": at, "filter": filter })).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_connectors_catalog_is_read_page_after_page() {
    let (provider, consumer) = (connector(41, MANUAL).await, connector(42, MANUAL).await);
    for number in 0..130 {
        let mut one = dataset();
        one.id = format!("urn:set:{number:03}");
        one.title = format!("Set {number}");
        provider.node.list_plain(&one).await.unwrap();
    }
    let did = provider.did.to_string();
    let all = consumer.node.catalog_of(&whose(&did, Some(&provider.base), json!([]))).await.unwrap();
    assert_eq!((all.pages, all.datasets.len(), all.more, all.unread), (2, 130, false, 0));
    assert_eq!(all.participant.as_deref(), Some(did.as_str()));
    let one = &all.datasets[7];
    assert_eq!((one.id.as_str(), one.title.as_deref()), ("urn:set:007", Some("Set 7")));
    assert_eq!(one.offers[0].in_words, ["The consumer may use the asset."]);
    let one = consumer.node.catalog_of(&whose(&did, Some(&provider.base), json!(["urn:set:100"]))).await.unwrap();
    assert_eq!((one.datasets.len(), one.datasets[0].id.as_str()), (1, "urn:set:100"));
    // What it lists can be asked for, by what was read.
    let mut ask = order(&did, &provider.base, json!({ "offer": one.datasets[0].offers[0].id }));
    ask.dataset = one.datasets[0].id.clone();
    consumer.node.start(&ask, person()).await.unwrap();
    assert_eq!(provider.only().await.cataloged, Some(true));

    match consumer.node.catalog_of(&whose(&did, Some(&provider.base), json!([{ "odd": 1 }]))).await.unwrap_err() {
        NodeFault::NotDelivered(why) => assert!(why.to_string().contains("dsp.filter"), "{why}"),
        fault => panic!("{fault}"),
    }
    match consumer.node.catalog_of(&whose(&did, None, json!([]))).await.unwrap_err() {
        NodeFault::Unready(why) => assert!(why.contains("[[dsp.peer]]"), "{why}"),
        fault => panic!("{fault}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_catalog_costs_little_and_leads_nowhere() {
    let consumer = connector(43, MANUAL).await;
    let who = Stranger::of(44, &consumer).did().to_string();
    let read = async |address: &str| consumer.node.catalog_of(&whose(&who, Some(address), json!([]))).await;
    let set =
        |id: &str| json!({ "dataset": [{ "@id": id, "hasPolicy": 7, "title": { "no": "text" } }, 5] }).to_string();

    // Pages without an end, and one that is its own next.
    let (endless, asked) = peer(move |path| {
        let page: usize = path.rsplit('=').next().and_then(|page| page.parse().ok()).unwrap_or(0);
        (200, format!("Link: <{}?page={}>; rel=\"next\"\r\n", path.split('?').next().unwrap(), page + 1), set("urn:d"))
    })
    .await;
    let got = read(&endless).await.unwrap();
    assert_eq!((got.pages, got.more, got.datasets.len(), got.unread), (20, true, 20, 20));
    assert_eq!(asked.lock().unwrap().len(), 20);
    let (turning, asked) = peer(move |path| (200, format!("Link: <{path}>; rel=\"next\"\r\n"), set("urn:d"))).await;
    let got = read(&turning).await.unwrap();
    assert_eq!((got.pages, got.more, asked.lock().unwrap().len()), (1, true, 1));

    // Elsewhere is not asked, by a link or by a redirect.
    let (elsewhere, heard) = peer(|_| (200, String::new(), "{}".into())).await;
    let place = elsewhere.clone();
    let (leading, _) = peer(move |_| (200, format!("Link: <{place}/more>; rel=\"next\"\r\n"), set("urn:d"))).await;
    assert_eq!(read(&leading).await.unwrap().pages, 1);
    let (moved, _) = peer(move |_| (307, format!("Location: {elsewhere}/catalog/request\r\n"), String::new())).await;
    assert!(read(&moved).await.is_err());
    assert!(heard.lock().unwrap().is_empty());

    // What is no catalog, too long, or too deep.
    let long = format!("{{\"dataset\":[],\"x\":\"{}\"}}", "x".repeat(1 << 20));
    for body in ["[]".to_owned(), "<html>".into(), String::new(), "[".repeat(100_000), long] {
        let (odd, _) = peer(move |_| (200, String::new(), body.clone())).await;
        assert!(matches!(read(&odd).await, Err(NodeFault::NotDelivered(_))));
    }
    let (many, _) = peer(|_| {
        let sets: Vec<Value> = (0..5000).map(|number| json!({ "@id": format!("urn:d:{number}") })).collect();
        (200, String::new(), json!({ "dataset": sets }).to_string())
    })
    .await;
    let got = read(&many).await.unwrap();
    assert_eq!((got.datasets.len(), got.more), (2000, true));

    // A node that may not call private networks does not.
    let home = tempfile::tempdir().unwrap();
    let strict = connectors::connector_in(home, 45, MANUAL, Default::default(), false).await;
    for address in [many.as_str(), "https://10.0.0.1/dsp", "http://provider.example/dsp", "file:///etc"] {
        match strict.node.catalog_of(&whose(&who, Some(address), json!([]))).await.unwrap_err() {
            NodeFault::Refused(refusal) => assert_eq!(refusal.check.id(), checks::CALLBACK.id()),
            fault => panic!("{address}: {fault}"),
        }
    }
}
