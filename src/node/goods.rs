//! What is for sale: own listings with their limits, the templates behind them, and what other parties' catalogs say.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Listing, Node, NodeFault, StoreFault, chance, kind};
use crate::check::{Refusal, Trail};
use crate::credential::rfc3339;
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, Jws};
use crate::policy::{Blanks, Fee, Template};

/// What a listing may say beside the contract's own contents: letters of the description, number of keywords and of
/// further members, letters of each. A catalog of two hundred has to fit into one sealed message.
const DESCRIPTION: usize = 2000;
const NUMBER: usize = 32;
const LETTERS: usize = 200;
/// How many results a search yields.
const RESULTS: u32 = 100;

/// A template that this wallet makes offers of, for people and scripts.
#[derive(Clone, Debug, Serialize)]
pub struct TemplateView {
    /// Its id.
    pub id: String,
    /// Which of the texts under that id.
    pub version: String,
    /// For people.
    pub title: String,
    /// `b64u(H(its bytes))`, as offers name it.
    pub hash: String,
    /// Who approved it.
    pub approved_by: Option<Did>,
    /// Offers are made of it from here on.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// Offers are made of it before this.
    #[serde(with = "rfc3339")]
    pub until: Timestamp,
    /// Whether it is believed now, by the trust of the configuration.
    pub believed: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unbelieved: Option<String>,
    /// Its parameters, each with what it takes, in words.
    pub parameters: BTreeMap<String, String>,
    /// The operator's fee in a sentence.
    pub fee_in_words: String,
    /// Values that the parameters can have.
    pub example: BTreeMap<String, Value>,
    /// The terms as sentences, with those values.
    pub in_words: Vec<String>,
    /// The template as it was approved.
    pub template: Value,
}

/// Something that another party lists, as its catalog said last.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// Whose.
    pub provider: Did,
    /// Its name among the contacts.
    pub provider_name: Option<String>,
    /// When its catalog came.
    #[serde(with = "rfc3339")]
    pub seen: Timestamp,
    /// The listing, with the fee that its provider says.
    pub listing: Value,
}

/// Something of a catalog, for the store to find it by its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Good {
    /// Whose.
    pub provider: Did,
    /// The asset's id.
    pub asset: String,
    /// When the catalog came.
    pub seen: Timestamp,
    /// What it is called.
    pub title: String,
    /// Everything else that words are looked for in.
    pub words: String,
    /// The listing.
    pub listing: Value,
}

impl Node {
    /// Takes an asset from the list; negotiations and contracts about it stay as they are.
    ///
    /// # Errors
    /// `Unknown` when it is not listed.
    pub async fn unlist(&self, asset: &str) -> Result<(), NodeFault> {
        let there = self.store.remove(kind::ASSET, asset).await?;
        if there { Ok(()) } else { Err(NodeFault::unknown("asset", asset)) }
    }

