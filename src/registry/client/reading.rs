//! What one endpoint shows of the registry at one block. Several endpoints are asked the same and compared whole.

use std::collections::HashMap;

use alloy::eips::BlockId;
use alloy::primitives::{Address, B256};
use alloy::rpc::types::{Filter, Log};
use alloy::sol_types::SolEvent;

use super::Reader;
use super::endpoint::Endpoint;
use crate::credential::{Account, ContractId, Entry, Head, Mark, Sighting};
use crate::encoding::Timestamp;
use crate::node::port::RegistryFault;
use crate::registry::abi::{address, contract, digest, id, word};

/// How much earlier than asked the search begins: clocks of offer and block may differ.
const SKEW: i64 = 120;
/// Windows that are read forward before the search by state takes over.
const WINDOWS: u64 = 64;
/// Found places that are remembered per endpoint.
const REMEMBERED: usize = 4096;

/// What distinguishes a log that exists once.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Mould {
    signature: B256,
    topics: [B256; 3],
}

/// A log whose block has been looked up.
#[derive(Clone, Debug)]
pub(super) struct Found {
    log: Log,
    block: Head,
    index: u64,
    transaction: B256,
}

impl Mould {
    pub(super) fn recorded(recorder: Account, contract_id: ContractId) -> Self {
        let topics = [address(recorder).into_word(), right(contract_id), B256::ZERO];
        Self { signature: contract::Recorded::SIGNATURE_HASH, topics }
    }

    pub(super) fn ended(recorder: Account, contract_id: ContractId) -> Self {
        let topics = [address(recorder).into_word(), right(contract_id), B256::ZERO];
        Self { signature: contract::Ended::SIGNATURE_HASH, topics }
    }

    pub(super) fn withdrawn(party: Account, recorder: Account, contract_id: ContractId) -> Self {
        let topics = [address(party).into_word(), address(recorder).into_word(), right(contract_id)];
        Self { signature: contract::Withdrawn::SIGNATURE_HASH, topics }
    }

    fn filter(&self, registry: Address) -> Filter {
        let filter = Filter::new()
            .address(registry)
            .event_signature(self.signature)
            .topic1(self.topics[0])
            .topic2(self.topics[1]);
        if self.topics[2].is_zero() { filter } else { filter.topic3(self.topics[2]) }
    }

    pub(super) fn fits(&self, log: &Log) -> bool {
        let wanted = self.topics.iter().filter(|topic| !topic.is_zero());
        log.topic0() == Some(&self.signature) && log.topics().iter().skip(1).eq(wanted)
    }
}

/// An id as an indexed topic: left-aligned.
fn right(contract_id: ContractId) -> B256 {
    let mut topic = B256::ZERO;
    topic[..16].copy_from_slice(contract_id.0.as_bytes());
    topic
}

impl Found {
    /// The transaction that logged this.
    pub(super) fn transaction(&self) -> B256 {
        self.transaction
    }

    pub(super) fn entry(&self, reader: &Reader, recorder: Account) -> Result<Entry, RegistryFault> {
        let event = contract::Recorded::decode_log_data(self.log.data())
            .map_err(|_| RegistryFault::Unreachable("a Recorded log is malformed".into()))?;
        Ok(Entry {
            chain_id: reader.urn.chain_id,
            registry: reader.urn.address,
            recorder,
            hash: digest(event.hash),
            transaction: digest(self.transaction),
            log_index: self.index,
            block: self.block.number,
            block_hash: self.block.hash,
            block_time: self.block.time,
        })
    }

    fn mark(&self, reason: u8) -> Mark {
        Mark { block: self.block.number, log_index: self.index, at: self.block.time, reason }
    }
}

impl Reader {
    /// The state that the contract itself reports.
    pub(super) async fn status(
        &self,
        endpoint: &Endpoint,
        block: BlockId,
        recorder: Account,
        contract_id: ContractId,
        party: Option<Account>,
    ) -> Result<contract::statusReturn, RegistryFault> {
        let call = contract::statusCall {
            recorder: address(recorder),
            contractId: id(contract_id),
            party: party.map_or(Address::ZERO, address),
        };
        let nothing = contract::statusReturn { hash: B256::ZERO, endedAt: 0, withdrawnAt: 0 };
        // The finalised head may be older than the registry itself, and then nothing stands in it.
        Ok(endpoint.ask(address(self.urn.address), &call, block).await?.unwrap_or(nothing))
    }

