//! Accounts and storage at every block: a value is kept with the block that wrote it.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;

use alloy::primitives::{Address, B256, KECCAK256_EMPTY, U256};
use revm::DatabaseRef;
use revm::bytecode::Bytecode;
use revm::state::{AccountInfo, EvmState};

/// All accounts, over all blocks.
#[derive(Default)]
pub(super) struct State {
    accounts: HashMap<Address, BTreeMap<u64, AccountInfo>>,
    slots: HashMap<(Address, U256), BTreeMap<u64, U256>>,
    codes: HashMap<B256, Bytecode>,
    hashes: Vec<B256>,
}

/// The state after one block.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    state: &'a State,
    number: u64,
}

impl State {
    pub(super) fn at(&self, number: u64) -> At<'_> {
        At { state: self, number }
    }

    /// Gives an account its balance in the first block.
    pub(super) fn endow(&mut self, address: Address, balance: U256) {
        let info = AccountInfo { balance, code: None, ..AccountInfo::default() };
        self.accounts.entry(address).or_default().insert(0, info);
    }

    /// Takes over what an execution in block `number` changed.
    pub(super) fn write(&mut self, number: u64, changes: EvmState) {
        for (address, account) in changes {
            if !account.is_touched() {
                continue;
            }
            if account.is_selfdestructed() {
                // Since EIP-6780 only an account of this very transaction: it leaves nothing.
                self.accounts.entry(address).or_default().insert(number, AccountInfo::default());
                continue;
            }
            for (slot, value) in account.changed_storage_slots() {
                self.slots.entry((address, *slot)).or_default().insert(number, value.present_value());
            }
            let mut info = account.info;
            if let Some(code) = info.code.take()
                && info.code_hash != KECCAK256_EMPTY
            {
                self.codes.insert(info.code_hash, code);
            }
            self.accounts.entry(address).or_default().insert(number, info);
        }
    }

    /// Notes the hash of the next block.
    pub(super) fn seal(&mut self, hash: B256) {
        self.hashes.push(hash);
    }
}

impl At<'_> {
    pub(super) fn account(&self, address: Address) -> AccountInfo {
        let versions = self.state.accounts.get(&address);
        versions
            .and_then(|list| list.range(..=self.number).next_back())
            .map(|(_, info)| info.clone())
            .unwrap_or_default()
    }

    pub(super) fn code(&self, address: Address) -> Vec<u8> {
        let hash = self.account(address).code_hash;
        self.state.codes.get(&hash).map(|code| code.original_bytes().to_vec()).unwrap_or_default()
    }
}

impl DatabaseRef for At<'_> {
    type Error = Infallible;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, Infallible> {
        let info = self.account(address);
        Ok((!info.is_empty()).then_some(info))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, Infallible> {
        Ok(self.state.codes.get(&hash).cloned().unwrap_or_default())
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, Infallible> {
        let versions = self.state.slots.get(&(address, slot));
        Ok(versions
            .and_then(|list| list.range(..=self.number).next_back())
            .map(|(_, value)| *value)
            .unwrap_or_default())
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, Infallible> {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        Ok(self.state.hashes.get(index).copied().unwrap_or_default())
    }
}
