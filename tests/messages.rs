//! What a provider's node does with messages that are sealed and signed in order, and wrong in one respect.

#[path = "support/gate_world.rs"]
mod gate_world;
#[path = "support/members.rs"]
mod members;
#[path = "support/parties.rs"]
#[allow(dead_code, unreachable_pub)]
mod parties;
#[path = "support/scene.rs"]
mod scene;

use std::time::Duration;

use countersign::credential::KeyStatement;
use countersign::identity::{SecretKey, Signer as _};
use countersign::inbox::{AgreementKey, Attachment, Contact, Message, seal};
use countersign::negotiation::{Event, OfferPaper, Opening, Role, State, StateName};
use countersign::node::{Commit, Index, NewContact, Outgoing, chance};
use members::{credential, key};
use parties::Parties;
use scene::{ASSET, Scene};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_wrong_in_one_respect_begins_nothing_and_names_the_check() {
    let scene = Scene::set().await;
    assert_eq!(scene.send(&scene.request(), &key(3)).await, None, "the honest twin is taken");

    let without = |name: &str| {
        let mut message = scene.request();
        message.attachments.retain(|attachment| attachment.id != name);
        message
    };
    let with = |change: &dyn Fn(&mut Message)| {
        let mut message = scene.request();
        change(&mut message);
        message
    };
    let replace = |message: &mut Message, name: &str, text: String| {
        message.attachments.iter_mut().find(|attachment| attachment.id == name).unwrap().text = text;
    };
    let others_credential = credential(&key(5), &key(1), vec![], scene.now);
    let foreign_operator = credential(&key(3), &key(6), vec![], scene.now);
    let pid = |message: &Message| message.body["consumerPid"].as_str().unwrap().to_owned();
    let statement = |by: &SecretKey, provider: &SecretKey, pid: &str, of: &SecretKey| {
        KeyStatement::state(by, provider.did(), pid, of.public_key(), scene.now, scene.now.plus(3600)).unwrap()
    };
    let forgeries: Vec<(&str, &str, Message)> = vec![
        ("message.form", "no participant credential", without("participant")),
        ("message.form", "no key statement", without("key-statement")),
        ("message.form", "another body", with(&|m| m.body["@type"] = "ContractOfferMessage".into())),
        ("message.form", "an unknown wish", with(&|m| m.body["countersign"]["rebate"] = 1.into())),
        ("message.form", "no target", with(&|m| m.body["offer"]["target"] = Value::Null)),
        ("message.form", "an unknown type", with(&|m| m.kind = "urn:countersign:negotiation/1.0/gift".into())),
        ("message.mode", "plain mode", with(&|m| m.body["countersign"]["mode"] = "plain".into())),
        ("message.mode", "no mode", with(&|m| m.body["countersign"] = json!({ "key": key(4).public_key().jwk() }))),
        ("message.sender", "another's credential", with(&|m| replace(m, "participant", others_credential.clone()))),
        ("participant.issuer", "another operator", with(&|m| replace(m, "participant", foreign_operator.clone()))),
        ("message.thread", "no thread", with(&|m| m.thid = None)),
        ("message.thread", "another thread", with(&|m| m.thid = Some("urn:uuid:other".into()))),
        (
            "negotiation.request",
            "an asset that is not listed",
            with(&|m| m.body["offer"]["target"] = "urn:x:no".into()),
        ),
        (
            "negotiation.request",
            "a statement of another key",
            with(&|m| {
                let text = statement(&key(3), &key(2), &pid(m), &key(7));
                replace(m, "key-statement", text);
            }),
        ),
        (
            "negotiation.request",
            "a statement for another provider",
            with(&|m| {
                let text = statement(&key(3), &key(8), &pid(m), &key(4));
                replace(m, "key-statement", text);
            }),
        ),
        (
            "negotiation.request",
            "a statement of another negotiation",
            with(&|m| {
                let text = statement(&key(3), &key(2), "urn:uuid:other", &key(4));
                replace(m, "key-statement", text);
            }),
        ),
        (
            "negotiation.request",
            "another's statement",
            with(&|m| {
                let text = statement(&key(5), &key(2), &pid(m), &key(4));
                replace(m, "key-statement", text);
            }),
        ),
    ];
    for (check, what, message) in forgeries {
        assert_eq!(scene.send(&message, &key(3)).await, Some(check), "{what}");
    }
    assert_eq!(scene.node.views().await.unwrap().len(), 1, "only the honest request began a negotiation");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_hears_why_and_a_stranger_hears_nothing() {
    let scene = Scene::set().await;
    let mut stranger = scene.request();
    let foreign = credential(&key(3), &key(6), vec![], scene.now);
    stranger.attachments.iter_mut().find(|attachment| attachment.id == "participant").unwrap().text = foreign;
    assert_eq!(scene.send(&stranger, &key(3)).await, Some("participant.issuer"));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(scene.answers().is_empty(), "an answer would go wherever a stranger says");

    let mut member = scene.request();
    member.body["offer"]["target"] = "urn:x:no".into();
    assert_eq!(scene.send(&member, &key(3)).await, Some("negotiation.request"));
    for _ in 0..200 {
        if let Some(answer) = scene.answers().first() {
            assert_eq!(answer["countersign"]["answers"], member.id);
            assert_eq!(answer["countersign"]["refused"]["check"], "negotiation.request");
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the member was not answered");
}

/// A message that moves nothing in the negotiation of a request.
fn verification(of: &Message) -> Message {
    let mut message = of.clone();
    message.id = chance::urn_uuid().unwrap();
    message.kind = "urn:countersign:negotiation/1.0/verification".into();
    message.body["@type"] = "ContractAgreementVerificationMessage".into();
    message.attachments = vec![Attachment { id: "entry".into(), media_type: None, text: "e30.e30.e30".into() }];
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_no_negotiation_is_kept_nowhere() {
    let scene = Scene::set().await;
    let stray = verification(&scene.request());
    assert_eq!(scene.send(&stray, &key(3)).await, Some("negotiation.pids"));
    let kept = scene.node.store().parked(key(3).did(), stray.thid.as_deref().unwrap()).await.unwrap();
    assert!(kept.is_empty(), "or anybody could fill the disk");
    assert!(scene.answers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_negotiation_takes_no_more_than_its_share_of_messages() {
    let scene = Scene::set().await;
    let request = scene.request();
    assert_eq!(scene.send(&request, &key(3)).await, None);
    let to = [AgreementKey::of_did_key(&key(2)).unwrap().public()];
    for _ in 0..128 {
        let envelope = seal(&verification(&request), &key(3), &to, &mut |bytes| chance::fill(bytes).unwrap()).unwrap();
        scene.node.take_envelope(&envelope).await.unwrap();
    }
    for _ in 0..1200 {
        if scene.node.refused().last().is_some_and(|message| message.check == "message.rate") {
            let (id, store) = (&scene.node.views().await.unwrap()[0].id, scene.node.store());
            assert_eq!(store.heard_in(id).await.unwrap(), 128);
            assert_eq!(store.received(id).await.unwrap().len(), 1, "of what was refused only the answer is kept");
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("all of them were dealt with");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_cannot_be_sealed_for_holds_up_nobody() {
    let scene = Scene::set().await;
    let hostile = key(5);
    let contact = Contact {
        did: hostile.did().clone(),
        url: "https://hostile.example/inbox".into(),
        // The point of which every shared secret is zero.
        key: serde_json::from_value(json!({
            "kid": format!("{}#k", hostile.did()), "jwk": { "kty": "OKP", "crv": "X25519", "x": "A".repeat(43) },
        }))
        .unwrap(),
        iat: scene.now,
        routing: vec![],
    };
    let contact = contact.sign(&hostile).unwrap();
    scene.node.add_contact(&NewContact { contact }).await.unwrap();
    let stuck = Outgoing {
        id: "stuck".into(),
        negotiation: None,
        to: hostile.did().clone(),
        signed: "{}".into(),
        wants_answer: true,
        attempts: 0,
        due: Some(scene.now),
        note: None,
    };
    scene.node.store().queue(stuck, None).await.unwrap();
    assert_eq!(scene.send(&scene.request(), &key(3)).await, None);
    for _ in 0..400 {
        if !scene.answers().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the honest member was not answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_negotiation_that_can_no_longer_be_recorded_ends_although_a_rule_would_record_it() {
    let scene = Scene::set().await;
    let parties = Parties::new();
    let deal = parties.deal(1, &[(600, 900)]);
    let (peer, past) = (parties.consumer.did().clone(), scene.now.plus(-100));
    let offer = OfferPaper { record_by: past, accept_by: past, ..deal.offers[0].paper.clone() };
    let opening = Opening {
        role: Role::Provider,
        us: scene.node.did().clone(),
        peer: peer.clone(),
        consumer_pid: Some(deal.pid.clone()),
        provider_pid: Some("urn:uuid:ours".into()),
        began: Role::Consumer,
    };
    let commit = Commit {
        negotiation: "urn:uuid:ours".into(),
        version: 0,
        events: vec![
            Event::Requested { opening, request: deal.request.clone(), at: past },
            Event::Offered { offer: Box::new(offer), by: None, at: past },
            Event::Accepted { core: deal.offers[0].papers[0].clone(), by: None, at: past },
        ],
        outgoing: vec![],
        effects: vec![],
        mark: None,
        index: Index {
            peer,
            consumer_pid: Some(deal.pid.clone()),
            provider_pid: Some("urn:uuid:ours".into()),
            state: StateName::Accepted,
            watched: true,
            at: past,
        },
    };
    scene.node.store().commit(commit).await.unwrap();
    for _ in 0..400 {
        let negotiation = scene.node.negotiation("urn:uuid:ours").await.unwrap();
        if let State::Terminated(ending, _) = negotiation.state() {
            assert_eq!(ending.code, "timeout.record-by");
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("it stays ACCEPTED for ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_asks_is_shown_the_catalog_and_a_stranger_is_not() {
    let scene = Scene::set().await;
    let ask = |participant: String| {
        let mut message = scene.request();
        message.kind = "urn:countersign:negotiation/1.0/catalog-request".into();
        message.body = json!({ "@type": "CatalogRequestMessage" });
        message.attachments.retain(|attachment| attachment.id != "key-statement");
        message.attachments.iter_mut().find(|a| a.id == "participant").unwrap().text = participant;
        message
    };
    let stranger = ask(credential(&key(3), &key(6), vec![], scene.now));
    assert_eq!(scene.send(&stranger, &key(3)).await, Some("participant.issuer"));

    let member = ask(credential(&key(3), &key(1), vec![], scene.now));
    let to = [AgreementKey::of_did_key(&key(2)).unwrap().public()];
    let envelope = seal(&member, &key(3), &to, &mut |bytes| chance::fill(bytes).unwrap()).unwrap();
    scene.node.take_envelope(&envelope).await.unwrap();
    for _ in 0..400 {
        if let Some(catalog) = scene.answers().first() {
            assert_eq!(catalog["@type"], "Catalog");
            assert_eq!(catalog["dataset"][0]["@id"], ASSET);
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the member was not shown the catalog");
}
