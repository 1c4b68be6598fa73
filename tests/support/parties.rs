//! A provider, a consumer and an operator with fixed keys, and really signed and verified papers between them.
//!
//! Signing and verifying is slow without optimisation, so everything here is made once.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use countersign::check::{Refusal, Trail};
use countersign::credential::{
    Account, Acknowledgement, Admission, ApprovedTemplate, Asked, Asset, ChainTrust, Contents, ContractId, Core, Draft,
    Entry, KeyStatement, LegalId, Offer, Papers, Participant, Party, RegistryUrn, Termination, Trust, accept, offer,
};
use countersign::encoding::{Digest, Timestamp, encode};
use countersign::identity::{Did, Documents, SecretKey, Signer, Unverified, Verified};
use countersign::negotiation::{CorePaper, OfferPaper, RequestPaper};
use countersign::policy::{Blanks, Money};
use serde_json::{Value, json};

/// Seconds after the moment at which every story here begins.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds).unwrap()
}

pub const DAY: i64 = 86_400;
pub const CHAIN: u64 = 127_823;
pub const REGISTRY: Account = Account([0xab; 20]);
pub const RECORDER: Account = Account([0xcd; 20]);
pub const WITHDRAWAL: Account = Account([0xee; 20]);

/// Who takes part, a stranger included.
pub struct Parties {
    pub operator: SecretKey,
    pub provider: SecretKey,
    pub consumer: SecretKey,
    pub stranger: SecretKey,
    pub trust: Trust,
    pub documents: Documents,
    pub provider_paper: String,
    pub consumer_paper: String,
    pub approval: String,
}

/// A request and the offers that answer it, in the order in which they are made.
pub struct Deal {
    pub pid: String,
    pub request: RequestPaper,
    pub asked: Asked,
    pub offers: Vec<Offered>,
}

/// An offer with two acceptances of it: one that names an account, one that does not.
pub struct Offered {
    pub offer: Verified<Offer>,
    pub paper: OfferPaper,
    pub cores: [Verified<Core>; 2],
    pub papers: [CorePaper; 2],
}

/// When an offer can be accepted and must be recorded, in seconds.
pub type Windows = (i64, i64);

pub fn key(seed: u8) -> SecretKey {
    SecretKey::p256(&[seed; 32]).unwrap()
}

fn admission(member: &SecretKey, recorders: &[String]) -> Admission {
    Admission {
        did: member.did().clone(),
        legal_name: "Example GmbH".into(),
        legal_id: LegalId { scheme: "LEI".into(), value: "5299009N55YRQC69CN08".into() },
        country: "DE".into(),
        keys: vec![member.public_key().thumbprint()],
        recorders: recorders.to_vec(),
        iat: at(-DAY),
        nbf: at(-DAY),
        exp: at(400 * DAY),
    }
}

pub fn template() -> Value {
    json!({
        "id": "urn:uuid:7a1c9b1e-0a53-4b6e-9d6c-2f3a44f1c001", "version": "1", "title": "Licence",
        "nbf": at(-DAY), "exp": at(400 * DAY),
        "parameters": {"uses": {"type": "integer", "min": 1, "max": 10}},
        "terms": {
            "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Offer", "@id": {"param": "contract_id"},
            "target": {"param": "asset"}, "assigner": {"param": "provider"}, "assignee": {"param": "consumer"},
            "permission": [{"action": "use", "constraint": [
                {"leftOperand": "count", "operator": "lteq", "rightOperand": {"param": "uses"}}]}]
        },
        "fee": {"kind": "percentage", "percent": "2.5", "minimum": "5.00", "currency": "EUR"}
    })
}

impl Parties {
    pub fn new() -> Self {
        let (operator, provider, consumer, stranger) = (key(1), key(2), key(3), key(9));
        let recorders = [format!("eip155:{CHAIN}:{RECORDER}")];
        let chain = ChainTrust { chain_id: CHAIN, registry: REGISTRY, code_hash: Digest::of("code"), rpc: vec![] };
        Self {
            provider_paper: Participant::admit(&admission(&provider, &recorders), &operator).unwrap(),
            consumer_paper: Participant::admit(&admission(&consumer, &[]), &operator).unwrap(),
            approval: ApprovedTemplate::approve(template().to_string().as_bytes(), &operator).unwrap(),
            trust: Trust { operators: vec![operator.did().clone()], pinned: vec![], chains: vec![chain] },
            documents: Documents::default(),
            operator,
            provider,
            consumer,
            stranger,
        }
    }

