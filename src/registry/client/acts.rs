//! What needs no registry yet: accounts, coins, and putting a registry on a chain.

use alloy::primitives::U256;
use url::Url;

use super::endpoint::Endpoint;
use super::writing::Pen;
use super::{Deployment, RECEIPT, REQUEST, Reader};
use crate::credential::{Account, RegistryUrn};
use crate::encoding::Digest;
use crate::node::port::RegistryFault;
use crate::registry::abi::{self, address, contract, digest};

/// The account of a secp256k1 secret.
///
/// # Errors
/// [`RegistryFault::Refused`] when `key` is none.
pub fn account_of(key: &[u8; 32]) -> Result<Account, RegistryFault> {
    Ok(abi::account(abi::signer(key)?.address()))
}

/// The chain id that `endpoint` speaks for.
///
/// # Errors
/// [`RegistryFault::Unreachable`].
pub async fn chain_id(endpoint: &Url) -> Result<u64, RegistryFault> {
    Endpoint::open(endpoint, REQUEST)?.chain_id().await
}

/// The balance of an account at the newest block, in wei.
///
/// # Errors
/// [`RegistryFault::Unreachable`]; also for a balance of more than 128 bits.
pub async fn balance(endpoint: &Url, account: Account) -> Result<u128, RegistryFault> {
    let endpoint = Endpoint::open(endpoint, REQUEST)?;
    u128::try_from(endpoint.balance(address(account)).await?).map_err(|_| endpoint.nonsense("a balance out of range"))
}

/// Puts a new registry on a chain, paid by `key`.
///
/// # Errors
/// [`RegistryFault::Refused`] when the chain does, for want of funds for example; [`RegistryFault::Unreachable`].
pub async fn deploy(endpoint: &Url, key: &[u8; 32]) -> Result<Deployment, RegistryFault> {
    let endpoint = Endpoint::open(endpoint, REQUEST)?;
    let chain_id = endpoint.chain_id().await?;
    let pen = Pen::new(Some(abi::signer(key)?), chain_id, RECEIPT);
    let data = contract::BYTECODE.to_vec();
    let receipt = pen.send(std::iter::once(&endpoint), pen.own()?, None, data, U256::ZERO).await?;
    let at = receipt.contract_address.ok_or_else(|| endpoint.nonsense("the receipt names no contract"))?;
    let urn = RegistryUrn { chain_id, address: abi::account(at) };
    let code_hash = Reader { urn, log_window: 1 }.code_hash(&endpoint).await?;
    Ok(Deployment { urn, code_hash, transaction: digest(receipt.transaction_hash) })
}

/// Sends `wei` from the account of `key`, for example to fund a recorder on a development chain.
///
/// # Errors
/// [`RegistryFault::Refused`] when the chain does, for want of funds for example; [`RegistryFault::Unreachable`].
pub async fn send_value(endpoint: &Url, key: &[u8; 32], to: Account, wei: u128) -> Result<Digest, RegistryFault> {
    let endpoint = Endpoint::open(endpoint, REQUEST)?;
    let pen = Pen::new(Some(abi::signer(key)?), endpoint.chain_id().await?, RECEIPT);
    let value = U256::from(wei);
    let receipt = pen.send(std::iter::once(&endpoint), pen.own()?, Some(address(to)), Vec::new(), value).await?;
    Ok(digest(receipt.transaction_hash))
}
