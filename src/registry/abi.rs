//! The contract's interface, from the committed artefact, and the two signatures that it checks.

use alloy::primitives::{Address, B256, FixedBytes, U256, keccak256};
use alloy::signers::SignerSync as _;
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{SolStruct as _, eip712_domain};

use crate::credential::{Account, ContractId, RegistryUrn};
use crate::encoding::{Digest, Timestamp};
use crate::node::port::RegistryFault;

// What the macro writes carries no documentation; the words stand in ICountersignRegistry.sol.
#[allow(missing_docs)]
mod generated {
    alloy::sol!(CountersignRegistry, "contracts/Registry.json");

    alloy::sol! {
        struct Record {
            address recorder;
            bytes16 contractId;
            bytes32 hash;
            uint256 deadline;
        }

        struct Withdraw {
            address party;
            address recorder;
            bytes16 contractId;
            uint8 reason;
            uint256 deadline;
        }
    }
}
pub(super) use generated::CountersignRegistry as contract;
use generated::{Record, Withdraw};

/// A recorder's signature for `recordFor`, good until `deadline`: 65 bytes, r ‖ s ‖ v, low s.
///
/// # Errors
/// [`RegistryFault::Refused`] when `key` is no secp256k1 secret.
pub fn sign_record(
    key: &[u8; 32],
    registry: RegistryUrn,
    contract_id: ContractId,
    hash: Digest,
    deadline: Timestamp,
) -> Result<[u8; 65], RegistryFault> {
    let signer = signer(key)?;
    let message = Record {
        recorder: signer.address(),
        contractId: id(contract_id),
        hash: word(hash),
        deadline: second(deadline),
    };
    sign(&signer, message.eip712_signing_hash(&domain(registry)))
}

/// A party's signature for `withdrawFor`, good until `deadline`: 65 bytes, r ‖ s ‖ v, low s.
///
/// # Errors
/// [`RegistryFault::Refused`] when `key` is no secp256k1 secret.
pub fn sign_withdrawal(
    key: &[u8; 32],
    registry: RegistryUrn,
    recorder: Account,
    contract_id: ContractId,
    reason: u8,
    deadline: Timestamp,
) -> Result<[u8; 65], RegistryFault> {
    let signer = signer(key)?;
    let message = Withdraw {
        party: signer.address(),
        recorder: address(recorder),
        contractId: id(contract_id),
        reason,
        deadline: second(deadline),
    };
    sign(&signer, message.eip712_signing_hash(&domain(registry)))
}

pub(super) fn signer(key: &[u8; 32]) -> Result<PrivateKeySigner, RegistryFault> {
    PrivateKeySigner::from_slice(key).map_err(|_| RegistryFault::Refused("the key is no secp256k1 secret".into()))
}

pub(super) fn address(account: Account) -> Address {
    Address::from(account.0)
}

pub(super) fn account(address: Address) -> Account {
    Account(address.into_array())
}

pub(super) fn id(contract_id: ContractId) -> FixedBytes<16> {
    FixedBytes(contract_id.0.into_bytes())
}

pub(super) fn word(digest: Digest) -> B256 {
    B256::from(*digest.as_bytes())
}

pub(super) fn digest(word: B256) -> Digest {
    Digest::from_bytes(word.0)
}

pub(super) fn code_hash(code: &[u8]) -> Digest {
    digest(keccak256(code))
}

pub(super) fn second(at: Timestamp) -> U256 {
    U256::from(at.seconds().unsigned_abs())
}

fn domain(registry: RegistryUrn) -> alloy::sol_types::Eip712Domain {
    eip712_domain! {
        name: "Countersign Registry",
        version: "1",
        chain_id: registry.chain_id,
        verifying_contract: address(registry.address),
    }
}

fn sign(signer: &PrivateKeySigner, digest: B256) -> Result<[u8; 65], RegistryFault> {
    let signature = signer.sign_hash_sync(&digest).map_err(|cause| RegistryFault::Refused(cause.to_string()))?;
    Ok(signature.normalized_s().as_bytes())
}
