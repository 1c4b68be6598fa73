//! What a wallet acknowledges to its mediator: what it has stored, and nothing before.

#[path = "support/gate_world.rs"]
mod gate_world;
#[path = "support/members.rs"]
mod members;
#[path = "support/parties.rs"]
#[allow(dead_code, unreachable_pub)]
mod parties;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use countersign::check::Trail;
use countersign::credential::Trust;
use countersign::encoding::Digest;
use countersign::identity::{Documents, Signer as _, Unverified};
use countersign::inbox::{AgreementKey, AgreementSecret, Contact, Curve, Message, seal, wrap};
use countersign::node::{
    Admit, Connection, MediationStanding, Mediator, MediatorCourier, MediatorSettings, MediatorStore, Node, NodeFault,
    NotDelivered, Pickup, Settings, Taken, chance,
};
use countersign::store::{InboxLimits, SealingKey, Sqlite};
use gate_world::ScriptedChain;
use members::{Bag, key};
use serde_json::json;

/// A mediator without a network in between, which loses an acknowledgement where it is told to: as if the wallet were
/// killed after it had stored, and before it said so.
struct Between {
    mediator: Arc<Mediator>,
    kept: Arc<Sqlite>,
    wallet: OnceLock<Arc<Node>>,
    loses: AtomicBool,
}

#[async_trait]
impl MediatorCourier for Between {
    async fn ask(&self, _inbox: &str, envelope: Vec<u8>) -> Result<Option<Vec<u8>>, NotDelivered> {
        let stored = !self.wallet.get().unwrap().store().envelopes(1).await.unwrap().is_empty();
        if stored && self.loses.swap(false, Ordering::SeqCst) {
            return Err(NotDelivered("lost".into()));
        }
        match self.mediator.take(&envelope, None).await {
            Ok(Taken::Answered(answer)) => Ok(Some(answer)),
            other => Err(NotDelivered(format!("{other:?}"))),
        }
    }

    async fn connect(&self, _inbox: &str) -> Result<Box<dyn Connection>, NotDelivered> {
        Err(NotDelivered("there are no connections here".into()))
    }
}

struct Scene {
    node: Arc<Node>,
    between: Arc<Between>,
    mediator_key: countersign::inbox::AgreementPublic,
    _dir: tempfile::TempDir,
}

impl Scene {
    async fn set(limits: InboxLimits) -> Self {
        Self::set_at(Admit::Open, limits).await
    }

    async fn set_at(admit: Admit, limits: InboxLimits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let kept =
            Arc::new(Sqlite::open(&dir.path().join("mediator.sqlite"), SealingKey::new(&[7; 32])).await.unwrap());
        let signer = key(9);
        // No key of the wallet's curve: what the two say to each other is signed instead.
        let agreement = AgreementKey::beside(signer.did(), AgreementSecret::new(Curve::X25519, &[8; 32]).unwrap());
        let mediator_key = agreement.public();
        let settings = MediatorSettings { admit, ..MediatorSettings::default() };
        let url = "https://mediator.example/inbox".to_owned();
        let (store, post) = (Arc::clone(&kept) as Arc<dyn MediatorStore>, Arc::<Bag>::default());
        let mediator =
            Arc::new(Mediator::new(Arc::new(signer), vec![agreement], settings, Trust::default(), url, store, post));
        let settings: Settings = serde_json::from_value(json!({
            "trust": {}, "inbox_url": "https://nowhere.example/inbox",
            "mediator": { "contact": mediator.contact().unwrap(), "poll_within": 1 },
        }))
        .unwrap();
        let own = Sqlite::open_within(&dir.path().join("wallet.sqlite"), SealingKey::new(&[7; 32]), limits, None)
            .await
            .unwrap();
        let registry = Arc::new(ScriptedChain::new(chance::now().unwrap()));
        let keys = vec![AgreementKey::of_did_key(&key(2)).unwrap()];
        // Its loops do not run: what is stored stays where it can be counted.
        let node =
            Arc::new(Node::new(Arc::new(key(2)), keys, settings, Arc::new(own), registry, Arc::<Bag>::default()));
        let between =
            Between { mediator, kept, wallet: OnceLock::from(Arc::clone(&node)), loses: AtomicBool::new(false) };
        Self { node, between: Arc::new(between), mediator_key, _dir: dir }
    }

    fn pick_up(&self) -> tokio::task::JoinHandle<()> {
        let courier = Arc::clone(&self.between) as Arc<dyn MediatorCourier>;
        tokio::spawn(Pickup::new(Arc::clone(&self.node), courier).run())
    }

