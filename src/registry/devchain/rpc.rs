//! The methods, with Etherlink's answers where they differ from Ethereum's.

use std::sync::RwLock;

use alloy::primitives::{Address, B256, Bytes, U256, hex};
use revm::context::result::ExecutionResult;
use revm::database_interface::DatabaseRef as _;
use serde_json::{Value, json};

use super::execution::{self, Call, Failed, Place};
use super::fees::{BASE_FEE, EXECUTION_CAP, data_gas};
use super::ledger::Ledger;
use super::params::{Params, quantity};
use super::render;

const LOGS: usize = 5000;

/// What `web3_clientVersion` says; nobody shall take this for a chain that others share.
const VERSION: &str = concat!("countersign development chain ", env!("CARGO_PKG_VERSION"));

/// A JSON-RPC error.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: i64,
    pub(super) message: String,
    pub(super) data: Option<Value>,
}

impl Fault {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(-32600, message)
    }

    /// Where Ethereum says `null`, Etherlink reports an error.
    pub(super) fn missing(block: &str) -> Self {
        Self::new(-32603, format!("Block {block} not found"))
    }
}

/// Answers one request.
pub(super) fn answer(ledger: &RwLock<Ledger>, method: &str, params: &[Value], now: u64) -> Result<Value, Fault> {
    let disorder = || Fault::new(-32603, "the chain has stopped");
    let params = Params(params);
    if method == "eth_sendRawTransaction" {
        let raw: Bytes = params.hex(0)?;
        let hash = ledger.write().map_err(|_| disorder())?.submit(raw, now);
        return hash.map(|hash| json!(hash)).map_err(|text| Fault::new(-32000, text));
    }
    let ledger = ledger.read().map_err(|_| disorder())?;
    read(&ledger, method, &params, now)
}

fn read(ledger: &Ledger, method: &str, params: &Params<'_>, now: u64) -> Result<Value, Fault> {
    let head = ledger.head().number;
    Ok(match method {
        "web3_clientVersion" => json!(VERSION),
        "net_version" => json!(ledger.chain_id.to_string()),
        "eth_chainId" => render::quantity(ledger.chain_id),
        "eth_blockNumber" => render::quantity(head),
        "eth_gasPrice" => render::quantity(BASE_FEE),
        "eth_maxPriorityFeePerGas" => render::quantity(0),
        "eth_accounts" => json!([]),
        "eth_feeHistory" => fee_history(ledger, params)?,
        "eth_getBlockByNumber" => {
            let block = ledger.block(params.block(0, ledger)?);
            block.map_or(Value::Null, |block| render::block(block, full(params)))
        }
        "eth_getBlockByHash" => {
            let hash: B256 = params.hex(0)?;
            let block = ledger.number_of(hash).and_then(|number| ledger.block(number));
            render::block(block.ok_or_else(|| Fault::missing(&hash.to_string()))?, full(params))
        }
        "eth_getBalance" => json!(ledger.at(params.block(1, ledger)?).account(params.hex(0)?).balance),
        "eth_getCode" => render::bytes(ledger.at(params.block(1, ledger)?).code(params.hex(0)?)),
        "eth_getStorageAt" => {
            let (address, slot): (Address, U256) = (params.hex(0)?, params.hex(1)?);
            let Ok(value) = ledger.at(params.block(2, ledger)?).storage_ref(address, slot);
            json!(B256::from(value))
        }
        "eth_getTransactionCount" => {
            let address: Address = params.hex(0)?;
            let pending = params.value(1).is_some_and(|tag| tag == "pending");
            let nonce = if pending {
                ledger.next_nonce(address)
            } else {
                ledger.at(params.block(1, ledger)?).account(address).nonce
            };
            render::quantity(nonce)
        }
        "eth_call" => {
            let (call, number) = (params.call(0)?, params.block(1, ledger)?);
            // A past block is what the call finds; its own time is that block's.
            let time = ledger.block(number).map_or(now, |block| block.time);
            let place = Place { chain_id: ledger.chain_id, number, time };
            let gas = call.gas.unwrap_or(EXECUTION_CAP).min(EXECUTION_CAP);
            let outcome = execution::attempt(ledger.at(number), place, &call, gas).map_err(impossible)?;
            if !outcome.is_success() {
                return Err(reverted(-32003, outcome));
            }
            render::bytes(outcome.into_output().unwrap_or_default())
        }
        "eth_estimateGas" => estimate(ledger, params.call(0)?, params.block(1, ledger)?, now)?,
        "eth_getTransactionReceipt" => {
            let mined = ledger.mined(params.hex(0)?);
            mined.map_or(Value::Null, |(block, index)| render::receipt(block, index))
        }
        "eth_getTransactionByHash" => {
            let hash = params.hex(0)?;
            let waiting = || ledger.waiting(hash).map_or(Value::Null, render::pending);
            ledger.mined(hash).map_or_else(waiting, |(block, index)| render::mined(block, index))
        }
        "eth_getLogs" => logs(ledger, params)?,
        "eth_newFilter"
        | "eth_newBlockFilter"
        | "eth_newPendingTransactionFilter"
        | "eth_getFilterChanges"
        | "eth_getFilterLogs"
        | "eth_uninstallFilter" => return Err(Fault::new(-32004, format!("{method} is not supported"))),
        _ => return Err(Fault::new(-32601, "Method not found")),
    })
}

