use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::Value;
use url::Url;
use zeroize::Zeroizing;

use super::home::{Home, UnlockArgument, read_secret};
use super::{HomeArgument, Later, Usage};
use crate::credential::Account;
use crate::registry;
use crate::registry::devchain::{self, DevChainConfig};

/// Where a development chain with a directory says that it listens.
const ANNOUNCED: &str = "rpc.json";
/// How long a chain that is just starting is waited for.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

const WEI: u128 = 1_000_000_000_000_000_000;

/// Runs an embedded development chain: an EVM behind JSON-RPC with Etherlink's fees, block times and finality.
///
/// For development only: whoever runs it makes its blocks. With --dir it keeps them, and says in `rpc.json` there where
/// it listens, for `countersign deploy --chain`.
///
/// Example: countersign chain --dir ./chain --fund ./alice=100
#[derive(Debug, Args)]
pub struct Chain {
    /// Where it keeps its blocks; without it they are forgotten.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Where it listens; port 0 takes any free one.
    #[arg(long, default_value = "127.0.0.1:8545")]
    listen: SocketAddr,
    /// Its EIP-155 chain id.
    #[arg(long, default_value_t = devchain::CHAIN_ID)]
    chain_id: u64,
    /// Milliseconds between two blocks.
    #[arg(long, default_value_t = 500)]
    block_time_ms: u64,
    /// How many blocks `finalized` lies behind `latest`.
    #[arg(long, default_value_t = 30)]
    finality_blocks: u64,
    /// Date blocks so many seconds ahead of the clock, or behind it: to try what a wrong clock does.
    #[arg(long, default_value_t = 0, allow_hyphen_values = true, value_name = "SECONDS")]
    clock_offset: i64,
    /// An account, or a home whose recorder account, has so many coins in the first block; may be given several times.
    #[arg(long, value_parser = endowment, value_name = "ACCOUNT|HOME=AMOUNT")]
    fund: Vec<(String, u128)>,
    #[command(flatten)]
    unlock: UnlockArgument,
}

fn endowment(text: &str) -> Result<(String, u128), String> {
    let (whose, coins) = text.rsplit_once('=').ok_or("expected ACCOUNT=AMOUNT or HOME=AMOUNT")?;
    let coins: u128 = coins.parse().map_err(|_| "the amount is a whole number of coins")?;
    Ok((whose.to_owned(), coins.checked_mul(WEI).ok_or("the amount is too large")?))
}

impl Chain {
    fn funded(&self) -> Result<Vec<(Account, u128)>> {
        let account = |whose: &str| -> Result<Account> {
            if whose.starts_with("0x") {
                return Ok(whose.parse()?);
            }
            if !Path::new(whose).is_dir() {
                return Err(Usage(format!("--fund {whose}: neither an account (0x…) nor a home")).into());
            }
            Ok(registry::account_of(Home::new(whose).keyring(&self.unlock)?.recorder())?)
        };
        self.fund.iter().map(|(whose, coins)| Ok((account(whose)?, *coins))).collect()
    }

    pub(super) async fn run(&self) -> Result<ExitCode> {
        let chain = devchain::Chain::open(DevChainConfig {
            dir: self.dir.clone(),
            chain_id: self.chain_id,
            block_time: Duration::from_millis(self.block_time_ms.max(10)),
            finality_lag_blocks: self.finality_blocks,
            funded: self.funded()?,
            listen: self.listen,
            clock_offset: self.clock_offset,
        })
        .await
        .context("the development chain does not start")?;
        let said = serde_json::json!({ "rpc": chain.url(), "chain_id": chain.chain_id(), "kind": "development chain" });
        if let Some(dir) = &self.dir {
            let (file, fresh) = (dir.join(ANNOUNCED), dir.join("rpc.json.new"));
            std::fs::write(&fresh, said.to_string())
                .and_then(|()| std::fs::rename(&fresh, &file))
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        println!("{said}");
        super::asked_to_end().await;
        chain.shutdown().await.context("the development chain's journal is not whole")?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Deploys the registry contract; anybody's registry is as good as any other, for it has no owner.
///
/// Prints the table for [[trust.chains]] of a configuration, which `countersign trust --chain FILE` writes there.
///
/// Example: countersign deploy --chain ./chain --home ./alice > registry.toml
#[derive(Debug, Args)]
pub struct Deploy {
    /// The chain's JSON-RPC endpoint.
    #[arg(long, required_unless_present = "chain", conflicts_with = "chain")]
    rpc: Option<Url>,
    /// The directory of a development chain (`countersign chain --dir`) that runs, or is just starting.
    #[arg(long, value_name = "DIR")]
    chain: Option<PathBuf>,
    /// A file with the secp256k1 key (64 hexadecimal digits) whose account pays; without it, the recorder of --home.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    #[command(flatten)]
    home: HomeArgument,
    #[command(flatten)]
    unlock: UnlockArgument,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Deploy {
    async fn endpoint(&self) -> Result<Url> {
        if let Some(rpc) = &self.rpc {
            return Ok(rpc.clone());
        }
        let dir = self.chain.clone().unwrap_or_default();
        let (file, began) = (dir.join(ANNOUNCED), tokio::time::Instant::now());
        loop {
            let said = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            let rpc = said.and_then(|said| said["rpc"].as_str()?.parse::<Url>().ok());
            // What an earlier run left there names a port that nobody listens on any more.
            if let Some(rpc) = rpc
                && let Ok(addresses) = rpc.socket_addrs(|| None)
                && tokio::net::TcpStream::connect(&addresses[..]).await.is_ok()
            {
                return Ok(rpc);
            }
            if began.elapsed() > STARTS_WITHIN {
                let dir = dir.display();
                return Err(Later(format!("no chain runs in {dir}; start it: countersign chain --dir {dir}")).into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn payer(&self) -> Result<Zeroizing<[u8; 32]>> {
        let Some(file) = &self.key else {
            let missing = || Usage("say who pays: --key FILE, or --home DIR for its recorder account".into());
            return Ok(self.home.home().map_err(|_| missing())?.keyring(&self.unlock)?.recorder().clone());
        };
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        read_secret(&Zeroizing::new(text)).with_context(|| format!("{} holds no key", file.display()))
    }

    pub(super) async fn run(&self) -> Result<ExitCode> {
        let rpc = self.endpoint().await?;
        let deployed = registry::deploy(&rpc, &*self.payer()?).await?;
        let (urn, hash) = (deployed.urn, deployed.code_hash);
        if self.json {
            let found = serde_json::json!({
                "chain_id": urn.chain_id, "registry": urn.address, "code_hash": hash, "transaction": deployed.transaction,
            });
            println!("{found}");
        } else {
            println!(
                "[[trust.chains]]\nchain_id = {}\nregistry = \"{}\"\ncode_hash = \"{hash}\"\nrpc = [\"{}\"]",
                urn.chain_id, urn.address, rpc
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}