    /// A negotiation of its own, `number`, with one offer for each of `windows`.
    pub fn deal(&self, number: u8, windows: &[Windows]) -> Deal {
        let pid = format!("urn:uuid:00000000-0000-4000-8000-0000000000{number:02x}");
        let one_time = key(100 + number);
        let statement =
            KeyStatement::state(&self.consumer, self.provider.did(), &pid, one_time.public_key(), at(-60), at(DAY));
        let asset = asset();
        let request = RequestPaper {
            asset: asset.id.clone(),
            template: None,
            parameters: BTreeMap::new(),
            price: None,
            promisor: None,
            promisee: None,
            offer_id: None,
            consumer_key: one_time.public_key().jwk(),
            key_statement: statement.unwrap(),
            participant: self.consumer_paper.clone(),
        };
        let asked = Asked {
            provider: self.provider.did().clone(),
            consumer: self.consumer.did().clone(),
            promisor: None,
            promisee: None,
            asset: asset.id,
            negotiation: pid.clone(),
            consumer_key: request.consumer_key.clone(),
        };
        let offers = (0_u8..).zip(windows).map(|(index, windows)| {
            let id = format!("urn:uuid:00000000-0000-4000-9000-00000000{number:02x}{index:02x}");
            self.offered(&id, *windows, &request, &one_time)
        });
        let offers = offers.collect();
        Deal { pid, request, asked, offers }
    }

    fn offered(&self, id: &str, windows: Windows, request: &RequestPaper, one_time: &SecretKey) -> Offered {
        let draft = self.draft(id, windows, request);
        let salt = Digest::of(id);
        let salts = std::array::from_fn(|index| {
            let mut own = [0; 16];
            own.copy_from_slice(&salt.as_bytes()[..16]);
            own[0] = u8::try_from(index).unwrap();
            own
        });
        let text = offer(&draft, &salts, &self.provider).unwrap();
        let offer = self.verified(&text, at(0)).unwrap();
        let cores = [Some(WITHDRAWAL), None].map(|account| {
            let acceptance = accept(&offer, account, one_time, at(1)).unwrap();
            Core::read(&Core::join(&offer, &acceptance), &self.documents, &mut Trail::default()).unwrap()
        });
        let papers = [CorePaper::of(&cores[0]), CorePaper::of(&cores[1])];
        Offered { paper: OfferPaper::of(&offer), offer, cores, papers }
    }

    /// Verifies an offer between the two parties.
    pub fn verified(&self, text: &str, now: Timestamp) -> Result<Verified<Offer>, Refusal> {
        let papers = Papers {
            provider: &Unverified::new(&self.provider_paper),
            consumer: &Unverified::new(&self.consumer_paper),
            approval: &Unverified::new(&self.approval),
            trust: &self.trust,
            documents: &self.documents,
        };
        Offer::verify(&Unverified::new(text), &papers, now, &mut Trail::default())
    }

