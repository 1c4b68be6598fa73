use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::node::NotDelivered;

/// Carries the Dataspace Protocol's messages to other connectors.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Whether a URL may be called at all, as far as its text tells.
    ///
    /// # Errors
    /// Why not.
    fn may_call(&self, url: &str) -> Result<(), NotDelivered>;
    /// Posts a message; what the other side answered, whatever it was.
    async fn post(&self, url: &str, authorization: &str, message: Vec<u8>) -> Result<Posted, NotDelivered>;
    /// Posts a question whose answer may go on on further pages; with its header `Link`, where it has one that is text.
    async fn ask(
        &self,
        url: &str,
        authorization: &str,
        question: Vec<u8>,
    ) -> Result<(Posted, Option<String>), NotDelivered>;
    /// Asks for a document.
    async fn fetch(&self, url: &str, authorization: &str) -> Result<Posted, NotDelivered>;
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Posted {
    /// Its HTTP status.
    pub status: u16,
    /// Its body, where that is JSON.
    pub body: Option<Value>,
    /// How long the peer asks to wait before the message comes again.
    pub later: Option<Duration>,
}
