use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::home::UnlockArgument;
use super::{HomeArgument, identity};
use crate::identity::Signer as _;
use crate::registry;

/// Prints who a home is: its DID, or the account that records its contracts. Its node need not run.
///
/// Example: countersign admit --home ./operator --did "$(countersign id --home ./alice)" …
#[derive(Debug, Args)]
pub struct Id {
    #[command(flatten)]
    home: HomeArgument,
    #[command(flatten)]
    unlock: UnlockArgument,
    /// The account that records its contracts, instead of the DID.
    #[arg(long)]
    recorder: bool,
    /// Print both as JSON.
    #[arg(long, conflicts_with = "recorder")]
    json: bool,
}

impl Id {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let home = self.home.made()?;
        let keyring = home.keyring(&self.unlock)?;
        let account = || registry::account_of(keyring.recorder());
        if self.recorder {
            println!("{}", account()?);
            return Ok(ExitCode::SUCCESS);
        }
        let key = identity::of_home(&home, &keyring)?;
        if self.json {
            let found = serde_json::json!({
                "did": key.did(), "key": key.public_key().thumbprint(), "recorder": account()?,
            });
            println!("{found}");
        } else {
            println!("{}", key.did());
        }
        Ok(ExitCode::SUCCESS)
    }
}