    async fn until(&self, what: &str, mut look: impl AsyncFnMut() -> bool) {
        for _ in 0..600 {
            if look().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{what} did not happen: {:?}", self.node.mediation());
    }

    /// Sends something to the wallet by way of its mediator.
    async fn send(&self, note: &str) {
        let (from, to) = (key(3), key(2));
        let message = Message {
            id: chance::urn_uuid().unwrap(),
            kind: "urn:countersign:negotiation/1.0/state".into(),
            from: from.did().clone(),
            to: vec![to.did().clone()],
            thid: None,
            pthid: None,
            created_time: None,
            expires_time: None,
            body: json!({ "note": note }),
            attachments: vec![],
        };
        let mut random = |bytes: &mut [u8]| chance::fill(bytes).unwrap();
        let keys = [AgreementKey::of_did_key(&to).unwrap().public()];
        let envelope = seal(&message, &from, &keys, &mut random).unwrap();
        let wrapped = wrap(envelope, to.did(), std::slice::from_ref(&self.mediator_key), &mut random).unwrap();
        assert_eq!(self.between.mediator.take(&wrapped, None).await.unwrap(), Taken::Kept);
    }

    async fn at_the_mediator(&self) -> u64 {
        self.between.kept.members().await.unwrap().first().map_or(0, |member| member.messages)
    }

    async fn here(&self) -> Vec<(Digest, Vec<u8>)> {
        self.node.store().envelopes(100).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_names_the_mediator_once_it_has_said_yes() {
    let scene = Scene::set(InboxLimits::default()).await;
    assert!(matches!(scene.node.contact(), Err(NodeFault::Unready(_))), "nobody could answer yet");
    let picking = scene.pick_up();
    scene.until("mediation", async || scene.node.contact().is_ok()).await;
    let view = scene.node.mediation();
    assert_eq!(view.standing, MediationStanding::Granted);
    assert_eq!(view.url.as_deref(), Some("https://mediator.example/inbox"));
    let contact =
        Contact::verify(&Unverified::new(scene.node.contact().unwrap()), &Documents::default(), &mut Trail::default());
    assert_eq!(contact.unwrap().routing.first(), Some(&scene.mediator_key));
    // Who is shown out asks again, and adds its DID again.
    scene.between.mediator.dismiss(key(2).did()).await.unwrap();
    let registered = async || scene.between.kept.recipients(key(2).did(), 1, 0).await.unwrap().1 == 1;
    scene.until("asking again", registered).await;
    picking.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_acknowledged_comes_again_and_is_kept_once() {
    let scene = Scene::set(InboxLimits::default()).await;
    let picking = scene.pick_up();
    scene.until("mediation", async || scene.node.contact().is_ok()).await;
    scene.between.loses.store(true, Ordering::SeqCst);
    scene.send("once").await;
    scene.until("losing", async || !scene.between.loses.load(Ordering::SeqCst)).await;
    assert_eq!(
        (scene.here().await.len(), scene.at_the_mediator().await),
        (1, 1),
        "stored here, and not forgotten there"
    );
    scene.until("picking up", async || scene.at_the_mediator().await == 0).await;
    assert_eq!(scene.here().await.len(), 1, "delivered twice, kept once");
    picking.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_denied_says_no_longer_that_it_is_reached_there() {
    let scene = Scene::set_at(Admit::Listed, InboxLimits::default()).await;
    let picking = scene.pick_up();
    scene.until("denying", async || scene.node.mediation().trouble.is_some()).await;
    assert_eq!(scene.node.mediation().standing, MediationStanding::Denied);
    let why = scene.node.contact().unwrap_err().to_string();
    assert!(why.contains("countersign mediation"), "{why}");
    assert!(scene.node.mediation().trouble.unwrap().contains("denied"));
    picking.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_inbox_leaves_the_messages_where_they_are() {
    let scene = Scene::set(InboxLimits { envelopes: 2, bytes: 1 << 20 }).await;
    let picking = scene.pick_up();
    scene.until("mediation", async || scene.node.contact().is_ok()).await;
    for note in ["1", "2", "3"] {
        scene.send(note).await;
    }
    scene.until("picking up", async || scene.at_the_mediator().await == 1).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(
        (scene.here().await.len(), scene.at_the_mediator().await),
        (2, 1),
        "nothing without room is acknowledged"
    );
    let (digest, _) = scene.here().await.remove(0);
    scene.node.store().drop_envelope(digest).await.unwrap();
    scene.until("picking up", async || scene.at_the_mediator().await == 0).await;
    assert_eq!(scene.here().await.len(), 2);
    picking.abort();
}
