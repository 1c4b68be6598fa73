use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::At;
use super::words::{head, table, text, when};

/// Makes, lists and removes keys to this node's management interface, for programs and colleagues.
///
/// Example: countersign api-key add erp --scope read
#[derive(Debug, Args)]
pub struct ApiKeyArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Makes a key and prints it this once; the node keeps only its hash.
    ///
    /// Example: countersign api-key add erp --scope decide
    Add {
        #[command(flatten)]
        at: At,
        /// Its name: histories show who decided by it.
        name: String,
        /// What it may do; each holds the one before it.
        #[arg(long, value_enum)]
        scope: KeyScope,
    },
    /// Lists the keys: name, scope, made, last used.
    ///
    /// Example: countersign api-key list
    List(At),
    /// Removes a key; it opens nothing from now on.
    ///
    /// Example: countersign api-key remove erp
    Remove {
        #[command(flatten)]
        at: At,
        /// Its name.
        name: String,
    },
}

/// What a key may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeyScope {
    /// Looks, and changes nothing.
    Read,
    /// Decides in negotiations and uses contracts.
    Decide,
    /// Sets up: contacts, templates, listings, members, keys.
    Admin,
}

impl KeyScope {
    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Decide => "decide",
            Self::Admin => "admin",
        }
    }
}

impl ApiKeyArgs {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        match &self.act {
            Act::Add { at, name, scope } => {
                let order = json!({ "name": name, "scope": scope.name() });
                let made = at.desk()?.post("/api/keys", &order).await?;
                at.say(&made, |made| {
                    // Standard output holds the key alone, for a file or a variable.
                    eprintln!("the key `{}` may {}; it is shown this once:", text(made, "/name"), text(made, "/scope"));
                    println!("{}", text(made, "/key"));
                })
            }
            Act::List(at) => {
                let keys = at.desk()?.get("/api/keys").await?;
                at.say(&keys, |keys| {
                    let mut rows = vec![head(&["Name", "Scope", "Made", "Last used"])];
                    rows.extend(keys.as_array().into_iter().flatten().map(|key| {
                        let used = text(key, "/used");
                        let used = if used.is_empty() { "never".into() } else { when(&used) };
                        vec![text(key, "/name"), text(key, "/scope"), when(&text(key, "/made")), used]
                    }));
                    if rows.len() == 1 {
                        println!("no keys but yours, in the file `api-key`; `countersign api-key add` makes one");
                    } else {
                        table(&rows);
                    }
                })
            }
            Act::Remove { at, name } => {
                at.desk()?.delete(&format!("/api/keys/{name}")).await?;
                at.say(&json!({ "name": name }), |_| println!("the key `{name}` opens nothing any more"))
            }
        }
    }
}
