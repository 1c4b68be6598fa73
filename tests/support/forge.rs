//! The forge: every artefact of a contract, put together from raw JSON and signed, with any one thing changed.
//!
//! The library refuses to build most of what stands here, and that is the point. A change is made to one artefact before
//! it is signed; everything that is made after it rests on the changed one, so that a forgery differs in that alone.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

use countersign::credential::{Account, ChainTrust, Head, RegistryUrn, Sighting, Trust};
use countersign::encoding::{self, Digest, Timestamp};
use countersign::identity::{Did, DidUrl, SecretKey, Signer};
use serde_json::{Map, Value, json};

pub const DAY: i64 = 86_400;
/// When the offer is made, unless a world says otherwise.
pub const OFFERED: i64 = 1_800_000_000;
pub const CONTRACT: &str = "urn:uuid:025b413f-8a9a-421e-a648-a7dd06839eb9";
pub const NEGOTIATION: &str = "urn:uuid:5f0c8f4e-3c1b-4d7a-9b1e-0c5a5f1d0001";
pub const ORIGIN: &str = "https://data.example";
pub const CHALLENGE: &str = "a-gate-chose-this-nonce";

/// By signer and text.
type Signatures = HashMap<(Who, String), [u8; 64]>;

/// Parties with fixed keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    Operator,
    Provider,
    Consumer,
    /// The consumer's one-time key.
    OneTime,
    Stranger,
}

impl Who {
    pub fn key(self) -> &'static SecretKey {
        static KEYS: OnceLock<Vec<SecretKey>> = OnceLock::new();
        &KEYS.get_or_init(|| (1..=5).map(|seed| SecretKey::p256(&[seed; 32]).unwrap()).collect())[self as usize]
    }

    pub fn did(self) -> &'static Did {
        self.key().did()
    }

    pub fn kid(self) -> &'static DidUrl {
        self.key().kid()
    }

    pub fn thumbprint(self) -> Value {
        json!(self.key().public_key().thumbprint())
    }

    /// A signature, remembered: most forgeries sign most things as the honest parties do.
    fn sign(self, message: &str) -> [u8; 64] {
        static SIGNED: OnceLock<Mutex<Signatures>> = OnceLock::new();
        let signed = SIGNED.get_or_init(Mutex::default);
        if let Some(signature) = signed.lock().unwrap().get(&(self, message.to_owned())) {
            return *signature;
        }
        let signature = self.key().sign(message.as_bytes()).unwrap();
        signed.lock().unwrap().insert((self, message.to_owned()), signature);
        signature
    }
}

/// A JWS about to be signed.
#[derive(Clone, Debug)]
pub struct Token {
    pub header: Value,
    pub claims: Value,
    /// The payload as it is written, where that is not how `claims` are written.
    pub payload: Option<String>,
    pub by: Who,
    /// What happens to the text once it is signed.
    pub after: Option<fn(String) -> String>,
}

impl Token {
    pub fn new(typ: &str, by: Who, claims: Value) -> Self {
        let header = match by {
            Who::OneTime => json!({ "alg": "ES256", "typ": typ }),
            _ => json!({ "alg": "ES256", "typ": typ, "kid": by.kid() }),
        };
        Self { header, claims, payload: None, by, after: None }
    }

    pub fn text(&self) -> String {
        let payload = self.payload.clone().unwrap_or_else(|| self.claims.to_string());
        let signed = format!("{}.{}", encoding::encode(self.header.to_string()), encoding::encode(payload));
        let text = format!("{signed}.{}", encoding::encode(self.by.sign(&signed)));
        self.after.map_or(text.clone(), |after| after(text))
    }
}

/// What is changed in an artefact before it is made final.
pub type Change<T> = Option<fn(&mut T)>;

fn changed<T>(mut made: T, change: Change<T>) -> T {
    if let Some(change) = change {
        change(&mut made);
    }
    made
}

/// One field for each artefact; a forgery sets as few as make one difference.
#[derive(Clone, Default)]
pub struct Changes {
    pub template: Change<Value>,
    pub approval: Change<Token>,
    pub provider_paper: Change<Token>,
    pub consumer_paper: Change<Token>,
    /// The provider's credential after it was signed.
    pub provider_paper_text: Change<String>,
    pub statement: Change<Token>,
    /// The nine as arrays of salt, name and value.
    pub disclosures: Change<Vec<Value>>,
    /// The offer's issuer JWT; `_sd` is there already.
    pub offer: Change<Token>,
    /// `<issuer JWT>~D1~…~D9~`.
    pub offer_text: Change<String>,
    /// The object `acceptance`; its hash and what is signed follow it.
    pub acceptance: Change<Value>,
    pub kb_jwt: Change<Token>,
    /// `<issuer JWT>~<acceptance>` before anybody hashes it.
    pub core: Change<String>,
    pub entry: Change<Value>,
    pub consumer_word: Change<Token>,
    pub provider_word: Change<Token>,
    pub message: Change<Token>,
    pub termination: Change<Token>,
    pub file: Change<Value>,
    /// The names of what is presented.
    pub shown: Change<Vec<&'static str>>,
    /// What is presented, before the KB-JWT is made for it.
    pub presented: Change<String>,
    pub presentation: Change<Token>,
    /// The presentation once it is whole.
    pub presentation_text: Change<String>,
    pub finalised: Change<Sighting>,
    pub latest: Change<Sighting>,
    pub trust: Change<Trust>,
}

