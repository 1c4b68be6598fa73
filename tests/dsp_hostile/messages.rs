//! Messages that are not valid, or not valid now.

use countersign::dsp::{checks, is_valid};
use countersign::encoding::checks as encoding;
use countersign::negotiation::checks as negotiation;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_message_that_is_not_valid_begins_nothing() {
    let node = provider().await;
    let stranger = Stranger::of(12, &node);
    let constraint = |constraint: Value| json!([{ "action": "use", "constraint": [constraint] }]);
    let atomic = || json!({ "leftOperand": "count", "operator": "lteq", "rightOperand": "5" });
    type Change = (&'static str, Box<dyn Fn(&mut Value)>);
    let changes: Vec<Change> = vec![
        ("no consumerPid", Box::new(|m| drop(m.as_object_mut().unwrap().remove("consumerPid")))),
        ("no offer", Box::new(|m| drop(m.as_object_mut().unwrap().remove("offer")))),
        ("no context", Box::new(|m| drop(m.as_object_mut().unwrap().remove("@context")))),
        ("no type", Box::new(|m| drop(m.as_object_mut().unwrap().remove("@type")))),
        ("no callback", Box::new(|m| drop(m.as_object_mut().unwrap().remove("callbackAddress")))),
        ("callback and providerPid", Box::new(|m| m["providerPid"] = json!("urn:uuid:p"))),
        (
            "providerPid alone",
            Box::new(|m| {
                m.as_object_mut().unwrap().remove("callbackAddress");
                m["providerPid"] = json!("urn:uuid:p");
            }),
        ),
        ("a number for consumerPid", Box::new(|m| m["consumerPid"] = json!(5))),
        ("an empty consumerPid", Box::new(|m| m["consumerPid"] = json!(""))),
        ("another context", Box::new(|m| m["@context"] = json!(["https://w3id.org/dspace/2024/1/context.json"]))),
        ("another type", Box::new(|m| m["@type"] = json!("ContractOfferMessage"))),
        ("no offer id", Box::new(|m| drop(m["offer"].as_object_mut().unwrap().remove("@id")))),
        ("no target", Box::new(|m| drop(m["offer"].as_object_mut().unwrap().remove("target")))),
        ("another kind of policy", Box::new(|m| m["offer"]["@type"] = json!("Agreement"))),
        ("no rule", Box::new(|m| drop(m["offer"].as_object_mut().unwrap().remove("permission")))),
        ("rules without items", Box::new(|m| m["offer"]["permission"] = json!([]))),
        ("a rule with a target", Box::new(|m| m["offer"]["permission"][0]["target"] = json!(DATASET))),
        ("a rule without action", Box::new(|m| m["offer"]["permission"] = json!([{}]))),
        (
            "an unknown operator",
            Box::new(move |m| {
                let mut atomic = atomic();
                atomic["operator"] = json!("about");
                m["offer"]["permission"] = constraint(atomic);
            }),
        ),
        (
            "two logical operators",
            Box::new(move |m| {
                m["offer"]["permission"] = constraint(json!({ "and": [atomic()], "or": [atomic()] }));
            }),
        ),
        ("neither operand nor logic", Box::new(move |m| m["offer"]["permission"] = constraint(json!({})))),
        (
            "operand and logic",
            Box::new(move |m| {
                let mut both = atomic();
                both["and"] = json!([atomic()]);
                m["offer"]["permission"] = constraint(both);
            }),
        ),
        (
            "a number as right operand",
            Box::new(move |m| {
                let mut atomic = atomic();
                atomic["rightOperand"] = json!(5);
                m["offer"]["permission"] = constraint(atomic);
            }),
        ),
    ];
    for (what, change) in &changes {
        let mut message = stranger.request();
        change(&mut message);
        refused(&stranger.say("/negotiations/request", &message).await, checks::MESSAGE.id(), what);
    }
    let mut ftp = stranger.request();
    ftp["callbackAddress"] = json!("ftp://127.0.0.1/");
    refused(&stranger.say("/negotiations/request", &ftp).await, checks::MESSAGE.id(), "ftp");
    let text = stranger.request().to_string();
    let twice = text.replacen("{", "{\"consumerPid\":\"urn:uuid:d\",", 1);
    refused(&stranger.send("/negotiations/request", twice).await, encoding::JSON_DUPLICATE.id(), "a member twice");
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    refused(&stranger.send("/negotiations/request", deep).await, encoding::JSON_DEPTH.id(), "200 levels");
    refused(&stranger.send("/negotiations/request", "{").await, encoding::JSON.id(), "half of it");
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(2 << 20));
    let (status, body) = stranger.send("/negotiations/request", long).await;
    assert_eq!(status, 413);
    assert!(is_valid("ContractNegotiationError", &body), "{body}");
    assert!(node.node.views(false, 10).await.unwrap().is_empty());
    // As it stands it is taken.
    let (status, body) = stranger.say("/negotiations/request", &stranger.request()).await;
    assert_eq!(status, 201, "{body}");
    assert!(is_valid("ContractNegotiation", &body));
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_that_are_in_no_catalog_and_roles_of_others_are_refused() {
    let node = provider().await;
    let stranger = Stranger::of(12, &node);
    let mut other = stranger.request();
    other["offer"]["permission"][0]["action"] = json!("read");
    refused(&stranger.say("/negotiations/request", &other).await, checks::UNCATALOGED.id(), "other terms");
    let mut roles = stranger.request();
    let (us, them) = (stranger.did(), &node.did);
    for (provider, consumer, promisor, promisee) in
        [(&us, them, them, &us), (them, &us, them, them), (them, &us, &"somebody".parse().unwrap(), &us)]
    {
        roles["countersign"] =
            json!({ "provider": provider, "consumer": consumer, "promisor": promisor, "promisee": promisee });
        refused(&stranger.say("/negotiations/request", &roles).await, checks::ROLES.id(), "roles");
    }
    // The catalog says who promises; whoever turns that round has another offer.
    roles["countersign"] = json!({ "provider": them, "consumer": us, "promisor": us, "promisee": them });
    refused(&stranger.say("/negotiations/request", &roles).await, checks::UNCATALOGED.id(), "turned round");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_does_not_fit_moves_no_negotiation() {
    let node = provider().await;
    let stranger = Stranger::of(12, &node);
    let mut first = stranger.request();
    first["@id"] = json!("urn:uuid:first");
    let (_, begun) = stranger.say("/negotiations/request", &first).await;
    let pid = begun["providerPid"].as_str().unwrap().to_owned();
    // The same again is the same, and says so; another first message of this id is none.
    assert_eq!(stranger.say("/negotiations/request", &first).await, (201, begun.clone()));
    // So it is under another id, or none: EDC does that, and takes a refusal for the end.
    let mut again = stranger.request();
    assert_eq!(stranger.say("/negotiations/request", &again).await, (201, begun.clone()));
    again["offer"]["@id"] = json!("urn:offer:other");
    refused(&stranger.say("/negotiations/request", &again).await, negotiation::STATE.id(), "begun already");
    let message = |kind: &str, more: Value| {
        let mut message =
            json!({ "@context": [CONTEXT], "@type": kind, "providerPid": pid, "consumerPid": "urn:uuid:c" });
        for (name, value) in more.as_object().unwrap() {
            message[name] = value.clone();
        }
        message
    };
    let at = |path: &str| format!("/negotiations/{pid}/{path}");
    let mut offer = stranger.request()["offer"].clone();
    offer["@id"] = json!("urn:offer:2");
    let mut agreement = offer.clone();
    agreement["@type"] = json!("Agreement");
    agreement["assigner"] = json!(node.did);
    agreement["assignee"] = json!(stranger.did());
    agreement["timestamp"] = json!("2026-11-25T12:00:00Z");
    let verification = "ContractAgreementVerificationMessage";
    let event = "ContractNegotiationEventMessage";
    let cases = [
        ("wrong state", at("agreement/verification"), message(verification, json!({})), negotiation::STATE.id()),
        (
            "counter in REQUESTED",
            at("request"),
            message("ContractRequestMessage", json!({ "offer": offer })),
            negotiation::STATE.id(),
        ),
        (
            "accepted in REQUESTED",
            at("events"),
            message(event, json!({ "eventType": "ACCEPTED" })),
            negotiation::STATE.id(),
        ),
        ("the provider's event", at("events"), message(event, json!({ "eventType": "FINALIZED" })), checks::EVENT.id()),
        ("no event", at("events"), message(event, json!({ "eventType": "OFFERED" })), checks::MESSAGE.id()),
        (
            "a provider's offer",
            at("offers"),
            message("ContractOfferMessage", json!({ "offer": offer })),
            checks::SIDE.id(),
        ),
        (
            "a provider's agreement",
            at("agreement"),
            message("ContractAgreementMessage", json!({ "agreement": agreement })),
            checks::SIDE.id(),
        ),
        (
            "another providerPid",
            at("termination"),
            message("ContractNegotiationTerminationMessage", json!({ "providerPid": "urn:uuid:x" })),
            negotiation::PIDS.id(),
        ),
        (
            "another consumerPid",
            at("termination"),
            message("ContractNegotiationTerminationMessage", json!({ "consumerPid": "urn:uuid:x" })),
            negotiation::PIDS.id(),
        ),
        (
            "no reason in reasons",
            at("termination"),
            message("ContractNegotiationTerminationMessage", json!({ "reason": [] })),
            checks::MESSAGE.id(),
        ),
    ];
    for (what, path, message, check) in &cases {
        refused(&stranger.say(path, message).await, check, what);
        assert_eq!(node.view(&pid).await.state.to_string(), "REQUESTED", "{what}");
    }
    // Who is no party of it, and who asks for none that there is, hear the same.
    let other = Stranger::of(13, &node);
    let ends = message("ContractNegotiationTerminationMessage", json!({}));
    let (status, heard) = other.say(&at("termination"), &ends).await;
    assert_eq!(status, 404);
    let (status, nothing) = stranger.say("/negotiations/urn:uuid:none/termination", &ends).await;
    assert_eq!((status, &nothing), (404, &heard));
    assert!(is_valid("ContractNegotiationError", &heard));
    let fault = node.node.state_for(&other.did(), &pid).await.unwrap_err();
    assert!(matches!(fault, NodeFault::Refused(refusal) if refusal.check == &checks::PARTY));
    assert_eq!(node.view(&pid).await.state.to_string(), "REQUESTED");
    let (status, _) = stranger.say(&at("termination"), &ends).await;
    assert_eq!(status, 200);
    refused(&stranger.say(&at("termination"), &ends).await, negotiation::TERMINAL.id(), "ended twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_message_never_becomes_a_plain_one() {
    let node = provider().await;
    let stranger = Stranger::of(12, &node);
    let mut message = stranger.request();
    message["countersign"] = json!({ "signed": "{}" });
    refused(&stranger.say("/negotiations/request", &message).await, checks::SIGNED.id(), "no wallet here");
    let spelled = message.to_string().replace("\"signed\"", "\"\\u0073igned\"");
    assert!(spelled.contains("u0073"));
    refused(&stranger.send("/negotiations/request", spelled).await, checks::SIGNED.id(), "spelled otherwise");
    message["countersign"] = json!({ "signed": 5 });
    refused(&stranger.say("/negotiations/request", &message).await, checks::SIGNED.id(), "no text");
    assert!(node.node.views(false, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_filter_that_nobody_knows_is_refused() {
    let node = provider().await;
    let stranger = Stranger::of(12, &node);
    let asks = |filter: Value| json!({ "@context": [CONTEXT], "@type": "CatalogRequestMessage", "filter": filter });
    let (status, body) = stranger.say("/catalog/request", &asks(json!([{ "price": 5 }]))).await;
    assert_eq!((status, &body["code"]), (400, &json!(checks::FILTER.id())));
    assert!(is_valid("CatalogError", &body));
    for (filter, found) in [(json!([]), true), (json!([DATASET]), true), (json!([{ "@id": "urn:other" }]), false)] {
        let (status, body) = stranger.say("/catalog/request", &asks(filter)).await;
        assert_eq!(status, 200);
        assert!(is_valid("Catalog", &body), "{body}");
        assert_eq!(body.pointer("/dataset/0/@id").is_some(), found, "{body}");
    }
}
