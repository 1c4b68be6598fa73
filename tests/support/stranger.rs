//! A counterparty that signs and sends what it likes.

#![allow(dead_code)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
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

/// What was asked: method and path, and the body where there was one.
type Asked = (String, Value);

/// Where a stranger hears what it is sent, and answers as it likes.
pub struct Ear {
    pub url: String,
    heard: Arc<Mutex<Vec<Asked>>>,
}

impl Ear {
    /// Answers what it hears, with how often the same was asked before.
    pub async fn answering(answer: impl Fn(&str, &Value, usize) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (heard, answer) = (Arc::new(Mutex::new(Vec::<Asked>::new())), Arc::new(answer));
        let hearing = heard.clone();
        let hear = async move |request: axum::extract::Request| {
            let what = format!("{} {}", request.method(), request.uri().path());
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let (status, text) = {
                let mut heard = hearing.lock().unwrap();
                let before = heard.iter().filter(|(known, _)| *known == what).count();
                let answered = answer(&what, &body, before);
                heard.push((what, body));
                answered
            };
            (StatusCode::from_u16(status).unwrap(), text)
        };
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(hear)).await });
        Self { url, heard }
    }

    /// Everything that was asked whose method and path begin and end so.
    pub fn heard(&self, begins: &str, ends: &str) -> Vec<Value> {
        let heard = self.heard.lock().unwrap();
        let meant = heard.iter().filter(|(what, _)| what.starts_with(begins) && what.ends_with(ends));
        meant.map(|(_, body)| body.clone()).collect()
    }

    /// The first message to a path that ends so, once it has come.
    pub async fn hears(&self, ends: &str) -> Value {
        for _ in 0..2000 {
            if let Some(message) = self.heard("POST", ends).into_iter().next() {
                return message;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("nothing came to {ends}");
    }
}

/// The protocol's answer to a request: both ids, and where it stands.
pub fn requested(request: &Value) -> (u16, String) {
    let answer = json!({
        "@context": [CONTEXT], "@type": "ContractNegotiation", "consumerPid": request["consumerPid"],
        "providerPid": "urn:uuid:p", "state": "REQUESTED",
    });
    (201, answer.to_string())
}

/// A dataset as a catalog shows it, with these offers.
pub fn shown(offers: Value) -> String {
    let service = json!({ "@id": "urn:s", "@type": "DataService", "endpointURL": "http://127.0.0.1:9" });
    json!({
        "@context": [CONTEXT], "@id": DATASET, "@type": "Dataset", "hasPolicy": offers,
        "distribution": [{ "@type": "Distribution", "format": "HttpData-PULL", "accessService": service }],
    })
    .to_string()
}
