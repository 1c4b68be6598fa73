use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Map, Value, json};

use super::super::Usage;
use super::super::calls::Desk;
use super::talks::{parameter, price};
use super::templates::template;
use super::words::{money, text};
use super::{At, read_text};
use crate::node::Listing;
use crate::policy::Money;

/// Lists an asset: what it is, on which template, at which price; or changes how it is listed.
///
/// WHAT is a file (or `-`): {"asset": {"id", "title", "media_type", "sha256", "size" or "version", "endpoint"}}, as
/// `countersign guard` prints it, and with "template", "parameters", "price", "description", "keywords", "metadata" if
/// you like; or the id or title of what is listed already. The options go before what it says.
///
/// Examples: countersign list junction.json --template "Single purchase" --set uses=3 --price "400.00 EUR"
///           countersign list "Motorway junction" --price "350.00 EUR" --keyword roads
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct List {
    #[command(flatten)]
    at: At,
    /// A file, `-` for standard input, or what is listed already.
    #[arg(value_name = "WHAT")]
    what: String,
    /// What it is called.
    #[arg(long)]
    title: Option<String>,
    /// What it is, for people and search.
    #[arg(long)]
    description: Option<String>,
    /// A word that it is found by; may be given several times. All of them take the place of those before.
    #[arg(long = "keyword", value_name = "WORD")]
    keywords: Vec<String>,
    /// Whatever else is worth saying about it; may be given several times.
    #[arg(long = "meta", value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// Its media type.
    #[arg(long, value_name = "TYPE")]
    media_type: Option<String>,
    /// Its version, for what has no fixed size.
    #[arg(long = "asset-version", value_name = "VERSION")]
    version: Option<String>,
    /// Its address, behind the gate.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Whether the catalog shows it; what is not shown can still be asked for and proposed.
    #[arg(long, value_name = "BOOL")]
    cataloged: Option<bool>,
    /// The template: its id, its title, or the beginning of one.
    #[arg(long, value_name = "ID|TITLE")]
    template: Option<String>,
    /// The price, as "400.00 EUR".
    #[arg(long, value_parser = price, value_name = "PRICE")]
    price: Option<Money>,
    /// A value of the template's parameters; may be given several times.
    #[arg(long = "set", value_parser = parameter, value_name = "NAME=VALUE")]
    parameters: Vec<(String, Value)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

impl List {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let mut listing = if self.what == "-" || Path::new(&self.what).exists() {
            let found = read_text(Path::new(&self.what))?;
            serde_json::from_str(&found).map_err(|cause| Usage(format!("{} is no JSON: {cause}", self.what)))?
        } else {
            own(&desk, &self.what).await.map_err(|fault| match fault.downcast::<Usage>() {
                Ok(Usage(why)) => Usage(format!("there is no file {}, and {why}", self.what)).into(),
                Err(fault) => fault,
            })?
        };
        if !listing["asset"].is_object() {
            return Err(
                Usage(format!("{} has no \"asset\"; `countersign list --help` shows its form", self.what)).into()
            );
        }
        self.change(&desk, &mut listing).await?;
        for (name, option) in [("template", "--template"), ("price", "--price")] {
            if listing[name].is_null() {
                return Err(Usage(format!("say the {name} with {option}")).into());
            }
        }
        let listing: Listing = serde_json::from_value(listing).map_err(|cause| {
            Usage(format!("{} is no listing: {cause}; `countersign list --help` shows its form", self.what))
        })?;
        desk.post("/api/assets", &json!(listing)).await?;
        let listed = own(&desk, &listing.asset.id).await?;
        self.at.say(&listed, |listed| {
            println!("listed {}: {}", text(listed, "/asset/id"), text(listed, "/asset/title"));
            println!("       {}, fee {}", money(&listed["price"]), money(&listed["fee"]));
        })
    }

    async fn change(&self, desk: &Desk, listing: &mut Value) -> Result<()> {
        // What the node adds to a listing is not part of it.
        if let Some(members) = listing.as_object_mut() {
            members.retain(|name, _| name != "fee" && name != "template_title");
        }
        for (member, value) in [("title", &self.title), ("media_type", &self.media_type), ("endpoint", &self.endpoint)]
        {
            if let Some(value) = value {
                listing["asset"][member] = json!(value);
            }
        }
        if let (Some(version), Some(asset)) = (&self.version, listing["asset"].as_object_mut()) {
            asset.remove("size");
            asset.insert("version".into(), json!(version));
        }
        if let Some(description) = &self.description {
            listing["description"] = json!(description);
        }
        if !self.keywords.is_empty() {
            listing["keywords"] = json!(self.keywords);
        }
        for (name, value) in &self.metadata {
            listing["metadata"][name] = json!(value);
        }
        if let Some(cataloged) = self.cataloged {
            listing["cataloged"] = json!(cataloged);
        }
        if let Some(given) = &self.template {
            listing["template"] = template(desk, given).await?["id"].clone();
        }
        if let Some(price) = &self.price {
            listing["price"] = json!(price);
        }
        if !self.parameters.is_empty() {
            listing["parameters"] = self.parameters.iter().cloned().collect::<Map<_, _>>().into();
        }
        Ok(())
    }
}

