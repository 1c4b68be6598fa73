//! `countersign keys`: which keys a node has, and new ones in their place.

use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde_json::json;

use super::home::{Home, Series, UnlockArgument};
use super::{HomeArgument, identity};
use crate::identity::{Method, Signer as _};
use crate::node::chance;

/// Shows a node's keys, and makes new ones in their place.
///
/// Example: countersign keys rotate --home ~/wallet
#[derive(Debug, Args)]
pub struct Keys {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Lists the keys that a node signs with and that messages to it are sealed for, by thumbprint.
    ///
    /// Example: countersign keys list --home ~/wallet
    List(Which),
    /// Makes a new signing key and a new key that messages are sealed for; the old ones are kept.
    ///
    /// What was sealed for an old key still opens, and what an old key signed stays verifiable: contracts rest on the
    /// thumbprints in the participant credentials. The DID of a did:key node is its key, so that only the key that
    /// messages are sealed for can be rotated there.
    ///
    /// Example: countersign keys rotate --home ~/wallet
    Rotate(Rotate),
}

#[derive(Debug, Args)]
struct Which {
    #[command(flatten)]
    home: HomeArgument,
    #[command(flatten)]
    unlock: UnlockArgument,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Rotate {
    #[command(flatten)]
    which: Which,
    /// Only the key that signs.
    #[arg(long, conflicts_with = "agreement")]
    signing: bool,
    /// Only the key that messages are sealed for.
    #[arg(long)]
    agreement: bool,
}

impl Keys {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        match &self.act {
            Act::List(which) => which.list(),
            Act::Rotate(rotate) => rotate.run(),
        }
    }
}

impl Which {
    fn list(&self) -> Result<ExitCode> {
        let home = self.home.home()?;
        let keyring = home.keyring(&self.unlock)?;
        let key = identity::of_home(&home, &keyring)?;
        let listed = |series: &Series| -> Result<Vec<_>> {
            let current = series.current()?.id.clone();
            let keys = series.keys().iter();
            Ok(keys
                .map(|key| json!({ "key": key.id, "made": key.made.rfc3339(), "current": key.id == current }))
                .collect())
        };
        let all = json!({
            "did": key.did(), "kid": key.kid(), "jwk": key.public_key().jwk(),
            "signing": listed(keyring.signing())?, "agreement": listed(keyring.agreement())?,
        });
        if self.json {
            println!("{all}");
            return Ok(ExitCode::SUCCESS);
        }
        println!("DID       {}", key.did());
        for (name, what) in [("signing", "signs"), ("agreement", "opens messages")] {
            for key in all[name].as_array().into_iter().flatten() {
                let now = if key["current"] == true { "now" } else { "before" };
                let text = |member: &str| key[member].as_str().unwrap_or_default().to_owned();
                println!("{name:<9} {}  {what} {now}, made {}", text("key"), text("made"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Rotate {
    fn run(&self) -> Result<ExitCode> {
        let home = self.which.home.home()?;
        let mut keyring = home.keyring(&self.which.unlock)?;
        let before = identity::of_home(&home, &keyring)?;
        let did = before.did().clone();
        let (signing, agreement) = (!self.agreement, !self.signing);
        if signing && did.method() != Method::Web {
            bail!(
                "{did} is its key: another key would be another DID, which no member credential names. Rotate the key that \
                 messages are sealed for with --agreement; a node whose signing key can be rotated acts as did:web \
                 (`countersign init --did-web DOMAIN`)"
            );
        }
        stands_still(&home)?;
        let now = chance::now()?;
        let old_agreement = keyring.agreement().current()?.id.clone();
        if signing {
            keyring.renew_signing(now)?;
        }
        if agreement {
            keyring.renew_agreement(now)?;
        }
        home.keep_keyring(&keyring)?;
        let after = identity::of_home(&home, &keyring)?;
        let (old, new) = (before.public_key().thumbprint(), after.public_key().thumbprint());
        let sealed_for = keyring.agreement().current()?.id.clone();
        if self.which.json {
            let mut said = json!({ "did": did, "key": new, "agreement": sealed_for });
            if signing {
                said["replaced_key"] = json!(old);
            }
            if agreement {
                said["replaced_agreement"] = json!(old_agreement);
            }
            println!("{said}");
            return Ok(ExitCode::SUCCESS);
        }
        println!("DID        {did}");
        if signing {
            println!("signs      {new}  (before: {old})");
        }
        if agreement {
            println!("opens      {sealed_for}  (before: {old_agreement}, which still opens what is under way)");
        }
        println!("next       countersign serve --home {}", home.dir().display());
        if signing {
            println!("then       give the thumbprint {new} to the operator, who admits this wallet again:");
            println!("           countersign admit --did {did} --key {new} …");
            println!("           and take the new credential: countersign join FILE");
            println!("           Until then what it signs is refused; contracts that stand are not touched.");
        } else if did.method() != Method::Web {
            println!("then       others learn of it with the next request or offer, or from: countersign contact show");
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A node that runs would go on signing with the key that it has in memory.
fn stands_still(home: &Home) -> Result<()> {
    let Some(running) = home.announced()? else { return Ok(()) };
    let address = running.management.trim_start_matches("http://").parse();
    let answers = address.is_ok_and(|at| TcpStream::connect_timeout(&at, Duration::from_secs(2)).is_ok());
    if answers {
        bail!(
            "the node of {} runs (process {}): stop it, rotate, and start it again",
            home.dir().display(),
            running.pid
        );
    }
    Ok(())
}
