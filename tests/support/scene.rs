//! A node's door: messages that are sealed and signed in order go in, and what became of them is asked.

#![allow(dead_code)]

use std::sync::Arc;
use std::time::Duration;

use countersign::check::Trail;
use countersign::credential::{ApprovedTemplate, KeyStatement};
use countersign::encoding::Timestamp;
use countersign::identity::{Documents, SecretKey, Signer as _};
use countersign::inbox::{AgreementKey, Attachment, Contact, Message, decrypt, seal};
use countersign::node::{Listing, Node, Settings, chance};
use countersign::store::Sqlite;
use serde_json::{Value, json};

use super::gate_world::{self, ScriptedChain};
use super::members::{Bag, credential, key};

pub const TEMPLATE: &str = include_str!("../../fixtures/templates/single-purchase.json");
pub const ASSET: &str = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0001";

/// A provider's node, and a consumer made by hand: key 1 the operator, 2 the provider, 3 the consumer, 4 the contract's.
pub struct Scene {
    pub node: Arc<Node>,
    pub bag: Arc<Bag>,
    pub now: Timestamp,
    _loops: tokio::task::JoinSet<()>,
    _dir: tempfile::TempDir,
}

impl Scene {
    pub async fn set() -> Self {
        let (dir, now) = (tempfile::tempdir().unwrap(), chance::now().unwrap());
        let registry = Arc::new(ScriptedChain::new(now));
        let settings: Settings = serde_json::from_value(json!({
            "trust": {
                "operators": [key(1).did()], "pinned": [],
                "chains": [{
                    "chain_id": gate_world::REGISTRY.chain_id, "registry": gate_world::REGISTRY.address,
                    "code_hash": format!("0x{}", "03".repeat(32)), "rpc": [],
                }],
            },
            "inbox_url": "https://provider.example/inbox",
        }))
        .unwrap();
        let store = Arc::new(Sqlite::open(&dir.path().join("store.sqlite")).await.unwrap());
        let bag = Arc::new(Bag::default());
        let agreement = vec![AgreementKey::of_did_key(&key(2)).unwrap()];
        let node = Arc::new(Node::new(Arc::new(key(2)), agreement, settings, store, registry, bag.clone()));
        let approval = ApprovedTemplate::approve(TEMPLATE.as_bytes(), &key(1)).unwrap();
        let template = node.add_template(&approval).await.unwrap();
        let listing: Listing = serde_json::from_value(json!({
            "asset": {
                "id": ASSET, "title": "Junction", "media_type": "application/xml", "sha256": "9f".repeat(32), "size": 1,
                "endpoint": "https://data.example/junction.xodr",
            },
            "template": template, "parameters": { "uses": 3 }, "price": { "amount": "400.00", "currency": "EUR" },
        }))
        .unwrap();
        node.list(&listing).await.unwrap();
        let loops = node.run();
        Self { node, bag, now, _loops: loops, _dir: dir }
    }

    /// An honest request under a fresh pid.
    pub fn request(&self) -> Message {
        let pid = chance::urn_uuid().unwrap();
        let (consumer, contract) = (key(3), key(4));
        let until = self.now.plus(3600);
        let statement =
            KeyStatement::state(&consumer, self.node.did(), &pid, contract.public_key(), self.now, until).unwrap();
        let contact = Contact {
            did: consumer.did().clone(),
            url: "https://consumer.example/inbox".into(),
            key: AgreementKey::of_did_key(&consumer).unwrap().public(),
            iat: self.now,
            routing: vec![],
        };
        let attach = |id: &str, text: String| Attachment { id: id.into(), media_type: None, text };
        Message {
            id: chance::urn_uuid().unwrap(),
            kind: "urn:countersign:negotiation/1.0/request".into(),
            from: consumer.did().clone(),
            to: vec![self.node.did().clone()],
            thid: Some(pid.clone()),
            created_time: Some(self.now),
            pthid: None,
            expires_time: None,
            body: json!({
                "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], "@type": "ContractRequestMessage",
                "consumerPid": pid, "callbackAddress": consumer.did(),
                "offer": { "@type": "Offer", "@id": "any", "target": ASSET, "permission": [{ "action": "use" }] },
                "countersign": { "mode": "credential", "key": contract.public_key().jwk() },
            }),
            attachments: vec![
                attach("key-statement", statement),
                attach("participant", credential(&consumer, &key(1), vec![], self.now)),
                attach("contact", contact.sign(&consumer).unwrap()),
            ],
        }
    }

    /// Sends a message as the consumer; the check that refused it, or `None` once a negotiation of it is there.
    pub async fn send(&self, message: &Message, by: &SecretKey) -> Option<&'static str> {
        let (refused, begun) = (self.node.refused().len(), self.node.views().await.unwrap().len());
        let to = [AgreementKey::of_did_key(&key(2)).unwrap().public()];
        let envelope = seal(message, by, &to, &mut |bytes| chance::fill(bytes).unwrap()).unwrap();
        self.node.take_envelope(&envelope).await.unwrap();
        for _ in 0..400 {
            if let Some(message) = self.node.refused().get(refused) {
                return Some(message.check);
            }
            if self.node.views().await.unwrap().len() > begun {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the message was neither taken nor refused");
    }

    /// The answers that the consumer was sent so far.
    pub fn answers(&self) -> Vec<Value> {
        let keys = [AgreementKey::of_did_key(&key(3)).unwrap()];
        let envelopes = self.bag.0.lock().unwrap().clone();
        envelopes
            .iter()
            .map(|envelope| {
                let opened = decrypt(envelope, &keys).unwrap();
                let read = opened.verify(key(3).did(), &Documents::default(), self.now, &mut Trail::default());
                read.unwrap().body.clone()
            })
            .collect()
    }
}
