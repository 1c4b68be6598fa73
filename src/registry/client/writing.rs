//! Transactions: one nonce at a time, handed in until they stand in a block.

use std::time::Duration;

use alloy::consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy::eips::eip2718::Encodable2718 as _;
use alloy::primitives::{Address, B256, TxKind, U256};
use alloy::rpc::types::{TransactionInput, TransactionReceipt, TransactionRequest};
use alloy::signers::SignerSync as _;
use alloy::signers::local::PrivateKeySigner;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::endpoint::{Endpoint, Handed};
use crate::credential::Account;
use crate::node::port::RegistryFault;
use crate::registry::abi::account;

/// How often a receipt is asked for.
const POLL: Duration = Duration::from_millis(200);
/// Etherlink's node drops what it cannot include for so long, and says nothing.
const REPEAT: Duration = Duration::from_secs(4);
/// How often a transaction is signed anew because its nonce was taken.
const ATTEMPTS: usize = 4;

/// A key that pays and signs.
pub(super) struct Signer {
    key: PrivateKeySigner,
}

/// What writes: the recorder's key, if there is one, and the order of nonces.
pub(super) struct Pen {
    own: Option<Signer>,
    chain_id: u64,
    patience: Duration,
    /// The nonce after the last one handed in, per account; held while a nonce is chosen and handed in.
    next: Mutex<std::collections::HashMap<Address, u64>>,
}

impl Signer {
    pub(super) fn new(key: PrivateKeySigner) -> Self {
        Self { key }
    }

    pub(super) fn account(&self) -> Account {
        account(self.key.address())
    }
}

impl Pen {
    pub(super) fn new(own: Option<PrivateKeySigner>, chain_id: u64, patience: Duration) -> Self {
        Self { own: own.map(Signer::new), chain_id, patience, next: Mutex::default() }
    }

    pub(super) fn own(&self) -> Result<&Signer, RegistryFault> {
        self.own.as_ref().ok_or(RegistryFault::ReadOnly)
    }

    /// Sends a transaction through the first endpoint that works and waits for its receipt with status 1.
    pub(super) async fn send<'a>(
        &self,
        endpoints: impl Iterator<Item = &'a Endpoint> + Clone,
        signer: &Signer,
        to: Option<Address>,
        data: Vec<u8>,
        value: U256,
    ) -> Result<TransactionReceipt, RegistryFault> {
        let from = signer.key.address();
        let request = TransactionRequest {
            from: Some(from),
            to: Some(to.map_or(TxKind::Create, TxKind::Call)),
            value: Some(value),
            input: TransactionInput::new(data.clone().into()),
            ..TransactionRequest::default()
        };
        for _ in 0..ATTEMPTS {
            let (endpoint, gas) = rehearse(endpoints.clone(), &request).await?;
            // Room for a base fee that rises between now and the block; what is not used is not paid.
            let price = endpoint.gas_price().await?;
            let mut next = self.next.lock().await;
            let nonce = endpoint.nonce(from).await?.max(next.get(&from).copied().unwrap_or_default());
            let transaction = TxEip1559 {
                chain_id: self.chain_id,
                nonce,
                gas_limit: gas.saturating_add(gas / 10),
                max_fee_per_gas: price.saturating_mul(2).max(1),
                max_priority_fee_per_gas: 1,
                to: request.to.unwrap_or_default(),
                value,
                access_list: Default::default(),
                input: data.clone().into(),
            };
            let (raw, hash) = sign(signer, transaction)?;
            match hand_in(endpoints.clone(), &raw).await {
                Ok(Handed::In) => {
                    if next.len() > 1024 {
                        next.clear();
                    }
                    next.insert(from, nonce + 1);
                }
                Ok(Handed::NonceUsed) => {
                    next.remove(&from);
                    continue;
                }
                Err(fault) => {
                    next.remove(&from);
                    return Err(fault);
                }
            }
            drop(next);
            let outcome = self.wait(endpoints.clone(), &raw, hash).await;
            if matches!(outcome, Err(RegistryFault::Unreachable(_))) {
                self.next.lock().await.remove(&from);
            }
            let receipt = outcome?;
            if receipt.status() {
                return Ok(receipt);
            }
            // It passed the rehearsal and failed in the block: something came between. The rehearsal tells what.
            rehearse(endpoints.clone(), &request).await?;
            return Err(RegistryFault::Refused(format!("transaction {hash} failed in its block")));
        }
        Err(RegistryFault::Unreachable("another sender uses this key's nonces".into()))
    }

    async fn wait<'a>(
        &self,
        endpoints: impl Iterator<Item = &'a Endpoint> + Clone,
        raw: &[u8],
        hash: B256,
    ) -> Result<TransactionReceipt, RegistryFault> {
        let start = Instant::now();
        let mut repeated = start;
        while start.elapsed() < self.patience {
            for endpoint in endpoints.clone() {
                if let Ok(Some(receipt)) = endpoint.receipt(hash).await {
                    return Ok(receipt);
                }
            }
            if repeated.elapsed() >= REPEAT {
                repeated = Instant::now();
                // What comes of it shows in the receipt; a nonce that was used may have been used by this very one.
                let _ = hand_in(endpoints.clone(), raw).await;
            }
            tokio::time::sleep(POLL).await;
        }
        let seconds = self.patience.as_secs();
        Err(RegistryFault::Unreachable(format!("no receipt of {hash} within {seconds} s; its outcome is unknown")))
    }
}

async fn rehearse<'a>(
    endpoints: impl Iterator<Item = &'a Endpoint>,
    request: &TransactionRequest,
) -> Result<(&'a Endpoint, u64), RegistryFault> {
    let mut last = RegistryFault::Unreachable("no endpoint is configured".into());
    for endpoint in endpoints {
        match endpoint.rehearse(request).await {
            Ok(gas) => return Ok((endpoint, gas)),
            Err(fault @ RegistryFault::Unreachable(_)) => last = fault,
            Err(fault) => return Err(fault),
        }
    }
    Err(last)
}

async fn hand_in<'a>(endpoints: impl Iterator<Item = &'a Endpoint>, raw: &[u8]) -> Result<Handed, RegistryFault> {
    let mut last = RegistryFault::Unreachable("no endpoint is configured".into());
    for endpoint in endpoints {
        match endpoint.hand_in(raw).await {
            Err(fault @ RegistryFault::Unreachable(_)) => last = fault,
            answer => return answer,
        }
    }
    Err(last)
}

fn sign(signer: &Signer, transaction: TxEip1559) -> Result<(Vec<u8>, B256), RegistryFault> {
    let signature = signer
        .key
        .sign_hash_sync(&transaction.signature_hash())
        .map_err(|cause| RegistryFault::Refused(cause.to_string()))?;
    let envelope = TxEnvelope::from(transaction.into_signed(signature));
    Ok((envelope.encoded_2718(), *envelope.tx_hash()))
}
