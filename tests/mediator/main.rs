//! A mediator and those who use it, with a real store: who may, what is kept, and until when.

mod asked;
mod doors;
mod kept;
#[path = "../support/members.rs"]
mod members;
mod who;

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
    Quota, Taken, chance,
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
