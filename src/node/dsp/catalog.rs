//! What this party offers over the Dataspace Protocol: its listed assets, and datasets that are offered in plain mode only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::Connector;
use crate::dsp::{self, Dataset, Distribution, OfferTerms, checks};
use crate::encoding::{Digest, Timestamp};
use crate::identity::Jws;
use crate::node::consent::Listing;
use crate::node::{NodeFault, StoreFault, chance, kind};
use crate::policy::{Blanks, Template};

/// How many datasets one page of the catalog has.
const PAGE: usize = 100;
/// The kind under which datasets for plain mode are kept.
const PLAIN_DATASET: &str = "dsp-dataset";
/// How the data of a dataset is had over the Dataspace Protocol.
const PULL: &str = "HttpData-PULL";

/// The datasets by id.
type Datasets = Arc<BTreeMap<String, Dataset>>;

/// The datasets in memory, as of a second.
#[derive(Default)]
pub(super) struct Shelf(Mutex<Option<(Timestamp, Datasets)>>);

impl Shelf {
    fn of(&self, now: Timestamp) -> Option<Datasets> {
        // A pair of plain values cannot be left half-written by a panic elsewhere.
        let shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.as_ref().filter(|(at, _)| *at == now).map(|(_, datasets)| Arc::clone(datasets))
    }

    fn set(&self, now: Timestamp, datasets: &Datasets) {
        // As above.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Arc::clone(datasets)));
    }

    fn clear(&self) {
        // As above.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Connector {
    /// A dataset that this party offers. Another listing shows after a second.
    pub(super) async fn dataset(&self, id: &str) -> Result<Option<Dataset>, NodeFault> {
        let now = chance::now()?;
        if let Some(known) = self.shelf.of(now).and_then(|datasets| datasets.get(id).cloned()) {
            return Ok(Some(known));
        }
        Ok(self.datasets(now).await?.get(id).cloned())
    }

    async fn datasets(&self, now: Timestamp) -> Result<Datasets, NodeFault> {
        if let Some(known) = self.shelf.of(now) {
            return Ok(known);
        }
        let mut datasets = BTreeMap::new();
        for (id, value) in self.kept.all(kind::ASSET).await? {
            let listing: Listing =
                serde_json::from_value(value).map_err(|cause| StoreFault::Damaged(format!("asset {id}: {cause}")))?;
            if listing.cataloged {
                datasets.extend(self.listed(&listing).await?.map(|dataset| (id, dataset)));
            }
        }
        for (id, value) in self.kept.all(PLAIN_DATASET).await? {
            let dataset =
                serde_json::from_value(value).map_err(|cause| StoreFault::Damaged(format!("dataset {id}: {cause}")))?;
            datasets.insert(id, dataset);
        }
        datasets.extend(self.script.listed().map(|dataset| (dataset.id.clone(), dataset)));
        let datasets = Arc::new(datasets);
        self.shelf.set(now, &datasets);
        Ok(datasets)
    }

    /// A listed asset as a dataset: its template's rules, with the values of the listing.
    async fn listed(&self, listing: &Listing) -> Result<Option<Dataset>, NodeFault> {
        let approval = self.kept.one(kind::TEMPLATE, &listing.template).await?;
        let approval = approval.as_ref().and_then(|kept| kept.get("approval")?.as_str()).unwrap_or_default();
        // It was verified when it was taken in, and is again before anything is signed.
        let Ok(template) = Jws::parse(approval).and_then(|jws| Template::parse(jws.payload())) else { return Ok(None) };
        // Nobody knows yet to whom it will be offered; what names the parties is left out below.
        let own = self.identity.did();
        let blanks = Blanks { asset: &listing.asset.id, provider: own, consumer: own, contract_id: dsp::NOBODY };
        let Ok(mut terms) = template.fill(&blanks, &listing.parameters) else { return Ok(None) };
        dsp::spell_operands(&mut terms);
        let names = ["permission", "prohibition", "obligation", "profile"];
        let rules = terms.as_object().into_iter().flatten().filter(|(name, _)| names.contains(&name.as_str()));
        let rules = rules.map(|(name, value)| (name.clone(), value.clone())).collect();
        let id = Digest::of(format!("{} {}", listing.asset.id, listing.template)).b64u();
        let extra = [("countersign".to_owned(), json!({ "listing": listing }))].into_iter().collect();
        Ok(Some(Dataset {
            id: listing.asset.id.clone(),
            title: listing.asset.title.clone(),
            offers: vec![OfferTerms { id: format!("urn:countersign:offer:{id}"), terms: rules, promisor: None }],
            distributions: vec![Distribution { format: PULL.into() }],
            extra,
        }))
    }

    /// A page of the catalog, and whether there are more behind it.
    ///
    /// # Errors
    /// `dsp.filter`, `dsp.message`.
    pub async fn catalog_page(&self, request: &Value, page: usize) -> Result<(Value, bool), NodeFault> {
        dsp::hold("CatalogRequestMessage", request)?;
        let wanted = dsp::read_filter(request)?;
        let datasets = self.datasets(chance::now()?).await?;
        let found = datasets.values().filter(|dataset| wanted.as_ref().is_none_or(|ids| ids.contains(&dataset.id)));
        let mut found = found.skip(page.saturating_mul(PAGE));
        let shown = found.by_ref().take(PAGE).map(|dataset| dataset.shown(&self.base)).collect();
        let id = format!("{}/catalog", self.base);
        Ok((dsp::catalog(&id, &self.us, &self.base, shown), found.next().is_some()))
    }

    /// A dataset as the catalog shows it, by itself.
    ///
    /// # Errors
    /// `Unknown` where it is not listed.
    pub async fn dataset_shown(&self, id: &str) -> Result<Value, NodeFault> {
        let dataset = self.dataset(id).await?.ok_or_else(|| NodeFault::unknown("dataset", id))?;
        let mut shown = dataset.shown(&self.base);
        shown["@context"] = json!([dsp::CONTEXT]);
        Ok(shown)
    }

    /// Offers a dataset in plain mode, or changes how it is offered.
    ///
    /// # Errors
    /// `dsp.message` when an offer is none, or cannot be told from another; `dsp.roles` when its promisor never negotiates.
    pub async fn list_plain(&self, dataset: &Dataset) -> Result<(), NodeFault> {
        let mut dataset = dataset.clone();
        if dataset.distributions.is_empty() {
            dataset.distributions.push(Distribution { format: PULL.into() });
        }
        dataset.hold(&self.base)?;
        for promisor in dataset.offers.iter().filter_map(|offer| offer.promisor.as_ref()) {
            let party = *promisor == self.us || self.settings.plain.has(promisor);
            checks::ROLES.hold(party, || {
                format!("{promisor} can be no promisor: it is neither this node nor named in [dsp] plain")
            })?;
        }
        self.kept.put(PLAIN_DATASET, &dataset.id, &json!(dataset)).await?;
        self.shelf.clear();
        Ok(())
    }

    /// What this party offers over the Dataspace Protocol.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn listed_datasets(&self) -> Result<Vec<Dataset>, NodeFault> {
        Ok(self.datasets(chance::now()?).await?.values().cloned().collect())
    }
}
