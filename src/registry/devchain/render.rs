//! Blocks, transactions, receipts and logs as JSON-RPC shows them.

use alloy::consensus::{Transaction as _, Typed2718 as _};
use alloy::primitives::{Address, B256, Bloom, Bytes, U64, U256};
use serde_json::{Value, json};

use super::fees::BASE_FEE;
use super::ledger::{Block, Mined, Pending};

pub(super) fn quantity(number: u64) -> Value {
    json!(U64::from(number))
}

pub(super) fn block(block: &Block, full: bool) -> Value {
    let transactions: Vec<Value> = if full {
        (0..block.transactions.len()).map(|index| mined(block, index)).collect()
    } else {
        block.transactions.iter().map(|mined| json!(mined.transaction.hash)).collect()
    };
    let gas_used = block.transactions.last().map_or(0, |mined| mined.cumulative_gas);
    json!({
        "number": quantity(block.number),
        "hash": block.hash,
        "parentHash": block.parent,
        "timestamp": quantity(block.time),
        "transactions": transactions,
        "gasUsed": quantity(gas_used),
        "gasLimit": quantity(1 << 50),
        "baseFeePerGas": quantity(BASE_FEE),
        "miner": Address::ZERO,
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "nonce": "0x0000000000000000",
        "mixHash": B256::ZERO,
        "sha3Uncles": B256::ZERO,
        "stateRoot": B256::ZERO,
        "transactionsRoot": B256::ZERO,
        "receiptsRoot": B256::ZERO,
        "logsBloom": bloom(block.transactions.iter()),
        "extraData": "0x",
        "size": "0x0",
        "uncles": [],
        "blobGasUsed": "0x0",
        "excessBlobGas": "0x0",
    })
}

pub(super) fn mined(block: &Block, index: usize) -> Value {
    let Some(found) = block.transactions.get(index) else { return Value::Null };
    let mut value = pending(&found.transaction);
    value["blockHash"] = json!(block.hash);
    value["blockNumber"] = quantity(block.number);
    value["transactionIndex"] = quantity(index as u64);
    value["gasPrice"] = quantity(BASE_FEE);
    value
}

pub(super) fn pending(pending: &Pending) -> Value {
    // An envelope of a transaction that was decoded always serialises.
    let mut value = serde_json::to_value(&pending.envelope).unwrap_or_default();
    value["from"] = json!(pending.sender);
    value["hash"] = json!(pending.hash);
    for place in ["blockHash", "blockNumber", "transactionIndex"] {
        value[place] = Value::Null;
    }
    if value.get("gasPrice").is_none() {
        value["gasPrice"] = json!(U256::from(pending.envelope.max_fee_per_gas()));
    }
    value
}

pub(super) fn receipt(block: &Block, index: usize) -> Value {
    let Some(mined) = block.transactions.get(index) else { return Value::Null };
    let transaction = &mined.transaction;
    json!({
        "transactionHash": transaction.hash,
        "transactionIndex": quantity(index as u64),
        "blockHash": block.hash,
        "blockNumber": quantity(block.number),
        "from": transaction.sender,
        "to": transaction.envelope.to(),
        "contractAddress": mined.created,
        "gasUsed": quantity(mined.gas_used),
        "cumulativeGasUsed": quantity(mined.cumulative_gas),
        "effectiveGasPrice": quantity(BASE_FEE),
        "status": quantity(mined.success.into()),
        "type": quantity(transaction.envelope.ty().into()),
        "logs": logs(block, index, |_| true),
        "logsBloom": bloom(std::iter::once(mined)),
    })
}

/// The logs of one transaction that `wanted` picks.
pub(super) fn logs(block: &Block, index: usize, wanted: impl Fn(&alloy::primitives::Log) -> bool) -> Vec<Value> {
    let Some(mined) = block.transactions.get(index) else { return Vec::new() };
    let numbered = mined.logs.iter().zip(mined.first_log..);
    numbered
        .filter(|(log, _)| wanted(log))
        .map(|(log, number)| {
            json!({
                "address": log.address,
                "topics": log.topics(),
                "data": log.data.data,
                "blockHash": block.hash,
                "blockNumber": quantity(block.number),
                "blockTimestamp": quantity(block.time),
                "transactionHash": mined.transaction.hash,
                "transactionIndex": quantity(index as u64),
                "logIndex": quantity(number),
                "removed": false,
            })
        })
        .collect()
}

pub(super) fn bytes(data: impl Into<Bytes>) -> Value {
    json!(data.into())
}

fn bloom<'a>(mined: impl Iterator<Item = &'a Mined>) -> Bloom {
    mined.flat_map(|mined| &mined.logs).collect()
}
