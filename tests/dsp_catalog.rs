//! What two connectors take for cataloged, who promises by it, and what neither of them says.

#[path = "support/connectors.rs"]
mod connectors;

use connectors::{DATASET, Running, connector, connector_in, dataset, terms};
use countersign::check::Check;
use countersign::dsp::checks;
use countersign::negotiation::{Decider, checks as machine};
use countersign::node::NodeFault;
use countersign::node::dsp::{Act, Order, StartOrder};
use serde_json::{Value, json};

const DEFAULT: &str = "plain = ['*']";
const MANUAL: &str = "plain = ['*']\nuncataloged = 'manual'";
const AUTOMATIC: &str = "plain = ['*']\ndecide = { agree = 'automatic', accept = 'automatic' }";

fn person() -> Decider {
    Decider::Person("desk".into())
}

fn start(with: &Running, more: Value) -> StartOrder {
    let mut order = json!({ "counterparty": with.did, "address": with.base, "dataset": DATASET });
    for (name, value) in more.as_object().unwrap() {
        order[name] = value.clone();
    }
    serde_json::from_value(order).unwrap()
}

fn with_terms(terms: Value) -> Order {
    serde_json::from_value(json!({ "terms": terms })).unwrap()
}

fn refused<T: std::fmt::Debug>(done: Result<T, NodeFault>, check: &'static Check, what: &str) {
    match done {
        Err(NodeFault::Refused(refusal)) => assert_eq!(refusal.check, check, "{what}: {refusal:?}"),
        other => panic!("{what}: {other:?}"),
    }
}

async fn list(node: &Running, offers: Value) -> Result<(), NodeFault> {
    node.node.list_plain(&serde_json::from_value(json!({ "id": DATASET, "offers": offers })).unwrap()).await
}

async fn pair(provider: &str, consumer: &str) -> (Running, Running) {
    let (provider, consumer) = (connector(1, provider).await, connector(2, consumer).await);
    provider.node.list_plain(&dataset()).await.unwrap();
    (provider, consumer)
}

