//! Contracts that open a gate: fixed keys, real signatures, and a registry that says what a test lets it say.

#![allow(dead_code)]

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use countersign::check::Trail;
use countersign::credential::{
    Account, Admission, ApprovedTemplate, Asset, ChainTrust, Contents, ContractId, Core, Draft, Entry, Head,
    KeyStatement, LegalId, Mark, NINE, Offer, Papers, Participant, Party, RegistryUrn, Sighting, Trust, accept, offer,
};
use countersign::encoding::{Digest, Timestamp, encode};
use countersign::gate::Answer;
use countersign::identity::{Documents, SecretKey, Signer, Unverified, Verified};
use countersign::node::{Depth, Registry, RegistryFault};
use countersign::policy::{Blanks, Money};
use serde_json::{Value, json};

pub const DAY: i64 = 86_400;
pub const REGISTRY: RegistryUrn = RegistryUrn { chain_id: 127_823, address: Account([0xab; 20]) };
pub const RECORDER: Account = Account([0xcd; 20]);
pub const WITHDRAWAL: Account = Account([0xef; 20]);

pub fn key(seed: u8) -> SecretKey {
    SecretKey::p256(&[seed; 32]).unwrap()
}

/// A permission to use without a condition.
pub fn free() -> Value {
    json!([{"action": "use"}])
}

/// A permission to use under one constraint.
pub fn under(left: &str, operator: &str, right: Value) -> Value {
    json!([{"action": "use", "constraint": [{"leftOperand": left, "operator": operator, "rightOperand": right}]}])
}

/// Provider, consumer, operator and gate, around a moment.
pub struct World {
    pub now: Timestamp,
    pub provider: SecretKey,
    pub consumer: SecretKey,
    pub operator: SecretKey,
    pub gate: SecretKey,
}

/// A countersigned contract with its one-time key.
pub struct Contract {
    pub core: Verified<Core>,
    pub offer: Verified<Offer>,
    pub key: SecretKey,
}

impl World {
    pub fn at(now: Timestamp) -> Self {
        Self { now, provider: key(2), consumer: key(3), operator: key(1), gate: key(5) }
    }

    pub fn asset(&self, origin: &str, data: &[u8]) -> Asset {
        Asset {
            id: "urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0001".into(),
            title: "Junction".into(),
            media_type: "application/xml".into(),
            sha256: Digest::of(data).hex()[2..].to_owned(),
            size: Some(data.len() as u64),
            version: None,
            endpoint: format!("{origin}/assets/junction"),
        }
    }

    /// A contract of this provider about an asset.
    pub fn contract(&self, number: u8, asset: Asset, permission: Value) -> Contract {
        self.contract_by(&self.provider, RECORDER, number, asset, permission)
    }

