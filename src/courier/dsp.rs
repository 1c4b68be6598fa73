use std::time::Duration;

use async_trait::async_trait;

use super::{AddressPolicy, client};
use crate::encoding::parse_json;
use crate::node::NotDelivered;
use crate::node::dsp::{Messenger, Posted};

/// How long an answer may take.
const WITHIN: Duration = Duration::from_secs(10);
/// The longest answer that is read; a longer one counts as none.
const MAX_ANSWER: usize = 1 << 20;

/// Carries the Dataspace Protocol's messages over HTTP, on connections that stay open.
pub struct DspMessenger {
    client: reqwest::Client,
    policy: AddressPolicy,
}

impl DspMessenger {
    /// A messenger that goes where `policy` allows.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(policy: AddressPolicy) -> Result<Self, reqwest::Error> {
        Ok(Self { client: client(policy, WITHIN)?, policy })
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Posted, NotDelivered> {
        self.read(request.send().await.map_err(failed)?).await
    }

    async fn read(&self, mut answer: reqwest::Response) -> Result<Posted, NotDelivered> {
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Ok(Posted { status, body: None });
            }
            body.extend_from_slice(&chunk);
        }
        // The TCK names no content type, and EDC answers without a body: what reads as JSON is JSON.
        let body = if body.is_empty() { None } else { parse_json(&body, MAX_ANSWER).ok() };
        Ok(Posted { status, body })
    }

    fn url(&self, url: &str) -> Result<url::Url, NotDelivered> {
        self.policy.allow(url).map_err(|refusal| NotDelivered(refusal.to_string()))
    }
}

fn failed(cause: reqwest::Error) -> NotDelivered {
    NotDelivered(cause.without_url().to_string())
}

#[async_trait]
impl Messenger for DspMessenger {
    fn may_call(&self, url: &str) -> Result<(), NotDelivered> {
        self.url(url).map(drop)
    }

    async fn post(&self, url: &str, authorization: &str, message: Vec<u8>) -> Result<Posted, NotDelivered> {
        let request = self.client.post(self.url(url)?).header("authorization", authorization);
        self.send(request.header("content-type", "application/json").body(message)).await
    }

    async fn ask(
        &self,
        url: &str,
        authorization: &str,
        question: Vec<u8>,
    ) -> Result<(Posted, Option<String>), NotDelivered> {
        let request = self.client.post(self.url(url)?).header("authorization", authorization);
        let request = request.header("content-type", "application/json").body(question);
        let answer = request.send().await.map_err(failed)?;
        let link = answer.headers().get("link").and_then(|link| link.to_str().ok()).map(str::to_owned);
        Ok((self.read(answer).await?, link))
    }

    async fn fetch(&self, url: &str, authorization: &str) -> Result<Posted, NotDelivered> {
        self.send(self.client.get(self.url(url)?).header("authorization", authorization)).await
    }
}
