//! A chain with one registry: blocks in time or late, finality that lags, unfinalised blocks that are replaced.

use countersign::credential::{Account, ContractId, Core, Entry, Head, Mark, Sighting};
use countersign::encoding::Digest;

use super::super::parties::{CHAIN, REGISTRY, at};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Record { by: Account, id: ContractId, hash: Digest },
    End { by: Account, id: ContractId },
    Withdraw { by: Account, recorder: Account, id: ContractId },
}

#[derive(Clone, Debug)]
struct Block {
    time: i64,
    fork: u32,
    logs: Vec<Call>,
}

#[derive(Clone, Debug)]
pub struct Chain {
    /// Index 0 is the first block; its number is 1.
    blocks: Vec<Block>,
    finalised: usize,
    forks: u32,
    pub pending: Vec<Call>,
}

impl Chain {
    pub fn new() -> Self {
        Self { blocks: vec![Block { time: 0, fork: 0, logs: vec![] }], finalised: 1, forks: 0, pending: vec![] }
    }

    /// Hands a transaction out, once.
    pub fn submit(&mut self, call: Call) {
        if !self.pending.contains(&call) {
            self.pending.push(call);
        }
    }

    /// Makes a block of the pending calls that `included` says.
    pub fn block(&mut self, time: i64, included: impl Fn(usize) -> bool) {
        let last = self.blocks.last().unwrap().time;
        let (now, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().enumerate().partition(|(index, _)| included(*index));
        self.pending = later.into_iter().map(|(_, call)| call).collect();
        let mut logs: Vec<Call> = Vec::new();
        for (_, call) in now {
            let before: Vec<Call> = self.blocks.iter().flat_map(|block| &block.logs).chain(&logs).copied().collect();
            // Write-once: the same again is a no-op, something else reverts.
            let stands = before.iter().any(|earlier| match (earlier, call) {
                (Call::Record { by, id, .. }, Call::Record { by: again, id: same, .. }) => (*by, *id) == (again, same),
                (earlier, call) => *earlier == call,
            });
            if !stands {
                logs.push(call);
            }
        }
        self.blocks.push(Block { time: time.max(last), fork: self.forks, logs });
    }

    pub fn finalise(&mut self, blocks: usize) {
        self.finalised = (self.finalised + blocks).min(self.blocks.len());
    }

    /// Replaces every block that is not final; its calls are pending again, or lost.
    pub fn reorganise(&mut self, lose: bool) {
        self.forks += 1;
        let dropped = self.blocks.split_off(self.finalised);
        if !lose {
            dropped.into_iter().flat_map(|block| block.logs).for_each(|call| self.submit(call));
        }
    }

    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.blocks.iter().flat_map(|block| &block.logs)
    }

    fn marks<'a>(
        &'a self,
        upto: usize,
        which: impl Fn(&Call) -> bool + 'a,
    ) -> impl Iterator<Item = (usize, usize)> + 'a {
        let logs = self.blocks[..upto].iter().enumerate();
        logs.flat_map(|(block, held)| held.logs.iter().enumerate().map(move |(index, call)| (block, index, call)))
            .filter(move |(_, _, call)| which(call))
            .map(|(block, index, _)| (block, index))
    }

    fn entry(&self, upto: usize, recorder: Account, of: ContractId) -> Option<Entry> {
        let mine = move |call: &Call| matches!(call, Call::Record { by, id, .. } if (*by, *id) == (recorder, of));
        let (block, index) = self.marks(upto, mine).next()?;
        let Call::Record { hash, .. } = self.blocks[block].logs[index] else { unreachable!() };
        Some(Entry {
            chain_id: CHAIN,
            registry: REGISTRY,
            recorder,
            hash,
            transaction: Digest::of(format!("{of} {hash}")),
            log_index: index as u64,
            block: block as u64 + 1,
            block_hash: self.hash(block),
            block_time: at(self.blocks[block].time),
        })
    }

    fn hash(&self, block: usize) -> Digest {
        let Block { time, fork, .. } = self.blocks[block];
        Digest::of(format!("block {block} {time} {fork}"))
    }

    /// The receipt of a record, in whatever block it stands.
    pub fn receipt(&self, recorder: Account, id: ContractId) -> Option<Entry> {
        self.entry(self.blocks.len(), recorder, id)
    }

    pub fn sighting(&self, latest: bool, recorder: Account, id: ContractId, party: Option<Account>) -> Sighting {
        let upto = if latest { self.blocks.len() } else { self.finalised };
        let mark = |(block, index): (usize, usize)| Mark {
            block: block as u64 + 1,
            log_index: index as u64,
            at: at(self.blocks[block].time),
            reason: 0,
        };
        let ended = move |call: &Call| *call == Call::End { by: recorder, id };
        let withdrawn =
            move |call: &Call| party.is_some_and(|party| *call == Call::Withdraw { by: party, recorder, id });
        Sighting {
            head: Head { number: upto as u64, hash: self.hash(upto - 1), time: at(self.blocks[upto - 1].time) },
            chain_id: CHAIN,
            registry: REGISTRY,
            recorder,
            contract_id: id,
            entry: self.entry(upto, recorder, id),
            ended: self.marks(upto, ended).next().map(mark),
            withdrawn: self.marks(upto, withdrawn).next().map(mark),
        }
    }

    /// Rule R in words of its own: what the library's answer is held against.
    pub fn rule_r(&self, core: &Core) -> bool {
        let (claims, account) = (&core.claims, core.acceptance.withdrawal_account);
        for block in &self.blocks[..self.finalised] {
            for call in &block.logs {
                match *call {
                    Call::Record { by, id, hash } if (by, id) == (claims.recorder, claims.contract_id) => {
                        return hash == core.hash && at(block.time) <= claims.record_by;
                    }
                    Call::End { by, id } if (by, id) == (claims.recorder, claims.contract_id) => return false,
                    Call::Withdraw { by, recorder, id }
                        if Some(by) == account && (recorder, id) == (claims.recorder, claims.contract_id) =>
                    {
                        return false;
                    }
                    _ => {}
                }
            }
        }
        false
    }
}
