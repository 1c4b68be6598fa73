//! What comes in between.

use countersign::transfer::checks;

use super::support::gate_scene::Scene;
use super::*;

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
    let span = json!([{"leftOperand": "elapsedTime", "operator": "lt", "rightOperand": "PT8S"}]);
    world.provider.agreed.0.lock().unwrap()[0].terms["permission"][0]["constraint"] = span;
    let id = world.consumer.desk.request(AGREEMENT, None).await.unwrap().id;
    until(&world.consumer, &id, StateName::Started).await;
    let token = world.consumer.desk.address(&id).await.unwrap().token.unwrap();
    // Nothing runs before the first download.
    tokio::time::sleep(Duration::from_millis(8200)).await;
    let asked = world.provider.desk.open(&token, ASSET).await.unwrap().unwrap();
    assert_eq!(asked.agreement, format!("agreement {} {AGREEMENT}", world.provider.agreed.0.lock().unwrap()[0].peer));
    // Nor where nothing came of one.
    tokio::time::sleep(Duration::from_millis(8200)).await;
    let mut opened = world.provider.desk.open(&token, ASSET).await.unwrap().unwrap();
    world.provider.desk.begin(&opened).await.unwrap();
    assert!(!opened.standing.borrow().cuts());
    let ended =
        tokio::time::timeout(Duration::from_secs(20), opened.standing.wait_for(countersign::node::Standing::cuts));
    assert!(ended.await.expect("what ran was not cut").is_ok());
    assert_eq!(refused(world.provider.desk.open(&token, ASSET).await).id(), "policy.constraint");
}
