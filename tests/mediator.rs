//! A mediator and those who use it, with a real store: who may, what is kept, and until when.

#[path = "support/members.rs"]
mod members;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use countersign::check::Trail;
use countersign::courier::{AddressPolicy, HttpCourier};
use countersign::credential::Trust;
use countersign::encoding::Timestamp;
use countersign::http::{mediator_router, serve};
use countersign::identity::{Did, SecretKey, Signer as _};
use countersign::inbox::mediation::{Action, Answer, Outcome, Queue, Request, Update, Updated, Word};
use countersign::inbox::{
    self, AgreementKey, AgreementPublic, AgreementSecret, Contact, Contents, Curve, MAX_OUTER, Message, Sealed,
};
use countersign::node::{
    Admit, Courier, Line, Mediator, MediatorCourier as _, MediatorSettings, MediatorStore, NodeFault, NotDelivered,
    Quota, Taken, chance, checks,
};
use countersign::store::{SealingKey, Sqlite};
use serde_json::json;

/// A party whose DID spells its key agreement key.
struct Party {
    key: SecretKey,
    agreement: AgreementKey,
}

impl Party {
    fn new(secret: u8) -> Self {
        let key = SecretKey::ed25519(&[secret; 32]).unwrap();
        Self { agreement: AgreementKey::of_did_key(&key).unwrap(), key }
    }

    fn did(&self) -> Did {
        self.key.did().clone()
    }

    fn message(&self, request: &Request, to: &Did) -> Message {
        let (kind, body, attachments) = request.write();
        Message {
            id: chance::uuid().unwrap().to_string(),
            kind,
            from: self.did(),
            to: vec![to.clone()],
            thid: None,
            pthid: None,
            created_time: None,
            expires_time: None,
            body,
            attachments,
        }
    }
}

/// Keeps what is posted.
#[derive(Default)]
struct Post(Mutex<Vec<(String, Vec<u8>)>>);

#[async_trait]
impl Courier for Post {
    async fn deliver(&self, inbox: &str, envelope: Vec<u8>) -> Result<(), NotDelivered> {
        self.0.lock().unwrap().push((inbox.to_owned(), envelope));
        Ok(())
    }
}

/// A mediator on a store of its own.
struct House {
    mediator: Arc<Mediator>,
    store: Arc<Sqlite>,
    post: Arc<Post>,
    key: AgreementPublic,
    _dir: tempfile::TempDir,
}

fn trusting(operators: &[Did]) -> Trust {
    Trust { operators: operators.to_vec(), ..Trust::default() }
}

fn random(bytes: &mut [u8]) {
    chance::fill(bytes).unwrap();
}