    /// A contract of any provider, recorded by any account.
    pub fn contract_by(
        &self,
        provider: &SecretKey,
        recorder: Account,
        number: u8,
        asset: Asset,
        permission: Value,
    ) -> Contract {
        let at = |seconds| self.now.plus(seconds);
        let documents = Documents::default();
        let admit = |member: &SecretKey| {
            let admission = Admission {
                did: member.did().clone(),
                legal_name: "Example GmbH".into(),
                legal_id: LegalId { scheme: "LEI".into(), value: "5299009N55YRQC69CN08".into() },
                country: "DE".into(),
                keys: vec![member.public_key().thumbprint()],
                recorders: vec![format!("eip155:{}:{recorder}", REGISTRY.chain_id)],
                iat: at(-DAY),
                nbf: at(-DAY),
                exp: at(400 * DAY),
            };
            Unverified::<Participant>::new(Participant::admit(&admission, &self.operator).unwrap())
        };
        let (provider_paper, consumer_paper) = (admit(provider), admit(&self.consumer));
        let template = json!({
            "id": "urn:uuid:7a1c9b1e-0a53-4b6e-9d6c-2f3a44f1c001", "version": "1", "title": "Licence",
            "nbf": at(-DAY), "exp": at(400 * DAY), "parameters": {},
            "terms": {
                "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Offer", "@id": {"param": "contract_id"},
                "target": {"param": "asset"}, "assigner": {"param": "provider"}, "assignee": {"param": "consumer"},
                "permission": permission,
            },
            "fee": {"kind": "fixed", "amount": "5.00", "currency": "EUR"}
        });
        let approval = ApprovedTemplate::approve(template.to_string().as_bytes(), &self.operator).unwrap();
        let approval = Unverified::<ApprovedTemplate>::new(approval);
        let chain = ChainTrust {
            chain_id: REGISTRY.chain_id,
            registry: REGISTRY.address,
            code_hash: Digest::of("code"),
            rpc: vec![],
        };
        let trust =
            Trust { operators: vec![self.operator.did().clone()], pinned: vec![], keys: vec![], chains: vec![chain] };
        let mut trail = Trail::default();
        let approved = ApprovedTemplate::verify(&approval, &trust, &documents, at(0), &mut trail).unwrap();
        let contract_id: ContractId =
            format!("urn:uuid:025b413f-8a9a-421e-a648-a7dd068300{number:02x}").parse().unwrap();
        let one_time = key(100 + number);
        let blanks = Blanks {
            asset: &asset.id,
            provider: provider.did(),
            consumer: self.consumer.did(),
            contract_id: &contract_id.to_string(),
        };
        let price: Money = serde_json::from_value(json!({"amount": "1000.00", "currency": "EUR"})).unwrap();
        let public = one_time.public_key();
        let statement = KeyStatement::state(&self.consumer, provider.did(), "urn:uuid:n", public, at(-900), at(DAY));
        let party = |member: &SecretKey, paper: &Unverified<Participant>| Party {
            did: member.did().clone(),
            participant: Digest::of(paper.text()).b64u(),
        };
        let draft = Draft {
            iat: at(-600),
            exp: at(200 * DAY),
            consumer_key: one_time.public_key().jwk(),
            contract_id,
            negotiation_nonce: encode([number; 16]),
            accept_by: at(3600),
            record_by: at(7200),
            registry: REGISTRY,
            recorder,
            template_id: approved.template.id.clone(),
            template_hash: approved.hash.clone(),
            contents: Contents {
                provider: party(provider, &provider_paper),
                consumer: party(&self.consumer, &consumer_paper),
                promisor: provider.did().clone(),
                promisee: self.consumer.did().clone(),
                fee: approved.template.fee(&price).unwrap(),
                price,
                terms: approved.template.fill(&blanks, &BTreeMap::new()).unwrap(),
                asset,
                consumer_key_statement: statement.unwrap(),
            },
        };
        let salts: [[u8; 16]; 9] = std::array::from_fn(|n| [n as u8 + 1; 16]);
        let text = Unverified::<Offer>::new(offer(&draft, &salts, provider).unwrap());
        let papers = Papers {
            provider: &provider_paper,
            consumer: &consumer_paper,
            approval: &approval,
            trust: &trust,
            documents: &documents,
        };
        let offer = Offer::verify(&text, &papers, at(0), &mut trail).unwrap();
        let acceptance = accept(&offer, Some(WITHDRAWAL), &one_time, at(0)).unwrap();
        let core = Core::read(&Core::join(&offer, &acceptance), &documents, &mut trail).unwrap();
        Contract { core, offer, key: one_time }
    }
}

impl Contract {
    /// The answer to a challenge that discloses what is named.
    pub fn answer(&self, aud: &str, nonce: &str, names: &[&str], now: Timestamp) -> Answer {
        self.answer_by(&self.key, aud, nonce, names, now)
    }

    /// The answer that a wallet would not give: any key, any audience.
    pub fn answer_by(&self, key: &SecretKey, aud: &str, nonce: &str, names: &[&str], now: Timestamp) -> Answer {
        let mut text = format!("{}~", self.core.issuer_jwt);
        for (name, disclosure) in NINE.iter().zip(&self.offer.disclosures) {
            if names.contains(name) {
                text.push_str(disclosure);
                text.push('~');
            }
        }
        let payload = json!({ "iat": now, "aud": aud, "nonce": nonce, "sd_hash": Digest::of(&text).b64u() });
        let kb_jwt = countersign::identity::sign_jws(key, "kb+jwt", false, payload.to_string().as_bytes()).unwrap();
        Answer { core: self.core.text.clone(), presentation: text + &kb_jwt, purpose: None }
    }