fn full(params: &Params<'_>) -> bool {
    params.value(1) == Some(&Value::Bool(true))
}

/// Etherlink's has no `reward`: a priority fee moves nothing.
fn fee_history(ledger: &Ledger, params: &Params<'_>) -> Result<Value, Fault> {
    let count = params.value(0).map_or(Ok(1), |value| value.as_u64().map_or_else(|| quantity(value), Ok))?;
    let newest = params.block(1, ledger)?;
    let count = count.clamp(1, 1024).min(newest + 1);
    let fees = vec![render::quantity(BASE_FEE); usize::try_from(count).unwrap_or_default() + 1];
    let ratios = vec![0.0; fees.len() - 1];
    Ok(json!({ "oldestBlock": render::quantity(newest + 1 - count), "baseFeePerGas": fees, "gasUsedRatio": ratios }))
}

fn estimate(ledger: &Ledger, call: Call, number: u64, now: u64) -> Result<Value, Fault> {
    let place = Place { chain_id: ledger.chain_id, number: number + 1, time: now };
    let execution = execution::estimate(ledger.at(number), place, &call).map_err(impossible)?;
    let execution = execution.map_err(|outcome| reverted(-32005, outcome))?;
    Ok(render::quantity(execution.saturating_add(data_gas(call.data.len(), 0, 0))))
}

fn logs(ledger: &Ledger, params: &Params<'_>) -> Result<Value, Fault> {
    let filter = params.filter(ledger)?;
    let mut list = Vec::new();
    for block in (filter.from..=filter.to).filter_map(|number| ledger.block(number)) {
        for index in 0..block.transactions.len() {
            list.append(&mut render::logs(block, index, |log| filter.fits(log)));
            if list.len() > LOGS {
                return Err(Fault::invalid("Result would return too many logs"));
            }
        }
    }
    Ok(Value::Array(list))
}

fn impossible(cause: Failed) -> Fault {
    Fault::new(-32000, cause.to_string())
}

fn reverted(code: i64, outcome: ExecutionResult) -> Fault {
    match outcome {
        ExecutionResult::Revert { output, .. } => Fault {
            code,
            message: "execution reverted".into(),
            data: Some(Value::String(hex::encode_prefixed(&output))),
        },
        ExecutionResult::Halt { reason, .. } => Fault::new(code, format!("execution failed: {reason:?}")),
        ExecutionResult::Success { .. } => Fault::new(code, "execution failed"),
    }
}
