use async_trait::async_trait;

use crate::node::NotDelivered;

/// Carries what is asked of a mediator, and its answers back.
#[async_trait]
pub trait MediatorCourier: Send + Sync {
    /// Posts an envelope; the answer on the same way, if there is one.
    async fn ask(&self, inbox: &str, envelope: Vec<u8>) -> Result<Option<Vec<u8>>, NotDelivered>;
    /// Opens a lasting connection to an inbox.
    async fn connect(&self, inbox: &str) -> Result<Box<dyn Connection>, NotDelivered>;
}

/// A lasting connection to a mediator.
#[async_trait]
pub trait Connection: Send {
    /// Sends an envelope.
    async fn send(&mut self, envelope: Vec<u8>) -> Result<(), NotDelivered>;
    /// Waits for the next envelope; an error when the connection has ended. Whoever stops waiting loses none.
    async fn next(&mut self) -> Result<Vec<u8>, NotDelivered>;
}
