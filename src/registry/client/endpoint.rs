//! One JSON-RPC endpoint: single questions, each bounded in time, with the peculiarities of Etherlink's node.

use std::time::Duration;

use alloy::eips::{BlockId, BlockNumberOrTag};
use alloy::network::Ethereum;
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::providers::{Provider as _, RootProvider};
use alloy::rpc::client::RpcClient;
use alloy::rpc::types::{Filter, Log, TransactionReceipt, TransactionRequest};
use alloy::sol_types::{SolCall, SolInterface as _};
use alloy::transports::http::{Http, reqwest as http};
use alloy::transports::{TransportError, TransportErrorKind};
use url::Url;

use crate::credential::Head;
use crate::encoding::Timestamp;
use crate::node::port::{Depth, RegistryFault};
use crate::registry::abi::{contract, digest};

/// What came of handing a transaction in.
pub(super) enum Handed {
    /// It is known to the node now, or was before.
    In,
    /// Its nonce has been used.
    NonceUsed,
}

/// A chain endpoint.
pub(super) struct Endpoint {
    provider: RootProvider<Ethereum>,
    /// Scheme, host and port; a path may hold an access key, which has no place in messages.
    pub(super) label: String,
}

impl Endpoint {
    pub(super) fn open(url: &Url, timeout: Duration) -> Result<Self, RegistryFault> {
        let label = url.origin().ascii_serialization();
        // Fails where the process has a provider already, and that is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = http::Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout)
            .redirect(http::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|cause| RegistryFault::Unreachable(format!("{label}: no HTTP client: {}", cause.without_url())))?;
        let provider = RootProvider::new(RpcClient::new(Http::with_client(client, url.clone()), false));
        Ok(Self { provider, label })
    }

    pub(super) async fn chain_id(&self) -> Result<u64, RegistryFault> {
        self.provider.get_chain_id().await.map_err(|cause| self.unreachable("chain id", &cause))
    }

    pub(super) async fn code(&self, address: Address) -> Result<Bytes, RegistryFault> {
        self.provider.get_code_at(address).await.map_err(|cause| self.unreachable("code", &cause))
    }

    pub(super) async fn balance(&self, address: Address) -> Result<U256, RegistryFault> {
        self.provider.get_balance(address).await.map_err(|cause| self.unreachable("balance", &cause))
    }

    pub(super) async fn gas_price(&self) -> Result<u128, RegistryFault> {
        self.provider.get_gas_price().await.map_err(|cause| self.unreachable("gas price", &cause))
    }

    pub(super) async fn nonce(&self, address: Address) -> Result<u64, RegistryFault> {
        self.provider.get_transaction_count(address).pending().await.map_err(|cause| self.unreachable("nonce", &cause))
    }

    /// The head at `depth`.
    pub(super) async fn head(&self, depth: Depth) -> Result<Head, RegistryFault> {
        let tag = match depth {
            Depth::Finalised => BlockNumberOrTag::Finalized,
            Depth::Latest => BlockNumberOrTag::Latest,
        };
        self.header(tag.into()).await?.ok_or_else(|| self.nonsense("it has no head block"))
    }

    /// A block's place and time; `None` where the endpoint does not know it. Etherlink answers -32603 then, not `null`.
    pub(super) async fn header(&self, block: BlockId) -> Result<Option<Head>, RegistryFault> {
        let answer = match self.provider.get_block(block).await {
            Ok(Some(answer)) => answer.header,
            Ok(None) => return Ok(None),
            Err(cause) if is_missing(&cause) => return Ok(None),
            Err(cause) => return Err(self.unreachable("block", &cause)),
        };
        let hash = answer.hash;
        match block {
            BlockId::Hash(wanted) if wanted.block_hash != hash => return Err(self.nonsense("it gave another block")),
            BlockId::Number(BlockNumberOrTag::Number(wanted)) if wanted != answer.inner.number => {
                return Err(self.nonsense("it gave another block"));
            }
            _ => {}
        }
        let seconds = i64::try_from(answer.inner.timestamp).unwrap_or(i64::MAX);
        let time = Timestamp::from_seconds(seconds).map_err(|refusal| self.nonsense(&refusal.detail))?;
        Ok(Some(Head { number: answer.inner.number, hash: digest(hash), time }))
    }

    /// Calls the registry as of one block; `None` where no contract stood at the address yet.
    pub(super) async fn ask<C: SolCall>(
        &self,
        registry: Address,
        call: &C,
        block: BlockId,
    ) -> Result<Option<C::Return>, RegistryFault> {
        let request = TransactionRequest::default().to(registry).input(call.abi_encode().into());
        let answer =
            self.provider.call(request).block(block).await.map_err(|cause| self.unreachable("status", &cause))?;
        if answer.is_empty() {
            return Ok(None);
        }
        C::abi_decode_returns_validate(&answer)
            .map(Some)
            .map_err(|_| self.nonsense("the registry's answer is malformed"))
    }

