//! Transfers between two desks, with real stores: requests under agreements, decisions, repetitions, restarts, tokens.

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
use countersign::transfer::{Event, Kind, StateName, checks};
use serde_json::{Value, json};
use support::gate_scene::Scene;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_under_an_agreement_starts_by_itself_and_its_token_opens_the_data() {
    let world = world(Plan::default(), Plan::default()).await;
    let id = world.consumer.desk.request(AGREEMENT, None).await.unwrap().id;
    let view = until(&world.consumer, &id, StateName::Started).await;
    assert_eq!((view.endpoint.as_deref(), view.asset.as_str()), (Some(URL), ASSET));
    let provider = at_provider(&world).await;
    assert_eq!(view.provider_pid.as_deref(), Some(provider.as_str()));
    let token = world.consumer.desk.address(&id).await.unwrap().token.unwrap();

    let opened = world.provider.desk.open(&token, ASSET).await.unwrap().unwrap();
    assert_eq!(opened.transfer, provider);
    assert!(!opened.standing.borrow().cuts());
    assert_eq!(refused(world.provider.desk.open(&token, "urn:uuid:other").await).id(), "gate.token.asset");
    assert!(world.provider.desk.open("another token", ASSET).await.unwrap().is_none());
    assert!(!format!("{:?}", world.provider.store.transfer_log_text(&provider).await).contains(&token));

    world.consumer.desk.decide_because(&id, Step::Suspend, Some("holidays")).await.unwrap();
    until(&world.provider, &provider, StateName::Suspended).await;
    assert!(opened.standing.borrow().cuts(), "a download that runs is cut");
    assert_eq!(refused(world.provider.desk.open(&token, ASSET).await), &checks::OPEN);
    assert_eq!(refused(world.consumer.desk.address(&id).await), &checks::OPEN);
    world.consumer.desk.decide(&id, Step::Start).await.unwrap();
    until(&world.provider, &provider, StateName::Started).await;
    world.provider.desk.open(&token, ASSET).await.unwrap().unwrap();

    world.provider.desk.decide(&provider, Step::Complete).await.unwrap();
    until(&world.consumer, &id, StateName::Completed).await;
    assert!(world.provider.desk.open(&token, ASSET).await.unwrap().is_none(), "the token is forgotten");
    assert_eq!(refused(world.consumer.desk.decide(&id, Step::Terminate).await), &checks::TERMINAL);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_decides_by_asset_state_and_arrival() {
    let provider = plan(&[
        (StateName::Requested, None, Step::Start),
        (StateName::Started, Some(1), Step::Suspend),
        (StateName::Started, Some(2), Step::Complete),
        (StateName::Suspended, None, Step::Start),
    ]);
    let world = world(provider, held()).await;
    let id = world.consumer.desk.request(AGREEMENT, None).await.unwrap().id;
    let view = until(&world.consumer, &id, StateName::Completed).await;
    let states: Vec<_> = view.history.iter().map(|moved| moved.state.name()).collect();
    assert_eq!(states, ["REQUESTED", "STARTED", "SUSPENDED", "STARTED", "COMPLETED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_on_the_way_is_said_again_and_moves_once() {
    let world = world(Plan::default(), held()).await;
    *world.consumer.way.lost.lock().unwrap() = (2, 1);
    *world.provider.way.lost.lock().unwrap() = (1, 1);
    let id = world.consumer.desk.request(AGREEMENT, None).await.unwrap().id;
    until(&world.consumer, &id, StateName::Started).await;
    assert_eq!(world.provider.desk.list().await.unwrap().len(), 1, "one request, however often it came");
    let starts = || world.provider.way.posts.lock().unwrap().iter().filter(|(url, _)| url.ends_with("/start")).count();
    for _ in 0..200 {
        if starts() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(starts(), 2, "the answer to the first was lost");
    let view = world.consumer.desk.view(&id).await.unwrap();
    assert_eq!((view.state, view.history.len()), (StateName::Started, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_needs_an_agreement_that_opens_its_data() {
    let world = world(held(), held()).await;
    let desk = &world.provider.desk;
    let ask = async |peer: &str, agreement: &str| desk.hear_request(peer, &request("urn:uuid:1", agreement)).await;
    assert_eq!(refused(ask(CONSUMER, "urn:uuid:none").await), &checks::AGREEMENT);
    assert_eq!(refused(ask("did:web:stranger.example", AGREEMENT).await), &checks::AGREEMENT);
    let mut inward = request("urn:uuid:1", AGREEMENT);
    inward["callbackAddress"] = json!("http://169.254.169.254/");
    assert_eq!(refused(desk.hear_request(CONSUMER, &inward).await), &checks::CALLBACK);
    let change = |change: fn(&mut StandingAgreement)| change(&mut world.provider.agreed.0.lock().unwrap()[0]);

    change(|it| it.role = Role::Consumer);
    assert_eq!(
        refused(ask(CONSUMER, AGREEMENT).await),
        &checks::AGREEMENT,
        "its own data is not the consumer's to give"
    );
    change(|it| *it = StandingAgreement { peer: "did:web:unnamed.example".into(), ..agreement(Role::Provider) });
    assert_eq!(refused(ask("did:web:unnamed.example", AGREEMENT).await), &checks::PLAIN);
    // A contract is its own gate's to judge, and here is none.
    change(|it| {
        let asset = json!({
            "id": ASSET, "title": "Highway", "media_type": "application/xml", "sha256": "9f".repeat(32), "size": 1,
            "endpoint": URL,
        });
        let (core, asset) = ("core".into(), serde_json::from_value(asset).unwrap());
        it.contract = Some(OwnContract { core, asset, terms: it.terms.clone() });
    });
    assert_eq!(refused(ask("did:web:unnamed.example", AGREEMENT).await), &checks::GUARDED);

    change(|it| *it = StandingAgreement { asset: "urn:uuid:unguarded".into(), ..agreement(Role::Provider) });
    assert_eq!(refused(ask(CONSUMER, AGREEMENT).await), &checks::GUARDED);
    change(|it| {
        *it = agreement(Role::Provider);
        it.terms["permission"][0]["constraint"] =
            json!([{"leftOperand": "dateTime", "operator": "lteq", "rightOperand": "2020-01-01T00:00:00Z"}]);
    });
    assert_eq!(refused(ask(CONSUMER, AGREEMENT).await).id(), "policy.constraint");
    change(|it| {
        it.terms["permission"][0]["constraint"] =
            json!([{"leftOperand": "count", "operator": "lteq", "rightOperand": 3}]);
    });
    assert_eq!(refused(ask(CONSUMER, AGREEMENT).await), &checks::COUNTED);
    change(|it| *it = agreement(Role::Provider));
    let answer = ask(CONSUMER, AGREEMENT).await.unwrap();
    assert_eq!((&answer["state"], &answer["consumerPid"]), (&json!("REQUESTED"), &json!("urn:uuid:1")));
    let again = ask(CONSUMER, AGREEMENT).await.unwrap();
    assert_eq!(again, answer, "the same request is the same transfer");
    assert_eq!(refused(ask(CONSUMER, "urn:uuid:none").await), &checks::PIDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_party_of_a_transfer_does_not_find_it() {
    let world = world(held(), held()).await;
    let desk = &world.provider.desk;
    desk.hear_request(CONSUMER, &request("urn:uuid:1", AGREEMENT)).await.unwrap();
    let pid = at_provider(&world).await;
    desk.process(CONSUMER, &pid).await.unwrap();
    for result in [
        desk.process("did:web:stranger.example", &pid).await,
        desk.process(CONSUMER, "urn:uuid:none").await,
        desk.hear("did:web:stranger.example", &pid, Kind::Termination, &json!({})).await,
    ] {
        assert!(matches!(result, Err(NodeFault::Unknown { .. })), "{result:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agreement_opens_only_so_many_transfers_at_a_time() {
    let world = world(held(), held()).await;
    let desk = &world.provider.desk;
    for number in 0..1000 {
        desk.hear_request(CONSUMER, &request(&format!("urn:uuid:{number}"), AGREEMENT)).await.unwrap();
    }
    let one_more = desk.hear_request(CONSUMER, &request("urn:uuid:one-more", AGREEMENT)).await;
    assert_eq!(refused(one_more), &checks::OPEN_AT_ONCE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_no_message_and_no_token() {
    let world = world(Plan::default(), held()).await;
    // The consumer cannot be reached, so that the start waits in the provider's store.
    *world.provider.way.to.lock().unwrap() = Weak::new();
    let id = world.consumer.desk.request(AGREEMENT, None).await.unwrap().id;
    let provider = at_provider(&world).await;
    until(&world.provider, &provider, StateName::Started).await;
    let World { provider: Side { store, agreed, way, settings, desk, _loops: loops }, consumer, _dir } = world;
    drop((loops, desk));
    *way.to.lock().unwrap() = Arc::downgrade(&consumer.desk);
    let again = Transfers::new(settings, store, agreed, way);
    let _loops = again.run();
    until(&consumer, &id, StateName::Started).await;
    let token = consumer.desk.address(&id).await.unwrap().token.unwrap();
    again.open(&token, ASSET).await.unwrap().unwrap();
}

/// What a store keeps of a transfer, as text.
trait Text {
    async fn transfer_log_text(&self, id: &str) -> String;
}

impl Text for Arc<Sqlite> {
    async fn transfer_log_text(&self, id: &str) -> String {
        serde_json::to_string(&self.transfer_log(id).await.unwrap()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_nothing_in_a_restored_copy_until_the_transfer_starts_again() {
    let world = world(Plan::default(), held()).await;
    let id = world.consumer.desk.request(AGREEMENT, None).await.unwrap().id;
    until(&world.consumer, &id, StateName::Started).await;
    let (provider, token) = (at_provider(&world).await, world.consumer.desk.address(&id).await.unwrap().token.unwrap());
    let (copied, now) = (world._dir.path().join("copied"), chance::now().unwrap());
    copy(&world._dir.path().join("provider"), &copied, now).await.unwrap();
    put_to_use(&copied, now).await.unwrap();
    world.provider.desk.decide(&provider, Step::Terminate).await.unwrap();
    assert!(world.provider.desk.open(&token, ASSET).await.unwrap().is_none());

    let Side { agreed, way, settings, .. } = &world.provider;
    let store = Arc::new(Sqlite::open(&copied, SealingKey::new(&[7; 32])).await.unwrap());
    let restored = Transfers::new(settings.clone(), store, agreed.clone(), way.clone());
    assert_eq!(restored.view(&provider).await.unwrap().state, StateName::Started, "it knows no better");
    assert!(restored.open(&token, ASSET).await.unwrap().is_none(), "what was ended is not opened again");
}

fn said(kind: &str, consumer_pid: &str, provider_pid: &str, number: usize) -> Value {
    json!({
        "@context": ["https://w3id.org/dspace/2025/1/context.jsonld"], "@type": kind,
        "@id": format!("urn:uuid:message-{number}"), "consumerPid": consumer_pid, "providerPid": provider_pid,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_takes_so_many_messages_and_can_be_ended_all_the_same() {
    let world = world(Plan::default(), held()).await;
    let desk = &world.provider.desk;
    let answer = desk.hear_request(CONSUMER, &request("urn:uuid:1", AGREEMENT)).await.unwrap();
    let pid = answer["providerPid"].as_str().unwrap().to_owned();
    until(&world.provider, &pid, StateName::Started).await;
    let mut heard = 0;
    let check = loop {
        let (kind, name) = match heard % 2 {
            0 => (Kind::Suspension, "TransferSuspensionMessage"),
            _ => (Kind::Start, "TransferStartMessage"),
        };
        match desk.hear(CONSUMER, &pid, kind, &said(name, "urn:uuid:1", &pid, heard)).await {
            Ok(_) => heard += 1,
            result => break refused(result),
        }
        assert!(heard < 600, "each of these is kept for good");
    };
    assert_eq!(check.id(), "message.rate");
    let end = said("TransferTerminationMessage", "urn:uuid:1", &pid, heard);
    desk.hear(CONSUMER, &pid, Kind::Termination, &end).await.unwrap();
}

/// A store that says how a transfer stood just before it was suspended: the message came in between.
struct Behind {
    store: Arc<Sqlite>,
    desk: Mutex<Weak<Transfers>>,
    armed: std::sync::atomic::AtomicBool,
}

#[async_trait]
impl TransferStore for Behind {
    async fn commit_transfer(&self, commit: TransferCommit) -> Result<(), StoreFault> {
        self.store.commit_transfer(commit).await
    }
    async fn transfer_log(&self, id: &str) -> Result<Option<Vec<Event>>, StoreFault> {
        let log = self.store.transfer_log(id).await;
        if self.armed.swap(false, std::sync::atomic::Ordering::SeqCst) {
            let desk = self.desk.lock().unwrap().upgrade().unwrap();
            desk.decide(id, Step::Suspend).await.unwrap();
        }
        log
    }
    async fn transfer_of(&self, peer: &str, consumer_pid: &str) -> Result<Option<String>, StoreFault> {
        self.store.transfer_of(peer, consumer_pid).await
    }
    async fn transfer_of_token(&self, token: Digest) -> Result<Option<String>, StoreFault> {
        self.store.transfer_of_token(token).await
    }
    async fn transfer_heard(&self, peer: &str, message: &str) -> Result<bool, StoreFault> {
        self.store.transfer_heard(peer, message).await
    }
    async fn transfers(&self) -> Result<Vec<String>, StoreFault> {
        self.store.transfers().await
    }
    async fn transfers_open(&self, agreement: &str) -> Result<u64, StoreFault> {
        self.store.transfers_open(agreement).await
    }
    async fn notices_due(&self, now: Timestamp, limit: u32, each: u32) -> Result<Vec<DueNotice>, StoreFault> {
        self.store.notices_due(now, limit, each).await
    }
    async fn agreed(&self, agreement: &str) -> Result<Vec<String>, StoreFault> {
        self.store.agreed(agreement).await
    }
    async fn contracted(&self, contract: &str) -> Result<Vec<String>, StoreFault> {
        self.store.contracted(contract).await
    }
    async fn notice_tried(&self, id: &str, again: Option<Timestamp>) -> Result<(), StoreFault> {
        self.store.notice_tried(id, again).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_begins_while_its_transfer_is_suspended_does_not_run_on() {
    let World { provider: Side { store, agreed, way, settings, .. }, consumer, _dir } =
        world(Plan::default(), held()).await;
    let behind = Arc::new(Behind { store, desk: Mutex::default(), armed: Default::default() });
    let desk = Transfers::new(settings, behind.clone(), agreed, way);
    *behind.desk.lock().unwrap() = Arc::downgrade(&desk);
    *consumer.way.to.lock().unwrap() = Arc::downgrade(&desk);
    let _loops = desk.run();
    let id = consumer.desk.request(AGREEMENT, None).await.unwrap().id;
    until(&consumer, &id, StateName::Started).await;
    let token = consumer.desk.address(&id).await.unwrap().token.unwrap();
    behind.armed.store(true, std::sync::atomic::Ordering::SeqCst);
    match desk.open(&token, ASSET).await {
        Err(NodeFault::Refused(refusal)) => assert_eq!(refusal.check, &checks::OPEN),
        Ok(Some(opened)) => assert!(opened.standing.borrow().cuts(), "nobody tells it any more that it has to end"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_agreements_time_runs_from_the_first_download_and_cuts_what_runs() {
    let scene = Scene::new().await;
    let world = world(Plan::default(), Plan::default()).await;
    world.provider.desk.guarded_by(&scene.running.as_ref().unwrap().gate);
    let span = json!([{"leftOperand": "elapsedTime", "operator": "lt", "rightOperand": "PT3S"}]);
    world.provider.agreed.0.lock().unwrap()[0].terms["permission"][0]["constraint"] = span;
    let id = world.consumer.desk.request(AGREEMENT, None).await.unwrap().id;
    until(&world.consumer, &id, StateName::Started).await;
    let token = world.consumer.desk.address(&id).await.unwrap().token.unwrap();
    // Nothing runs before the first download.
    tokio::time::sleep(Duration::from_millis(3200)).await;
    let mut opened = world.provider.desk.open(&token, ASSET).await.unwrap().unwrap();
    assert!(!opened.standing.borrow().cuts());
    let ended =
        tokio::time::timeout(Duration::from_secs(6), opened.standing.wait_for(countersign::node::Standing::cuts));
    assert!(ended.await.expect("what ran was not cut").is_ok());
    assert_eq!(refused(world.provider.desk.open(&token, ASSET).await).id(), "policy.constraint");
}
