//! A provider, a consumer and an operator with fixed keys, and what honest and dishonest ones of them sign.

mod acceptances;
mod files;
mod offers;
mod papers;
mod presentations;
mod rules;
mod sd_jwts;
mod webs;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::sd_jwt::Disclosure;
use super::vocabulary::{TYP_CREDENTIAL, TYP_KEY_BINDING};
use super::*;
use crate::check::{Check, Trail};
use crate::encoding::{self, Digest, Timestamp};
use crate::identity::{Documents, Jws, SecretKey, Signer, Unverified, Verified, sign_jws};
use crate::policy::{Blanks, Money};

const DAY: i64 = 86_400;

fn key(seed: u8) -> SecretKey {
    SecretKey::p256(&[seed; 32]).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds).unwrap()
}

fn account(byte: u8) -> Account {
    Account([byte; 20])
}

/// The honest parties and their papers; a test changes what it is about.
struct World {
    operator: SecretKey,
    provider: SecretKey,
    consumer: SecretKey,
    one_time: SecretKey,
    registry: RegistryUrn,
    recorder: Account,
    trust: Trust,
    documents: Documents,
    provider_paper: Unverified<Participant>,
    consumer_paper: Unverified<Participant>,
    approval: Unverified<ApprovedTemplate>,
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

fn template() -> Value {
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

impl World {
    fn new() -> Self {
        Self::of(key(1), key(2), key(3), Documents::default())
    }

    fn of(operator: SecretKey, provider: SecretKey, consumer: SecretKey, documents: Documents) -> Self {
        let one_time = key(4);
        let registry = RegistryUrn { chain_id: 127_823, address: account(0xab) };
        let recorder = account(0xcd);
        let recorders = [format!("eip155:{}:{recorder}", registry.chain_id)];
        let admit = |member: &SecretKey, recorders: &[String]| {
            Unverified::new(Participant::admit(&admission(member, recorders), &operator).unwrap())
        };
        let chain = ChainTrust {
            chain_id: registry.chain_id,
            registry: registry.address,
            code_hash: Digest::of("code"),
            rpc: vec![],
        };
        Self {
            provider_paper: admit(&provider, &recorders),
            consumer_paper: admit(&consumer, &[]),
            approval: Unverified::new(ApprovedTemplate::approve(template().to_string().as_bytes(), &operator).unwrap()),
            trust: Trust { operators: vec![operator.did().clone()], pinned: vec![], keys: vec![], chains: vec![chain] },
            documents,
            operator,
            provider,
            consumer,
            one_time,
            registry,
            recorder,
        }
    }

    fn statement(&self) -> String {
        let key = self.one_time.public_key();
        KeyStatement::state(&self.consumer, self.provider.did(), "urn:uuid:negotiation", key, at(-60), at(DAY)).unwrap()
    }

    fn draft(&self) -> Draft {
        let contract_id: ContractId = "urn:uuid:025b413f-8a9a-421e-a648-a7dd06839eb9".parse().unwrap();
        let approved =
            ApprovedTemplate::verify(&self.approval, &self.trust, &self.documents, at(0), &mut Trail::default())
                .unwrap();
        let asset = Asset {
            id: "urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0001".into(),
            title: "Junction".into(),
            media_type: "application/xml".into(),
            sha256: "9f".repeat(32),
            size: Some(48_211),
            version: None,
            endpoint: "https://data.example/assets/junction.xodr".into(),
        };
        let price: Money = serde_json::from_value(json!({"amount": "1000.00", "currency": "EUR"})).unwrap();
        let id = contract_id.to_string();
        let (provider, consumer) = (self.provider.did(), self.consumer.did());
        let blanks = Blanks { asset: &asset.id, provider, consumer, contract_id: &id };
        let terms = approved.template.fill(&blanks, &BTreeMap::from([("uses".into(), json!(3))])).unwrap();
        let party = |did: &crate::identity::Did, paper: &Unverified<Participant>| Party {
            did: did.clone(),
            participant: Digest::of(paper.text()).b64u(),
        };
        Draft {
            iat: at(0),
            exp: at(200 * DAY),
            consumer_key: self.one_time.public_key().jwk(),
            contract_id,
            negotiation_nonce: encoding::encode([7; 16]),
            accept_by: at(3600),
            record_by: at(7200),
            registry: self.registry,
            recorder: self.recorder,
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
                consumer_key_statement: self.statement(),
            },
        }
    }

    fn papers(&self) -> Papers<'_> {
        Papers {
            provider: &self.provider_paper,
            consumer: &self.consumer_paper,
            approval: &self.approval,
            trust: &self.trust,
            documents: &self.documents,
        }
    }

    fn offer_text(&self) -> String {
        offer(&self.draft(), &salts(), &self.provider).unwrap()
    }

    fn verify_offer(&self, text: &str) -> Result<Verified<Offer>, &'static Check> {
        let text = Unverified::new(text);
        Offer::verify(&text, &self.papers(), at(0), &mut Trail::default()).map_err(|refusal| refusal.check)
    }

    fn offer(&self) -> Verified<Offer> {
        self.verify_offer(&self.offer_text()).unwrap()
    }

    fn acceptance(&self) -> String {
        accept(&self.offer(), Some(account(0xef)), &self.one_time, at(30)).unwrap()
    }

    fn read_core(&self, text: &str) -> Result<Verified<Core>, &'static Check> {
        let text = Unverified::new(text);
        Core::read(&text, &self.documents, &mut Trail::default()).map_err(|refusal| refusal.check)
    }

    fn core(&self) -> Verified<Core> {
        self.read_core(Core::join(&self.offer(), &self.acceptance()).text()).unwrap()
    }

    fn entry(&self) -> Entry {
        Entry {
            chain_id: self.registry.chain_id,
            registry: self.registry.address,
            recorder: self.recorder,
            hash: self.core().hash,
            transaction: Digest::of("transaction"),
            log_index: 3,
            block: 100,
            block_hash: Digest::of("block"),
            block_time: at(600),
        }
    }

    /// An offer that differs from the honest one by `change`, signed by the provider all the same.
    fn forged(&self, change: impl FnOnce(&mut Map<String, Value>, &mut Vec<Value>)) -> String {
        let offer = self.offer();
        let mut claims = Jws::parse(&offer.issuer_jwt).unwrap().claims().unwrap();
        let read = |text: &String| serde_json::from_slice(&encoding::decode(text).unwrap()).unwrap();
        let mut disclosures: Vec<Value> = offer.disclosures.iter().map(read).collect();
        claims.insert("_sd".into(), json!([]));
        change(&mut claims, &mut disclosures);
        let texts: Vec<String> = disclosures.iter().map(|parts| encoding::encode(parts.to_string())).collect();
        if let Some(digests) = claims.get_mut("_sd").and_then(Value::as_array_mut) {
            digests.extend(texts.iter().map(|text| Value::from(Digest::of(text).b64u())));
        }
        let payload = Value::Object(claims).to_string();
        let jwt = sign_jws(&self.provider, TYP_CREDENTIAL, true, payload.as_bytes()).unwrap();
        super::offer::joined(&jwt, &texts)
    }
}

fn salts() -> [[u8; 16]; 9] {
    std::array::from_fn(|n| [n as u8 + 1; 16])
}

/// A KB-JWT with any payload.
fn key_binding(payload: &Value, signer: &SecretKey) -> String {
    sign_jws(signer, TYP_KEY_BINDING, false, payload.to_string().as_bytes()).unwrap()
}

/// Reads a disclosure's value back.
fn disclosed_value(text: &str) -> Value {
    Disclosure::read(text).unwrap().value
}
