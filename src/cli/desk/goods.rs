use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::super::Usage;
use super::super::calls::Desk;
use super::words::{Progress, head, money, table, text};
use super::{At, member, read_text};
use crate::node::Listing;

/// Lists an asset: what it is, on which template, at which price.
///
/// FILE is JSON: {"asset": {"id", "title", "media_type", "sha256", "size" or "version", "endpoint"}, "template": ID,
/// "parameters": {NAME: VALUE}, "price": {"amount": "400.00", "currency": "EUR"}, "description"?, "keywords"?}
///
/// Example: countersign list junction.json
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    at: At,
    /// The listing; `-` reads standard input.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
}

impl List {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let listing: Listing = serde_json::from_str(&read_text(&self.file)?).map_err(|cause| {
            Usage(format!("{} is no listing: {cause}; `countersign list --help` shows its form", self.file.display()))
        })?;
        let listed = self.at.desk()?.post("/api/assets", &json!(listing)).await?;
        self.at.say(&listed, |listed| println!("listed {}", text(listed, "/id")))
    }
}

/// Shows what this party lists.
///
/// Example: countersign assets
#[derive(Debug, Args)]
pub struct Assets {
    #[command(flatten)]
    at: At,
}

impl Assets {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let listings = self.at.desk()?.get("/api/assets").await?;
        self.at.say(&listings, |listings| print_listings(listings.as_array().into_iter().flatten()))
    }
}

/// Asks another party what it lists, through its inbox, and waits for the answer.
///
/// Example: countersign catalog did:key:zDn…
#[derive(Debug, Args)]
pub struct Catalog {
    #[command(flatten)]
    at: At,
    /// Whose catalog.
    did: String,
    /// For how many seconds to wait.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    wait: u64,
}

impl Catalog {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        reachable(&desk, &self.did).await?;
        let asked = desk.post("/api/catalogs", &json!({ "provider": self.did })).await?;
        let path = format!("/api/catalogs/{}", member(&asked, "/id")?);
        let (began, within) = (Instant::now(), Duration::from_secs(self.wait));
        let mut progress = Progress::new();
        let catalog = loop {
            let answer = desk.get(&path).await?;
            if !answer["catalog"].is_null() {
                break answer["catalog"].clone();
            }
            if began.elapsed() > within {
                bail!(
                    "{} has not answered within {} s; its node may be down, or it does not know yours as a member's",
                    self.did,
                    self.wait
                );
            }
            progress.at(|| format!("waiting for the catalog, {} s", began.elapsed().as_secs()));
            sleep(Duration::from_millis(150)).await;
        };
        drop(progress);
        self.at.say(&catalog, |catalog| {
            let sets = catalog["dataset"].as_array().into_iter().flatten();
            print_listings(sets.map(|set| &set["countersign"]));
        })
    }
}

/// Refuses a DID whose inbox this node does not know: the message would wait for ever.
pub async fn reachable(desk: &Desk, did: &str) -> Result<()> {
    let contacts = desk.get("/api/contacts").await?;
    if contacts.as_array().into_iter().flatten().any(|contact| contact["did"] == did) {
        return Ok(());
    }
    bail!(
        "{did} is no contact; let it run `countersign contact show`, and give the result to `countersign contact add`"
    )
}

fn print_listings<'a>(listings: impl Iterator<Item = &'a Value>) {
    let mut rows = vec![head(&["Asset", "Title", "Type", "Bytes", "Price", "Template"])];
    rows.extend(listings.map(|listing| {
        let size = listing.pointer("/asset/size").and_then(Value::as_u64);
        vec![
            text(listing, "/asset/id"),
            text(listing, "/asset/title"),
            text(listing, "/asset/media_type"),
            size.map_or_else(|| text(listing, "/asset/version"), |size| size.to_string()),
            money(&listing["price"]),
            text(listing, "/template"),
        ]
    }));
    if rows.len() == 1 {
        println!("nothing is listed");
    } else {
        table(&rows);
    }
}
