//! Plain negotiations over the Dataspace Protocol between two connectors.

#[path = "support/connectors.rs"]
mod connectors;

use std::time::{Duration, Instant};

use connectors::{DATASET, Running, connector, dataset, terms};
use countersign::identity::{SecretKey, Signer as _};
use countersign::negotiation::Decider;
use countersign::node::dsp::{Act, Order, StartOrder};
use countersign::node::{NodeFault, chance, checks};
use countersign::store::{copy, put_to_use};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

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
    // By name: strangers have a share of requests.
    let did = |key| SecretKey::p256(&[key; 32]).unwrap().did().clone();
    let named = AUTOMATIC.replace('*', &format!("{}', '{}", did(1), did(2)));
    let (provider, consumer) = pair(&named, &named).await;
    for _ in 0..3 {
        let began = Instant::now();
        let id = consumer.node.start(&order(&provider, json!({ "terms": terms() })), person()).await.unwrap();
        while consumer.view(&id).await.state.to_string() != "FINALIZED" {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        println!("one took {:?}", began.elapsed());
    }
    let many = 300;
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

/// Who provides, who consumes, who promises and to whom, as both sides show it.
async fn roles(one: &Running, id: &str, other: &Running) -> [String; 4] {
    let (view, theirs) = (one.reaches(id, "FINALIZED").await, other.only().await);
    other.reaches(&theirs.id, "FINALIZED").await;
    assert_eq!(view.parties, theirs.parties);
    let p = view.parties;
    [p.provider, p.consumer, p.promisor, p.promisee].map(|party| party.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cataloged_offer_is_the_providers_promise_to_the_consumer() {
    let (alice, bob) = pair(AUTOMATIC, AUTOMATIC).await;
    let id = bob.node.start(&order(&alice, json!({ "offer": "urn:offer:1" })), person()).await.unwrap();
    let (a, b) = (alice.did.to_string(), bob.did.to_string());
    assert_eq!(roles(&bob, &id, &alice).await, [a.clone(), b.clone(), a, b]);
    assert_eq!(alice.only().await.cataloged, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_must_be_able_to_alert_has_the_other_promise_to_take_what_it_sends() {
    let (alice, bob) = pair(MANUAL, MANUAL).await;
    let (a, b) = (alice.did.to_string(), bob.did.to_string());
    let alert = json!({
        "role": "provider", "terms": { "permission": [{ "action": "transfer" }] }, "promisor": b, "promisee": a,
    });
    let id = alice.node.start(&order(&bob, alert), person()).await.unwrap();
    let theirs = bob.only().await;
    assert!(theirs.person && theirs.cataloged != Some(true), "{theirs:?}");
    bob.node.act(&theirs.id, Act::Accept, Order::default(), person()).await.unwrap();
    assert_eq!(roles(&alice, &id, &bob).await, [a.clone(), b.clone(), b, a]);
    assert_eq!(alice.view(&id).await.cataloged, Some(false));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_promises_to_alert_offers_it_unasked() {
    let (alice, bob) = pair(MANUAL, MANUAL).await;
    let (a, b) = (alice.did.to_string(), bob.did.to_string());
    let alert = json!({ "role": "provider", "terms": { "permission": [{ "action": "inform" }] } });
    let id = alice.node.start(&order(&bob, alert), person()).await.unwrap();
    let theirs = bob.only().await;
    bob.node.act(&theirs.id, Act::Accept, Order::default(), person()).await.unwrap();
    assert_eq!(roles(&alice, &id, &bob).await, [a.clone(), b.clone(), a, b]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terms_that_were_asked_for_with_the_promise_turned_round_are_not_what_was_asked_for() {
    let accepts = "plain = ['*']\nuncataloged = 'rules'\ndecide = { accept = 'automatic' }\n\
        [[rule]]\nname = 'use'\npoint = 'accept'\nterms = { permission = [{ action = 'use' }] }";
    let (alice, bob) = pair(MANUAL, accepts).await;
    let (a, b) = (alice.did.to_string(), bob.did.to_string());
    let id = bob.node.start(&order(&alice, json!({})), person()).await.unwrap();
    let theirs = alice.only().await.id;
    let turned = json!({ "terms": terms(), "promisor": b, "promisee": a });
    alice.node.act(&theirs, Act::Offer, serde_json::from_value(turned).unwrap(), person()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let view = bob.view(&id).await;
    assert_eq!((view.state.to_string().as_str(), view.person), ("OFFERED", true), "a person decides: {view:#?}");
    assert_eq!((view.cataloged, view.parties.promisor.to_string()), (Some(false), b.clone()));

    // Bob says who should promise, and Alice hears it; what is asked for then is what the rule accepts.
    let back = json!({ "terms": terms(), "promisor": a, "promisee": b });
    bob.node.act(&id, Act::Counter, serde_json::from_value(back.clone()).unwrap(), person()).await.unwrap();
    let asked = alice.reaches(&theirs, "REQUESTED").await;
    assert_eq!((asked.parties.promisor.to_string(), asked.cataloged), (a.clone(), Some(true)));
    alice.node.act(&theirs, Act::Offer, serde_json::from_value(back).unwrap(), person()).await.unwrap();
    alice.reaches(&theirs, "FINALIZED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counterparty_hears_of_no_state_that_is_not_written() {
    let (provider, consumer) = pair(MANUAL, MANUAL).await;
    consumer.node.start(&order(&provider, json!({})), person()).await.unwrap();
    let theirs = provider.only().await.id;
    // Somebody else writes, for a while.
    let options = SqliteConnectOptions::new().filename(provider.home.path().join("store.sqlite"));
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let (node, id) = (provider.node.clone(), theirs.clone());
    let offering = tokio::spawn(async move { node.act(&id, Act::Offer, Order::default(), person()).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let asked = provider.node.state_for(&consumer.did, &theirs);
    let told = tokio::time::timeout(Duration::from_millis(300), asked).await;
    assert!(told.is_err(), "{told:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    offering.await.unwrap().unwrap();
    assert_eq!(provider.node.state_for(&consumer.did, &theirs).await.unwrap()["state"], "OFFERED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_decides_nothing_in_what_was_open_and_ends_it() {
    let (provider, consumer) = pair(MANUAL, AUTOMATIC).await;
    let id = consumer.node.start(&order(&provider, json!({})), person()).await.unwrap();
    let theirs = provider.only().await.id;
    let (home, now) = (tempfile::tempdir().unwrap(), chance::now().unwrap());
    let copied = home.path().join("store.sqlite");
    copy(&provider.home.path().join("store.sqlite"), &copied, now).await.unwrap();
    put_to_use(&copied, now).await.unwrap();
    // The original goes on: it agrees, and both are done.
    provider.node.act(&theirs, Act::Agree, Order::default(), person()).await.unwrap();
    consumer.reaches(&id, "FINALIZED").await;
    drop(provider.crash().await);

    // The copy would agree a second time, by its rules or by a person.
    let restored = connectors::connector_in(home, 1, AUTOMATIC, Default::default(), true).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let view = restored.view(&theirs).await;
    assert_eq!((view.state.to_string().as_str(), view.person, view.acts), ("REQUESTED", false, &[Act::Terminate][..]));
    for act in [Act::Agree, Act::Offer] {
        match restored.node.act(&theirs, act, Order::default(), person()).await.unwrap_err() {
            NodeFault::Refused(refusal) => assert_eq!(*refusal.check, checks::COPIED),
            fault => panic!("{fault}"),
        }
    }
    restored.node.act(&theirs, Act::Terminate, Order::default(), person()).await.unwrap();
    let fresh = consumer.node.start(&order(&restored, json!({})), person()).await.unwrap();
    consumer.reaches(&fresh, "FINALIZED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_catalog_does_not_have_is_refused_unless_the_configuration_takes_it() {
    let (provider, consumer) = pair(AUTOMATIC, AUTOMATIC).await;
    let other = json!({ "terms": { "permission": [{ "action": "read" }] } });
    let id = consumer.node.start(&order(&provider, other.clone()), person()).await.unwrap();
    let ended = consumer.reaches(&id, "TERMINATED").await;
    assert!(format!("{:?}", ended.ending).contains("the catalog has no such offer"), "{:?}", ended.ending);
    assert!(provider.node.views(false, 10).await.unwrap().is_empty());

    let rules = "plain = ['*']\nuncataloged = 'rules'\n[[rule]]\nname = 'reading'\npoint = 'agree'\n\
        terms = { permission = [{ action = 'read' }] }";
    let (provider, consumer) = pair(rules, AUTOMATIC).await;
    let id = consumer.node.start(&order(&provider, other), person()).await.unwrap();
    consumer.reaches(&id, "FINALIZED").await;
    let history = serde_json::to_string(&provider.only().await.history).unwrap();
    assert!(history.contains("\"reading\""), "{history}");
    let printing = json!({ "terms": { "permission": [{ "action": "print" }] } });
    let held = consumer.node.start(&order(&provider, printing), person()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(consumer.view(&held).await.state.to_string(), "REQUESTED", "no rule fits: a person decides");
}

#[tokio::test(flavor = "multi_thread")]
async fn either_side_ends_it_and_the_other_hears_why() {
    let (provider, consumer) = pair(MANUAL, MANUAL).await;
    for by_provider in [true, false] {
        let id = consumer.node.start(&order(&provider, json!({ "terms": terms() })), person()).await.unwrap();
        let theirs = loop {
            let open = provider.node.views(true, 10).await.unwrap();
            if let [one] = &open[..] {
                break one.id.clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let why = Order { reason: Some("not today".into()), ..Order::default() };
        let (by, id, other, theirs) =
            if by_provider { (&provider, &theirs, &consumer, &id) } else { (&consumer, &id, &provider, &theirs) };
        by.node.act(id, Act::Terminate, why, person()).await.unwrap();
        let ended = other.reaches(theirs, "TERMINATED").await;
        assert_eq!(ended.ending.unwrap().reason, [json!("not today")]);
        assert!(by.node.act(id, Act::Terminate, Order::default(), person()).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_loses_no_decision_and_repeats_none() {
    let (provider, consumer) = pair(MANUAL, AUTOMATIC).await;
    let base = provider.base.clone();
    // The provider is away: the request waits in the consumer's store, and so does a person's decision at the provider's.
    let id = consumer.node.start(&order(&provider, json!({ "terms": terms() })), person()).await.unwrap();
    let theirs = provider.only().await.id;
    provider.node.act(&theirs, Act::Agree, Order::default(), person()).await.unwrap();
    let provider_home = provider.crash().await;
    let consumer_home = consumer.crash().await;
    let consumer = connectors::connector_in(consumer_home, 2, AUTOMATIC, Default::default(), true).await;
    let provider = connectors::connector_in(provider_home, 1, MANUAL, Default::default(), true).await;
    println!("{base} is now {}", provider.base);
    // Both still know it, in the same or the next state, and the log reads back.
    let (ours, other) = (consumer.view(&id).await, provider.view(&theirs).await);
    assert!(["REQUESTED", "AGREED", "VERIFIED", "FINALIZED"].contains(&ours.state.to_string().as_str()));
    assert_eq!(other.offers.len(), 1);
    assert_eq!(other.consumer_pid.as_deref(), Some(id.as_str()));
}
