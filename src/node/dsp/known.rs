//! What is known of the catalog that an offer may be of. A provider knows its own; a consumer asks the provider for the
//! dataset, and where no answer helps, nobody knows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::reply::{Verdict, judge};
use super::{Connector, Posted};
use crate::dsp::{self, Dataset, Meant};
use crate::encoding::Timestamp;
use crate::negotiation::Role;
use crate::negotiation::plain::{Negotiation, Opening, ParticipantId, Parties, same_terms};
use crate::node::{NodeFault, chance};

/// How long a provider may take to show a dataset that a decision waits for.
const WITHIN: Duration = Duration::from_secs(2);
/// For how many seconds what a provider showed is taken for what it shows.
const FRESH: i64 = 2;
/// For how many seconds a provider that did not answer is not asked again by itself.
const SILENT: i64 = 30;
/// How many answers are in memory.
const IN_MEMORY: usize = 32;
/// The longest entry that is read, in bytes of JSON.
const LONGEST: usize = 256 * 1024;

/// What a catalog has about a dataset.
#[derive(Clone, Debug)]
pub(super) enum Listing {
    /// It has it.
    Listed(Arc<Dataset>),
    /// It does not.
    Unlisted,
    /// Nobody knows, and why.
    Unknown(String),
}

/// What a catalog says of an offer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark {
    /// Whether it has it; `None` where nobody knows.
    pub cataloged: Option<bool>,
    /// The cataloged offer's id.
    pub id: Option<String>,
    /// Who promises by the cataloged offer.
    pub parties: Option<Parties>,
}

impl Mark {
    pub(super) const fn without(cataloged: Option<bool>) -> Self {
        Self { cataloged, id: None, parties: None }
    }

    /// What a catalog says of an offer that has the dataset, or does not have it.
    pub(super) fn by(dataset: Option<&Dataset>, offer: &Value, said: Option<&Parties>, opening: &Opening) -> Self {
        match dataset.and_then(|dataset| dataset.meant(offer, said, opening)) {
            Some(Meant { offer, parties }) => {
                Self { cataloged: Some(true), id: Some(offer.id.clone()), parties: Some(parties) }
            }
            None => Self::without(Some(false)),
        }
    }
}

type Question = (ParticipantId, String, String);
type Answer = Arc<OnceCell<Listing>>;

/// What providers were asked in the last seconds, so that a thousand negotiations about one dataset ask once.
#[derive(Default)]
pub(super) struct Asked(Mutex<HashMap<Question, (Timestamp, Answer)>>);

impl Asked {
    /// The place of an answer, and whether it is new. `anew` takes none from before, unless nobody answered.
    fn answer(&self, question: Question, now: Timestamp, anew: bool) -> (Answer, bool) {
        // A map of whole answers cannot be left half-written by a panic elsewhere.
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let good = |(at, answer): &(Timestamp, Answer), fresh: i64| {
            let lasts = if matches!(answer.get(), Some(Listing::Unknown(_))) { SILENT } else { fresh };
            (0..lasts).contains(&(now.seconds() - at.seconds()))
        };
        if let Some(known) = asked.get(&question).filter(|known| good(known, if anew { 0 } else { FRESH })) {
            return (Arc::clone(&known.1), false);
        }
        if asked.len() >= IN_MEMORY {
            asked.retain(|_, known| good(known, FRESH));
        }
        if asked.len() >= IN_MEMORY {
            asked.clear();
        }
        let answer = Answer::default();
        asked.insert(question, (now, Arc::clone(&answer)));
        (answer, true)
    }
}

impl Connector {
    /// What the provider's catalog says of an offer, with the roles that come with it where `said` says some: for both
    /// sides the one place that decides whether it is cataloged.
    pub(super) async fn mark(
        &self,
        opening: &Opening,
        offer: &Value,
        said: Option<&Parties>,
    ) -> Result<Mark, NodeFault> {
        if opening.role == Role::Provider {
            let own = self.dataset(&opening.dataset).await?;
            return Ok(Mark::by(own.as_ref(), offer, said, opening));
        }
        // What a script decides about, it decides whatever the catalog says.
        if self.script.datasets.contains_key(&opening.dataset) {
            return Ok(Mark::without(None));
        }
        let mut anew = false;
        loop {
            let (listing, just) = self.shown_lately(opening, anew).await?;
            let mark = match listing {
                Listing::Unknown(_) => return Ok(Mark::without(None)),
                Listing::Unlisted => Mark::without(Some(false)),
                Listing::Listed(dataset) => Mark::by(Some(&dataset), offer, said, opening),
            };
            // What was not there two seconds ago may be there now.
            if just || anew || mark.cataloged == Some(true) {
                return Ok(mark);
            }
            anew = true;
        }
    }

