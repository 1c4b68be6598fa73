use std::time::Duration;

use async_trait::async_trait;
use url::Url;

use super::{AddressPolicy, client};
use crate::check::Refusal;
use crate::identity::{Did, DidDocument, MAX_DOCUMENT, checks};
use crate::node::Resolver;

/// How long a document may take, connection and all.
const WITHIN: Duration = Duration::from_secs(5);

/// Fetches did:web documents over HTTPS: no redirect, 64 KiB, five seconds, only from addresses that the policy allows.
pub struct WebResolver {
    client: reqwest::Client,
    policy: AddressPolicy,
}

impl WebResolver {
    /// A resolver that goes where `policy` allows. Where it allows private networks, a server that speaks no TLS is asked
    /// over plain http as well.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(policy: AddressPolicy) -> Result<Self, reqwest::Error> {
        Self::within(policy, WITHIN)
    }

    /// As [`WebResolver::new`], with another limit of time.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn within(policy: AddressPolicy, within: Duration) -> Result<Self, reqwest::Error> {
        Ok(Self { client: client(policy, within)?, policy })
    }

    async fn get(&self, did: &Did, url: &Url) -> Result<DidDocument, Failure> {
        let url = self.policy.allow(url.as_str()).map_err(Failure::Final)?;
        let failed = |cause: reqwest::Error| {
            let refusal = checks::DID_RESOLVED.refuse(format!("{did}: {}", reason(&cause)));
            if cause.is_connect() { Failure::NoConnection(refusal) } else { Failure::Final(refusal) }
        };
        let refuse = |why: String| Failure::Final(checks::DID_RESOLVED.refuse(format!("{did}: {why}")));
        let request = self.client.get(url).header("accept", "application/did+json, application/json;q=0.9");
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        if status.as_u16() != 200 {
            return Err(refuse(format!("its server answered {status}")));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_DOCUMENT {
                return Err(refuse(format!("its document is longer than {MAX_DOCUMENT} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        DidDocument::read(did, &body).map_err(Failure::Final)
    }
}

#[async_trait]
impl Resolver for WebResolver {
    async fn resolve(&self, did: &Did) -> Result<DidDocument, Refusal> {
        let mut url = did.web_url()?;
        let here = url.domain().is_some_and(|domain| domain == "localhost" || domain.ends_with(".localhost"));
        let plain = self.policy.private_networks;
        if !(plain && here) {
            match self.get(did, &url).await {
                Err(Failure::NoConnection(_)) if plain => {}
                found => return found.map_err(Failure::refusal),
            }
        }
        // https to http is a change that a URL allows.
        url.set_scheme("http").map_err(|()| checks::DID_WEB.refuse(did.to_string()))?;
        self.get(did, &url).await.map_err(Failure::refusal)
    }
}

enum Failure {
    NoConnection(Refusal),
    Final(Refusal),
}

impl Failure {
    fn refusal(self) -> Refusal {
        match self {
            Self::NoConnection(refusal) | Self::Final(refusal) => refusal,
        }
    }
}

/// What went wrong, without addresses and inner causes.
fn reason(cause: &reqwest::Error) -> &'static str {
    if cause.is_timeout() {
        "its server takes too long"
    } else if cause.is_connect() {
        "its server cannot be reached, or has no address that may be connected to"
    } else {
        "its server's answer breaks off"
    }
}

#[cfg(test)]
mod tests;
