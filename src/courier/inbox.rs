use std::time::Duration;

use async_trait::async_trait;

use super::{AddressPolicy, client, statement};
use crate::node::{Courier, NotDelivered};

/// The media type of a sealed envelope (DIDComm v2.1).
pub(super) const ENCRYPTED: &str = "application/didcomm-encrypted+json";

/// Posts envelopes to inboxes, and statements to operators, over HTTP.
pub struct HttpCourier {
    pub(super) client: reqwest::Client,
    pub(super) policy: AddressPolicy,
}

impl HttpCourier {
    /// A courier that goes where `policy` allows, and waits ten seconds for an answer.
    ///
    /// # Errors
    /// When the TLS library cannot be set up.
    pub fn new(policy: AddressPolicy) -> Result<Self, reqwest::Error> {
        Ok(Self { client: client(policy, Duration::from_secs(10))?, policy })
    }
}

#[async_trait]
impl Courier for HttpCourier {
    async fn deliver(&self, inbox: &str, envelope: Vec<u8>) -> Result<(), NotDelivered> {
        let url = self.policy.allow(inbox).map_err(|refusal| NotDelivered(refusal.to_string()))?;
        let request = self.client.post(url).header("content-type", ENCRYPTED).body(envelope);
        let answer = request.send().await.map_err(|cause| NotDelivered(cause.without_url().to_string()))?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(NotDelivered(format!("the inbox answered {status}"))) }
    }

    async fn post_statement(&self, url: &str, text: &str) -> Result<String, NotDelivered> {
        let url = self.policy.allow(url).map_err(|refusal| NotDelivered(refusal.to_string()))?;
        statement::post(&self.client, url, text).await
    }
}
