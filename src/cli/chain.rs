use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use url::Url;
use zeroize::Zeroizing;

use super::HomeArgument;
use super::home::{UnlockArgument, read_secret};
use crate::credential::Account;
use crate::registry;
use crate::registry::devchain::{self, DevChainConfig};

const WEI: u128 = 1_000_000_000_000_000_000;

/// Runs an embedded development chain: an EVM behind JSON-RPC with Etherlink's fees, block times and finality.
///
/// For development only: whoever runs it makes its blocks. Example: countersign chain --dir ./chain --fund 0x…=100
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
    /// An account with its coins in the first block, as ACCOUNT=AMOUNT; may be given several times.
    #[arg(long, value_parser = endowment)]
    fund: Vec<(Account, u128)>,
}

fn endowment(text: &str) -> Result<(Account, u128), String> {
    let (account, coins) = text.split_once('=').ok_or("expected ACCOUNT=AMOUNT")?;
    let account = account.parse().map_err(|refusal: crate::check::Refusal| refusal.detail)?;
    let coins: u128 = coins.parse().map_err(|_| "the amount is a whole number of coins")?;
    Ok((account, coins.checked_mul(WEI).ok_or("the amount is too large")?))
}

impl Chain {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let chain = devchain::Chain::open(DevChainConfig {
            dir: self.dir.clone(),
            chain_id: self.chain_id,
            block_time: Duration::from_millis(self.block_time_ms.max(10)),
            finality_lag_blocks: self.finality_blocks,
            funded: self.fund.clone(),
            listen: self.listen,
            clock_offset: self.clock_offset,
        })
        .await
        .context("the development chain does not start")?;
        println!(
            "{}",
            serde_json::json!({ "rpc": chain.url(), "chain_id": chain.chain_id(), "kind": "development chain" })
        );
        super::asked_to_end().await;
        chain.shutdown().await.context("the development chain's journal is not whole")?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Deploys the registry contract; anybody's registry is as good as any other, for it has no owner.
///
/// Prints the table for [[trust.chains]] of the configuration. A node's recorder account pays, or that of a key in a file.
///
/// Example: countersign deploy --home ~/wallet --rpc https://node.ghostnet.etherlink.com
#[derive(Debug, Args)]
pub struct Deploy {
    /// The chain's JSON-RPC endpoint.
    #[arg(long)]
    rpc: Url,
    #[command(flatten)]
    home: HomeArgument,
    #[command(flatten)]
    unlock: UnlockArgument,
    /// A file with the secp256k1 key (64 hexadecimal digits) whose account pays, instead of a home's recorder.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Deploy {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let payer = match &self.key {
            Some(file) => {
                let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()));
                read_secret(&Zeroizing::new(text?)).with_context(|| format!("{} holds no key", file.display()))?
            }
            None => self.home.home()?.keyring(&self.unlock)?.recorder().clone(),
        };
        let deployed = registry::deploy(&self.rpc, &payer).await?;
        let (urn, hash) = (deployed.urn, deployed.code_hash);
        if self.json {
            let found = serde_json::json!({
                "chain_id": urn.chain_id, "registry": urn.address, "code_hash": hash, "transaction": deployed.transaction,
            });
            println!("{found}");
        } else {
            println!(
                "[[trust.chains]]\nchain_id = {}\nregistry = \"{}\"\ncode_hash = \"{hash}\"\nrpc = [\"{}\"]",
                urn.chain_id, urn.address, self.rpc
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}
