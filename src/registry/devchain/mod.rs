//! A development chain: an EVM in this process behind a JSON-RPC server, with Etherlink's manners.
//!
//! It has Etherlink's fee formula, its errors, limits and refusals (no `safe`, no filters, no blob transactions) and a
//! finality lag, so that what works here works there. It has no consensus: whoever runs it can rewrite it. It says
//! that it is a development chain wherever it shows itself, and has a chain id of its own.

mod execution;
mod fees;
mod journal;
mod ledger;
mod params;
mod render;
mod rpc;
mod server;
mod state;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::credential::Account;
use crate::registry::abi::{account, address};
pub use fees::{BASE_FEE, EXECUTION_CAP, data_gas};
use journal::{Beginning, Journal, Line};
use ledger::Ledger;

/// The chain id that a development chain has unless it is told another.
pub const CHAIN_ID: u64 = 7_357_017;

/// How a development chain is set up.
#[derive(Clone, Debug)]
pub struct DevChainConfig {
    /// Where it keeps its journal; without one it forgets everything when it ends.
    pub dir: Option<PathBuf>,
    /// Its EIP-155 chain id.
    pub chain_id: u64,
    /// The time between two blocks.
    pub block_time: Duration,
    /// How many blocks `finalized` lies behind `latest`.
    pub finality_lag_blocks: u64,
    /// Accounts with their wei in the first block; of no effect where a journal exists.
    pub funded: Vec<(Account, u128)>,
    /// Where it listens; port 0 takes any.
    pub listen: SocketAddr,
    /// How many seconds its blocks are dated ahead of the clock, or behind it: for trying what a wrong clock does.
    pub clock_offset: i64,
}

/// A running development chain. Dropping it ends it too, without waiting.
#[derive(Debug)]
pub struct Chain {
    url: Url,
    chain_id: u64,
    funded: Vec<Account>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<io::Result<()>>>,
}

impl Default for DevChainConfig {
    /// In memory, on any port of loopback: a block each half second, final four blocks later, nobody funded.
    fn default() -> Self {
        Self {
            dir: None,
            chain_id: CHAIN_ID,
            block_time: Duration::from_millis(500),
            finality_lag_blocks: 4,
            funded: Vec::new(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            clock_offset: 0,
        }
    }
}

impl Chain {
    /// Opens the chain, replays its journal, and serves it.
    ///
    /// # Errors
    /// When the journal is in use, damaged other than at its end, or of another chain id; when the port is taken.
    pub async fn open(config: DevChainConfig) -> io::Result<Self> {
        let DevChainConfig { dir, chain_id, block_time, finality_lag_blocks, funded, listen, clock_offset } = config;
        let beginning = Beginning {
            chain_id,
            time: clock().saturating_add_signed(clock_offset),
            funded: funded.iter().map(|(account, wei)| (address(*account), *wei)).collect(),
        };
        let (ledger, journal, beginning) =
            tokio::task::spawn_blocking(move || restore(dir, beginning, finality_lag_blocks)).await??;
        let ledger = Arc::new(RwLock::new(ledger));
        let listener = tokio::net::TcpListener::bind(listen).await?;
        let bound = listener.local_addr()?;
        // An address with a port is always the authority of a URL.
        let url = Url::parse(&format!("http://{bound}/")).map_err(io::Error::other)?;
        let stop = CancellationToken::new();
        let tasks = vec![
            tokio::spawn(produce(Arc::clone(&ledger), journal, block_time, clock_offset, stop.clone())),
            tokio::spawn(server::serve(listener, ledger, stop.clone())),
        ];
        let funded = beginning.funded.iter().map(|(address, _)| account(*address)).collect();
        Ok(Self { url, chain_id, funded, stop, tasks })
    }

    /// Where it answers JSON-RPC.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Its EIP-155 chain id.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The accounts that its first block endowed.
    pub fn funded(&self) -> &[Account] {
        &self.funded
    }

