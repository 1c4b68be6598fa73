use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use super::super::Usage;
use super::words::{head, table, text};
use super::{At, member, read_text};

/// Shows this node's own contact, adds others', lists them.
///
/// Example: countersign contact show > alice.contact
#[derive(Debug, Args)]
pub struct ContactArgs {
    #[command(subcommand)]
    act: ContactAct,
}

#[derive(Debug, Subcommand)]
enum ContactAct {
    /// Prints this node's own contact, signed: give it to whoever is to reach you.
    ///
    /// Example: countersign contact show > alice.contact
    Show(At),
    /// Adds the contact that somebody gave you.
    ///
    /// Example: countersign contact add alice.contact
    Add {
        #[command(flatten)]
        at: At,
        /// A file, `-` for standard input, or the contact itself.
        #[arg(value_name = "FILE|-|TEXT")]
        contact: String,
    },
    /// Lists whom this node can reach.
    ///
    /// Example: countersign contact list
    List(At),
}

impl ContactArgs {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        match &self.act {
            ContactAct::Show(at) => {
                let own = at.desk()?.get("/api/self").await?;
                let answer = json!({ "did": own["did"], "inbox": own["inbox"], "contact": own["contact"] });
                at.say(&answer, |answer| println!("{}", text_whole(&answer["contact"])))
            }
            ContactAct::Add { at, contact } => {
                let contact = contact_text(contact)?;
                let added = at.desk()?.post("/api/contacts", &json!({ "contact": contact })).await?;
                at.say(&added, |added| println!("added {}", text(added, "/did")))
            }
            ContactAct::List(at) => {
                let contacts = at.desk()?.get("/api/contacts").await?;
                at.say(&contacts, |contacts| {
                    let known = contacts.as_array().into_iter().flatten();
                    let mut rows = vec![head(&["DID", "Inbox"])];
                    rows.extend(known.map(|contact| vec![text(contact, "/did"), text(contact, "/inbox")]));
                    if rows.len() == 1 {
                        println!("no contacts yet; `countersign contact add FILE` adds one");
                    } else {
                        table(&rows);
                    }
                })
            }
        }
    }
}

fn text_whole(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A signed contact is three parts with two dots; everything else is a file's name.
fn contact_text(given: &str) -> Result<String> {
    let signed = given.split('.').count() == 3 && given.starts_with("ey") && !Path::new(given).exists();
    if signed {
        return Ok(given.to_owned());
    }
    let found = read_text(Path::new(given))?;
    if found.split('.').count() != 3 {
        return Err(Usage(format!("{given} holds no contact; `countersign contact show` prints one")).into());
    }
    Ok(found)
}

/// Takes the participant credential that the operator signed for you.
///
/// Example: countersign join membership.txt
#[derive(Debug, Args)]
pub struct Join {
    #[command(flatten)]
    at: At,
    /// The credential; `-` reads standard input.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
}

impl Join {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let credential = read_text(&self.file)?;
        let joined = self.at.desk()?.post("/api/participant", &json!({ "credential": credential })).await?;
        self.at.say(&joined, |joined| println!("{} is a member", text(joined, "/did")))
    }
}

/// Takes a template that the operator approved.
///
/// Example: countersign template licence.approval
#[derive(Debug, Args)]
pub struct Template {
    #[command(flatten)]
    at: At,
    /// The approval; `-` reads standard input.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
}

impl Template {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let approval = read_text(&self.file)?;
        let added = self.at.desk()?.post("/api/templates", &json!({ "approval": approval })).await?;
        member(&added, "/id")?;
        self.at.say(&added, |added| println!("template {}", text(added, "/id")))
    }
}
