//! What a consumer's node does with offers that are signed and sealed in order, and not what it asked for.

#[path = "support/gate_world.rs"]
mod gate_world;
#[path = "support/members.rs"]
mod members;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use countersign::check::Trail;
use countersign::credential::{Account, ApprovedTemplate, Contents, ContractId, Draft, Party, offer};
use countersign::encoding::{Digest, Timestamp};
use countersign::identity::{Documents, SecretKey, Signer as _};
use countersign::inbox::{Attachment, Contact, Invitation, Message, decrypt, seal};
use countersign::negotiation::StateName;
use countersign::node::{Introduction, InvitationOrder, NewContact, Node, NodeFault, RequestOrder, Settings, chance};
use countersign::policy::{Blanks, Template};
use countersign::store::{SealingKey, Sqlite};
use gate_world::{REGISTRY, ScriptedChain};
use members::{Bag, agreement, credential, key};
use serde_json::{Value, json};

const TEMPLATE: &str = include_str!("../fixtures/templates/single-purchase.json");
const ASSET: &str = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0001";
const RECORDER: Account = Account([0x77; 20]);

/// A consumer's node (key 3) and a provider made by hand (key 2), under one operator (key 1).
struct Scene {
    node: Arc<Node>,
    bag: Arc<Bag>,
    now: Timestamp,
    _loops: tokio::task::JoinSet<()>,
    _dir: tempfile::TempDir,
}

impl Scene {
    async fn set() -> Self {
        let (dir, now) = (tempfile::tempdir().unwrap(), chance::now().unwrap());
        let settings: Settings = serde_json::from_value(json!({
            "trust": {
                "operators": [key(1).did()], "pinned": [],
                "chains": [{
                    "chain_id": REGISTRY.chain_id, "registry": REGISTRY.address,
                    "code_hash": format!("0x{}", "03".repeat(32)), "rpc": [],
                }],
            },
            "inbox_url": "https://consumer.example/inbox",
        }))
        .unwrap();
        let store = Arc::new(Sqlite::open(&dir.path().join("store.sqlite"), SealingKey::new(&[7; 32])).await.unwrap());
        let (bag, registry) = (Arc::new(Bag::default()), Arc::new(ScriptedChain::new(now)));
        let node = Arc::new(Node::new(Arc::new(key(3)), vec![agreement(3)], settings, store, registry, bag.clone()));
        node.join(&credential(&key(3), &key(1), vec![], now)).await.unwrap();
        let provider = Contact {
            did: key(2).did().clone(),
            url: "https://provider.example/inbox".into(),
            key: agreement(2).public(),
            iat: now,
            routing: vec![],
        };
        node.add_contact(&NewContact { contact: provider.sign(&key(2)).unwrap() }).await.unwrap();
        let loops = node.run();
        Self { node, bag, now, _loops: loops, _dir: dir }
    }