/// Where and when a contract is made, and who makes it.
#[derive(Clone, Debug)]
pub struct World {
    pub offered: i64,
    pub registry: RegistryUrn,
    pub code_hash: Digest,
    pub recorder: Account,
    pub withdrawal: Option<Account>,
    /// Who holds the key in `cnf`.
    pub holder: Who,
    /// How the provider is called: its did:key unless a world says otherwise.
    pub provider: (String, String),
    /// How the consumer is called.
    pub consumer: (String, String),
}

/// Everything that was made.
#[derive(Clone, Debug)]
pub struct Made {
    pub trust: Trust,
    pub provider_paper: String,
    pub consumer_paper: String,
    pub approval: String,
    pub statement: String,
    pub issuer_jwt: String,
    pub disclosures: Vec<String>,
    pub offer: String,
    pub acceptance: String,
    pub core: String,
    pub presentation: String,
    /// `<issuer JWT>~D…~`: what is presented, without key binding.
    pub shown: String,
    pub termination: String,
    pub finalised: Sighting,
    pub latest: Sighting,
    pub file: Value,
}

impl Default for World {
    fn default() -> Self {
        let named = |who: Who| (who.did().to_string(), who.kid().to_string());
        Self {
            offered: OFFERED,
            registry: RegistryUrn { chain_id: 127_823, address: Account([0xab; 20]) },
            code_hash: Digest::of("code"),
            recorder: Account([0xcd; 20]),
            withdrawal: Some(Account([0xef; 20])),
            holder: Who::OneTime,
            provider: named(Who::Provider),
            consumer: named(Who::Consumer),
        }
    }
}

impl World {
    /// A time, in seconds from the offer.
    pub fn at(&self, seconds: i64) -> Timestamp {
        Timestamp::from_seconds(self.offered + seconds).unwrap()
    }

    pub fn trust(&self) -> Trust {
        let RegistryUrn { chain_id, address } = self.registry;
        let chain = ChainTrust { chain_id, registry: address, code_hash: self.code_hash, rpc: vec![] };
        Trust { operators: vec![Who::Operator.did().clone()], pinned: vec![], keys: vec![], chains: vec![chain] }
    }

