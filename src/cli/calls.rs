//! A node's management interface and a gate, as callers see them.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::audit_table::readable;
use super::desk::Progress;

/// How long a gate may take to sign its receipt once everything was delivered.
const RECEIPT_WITHIN: Duration = Duration::from_secs(15);

/// The longest answer of a gate that is no data.
const SHORT: usize = 256 * 1024;

/// A node answered that it does not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{}{message}", check.as_ref().map(|check| format!("{check}: ")).unwrap_or_default())]
pub struct Declined {
    /// The status of its answer.
    pub status: StatusCode,
    /// The check that did not hold, if one did not.
    pub check: Option<String>,
    /// What it says, for people.
    pub message: String,
}

/// Nobody answered.
#[derive(Debug, thiserror::Error)]
#[error("no node answers at {base}")]
pub struct Silent {
    /// Where it was called.
    pub base: String,
}

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

    /// An answer that is no JSON.
    pub async fn get_text(&self, path: &str) -> Result<String> {
        let answer = self.patiently(self.request(Method::GET, path)).await?;
        if !answer.status().is_success() {
            return Err(declined(answer).await.into());
        }
        Ok(answer.text().await?)
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.send(self.request(Method::DELETE, path)).await
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

    /// Sends, and says on a terminal that it waits where that takes longer than a second.
    async fn patiently(&self, request: RequestBuilder) -> Result<Response> {
        let (began, mut progress) = (Instant::now(), Progress::new());
        let sent = request.send();
        tokio::pin!(sent);
        loop {
            tokio::select! {
                answer = &mut sent => return match answer {
                    Err(cause) if cause.is_connect() || cause.is_timeout() => {
                        Err(Silent { base: self.base.clone() }.into())
                    }
                    answer => Ok(answer?),
                },
                () = sleep(Duration::from_millis(500)) => {
                    let waited = began.elapsed().as_secs();
                    if waited > 0 {
                        progress.at(|| format!("waiting for the node, {waited} s"));
                    }
                }
            }
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Value> {
        let answer = self.patiently(request).await?;
        if !answer.status().is_success() {
            return Err(declined(answer).await.into());
        }
        let text = answer.text().await?;
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
        if !answer.status().is_success() {
            return Err(declined(answer).await.into());
        }
        serde_json::from_str(&short_text(answer).await?).context("the gate's challenge is no JSON")
    }

    /// Hands an answer to a challenge in.
    pub async fn answer(&self, answer: &Value) -> Result<Said> {
        let reply = self.client.post(format!("{}/token", self.base)).json(answer).send().await?;
        if reply.status().is_success() {
            let body: Value =
                serde_json::from_str(&short_text(reply).await?).context("the gate's answer is no JSON")?;
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
        let path = receipt_path(&reply)?;
        let bytes = reply.bytes().await?.to_vec();
        Ok(Fetched::Data { bytes, receipt: self.receipt(&path, token).await? })
    }

    /// Takes the receipt at `path` once it is signed.
    pub async fn receipt(&self, path: &str, token: &str) -> Result<String> {
        let until = Instant::now() + RECEIPT_WITHIN;
        while Instant::now() < until {
            let reply = self.client.get(format!("{}{path}", self.base)).bearer_auth(token).send().await?;
            match reply.status() {
                StatusCode::OK => return short_text(reply).await,
                StatusCode::ACCEPTED => sleep(Duration::from_millis(50)).await,
                _ => return Err(declined(reply).await.into()),
            }
        }
        bail!("the gate gave no receipt for {path}");
    }
}

/// Where the gate will keep the receipt of a delivery.
pub fn receipt_path(reply: &Response) -> Result<String> {
    let link = reply.headers().get("link").and_then(|link| link.to_str().ok()).unwrap_or_default();
    Ok(link.split(['<', '>']).nth(1).context("the gate names no receipt")?.to_owned())
}

/// An answer's text, which somebody else could make endless.
async fn short_text(mut reply: Response) -> Result<String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = reply.chunk().await? {
        if bytes.len() + chunk.len() > SHORT {
            bail!("an answer of more than {SHORT} bytes");
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).context("an answer that is no text")
}

/// An answer that says no, taken apart.
pub async fn declined(reply: Response) -> Declined {
    let status = reply.status();
    let text = short_text(reply).await.unwrap_or_default();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let found = |name: &str| body["error"][name].as_str().map(|text| readable(text, 2000));
    // Requests that do not read are answered in plain text.
    let message = found("message").unwrap_or_else(|| format!("the answer was {status} {}", readable(&text, 400)));
    Declined { status, check: found("check"), message }
}

async fn denial(reply: Response) -> Result<(String, String)> {
    let declined = declined(reply).await;
    let check = declined.check.clone().with_context(|| format!("the gate named no check: {declined}"))?;
    // The gate names the rule that did not hold, and keeps the details for its log.
    Ok((check, format!("it does not hold that {}", declined.message)))
}
