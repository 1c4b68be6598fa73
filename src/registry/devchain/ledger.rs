//! The chain itself: its blocks, what waits for the next one, and the rules for entering either.

use std::collections::{HashMap, VecDeque};

use alloy::consensus::{Transaction as _, TxEnvelope};
use alloy::eips::eip2718::Decodable2718 as _;
use alloy::primitives::{Address, B256, Bytes, Log, U256, keccak256};

use super::execution::{self, Place};
use super::fees::{BASE_FEE, EXECUTION_CAP, data_gas_of};
use super::state::{At, State};

/// A transaction's data fits in so many bytes of a blueprint (127 chunks of 4 KiB).
const LARGEST: usize = 127 * 4096;
/// Gas that the transactions of one block may take for execution.
const CAPACITY: u64 = 2 * EXECUTION_CAP;
const WAITING: usize = 1000;
const WAITING_EACH: usize = 16;
/// Seconds after which the queue drops what it could not include, silently.
const LIFESPAN: u64 = 4;

/// A block.
pub(super) struct Block {
    pub(super) number: u64,
    pub(super) time: u64,
    pub(super) hash: B256,
    pub(super) parent: B256,
    pub(super) transactions: Vec<Mined>,
}

/// A transaction in a block, with its receipt.
pub(super) struct Mined {
    pub(super) transaction: Pending,
    pub(super) success: bool,
    pub(super) gas_used: u64,
    pub(super) cumulative_gas: u64,
    pub(super) first_log: u64,
    pub(super) logs: Vec<Log>,
    pub(super) created: Option<Address>,
}

/// A transaction that was accepted.
#[derive(Clone)]
pub(super) struct Pending {
    pub(super) raw: Bytes,
    pub(super) envelope: TxEnvelope,
    pub(super) hash: B256,
    pub(super) sender: Address,
    data_gas: u64,
    since: u64,
}

/// The chain.
pub(super) struct Ledger {
    pub(super) chain_id: u64,
    pub(super) finality_lag: u64,
    state: State,
    blocks: Vec<Block>,
    by_hash: HashMap<B256, u64>,
    places: HashMap<B256, (u64, usize)>,
    waiting: VecDeque<Pending>,
}

impl Ledger {
    /// A chain with its first block.
    pub(super) fn begin(chain_id: u64, finality_lag: u64, time: u64, funded: &[(Address, u128)]) -> Self {
        let mut state = State::default();
        for (address, wei) in funded {
            state.endow(*address, U256::from(*wei));
        }
        let mut ledger = Self {
            chain_id,
            finality_lag,
            state,
            blocks: Vec::new(),
            by_hash: HashMap::new(),
            places: HashMap::new(),
            waiting: VecDeque::new(),
        };
        ledger.append(time, Vec::new());
        ledger
    }

    pub(super) fn head(&self) -> &Block {
        // `begin` appends the first block and nothing removes one.
        self.blocks.last().expect("a ledger has its first block")
    }

    pub(super) fn finalised(&self) -> u64 {
        self.head().number.saturating_sub(self.finality_lag)
    }

    pub(super) fn block(&self, number: u64) -> Option<&Block> {
        self.blocks.get(usize::try_from(number).ok()?)
    }

    pub(super) fn number_of(&self, hash: B256) -> Option<u64> {
        self.by_hash.get(&hash).copied()
    }

    pub(super) fn mined(&self, hash: B256) -> Option<(&Block, usize)> {
        let (number, index) = *self.places.get(&hash)?;
        Some((self.block(number)?, index))
    }

    pub(super) fn waiting(&self, hash: B256) -> Option<&Pending> {
        self.waiting.iter().find(|pending| pending.hash == hash)
    }

