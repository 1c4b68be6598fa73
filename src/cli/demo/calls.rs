use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

/// A node's management interface, as its owner calls it.
#[derive(Clone)]
pub struct Desk {
    client: Client,
    base: String,
    key: String,
}

impl Desk {
    pub fn new(client: Client, base: String, key: String) -> Self {
        Self { client, base, key }
    }

    pub async fn get(&self, path: &str) -> Result<Value> {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Posts bytes exactly as they are.
    pub async fn post_bytes(&self, path: &str, body: Vec<u8>) -> Result<Value> {
        self.send(self.request(Method::POST, path).body(body)).await
    }

    pub async fn negotiation(&self, id: &str) -> Result<Value> {
        self.get(&format!("/api/negotiations/{id}")).await
    }

    /// The negotiation that the counterparty knows by `consumer_pid`, once it is there.
    pub async fn counterpart(&self, consumer_pid: &str, within: Duration) -> Result<String> {
        let until = Instant::now() + within;
        loop {
            let all = self.get("/api/negotiations").await?;
            let found = all.as_array().into_iter().flatten().find(|one| one["consumer_pid"] == consumer_pid);
            if let Some(id) = found.and_then(|one| one["id"].as_str()) {
                return Ok(id.to_owned());
            }
            if Instant::now() > until {
                bail!("the request {consumer_pid} did not arrive within {within:?}");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value> {
        let answer = request.send().await?;
        let (status, url) = (answer.status(), answer.url().path().to_owned());
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{url} answered {status}: {text}");
        }
        if text.is_empty() { Ok(json!({})) } else { serde_json::from_str(&text).context("an answer that is no JSON") }
    }
}

/// A gate, as anybody calls it.
#[derive(Clone)]
pub struct GateCaller {
    client: Client,
    base: String,
}

/// What a gate said to an answer.
pub enum Said {
    Token(String),
    Denied { check: String, reason: String },
}

/// What came of a download.
pub enum Fetched {
    Data { bytes: Vec<u8>, receipt: String },
    Denied { check: String, reason: String },
}

impl GateCaller {
    pub fn new(client: Client, base: String) -> Self {
        Self { client, base }
    }

    pub async fn challenge(&self) -> Result<Value> {
        let answer = self.client.post(format!("{}/challenge", self.base)).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    /// Hands an answer to a challenge in.
    pub async fn answer(&self, answer: &Value) -> Result<Said> {
        let reply = self.client.post(format!("{}/token", self.base)).json(answer).send().await?;
        if reply.status().is_success() {
            let body: Value = reply.json().await?;
            return Ok(Said::Token(body["token"].as_str().context("no token in the gate's answer")?.to_owned()));
        }
        let (check, reason) = denial(reply).await?;
        Ok(Said::Denied { check, reason })
    }

    /// Downloads with a token, and takes the receipt.
    pub async fn fetch(&self, endpoint: &str, token: &str) -> Result<Fetched> {
        let reply = self.client.get(endpoint).bearer_auth(token).send().await?;
        if !reply.status().is_success() {
            let (check, reason) = denial(reply).await?;
            return Ok(Fetched::Denied { check, reason });
        }
        let link = reply.headers().get("link").and_then(|link| link.to_str().ok()).unwrap_or_default().to_owned();
        let path = link.split(['<', '>']).nth(1).context("the gate names no receipt")?.to_owned();
        let bytes = reply.bytes().await?.to_vec();
        for _ in 0..100 {
            let reply = self.client.get(format!("{}{path}", self.base)).bearer_auth(token).send().await?;
            if reply.status() == reqwest::StatusCode::OK {
                return Ok(Fetched::Data { bytes, receipt: reply.text().await? });
            }
            sleep(Duration::from_millis(50)).await;
        }
        bail!("the gate gave no receipt for {path}");
    }
}

async fn denial(reply: reqwest::Response) -> Result<(String, String)> {
    let status = reply.status();
    let body: Value = reply.json().await.unwrap_or_default();
    let text = |name: &str| body["error"][name].as_str().map(str::to_owned);
    let check = text("check").with_context(|| format!("the gate answered {status} and named no check: {body}"))?;
    // The gate names the rule that did not hold, and keeps the details for its log.
    Ok((check, format!("it does not hold that {}", text("message").unwrap_or_default())))
}
