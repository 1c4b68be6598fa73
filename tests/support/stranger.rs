//! A counterparty that signs and sends what it likes.

#![allow(dead_code)]

use countersign::identity::{SecretKey, Signer, sign_jws};
use countersign::negotiation::plain::ParticipantId;
use serde_json::{Value, json};

#[path = "connectors.rs"]
pub mod connectors;

use connectors::{DATASET, Running, connector, dataset, terms};

pub const CONTEXT: &str = "https://w3id.org/dspace/2025/1/context.jsonld";
pub const CONFIGURATION: &str = "plain = ['*']";

/// A connector of somebody's own making: it signs what it likes.
pub struct Stranger {
    key: SecretKey,
    pub client: reqwest::Client,
    pub base: String,
    aud: String,
}

pub fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

impl Stranger {
    pub fn of(key: u8, node: &Running) -> Self {
        Self::by([key; 32], node)
    }

    /// One of as many as there are keys.
    pub fn by(key: [u8; 32], node: &Running) -> Self {
        Self {
            key: SecretKey::p256(&key).unwrap(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            base: node.base.clone(),
            aud: node.did.to_string(),
        }
    }

    pub fn did(&self) -> ParticipantId {
        ParticipantId::from(self.key.did())
    }

    pub fn claims(&self) -> Value {
        let did = self.key.did();
        let jti = countersign::node::chance::nonce().unwrap();
        json!({ "iss": did, "sub": did, "aud": self.aud, "iat": now(), "exp": now() + 60, "jti": jti })
    }

    pub fn token(&self, claims: &Value) -> String {
        format!("Bearer {}", sign_jws(&self.key, "JWT", true, claims.to_string().as_bytes()).unwrap())
    }

    pub async fn send(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let proof = self.token(&self.claims());
        let request = self.client.post(format!("{}{path}", self.base)).header("authorization", proof);
        let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }

    /// Asks for something, with a token of its own, or with another header.
    pub async fn get(&self, path: &str, proof: Option<&str>) -> reqwest::Response {
        let proof = proof.map_or_else(|| self.token(&self.claims()), str::to_owned);
        self.client.get(format!("{}{path}", self.base)).header("authorization", proof).send().await.unwrap()
    }

    pub async fn say(&self, path: &str, message: &Value) -> (u16, Value) {
        self.send(path, message.to_string()).await
    }

    pub fn request(&self) -> Value {
        let mut offer = terms();
        offer["@id"] = json!("urn:offer:1");
        offer["@type"] = json!("Offer");
        offer["target"] = json!(DATASET);
        json!({
            "@context": [CONTEXT], "@type": "ContractRequestMessage", "consumerPid": "urn:uuid:c",
            "callbackAddress": "http://127.0.0.1:9/dsp", "offer": offer,
        })
    }
}

/// A connector that lists the dataset.
pub async fn provider() -> Running {
    let node = connector(11, CONFIGURATION).await;
    node.node.list_plain(&dataset()).await.unwrap();
    node
}