impl House {
    async fn open(settings: MediatorSettings, trust: Trust) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Sqlite::open(&dir.path().join("store.sqlite"), SealingKey::new(&[7; 32])).await.unwrap());
        let signer = SecretKey::p256(&[99; 32]).unwrap();
        let agreement = AgreementKey::beside(signer.did(), AgreementSecret::new(Curve::X25519, &[98; 32]).unwrap());
        let (key, post) = (agreement.public(), Arc::<Post>::default());
        let url = "https://mediator.example/inbox".to_owned();
        let keeping = Arc::clone(&store) as Arc<dyn MediatorStore>;
        let courier = Arc::clone(&post) as Arc<dyn Courier>;
        let mediator = Mediator::new(Arc::new(signer), vec![agreement], settings, trust, url, keeping, courier);
        Self { mediator: Arc::new(mediator), store, post, key, _dir: dir }
    }

    async fn open_to_all() -> Self {
        Self::open(MediatorSettings { admit: Admit::Open, ..MediatorSettings::default() }, trusting(&[])).await
    }

    fn did(&self) -> Did {
        self.mediator.did().clone()
    }

    fn sealed(&self, party: &Party, request: &Request) -> Vec<u8> {
        let message = party.message(request, &self.did());
        inbox::seal_from(&message, &party.agreement, std::slice::from_ref(&self.key), &mut random).unwrap()
    }

    fn opened(&self, party: &Party, envelope: &[u8]) -> Answer {
        let sealed = Sealed::read(envelope, MAX_OUTER).unwrap();
        match sealed.open(std::slice::from_ref(&party.agreement), Some(&self.key)).unwrap() {
            Contents::Plain(plain) => {
                let now = chance::now().unwrap();
                let message = plain.verify(&party.did(), now, &mut Trail::default()).unwrap();
                Answer::read(&message).unwrap().unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    async fn on(&self, line: Option<&mut Line>, party: &Party, request: Request) -> Answer {
        match self.mediator.take(&self.sealed(party, &request), line).await.unwrap() {
            Taken::Answered(envelope) => self.opened(party, &envelope),
            other => panic!("{other:?}"),
        }
    }

    async fn ask(&self, party: &Party, request: Request) -> Answer {
        self.on(None, party, request).await
    }

    async fn update(&self, party: &Party, did: &Did, action: Action, words: Vec<String>) -> Outcome {
        let updates = vec![Update { recipient: did.to_string(), action }];
        match self.ask(party, Request::Update { updates, words }).await {
            Answer::Updated(updated) => updated[0].result,
            other => panic!("{other:?}"),
        }
    }

    async fn enrol(&self, party: &Party) {
        assert_eq!(self.ask(party, mediate(None)).await, Answer::Granted(vec![self.did()]));
        assert_eq!(self.update(party, &party.did(), Action::Add, vec![]).await, Outcome::Success);
    }

    /// An envelope for `to`, which the mediator cannot open, in one for the mediator.
    fn forward(&self, to: &Party, note: &str) -> (Vec<u8>, Vec<u8>) {
        let from = Party::new(77);
        let message = Message {
            id: chance::uuid().unwrap().to_string(),
            kind: "urn:countersign:negotiation/1.0/state".into(),
            from: from.did(),
            to: vec![to.did()],
            thid: None,
            pthid: None,
            created_time: None,
            expires_time: None,
            body: json!({ "note": note }),
            attachments: vec![],
        };
        let inner = inbox::seal(&message, &from.key, &[to.agreement.public()], &mut random).unwrap();
        let outer = inbox::wrap(inner.clone(), &to.did(), std::slice::from_ref(&self.key), &mut random).unwrap();
        (inner, outer)
    }

    async fn send(&self, to: &Party, note: &str) -> Result<Taken, NodeFault> {
        let (_, outer) = self.forward(to, note);
        self.mediator.take(&outer, None).await
    }

    async fn waiting(&self, party: &Party) -> u64 {
        queue(self.ask(party, Request::Status { recipient: None }).await).message_count
    }
}

fn mediate(participant: Option<String>) -> Request {
    Request::Mediate { contact: None, participant }
}

fn deliver(limit: usize) -> Request {
    Request::Deliver { limit, recipient: None }
}

fn queue(answer: Answer) -> Queue {
    match answer {
        Answer::Status(queue) => queue,
        other => panic!("{other:?}"),
    }
}

fn delivered(answer: Answer) -> Vec<(String, String)> {
    match answer {
        Answer::Delivery { held, .. } => held.into_iter().map(|held| (held.id, held.envelope)).collect(),
        other => panic!("{other:?}"),
    }
}

fn is_problem(answer: &Answer, check: &countersign::check::Check) -> bool {
    matches!(answer, Answer::Problem { code, .. } if *code == format!("e.p.{}", check.id()))
}

#[tokio::test]
async fn what_was_forwarded_waits_until_its_recipient_has_stored_it() {
    let (house, alice, bob) = (House::open_to_all().await, Party::new(1), Party::new(2));
    house.enrol(&alice).await;
    house.enrol(&bob).await;
    let mut sent = vec![];
    for note in 0..20 {
        let (inner, outer) = house.forward(&alice, &note.to_string());
        assert_eq!(house.mediator.take(&outer, None).await.unwrap(), Taken::Kept);
        // The same envelope once more, in another wrapping: kept once.
        let again = inbox::wrap(inner.clone(), &alice.did(), std::slice::from_ref(&house.key), &mut random).unwrap();
        assert_eq!(house.mediator.take(&again, None).await.unwrap(), Taken::Kept);
        sent.push(inner);
    }
    assert_eq!(house.send(&bob, "bob's").await.unwrap(), Taken::Kept);

    let status = queue(house.ask(&alice, Request::Status { recipient: Some(alice.did()) }).await);
    assert_eq!((status.message_count, status.recipient_did.clone()), (20, Some(alice.did())));
    assert_eq!(status.total_bytes, Some(sent.iter().map(Vec::len).sum::<usize>() as u64));
    assert_eq!(status.live_delivery, Some(false));
    let of_bob = queue(house.ask(&alice, Request::Status { recipient: Some(bob.did()) }).await);
    assert_eq!(of_bob.message_count, 0, "another's queue is told to nobody else");

    // Oldest first, as they came, byte for byte; and nothing goes before it is acknowledged.
    let first = delivered(house.ask(&alice, deliver(16)).await);
    assert_eq!(first.len(), 16);
    for ((_, envelope), sent) in first.iter().zip(&sent) {
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(envelope).unwrap(),
            serde_json::from_slice::<serde_json::Value>(sent).unwrap()
        );
    }
    assert_eq!(delivered(house.ask(&alice, deliver(16)).await), first);
    let ids: Vec<String> = first.iter().map(|(id, _)| id.clone()).collect();
    let of_alice = queue(house.ask(&bob, Request::Received { ids: ids.clone() }).await);
    assert_eq!((of_alice.message_count, house.waiting(&alice).await), (1, 20), "nobody acknowledges for another");
    assert_eq!(queue(house.ask(&alice, Request::Received { ids: ids.clone() }).await).message_count, 4);
    assert_eq!(queue(house.ask(&alice, Request::Received { ids }).await).message_count, 4);
    let rest = delivered(house.ask(&alice, deliver(1000)).await);
    assert_eq!(rest.len(), 4);
    let ids = rest.into_iter().map(|(id, _)| id).collect();
    house.ask(&alice, Request::Received { ids }).await;
    // An empty queue is told, not delivered.
    assert_eq!(queue(house.ask(&alice, deliver(10)).await).message_count, 0);
}

#[tokio::test]
async fn nobody_takes_anothers_did() {
    let (house, alice, bob, carol) = (House::open_to_all().await, Party::new(1), Party::new(2), Party::new(3));
    for party in [&bob, &carol] {
        house.enrol(party).await;
    }
    let word = |of: &Party, to: &Party| {
        let exp = chance::now().unwrap().plus(600);
        Word { recipient: of.did(), member: to.did(), mediator: house.did(), exp }.sign(&of.key).unwrap()
    };
    // Alice uses this mediator not yet; bob is quicker.
    assert_eq!(house.update(&bob, &alice.did(), Action::Add, vec![]).await, Outcome::ClientError);
    assert_eq!(house.update(&bob, &alice.did(), Action::Add, vec![word(&bob, &bob)]).await, Outcome::ClientError);
    assert_eq!(house.update(&bob, &alice.did(), Action::Add, vec![word(&alice, &carol)]).await, Outcome::ClientError);
    assert!(matches!(house.send(&alice, "x").await, Err(NodeFault::Unknown { .. })));
    // A DID may say itself who picks up for it; and say so differently later.
    assert_eq!(house.update(&bob, &alice.did(), Action::Add, vec![word(&alice, &bob)]).await, Outcome::Success);
    assert_eq!(house.update(&bob, &alice.did(), Action::Add, vec![word(&alice, &bob)]).await, Outcome::NoChange);
    assert_eq!(house.update(&carol, &alice.did(), Action::Add, vec![word(&alice, &carol)]).await, Outcome::ClientError);
    assert_eq!(house.update(&carol, &alice.did(), Action::Remove, vec![]).await, Outcome::NoChange);
    assert_eq!(house.send(&alice, "for alice").await.unwrap(), Taken::Kept);
    assert_eq!((house.waiting(&bob).await, house.waiting(&carol).await), (1, 0));
    house.enrol(&alice).await;
    assert_eq!((house.waiting(&alice).await, house.waiting(&bob).await), (1, 0), "what waits goes with its DID");
    assert_eq!(house.update(&bob, &alice.did(), Action::Add, vec![word(&alice, &bob)]).await, Outcome::ClientError);

    let Answer::Recipients(dids, page) = house.ask(&bob, Request::Query { page: Some((10, 0)) }).await else {
        panic!()
    };
    assert_eq!((dids, page.unwrap().remaining), (vec![bob.did()], 0));
    // A DID of a method that is not known here is answered, not refused.
    let updates = vec![Update { recipient: "did:peer:2.abc".into(), action: Action::Add }];
    let answer = house.ask(&bob, Request::Update { updates, words: vec![] }).await;
    let result = Updated { recipient: "did:peer:2.abc".into(), action: Action::Add, result: Outcome::ClientError };
    assert_eq!(answer, Answer::Updated(vec![result]));
    assert_eq!(house.update(&bob, &bob.did(), Action::Remove, vec![]).await, Outcome::Success);
    assert!(matches!(house.send(&bob, "x").await, Err(NodeFault::Unknown { .. })));
}

#[tokio::test]
async fn mediation_is_granted_to_whom_the_configuration_says() {
    let (operator, alice, bob) = (SecretKey::p256(&[50; 32]).unwrap(), Party::new(1), Party::new(2));
    let credential = members::credential(&alice.key, &operator, vec![], chance::now().unwrap());
    let house = House::open(MediatorSettings::default(), trusting(&[operator.did().clone()])).await;
    assert_eq!(house.ask(&alice, mediate(None)).await, Answer::Denied);
    assert_eq!(house.ask(&bob, mediate(Some(credential.clone()))).await, Answer::Denied, "another's credential");
    assert!(matches!(house.ask(&bob, mediate(Some("no credential".into()))).await, Answer::Problem { .. }));
    for request in [deliver(1), Request::Status { recipient: None }, Request::Query { page: None }] {
        assert!(is_problem(&house.ask(&bob, request).await, &checks::MEMBER));
    }
    assert_eq!(house.ask(&alice, mediate(Some(credential))).await, Answer::Granted(vec![house.did()]));
    assert_eq!(house.ask(&alice, mediate(None)).await, Answer::Granted(vec![house.did()]), "once granted, it stays");
    house.mediator.dismiss(&alice.did()).await.unwrap();
    assert_eq!(house.ask(&alice, mediate(None)).await, Answer::Denied);

    let quota = Quota { members: 1, ..Quota::default() };
    let listed = MediatorSettings { admit: Admit::Listed, dids: vec![alice.did(), bob.did()], quota };
    let house = House::open(listed, trusting(&[])).await;
    assert_eq!(house.ask(&Party::new(3), mediate(None)).await, Answer::Denied);
    house.enrol(&alice).await;
    assert_eq!(house.ask(&bob, mediate(None)).await, Answer::Denied, "there is no room for another member");
    house.enrol_again(&alice).await;
}

impl House {
    async fn live(&self, party: &Party) -> usize {
        let members = self.mediator.view().await.unwrap().members;
        members.iter().find(|member| member.did == party.did()).unwrap().live
    }

    async fn enrol_again(&self, party: &Party) {
        assert_eq!(self.ask(party, mediate(None)).await, Answer::Granted(vec![self.did()]));
        assert_eq!(self.update(party, &party.did(), Action::Add, vec![]).await, Outcome::NoChange);
    }
}

#[tokio::test]
async fn quotas_hold_and_what_is_not_picked_up_expires() {
    let (alice, bob) = (Party::new(1), Party::new(2));
    let settings = |quota| MediatorSettings { admit: Admit::Open, quota, ..MediatorSettings::default() };
    let one = { House::open_to_all().await.forward(&alice, "1").0.len() as u64 };
    for quota in [
        Quota { messages: 2, ..Quota::default() },
        Quota { bytes: one * 5 / 2, ..Quota::default() },
        Quota { member_bytes: one * 5 / 2, ..Quota::default() },
        Quota { total_bytes: one * 5 / 2, ..Quota::default() },
    ] {
        let house = House::open(settings(quota), trusting(&[])).await;
        house.enrol(&alice).await;
        house.enrol(&bob).await;
        for (note, taken) in [("1", Taken::Kept), ("2", Taken::Kept), ("3", Taken::Full)] {
            assert_eq!(house.send(&alice, note).await.unwrap(), taken, "{quota:?}");
        }
        let other = if quota.total_bytes < one * 3 { Taken::Full } else { Taken::Kept };
        assert_eq!(house.send(&bob, "1").await.unwrap(), other, "another's queue has room of its own");
        let ids = delivered(house.ask(&alice, deliver(1)).await).into_iter().map(|(id, _)| id).collect();
        house.ask(&alice, Request::Received { ids }).await;
        assert_eq!(house.send(&alice, "3").await.unwrap(), Taken::Kept, "what is acknowledged makes room");
    }
    let house = House::open(settings(Quota { keep_for: 1, ..Quota::default() }), trusting(&[])).await;
    house.enrol(&alice).await;
    house.send(&alice, "soon gone").await.unwrap();
    let later = Timestamp::from_seconds(chance::now().unwrap().seconds() + 5).unwrap();
    assert_eq!(house.store.queue(&alice.did(), None, later).await.unwrap().message_count, 0);
    assert_eq!(house.store.expire(later).await.unwrap(), 1);
}

#[tokio::test]
async fn live_mode_sends_what_comes_at_once_and_forgets_nothing() {
    let settings = MediatorSettings { admit: Admit::Open, ..MediatorSettings::default() };
    let quota = Quota { live: 2, ..settings.quota };
    let house = House::open(MediatorSettings { quota, ..settings }, trusting(&[])).await;
    let (alice, bob) = (Party::new(1), Party::new(2));
    house.enrol(&alice).await;
    house.enrol(&bob).await;
    house.send(&alice, "before").await.unwrap();

    // A single request is no connection on which something could be sent later.
    let answer = house.ask(&alice, Request::Live { on: true }).await;
    assert!(matches!(answer, Answer::Problem { ref code, .. } if code == "e.m.live-mode-not-supported"));
    let (mut line, mut arrivals) = house.mediator.line();
    assert!(!line.serves());
    let status = queue(house.on(Some(&mut line), &alice, Request::Live { on: true }).await);
    assert_eq!((status.live_delivery, status.message_count), (Some(true), 1));
    assert!(line.serves());
    // What waited before is asked for; what comes now is sent.
    assert!(arrivals.try_recv().is_err());
    house.send(&alice, "now").await.unwrap();
    house.send(&bob, "not hers").await.unwrap();
    let id = arrivals.recv().await.unwrap();
    let sent = house.mediator.arrival(&line, &id).await.unwrap().unwrap();
    let sent = delivered(house.opened(&alice, &sent));
    assert_eq!((sent.len(), sent[0].0.as_str()), (1, id.as_str()));
    assert!(arrivals.try_recv().is_err(), "nothing of another member");
    assert_eq!(house.waiting(&alice).await, 2, "sent is not stored");
    house.on(Some(&mut line), &alice, Request::Received { ids: vec![id.clone()] }).await;
    assert_eq!(house.mediator.arrival(&line, &id).await.unwrap(), None);

    // A connection is one member's; each has a share of them.
    let on_hers = house.mediator.take(&house.sealed(&bob, &deliver(1)), Some(&mut line)).await;
    assert!(matches!(on_hers, Err(NodeFault::Refused(refusal)) if *refusal.check == checks::LINE));
    let (mut second, _) = house.mediator.line();
    house.on(Some(&mut second), &alice, Request::Live { on: true }).await;
    let (mut third, _) = house.mediator.line();
    let third = house.mediator.take(&house.sealed(&alice, &deliver(1)), Some(&mut third)).await;
    assert!(matches!(third, Err(NodeFault::Refused(refusal)) if *refusal.check == checks::LINE));
    assert_eq!(house.live(&alice).await, 2);
    drop(second);
    assert_eq!(queue(house.on(Some(&mut line), &alice, Request::Live { on: false }).await).live_delivery, Some(false));
    assert_eq!(house.live(&alice).await, 0);
    house.send(&alice, "later").await.unwrap();
    assert!(arrivals.try_recv().is_err());
}

#[tokio::test]
async fn answers_go_the_way_that_was_asked_for() {
    let (house, alice) = (House::open_to_all().await, Party::new(1));
    let plain = |request: &Request| {
        // As the specification has it: without `return_route` the answer is a message of its own.
        let message = alice.message(request, &house.did());
        let text = message.write().unwrap().replace(",\"return_route\":\"all\"", "");
        assert!(!text.contains("return_route"));
        let keys = [house.key.clone()];
        inbox::seal_text(&text, Some(&alice.agreement), &keys, MAX_OUTER, &mut random).unwrap()
    };
    let contact = Contact {
        did: alice.did(),
        url: "https://alice.example/inbox".into(),
        key: alice.agreement.public(),
        iat: chance::now().unwrap(),
        routing: vec![],
    };
    let contact = Some(contact.sign(&alice.key).unwrap());
    let taken = house.mediator.take(&plain(&Request::Mediate { contact, participant: None }), None).await.unwrap();
    assert_eq!(taken, Taken::Heard);
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        if !house.post.0.lock().unwrap().is_empty() {
            break;
        }
    }
    let (url, envelope) = house.post.0.lock().unwrap().pop().unwrap();
    assert_eq!(url, "https://alice.example/inbox");
    assert_eq!(house.opened(&alice, &envelope), Answer::Granted(vec![house.did()]));
    // How much waits is told to whoever is connected, or not at all.
    assert_eq!(house.mediator.take(&plain(&Request::Status { recipient: None }), None).await.unwrap(), Taken::Heard);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(house.post.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn only_envelopes_are_kept_and_only_for_whom_it_was_asked() {
    let (house, alice) = (House::open_to_all().await, Party::new(1));
    assert!(matches!(house.send(&alice, "x").await, Err(NodeFault::Unknown { .. })), "a stranger's, for a stranger");
    house.enrol(&alice).await;
    let kept_nothing = async |outer: Vec<u8>, check: &countersign::check::Check| {
        match house.mediator.take(&outer, None).await {
            Err(NodeFault::Refused(refusal)) => assert_eq!(refusal.check, check),
            other => panic!("{other:?}"),
        }
        assert_eq!(house.waiting(&alice).await, 0);
    };
    let forward = |body: serde_json::Value, inner: serde_json::Value, expires: Option<i64>| {
        let mut forward = json!({
            "id": "1", "type": "https://didcomm.org/routing/2.0/forward", "body": body,
            "attachments": [{ "id": "0", "data": { "json": inner } }],
        });
        if let Some(expires) = expires {
            forward["expires_time"] = expires.into();
        }
        let from = Party::new(9);
        inbox::seal_text(
            &forward.to_string(),
            Some(&from.agreement),
            std::slice::from_ref(&house.key),
            MAX_OUTER,
            &mut random,
        )
        .unwrap()
    };
    let (inner, _) = house.forward(&alice, "x");
    let inner: serde_json::Value = serde_json::from_slice(&inner).unwrap();
    let next = json!({ "next": alice.did() });
    kept_nothing(forward(next.clone(), json!({ "hello": 1 }), None), &inbox::checks::FORWARD).await;
    kept_nothing(forward(json!({ "next": "alice" }), inner.clone(), None), &inbox::checks::FORWARD).await;
    kept_nothing(forward(next.clone(), inner.clone(), Some(1_000_000_000)), &inbox::checks::EXPIRED).await;
    let mut large = inner.clone();
    large["ciphertext"] = "A".repeat(inbox::MAX_ENVELOPE).into();
    kept_nothing(forward(next.clone(), large, None), &inbox::checks::SIZE).await;
    // A key of the recipient is as good as its DID.
    let of_a_key = json!({ "next": alice.agreement.kid() });
    let taken = house.mediator.take(&forward(of_a_key, inner, None), None).await.unwrap();
    assert_eq!((taken, house.waiting(&alice).await), (Taken::Kept, 1));

    // What moves a negotiation is the wallet's, and a plaintext of another kind nobody's.
    let other =
        Message { kind: "urn:countersign:negotiation/1.0/request".into(), ..alice.message(&deliver(1), &house.did()) };
    let signed = inbox::seal(&other, &alice.key, std::slice::from_ref(&house.key), &mut random).unwrap();
    assert_eq!(house.mediator.take(&signed, None).await.unwrap(), Taken::Another);
    let sealed = inbox::seal_from(&other, &alice.agreement, std::slice::from_ref(&house.key), &mut random).unwrap();
    kept_nothing_more(&house, &sealed).await;
}

async fn kept_nothing_more(house: &House, envelope: &[u8]) {
    match house.mediator.take(envelope, None).await {
        Err(NodeFault::Refused(refusal)) => assert_eq!(*refusal.check, inbox::checks::UNSIGNED),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_nonsense_are_shown_out_at_the_door() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (house, alice) = (House::open_to_all().await, Party::new(1));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/inbox", listener.local_addr().unwrap());
    let router = mediator_router(Arc::clone(&house.mediator), None);
    let served = serve(listener, router, std::time::Duration::from_secs(30));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |body: Vec<u8>, kind: &str| {
        client.post(&url).header("content-type", kind).body(body).send().await.unwrap().status().as_u16()
    };
    let sealed = "application/didcomm-encrypted+json";
    let (_, forward) = house.forward(&alice, "x");
    assert_eq!(post(forward.clone(), "application/json").await, 415);
    assert_eq!(post(forward.clone(), sealed).await, 404, "nobody registered that recipient");
    assert_eq!(post(b"{}".to_vec(), sealed).await, 422);
    assert_eq!(post(vec![b'x'; MAX_OUTER + 1], sealed).await, 413);
    let other = Message { kind: "urn:x:y".into(), ..alice.message(&deliver(1), &house.did()) };
    let signed = inbox::seal(&other, &alice.key, std::slice::from_ref(&house.key), &mut random).unwrap();
    assert_eq!(post(signed, sealed).await, 404, "no wallet lives here");

    let courier = HttpCourier::new(AddressPolicy { private_networks: true }).unwrap();
    for nonsense in [b"hello".to_vec(), vec![b'x'; MAX_OUTER + 1], forward] {
        let mut line = courier.connect(&url).await.unwrap();
        let _ = line.send(nonsense).await;
        assert!(line.next().await.is_err(), "the connection is ended");
    }
    // A member's connection stays; what is answered is sealed for it alone.
    house.enrol(&alice).await;
    let mut line = courier.connect(&url).await.unwrap();
    line.send(house.sealed(&alice, &Request::Live { on: true })).await.unwrap();
    let said = line.next().await.unwrap();
    assert_eq!(queue(house.opened(&alice, &said)).live_delivery, Some(true));
    house.send(&alice, "live").await.unwrap();
    let said = line.next().await.unwrap();
    assert_eq!(delivered(house.opened(&alice, &said)).len(), 1);
    drop(line);
    for _ in 0..200 {
        if house.live(&alice).await == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(house.live(&alice).await, 0, "who hangs up is rung no more");
    let strict = HttpCourier::new(AddressPolicy::default()).unwrap();
    assert!(strict.connect(&url).await.is_err(), "no connection goes to a private network by default");
    served.shutdown().await;
}