    /// Logs of a filter; `Err(None)` where the node finds the range too wide.
    pub(super) async fn logs(&self, filter: &Filter) -> Result<Vec<Log>, Option<RegistryFault>> {
        self.provider.get_logs(filter).await.map_err(|cause| {
            let text = cause.to_string();
            let wide = ["more than", "too many", "limit", "range"].iter().any(|word| text.contains(word));
            if cause.is_error_resp() && wide && !text.contains("unavailable") {
                None
            } else {
                Some(self.unreachable("logs", &cause))
            }
        })
    }

    /// The receipt, once the transaction stands in a block. A preconfirmed receipt has a zero block hash and is none.
    pub(super) async fn receipt(&self, transaction: B256) -> Result<Option<TransactionReceipt>, RegistryFault> {
        match self.provider.get_transaction_receipt(transaction).await {
            Ok(receipt) => Ok(receipt.filter(|found| found.block_hash.is_some_and(|hash| !hash.is_zero()))),
            Err(cause) if is_missing(&cause) => Ok(None),
            Err(cause) => Err(self.unreachable("receipt", &cause)),
        }
    }

    /// Runs a transaction without sending it, and says what gas it takes: Etherlink's share for data included.
    ///
    /// The call goes first because Etherlink reports a revert of `eth_estimateGas` as -32005, which reads as a rate limit.
    pub(super) async fn rehearse(&self, request: &TransactionRequest) -> Result<u64, RegistryFault> {
        self.provider.call(request.clone()).await.map_err(|cause| self.refused("call", &cause))?;
        self.provider.estimate_gas(request.clone()).await.map_err(|cause| self.refused("gas estimate", &cause))
    }

    /// Hands a signed transaction in.
    pub(super) async fn hand_in(&self, raw: &[u8]) -> Result<Handed, RegistryFault> {
        let Err(cause) = self.provider.send_raw_transaction(raw).await else { return Ok(Handed::In) };
        let text = cause.to_string().to_lowercase();
        if cause.is_error_resp() && ["already known", "already imported", "already in"].iter().any(|t| text.contains(t))
        {
            return Ok(Handed::In);
        }
        if cause.is_error_resp() && text.contains("nonce") && text.contains("low") {
            return Ok(Handed::NonceUsed);
        }
        Err(self.refused("transaction", &cause))
    }

    /// A fault for an answer that cannot be true.
    pub(super) fn nonsense(&self, what: &str) -> RegistryFault {
        RegistryFault::Unreachable(format!("{}: {what}", self.label))
    }

    fn unreachable(&self, what: &str, cause: &TransportError) -> RegistryFault {
        RegistryFault::Unreachable(format!("{} ({what}): {}", self.label, describe(cause)))
    }

    /// An error that the node reasoned about is a refusal; one of the connection is not.
    fn refused(&self, what: &str, cause: &TransportError) -> RegistryFault {
        let Some(answer) = cause.as_error_resp() else { return self.unreachable(what, cause) };
        let revert = answer.as_revert_data().unwrap_or_default();
        match contract::CountersignRegistryErrors::abi_decode(&revert) {
            Ok(contract::CountersignRegistryErrors::Conflict(conflict)) => {
                RegistryFault::Conflict(digest(conflict.recorded))
            }
            Ok(error) => RegistryFault::Refused(explain(&error)),
            Err(_) if is_rate_limit(cause) => self.unreachable(what, cause),
            Err(_) => RegistryFault::Refused(format!("{} ({what}): {}", self.label, describe(cause))),
        }
    }
}

fn explain(error: &contract::CountersignRegistryErrors) -> String {
    use contract::CountersignRegistryErrors as E;
    match error {
        E::Conflict(e) => format!("the contract id {} has another hash, {}", e.contractId, e.recorded),
        E::NilId(_) => "the contract id is nil".into(),
        E::ZeroHash(e) => format!("the hash for {} is zero", e.contractId),
        E::Ragged(e) => format!("{} bytes are not whole pairs of 48", e.length),
        E::Expired(e) => format!("the signature was good until {} only", e.deadline),
        E::BadSignature(e) => format!("not a signature of {} over this", e.account),
    }
}

fn is_rate_limit(cause: &TransportError) -> bool {
    cause.as_error_resp().is_some_and(|answer| {
        let text = answer.message.to_lowercase();
        answer.code == 429 || text.contains("rate limit") || text.contains("too many requests")
    })
}

fn is_missing(cause: &TransportError) -> bool {
    cause.as_error_resp().is_some_and(|answer| answer.message.to_lowercase().contains("not found"))
}

/// The error without the endpoint's address, whose path may be a secret, and bounded in length.
fn describe(cause: &TransportError) -> String {
    let text = match cause {
        TransportError::ErrorResp(answer) => format!("{} ({})", answer.message, answer.code),
        TransportError::Transport(TransportErrorKind::HttpError(error)) => format!("HTTP status {}", error.status),
        TransportError::Transport(kind) => match kind.as_custom().and_then(|it| it.downcast_ref::<http::Error>()) {
            Some(error) if error.is_timeout() => "no answer in time".into(),
            Some(error) if error.is_connect() => "no connection".into(),
            _ => "the connection failed".into(),
        },
        TransportError::DeserError { .. } => "the answer is malformed".into(),
        TransportError::NullResp => "the answer is null".into(),
        other => other.to_string(),
    };
    text.chars().take(300).collect()
}