/// The one own listing that `given` means: the asset's id or title, or the beginning of one.
pub async fn own(desk: &Desk, given: &str) -> Result<Value> {
    let all = desk.get("/api/assets").await?;
    one_of(all.as_array().context("the node's answer is no list")?, given)
        .map_err(|why| Usage(format!("{why}; `countersign assets` lists what is here")).into())
        .cloned()
}

/// The one listing that `given` means, or why there is none.
pub fn one_of<'a>(listings: &'a [Value], given: &str) -> Result<&'a Value, String> {
    let wanted = given.trim().to_lowercase();
    let fitting = |whole: bool| -> Vec<&Value> {
        let fits = |known: &str| !wanted.is_empty() && if whole { known == wanted } else { known.starts_with(&wanted) };
        let named = |listing: &&Value| {
            let id = text(listing, "/asset/id").to_lowercase();
            let title = text(listing, "/asset/title").to_lowercase();
            fits(&id) || fits(id.strip_prefix("urn:uuid:").unwrap_or(&id)) || fits(&title)
        };
        listings.iter().filter(named).collect()
    };
    let exact = fitting(true);
    let found = if exact.is_empty() { fitting(false) } else { exact };
    match found[..] {
        [one] => Ok(one),
        [] => Err(format!("no asset `{given}` is listed")),
        _ => Err(format!("`{given}` is the beginning of several assets' ids or titles, write more of it")),
    }
}

/// Takes an asset from the list; negotiations and contracts about it stay as they are.
///
/// Example: countersign unlist "Motorway junction"
#[derive(Debug, Args)]
pub struct Unlist {
    #[command(flatten)]
    at: At,
    /// The asset's id or title, or the beginning of one.
    asset: String,
}

impl Unlist {
    pub(super) async fn run(&self) -> Result<ExitCode> {
        let desk = self.at.desk()?;
        let listing = own(&desk, &self.asset).await?;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("id", listing.pointer("/asset/id").and_then(Value::as_str).unwrap_or_default());
        let gone = desk.delete(&format!("/api/assets?{}", query.finish())).await?;
        self.at.say(&gone, |gone| println!("{} is listed no more", text(gone, "/id")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_meant_by_id_or_title() {
        let listing = |id: &str, title: &str| json!({ "asset": { "id": id, "title": title } });
        let all = [listing("urn:uuid:3f0c", "Motorway junction"), listing("urn:uuid:3f1d", "Motorway bridge")];
        assert_eq!(one_of(&all, "3f0c").unwrap(), &all[0]);
        assert_eq!(one_of(&all, "motorway b").unwrap(), &all[1]);
        assert!(one_of(&all, "Motorway").unwrap_err().contains("several"));
        assert!(one_of(&all, "").is_err() && one_of(&all, "tunnel").is_err());
    }
}
