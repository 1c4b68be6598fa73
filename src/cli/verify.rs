//! `countersign verify`: the three verdicts about a contract file that came from anywhere.

pub mod checks;
mod report;
mod trusted;
mod verdicts;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use url::Url;

use crate::courier::AddressPolicy;
use crate::credential::{ContractFile, MAX_CONTRACT_FILE};
use crate::node::chance;
pub use report::{json, table};
use trusted::private;
pub use trusted::trusted;
pub use verdicts::{Asked, Identified, Outcome, Verdict, Verdicts, verdicts, verdicts_knowing};

/// Judges a contract file: proven (offline), concluded (rule R, from the chain), in force (now).
///
/// What is believed (operators, parties that are known, registries with their chain and code) comes from --trust or
/// from the wallet's configuration, never from the file.
///
/// Exit codes: 0 every verdict that was asked for holds; 1 one of them does not; 2 the command line, the trust or the
/// file cannot be read; 3 the chain could not be asked.
///
/// Example: countersign verify --trust fixtures/vectors/trust.json --proven fixtures/vectors/true.json
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The contract file; `-` reads it from standard input
    pub file: PathBuf,
    /// JSON-RPC endpoint to ask instead of the trust's own; several have to agree. It says where to ask, never what to
    /// believe: chain id, registry and code hash come from the trust alone
    #[arg(long, value_name = "URL")]
    pub rpc: Vec<Url>,
    /// Whom and what to believe: {"operators": [DID], "pinned": [DID], "keys": [{"kid", "jwk"}], "chains": [{"chain_id",
    /// "registry", "code_hash", "rpc"}]}. `keys` are those of did:web operators, who are looked up on the network
    /// otherwise, but not for --proven. Without it, the table [trust] of countersign.toml in --home
    #[arg(long, value_name = "TRUST")]
    pub trust: Option<PathBuf>,
    /// The wallet's directory, whose configuration says what to believe where --trust is not given
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_HOME")]
    pub home: Option<PathBuf>,
    /// Only whether the contract is proven: signatures, identities, template, terms and fee; asks no network
    #[arg(long, conflicts_with = "concluded")]
    pub proven: bool,
    /// Only whether it is proven and concluded, not whether it is still in force
    #[arg(long)]
    pub concluded: bool,
    /// One JSON document instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Runs the command: the report goes to standard output, what cannot be read to standard error.
///
/// # Errors
/// When standard output cannot be written, or this machine's clock is of no use.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (file, trust) = match inputs(&args) {
        Ok(inputs) => inputs,
        Err(cause) => {
            eprintln!("countersign verify: {cause:#}");
            return Ok(Outcome::Unreadable.into());
        }
    };
    let asked = match (args.proven, args.concluded) {
        (true, _) => Asked::Proven,
        (_, true) => Asked::Concluded,
        _ => Asked::InForce,
    };
    let policy = AddressPolicy { private_networks: private(args.home.as_deref()) };
    let verdicts = verdicts_knowing(&file, &trust, &args.rpc, asked, chance::now()?, policy).await;
    let report = if args.json { json(&verdicts) } else { table(&verdicts) };
    std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes()).context("standard output")?;
    Ok(verdicts.outcome().into())
}

fn inputs(args: &Args) -> anyhow::Result<(ContractFile, crate::credential::Trust)> {
    let trust = trusted(args.trust.as_deref(), args.home.as_deref())?;
    Ok((contract_file(&args.file)?, trust))
}

/// The contract file at `path`, or on standard input for `-`.
///
/// # Errors
/// When it cannot be read, or is no contract file; the message says which of both, and why.
fn contract_file(path: &Path) -> anyhow::Result<ContractFile> {
    let bytes = bytes(path, MAX_CONTRACT_FILE)?;
    ContractFile::read(&bytes).with_context(|| format!("{} is no contract file", path.display()))
}

/// Everything of a file, or of standard input for `-`; one byte more than `limit` at most, for the reader to refuse.
fn bytes(path: &Path, limit: usize) -> anyhow::Result<Vec<u8>> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes).context("standard input cannot be read")?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let read = file.take(most).read_to_end(&mut bytes);
        read.with_context(|| format!("{} cannot be read", path.display()))?;
    }
    anyhow::ensure!(!bytes.is_empty(), "{} is empty", path.display());
    Ok(bytes)
}
