//! Who promises what to whom: all four or none, the same from the offer to the agreement.

use countersign::dsp::checks;
use countersign::negotiation::checks as negotiation;
use countersign::node::dsp::{Act, Order};

use super::*;

const MANUAL: &str = "plain = ['*']\nuncataloged = 'manual'";

/// The four roles, the provider's promise.
fn roles(provider: &ParticipantId, consumer: &ParticipantId) -> Value {
    json!({ "provider": provider, "consumer": consumer, "promisor": provider, "promisee": consumer })
}

fn to_consumer(kind: &str, id: &str, more: Value) -> Value {
    let mut message = json!({ "@context": [CONTEXT], "@type": kind, "providerPid": "urn:uuid:p", "consumerPid": id });
    for (name, value) in more.as_object().unwrap() {
        message[name] = value.clone();
    }
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_that_are_not_all_four_are_not_left_out_but_refused() {
    let node = connector(31, MANUAL).await;
    node.node.list_plain(&dataset()).await.unwrap();
    let stranger = Stranger::of(12, &node);
    let mut unsolicited = stranger.request();
    unsolicited["@type"] = json!("ContractOfferMessage");
    unsolicited["providerPid"] = unsolicited.as_object_mut().unwrap().remove("consumerPid").unwrap();
    for missing in ["provider", "consumer", "promisor", "promisee"] {
        let mut three = roles(&node.did, &stranger.did());
        three.as_object_mut().unwrap().remove(missing);
        let mut alone = json!({});
        alone[missing] = json!(node.did);
        for own in [three, alone] {
            for (path, message) in [("request", stranger.request()), ("offers", unsolicited.clone())] {
                let mut message = message;
                message["countersign"] = own.clone();
                let answer = stranger.say(&format!("/negotiations/{path}"), &message).await;
                refused(&answer, checks::MESSAGE.id(), &format!("{path} {own}"));
            }
        }
    }
    assert!(node.node.views(false, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_with_other_roles_or_without_a_time_is_refused_and_one_without_roles_is_taken() {
    let node = connector(32, MANUAL).await;
    let stranger = Stranger::of(12, &node);
    let ear = Ear::answering(|_, asked, _| requested(asked)).await;
    let id = node.node.start(&order(&stranger.did(), &ear.url), person()).await.unwrap();
    let request = ear.hears("/negotiations/request").await;
    let usual = roles(&stranger.did(), &node.did);
    assert_eq!(request["countersign"], usual, "a request says the roles");
    let mut agreement = request["offer"].clone();
    (agreement["@type"], agreement["@id"]) = (json!("Agreement"), json!("urn:uuid:a"));
    agreement["timestamp"] = json!("2026-11-25T12:00:00Z");
    let path = format!("/negotiations/{id}/agreement");
    let kind = "ContractAgreementMessage";
    let mut turned = usual.clone();
    (turned["promisor"], turned["promisee"]) = (json!(node.did), json!(stranger.did()));
    let mut nonsense = usual.clone();
    nonsense["promisor"] = json!("somebody");
    let mut three = usual.clone();
    three.as_object_mut().unwrap().remove("promisee");
    let mut foreign = usual.clone();
    foreign["promisor"] = json!("did:web:straße.example");
    let cases = [
        (turned, negotiation::AGREEMENT.id()),
        (nonsense, checks::ROLES.id()),
        (three, checks::MESSAGE.id()),
        (foreign, checks::MESSAGE.id()),
    ];
    for (own, check) in cases {
        let message = to_consumer(kind, &id, json!({ "agreement": agreement, "countersign": own }));
        refused(&stranger.say(&path, &message).await, check, &own.to_string());
    }
    let mut copied = agreement.clone();
    copied["countersign"] = json!({ "promisor": node.did });
    let message = to_consumer(kind, &id, json!({ "agreement": copied }));
    refused(&stranger.say(&path, &message).await, checks::ROLES.id(), "a role inside the policy");
    for time in [
        json!(null),
        json!(""),
        json!("yesterday"),
        json!("2026-99-99T99:99:99Z"),
        json!("2026-02-30T12:00:00Z"),
        json!("2026-11-25T25:00:00Z"),
        json!("2026-11-25T12:00:00+99:99"),
        json!("2026-11-25"),
    ] {
        let mut agreement = agreement.clone();
        agreement["timestamp"] = time;
        if agreement["timestamp"].is_null() {
            agreement.as_object_mut().unwrap().remove("timestamp");
        }
        let message = to_consumer(kind, &id, json!({ "agreement": agreement }));
        refused(&stranger.say(&path, &message).await, checks::MESSAGE.id(), &agreement["timestamp"].to_string());
    }
    assert_eq!(node.view(&id).await.state.to_string(), "REQUESTED");

    // As plain connectors say it, down to the nanosecond as the conformance suite writes it.
    agreement["timestamp"] = json!("2026-11-25T12:00:00.123456789Z");
    let message = to_consumer(kind, &id, json!({ "agreement": agreement }));
    assert_eq!(stranger.say(&path, &message).await.0, 200);
    node.reaches(&id, "VERIFIED").await;
    // Said again under another id, as EDC does: taken, and noted beside the one that came first.
    agreement["@id"] = json!("urn:uuid:b");
    let message = to_consumer(kind, &id, json!({ "agreement": agreement }));
    assert_eq!(stranger.say(&path, &message).await.0, 200);
    let view = serde_json::to_value(node.view(&id).await).unwrap();
    assert_eq!((&view["state"], &view["agreement"]["@id"]), (&json!("VERIFIED"), &json!("urn:uuid:a")));
    let agreed = view["history"].as_array().unwrap().iter().find(|entered| entered["state"] == "AGREED").unwrap();
    assert_eq!(agreed["renamed"], json!(["urn:uuid:b"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_and_agreements_of_this_node_say_all_four_roles() {
    let node = connector(33, "plain = ['*']\nuncataloged = 'manual'").await;
    node.node.list_plain(&dataset()).await.unwrap();
    let stranger = Stranger::of(12, &node);
    let ear = Ear::answering(|_, _, _| (200, String::new())).await;
    let mut request = stranger.request();
    request["callbackAddress"] = json!(ear.url);
    assert_eq!(stranger.say("/negotiations/request", &request).await.0, 201);
    let id = node.only().await.id;
    let usual = roles(&node.did, &stranger.did());
    node.node.act(&id, Act::Offer, Order::default(), person()).await.unwrap();
    assert_eq!(ear.hears("/offers").await["countersign"], usual);
    let accepts = json!({
        "@context": [CONTEXT], "@type": "ContractNegotiationEventMessage", "providerPid": id,
        "consumerPid": "urn:uuid:c", "eventType": "ACCEPTED",
    });
    assert_eq!(stranger.say(&format!("/negotiations/{id}/events"), &accepts).await.0, 200);
    let agreed = ear.hears("/agreement").await;
    assert_eq!(agreed["countersign"], usual);
    assert!(is_valid("ContractAgreementMessage", &agreed), "{agreed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_put_in_the_place_of_another_under_its_id_is_refused() {
    let node = connector(34, MANUAL).await;
    let stranger = Stranger::of(12, &node);
    let ear = Ear::answering(|_, asked, _| requested(asked)).await;
    let id = node.node.start(&order(&stranger.did(), &ear.url), person()).await.unwrap();
    let path = format!("/negotiations/{id}/offers");
    let offers = |action: &str, promisor: &ParticipantId| {
        let offer = json!({
            "@id": "urn:offer:x", "@type": "Offer", "target": DATASET, "permission": [{ "action": action }],
        });
        let mut own = roles(&stranger.did(), &node.did);
        if *promisor == node.did {
            (own["promisor"], own["promisee"]) = (json!(node.did), json!(stranger.did()));
        }
        to_consumer("ContractOfferMessage", &id, json!({ "offer": offer, "countersign": own }))
    };
    let provider = stranger.did();
    assert_eq!(stranger.say(&path, &offers("read", &provider)).await.0, 200);
    let asks: Order = serde_json::from_value(json!({ "terms": { "permission": [{ "action": "display" }] } })).unwrap();
    node.node.act(&id, Act::Counter, asks.clone(), person()).await.unwrap();
    let answer = stranger.say(&path, &offers("sell", &provider)).await;
    refused(&answer, negotiation::OFFER_ID.id(), "other terms under the id that was read");
    let answer = stranger.say(&path, &offers("read", &node.did)).await;
    refused(&answer, negotiation::OFFER_ID.id(), "other roles under the id that was read");
    assert_eq!(node.view(&id).await.state.to_string(), "REQUESTED");
    assert_eq!(stranger.say(&path, &offers("read", &provider)).await.0, 200, "the same offer again");

    // As a provider hears it: a request under the id of the one that was read.
    let node = connector(35, MANUAL).await;
    let stranger = Stranger::of(12, &node);
    assert_eq!(stranger.say("/negotiations/request", &stranger.request()).await.0, 201);
    let pid = node.only().await.id;
    node.node.act(&pid, Act::Offer, asks, person()).await.unwrap();
    let mut counter = stranger.request();
    counter.as_object_mut().unwrap().remove("callbackAddress");
    counter["providerPid"] = json!(pid);
    counter["offer"]["permission"][0]["action"] = json!("sell");
    let answer = stranger.say(&format!("/negotiations/{pid}/request"), &counter).await;
    refused(&answer, negotiation::OFFER_ID.id(), "another request under the first one's id");
}
