//! The registry client: what it is told, how it asks several endpoints, and the port that it implements.

mod acts;
mod endpoint;
mod reading;
mod writing;

use std::fmt;
use std::future::Future;
use std::time::Duration;

use alloy::eips::BlockId;
use alloy::primitives::U256;
use alloy::rpc::types::Log;
use alloy::sol_types::SolCall as _;
use async_trait::async_trait;
use futures::future::try_join_all;
use url::Url;
use zeroize::Zeroizing;

use crate::credential::{Account, ContractId, Entry, Head, RegistryUrn, Sighting};
use crate::encoding::{Digest, Timestamp};
use crate::node::port::{Depth, Registry, RegistryFault};
use crate::registry::abi::{self, address, contract, digest, word};
use endpoint::Endpoint;
use reading::{Mould, Seat};
use writing::Pen;

pub use acts::{account_of, balance, chain_id, deploy, send_value};

/// What a client is told.
pub struct ClientConfig {
    /// JSON-RPC endpoints of one chain, in the order of preference for writing. Reading asks all of them.
    pub endpoints: Vec<Url>,
    /// The registry, with its chain.
    pub urn: RegistryUrn,
    /// keccak-256 of the registry's runtime code (its `EXTCODEHASH`), if it is pinned.
    pub code_hash: Option<Digest>,
    /// The recorder's secp256k1 secret; without it the client only reads.
    pub recorder_key: Option<Zeroizing<[u8; 32]>>,
    /// How long one request to an endpoint may take.
    pub request_timeout: Duration,
    /// How long a transaction is looked after before its outcome counts as unknown.
    pub receipt_timeout: Duration,
    /// How many blocks one search for logs spans at most; Etherlink's public endpoints allow 500.
    pub log_window: u64,
}

/// The registry contract behind JSON-RPC endpoints. Cheap to share behind an `Arc`; every question is bounded in time.
pub struct Client {
    reader: Reader,
    seats: Vec<Seat>,
    pen: Pen,
    code_hash: Digest,
}

/// What reading needs to know.
struct Reader {
    urn: RegistryUrn,
    log_window: u64,
}

/// A registry that was just deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Where it stands.
    pub urn: RegistryUrn,
    /// keccak-256 of its runtime code.
    pub code_hash: Digest,
    /// The transaction that made it.
    pub transaction: Digest,
}

