//! What a hostile connector sends: every message that is not valid is refused by name, moves nothing, and gets an error
//! that is valid itself.

#[path = "support/connectors.rs"]
mod connectors;

use std::time::Duration;

use connectors::{DATASET, Running, connector, dataset, terms};
use countersign::dsp::{checks, is_valid};
use countersign::encoding::checks as encoding;
use countersign::identity::{SecretKey, Signer, sign_jws};
use countersign::negotiation::checks as negotiation;
use countersign::negotiation::plain::ParticipantId;
use countersign::node::NodeFault;
use countersign::node::dsp::StartOrder;
use serde_json::{Value, json};

const CONTEXT: &str = "https://w3id.org/dspace/2025/1/context.jsonld";
const CONFIGURATION: &str = "plain = ['*']";

/// A connector of somebody's own making: it signs what it likes.
struct Stranger {
    key: SecretKey,
    client: reqwest::Client,
    base: String,
    aud: String,
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

impl Stranger {
    fn of(key: u8, node: &Running) -> Self {
        Self {
            key: SecretKey::p256(&[key; 32]).unwrap(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            base: node.base.clone(),
            aud: node.did.to_string(),
        }
    }

    fn did(&self) -> ParticipantId {
        ParticipantId::from(self.key.did())
    }

    fn claims(&self) -> Value {
        let did = self.key.did();
        let jti = countersign::node::chance::nonce().unwrap();
        json!({ "iss": did, "sub": did, "aud": self.aud, "iat": now(), "exp": now() + 60, "jti": jti })
    }

    fn token(&self, claims: &Value) -> String {
        format!("Bearer {}", sign_jws(&self.key, "JWT", true, claims.to_string().as_bytes()).unwrap())
    }

    async fn send(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let proof = self.token(&self.claims());
        let request = self.client.post(format!("{}{path}", self.base)).header("authorization", proof);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    async fn say(&self, path: &str, message: &Value) -> (u16, Value) {
        self.send(path, message.to_string()).await
    }

    fn request(&self) -> Value {
        let mut offer = terms();
        offer["@id"] = json!("urn:offer:1");
        offer["@type"] = json!("Offer");
        offer["target"] = json!(DATASET);
        json!({
            "@context": [CONTEXT], "@type": "ContractRequestMessage", "consumerPid": "urn:uuid:c",
            "callbackAddress": "http://127.0.0.1:9/dsp", "offer": offer,
        })
    }
}

async fn provider() -> Running {
    let node = connector(11, CONFIGURATION).await;
    node.node.list_plain(&dataset()).await.unwrap();
    node
}

fn refused(answer: &(u16, Value), check: &str, what: &str) {
    let (status, body) = answer;
    assert_eq!(*status, 400, "{what}: {body}");
    assert!(is_valid("ContractNegotiationError", body), "{what}: {body}");
    assert_eq!(body["code"], check, "{what}: {body}");
}

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
    let again = stranger.request();
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
async fn a_signed_message_never_becomes_a_plain_one() {
    let node = provider().await;
    let stranger = Stranger::of(12, &node);
    let mut message = stranger.request();
    message["countersign"] = json!({ "signed": "{}" });
    refused(&stranger.say("/negotiations/request", &message).await, checks::SIGNED.id(), "no wallet here");
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

#[tokio::test(flavor = "multi_thread")]
async fn no_request_goes_to_a_private_network_nor_after_a_redirect() {
    let home = tempfile::tempdir().unwrap();
    let node = connectors::connector_in(home, 11, CONFIGURATION, Default::default(), false).await;
    node.node.list_plain(&dataset()).await.unwrap();
    let stranger = Stranger::of(12, &node);
    for callback in ["http://127.0.0.1:9/dsp", "https://10.0.0.1/dsp", "http://provider.example/dsp"] {
        let mut message = stranger.request();
        message["callbackAddress"] = json!(callback);
        refused(&stranger.say("/negotiations/request", &message).await, checks::CALLBACK.id(), callback);
    }

    // A peer that sends elsewhere is not followed: the negotiation ends, and elsewhere hears nothing.
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("http://{}/negotiations/request", elsewhere.local_addr().unwrap());
    let turning = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", turning.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        while let Ok((mut stream, _)) = turning.accept().await {
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).await;
            let answer = format!("HTTP/1.1 307 Temporary Redirect\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let open = connector(23, CONFIGURATION).await;
    let order: StartOrder = serde_json::from_value(json!({
        "counterparty": stranger.did(), "address": address, "dataset": DATASET, "terms": terms(),
    }))
    .unwrap();
    let id = open.node.start(&order, countersign::negotiation::Decider::Person("desk".into())).await.unwrap();
    let view = open.reaches(&id, "TERMINATED").await;
    assert_eq!(view.ending.unwrap().code.as_deref(), Some("undelivered"));
    assert!(tokio::time::timeout(Duration::from_millis(100), elsewhere.accept()).await.is_err());
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

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_turns_the_promise_round_is_not_what_was_asked_for() {
    let node = connector(25, "plain = ['*']\nuncataloged = 'manual'\n[decide]\naccept = 'automatic'").await;
    let stranger = Stranger::of(12, &node);
    let order: StartOrder = serde_json::from_value(json!({
        "counterparty": stranger.did(), "address": "http://127.0.0.1:9/dsp", "dataset": DATASET, "terms": terms(),
    }))
    .unwrap();
    let id = node.node.start(&order, countersign::negotiation::Decider::Person("desk".into())).await.unwrap();
    let mut offer = stranger.request()["offer"].clone();
    offer["@id"] = json!("urn:offer:turned");
    let message = json!({
        "@context": [CONTEXT], "@type": "ContractOfferMessage", "@id": "urn:uuid:m1", "consumerPid": id,
        "providerPid": "urn:uuid:p", "offer": offer,
        "countersign": {
            "provider": stranger.did(), "consumer": node.did, "promisor": node.did, "promisee": stranger.did(),
        },
    });
    let (status, body) = stranger.say(&format!("/negotiations/{id}/offers"), &message).await;
    assert_eq!(status, 200, "{body}");
    let view = node.view(&id).await;
    assert_eq!(view.state.to_string(), "OFFERED", "the same terms, but this side would promise: a person decides");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_offer_on_cataloged_terms_does_not_keep_roles_that_the_catalog_does_not_have() {
    let node = connector(26, "plain = ['*']\nuncataloged = 'manual'\n[decide]\nagree = 'automatic'").await;
    node.node.list_plain(&dataset()).await.unwrap();
    let stranger = Stranger::of(12, &node);
    let mut first = stranger.request();
    first["countersign"] = json!({
        "provider": node.did, "consumer": stranger.did(), "promisor": stranger.did(), "promisee": node.did,
    });
    let (status, body) = stranger.say("/negotiations/request", &first).await;
    assert_eq!(status, 201, "{body}");
    let pid = node.only().await.id;
    assert_eq!(node.view(&pid).await.state.to_string(), "REQUESTED", "held for a person");
    let by = countersign::negotiation::Decider::Person("desk".into());
    node.node.act(&pid, countersign::node::dsp::Act::Offer, Default::default(), by).await.unwrap();
    let mut counter = stranger.request();
    counter.as_object_mut().unwrap().remove("callbackAddress");
    counter["providerPid"] = json!(pid);
    let (status, body) = stranger.say(&format!("/negotiations/{pid}/request"), &counter).await;
    assert_eq!(status, 200, "{body}");
    let talk = node.view(&pid).await;
    let promisor =
        serde_json::to_value(&talk.offers).unwrap().as_array().unwrap().last().unwrap()["parties"]["promisor"].clone();
    assert_eq!(promisor, json!(node.did), "without roles, those of the catalog hold: {:?}", talk.state);
}

fn order(counterparty: &ParticipantId, address: &str) -> StartOrder {
    let order = json!({ "counterparty": counterparty, "address": address, "dataset": DATASET, "terms": terms() });
    serde_json::from_value(order).unwrap()
}

fn person() -> countersign::negotiation::Decider {
    countersign::negotiation::Decider::Person("desk".into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counterparty_that_never_answers_holds_up_nobody_else() {
    let node = connector(27, CONFIGURATION).await;
    let stranger = Stranger::of(12, &node);
    let pit = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", pit.local_addr().unwrap());
    tokio::spawn(async move {
        let mut taken = vec![];
        while let Ok((stream, _)) = pit.accept().await {
            taken.push(stream);
        }
    });
    for _ in 0..200 {
        node.node.start(&order(&stranger.did(), &address), person()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let honest = provider().await;
    node.node.start(&order(&honest.did, &honest.base), person()).await.unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(5), honest.only()).await;
    assert!(heard.is_ok(), "an honest counterparty waits for one that does not answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_to_what_has_ended_gives_its_sender_no_more_than_its_share() {
    let node = connector(28, "plain = ['*']\nopen = 1").await;
    node.node.list_plain(&dataset()).await.unwrap();
    let stranger = Stranger::of(12, &node);
    assert_eq!(stranger.say("/negotiations/request", &stranger.request()).await.0, 201);
    let slow = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", slow.local_addr().unwrap());
    let id = node.node.start(&order(&stranger.did(), &address), person()).await.unwrap();
    let (mut stream, _) = slow.accept().await.unwrap();
    node.node.act(&id, countersign::node::dsp::Act::Terminate, Default::default(), person()).await.unwrap();
    {
        use tokio::io::AsyncWriteExt as _;
        let body = json!({ "providerPid": "urn:uuid:late" }).to_string();
        let answer = format!("HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    for _ in 0..200 {
        if node.view(&id).await.provider_pid.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut second = stranger.request();
    second["consumerPid"] = json!("urn:uuid:c2");
    refused(&stranger.say("/negotiations/request", &second).await, checks::OPEN.id(), "one is open already");
}
