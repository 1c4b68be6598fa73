//! A provider that states, an operator that audits, and what dishonest ones of the former try.

mod invoices;
mod problems;
mod statements;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::check::{Check, Trail};
use crate::credential::{
    Account, Admission, ApprovedTemplate, Asset, Contents, ContractId, Core, Draft, Entry, Head, KeyStatement, LegalId,
    Offer, Papers, Participant, Party, RegistryUrn, Sighting, Trust, accept, offer,
};
use crate::encoding::{self, Digest, Timestamp};
use crate::identity::{Documents, SecretKey, Signer, Unverified, Verified};
use crate::policy::{Blanks, Money, Template};

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

fn money(amount: &str) -> Money {
    Money { amount: amount.parse().unwrap(), currency: "EUR".parse().unwrap() }
}

fn fixed() -> Value {
    json!({"kind": "fixed", "amount": "0.10", "currency": "EUR"})
}

fn percentage() -> Value {
    json!({"kind": "percentage", "percent": "2.5", "minimum": "0.05", "currency": "EUR"})
}

fn template(fee: &Value) -> Vec<u8> {
    let value = json!({
        "id": "urn:uuid:7a1c9b1e-0a53-4b6e-9d6c-2f3a44f1c001", "version": "1", "title": "Licence",
        "nbf": at(-DAY), "exp": at(10 * DAY), "parameters": {},
        "terms": {
            "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Offer", "@id": {"param": "contract_id"},
            "target": {"param": "asset"}, "assigner": {"param": "provider"}, "assignee": {"param": "consumer"},
            "permission": [{"action": "use"}]
        },
        "fee": fee
    });
    value.to_string().into_bytes()
}

fn admitted(member: &SecretKey, recorder: Account, until: Timestamp, by: &SecretKey) -> String {
    let admission = Admission {
        did: member.did().clone(),
        legal_name: "Example GmbH".into(),
        legal_id: LegalId { scheme: "LEI".into(), value: "5299009N55YRQC69CN08".into() },
        country: "DE".into(),
        keys: vec![member.public_key().thumbprint()],
        recorders: vec![format!("eip155:{}:{recorder}", registry().chain_id)],
        iat: at(-DAY),
        nbf: at(-DAY),
        exp: until,
    };
    Participant::admit(&admission, by).unwrap()
}

fn registry() -> RegistryUrn {
    RegistryUrn { chain_id: 127_823, address: account(0xab) }
}

fn recorder() -> Account {
    account(0xcd)
}

/// A contract, and what the registry holds of it.
struct Contract {
    core: Verified<Core>,
    disclosures: Vec<String>,
    sighting: Sighting,
}

impl Contract {
    /// States the fee, and `more` of the nine by their place.
    fn stated(&self, more: &[usize]) -> StatedContract {
        let mut fee = format!("{}~", self.core.issuer_jwt);
        for place in [6].iter().chain(more) {
            fee.push_str(&self.disclosures[*place]);
            fee.push('~');
        }
        StatedContract { core: self.core.text.clone(), fee }
    }

    fn entry(&mut self) -> &mut Entry {
        self.sighting.entry.as_mut().unwrap()
    }
}

/// The `n`th contract under a template with this fee; `change` makes it differ before the provider signs.
fn contract(n: u8, fee: &Value, price: &str, change: impl FnOnce(&mut Draft)) -> Contract {
    contract_by(&key(2), n, fee, price, change)
}