    /// [`crate::node::port::Registry::sighting`] as one endpoint shows it at `head`.
    pub(super) async fn sighting(
        &self,
        at: &Seat,
        head: Head,
        recorder: Account,
        contract_id: ContractId,
        account: Option<Account>,
        since: Timestamp,
    ) -> Result<Sighting, RegistryFault> {
        // Only so does alloy write an object, and Etherlink takes a hash in no other form here (EIP-1898).
        let block = BlockId::hash_canonical(word(head.hash));
        let status = self.status(&at.endpoint, block, recorder, contract_id, account).await?;

        let mut entry = None;
        if !status.hash.is_zero() {
            let mould = Mould::recorded(recorder, contract_id);
            let found = match self.find_since(at, head, mould, since.plus(-SKEW)).await? {
                Some(found) => found,
                None => self.find_by_state(at, head, recorder, contract_id).await?,
            };
            let shown = found.entry(self, recorder)?;
            if shown.hash != digest(status.hash) {
                return Err(at.endpoint.nonsense("the log and the state of an entry differ"));
            }
            entry = Some(shown);
        }
        let mut ended = None;
        if status.endedAt != 0 {
            let found = self.find_at(at, head, Mould::ended(recorder, contract_id), status.endedAt).await?;
            let event = contract::Ended::decode_log_data(found.log.data());
            ended = Some(found.mark(event.map_err(|_| at.endpoint.nonsense("an Ended log is malformed"))?.reason));
        }
        let mut withdrawn = None;
        if let Some(party) = account.filter(|_| status.withdrawnAt != 0) {
            let mould = Mould::withdrawn(party, recorder, contract_id);
            let found = self.find_at(at, head, mould, status.withdrawnAt).await?;
            let event = contract::Withdrawn::decode_log_data(found.log.data());
            let reason = event.map_err(|_| at.endpoint.nonsense("a Withdrawn log is malformed"))?.reason;
            withdrawn = Some(found.mark(reason));
        }
        Ok(Sighting {
            head,
            chain_id: self.urn.chain_id,
            registry: self.urn.address,
            recorder,
            contract_id,
            entry,
            ended,
            withdrawn,
        })
    }

    /// [`crate::node::port::Registry::entries`] as one endpoint shows it up to `head`.
    pub(super) async fn entries(
        &self,
        at: &Seat,
        head: Head,
        recorder: Account,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(ContractId, Entry)>, RegistryFault> {
        let first = self.first_block(at, head, from).await?;
        let end = self.first_block(at, head, until).await?;
        let filter = Filter::new()
            .address(address(self.urn.address))
            .event_signature(contract::Recorded::SIGNATURE_HASH)
            .topic1(address(recorder).into_word());
        let mut list = Vec::new();
        let mut next = first;
        while next < end {
            let (logs, after) = self.window(at, &filter, next, end - 1).await?;
            for found in self.place(at, head, logs).await? {
                let event = contract::Recorded::decode_log_data(found.log.data())
                    .map_err(|_| at.endpoint.nonsense("a Recorded log is malformed"))?;
                if event.recorder != address(recorder) {
                    return Err(at.endpoint.nonsense("it gave a log that was not asked for"));
                }
                let contract_id = ContractId(uuid::Uuid::from_bytes(event.contractId.0));
                list.push((contract_id, found.entry(self, recorder)?));
            }
            next = after;
        }
        Ok(list)
    }

    /// The entry's log where only the state tells where to look: write-once makes the state monotone over blocks.
    pub(super) async fn find_by_state(
        &self,
        at: &Seat,
        head: Head,
        recorder: Account,
        contract_id: ContractId,
    ) -> Result<Found, RegistryFault> {
        let recorded = async |number: u64| -> Result<bool, RegistryFault> {
            let status = self.status(&at.endpoint, BlockId::number(number), recorder, contract_id, None).await?;
            Ok(!status.hash.is_zero())
        };
        let mut step = 1;
        let mut high = head.number;
        let mut low = high.saturating_sub(step);
        while low > 0 && low < high && recorded(low).await? {
            high = low;
            step *= 2;
            low = high.saturating_sub(step);
        }
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if recorded(middle).await? { high = middle } else { low = middle }
        }
        let mould = Mould::recorded(recorder, contract_id);
        let (logs, _) = self.window(at, &mould.filter(address(self.urn.address)), low, high).await?;
        self.only(at, head, mould, logs)
            .await?
            .ok_or_else(|| at.endpoint.nonsense("it shows an entry in the state and no log of it"))
    }

    /// The log of something that the state dates to the second.
    pub(super) async fn find_at(
        &self,
        at: &Seat,
        head: Head,
        mould: Mould,
        seconds: u64,
    ) -> Result<Found, RegistryFault> {
        let time = Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
            .map_err(|refusal| at.endpoint.nonsense(&refusal.detail))?;
        let found = self.find_since(at, head, mould, time).await?;
        found
            .filter(|found| found.block.time == time)
            .ok_or_else(|| at.endpoint.nonsense("it shows a mark in the state and no log of it"))
    }

