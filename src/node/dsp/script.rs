use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::dsp::{Dataset, Distribution, OfferTerms};
use crate::negotiation::StateName;
use crate::negotiation::plain::Negotiation;
use crate::node::transfers::{Plan, PlannedStep};

/// Scripted decisions: what a node does about a dataset in a state, and doors by which others have it start.
///
/// A file names them; an installation that follows one partner's fixed procedure has it here, and so has a test.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Script {
    /// Doors on the management address.
    pub doors: Vec<Door>,
    /// Steps and offers by dataset id.
    pub datasets: BTreeMap<String, Scripted>,
    /// The terms of an offer where a step names none.
    pub terms: Map<String, Value>,
}

/// A door by which a negotiation is started in a caller's own words: where in its JSON to look for what.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Door {
    /// Its path on the management address.
    pub path: String,
    /// JSON pointer to the counterparty's id.
    pub counterparty: String,
    /// JSON pointer to the counterparty's address.
    pub address: String,
    /// JSON pointer to the dataset's id.
    pub dataset: String,
    /// JSON pointer to the offer's id.
    pub offer: String,
}

/// What is done about a dataset.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scripted {
    /// What it is offered on in the catalog; it is not listed when empty.
    pub offers: Vec<OfferTerms>,
    /// How it can be had.
    pub distributions: Vec<Distribution>,
    /// What is done in which state.
    pub steps: Vec<Step>,
    /// The same for its transfers.
    pub transfers: Vec<PlannedStep>,
}

/// One step: what is done once a state is entered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// In which state.
    pub on: StateName,
    /// Only when it is entered for that time, from 1; every time when absent.
    #[serde(default)]
    pub nth: Option<usize>,
    /// What.
    #[serde(rename = "do")]
    pub act: Act,
    /// How many milliseconds later.
    #[serde(default)]
    pub after_ms: u64,
    /// The terms of an offer or a counter-offer.
    #[serde(default)]
    pub terms: Option<Map<String, Value>>,
}

/// What this side can do in a negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// The provider offers.
    Offer,
    /// The consumer asks anew.
    Counter,
    /// The consumer accepts.
    Accept,
    /// The provider agrees.
    Agree,
    /// The consumer verifies.
    Verify,
    /// The provider finalises.
    Finalize,
    /// Either side ends it.
    Terminate,
    /// Nothing: what the configuration would decide is not decided.
    Hold,
}

impl Script {
    /// The step for where a negotiation stands now.
    pub fn step(&self, negotiation: &Negotiation) -> Option<&Step> {
        let steps = &self.datasets.get(&negotiation.opening().dataset)?.steps;
        let state = negotiation.state().name();
        let entered = negotiation.history().iter().filter(|entered| entered.state == state).count();
        steps.iter().find(|step| step.on == state && step.nth.is_none_or(|nth| nth == entered))
    }

    /// What is decided about transfers.
    pub fn plan(&self) -> Plan {
        let planned = self.datasets.iter().filter(|(_, scripted)| !scripted.transfers.is_empty());
        Plan(planned.map(|(id, scripted)| (id.clone(), scripted.transfers.clone())).collect())
    }

    /// The datasets that it lists.
    pub fn listed(&self) -> impl Iterator<Item = Dataset> {
        let listed = self.datasets.iter().filter(|(_, scripted)| !scripted.offers.is_empty());
        listed.map(|(id, scripted)| Dataset {
            id: id.clone(),
            title: String::new(),
            offers: scripted.offers.clone(),
            distributions: if scripted.distributions.is_empty() {
                vec![Distribution { format: "HttpData-PULL".into() }]
            } else {
                scripted.distributions.clone()
            },
            extra: Map::new(),
        })
    }
}