fn contract_by(provider: &SecretKey, n: u8, fee: &Value, price: &str, change: impl FnOnce(&mut Draft)) -> Contract {
    let (operator, consumer, one_time) = (key(1), key(3), key(4));
    let template_bytes = template(fee);
    let template = Template::parse(&template_bytes).unwrap();
    let own = Unverified::new(admitted(provider, recorder(), at(400 * DAY), &operator));
    let other = Unverified::new(admitted(&consumer, account(0), at(400 * DAY), &operator));
    let approval = Unverified::new(ApprovedTemplate::approve(&template_bytes, &operator).unwrap());
    let contract_id = ContractId(uuid::Uuid::from_bytes([n; 16]));
    let asset = Asset {
        id: "urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0001".into(),
        title: "Junction".into(),
        media_type: "application/xml".into(),
        sha256: "9f".repeat(32),
        size: Some(48_211),
        version: None,
        endpoint: "https://data.example/junction.xodr".into(),
    };
    let id = contract_id.to_string();
    let blanks = Blanks { asset: &asset.id, provider: provider.did(), consumer: consumer.did(), contract_id: &id };
    let party = |who: &SecretKey, paper: &Unverified<Participant>| Party {
        did: who.did().clone(),
        participant: Digest::of(paper.text()).b64u(),
    };
    let price = money(price);
    let statement =
        KeyStatement::state(&consumer, provider.did(), "urn:uuid:n", one_time.public_key(), at(-60), at(DAY)).unwrap();
    let mut draft = Draft {
        iat: at(0),
        exp: at(200 * DAY),
        consumer_key: one_time.public_key().jwk(),
        contract_id,
        negotiation_nonce: encoding::encode([n; 16]),
        accept_by: at(3600),
        record_by: at(7200),
        registry: registry(),
        recorder: recorder(),
        template_id: template.id.clone(),
        template_hash: Digest::of(&template_bytes).b64u(),
        contents: Contents {
            provider: party(provider, &own),
            consumer: party(&consumer, &other),
            promisor: provider.did().clone(),
            promisee: consumer.did().clone(),
            asset: asset.clone(),
            fee: template.fee(&price).unwrap(),
            price,
            terms: template.fill(&blanks, &BTreeMap::new()).unwrap(),
            consumer_key_statement: statement,
        },
    };
    let salts: [[u8; 16]; 9] = std::array::from_fn(|place| [place as u8 + 1; 16]);
    let trust = serde_json::from_value::<Trust>(json!({
        "operators": [operator.did()],
        "chains": [{"chain_id": registry().chain_id, "registry": registry().address, "code_hash": Digest::of("code")}],
    }))
    .unwrap();
    let documents = Documents::default();
    let papers = Papers { provider: &own, consumer: &other, approval: &approval, trust: &trust, documents: &documents };
    let honest = Unverified::new(offer(&draft, &salts, provider).unwrap());
    let mut accepted = Offer::verify(&honest, &papers, at(0), &mut Trail::default()).unwrap().into_inner();

    // A consumer in league with the provider accepts whatever it offers.
    change(&mut draft);
    let text = offer(&draft, &salts, provider).unwrap();
    let mut parts = text.trim_end_matches('~').split('~').map(str::to_owned);
    accepted.issuer_jwt = parts.next().unwrap();
    let acceptance = accept(&accepted, None, &one_time, at(30)).unwrap();
    let core = Core::read(&Core::join(&accepted, &acceptance), &documents, &mut Trail::default()).unwrap();
    let entry = Entry {
        chain_id: draft.registry.chain_id,
        registry: draft.registry.address,
        recorder: draft.recorder,
        hash: core.hash,
        transaction: Digest::of([n]),
        log_index: 0,
        block: 100,
        block_hash: Digest::of("block"),
        block_time: at(600),
    };
    let sighting = Sighting {
        head: head(),
        chain_id: draft.registry.chain_id,
        registry: draft.registry.address,
        recorder: draft.recorder,
        contract_id,
        entry: Some(entry),
        ended: None,
        withdrawn: None,
    };
    Contract { core, disclosures: parts.collect(), sighting }
}

fn head() -> Head {
    Head { number: 1000, hash: Digest::of("head"), time: at(2 * DAY) }
}

/// A statement on its way to the operator, and what the operator knows.
struct Case {
    claims: StatementClaims,
    contracts: Vec<Contract>,
    admitted: Vec<Unverified<Participant>>,
    head: Head,
}

impl Case {
    /// The first day, with these contracts stated as they should be.
    fn of(contracts: Vec<Contract>) -> Self {
        let approve = |fee: &Value| ApprovedTemplate::approve(&template(fee), &key(1)).unwrap();
        let claims = StatementClaims {
            iss: key(2).did().clone(),
            from: at(0),
            until: at(DAY),
            iat: at(DAY),
            contracts: contracts.iter().map(|contract| contract.stated(&[])).collect(),
            participant: admitted(&key(2), recorder(), at(400 * DAY), &key(1)),
            templates: vec![approve(&fixed()), approve(&percentage())],
        };
        Self { claims, contracts, admitted: vec![], head: head() }
    }

    fn one(change: impl FnOnce(&mut Draft)) -> Self {
        Self::of(vec![contract(1, &percentage(), "8.00", change)])
    }

    fn statement(&self) -> String {
        Statement::sign(&self.claims, &key(2)).unwrap()
    }

    fn audit(&self) -> Audit {
        let statement = verified(&self.statement()).unwrap();
        let entries: Vec<_> = self
            .contracts
            .iter()
            .filter_map(|contract| Some((contract.sighting.contract_id, contract.sighting.entry.clone()?)))
            .filter(|(_, entry)| self.claims.from <= entry.block_time && entry.block_time < self.claims.until)
            .collect();
        let sightings: Vec<_> = self.contracts.iter().map(|contract| contract.sighting.clone()).collect();
        let operator = key(1);
        let books = Books {
            operator: operator.did(),
            documents: &Documents::default(),
            admitted: &self.admitted,
            registry: registry(),
            head: self.head,
            entries: &entries,
            sightings: &sightings,
            now: at(2 * DAY),
        };
        audit(&statement, &books)
    }

    /// The checks that failed, in the order of the audit.
    fn problems(&self) -> Vec<String> {
        self.audit().problems.into_iter().map(|problem| problem.check).collect()
    }
}

fn verified(text: &str) -> Result<Verified<Statement>, &'static Check> {
    let (operator, documents) = (key(1), Documents::default());
    Statement::verify(&Unverified::new(text), operator.did(), &documents, at(2 * DAY), &mut Trail::default())
        .map_err(|refusal| refusal.check)
}
