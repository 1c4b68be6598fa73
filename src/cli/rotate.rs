use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use super::identity;
use super::keys::Own;
use crate::identity::{Method, Signer as _};
use crate::node::chance;

/// Makes a new signing key and a new key that messages are sealed for; the old ones are kept.
///
/// What was sealed for an old key still opens, and what an old key signed stays verifiable: contracts rest on the
/// thumbprints in the participant credentials. The DID of a did:key node is its key, so that only the key that messages
/// are sealed for can be rotated there. The node has to stand still.
///
/// Example: countersign keys rotate --home ~/wallet
#[derive(Debug, Args)]
pub struct Rotate {
    #[command(flatten)]
    own: Own,
    /// Only the key that signs.
    #[arg(long, conflicts_with = "agreement")]
    signing: bool,
    /// Only the key that messages are sealed for.
    #[arg(long)]
    agreement: bool,
}

impl Rotate {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let home = self.own.home.home()?;
        // A node that runs would go on signing with the key that it has in memory.
        let _lock = home.seize()?;
        let mut keyring = home.keyring(&self.own.unlock)?;
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
        if self.own.json {
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
