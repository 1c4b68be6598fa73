//! Transfers between two desks, with real stores: requests under agreements, decisions, repetitions, restarts, tokens.

mod races;
mod requests;
mod restarts;
mod stories;
#[path = "../support"]
mod support {
    pub mod gate_scene;
    pub mod gate_world;
}

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use countersign::check::Check;
use countersign::encoding::{Digest, Timestamp};
use countersign::negotiation::Role;
use countersign::node::transfers::{
    Agreements, DueNotice, Plan, PlannedStep, Post, PostFault, StandingAgreement, Step, TransferCommit,
    TransferSettings, TransferStore, TransferView, Transfers,
};
use countersign::node::{NodeFault, OwnContract, StoreFault, chance};
use countersign::store::{SealingKey, Sqlite, copy, put_to_use};
use countersign::transfer::{Event, Kind, StateName};
use serde_json::{Value, json};

const AGREEMENT: &str = "urn:uuid:e8dc8655-44c2-46ef-b701-4cffdc2faa44";
const ASSET: &str = "urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0001";
const URL: &str = "https://data.example/assets/highway";
const PROVIDER: &str = "did:web:provider.example";
const CONSUMER: &str = "did:web:consumer.example";

/// The agreements of one side.
struct Agreed(Mutex<Vec<StandingAgreement>>);

#[async_trait]
impl Agreements for Agreed {
    async fn standing(&self, id: &str, peer: Option<&str>) -> Result<Option<StandingAgreement>, NodeFault> {
        let agreements = self.0.lock().unwrap();
        Ok(agreements.iter().find(|it| it.id == id && peer.is_none_or(|peer| it.peer == peer)).cloned())
    }
}

/// The way to the other side: the doors of its desk, and what goes wrong on it.
#[derive(Default)]
struct Way {
    to: Mutex<Weak<Transfers>>,
    from: &'static str,
    /// How many of the next posts are lost before they arrive, and how many answers on their way back.
    lost: Mutex<(u32, u32)>,
    posts: Mutex<Vec<(String, Value)>>,
}

#[async_trait]
impl Post for Way {
    fn may_call(&self, url: &str) -> Result<(), String> {
        if url.starts_with("https://") { Ok(()) } else { Err("only https".into()) }
    }

    async fn post(&self, _: &str, url: &str, body: &Value) -> Result<Value, PostFault> {
        let lose = |which: fn(&mut (u32, u32)) -> &mut u32| {
            let mut lost = self.lost.lock().unwrap();
            let left = which(&mut lost);
            let some = *left > 0;
            *left = left.saturating_sub(1);
            some
        };
        if lose(|lost| &mut lost.0) {
            return Err(PostFault::Later("lost on the way".into()));
        }
        self.posts.lock().unwrap().push((url.to_owned(), body.clone()));
        let desk = self.to.lock().unwrap().upgrade().ok_or(PostFault::Later("nobody there".into()))?;
        let parts: Vec<&str> = url.rsplit('/').collect();
        let kind = Kind::at_path(parts[0]).unwrap();
        let answer = match kind {
            Kind::Request => desk.hear_request(self.from, body).await,
            kind => desk.hear(self.from, parts[1], kind, body).await,
        };
        if lose(|lost| &mut lost.1) {
            return Err(PostFault::Later("the answer was lost".into()));
        }
        answer.map_err(|fault| match fault {
            NodeFault::Unknown { .. } => PostFault::Later(fault.to_string()),
            fault => PostFault::Refused(fault.to_string()),
        })
    }
}

struct Side {
    desk: Arc<Transfers>,
    agreed: Arc<Agreed>,
    way: Arc<Way>,
    store: Arc<Sqlite>,
    settings: TransferSettings,
    _loops: tokio::task::JoinSet<()>,
}

struct World {
    provider: Side,
    consumer: Side,
    _dir: tempfile::TempDir,
}

fn agreement(role: Role) -> StandingAgreement {
    let peer = if role == Role::Provider { CONSUMER } else { PROVIDER };
    StandingAgreement {
        id: AGREEMENT.into(),
        role,
        peer: peer.into(),
        hears_at: format!("https://{}/dsp/", peer.trim_start_matches("did:web:")),
        asset: ASSET.into(),
        terms: json!({
            "@id": AGREEMENT, "@type": "Agreement", "target": ASSET, "assigner": PROVIDER, "assignee": CONSUMER,
            "permission": [{"action": "use"}],
        }),
        contract: None,
    }
}

async fn side(dir: &std::path::Path, role: Role, plan: Plan) -> Side {
    let (own, name) = if role == Role::Provider { (PROVIDER, "provider") } else { (CONSUMER, "consumer") };
    let store = Arc::new(Sqlite::open(&dir.join(name), SealingKey::new(&[7; 32])).await.unwrap());
    let agreed = Arc::new(Agreed(Mutex::new(vec![agreement(role)])));
    let way = Arc::new(Way { from: own, ..Way::default() });
    let settings = TransferSettings {
        callback: format!("https://{name}.example/dsp"),
        guarded: HashMap::from([(ASSET.to_owned(), URL.to_owned())]),
        plain_for: [CONSUMER.to_owned()].into(),
        plan,
    };
    let desk = Transfers::new(settings.clone(), store.clone(), agreed.clone(), way.clone());
    let loops = desk.run();
    Side { desk, agreed, way, store, settings, _loops: loops }
}

async fn world(provider: Plan, consumer: Plan) -> World {
    let dir = tempfile::tempdir().unwrap();
    let provider = side(dir.path(), Role::Provider, provider).await;
    let consumer = side(dir.path(), Role::Consumer, consumer).await;
    *provider.way.to.lock().unwrap() = Arc::downgrade(&consumer.desk);
    *consumer.way.to.lock().unwrap() = Arc::downgrade(&provider.desk);
    World { provider, consumer, _dir: dir }
}

fn plan(steps: &[(StateName, Option<usize>, Step)]) -> Plan {
    let steps = steps.iter().map(|(on, nth, act)| PlannedStep { on: *on, nth: *nth, act: *act, after_ms: 5 });
    Plan(HashMap::from([(ASSET.to_owned(), steps.collect())]))
}

fn held() -> Plan {
    plan(&[(StateName::Requested, None, Step::Hold)])
}

async fn until(side: &Side, id: &str, state: StateName) -> TransferView {
    for _ in 0..600 {
        if let Ok(view) = side.desk.view(id).await
            && view.state == state
        {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?} never came to {state}", side.desk.list().await);
}

/// The provider's pid of the only transfer.
async fn at_provider(world: &World) -> String {
    for _ in 0..600 {
        if let Some(view) = world.provider.desk.list().await.unwrap().first() {
            return view.id.clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no request arrived");
}

fn refused<T: std::fmt::Debug>(result: Result<T, NodeFault>) -> &'static Check {
    match result.unwrap_err() {
        NodeFault::Refused(refusal) => refusal.check,
        fault => panic!("{fault}"),
    }
}

fn request(consumer_pid: &str, agreement: &str) -> Value {
    json!({
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], "@type": "TransferRequestMessage",
        "@id": format!("urn:uuid:message-of-{consumer_pid}"), "consumerPid": consumer_pid, "agreementId": agreement,
        "format": "HttpData-PULL", "callbackAddress": "https://consumer.example/dsp/",
    })
}

fn said(kind: &str, consumer_pid: &str, provider_pid: &str, number: usize) -> Value {
    json!({
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], "@type": kind,
        "@id": format!("urn:uuid:message-{number}"), "consumerPid": consumer_pid, "providerPid": provider_pid,
    })
}