    /// Ends it, after the requests and the block that are under way.
    ///
    /// # Errors
    /// When the journal could not be written, the chain has stopped making blocks, and this says why.
    pub async fn shutdown(mut self) -> io::Result<()> {
        self.stop.cancel();
        for task in std::mem::take(&mut self.tasks) {
            task.await.map_err(io::Error::other)??;
        }
        Ok(())
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn restore(dir: Option<PathBuf>, beginning: Beginning, lag: u64) -> io::Result<(Ledger, Option<Journal>, Beginning)> {
    let start = |from: &Beginning| Ledger::begin(from.chain_id, lag, from.time, &from.funded);
    let Some(dir) = dir else { return Ok((start(&beginning), None, beginning)) };
    let wanted = beginning.chain_id;
    let restored = std::cell::RefCell::new(None);
    let journal = Journal::open(
        &dir,
        beginning,
        |line| restored.borrow_mut().as_mut().map_or(Ok(()), |(ledger, _)| replay(ledger, line)),
        |found| {
            if found.chain_id != wanted {
                let text = format!("this journal is of chain {}, not of {wanted}", found.chain_id);
                return Err(io::Error::other(text));
            }
            *restored.borrow_mut() = Some((start(found), found.clone()));
            Ok(())
        },
    )?;
    let (ledger, found) = restored.into_inner().ok_or_else(|| io::Error::other("the journal has no beginning"))?;
    Ok((ledger, Some(journal), found))
}

fn replay(ledger: &mut Ledger, line: Line) -> io::Result<()> {
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("block {}: {what}", line.number));
    if line.number != ledger.head().number + 1 || line.time < ledger.head().time {
        return Err(broken("out of order"));
    }
    let mut transactions = Vec::with_capacity(line.transactions.len());
    for raw in line.transactions {
        transactions.push(ledger.restore(raw).map_err(|cause| broken(&cause))?);
    }
    let hash = ledger.append(line.time, transactions).hash;
    if line.hash.is_some_and(|wanted| wanted != hash) {
        return Err(broken("it has another hash than it had"));
    }
    Ok(())
}

/// Makes blocks by the clock until it is stopped or the journal cannot be written.
async fn produce(
    ledger: Arc<RwLock<Ledger>>,
    mut journal: Option<Journal>,
    block_time: Duration,
    clock_offset: i64,
    stop: CancellationToken,
) -> io::Result<()> {
    let mut beat = tokio::time::interval(block_time.max(Duration::from_millis(1)));
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    beat.tick().await;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = beat.tick() => {}
        }
        let ledger = Arc::clone(&ledger);
        let made = tokio::task::spawn_blocking(move || {
            let outcome = make(&ledger, journal.as_mut(), clock_offset);
            (journal, outcome)
        });
        let (kept, outcome) = made.await.map_err(io::Error::other)?;
        journal = kept;
        if let Err(cause) = outcome {
            tracing::error!(%cause, "the development chain cannot keep its journal and stops");
            stop.cancel();
            return Err(cause);
        }
    }
}

fn make(ledger: &RwLock<Ledger>, journal: Option<&mut Journal>, clock_offset: i64) -> io::Result<()> {
    let mut ledger = ledger.write().map_err(|_| io::Error::other("the ledger was left in disorder"))?;
    let time = clock().saturating_add_signed(clock_offset).max(ledger.head().time);
    let drawn = ledger.draw(time);
    let block = ledger.append(time, drawn);
    // The lock is held until the line is on disk: nobody is shown a block that a crash could take back.
    let Some(journal) = journal else { return Ok(()) };
    let transactions: Vec<_> = block.transactions.iter().map(|mined| mined.transaction.raw.clone()).collect();
    let hash = (!transactions.is_empty()).then_some(block.hash);
    journal.write(&Line { number: block.number, time: block.time, transactions, hash })
}
