use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::super::calls::Desk;
use super::super::{Later, Usage};
use super::listing::one_of;
use super::people::known;
use super::words::{Progress, called, head, money, table, text, when};
use super::{At, member};

/// Shows what this party lists, with price and fee.
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
/// Example: countersign catalog alice
#[derive(Debug, Args)]
pub struct Catalog {
    #[command(flatten)]
    at: At,
    /// Whose catalog: a contact's name, or a DID.
    party: String,
    /// For how many seconds to wait.
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    wait: u64,
}

impl Catalog {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let did = known(&desk, &self.party).await?;
        let asked = desk.post("/api/catalogs", &json!({ "provider": did })).await?;
        let path = format!("/api/catalogs/{}", member(&asked, "/id")?);
        let (began, within) = (Instant::now(), Duration::from_secs(self.wait));
        let mut progress = Progress::new();
        let catalog = loop {
            let answer = desk.get(&path).await?;
            if !answer["catalog"].is_null() {
                break answer["catalog"].clone();
            }
            if began.elapsed() > within {
                let why = "its node may be down, or it does not take yours for a member's";
                let what = format!("{} has not answered within {} s; {why}; try again", self.party, self.wait);
                return Err(Later(what).into());
            }
            progress.at(|| format!("waiting for the catalog, {} s", began.elapsed().as_secs()));
            sleep(Duration::from_millis(150)).await;
        };
        drop(progress);
        self.at.say(&catalog, |catalog| {
            let sets = catalog["dataset"].as_array().into_iter().flatten();
            let listings: Vec<Value> = sets.map(as_listed).collect();
            print_listings(listings.iter());
        })
    }
}

/// Searches what other parties list, by words of title, description, keywords and metadata.
///
/// It looks into the catalogs that `countersign catalog PARTY` brought last; all the words have to be there, or begin a
/// word there. Without words it shows everything.
///
/// Example: countersign search motorway opendrive --from alice
#[derive(Debug, Args)]
pub struct Search {
    #[command(flatten)]
    at: At,
    /// What to look for.
    words: Vec<String>,
    /// Only what this party lists: a contact's name, or a DID.
    #[arg(long, value_name = "PARTY")]
    from: Option<String>,
}

impl Search {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let provider = match &self.from {
            Some(party) => Some(known(&desk, party).await?),
            None => None,
        };
        let found = search(&desk, &self.words.join(" "), provider.as_deref()).await?;
        self.at.say(&found, |found| {
            let mut rows = vec![head(&["From", "Asset", "Title", "Type", "Price", "Fee", "Template", "Seen"])];
            rows.extend(found.as_array().into_iter().flatten().map(|one| {
                let mut row = vec![called(one, "/provider_name", "/provider")];
                row.extend(cells(&one["listing"], false));
                row.push(when(&text(one, "/seen")));
                row
            }));
            if rows.len() == 1 {
                println!("nothing found; `countersign catalog PARTY` asks for what a party lists now");
            } else {
                table(&rows);
            }
        })
    }
}

/// A dataset's listing, with fee and template's title, which stand in its policy.
fn as_listed(set: &Value) -> Value {
    let (mut listing, policy) = (set["countersign"].clone(), &set["hasPolicy"][0]["countersign"]);
    for name in ["fee", "template_title"] {
        if listing.is_object() && !policy[name].is_null() {
            listing[name] = policy[name].clone();
        }
    }
    listing
}

async fn search(desk: &Desk, words: &str, provider: Option<&str>) -> Result<Value> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("words", words);
    if let Some(provider) = provider {
        query.append_pair("provider", provider);
    }
    desk.get(&format!("/api/goods?{}", query.finish())).await
}

/// The id of the asset that `given` means: an IRI as it is, otherwise a title or the beginning of an id in the catalog
/// that came last from the provider.
pub async fn wanted(desk: &Desk, provider: &str, given: &str) -> Result<String> {
    if given.contains(':') {
        return Ok(given.to_owned());
    }
    let found = search(desk, "", Some(provider)).await?;
    let listings: Vec<Value> = found.as_array().into_iter().flatten().map(|one| one["listing"].clone()).collect();
    let one = one_of(&listings, given)
        .map_err(|why| Usage(format!("{why} there; `countersign catalog PARTY` asks for what it lists now")))?;
    one.pointer("/asset/id").and_then(Value::as_str).map(str::to_owned).context("the catalog's asset has no id")
}

fn print_listings<'a>(listings: impl Iterator<Item = &'a Value>) {
    let mut rows = vec![head(&["Asset", "Title", "Type", "Bytes", "Price", "Fee", "Template"])];
    rows.extend(listings.map(|listing| cells(listing, true)));
    if rows.len() == 1 {
        println!("nothing is listed");
    } else {
        table(&rows);
    }
}

fn cells(listing: &Value, sized: bool) -> Vec<String> {
    let size = listing.pointer("/asset/size").and_then(Value::as_u64).map(|size| size.to_string());
    let title = match text(listing, "/asset/version") {
        version if version.is_empty() => text(listing, "/asset/title"),
        version => format!("{} (version {version})", text(listing, "/asset/title")),
    };
    let mut cells = vec![text(listing, "/asset/id"), title, text(listing, "/asset/media_type")];
    // What changes under one contract has a version, and no number of bytes.
    cells.extend(sized.then(|| size.unwrap_or_else(|| "-".into())));
    cells.extend([money(&listing["price"]), money(&listing["fee"]), called(listing, "/template_title", "/template")]);
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_no_number_of_bytes() {
        let file = json!({ "asset": { "id": "urn:a", "title": "Junction", "size": 1000 } });
        assert_eq!(cells(&file, true)[1..4], ["Junction", "", "1000"]);
        let tiles = json!({ "asset": { "id": "urn:b", "title": "Tiles", "version": "1" } });
        assert_eq!(cells(&tiles, true)[1..4], ["Tiles (version 1)", "", "-"]);
    }
}