impl ClientConfig {
    /// A reader with the usual bounds: 10 s a request, 60 s a transaction, 500 blocks a search.
    pub fn new(urn: RegistryUrn, endpoints: Vec<Url>) -> Self {
        Self {
            endpoints,
            urn,
            code_hash: None,
            recorder_key: None,
            request_timeout: Duration::from_secs(10),
            receipt_timeout: Duration::from_secs(60),
            log_window: 500,
        }
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the key nor the endpoints' paths, which may hold access keys.
        f.debug_struct("ClientConfig")
            .field("urn", &self.urn)
            .field("code_hash", &self.code_hash)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("urn", &self.reader.urn).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects, and holds every endpoint's chain id and contract code against the configuration.
    ///
    /// # Errors
    /// [`RegistryFault::WrongRegistry`] for another chain, an address without code, or another code than is pinned;
    /// [`RegistryFault::Unreachable`]; [`RegistryFault::Refused`] for a recorder key that is none.
    pub async fn connect(config: ClientConfig) -> Result<Self, RegistryFault> {
        let ClientConfig { endpoints, urn, code_hash, recorder_key, request_timeout, receipt_timeout, log_window } =
            config;
        let signer = recorder_key.as_ref().map(|key| abi::signer(key)).transpose()?;
        let seats: Vec<Seat> = endpoints
            .iter()
            .map(|url| Endpoint::open(url, request_timeout).map(Seat::new))
            .collect::<Result<_, _>>()?;
        let reader = Reader { urn, log_window };
        let codes = try_join_all(seats.iter().map(|seat| reader.code_hash(&seat.endpoint))).await?;
        let Some(&found) = codes.first() else {
            return Err(RegistryFault::Unreachable("no endpoint is configured".into()));
        };
        if codes.iter().any(|other| *other != found) {
            return Err(RegistryFault::Disagreement("the registry's code differs".into()));
        }
        if let Some(wanted) = code_hash.filter(|wanted| *wanted != found) {
            return Err(RegistryFault::WrongRegistry(format!(
                "the code at {} has the hash {found}, expected {wanted}",
                urn.address
            )));
        }
        Ok(Self { reader, seats, pen: Pen::new(signer, urn.chain_id, receipt_timeout), code_hash: found })
    }

    /// keccak-256 of the registry's runtime code, as it was found when connecting.
    pub fn code_hash(&self) -> Digest {
        self.code_hash
    }

    /// Records several contracts in one transaction, all or none, under the recorder's key. About 1 200 fit in one.
    ///
    /// # Errors
    /// As [`Registry::record`].
    pub async fn record_packed(&self, entries: &[(ContractId, Digest)]) -> Result<Digest, RegistryFault> {
        let mut data = contract::recordPackedCall::SELECTOR.to_vec();
        for (contract_id, hash) in entries {
            data.extend_from_slice(contract_id.0.as_bytes());
            data.extend_from_slice(hash.as_bytes());
        }
        self.write(self.pen.own()?, data).await
    }

    /// Pays for a record that `recorder` signed ([`super::sign_record`]); the configured key is the payer's.
    ///
    /// # Errors
    /// As [`Registry::record`]; [`RegistryFault::Refused`] also for a signature that is not good.
    pub async fn record_for(
        &self,
        recorder: Account,
        contract_id: ContractId,
        hash: Digest,
        deadline: Timestamp,
        signature: &[u8],
    ) -> Result<Digest, RegistryFault> {
        let call = contract::recordForCall {
            recorder: address(recorder),
            contractId: abi::id(contract_id),
            hash: word(hash),
            deadline: abi::second(deadline),
            signature: signature.to_vec().into(),
        };
        self.write(self.pen.own()?, call.abi_encode()).await
    }

    /// Pays for a withdrawal that `party` signed ([`super::sign_withdrawal`]); the configured key is the payer's.
    ///
    /// # Errors
    /// As [`Registry::withdraw`]; [`RegistryFault::Refused`] also for a signature that is not good.
    pub async fn withdraw_for(
        &self,
        party: Account,
        recorder: Account,
        contract_id: ContractId,
        reason: u8,
        deadline: Timestamp,
        signature: &[u8],
    ) -> Result<Digest, RegistryFault> {
        let call = contract::withdrawForCall {
            party: address(party),
            recorder: address(recorder),
            contractId: abi::id(contract_id),
            reason,
            deadline: abi::second(deadline),
            signature: signature.to_vec().into(),
        };
        self.write(self.pen.own()?, call.abi_encode()).await
    }

    async fn write(&self, signer: &writing::Signer, data: Vec<u8>) -> Result<Digest, RegistryFault> {
        let to = Some(address(self.reader.urn.address));
        let receipt = self.pen.send(self.endpoints(), signer, to, data, U256::ZERO).await?;
        Ok(digest(receipt.transaction_hash))
    }

    fn endpoints(&self) -> impl Iterator<Item = &Endpoint> + Clone {
        self.seats.iter().map(|seat| &seat.endpoint)
    }

    /// Asks every endpoint the same; one answer, or none.
    async fn agree<'a, T, F>(&'a self, what: &str, ask: impl Fn(&'a Seat) -> F) -> Result<T, RegistryFault>
    where
        T: PartialEq,
        F: Future<Output = Result<T, RegistryFault>>,
    {
        let mut answers = try_join_all(self.seats.iter().map(ask)).await?;
        let answer = answers.pop().ok_or_else(|| RegistryFault::Unreachable("no endpoint is configured".into()))?;
        if answers.iter().all(|other| *other == answer) {
            Ok(answer)
        } else {
            let labels: Vec<&str> = self.endpoints().map(|endpoint| endpoint.label.as_str()).collect();
            Err(RegistryFault::Disagreement(format!("{what}, asked of {}", labels.join(" and "))))
        }
    }

    /// The first endpoint that answers, for what only prepares or follows a transaction.
    async fn first<'a, T, F>(&'a self, ask: impl Fn(&'a Seat) -> F) -> Result<T, RegistryFault>
    where
        F: Future<Output = Result<T, RegistryFault>>,
    {
        let mut last = RegistryFault::Unreachable("no endpoint is configured".into());
        for seat in &self.seats {
            match ask(seat).await {
                Err(fault @ RegistryFault::Unreachable(_)) => last = fault,
                answer => return answer,
            }
        }
        Err(last)
    }

    async fn status_now(
        &self,
        recorder: Account,
        contract_id: ContractId,
        party: Option<Account>,
    ) -> Result<contract::statusReturn, RegistryFault> {
        self.first(|seat| self.reader.status(&seat.endpoint, BlockId::latest(), recorder, contract_id, party)).await
    }

    /// The entry that stands already, wherever it was recorded.
    async fn standing(&self, recorder: Account, contract_id: ContractId) -> Result<Entry, RegistryFault> {
        self.first(async |seat: &Seat| {
            let head = seat.endpoint.head(Depth::Latest).await?;
            self.reader.find_by_state(seat, head, recorder, contract_id).await?.entry(&self.reader, recorder)
        })
        .await
    }

    async fn marked_at(&self, mould: Mould, seconds: u64) -> Result<Digest, RegistryFault> {
        self.first(async |seat: &Seat| {
            let head = seat.endpoint.head(Depth::Latest).await?;
            Ok(digest(self.reader.find_at(seat, head, mould, seconds).await?.transaction()))
        })
        .await
    }
}

impl Reader {
    /// The hash of the code at the registry's address, on the registry's chain.
    async fn code_hash(&self, endpoint: &Endpoint) -> Result<Digest, RegistryFault> {
        let chain_id = endpoint.chain_id().await?;
        if chain_id != self.urn.chain_id {
            let wanted = self.urn.chain_id;
            return Err(RegistryFault::WrongRegistry(format!(
                "{} speaks for chain {chain_id}, expected {wanted}",
                endpoint.label
            )));
        }
        let code = endpoint.code(address(self.urn.address)).await?;
        if code.is_empty() {
            return Err(RegistryFault::WrongRegistry(format!("there is no contract at {}", self.urn.address)));
        }
        Ok(abi::code_hash(&code))
    }
}

#[async_trait]
impl Registry for Client {
    fn urn(&self) -> RegistryUrn {
        self.reader.urn
    }

    fn recorder(&self) -> Option<Account> {
        self.pen.own().ok().map(writing::Signer::account)
    }

    fn account(&self, secret: &[u8; 32]) -> Option<Account> {
        account_of(secret).ok()
    }

    async fn head(&self, depth: Depth) -> Result<Head, RegistryFault> {
        let heads = try_join_all(self.endpoints().map(|endpoint| endpoint.head(depth))).await?;
        let lowest = heads.iter().map(|head| head.number).min().unwrap_or_default();
        let block = BlockId::number(lowest);
        self.agree("the block at one height", async |seat: &Seat| match heads.as_slice() {
            [only] => Ok(*only),
            _ => seat.endpoint.header(block).await?.ok_or_else(|| seat.endpoint.nonsense("it lost its head block")),
        })
        .await
    }

    async fn sighting(
        &self,
        depth: Depth,
        recorder: Account,
        contract_id: ContractId,
        account: Option<Account>,
        since: Timestamp,
    ) -> Result<Sighting, RegistryFault> {
        let head = self.head(depth).await?;
        self.agree("what stands about one contract", |seat| {
            self.reader.sighting(seat, head, recorder, contract_id, account, since)
        })
        .await
    }

    async fn entries(
        &self,
        recorder: Account,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(ContractId, Entry)>, RegistryFault> {
        let head = self.head(Depth::Finalised).await?;
        self.agree("the entries of one recorder", |seat| self.reader.entries(seat, head, recorder, from, until)).await
    }

    async fn record(&self, contract_id: ContractId, hash: Digest) -> Result<Entry, RegistryFault> {
        let signer = self.pen.own()?;
        let recorder = signer.account();
        let standing = self.status_now(recorder, contract_id, None).await?.hash;
        if standing == word(hash) {
            return self.standing(recorder, contract_id).await;
        }
        if !standing.is_zero() {
            return Err(RegistryFault::Conflict(digest(standing)));
        }
        let call = contract::recordCall { contractId: abi::id(contract_id), hash: word(hash) };
        let to = Some(address(self.reader.urn.address));
        let receipt = self.pen.send(self.endpoints(), signer, to, call.abi_encode(), U256::ZERO).await?;
        let mould = Mould::recorded(recorder, contract_id);
        let logged: Vec<Log> = receipt.logs().iter().filter(|log| mould.fits(log)).cloned().collect();
        if logged.is_empty() {
            // A twin of this transaction came first.
            return self.standing(recorder, contract_id).await;
        }
        self.first(async |seat: &Seat| {
            let head = seat.endpoint.head(Depth::Latest).await?;
            let mut found = self.reader.place(seat, head, logged.clone()).await?;
            let found = found.pop().ok_or_else(|| seat.endpoint.nonsense("a receipt without its log"))?;
            found.entry(&self.reader, recorder)
        })
        .await
    }

    async fn end(&self, contract_id: ContractId, reason: u8) -> Result<Digest, RegistryFault> {
        let signer = self.pen.own()?;
        let recorder = signer.account();
        match self.status_now(recorder, contract_id, None).await?.endedAt {
            0 => {
                let call = contract::endCall { contractId: abi::id(contract_id), reason };
                self.write(signer, call.abi_encode()).await
            }
            seconds => self.marked_at(Mould::ended(recorder, contract_id), seconds).await,
        }
    }

    async fn withdraw(
        &self,
        key: &[u8; 32],
        recorder: Account,
        contract_id: ContractId,
        reason: u8,
    ) -> Result<Digest, RegistryFault> {
        let signer = writing::Signer::new(abi::signer(key)?);
        let party = signer.account();
        match self.status_now(recorder, contract_id, Some(party)).await?.withdrawnAt {
            // A withdrawal account is made for one contract and has no coins: whoever records from here pays for it.
            0 if self.pen.own().is_ok() => {
                let deadline = self.head(Depth::Latest).await?.time.plus(WITHDRAWAL_LASTS);
                let signature = abi::sign_withdrawal(key, self.reader.urn, recorder, contract_id, reason, deadline)?;
                self.withdraw_for(party, recorder, contract_id, reason, deadline, &signature).await
            }
            0 => {
                let recorder = address(recorder);
                let call = contract::withdrawCall { recorder, contractId: abi::id(contract_id), reason };
                self.write(&signer, call.abi_encode()).await
            }
            seconds => self.marked_at(Mould::withdrawn(party, recorder, contract_id), seconds).await,
        }
    }
}

/// How long a withdrawal that another account pays for may be submitted, in seconds of block time.
const WITHDRAWAL_LASTS: i64 = 3600;

const REQUEST: Duration = Duration::from_secs(10);
const RECEIPT: Duration = Duration::from_secs(60);
