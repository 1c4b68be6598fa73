//! The catalogs of others: asked for over the Dataspace Protocol, read as far as they read, and believed in nothing.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;

use super::reply::{Verdict, judge};
use super::{Connector, Posted};
use crate::dsp::peer_catalog::{PeerDataset, read_catalog};
use crate::dsp::{self, checks};
use crate::identity::Did;
use crate::negotiation::plain::ParticipantId;
use crate::node::{NodeFault, NotDelivered, chance};

/// How many pages are followed.
const PAGES: usize = 20;
/// How many datasets are shown.
const DATASETS: usize = 2000;
/// How much of a catalog is kept, in bytes of its terms.
const BYTES: usize = 8 << 20;
/// For how many seconds further pages are asked for: whoever waits for the answer does not wait for ever.
const WITHIN: i64 = 15;

/// Whose catalog is asked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogOrder {
    /// Whose.
    pub counterparty: ParticipantId,
    /// Where it takes messages, its version path included; where it is known when absent.
    #[serde(default)]
    pub address: Option<String>,
    /// What the request filters by, in the provider's own form; the ids of datasets between wallets.
    #[serde(default)]
    pub filter: Vec<Value>,
}

/// Another connector's catalog.
#[derive(Clone, Debug, Serialize)]
pub struct PeerCatalog {
    /// Whose it was asked for as.
    pub counterparty: ParticipantId,
    /// Where it was asked for.
    pub address: String,
    /// Whose the catalog itself says that it is.
    pub participant: Option<String>,
    /// What it lists.
    pub datasets: Vec<PeerDataset>,
    /// How many pages were read.
    pub pages: usize,
    /// Whether there is more than was read.
    pub more: bool,
    /// How many entries did not read as datasets.
    pub unread: usize,
}

impl Connector {
    /// Reads another connector's catalog, page after page, up to a bound.
    ///
    /// # Errors
    /// `dsp.callback` for an address that may not be called, `dsp.message` for a filter that no request can have, `Unready`
    /// without an address; `NotDelivered` with what the other side answered.
    pub async fn catalog_of(&self, order: &CatalogOrder) -> Result<PeerCatalog, NodeFault> {
        let address = self.catalog_address(order).await?;
        self.messenger.may_call(&address).map_err(|fault| checks::CALLBACK.refuse(fault.to_string()))?;
        let mut request = json!({ "@context": [dsp::CONTEXT], "@type": "CatalogRequestMessage" });
        if !order.filter.is_empty() {
            request["filter"] = json!(order.filter);
        }
        dsp::hold("CatalogRequestMessage", &request)?;
        let message = request.to_string().into_bytes();
        let mut found = PeerCatalog {
            counterparty: order.counterparty.clone(),
            address: address.clone(),
            participant: None,
            datasets: vec![],
            pages: 0,
            more: false,
            unread: 0,
        };
        let (mut read, mut bytes, began) = (BTreeSet::new(), 0_usize, chance::now()?);
        let mut next = Some(format!("{address}/catalog/request"));
        while let Some(url) = next.take() {
            let full = found.pages >= PAGES || found.datasets.len() >= DATASETS || bytes >= BYTES;
            if full || chance::now()? > began.plus(WITHIN) || !read.insert(url.clone()) {
                found.more = true;
                break;
            }
            let proof = self.identity.prove_to(&order.counterparty)?;
            let (posted, link) = self.messenger.ask(&url, &proof, message.clone()).await?;
            next = link.as_deref().and_then(|link| next_page(&url, link));
            let page = page(posted)?;
            let (participant, mut datasets, unread) = read_catalog(&page).ok_or_else(no_catalog)?;
            bytes = bytes.saturating_add(page.to_string().len());
            found.pages += 1;
            found.unread = found.unread.saturating_add(unread);
            found.participant = found.participant.or(participant);
            let room = DATASETS - found.datasets.len();
            found.more |= datasets.len() > room;
            datasets.truncate(room);
            found.datasets.append(&mut datasets);
        }
        Ok(found)
    }

    async fn catalog_address(&self, order: &CatalogOrder) -> Result<String, NodeFault> {
        if let Some(address) = &order.address {
            return Ok(address.trim_end_matches('/').to_owned());
        }
        let known = match order.counterparty.as_str().parse::<Did>() {
            Ok(did) => self.address_of(&did).await?,
            Err(_) => None,
        };
        known.ok_or_else(|| {
            let what = "name the address where it takes messages, or give it one in [[dsp.peer]]";
            NodeFault::Unready(format!("nothing here says where {} is reached: {what}", order.counterparty))
        })
    }
}

fn page(posted: Posted) -> Result<Value, NodeFault> {
    match judge(posted) {
        Verdict::Taken(Some(page)) => Ok(page),
        Verdict::Taken(None) => Err(no_catalog().into()),
        Verdict::NotYet(why) | Verdict::Later(why) | Verdict::Refused(why) => Err(NotDelivered(why).into()),
    }
}

fn no_catalog() -> NotDelivered {
    NotDelivered("the answer is no catalog in JSON of at most 1 MiB".into())
}

/// The next page that a header `Link` names; only of the same origin: what is asked for is one connector's.
fn next_page(url: &str, link: &str) -> Option<String> {
    let here = Url::parse(url).ok()?;
    let target = link.split('<').skip(1).find_map(|part| {
        let (target, parameters) = part.split_once('>')?;
        let mut parameters = parameters.split([';', ',']).map(str::trim);
        let next = |parameter: &str| {
            let (name, value) = parameter.split_once('=').unwrap_or_default();
            let mut relations = value.trim_matches('"').split(' ');
            name.trim().eq_ignore_ascii_case("rel") && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
        };
        parameters.any(next).then_some(target)
    })?;
    let next = here.join(target).ok()?;
    (next.origin() == here.origin() && next.username().is_empty() && next.password().is_none())
        .then(|| next.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_of_the_same_origin() {
        let of = |link: &str| next_page("https://p.example/dsp/catalog/request", link);
        let two = "<https://p.example/a?page=0>; rel=\"previous\", <https://p.example/a?page=2>; rel=\"next\"";
        assert_eq!(of(two).as_deref(), Some("https://p.example/a?page=2"));
        assert_eq!(
            of("<?page=2>; title=\"x\"; rel=next").as_deref(),
            Some("https://p.example/dsp/catalog/request?page=2")
        );
        for none in [
            "",
            "x",
            "<a",
            "<a>; rel=\"prev\"",
            "<https://q.example/>; rel=\"next\"",
            "<//q.example/>; rel=next",
            "<https://u:p@p.example/>; rel=next",
            "<file:///etc/passwd>; rel=next",
            "<http://p.example/>; rel=next",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