    pub(super) fn at(&self, number: u64) -> At<'_> {
        self.state.at(number)
    }

    pub(super) fn now(&self) -> At<'_> {
        self.state.at(self.head().number)
    }

    /// The next nonce of `sender`, counting what waits.
    pub(super) fn next_nonce(&self, sender: Address) -> u64 {
        let mut nonce = self.now().account(sender).nonce;
        let mut waiting: Vec<u64> =
            self.waiting.iter().filter(|it| it.sender == sender).map(|it| it.envelope.nonce()).collect();
        waiting.sort_unstable();
        for taken in waiting {
            if taken == nonce {
                nonce += 1;
            }
        }
        nonce
    }

    /// Takes a raw transaction into the queue.
    ///
    /// # Errors
    /// The text of the refusal.
    pub(super) fn submit(&mut self, raw: Bytes, now: u64) -> Result<B256, String> {
        let pending = self.admit(raw, now)?;
        let hash = pending.hash;
        if self.waiting(hash).is_some() {
            return Err("already known".into());
        }
        let each = self.waiting.iter().filter(|it| it.sender == pending.sender).count();
        if self.waiting.len() >= WAITING || each >= WAITING_EACH {
            return Err("the transaction queue is full".into());
        }
        let taken = |it: &Pending| it.sender == pending.sender && it.envelope.nonce() == pending.envelope.nonce();
        if self.waiting.iter().any(taken) {
            return Err("another transaction with this nonce waits".into());
        }
        self.waiting.push_back(pending);
        Ok(hash)
    }

    /// The transactions that the next block takes, in the order of their arrival as far as nonces allow; what waited
    /// too long is dropped.
    pub(super) fn draw(&mut self, now: u64) -> Vec<Pending> {
        let mut drawn: Vec<Pending> = Vec::new();
        let mut nonces: HashMap<Address, u64> = HashMap::new();
        let mut capacity = CAPACITY;
        loop {
            let next = self.waiting.iter().position(|it| {
                let nonce = nonces.get(&it.sender).copied().unwrap_or_else(|| self.now().account(it.sender).nonce);
                it.envelope.nonce() == nonce
            });
            let Some(pending) = next.and_then(|index| self.waiting.get(index)) else { break };
            capacity = capacity.saturating_sub(pending.envelope.gas_limit().saturating_sub(pending.data_gas));
            if capacity == 0 {
                break;
            }
            let Some(pending) = next.and_then(|index| self.waiting.remove(index)) else { break };
            nonces.insert(pending.sender, pending.envelope.nonce() + 1);
            drawn.push(pending);
        }
        self.waiting.retain(|it| now.saturating_sub(it.since) < LIFESPAN);
        drawn
    }

    /// Appends a block at `time`, of those transactions that still can be executed.
    pub(super) fn append(&mut self, time: u64, transactions: Vec<Pending>) -> &Block {
        let number = self.blocks.len() as u64;
        let parent = self.blocks.last().map_or(B256::ZERO, |block| block.hash);
        let place = Place { chain_id: self.chain_id, number, time };
        let mut mined: Vec<Mined> = Vec::with_capacity(transactions.len());
        for transaction in transactions {
            if let Some(outcome) = self.execute(place, transaction, mined.last()) {
                mined.push(outcome);
            }
        }
        let hash = seal(place, parent, &mined);
        for (index, outcome) in mined.iter().enumerate() {
            self.places.insert(outcome.transaction.hash, (number, index));
        }
        self.by_hash.insert(hash, number);
        self.state.seal(hash);
        self.blocks.push(Block { number, time, hash, parent, transactions: mined });
        self.head()
    }

    /// Holds a raw transaction against the rules, as a node does before it queues it.
    pub(super) fn admit(&self, raw: Bytes, now: u64) -> Result<Pending, String> {
        let pending = decode(raw, self.chain_id, now)?;
        let Pending { ref envelope, sender, data_gas, .. } = pending;
        let execution = envelope.gas_limit().checked_sub(data_gas).filter(|gas| *gas >= 21_000);
        let Some(execution) = execution else {
            return Err(format!("Gas limit too low: the data alone takes {data_gas}"));
        };
        if execution > EXECUTION_CAP {
            return Err(format!("Gas limit too high: execution may take {EXECUTION_CAP}"));
        }
        if envelope.max_fee_per_gas() < u128::from(BASE_FEE) {
            return Err("Max gas fee too low".into());
        }
        let info = self.now().account(sender);
        if envelope.nonce() < info.nonce {
            return Err(format!("Nonce too low: {} where {} is next", envelope.nonce(), info.nonce));
        }
        if envelope.nonce() - info.nonce >= WAITING_EACH as u64 {
            return Err(format!("Nonce too far ahead: {} where {} is next", envelope.nonce(), info.nonce));
        }
        let price = U256::from(envelope.gas_limit()).saturating_mul(U256::from(envelope.max_fee_per_gas()));
        let wanted = price.saturating_add(envelope.value());
        if info.balance < wanted {
            let have = info.balance;
            return Err(format!("insufficient funds: {sender} has {have} wei and the transaction may take {wanted}"));
        }
        Ok(pending)
    }

    /// A transaction out of the journal, which was admitted once.
    pub(super) fn restore(&self, raw: Bytes) -> Result<Pending, String> {
        decode(raw, self.chain_id, 0)
    }

    fn execute(&mut self, place: Place, transaction: Pending, before: Option<&Mined>) -> Option<Mined> {
        // The balance may have gone since the transaction was queued.
        let at = self.state.at(place.number);
        let needed = U256::from(transaction.envelope.gas_limit()) * U256::from(BASE_FEE);
        if at.account(transaction.sender).balance < needed.saturating_add(transaction.envelope.value()) {
            return None;
        }
        let outcome =
            execution::execute(at, place, &transaction.envelope, transaction.sender, transaction.data_gas).ok()?;
        self.state.write(place.number, outcome.state);
        let result = outcome.result;
        let gas_used = result.tx_gas_used().saturating_add(transaction.data_gas);
        let success = result.is_success();
        let created = result.created_address().filter(|_| success);
        Some(Mined {
            success,
            gas_used,
            cumulative_gas: before.map_or(0, |it| it.cumulative_gas).saturating_add(gas_used),
            first_log: before.map_or(0, |it| it.first_log + it.logs.len() as u64),
            logs: if success { result.into_logs() } else { Vec::new() },
            created,
            transaction,
        })
    }
}

