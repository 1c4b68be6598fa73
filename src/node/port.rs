//! What the node needs of the world; adapters implement it.

use async_trait::async_trait;

use crate::check::Refusal;
use crate::credential::{Account, ContractId, Entry, Head, RegistryUrn, Sighting};
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, DidDocument};

/// Carries sealed envelopes to inboxes, and statements to operators.
#[async_trait]
pub trait Courier: Send + Sync {
    /// Posts an envelope to an inbox; done when the inbox has said that it keeps it.
    async fn deliver(&self, inbox: &str, envelope: Vec<u8>) -> Result<(), NotDelivered>;

    /// Posts a fee statement to an operator; its answer, a JSON document with its receipt.
    async fn post_statement(&self, url: &str, _statement: &str) -> Result<String, NotDelivered> {
        Err(NotDelivered(format!("no statement goes to {url} from here")))
    }
}

/// The other side did not take it; worth another try later.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not delivered: {0}")]
pub struct NotDelivered(pub String);

/// Fetches the DID documents of did:web, each time anew; who asks, and how often, is the directory's matter.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// The document of `did` as it is served now.
    ///
    /// # Errors
    /// `did.web`, `did.resolved`, `did.document`, `address.private`, `encoding.*`.
    async fn resolve(&self, did: &Did) -> Result<DidDocument, Refusal>;
}

/// Which end of the chain is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The newest block that the chain calls finalised: what opens.
    Finalised,
    /// The newest block: what closes.
    Latest,
}

/// The registry contract behind JSON-RPC; read and, where a recorder key is configured, written.
#[async_trait]
pub trait Registry: Send + Sync {
    /// The registry that this port speaks to.
    fn urn(&self) -> RegistryUrn;

    /// The account whose key records here; `None` for a reader.
    fn recorder(&self) -> Option<Account>;

    /// The head block at `depth`; with several endpoints, one that all of them know.
    async fn head(&self, depth: Depth) -> Result<Head, RegistryFault>;

    /// What stands at `depth` about one contract. `since` bounds the search for the entry's block: the offer's `iat`.
    /// `account` is the withdrawal account of the acceptance.
    async fn sighting(
        &self,
        depth: Depth,
        recorder: Account,
        contract_id: ContractId,
        account: Option<Account>,
        since: Timestamp,
    ) -> Result<Sighting, RegistryFault>;

    /// The account of a secp256k1 secret; `None` for the few values that are no key.
    fn account(&self, secret: &[u8; 32]) -> Option<Account>;

    /// Every entry of `recorder` in finalised blocks with a time in `from..until`.
    async fn entries(
        &self,
        recorder: Account,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(ContractId, Entry)>, RegistryFault>;

    /// Records `hash` under the recorder's key; resolves once the transaction's receipt is there with status 1.
    /// Idempotent: where the same hash stands already, nothing is sent.
    async fn record(&self, contract_id: ContractId, hash: Digest) -> Result<Entry, RegistryFault>;

    /// Ends a contract under the recorder's key. Idempotent.
    async fn end(&self, contract_id: ContractId, reason: u8) -> Result<Digest, RegistryFault>;

    /// Withdraws from a contract under `key`, a secp256k1 secret: the withdrawal account's. Idempotent.
    async fn withdraw(
        &self,
        key: &[u8; 32],
        recorder: Account,
        contract_id: ContractId,
        reason: u8,
    ) -> Result<Digest, RegistryFault>;
}

/// Why the registry could not be read or written.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum RegistryFault {
    /// The endpoint could not be reached or answered nonsense; worth another try.
    #[error("the chain endpoint did not answer: {0}")]
    Unreachable(String),
    /// Several endpoints answered differently about the same block; nothing may rest on it.
    #[error("chain endpoints disagree: {0}")]
    Disagreement(String),
    /// Another chain id, no contract at the address, or another code than is trusted.
    #[error("this is not the trusted registry: {0}")]
    WrongRegistry(String),
    /// Another hash stands under this recorder and id; it can never be recorded.
    #[error("another hash is recorded under this id: {0}")]
    Conflict(Digest),
    /// The chain refused the transaction: no funds, or a revert; the text says which.
    #[error("the chain refused the transaction: {0}")]
    Refused(String),
    /// This port only reads.
    #[error("no recorder key is configured")]
    ReadOnly,
}