    /// Its entry in a block.
    pub fn entry(&self, block: u64, block_time: Timestamp) -> Entry {
        Entry {
            chain_id: REGISTRY.chain_id,
            registry: REGISTRY.address,
            recorder: self.core.claims.recorder,
            hash: self.core.hash,
            transaction: Digest::of("transaction"),
            log_index: 3,
            block,
            block_hash: Digest::of("block"),
            block_time,
        }
    }

    /// What the registry says with `entry` in it, at a head.
    pub fn sighting(&self, head: Head, entry: Option<Entry>) -> Sighting {
        Sighting {
            head,
            chain_id: REGISTRY.chain_id,
            registry: REGISTRY.address,
            recorder: self.core.claims.recorder,
            contract_id: self.core.claims.contract_id,
            entry,
            ended: None,
            withdrawn: None,
        }
    }
}

pub fn head(number: u64, time: Timestamp) -> Head {
    Head { number, hash: Digest::of(number.to_string()), time }
}

/// A registry whose chain a test writes; it stands in for JSON-RPC, which the registry's own tests try.
pub struct ScriptedChain(Mutex<Script>);

pub struct Script {
    pub finalised: Head,
    pub latest: Head,
    pub entries: HashMap<ContractId, Entry>,
    pub ended: HashMap<ContractId, Mark>,
    pub withdrawn: HashMap<ContractId, Mark>,
    pub fault: Option<RegistryFault>,
}

impl ScriptedChain {
    /// Final is block 100, the newest is block 110.
    pub fn new(now: Timestamp) -> Self {
        Self(Mutex::new(Script {
            finalised: head(100, now.plus(-10)),
            latest: head(110, now),
            entries: HashMap::new(),
            ended: HashMap::new(),
            withdrawn: HashMap::new(),
            fault: None,
        }))
    }

    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    pub fn record(&self, contract: &Contract, block: u64, time: Timestamp) {
        self.script().entries.insert(contract.core.claims.contract_id, contract.entry(block, time));
    }

    pub fn mark(block: u64, at: Timestamp) -> Mark {
        Mark { block, log_index: 1, at, reason: 2 }
    }
}

#[async_trait]
impl Registry for ScriptedChain {
    fn urn(&self) -> RegistryUrn {
        REGISTRY
    }

    fn recorder(&self) -> Option<Account> {
        None
    }

    async fn head(&self, depth: Depth) -> Result<Head, RegistryFault> {
        let script = self.script();
        match (&script.fault, depth) {
            (Some(fault), _) => Err(fault.clone()),
            (None, Depth::Finalised) => Ok(script.finalised),
            (None, Depth::Latest) => Ok(script.latest),
        }
    }

    async fn sighting(
        &self,
        depth: Depth,
        recorder: Account,
        contract_id: ContractId,
        account: Option<Account>,
        _since: Timestamp,
    ) -> Result<Sighting, RegistryFault> {
        let head = self.head(depth).await?;
        let script = self.script();
        let entry = script.entries.get(&contract_id).filter(|entry| entry.block <= head.number);
        let seen = |marks: &HashMap<ContractId, Mark>| {
            marks.get(&contract_id).filter(|mark| mark.block <= head.number).copied()
        };
        Ok(Sighting {
            head,
            chain_id: REGISTRY.chain_id,
            registry: REGISTRY.address,
            recorder,
            contract_id,
            entry: entry.filter(|entry| entry.recorder == recorder).cloned(),
            ended: seen(&script.ended),
            withdrawn: account.and_then(|_| seen(&script.withdrawn)),
        })
    }

    fn account(&self, _secret: &[u8; 32]) -> Option<Account> {
        None
    }

    async fn entries(
        &self,
        _recorder: Account,
        _from: Timestamp,
        _until: Timestamp,
    ) -> Result<Vec<(ContractId, Entry)>, RegistryFault> {
        Ok(Vec::new())
    }

    async fn record(&self, _contract_id: ContractId, _hash: Digest) -> Result<Entry, RegistryFault> {
        Err(RegistryFault::ReadOnly)
    }

    async fn end(&self, _contract_id: ContractId, _reason: u8) -> Result<Digest, RegistryFault> {
        Err(RegistryFault::ReadOnly)
    }

    async fn withdraw(
        &self,
        _key: &[u8; 32],
        _recorder: Account,
        _contract_id: ContractId,
        _reason: u8,
    ) -> Result<Digest, RegistryFault> {
        Err(RegistryFault::ReadOnly)
    }
}