    async fn find_since(
        &self,
        at: &Seat,
        head: Head,
        mould: Mould,
        since: Timestamp,
    ) -> Result<Option<Found>, RegistryFault> {
        let remembered = at.recall(&mould);
        if let Some(found) = remembered.filter(|found| found.block.number <= head.number)
            && at.endpoint.header(BlockId::number(found.block.number)).await? == Some(found.block)
        {
            return Ok(Some(found));
        }
        let mut next = self.first_block(at, head, since).await?;
        for _ in 0..WINDOWS {
            if next > head.number {
                break;
            }
            let (logs, after) = self.window(at, &mould.filter(address(self.urn.address)), next, head.number).await?;
            if let Some(found) = self.only(at, head, mould, logs).await? {
                return Ok(Some(found));
            }
            next = after;
        }
        Ok(None)
    }

    async fn only(&self, at: &Seat, head: Head, mould: Mould, logs: Vec<Log>) -> Result<Option<Found>, RegistryFault> {
        if logs.iter().any(|log| !mould.fits(log)) {
            return Err(at.endpoint.nonsense("it gave a log that was not asked for"));
        }
        let mut found = self.place(at, head, logs).await?;
        if found.len() > 1 {
            return Err(at.endpoint.nonsense("it gave two logs of what happens once"));
        }
        let found = found.pop();
        if let Some(found) = &found {
            at.remember(mould, found.clone());
        }
        Ok(found)
    }

    /// Looks the blocks of logs up by hash and holds them against the chain: a log's own block number has been wrong.
    pub(super) async fn place(&self, at: &Seat, head: Head, logs: Vec<Log>) -> Result<Vec<Found>, RegistryFault> {
        let mut blocks: HashMap<B256, Head> = HashMap::new();
        let mut list = Vec::with_capacity(logs.len());
        for log in logs {
            let (Some(hash), Some(index), Some(transaction)) = (log.block_hash, log.log_index, log.transaction_hash)
            else {
                return Err(at.endpoint.nonsense("a log names no block"));
            };
            if log.address() != address(self.urn.address) {
                return Err(at.endpoint.nonsense("it gave a log that was not asked for"));
            }
            let block = match blocks.get(&hash) {
                Some(block) => *block,
                None => {
                    let missing = || at.endpoint.nonsense("the block of a log is gone");
                    let block = at.endpoint.header(BlockId::hash(hash)).await?.ok_or_else(missing)?;
                    let standing = at.endpoint.header(BlockId::number(block.number)).await?;
                    if standing != Some(block) || block.number > head.number {
                        return Err(missing());
                    }
                    blocks.insert(hash, block);
                    block
                }
            };
            list.push(Found { log, block, index, transaction });
        }
        Ok(list)
    }

    /// Logs from `from` on, of as many blocks up to `to` as the node gives at once; and the block after them.
    async fn window(&self, at: &Seat, filter: &Filter, from: u64, to: u64) -> Result<(Vec<Log>, u64), RegistryFault> {
        let mut width = self.log_window.max(1);
        loop {
            let last = to.min(from.saturating_add(width - 1));
            match at.endpoint.logs(&filter.clone().from_block(from).to_block(last)).await {
                Ok(logs) => return Ok((logs, last + 1)),
                Err(None) if width > 1 => width /= 2,
                Err(None) => return Err(at.endpoint.nonsense("one block has more logs than it gives")),
                Err(Some(fault)) => return Err(fault),
            }
        }
    }

    /// The first block with a time of at least `since`; the block after `head` where none is that late.
    async fn first_block(&self, at: &Seat, head: Head, since: Timestamp) -> Result<u64, RegistryFault> {
        // A block that the node no longer has is older than anything asked for.
        let early = async |number: u64| -> Result<bool, RegistryFault> {
            Ok(at.endpoint.header(BlockId::number(number)).await?.is_none_or(|block| block.time < since))
        };
        if head.time < since {
            return Ok(head.number + 1);
        }
        let mut step = 64;
        let mut high = head.number; // known not to be early
        let mut low = high.saturating_sub(step);
        while low < high && !early(low).await? {
            high = low;
            step *= 2;
            low = high.saturating_sub(step);
        }
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            if early(middle).await? { low = middle } else { high = middle }
        }
        Ok(high)
    }
}

/// An endpoint and what was found at it.
pub(super) struct Seat {
    pub(super) endpoint: Endpoint,
    places: std::sync::Mutex<HashMap<Mould, Found>>,
}

impl Seat {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, places: std::sync::Mutex::default() }
    }

    fn recall(&self, mould: &Mould) -> Option<Found> {
        self.places.lock().ok()?.get(mould).cloned()
    }

    fn remember(&self, mould: Mould, found: Found) {
        if let Ok(mut places) = self.places.lock() {
            if places.len() >= REMEMBERED {
                places.clear();
            }
            places.insert(mould, found);
        }
    }
}