    /// What was known of an offer when the same terms and roles were on the table before, and their id then.
    pub(super) fn as_before(negotiation: &Negotiation, offer: &Value, parties: &Parties) -> Option<Mark> {
        let before = negotiation.offers().iter().rev();
        let mut same = before.filter(|known| known.parties == *parties && same_terms(&known.offer, offer));
        let known = same.find(|known| known.cataloged.is_some())?;
        let id = known.offer.get("@id").and_then(Value::as_str).map(str::to_owned);
        Some(Mark { cataloged: known.cataloged, id, parties: Some(parties.clone()) })
    }

    async fn shown_lately(&self, opening: &Opening, anew: bool) -> Result<(Listing, bool), NodeFault> {
        let question = (opening.peer.clone(), opening.address.clone(), opening.dataset.clone());
        let (answer, just) = self.asked.answer(question, chance::now()?, anew);
        let asking = async {
            timeout(WITHIN, self.shown_by_provider(opening))
                .await
                .unwrap_or_else(|_| Listing::Unknown("no answer within two seconds".into()))
        };
        Ok((answer.get_or_init(|| asking).await.clone(), just))
    }

    /// Asks the provider for the dataset of a negotiation, as any connector may.
    pub(super) async fn shown_by_provider(&self, opening: &Opening) -> Listing {
        let url = format!("{}/catalog/datasets/{}", opening.address, super::send::escaped(&opening.dataset));
        let answer = match self.identity.prove_to(&opening.peer) {
            Ok(proof) => self.messenger.fetch(&url, &proof).await,
            Err(fault) => return Listing::Unknown(fault.to_string()),
        };
        match answer {
            Ok(posted) => listing(posted, &opening.dataset),
            Err(fault) => Listing::Unknown(fault.0),
        }
    }
}

fn listing(posted: Posted, id: &str) -> Listing {
    // Who proves nothing to a connector gets 404 as well, and 404 alone may come from what knows no catalog at all: only who
    // says by name that the dataset is not listed has said so.
    let unlisted = |body: &Value| dsp::is_valid("CatalogError", body) && body["code"] == dsp::UNLISTED;
    if posted.status == 404 && posted.body.as_ref().is_some_and(unlisted) {
        return Listing::Unlisted;
    }
    match judge(posted) {
        Verdict::Taken(Some(shown)) if shown.to_string().len() <= LONGEST => match Dataset::read(&shown, id) {
            Some(dataset) => Listing::Listed(Arc::new(dataset)),
            None => Listing::Unknown("the provider's answer is not this dataset".into()),
        },
        Verdict::Taken(_) => Listing::Unknown("the provider's answer is no JSON, or too long".into()),
        Verdict::NotYet(why) | Verdict::Later(why) | Verdict::Refused(why) => Listing::Unknown(why),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_catalog_says_that_it_does_not_have_a_dataset() {
        let of = |status, body: Option<Value>| listing(Posted { status, body, later: None }, "urn:d");
        let turned_away = json!({ "@context": [dsp::CONTEXT], "@type": "CatalogError", "reason": ["no"] });
        let mut error = turned_away.clone();
        error["code"] = json!(dsp::UNLISTED);
        assert!(matches!(of(404, Some(error.clone())), Listing::Unlisted));
        assert!(matches!(of(404, Some(turned_away)), Listing::Unknown(_)));
        let shown = json!({ "@id": "urn:d", "hasPolicy": [{ "@id": "urn:o", "permission": [{ "action": "use" }] }] });
        assert!(matches!(of(200, Some(shown.clone())), Listing::Listed(_)));
        let mut other = shown;
        other["@id"] = json!("urn:e");
        for (status, body) in [(404, None), (404, Some(json!({}))), (500, Some(error)), (200, None), (200, Some(other))]
        {
            assert!(matches!(of(status, body.clone()), Listing::Unknown(_)), "{status} {body:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_seconds_and_silence_for_half_a_minute() {
        let (asked, at) = (Asked::default(), |second: i64| Timestamp::from_seconds(1_800_000_000 + second).unwrap());
        let question = || ("did:x".parse().unwrap(), "http://x".to_owned(), "urn:d".to_owned());
        let (answer, new) = asked.answer(question(), at(0), false);
        assert!(new);
        answer.get_or_init(async || Listing::Unlisted).await;
        assert!(!asked.answer(question(), at(1), false).1);
        assert!(asked.answer(question(), at(1), true).1, "anew");
        let (answer, new) = asked.answer(question(), at(4), false);
        assert!(new);
        answer.get_or_init(async || Listing::Unknown("no answer".into())).await;
        assert!(!asked.answer(question(), at(30), true).1);
        assert!(asked.answer(question(), at(34), false).1);
    }
}
