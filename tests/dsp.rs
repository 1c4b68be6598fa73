//! Plain negotiations over the Dataspace Protocol between two connectors.

#[path = "support/connectors.rs"]
mod connectors;

use std::time::{Duration, Instant};

use connectors::{DATASET, Running, connector, dataset, terms};
use countersign::negotiation::Decider;
use countersign::node::dsp::{Act, Order, StartOrder};
use serde_json::{Value, json};

fn person() -> Decider {
    Decider::Person("desk".into())
}

fn order(with: &Running, more: Value) -> StartOrder {
    let mut order = json!({ "counterparty": with.did, "address": with.base, "dataset": DATASET });
    for (name, value) in more.as_object().unwrap() {
        order[name] = value.clone();
    }
    serde_json::from_value(order).unwrap()
}

const AUTOMATIC: &str = "plain = ['*']\ndecide = { agree = 'automatic', accept = 'automatic' }";
const MANUAL: &str = "plain = ['*']\nuncataloged = 'manual'";

async fn pair(provider: &str, consumer: &str) -> (Running, Running) {
    let (provider, consumer) = (connector(1, provider).await, connector(2, consumer).await);
    provider.node.list_plain(&dataset()).await.unwrap();
    (provider, consumer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cataloged_offer_is_agreed_verified_and_finalized_by_rule() {
    let (provider, consumer) = pair(AUTOMATIC, AUTOMATIC).await;
    let began = Instant::now();
    let id = consumer.node.start(&order(&provider, json!({})), person()).await.unwrap();
    let view = consumer.reaches(&id, "FINALIZED").await;
    println!("one negotiation took {:?}", began.elapsed());
    assert_eq!(view.cataloged, Some(true));
    let other = provider.only().await;
    assert_eq!(other.state.to_string(), "FINALIZED");
    assert_eq!(other.agreement, view.agreement);
    assert_eq!((other.consumer_pid, other.provider_pid), (view.consumer_pid, view.provider_pid));
    assert_eq!(view.agreement.unwrap()["target"], DATASET);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_counter_and_the_last_offer_is_the_agreement() {
    let (provider, consumer) = pair(MANUAL, MANUAL).await;
    let id = consumer.node.start(&order(&provider, json!({ "terms": terms() })), person()).await.unwrap();
    let theirs = provider.only().await.id;
    assert!(provider.view(&theirs).await.person);
    let terms = |action: &str| -> Order {
        serde_json::from_value(json!({ "terms": { "permission": [{ "action": action }] } })).unwrap()
    };
    provider.node.act(&theirs, Act::Offer, terms("read"), person()).await.unwrap();
    consumer.reaches(&id, "OFFERED").await;
    consumer.node.act(&id, Act::Counter, terms("display"), person()).await.unwrap();
    provider.reaches(&theirs, "REQUESTED").await;
    provider.node.act(&theirs, Act::Offer, terms("print"), person()).await.unwrap();
    let offered = consumer.reaches(&id, "OFFERED").await;
    assert_eq!(offered.offers.len(), 4);
    assert_eq!(offered.cataloged, Some(false));
    let before = offered.offers[1].offered.offer["@id"].as_str().unwrap().to_owned();
    let stale = Order { offer: Some(before), ..Order::default() };
    assert!(consumer.node.act(&id, Act::Accept, stale, person()).await.is_err());
    consumer.node.act(&id, Act::Accept, Order::default(), person()).await.unwrap();
    let done = provider.reaches(&theirs, "FINALIZED").await;
    assert_eq!(done.agreement.unwrap()["permission"], json!([{ "action": "print" }]));
    consumer.reaches(&id, "FINALIZED").await;
}

/// How fast two connectors are in one process; printed, and held to a low bound only, because machines differ.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn many_at_once() {
    let (provider, consumer) = pair(AUTOMATIC, AUTOMATIC).await;
    for _ in 0..3 {
        let began = Instant::now();
        let id = consumer.node.start(&order(&provider, json!({ "terms": terms() })), person()).await.unwrap();
        while consumer.view(&id).await.state.to_string() != "FINALIZED" {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        println!("one took {:?}", began.elapsed());
    }
    let many = 3000;
    let began = Instant::now();
    let ids: Vec<_> = (0..many)
        .map(|_| {
            let (node, order) = (consumer.node.clone(), order(&provider, json!({ "terms": terms() })));
            tokio::spawn(async move { node.start(&order, person()).await.unwrap() })
        })
        .collect();
    let mut started = Vec::new();
    for id in ids {
        started.push(id.await.unwrap());
    }
    println!("{many} were started in {:?}", began.elapsed());
    for id in &started {
        consumer.reaches(id, "FINALIZED").await;
    }
    println!("{many} took {:?}: {:.0} a second", began.elapsed(), f64::from(many) / began.elapsed().as_secs_f64());
}
