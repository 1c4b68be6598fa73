//! A node's management interface and a gate, as callers see them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reqwest::header::{AUTHORIZATION, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

use super::Later;
use super::audit_table::readable;
use super::desk::Progress;
use crate::credential;
use crate::gate::{self, Proof, Proven};
use crate::identity::SecretKey;
use crate::node::chance;

/// How long a gate may take to sign its receipt once everything was delivered.
const RECEIPT_WITHIN: Duration = Duration::from_secs(15);

/// The longest nonce that is taken from a gate.
const NONCE: usize = 256;
/// How long a stream runs before it is taken up anew.
const LISTENING: Duration = Duration::from_secs(24 * 3600);

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

    /// An answer that goes on and on.
    pub async fn listen(&self, path: &str) -> Result<Response> {
        let request = self.request(Method::GET, path).timeout(LISTENING);
        let answer = match request.send().await {
            Err(cause) if cause.is_connect() => return Err(Silent { base: self.base.clone() }.into()),
            answer => answer?,
        };
        if answer.status().is_success() { Ok(answer) } else { Err(declined(answer).await.into()) }
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Calls without a body.
    pub async fn call(&self, method: Method, path: &str) -> Result<Value> {
        self.send(self.request(method, path)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.call(Method::DELETE, path).await
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
    holder: Option<Arc<Holder>>,
}

/// A key that tokens are bound to (RFC 9449), made for the calls of one caller.
struct Holder {
    key: SecretKey,
    /// What the gate asked the next proof to answer.
    nonce: Mutex<Option<String>>,
}

/// A token that a gate gave out.
pub struct Token {
    text: String,
    /// Whether it is good only with a proof of the caller's key.
    bound: bool,
}

/// What a gate said to an answer.
pub enum Said {
    Token(Token),
    /// Too much at a time; how many seconds it asks for.
    Slowed {
        wait: u64,
        declined: Declined,
    },
    Denied {
        check: String,
        reason: String,
    },
}

/// What came of a download.
pub enum Fetched {
    Data { bytes: Vec<u8>, receipt: String },
    Denied { check: String, reason: String },
}

impl GateCaller {
    pub fn new(client: Client, base: String) -> Self {
        Self { client, base, holder: None }
    }

    /// The same, asking for tokens that are bound to a fresh key.
    pub fn proving(self) -> Result<Self> {
        let key = loop {
            if let Some(key) = SecretKey::p256(&Zeroizing::new(chance::random()?)) {
                break key;
            }
        };
        Ok(Self { holder: Some(Arc::new(Holder { key, nonce: Mutex::default() })), ..self })
    }

    pub async fn challenge(&self) -> Result<Value> {
        let sent = self.client.post(format!("{}/challenge", self.base)).send().await;
        let answer = sent.map_err(|cause| self.unreached(cause))?;
        if !answer.status().is_success() {
            return Err(declined(answer).await.into());
        }
        serde_json::from_str(&short_text(answer).await?).context("the gate's challenge is no JSON")
    }

    /// Hands an answer to a challenge in.
    pub async fn answer(&self, answer: &Value) -> Result<Said> {
        let url = format!("{}/token", self.base);
        let reply = self.send("POST", &url, None, |client| client.post(&url).json(answer)).await?;
        if reply.status().is_success() {
            let body: Value =
                serde_json::from_str(&short_text(reply).await?).context("the gate's answer is no JSON")?;
            let text = body["token"].as_str().context("no token in the gate's answer")?.to_owned();
            let bound = body["token_type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("DPoP"));
            return Ok(Said::Token(Token { text, bound }));
        }
        if reply.status() == StatusCode::TOO_MANY_REQUESTS {
            return Ok(Said::Slowed { wait: retry_after(&reply).unwrap_or(1), declined: declined(reply).await });
        }
        let (check, reason) = denial(reply).await?;
        Ok(Said::Denied { check, reason })
    }

    /// Asks for data.
    pub async fn get(&self, endpoint: &str, token: &Token, headers: HeaderMap) -> Result<Response> {
        self.send("GET", endpoint, Some(token), |client| client.get(endpoint).headers(headers.clone())).await
    }

    /// Downloads with a token, and takes the receipt.
    pub async fn fetch(&self, endpoint: &str, token: &Token) -> Result<Fetched> {
        let reply = self.get(endpoint, token, HeaderMap::new()).await?;
        if !reply.status().is_success() {
            let (check, reason) = denial(reply).await?;
            return Ok(Fetched::Denied { check, reason });
        }
        let path = receipt_path(&reply)?;
        let bytes = reply.bytes().await?.to_vec();
        Ok(Fetched::Data { bytes, receipt: self.receipt(&path, token).await? })
    }

    /// Takes the receipt at `path` once it is signed.
    pub async fn receipt(&self, path: &str, token: &Token) -> Result<String> {
        let (url, until) = (format!("{}{path}", self.base), Instant::now() + RECEIPT_WITHIN);
        while Instant::now() < until {
            let reply = self.send("GET", &url, Some(token), |client| client.get(&url)).await?;
            match reply.status() {
                StatusCode::OK => return short_text(reply).await,
                StatusCode::ACCEPTED => sleep(Duration::from_millis(50)).await,
                StatusCode::TOO_MANY_REQUESTS => sleep(Duration::from_secs(1)).await,
                _ => return Err(declined(reply).await.into()),
            }
        }
        bail!("the gate gave no receipt for {path}");
    }

    /// Nobody answered: that may pass.
    fn unreached(&self, cause: reqwest::Error) -> anyhow::Error {
        let cause = anyhow::Error::from(cause.without_url());
        Later(format!("no gate answers at {}; try again later ({cause:#})", self.base)).into()
    }

    /// Sends a request with its token and the proof of the key; once more if the gate wants the proof to answer a nonce.
    async fn send(
        &self,
        method: &str,
        url: &str,
        token: Option<&Token>,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Response> {
        let mut again = true;
        loop {
            let mut request = request(&self.client);
            if let Some(token) = token {
                let scheme = if token.bound { "DPoP" } else { "Bearer" };
                request = request.header(AUTHORIZATION, format!("{scheme} {}", token.text));
            }
            let proves = token.is_none_or(|token| token.bound);
            if let Some(holder) = self.holder.as_ref().filter(|_| proves) {
                request = request.header("dpop", holder.proof(method, url, token)?);
            }
            let reply = request.send().await.map_err(|cause| self.unreached(cause))?;
            let Some(holder) = &self.holder else { return Ok(reply) };
            let text = |name: &str| reply.headers().get(name).and_then(|value| value.to_str().ok());
            let fresh = text("dpop-nonce").filter(|nonce| nonce.len() <= NONCE).map(str::to_owned);
            let wanted = text("www-authenticate").is_some_and(|value| value.contains("use_dpop_nonce"))
                || text("countersign-check") == Some("gate.proof.nonce");
            let given = fresh.is_some();
            if given {
                *holder.nonce() = fresh;
            }
            if !(wanted && given && std::mem::take(&mut again)) {
                return Ok(reply);
            }
        }
    }
}

impl Holder {
    fn nonce(&self) -> MutexGuard<'_, Option<String>> {
        // A text is whole whatever happened to whoever held it.
        self.nonce.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn proof(&self, method: &str, url: &str, token: Option<&Token>) -> Result<String> {
        let about = Proven { method, url, token: token.map(|token| token.text.as_str()) };
        let nonce = self.nonce().clone();
        Ok(Proof::make(&self.key, &about, &chance::nonce()?, chance::now()?, nonce.as_deref())?)
    }
}

/// Where the gate will keep the receipt of a delivery.
pub fn receipt_path(reply: &Response) -> Result<String> {
    let link = reply.headers().get("link").and_then(|link| link.to_str().ok()).unwrap_or_default();
    Ok(link.split(['<', '>']).nth(1).context("the gate names no receipt")?.to_owned())
}

/// For how many seconds an answer asks.
pub fn retry_after(reply: &Response) -> Option<u64> {
    reply.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok())
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
    // A proxy that asked a gate passes on which check denied, and no body.
    let named = reply.headers().get("countersign-check").and_then(|check| check.to_str().ok());
    let named = named.map(|check| readable(check, 100));
    let text = short_text(reply).await.unwrap_or_default();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let found = |name: &str| body["error"][name].as_str().map(|text| readable(text, 2000));
    let lists = [gate::checks::ALL, credential::checks::ALL];
    let known = |id: &String| lists.into_iter().flatten().find(|check| check.id() == id).map(|check| check.rule());
    let rule = named.as_ref().and_then(known).map(str::to_owned);
    // Requests that do not read are answered in plain text.
    let message =
        found("message").or(rule).unwrap_or_else(|| format!("the answer was {status} {}", readable(&text, 400)));
    Declined { status, check: found("check").or(named), message }
}

async fn denial(reply: Response) -> Result<(String, String)> {
    let declined = declined(reply).await;
    let Some(check) = declined.check.clone() else {
        // Whoever gave no reason was no gate that decided: a proxy before it, or a gate that cannot decide now.
        return Err(anyhow::Error::from(declined).context("the gate named no check"));
    };
    // The gate names the rule that did not hold, and keeps the details for its log.
    Ok((check, format!("it does not hold that {}", declined.message)))
}