    fn template(&self) -> Value {
        json!({
            "id": "urn:uuid:7a1c9b1e-0a53-4b6e-9d6c-2f3a44f1c001", "version": "1", "title": "Licence",
            "nbf": self.at(-DAY), "exp": self.at(400 * DAY),
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

    fn participant(&self, did: &str, key: Who, recorders: Value) -> Token {
        let claims = json!({
            "iss": Who::Operator.did(), "sub": did, "vct": "urn:countersign:participant:1",
            "iat": self.at(-DAY), "nbf": self.at(-DAY), "exp": self.at(400 * DAY),
            "legal_name": "Example GmbH", "legal_id": {"scheme": "LEI", "value": "5299009N55YRQC69CN08"},
            "country": "DE", "keys": [key.thumbprint()], "recorders": recorders,
        });
        Token::new("dc+sd-jwt", Who::Operator, claims)
    }

    fn by_provider(&self, typ: &str, claims: Value) -> Token {
        let mut token = Token::new(typ, Who::Provider, claims);
        token.header["kid"] = json!(self.provider.1);
        token
    }

    fn by_consumer(&self, typ: &str, claims: Value) -> Token {
        let mut token = Token::new(typ, Who::Consumer, claims);
        token.header["kid"] = json!(self.consumer.1);
        token
    }

    fn by_holder(&self, claims: Value) -> Token {
        let mut token = Token::new("kb+jwt", Who::OneTime, claims);
        token.by = self.holder;
        token
    }

    /// Makes a contract from its papers to its file, with these changes.
    pub fn make(&self, changes: &Changes) -> Made {
        let trust = changed(self.trust(), changes.trust);
        let template = changed(self.template(), changes.template);
        let approval =
            changed(Token::new("countersign-template+jwt", Who::Operator, template.clone()), changes.approval);
        let template_text = approval.payload.clone().unwrap_or_else(|| approval.claims.to_string());
        let template_hash = Digest::of(template_text).b64u();
        let approval = approval.text();

        let recorders = json!([format!("eip155:{}:{}", self.registry.chain_id, self.recorder)]);
        let provider_paper = self.participant(&self.provider.0, Who::Provider, recorders);
        let provider_paper = format!("{}~", changed(provider_paper, changes.provider_paper).text());
        let provider_paper = changed(provider_paper, changes.provider_paper_text);
        let consumer_paper = self.participant(&self.consumer.0, Who::Consumer, json!([]));
        let consumer_paper = format!("{}~", changed(consumer_paper, changes.consumer_paper).text());

        let statement = json!({
            "iss": self.consumer.0, "aud": self.provider.0, "negotiation": NEGOTIATION,
            "jkt": self.holder.thumbprint(), "iat": self.at(-60), "exp": self.at(DAY),
        });
        let statement = changed(self.by_consumer("countersign-key+jwt", statement), changes.statement).text();

        let nine = self.nine(&provider_paper, &consumer_paper, &statement);
        let nine = changed(nine, changes.disclosures);
        let disclosures: Vec<String> = nine.iter().map(|parts| encoding::encode(parts.to_string())).collect();
        let digests: Vec<String> = disclosures.iter().map(|text| Digest::of(text).b64u()).collect();
        let offer = json!({
            "iss": self.provider.0, "iat": self.at(0), "exp": self.at(200 * DAY),
            "vct": "urn:countersign:contract-offer:1", "cnf": {"jwk": self.holder.key().public_key().jwk()},
            "contract_id": CONTRACT, "negotiation_nonce": encoding::encode([7; 16]),
            "accept_by": self.at(3600), "record_by": self.at(7200),
            "registry": {"urn": self.registry, "recorder": self.recorder},
            "template": {"id": template["id"], "hash": template_hash},
            "_sd": digests, "_sd_alg": "sha-256",
        });
        let offer_token = changed(self.by_provider("dc+sd-jwt", offer), changes.offer);
        let claims = offer_token.claims.clone();
        let issuer_jwt = offer_token.text();
        let offer = changed(joined(&issuer_jwt, disclosures.iter()), changes.offer_text);

        let acceptance = self.accepted(&issuer_jwt, &claims, changes);
        let core = changed(format!("{issuer_jwt}~{acceptance}"), changes.core);
        let entry = changed(self.entry(&core), changes.entry);
        let sighting = self.sighting(&entry);

        let mut shown = changed(vec!["asset", "terms"], changes.shown);
        let named = |name: &str| nine.iter().position(|parts| parts[1] == name).map(|at| &disclosures[at]);
        let shown = joined(&issuer_jwt, shown.drain(..).filter_map(named));
        let bound = changed(shown, changes.presented);
        let presentation = json!({
            "iat": self.at(1000), "aud": ORIGIN, "nonce": CHALLENGE, "sd_hash": Digest::of(&bound).b64u(),
        });
        let presentation = changed(self.by_holder(presentation), changes.presentation).text();
        let presentation = changed(format!("{bound}{presentation}"), changes.presentation_text);

        let termination = json!({
            "iss": self.provider.0, "negotiation": NEGOTIATION, "offer_sha256": Digest::of(&issuer_jwt).b64u(),
            "reason": "out of stock", "code": "cancelled",
        });
        let termination = self.by_provider("countersign-termination+jwt", termination);
        let made = Made {
            trust,
            provider_paper,
            consumer_paper,
            approval,
            statement,
            issuer_jwt,
            disclosures,
            offer,
            acceptance,
            presentation,
            shown: bound,
            termination: changed(termination, changes.termination).text(),
            finalised: changed(sighting.clone(), changes.finalised),
            latest: changed(sighting, changes.latest),
            file: Value::Null,
            core,
        };
        let file = self.file(&made, &entry, changes);
        Made { file, ..made }
    }

    /// The nine disclosures as JSON, in their order.
    fn nine(&self, provider_paper: &str, consumer_paper: &str, statement: &str) -> Vec<Value> {
        let asset = "urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0001";
        let (provider, consumer) = (&self.provider.0, &self.consumer.0);
        let nine = [
            ("provider", json!({"did": provider, "participant": Digest::of(provider_paper).b64u()})),
            ("consumer", json!({"did": consumer, "participant": Digest::of(consumer_paper).b64u()})),
            ("promisor", json!(provider)),
            ("promisee", json!(consumer)),
            (
                "asset",
                json!({
                    "id": asset, "title": "Junction", "media_type": "application/xml", "sha256": "9f".repeat(32),
                    "size": 48_211, "endpoint": format!("{ORIGIN}/assets/junction.xodr"),
                }),
            ),
            ("price", json!({"amount": "1000.00", "currency": "EUR"})),
            ("fee", json!({"amount": "25.00", "currency": "EUR", "rule": "percentage", "base": "1000.00"})),
            (
                "terms",
                json!({
                    "@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Offer", "@id": CONTRACT,
                    "target": asset, "assigner": provider, "assignee": consumer,
                    "permission": [{"action": "use", "constraint": [
                        {"leftOperand": "count", "operator": "lteq", "rightOperand": 3}]}]
                }),
            ),
            ("consumer_key_statement", json!(statement)),
        ];
        let salted = |(salt, (name, value)): (u8, (&str, Value))| json!([encoding::encode([salt; 16]), name, value]);
        (1..).zip(nine).map(salted).collect()
    }

    fn accepted(&self, issuer_jwt: &str, claims: &Value, changes: &Changes) -> String {
        let mut acceptance = json!({
            "type": "urn:countersign:acceptance:1", "credential_ids": ["offer"], "contract_id": CONTRACT,
            "offer_sha256": Digest::of(issuer_jwt).b64u(), "decision": "accept", "effect": "on-entry",
        });
        if let Some(account) = self.withdrawal {
            acceptance["withdrawal_account"] = json!(account);
        }
        let acceptance = changed(acceptance, changes.acceptance);
        let data = encoding::encode(encoding::canonical(&acceptance).unwrap());
        let payload = json!({
            "iat": self.at(30), "aud": claims["iss"], "nonce": claims["negotiation_nonce"],
            "sd_hash": Digest::of(format!("{issuer_jwt}~")).b64u(), "acceptance": acceptance,
            "transaction_data_hashes": [Digest::of(data).b64u()], "transaction_data_hashes_alg": "sha-256",
        });
        changed(self.by_holder(payload), changes.kb_jwt).text()
    }

    fn entry(&self, core: &str) -> Value {
        json!({
            "chain_id": self.registry.chain_id, "registry": self.registry.address, "recorder": self.recorder,
            "hash": Digest::of(core), "transaction": Digest::of("transaction"), "log_index": 3, "block": 100,
            "block_hash": Digest::of("block"), "block_time": self.at(600).rfc3339(),
        })
    }

    /// The registry as it stands when `entry` is all that was ever written.
    fn sighting(&self, entry: &Value) -> Sighting {
        Sighting {
            head: Head { number: 110, hash: Digest::of("head"), time: self.at(660) },
            chain_id: self.registry.chain_id,
            registry: self.registry.address,
            recorder: self.recorder,
            contract_id: CONTRACT.parse().unwrap(),
            entry: Some(serde_json::from_value(entry.clone()).unwrap()),
            ended: None,
            withdrawn: None,
        }
    }

    /// The contract file, with the entry as it is stated there.
    pub fn file(&self, made: &Made, entry: &Value, changes: &Changes) -> Value {
        let word = |iss: &str| {
            json!({
                "iss": iss, "core_sha256": Digest::of(&made.core).b64u(), "chain_id": entry["chain_id"],
                "registry": entry["registry"], "block": entry["block"], "block_hash": entry["block_hash"],
                "block_time": entry["block_time"],
            })
        };
        let consumer = self.by_consumer("countersign-entry+jwt", word(&self.consumer.0));
        let provider = self.by_provider("countersign-entry+jwt", word(&self.provider.0));
        let message = json!({
            "id": "urn:uuid:1", "type": "urn:countersign:negotiation/1.0/offer", "from": self.provider.0,
            "to": [self.consumer.0], "body": {},
        });
        let message = self.by_provider("application/didcomm-signed+json", message);
        let file = json!({
            "format": "countersign-contract-1", "contract_id": CONTRACT, "core": made.core,
            "disclosures": made.disclosures, "participants": [made.provider_paper, made.consumer_paper],
            "template": {"approval": made.approval}, "entry": entry,
            "acknowledgements": [
                changed(consumer, changes.consumer_word).text(), changed(provider, changes.provider_word).text()],
            "history": [changed(message, changes.message).text()], "did_documents": {},
        });
        changed(file, changes.file)
    }
}

/// `<issuer JWT>~D1~…~Dn~`.
pub fn joined<'a>(issuer_jwt: &str, disclosures: impl Iterator<Item = &'a String>) -> String {
    disclosures.fold(format!("{issuer_jwt}~"), |text, disclosure| text + disclosure + "~")
}

/// The members of a JSON object.
pub fn members(value: &mut Value) -> &mut Map<String, Value> {
    value.as_object_mut().unwrap()
}