    fn draft(&self, id: &str, (accept_by, record_by): Windows, request: &RequestPaper) -> Draft {
        let contract_id: ContractId = id.parse().unwrap();
        let (approval, documents) = (Unverified::new(&self.approval), &self.documents);
        let approved = ApprovedTemplate::verify(&approval, &self.trust, documents, at(0), &mut Trail::default());
        let approved = approved.unwrap();
        let price: Money = serde_json::from_value(json!({"amount": "1000.00", "currency": "EUR"})).unwrap();
        let (provider, consumer, asset) = (self.provider.did(), self.consumer.did(), asset());
        let blanks = Blanks { asset: &asset.id, provider, consumer, contract_id: id };
        let terms = approved.template.fill(&blanks, &BTreeMap::from([("uses".into(), json!(3))])).unwrap();
        let party = |did: &Did, paper: &str| Party { did: did.clone(), participant: Digest::of(paper).b64u() };
        Draft {
            iat: at(0),
            exp: at(200 * DAY),
            consumer_key: request.consumer_key.clone(),
            contract_id,
            negotiation_nonce: encode(Digest::of(id).as_bytes()),
            accept_by: at(accept_by),
            record_by: at(record_by),
            registry: RegistryUrn { chain_id: CHAIN, address: REGISTRY },
            recorder: RECORDER,
            template_id: approved.template.id.clone(),
            template_hash: approved.hash.clone(),
            contents: Contents {
                provider: party(provider, &self.provider_paper),
                consumer: party(consumer, &self.consumer_paper),
                promisor: provider.clone(),
                promisee: consumer.clone(),
                asset,
                fee: approved.template.fee(&price).unwrap(),
                price,
                terms,
                consumer_key_statement: request.key_statement.clone(),
            },
        }
    }

    /// The signed acknowledgement of `entry` by one of the two.
    pub fn acknowledge(&self, core: &Core, entry: &Entry, by: &SecretKey) -> String {
        let told = (core.hash, entry.block_hash, entry.block_time, by.did().clone());
        once(format!("{told:?}"), || Ok(Acknowledgement::sign(core, entry, by).unwrap())).unwrap()
    }

    /// A signed termination by one of the two.
    pub fn terminate(&self, termination: &Termination, by: &SecretKey) -> String {
        once(format!("{termination:?} {}", by.did()), || Ok(termination.sign(by).unwrap())).unwrap()
    }

    /// Verifies an acknowledgement as a node does.
    pub fn acknowledged(&self, text: &str, by: &Did) -> Result<Verified<Acknowledgement>, Refusal> {
        thread_local!(static KNOWN: Known<Verified<Acknowledgement>> = RefCell::default());
        known(&KNOWN, format!("{text} {by}"), || {
            Acknowledgement::verify(text, by, &self.documents, &mut Trail::default())
        })
    }

    /// Verifies a termination as a node does.
    pub fn terminated(&self, text: &str, by: &Did) -> Result<Verified<Termination>, Refusal> {
        thread_local!(static KNOWN: Known<Verified<Termination>> = RefCell::default());
        known(&KNOWN, format!("{text} {by}"), || Termination::verify(text, by, &self.documents, &mut Trail::default()))
    }

    /// Verifies a core as a node does.
    pub fn core(&self, text: &str) -> Result<Verified<Core>, Refusal> {
        thread_local!(static KNOWN: Known<Verified<Core>> = RefCell::default());
        known(&KNOWN, text.to_owned(), || Core::read(&Unverified::new(text), &self.documents, &mut Trail::default()))
    }
}

type Known<T> = RefCell<HashMap<String, Result<T, Refusal>>>;

fn known<T: Clone>(
    memory: &'static std::thread::LocalKey<Known<T>>,
    what: String,
    make: impl FnOnce() -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    memory.with_borrow_mut(|memory| memory.entry(what).or_insert_with(make).clone())
}

fn once(what: String, make: impl FnOnce() -> Result<String, Refusal>) -> Result<String, Refusal> {
    thread_local!(static SIGNED: Known<String> = RefCell::default());
    known(&SIGNED, what, make)
}

fn asset() -> Asset {
    Asset {
        id: "urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0001".into(),
        title: "Junction".into(),
        media_type: "application/xml".into(),
        sha256: "9f".repeat(32),
        size: Some(48_211),
        version: None,
        endpoint: "https://data.example/assets/junction.xodr".into(),
    }
}

/// An entry of `core` in block `block` at `time`.
pub fn entry(core: &Core, block: u64, time: Timestamp) -> Entry {
    Entry {
        chain_id: CHAIN,
        registry: REGISTRY,
        recorder: RECORDER,
        hash: core.hash,
        transaction: Digest::of(core.claims.contract_id.to_string()),
        log_index: 0,
        block,
        block_hash: Digest::of(format!("block {block}")),
        block_time: time,
    }
}