/// Reads a transaction: one that this chain knows, for this chain, with a canonical signature.
fn decode(raw: Bytes, chain_id: u64, now: u64) -> Result<Pending, String> {
    if raw.len() > LARGEST {
        return Err(format!("the transaction has {} bytes where at most {LARGEST} fit", raw.len()));
    }
    if raw.first() == Some(&3) {
        return Err("blob transactions are not supported".into());
    }
    let envelope =
        TxEnvelope::decode_2718_exact(&raw).map_err(|cause| format!("the transaction is malformed: {cause}"))?;
    if envelope.is_eip4844() {
        return Err("blob transactions are not supported".into());
    }
    if envelope.chain_id() != Some(chain_id) {
        return Err(format!("the transaction is not for this chain, which is {chain_id}"));
    }
    let signature = envelope.signature();
    let sender = signature
        .recover_address_from_prehash(&envelope.signature_hash())
        .ok()
        .filter(|_| signature.normalize_s().is_none())
        .ok_or("the signature is not good")?;
    let data_gas = data_gas_of(&envelope);
    Ok(Pending { hash: *envelope.tx_hash(), raw, envelope, sender, data_gas, since: now })
}

/// A block's hash: like Etherlink's, not the hash of an Ethereum header.
fn seal(place: Place, parent: B256, mined: &[Mined]) -> B256 {
    let mut preimage = b"countersign development chain".to_vec();
    for number in [place.chain_id, place.number, place.time] {
        preimage.extend_from_slice(&number.to_be_bytes());
    }
    preimage.extend_from_slice(parent.as_slice());
    for outcome in mined {
        preimage.extend_from_slice(outcome.transaction.hash.as_slice());
    }
    keccak256(preimage)
}