/// Terms that the other side's schema has not.
fn wrong_terms() -> Vec<(&'static str, Value)> {
    let limited = |operator: &str, right: Value| {
        let constraint = json!({ "leftOperand": "count", "operator": operator, "rightOperand": right });
        json!({ "permission": [{ "action": "use", "constraint": [constraint] }] })
    };
    vec![
        ("a rule with a target", json!({ "permission": [{ "action": "use", "target": DATASET }] })),
        ("an unknown operator", limited("about", json!("5"))),
        ("a number", limited("lteq", json!(3))),
        ("no action", json!({ "permission": [{}] })),
        ("an object for a list", json!({ "permission": { "action": "use" } })),
        ("a slip", json!({ "permissions": [{ "action": "use" }] })),
        ("a slip beside a permission", json!({ "permission": [{ "action": "use" }], "obligations": [] })),
        ("too long", json!({ "permission": [{ "action": "x".repeat(300 * 1024) }] })),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_counterparty_would_refuse_is_refused_at_the_desk_and_nothing_moves() {
    let (provider, consumer) = pair(MANUAL, MANUAL).await;
    for (what, terms) in wrong_terms() {
        let began = consumer.node.start(&start(&provider, json!({ "terms": terms })), person()).await;
        refused(began, &checks::MESSAGE, what);
    }
    let id = consumer.node.start(&start(&provider, json!({ "terms": terms() })), person()).await.unwrap();
    let theirs = provider.only().await.id;
    for (what, terms) in wrong_terms() {
        let offered = provider.node.act(&theirs, Act::Offer, with_terms(terms), person()).await;
        refused(offered, &checks::MESSAGE, what);
        assert_eq!(provider.view(&theirs).await.state.to_string(), "REQUESTED", "{what}");
    }
    provider.node.act(&theirs, Act::Offer, with_terms(terms()), person()).await.unwrap();
    consumer.reaches(&id, "OFFERED").await;
    for (what, terms) in wrong_terms() {
        refused(consumer.node.act(&id, Act::Counter, with_terms(terms), person()).await, &checks::MESSAGE, what);
        assert_eq!(consumer.view(&id).await.state.to_string(), "OFFERED", "{what}");
    }
    consumer.node.act(&id, Act::Accept, Order::default(), person()).await.unwrap();
    consumer.reaches(&id, "FINALIZED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_says_what_nobody_takes_says_nothing_and_a_person_goes_on() {
    for after in [0, 1] {
        let step = json!({ "on": "REQUESTED", "do": "offer", "after_ms": after, "terms": { "permission": [{}] } });
        let script = json!({ "datasets": { DATASET: { "steps": [step] } } });
        let home = tempfile::tempdir().unwrap();
        let provider = connector_in(home, 1, MANUAL, serde_json::from_value(script).unwrap(), true).await;
        let consumer = connector(2, MANUAL).await;
        let id = consumer.node.start(&start(&provider, json!({ "terms": terms() })), person()).await.unwrap();
        let theirs = provider.only().await.id;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert_eq!(provider.view(&theirs).await.state.to_string(), "REQUESTED");
        provider.node.act(&theirs, Act::Agree, Order::default(), person()).await.unwrap();
        consumer.reaches(&id, "FINALIZED").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cataloged_promise_of_the_consumer_is_taken_from_the_catalog() {
    let (alice, bob) = pair(AUTOMATIC, AUTOMATIC).await;
    let (a, b) = (alice.did.clone(), bob.did.clone());
    list(&alice, json!([{ "id": "urn:offer:po", "terms": terms(), "promisor": b }])).await.unwrap();
    let ask = |more: Value| start(&alice, more);
    // Without terms, by the offer's id with its terms, and with the roles said.
    let orders = [
        json!({}),
        json!({ "offer": "urn:offer:po" }),
        json!({ "offer": "urn:offer:po", "terms": terms() }),
        json!({ "terms": terms(), "promisor": b }),
    ];
    for order in orders {
        let id = bob.node.start(&ask(order.clone()), person()).await.unwrap();
        let view = bob.reaches(&id, "FINALIZED").await;
        assert_eq!((view.cataloged, &view.parties.promisor, &view.parties.promisee), (Some(true), &b, &a), "{order}");
        let theirs = alice.view(view.provider_pid.as_deref().unwrap()).await;
        assert_eq!((theirs.cataloged, theirs.parties), (Some(true), view.parties), "{order}");
        // The agreement is the offer without what the catalog's entry brought along.
        assert_eq!(view.agreement.unwrap().get("countersign"), None);
    }
    // Nobody promises by terms that happen to be in a catalog.
    let id = bob.node.start(&ask(json!({ "terms": terms() })), person()).await.unwrap();
    let view = bob.reaches(&id, "TERMINATED").await;
    assert_eq!((view.cataloged, view.parties.promisor), (Some(false), a));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_offers_with_the_same_terms_the_id_says_which() {
    let (alice, bob) = pair(AUTOMATIC, AUTOMATIC).await;
    let offers = json!([
        { "id": "urn:offer:1", "terms": terms() },
        { "id": "urn:offer:2", "terms": terms(), "promisor": bob.did },
    ]);
    list(&alice, offers).await.unwrap();
    for (id, promisor) in [("urn:offer:1", &alice.did), ("urn:offer:2", &bob.did)] {
        for more in [json!({ "offer": id }), json!({ "offer": id, "terms": terms() })] {
            let began = bob.node.start(&start(&alice, more.clone()), person()).await.unwrap();
            let view = bob.reaches(&began, "FINALIZED").await;
            assert_eq!((view.cataloged, &view.parties.promisor), (Some(true), promisor), "{more}");
            let offer = &view.offers[0].offered.offer;
            assert_eq!(offer["@id"], id);
            assert_eq!(alice.view(view.provider_pid.as_deref().unwrap()).await.parties, view.parties);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told_apart_or_promised_is_not_listed() {
    let node = connector(1, "plain = ['did:key:bob']").await;
    let twice = json!([{ "id": "urn:o", "terms": terms() }, { "id": "urn:o", "terms": { "permission": [{ "action": "read" }] } }]);
    refused(list(&node, twice).await, &checks::MESSAGE, "one id twice");
    let named = json!([{ "id": "urn:o", "terms": { "@id": "urn:p", "permission": [{ "action": "use" }] } }]);
    refused(list(&node, named).await, &checks::MESSAGE, "an id among the terms");
    let promised = |promisor: &str| json!([{ "id": "urn:o", "terms": terms(), "promisor": promisor }]);
    refused(list(&node, promised("did:key:carol")).await, &checks::ROLES, "nobody negotiates with carol");
    assert!(node.node.listed_datasets().await.unwrap().is_empty());
    for promisor in ["did:key:bob", node.did.as_str()] {
        list(&node, promised(promisor)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cataloged_offer_in_answer_to_other_terms_is_cataloged_on_both_sides() {
    // The consumer's configuration ends what is in no catalog; this is in one.
    let (provider, consumer) = pair(MANUAL, DEFAULT).await;
    let own = json!({ "terms": { "permission": [{ "action": "read" }] } });
    let id = consumer.node.start(&start(&provider, own), person()).await.unwrap();
    assert_eq!(consumer.view(&id).await.cataloged, Some(false), "the catalog has other terms, and was asked");
    let theirs = provider.only().await.id;
    provider.node.act(&theirs, Act::Offer, Order::default(), person()).await.unwrap();
    let view = consumer.reaches(&id, "OFFERED").await;
    assert_eq!((view.cataloged, view.person), (Some(true), true));
    assert_eq!(provider.view(&theirs).await.cataloged, Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_listed_since_it_was_asked_about_is_cataloged() {
    let (provider, consumer) = pair(MANUAL, DEFAULT).await;
    let id = consumer.node.start(&start(&provider, json!({ "terms": terms() })), person()).await.unwrap();
    let theirs = provider.only().await.id;
    let read = json!({ "permission": [{ "action": "read" }] });
    list(&provider, json!([{ "id": "urn:offer:new", "terms": read }])).await.unwrap();
    provider.node.act(&theirs, Act::Offer, with_terms(read), person()).await.unwrap();
    let view = consumer.reaches(&id, "OFFERED").await;
    assert_eq!((view.cataloged, view.person), (Some(true), true));
    assert_eq!(view.offers[1].offered.offer["@id"], "urn:offer:new");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_counters_back_to_the_catalogs_terms_is_back_in_the_catalog() {
    let (provider, consumer) = pair(MANUAL, MANUAL).await;
    let id = consumer.node.start(&start(&provider, json!({})), person()).await.unwrap();
    let theirs = provider.only().await.id;
    let other = with_terms(json!({ "permission": [{ "action": "read" }] }));
    provider.node.act(&theirs, Act::Offer, other, person()).await.unwrap();
    assert_eq!(consumer.reaches(&id, "OFFERED").await.cataloged, Some(false));
    let back = consumer.node.act(&id, Act::Counter, with_terms(terms()), person()).await.unwrap();
    assert_eq!(back.cataloged, Some(true));
    let heard = provider.reaches(&theirs, "REQUESTED").await;
    assert_eq!(heard.cataloged, Some(true));
    assert_eq!(heard.offers[2].offered.offer["@id"], "urn:offer:1");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_side_knows_what_it_can_know_of_its_first_word() {
    let (provider, consumer) = pair(MANUAL, MANUAL).await;
    let id = consumer.node.start(&start(&provider, json!({ "terms": terms() })), person()).await.unwrap();
    let view = consumer.view(&id).await;
    assert_eq!(view.cataloged, Some(true), "the terms are those of the catalog");
    assert_eq!(view.offers[0].offered.offer["@id"], "urn:offer:1");
    // A provider knows what it does not list; its counterparty asks.
    let alert = json!({ "role": "provider", "dataset": "urn:alerts", "terms": terms() });
    let id = provider.node.start(&start(&consumer, alert), person()).await.unwrap();
    let view = provider.view(&id).await;
    assert_eq!(view.cataloged, Some(false));
    for _ in 0..400 {
        if let Some(pid) = provider.view(&id).await.consumer_pid {
            assert_eq!(consumer.view(&pid).await.cataloged, Some(false));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the offer did not arrive");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cataloged_id_that_stood_for_other_roles_is_not_used_for_the_catalogs() {
    let (provider, consumer) = pair(MANUAL, MANUAL).await;
    // Asked for under the catalog's id, with the promise turned round.
    let turned = json!({ "offer": "urn:offer:1", "promisor": consumer.did });
    let id = consumer.node.start(&start(&provider, turned), person()).await.unwrap();
    let theirs = provider.only().await;
    assert_eq!((theirs.cataloged, &theirs.parties.promisor), (Some(false), &consumer.did));
    provider.node.act(&theirs.id, Act::Offer, Order::default(), person()).await.unwrap();
    let view = consumer.reaches(&id, "OFFERED").await;
    assert_eq!((view.cataloged, &view.parties.promisor), (Some(true), &provider.did));
    assert_ne!(view.offers[1].offered.offer["@id"], "urn:offer:1");
    // What was read under that id is not what stands.
    let stale = Order { offer: Some("urn:offer:1".into()), ..Order::default() };
    refused(consumer.node.act(&id, Act::Accept, stale, person()).await, &machine::SUPERSEDED, "another offer");
    consumer.node.act(&id, Act::Accept, Order::default(), person()).await.unwrap();
    consumer.reaches(&id, "FINALIZED").await;
}
