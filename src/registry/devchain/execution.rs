//! One transaction or call in the EVM, under Osaka's rules.

use std::convert::Infallible;

use alloy::consensus::{Transaction as _, TxEnvelope, Typed2718 as _};
use alloy::primitives::{Address, Bytes, TxKind, U256};
use revm::context::result::{EVMError, ExecutionResult, ResultAndState};
use revm::context::{BlockEnv, CfgEnv, TxEnv};
use revm::context_interface::either::Either;
use revm::database::CacheDB;
use revm::primitives::hardfork::SpecId;
use revm::{Context, ExecuteEvm as _, MainBuilder as _, MainContext as _};

use super::fees::{BASE_FEE, EXECUTION_CAP};
use super::state::At;

/// The block that something runs in.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) chain_id: u64,
    pub(super) number: u64,
    pub(super) time: u64,
}

/// A call that is only tried.
#[derive(Clone, Default)]
pub(super) struct Call {
    pub(super) from: Address,
    pub(super) to: Option<Address>,
    pub(super) value: U256,
    pub(super) data: Bytes,
    pub(super) gas: Option<u64>,
}

pub(super) type Failed = EVMError<Infallible>;

/// Executes a signed transaction. Its data's share was taken from the gas limit already, and is taken from the
/// sender's balance here.
pub(super) fn execute(
    at: At<'_>,
    place: Place,
    transaction: &TxEnvelope,
    sender: Address,
    data_gas: u64,
) -> Result<ResultAndState, Failed> {
    let mut database = CacheDB::new(at);
    let mut info = at.account(sender);
    info.balance = info.balance.saturating_sub(U256::from(data_gas) * U256::from(BASE_FEE));
    database.insert_account_info(sender, info);
    let dynamic = transaction.is_dynamic_fee();
    let env = TxEnv {
        tx_type: transaction.ty(),
        caller: sender,
        gas_limit: transaction.gas_limit().saturating_sub(data_gas).min(EXECUTION_CAP),
        gas_price: BASE_FEE.into(),
        gas_priority_fee: dynamic.then_some(0),
        kind: transaction.kind(),
        value: transaction.value(),
        data: transaction.input().clone(),
        nonce: transaction.nonce(),
        chain_id: transaction.chain_id(),
        access_list: transaction.access_list().cloned().unwrap_or_default(),
        authorization_list: transaction
            .authorization_list()
            .map(|list| list.iter().cloned().map(Either::Left).collect())
            .unwrap_or_default(),
        ..TxEnv::default()
    };
    run(database, place, BASE_FEE, false, env)
}

/// Tries a call against the state `at`; nothing stays of it.
pub(super) fn attempt(at: At<'_>, place: Place, call: &Call, gas: u64) -> Result<ExecutionResult, Failed> {
    let env = TxEnv {
        caller: call.from,
        gas_limit: gas,
        gas_price: 0,
        kind: call.to.map_or(TxKind::Create, TxKind::Call),
        value: call.value,
        data: call.data.clone(),
        chain_id: Some(place.chain_id),
        ..TxEnv::default()
    };
    // As elsewhere, a call that names no price sees a base fee of zero.
    run(CacheDB::new(at), place, 0, true, env).map(|outcome| outcome.result)
}

/// The least execution gas that a call succeeds with, near enough; or why it fails.
pub(super) fn estimate(at: At<'_>, place: Place, call: &Call) -> Result<Result<u64, ExecutionResult>, Failed> {
    let most = call.gas.unwrap_or(EXECUTION_CAP).min(EXECUTION_CAP);
    let outcome = attempt(at, place, call, most)?;
    if !outcome.is_success() {
        return Ok(Err(outcome));
    }
    // Gas that is refunded, or held back from inner calls, has to be there all the same.
    let mut low = outcome.tx_gas_used();
    let mut high = most;
    let works = |gas: u64| attempt(at, place, call, gas).is_ok_and(|outcome| outcome.is_success());
    if works(low) {
        return Ok(Ok(low));
    }
    while low + 1 < high && high - low > high / 100 {
        let middle = low + (high - low) / 2;
        if works(middle) { high = middle } else { low = middle }
    }
    Ok(Ok(high))
}

fn run(
    database: CacheDB<At<'_>>,
    place: Place,
    base_fee: u64,
    call: bool,
    env: TxEnv,
) -> Result<ResultAndState, Failed> {
    let mut config = CfgEnv::new_with_spec(SpecId::OSAKA).with_chain_id(place.chain_id);
    config.tx_gas_limit_cap = Some(EXECUTION_CAP);
    config.disable_nonce_check = call;
    let block = BlockEnv {
        number: U256::from(place.number),
        timestamp: U256::from(place.time),
        gas_limit: u64::MAX,
        basefee: base_fee,
        prevrandao: Some(Default::default()),
        ..BlockEnv::default()
    };
    Context::mainnet().with_db(database).with_cfg(config).with_block(block).build_mainnet().transact(env)
}