    /// The consumer asks; its id of the negotiation, and the request as the provider reads it.
    async fn ask(&self, wishes: Value) -> (String, Message) {
        let mut order = json!({ "provider": key(2).did(), "asset": ASSET });
        order.as_object_mut().unwrap().extend(wishes.as_object().unwrap().clone());
        let order: RequestOrder = serde_json::from_value(order).unwrap();
        let id = self.node.request(&order).await.unwrap();
        for _ in 0..400 {
            for envelope in self.bag.0.lock().unwrap().iter() {
                let opened = decrypt(envelope, &[agreement(2)]).unwrap();
                let read = opened.verify(key(2).did(), &Documents::default(), self.now, &mut Trail::default());
                let message = read.unwrap().into_inner();
                if message.thid.as_ref() == Some(&id) {
                    return (id, message);
                }
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the request did not leave");
    }

    /// The provider offers, in order but for what `change` does to the draft; the check that the node refused it by.
    async fn offer(&self, wishes: Value, change: impl Fn(&mut Draft)) -> Option<&'static str> {
        let (id, request) = self.ask(wishes).await;
        let text = |name: &str| request.attachment(name).unwrap().to_owned();
        let provider_paper =
            credential(&key(2), &key(1), vec![format!("eip155:{}:{RECORDER}", REGISTRY.chain_id)], self.now);
        let approval = ApprovedTemplate::approve(TEMPLATE.as_bytes(), &key(1)).unwrap();
        let template = Template::parse(TEMPLATE.as_bytes()).unwrap();
        let contract_id = ContractId(chance::uuid().unwrap());
        let spelt = contract_id.to_string();
        let (provider, consumer) = (key(2), key(3));
        let blanks = Blanks { asset: ASSET, provider: provider.did(), consumer: consumer.did(), contract_id: &spelt };
        let price = serde_json::from_value(json!({ "amount": "400.00", "currency": "EUR" })).unwrap();
        let party =
            |key: &SecretKey, paper: &str| Party { did: key.did().clone(), participant: Digest::of(paper).b64u() };
        let now = chance::now().unwrap();
        let mut draft = Draft {
            iat: now,
            exp: now.plus(7200),
            consumer_key: serde_json::from_value(request.body["countersign"]["key"].clone()).unwrap(),
            contract_id,
            negotiation_nonce: chance::nonce().unwrap(),
            accept_by: now.plus(600),
            record_by: now.plus(1200),
            registry: REGISTRY,
            recorder: RECORDER,
            template_id: template.id.clone(),
            template_hash: Digest::of(TEMPLATE).b64u(),
            contents: Contents {
                provider: party(&provider, &provider_paper),
                consumer: party(&consumer, &text("participant")),
                promisor: provider.did().clone(),
                promisee: consumer.did().clone(),
                asset: serde_json::from_value(json!({
                    "id": ASSET, "title": "Junction", "media_type": "application/xml", "sha256": "9f".repeat(32),
                    "size": 1, "endpoint": "https://data.example/junction.xodr",
                }))
                .unwrap(),
                fee: template.fee(&price).unwrap(),
                price,
                terms: template.fill(&blanks, &BTreeMap::from([("uses".to_owned(), json!(3))])).unwrap(),
                consumer_key_statement: text("key-statement"),
            },
        };
        change(&mut draft);
        let salts: [[u8; 16]; 9] = std::array::from_fn(|_| chance::random().unwrap());
        let made = offer(&draft, &salts, &provider).unwrap();
        let attach = |id: &str, text: String| Attachment { id: id.into(), media_type: None, text };
        let message = Message {
            id: chance::urn_uuid().unwrap(),
            kind: "urn:countersign:negotiation/1.0/offer".into(),
            from: provider.did().clone(),
            to: vec![consumer.did().clone()],
            thid: Some(id.clone()),
            created_time: Some(self.now),
            pthid: None,
            expires_time: None,
            body: json!({
                "@type": "ContractOfferMessage", "consumerPid": id, "providerPid": "urn:uuid:the-providers-own",
                "offer": draft.contents.terms,
            }),
            attachments: vec![
                attach("offer", made),
                attach("participant", provider_paper),
                attach("template", approval),
            ],
        };
        let refused = self.node.refused().len();
        let envelope = seal(&message, &provider, &[agreement(3).public()], &mut |b| chance::fill(b).unwrap()).unwrap();
        self.node.take_envelope(&envelope).await.unwrap();
        for _ in 0..400 {
            if let Some(message) = self.node.refused().get(refused) {
                assert_eq!(self.node.view(&id).await.unwrap().state, StateName::Requested, "nothing has moved");
                return Some(message.check);
            }
            if self.node.view(&id).await.unwrap().state == StateName::Offered {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the offer was neither taken nor refused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_with_other_roles_than_were_asked_for_is_refused() {
    let scene = Scene::set().await;
    let (provider, consumer) = (key(2).did().clone(), key(3).did().clone());
    let swapped = |draft: &mut Draft| std::mem::swap(&mut draft.contents.promisor, &mut draft.contents.promisee);

    assert_eq!(scene.offer(json!({}), |_| {}).await, None, "the honest twin is put before a person");
    assert_eq!(scene.offer(json!({}), swapped).await, Some("offer.asked.parties"), "by default the provider promises");
    let wish = json!({ "promisor": consumer, "promisee": provider });
    assert_eq!(scene.offer(wish.clone(), swapped).await, None, "a consumer that wants to promise may");
    assert_eq!(scene.offer(wish, |_| {}).await, Some("offer.asked.parties"), "and is not made the promisee then");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_for_another_registry_or_asset_is_refused() {
    let scene = Scene::set().await;
    let elsewhere = |draft: &mut Draft| draft.registry.chain_id += 1;
    assert_eq!(scene.offer(json!({}), elsewhere).await, Some("offer.registry"), "the trust names no such registry");
    let asset = |draft: &mut Draft| draft.contents.asset.id = "urn:uuid:another".into();
    assert!(scene.offer(json!({}), asset).await.is_some(), "another asset was asked for");
}

fn contact_of(seed: u8, now: Timestamp) -> String {
    let contact = Contact {
        did: key(seed).did().clone(),
        url: format!("https://party{seed}.example/inbox"),
        key: agreement(seed).public(),
        iat: now,
        routing: vec![],
    };
    contact.sign(&key(seed)).unwrap()
}

/// Who is met by an introduction, or the check that refused it.
async fn met(node: &Node, introduction: Value) -> Result<Option<String>, String> {
    let introduction: Introduction = serde_json::from_value(introduction).unwrap();
    match node.meet(&introduction).await {
        Ok(met) => Ok(met.name),
        Err(NodeFault::Refused(refusal)) => Err(refusal.check.id().to_owned()),
        Err(fault) => panic!("{fault}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_met_by_an_invitation_and_named_once() {
    let scene = Scene::set().await;
    let (node, now) = (&scene.node, scene.now);
    let invitation = Invitation {
        id: "one".into(),
        from: key(4).did().clone(),
        to: Some(key(3).did().clone()),
        goal: Some("road data".into()),
        created: Some(now),
        expires: Some(now.plus(600)),
        contact: contact_of(4, now),
    };
    let link = |invitation: &Invitation| invitation.link(Some("https://party4.example")).unwrap();

    let swapped = Invitation { contact: contact_of(5, now), ..invitation.clone() };
    assert_eq!(met(node, json!({ "invitation": link(&swapped) })).await, Err("invitation.contact".into()));
    let late = Invitation { expires: Some(now.plus(-1)), ..invitation.clone() };
    assert_eq!(met(node, json!({ "invitation": link(&late) })).await, Err("invitation.expired".into()));
    let others = Invitation { to: Some(key(6).did().clone()), ..invitation.clone() };
    assert_eq!(met(node, json!({ "invitation": link(&others) })).await, Err("invitation.for".into()));
    let own = node.invite(&InvitationOrder::default()).unwrap();
    assert_eq!(met(node, json!({ "invitation": own.link })).await, Err("invitation.for".into()));
    let forged = contact_of(4, now).replace('A', "B");
    assert!(met(node, json!({ "contact": forged })).await.is_err());
    assert_eq!(node.people().await.unwrap().len(), 1, "nothing of all that was kept");

    assert_eq!(met(node, json!({ "invitation": link(&invitation), "name": "carla" })).await, Ok(Some("carla".into())));
    // An invitation is taken once; a contact that moves keeps its name.
    assert_eq!(met(node, json!({ "invitation": link(&invitation) })).await, Err("invitation.used".into()));
    assert_eq!(met(node, json!({ "contact": contact_of(4, now.plus(60)) })).await, Ok(Some("carla".into())));
    for taken in ["Carla", "did:key:zDn", "--json", ""] {
        let named = met(node, json!({ "contact": contact_of(5, now), "name": taken })).await;
        assert_eq!(named, Err("contact.name".into()), "{taken}");
    }
    assert_eq!(node.people().await.unwrap().len(), 2, "a refused name keeps nobody");
    for none in [json!({}), json!({ "did": key(5).did() }), json!({ "contact": "a.b.c", "did": "did:web:a.example" })] {
        assert_eq!(met(node, none.clone()).await, Err("contact.introduction".into()), "{none}");
    }

    let carla = key(4).did().clone();
    // Another inbox is noticed, and shown until the owner has seen it.
    let person = async || node.people().await.unwrap().into_iter().find(|person| person.did == carla).unwrap();
    assert!(person().await.changes.is_empty() && person().await.confirmed);
    let moved = Contact {
        did: carla.clone(),
        url: "https://elsewhere.example/inbox".into(),
        key: agreement(6).public(),
        iat: now.plus(120),
        routing: vec![],
    };
    let moved = Contact { key: countersign::inbox::AgreementPublic { kid: carla.url("new"), ..moved.key }, ..moved };
    node.add_contact(&NewContact { contact: moved.sign(&key(4)).unwrap() }).await.unwrap();
    let told = person().await;
    assert!(!told.confirmed && told.since.is_some());
    let what = told.changes[0].what.join("; ");
    assert!(what.contains("inbox: https://party4.example/inbox -> https://elsewhere.example/inbox"), "{what}");
    assert!(what.contains("key that messages are sealed for"), "{what}");
    node.confirm_contact(&carla).await.unwrap();
    assert!(person().await.confirmed && person().await.changes.len() == 1);
    node.rename(&carla, Some("Carla Roads SE")).await.unwrap();
    assert_eq!(node.name_of(&carla).await.unwrap().as_deref(), Some("Carla Roads SE"));
    node.rename(&carla, None).await.unwrap();
    assert_eq!(node.name_of(&carla).await.unwrap(), None);
    node.forget(&carla).await.unwrap();
    assert!(matches!(node.rename(&carla, Some("x")).await, Err(NodeFault::Unknown { .. })));
    assert_eq!(node.people().await.unwrap().len(), 1);
}
