use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::RETRY_AFTER;

use super::{AddressPolicy, client};
use crate::encoding::parse_json;
use crate::node::dsp::{Messenger, Posted};
use crate::node::{NotDelivered, chance};

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
        let later = answer.headers().get(RETRY_AFTER).and_then(|value| pause(value.to_str().ok()?));
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Ok(Posted { status, body: None, later });
            }
            body.extend_from_slice(&chunk);
        }
        // The TCK names no content type, and EDC answers without a body: what reads as JSON is JSON.
        let body = if body.is_empty() { None } else { parse_json(&body, MAX_ANSWER).ok() };
        Ok(Posted { status, body, later })
    }

    fn url(&self, url: &str) -> Result<url::Url, NotDelivered> {
        self.policy.allow(url).map_err(|refusal| NotDelivered(refusal.to_string()))
    }
}

/// How long a header `Retry-After` asks to wait: seconds, or a date.
fn pause(asked: &str) -> Option<Duration> {
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(asked).ok()?;
    Some(Duration::from_secs(u64::try_from(date.as_second() - chance::now().ok()?.seconds()).unwrap_or_default()))
}

fn failed(cause: reqwest::Error) -> NotDelivered {
    NotDelivered(cause.without_url().to_string())
}

#[async_trait]
impl Messenger for DspMessenger {
    fn may_call(&self, url: &str) -> Result<(), NotDelivered> {
        let url = self.url(url)?;
        // Paths are put behind it, which would end up in a query or a fragment; and a user's name is a secret of somebody's.
        let bare = url.query().is_none() && url.fragment().is_none();
        let nobody = url.username().is_empty() && url.password().is_none();
        let base = bare && nobody;
        base.then_some(())
            .ok_or_else(|| NotDelivered("an address has no query, fragment, user name or password".into()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_put_behind_an_address_that_has_nothing_behind_its_own() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let messenger = DspMessenger::new(AddressPolicy { private_networks: true }).unwrap();
        for url in ["http://h/a?cmd=", "http://h/a?", "http://h/a#", "http://h/a#b", "http://u@h/", "http://u:p@h/"] {
            assert!(messenger.may_call(url).is_err(), "{url}");
        }
        for url in ["http://h", "HTTPS://h/dsp/2025-1", "http://h:1/a/"] {
            assert!(messenger.may_call(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_peer_says_in_seconds_or_by_a_date_when_to_come_again() {
        assert_eq!(pause("120"), Some(Duration::from_secs(120)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO), "long ago");
        let ahead = pause("Fri, 31 Dec 2100 23:59:59 GMT").unwrap();
        assert!(ahead > Duration::from_secs(3600), "{ahead:?}");
        for nothing in ["", "-1", "soon", "1.5", "99999999999999999999999"] {
            assert_eq!(pause(nothing), None, "{nothing}");
        }
    }
}