    /// The templates that this wallet has, by id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn templates(&self) -> Result<Vec<TemplateView>, NodeFault> {
        let now = chance::now()?;
        let mut views = Vec::new();
        for (id, kept) in self.store.all(kind::TEMPLATE).await? {
            let approval = kept.get("approval").and_then(Value::as_str).unwrap_or_default();
            let damaged = |cause: Refusal| StoreFault::Damaged(format!("template {id}: {cause}"));
            let jws = Jws::parse(approval).map_err(damaged)?;
            let template = Template::parse(jws.payload()).map_err(damaged)?;
            let unbelieved = self.template(&id, now).await.err().map(|fault| fault.to_string());
            views.push(TemplateView {
                approved_by: jws.header().kid.as_ref().map(|kid| kid.did().clone()),
                from: template.nbf,
                until: template.exp,
                believed: unbelieved.is_none(),
                unbelieved,
                parameters: template.parameters.iter().map(|(name, one)| (name.clone(), one.in_words())).collect(),
                fee_in_words: template.fee.in_words(),
                example: template.example(),
                in_words: template.in_words(),
                template: serde_json::from_slice(jws.payload()).unwrap_or_default(),
                id: template.id,
                version: template.version,
                title: template.title,
                hash: Digest::of(jws.payload()).b64u(),
            });
        }
        Ok(views)
    }

    /// Holds a listing to what an offer of it would be held to, and its words to their limits.
    pub(super) async fn hold_listing(&self, listing: &Listing) -> Result<(), NodeFault> {
        listing.asset.sound(&mut Trail::default())?;
        let template = self.template(&listing.template, chance::now()?).await?;
        template.template.fee(&listing.price)?;
        // Values are tried on with a contract id that no contract has.
        let contract_id = "urn:uuid:00000000-0000-4000-8000-000000000000";
        let blanks = Blanks { asset: &listing.asset.id, provider: self.did(), consumer: self.did(), contract_id };
        template.template.fill(&blanks, &listing.parameters)?;
        let short = |text: &str| (1..=LETTERS).contains(&text.chars().count());
        let said = listing.description.chars().count() <= DESCRIPTION
            && listing.keywords.len() <= NUMBER
            && listing.metadata.len() <= NUMBER
            && listing.keywords.iter().all(|word| short(word))
            && listing.metadata.iter().all(|(name, value)| short(name) && short(value));
        if said {
            return Ok(());
        }
        Err(NodeFault::Unready(format!(
            "a listing says too much: at most {DESCRIPTION} letters of description, {NUMBER} keywords and {NUMBER} \
             members of metadata, each of 1 to {LETTERS} letters"
        )))
    }

    /// The operator's fee for an asset as it is listed; `None` where its template is not there any more.
    pub(super) async fn fee_of(&self, listing: &Listing) -> Option<(Fee, String)> {
        let template = self.template(&listing.template, chance::now().ok()?).await.ok()?;
        Some((template.template.fee(&listing.price).ok()?, template.template.title.clone()))
    }

    /// What this party lists, with the fee of each and the title of its template.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn goods(&self) -> Result<Vec<Value>, NodeFault> {
        let mut goods = Vec::new();
        for listing in self.listings().await? {
            goods.push(self.with_fee(&listing).await);
        }
        Ok(goods)
    }

    pub(super) async fn with_fee(&self, listing: &Listing) -> Value {
        let mut shown = json!(listing);
        if let Some((fee, title)) = self.fee_of(listing).await {
            shown["fee"] = json!(fee);
            shown["template_title"] = title.into();
        }
        shown
    }

    /// What other parties list, by words of title, description, keywords and metadata: those catalogs that came last.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn search(&self, words: &str, provider: Option<&Did>) -> Result<Vec<Found>, NodeFault> {
        let mut found = Vec::new();
        for good in self.store.find_goods(words, provider, RESULTS).await? {
            found.push(Found {
                provider_name: self.name_of(&good.provider).await?,
                provider: good.provider,
                seen: good.seen,
                listing: good.listing,
            });
        }
        Ok(found)
    }

    /// Makes a catalog that came findable, in place of what the same provider listed before.
    pub(super) async fn shelve(&self, provider: &Did, catalog: &Value, most: usize) -> Result<(), NodeFault> {
        let seen = chance::now()?;
        let sets = catalog.get("dataset").and_then(Value::as_array).into_iter().flatten().take(most);
        let goods: Vec<Good> = sets.filter_map(|set| good(provider, seen, set)).collect();
        Ok(self.store.shelve(provider, &goods).await?)
    }
}

/// A listing that somebody else wrote: what does not read is not found.
fn good(provider: &Did, seen: Timestamp, set: &Value) -> Option<Good> {
    let mut listing = set.get("countersign").filter(|listing| listing.is_object())?.clone();
    for name in ["fee", "template_title"] {
        if let Some(said) = set.pointer(&format!("/hasPolicy/0/countersign/{name}")) {
            listing[name] = said.clone();
        }
    }
    let text = |value: Option<&Value>, most: usize| -> String {
        value.and_then(Value::as_str).unwrap_or_default().chars().take(most).collect()
    };
    let asset = listing.get("asset")?;
    let mut words = vec![text(listing.get("description"), DESCRIPTION), text(asset.get("media_type"), LETTERS)];
    let keywords = listing.get("keywords").and_then(Value::as_array).into_iter().flatten();
    words.extend(keywords.take(NUMBER).map(|word| text(Some(word), LETTERS)));
    let metadata = listing.get("metadata").and_then(Value::as_object).into_iter().flatten();
    for (name, value) in metadata.take(NUMBER) {
        words.extend([name.chars().take(LETTERS).collect(), text(Some(value), LETTERS)]);
    }
    Some(Good {
        provider: provider.clone(),
        asset: asset.get("id")?.as_str().filter(|id| id.len() <= 2000)?.to_owned(),
        seen,
        title: text(asset.get("title"), LETTERS),
        words: words.join("\n"),
        listing,
    })
}
