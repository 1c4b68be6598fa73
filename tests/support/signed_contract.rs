//! A contract that two parties with fixed keys signed, for tests that show it to other implementations.

use std::collections::BTreeMap;

use countersign::check::Trail;
use countersign::credential::{
    Account, Admission, ApprovedTemplate, ChainTrust, Contents, ContractId, Core, Draft, KeyStatement, LegalId, Offer,
    Papers, Participant, Party, RegistryUrn, Trust, accept, offer, present,
};
use countersign::encoding::{Digest, Timestamp, encode};
use countersign::identity::{Did, Documents, SecretKey, Signer as _, Unverified, Verified};
use countersign::policy::Blanks;
use serde_json::json;

const DAY: i64 = 86_400;
/// The origin of the asset's endpoint, hence the audience of every presentation.
pub const ORIGIN: &str = "https://data.example";

/// When everything happens, and `seconds` later.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds).unwrap()
}

/// The key of a party, always the same.
pub fn key(seed: u8) -> SecretKey {
    SecretKey::p256(&[seed; 32]).unwrap()
}

/// What the parties hold once both have signed.
pub struct SignedContract {
    pub provider: SecretKey,
    pub one_time: SecretKey,
    pub offer: Verified<Offer>,
    pub core: Verified<Core>,
}

impl SignedContract {
    /// Offers, accepts and reads the core, all with the production code.
    pub fn new() -> Self {
        let (operator, provider, consumer, one_time) = (key(1), key(2), key(3), key(4));
        let registry = RegistryUrn { chain_id: 127_823, address: Account([0xab; 20]) };
        let recorder = Account([0xcd; 20]);
        let admit = |member: &SecretKey, recorders: Vec<String>| {
            let admission = Admission {
                did: member.did().clone(),
                legal_name: "Ørsted Straßenbau GmbH".into(),
                legal_id: LegalId { scheme: "LEI".into(), value: "5299009N55YRQC69CN08".into() },
                country: "DE".into(),
                keys: vec![member.public_key().thumbprint()],
                recorders,
                iat: at(-DAY),
                nbf: at(-DAY),
                exp: at(400 * DAY),
            };
            Unverified::new(Participant::admit(&admission, &operator).unwrap())
        };
        let provider_paper = admit(&provider, vec![format!("eip155:{}:{recorder}", registry.chain_id)]);
        let consumer_paper = admit(&consumer, vec![]);
        let template = json!({
            "id": "urn:uuid:7a1c9b1e-0a53-4b6e-9d6c-2f3a44f1c001", "version": "1", "title": "Licence",
            "nbf": at(-DAY), "exp": at(400 * DAY), "parameters": {"uses": {"type": "integer", "min": 1, "max": 10}},
            "terms": {
                "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Offer", "@id": {"param": "contract_id"},
                "target": {"param": "asset"}, "assigner": {"param": "provider"}, "assignee": {"param": "consumer"},
                "permission": [{"action": "use", "constraint": [
                    {"leftOperand": "count", "operator": "lteq", "rightOperand": {"param": "uses"}}]}]
            },
            "fee": {"kind": "fixed", "amount": "25.00", "currency": "EUR"}
        });
        let approval = Unverified::new(ApprovedTemplate::approve(template.to_string().as_bytes(), &operator).unwrap());
        let chain = ChainTrust {
            chain_id: registry.chain_id,
            registry: registry.address,
            code_hash: Digest::of("code"),
            rpc: vec![],
        };
        let trust =
            Trust { operators: vec![operator.did().clone()], pinned: vec![], keys: vec![], chains: vec![chain] };
        let (documents, trail) = (Documents::default(), &mut Trail::default());
        let approved = ApprovedTemplate::verify(&approval, &trust, &documents, at(0), trail).unwrap();

        let contract_id: ContractId = "urn:uuid:025b413f-8a9a-421e-a648-a7dd06839eb9".parse().unwrap();
        let asset: countersign::credential::Asset = serde_json::from_value(json!({
            "id": "urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0001", "title": "Junction — 契約",
            "media_type": "application/xml", "sha256": "9f".repeat(32), "size": 48_211,
            "endpoint": format!("{ORIGIN}/assets/junction.xodr"),
        }))
        .unwrap();
        let id = contract_id.to_string();
        let blanks = Blanks { asset: &asset.id, provider: provider.did(), consumer: consumer.did(), contract_id: &id };
        let terms = approved.template.fill(&blanks, &BTreeMap::from([("uses".into(), json!(3))])).unwrap();
        let price = serde_json::from_value(json!({"amount": "1000.00", "currency": "EUR"})).unwrap();
        let party = |did: &Did, paper: &Unverified<Participant>| Party {
            did: did.clone(),
            participant: Digest::of(paper.text()).b64u(),
        };
        let statement = KeyStatement::state(
            &consumer,
            provider.did(),
            "urn:uuid:0b0e2d3c-6f5a-4a52-9d0e-0c8f6a4f4e11",
            one_time.public_key(),
            at(-60),
            at(DAY),
        );
        let draft = Draft {
            iat: at(0),
            exp: at(200 * DAY),
            consumer_key: one_time.public_key().jwk(),
            contract_id,
            negotiation_nonce: encode([7; 16]),
            accept_by: at(3600),
            record_by: at(7200),
            registry,
            recorder,
            template_id: approved.template.id.clone(),
            template_hash: approved.hash.clone(),
            contents: Contents {
                provider: party(provider.did(), &provider_paper),
                consumer: party(consumer.did(), &consumer_paper),
                promisor: provider.did().clone(),
                promisee: consumer.did().clone(),
                asset,
                fee: approved.template.fee(&price).unwrap(),
                price,
                terms,
                consumer_key_statement: statement.unwrap(),
            },
        };
        let salts = std::array::from_fn(|n| [n as u8 + 1; 16]);
        let text = Unverified::new(offer(&draft, &salts, &provider).unwrap());
        let papers = Papers {
            provider: &provider_paper,
            consumer: &consumer_paper,
            approval: &approval,
            trust: &trust,
            documents: &documents,
        };
        let offer = Offer::verify(&text, &papers, at(0), trail).unwrap();
        let acceptance = accept(&offer, Some(Account([0xef; 20])), &one_time, at(30)).unwrap();
        let core = Core::read(&Core::join(&offer, &acceptance), &documents, trail).unwrap();
        Self { provider, one_time, offer, core }
    }

    /// A presentation of the disclosures at these places of the nine.
    pub fn present(&self, shown: &[usize], nonce: &str) -> String {
        let shown: Vec<&str> = shown.iter().map(|place| self.offer.disclosures[*place].as_str()).collect();
        present(&self.core, &self.offer.contents.asset, &shown, ORIGIN, nonce, at(60), &self.one_time).unwrap()
    }
}
