use serde::{Deserialize, Serialize};

use super::MediatedBy;
use super::Uncataloged;
use crate::check::Refusal;
use crate::credential::{Trust, checks};
use crate::identity::Did;
use crate::policy::Money;

/// How a wallet's node behaves; read from its configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whom it believes, and which registries.
    pub trust: Trust,
    /// Where its inbox is reached; what its contact says.
    pub inbox_url: String,
    /// The mediator that keeps its messages, where the world cannot reach its inbox.
    #[serde(default)]
    pub mediator: Option<MediatedBy>,
    /// The times that an offer gives, unless it says otherwise.
    #[serde(default)]
    pub windows: Windows,
    /// What is decided without a person.
    #[serde(default)]
    pub consent: Consent,
    /// What becomes of terms that are not in the catalog.
    #[serde(default)]
    pub uncataloged: Uncataloged,
    /// How often the chain is read, in milliseconds.
    #[serde(default = "Settings::poll")]
    pub poll_ms: u64,
}

impl Settings {
    const fn poll() -> u64 {
        2000
    }
}

/// The times of an offer, in seconds from its making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Windows {
    /// Until it can be accepted.
    pub accept_within: i64,
    /// Until it must be recorded.
    pub record_within: i64,
    /// Until the contract ends.
    pub valid_for: i64,
}

impl Default for Windows {
    fn default() -> Self {
        Self { accept_within: 2 * 24 * 3600, record_within: 3 * 24 * 3600, valid_for: 365 * 24 * 3600 }
    }
}

impl Windows {
    /// Holds the times of an offer to their order: it can be accepted until it has to be recorded, and is recorded before
    /// it ends.
    ///
    /// # Errors
    /// `offer.windows`.
    pub fn sound(&self) -> Result<(), Refusal> {
        let ordered =
            0 < self.accept_within && self.accept_within <= self.record_within && self.record_within < self.valid_for;
        checks::OFFER_WINDOWS.hold(ordered, || {
            format!(
                "to be accepted within {}, to be recorded within {}, valid for {}: the first is at most the second, and the \
                 second less than the third",
                spoken(self.accept_within),
                spoken(self.record_within),
                spoken(self.valid_for)
            )
        })
    }
}

/// So many seconds in the largest unit that leaves none over.
fn spoken(seconds: i64) -> String {
    let units = [(86_400, "days"), (3600, "hours"), (60, "minutes")];
    let whole = units.into_iter().find(|(unit, _)| seconds % unit == 0 && seconds > *unit);
    whole.map_or_else(|| format!("{seconds} seconds"), |(unit, name)| format!("{} {name}", seconds / unit))
}

/// What is decided without a person. By default a person decides every offer and every acceptance, and a
/// countersigned offer is recorded at once, because the provider has signed it already.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Consent {
    /// Whether a person confirms the record as well.
    pub record: RecordConsent,
    /// What is decided by rule.
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
}

/// Who decides that a countersigned offer is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordConsent {
    /// The offer's signature was the decision.
    #[default]
    Automatic,
    /// A person, or a rule for the point `record`.
    Ask,
}

/// A decision that needs consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Point {
    /// REQUESTED → OFFERED, the provider's.
    Offer,
    /// OFFERED → ACCEPTED, the consumer's.
    Accept,
    /// ACCEPTED → AGREED, the provider's.
    Record,
}

/// A rule decides where everything it names applies; a rule that names nothing but its point decides nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name, as the history shows it.
    pub name: String,
    /// What it decides.
    pub point: Point,
    /// Counterparties that it decides for; any when absent.
    #[serde(default)]
    pub counterparties: Option<Vec<Did>>,
    /// Templates that it decides for; any when absent.
    #[serde(default)]
    pub templates: Option<Vec<String>>,
    /// The highest price that it decides; any when absent.
    #[serde(default)]
    pub price_ceiling: Option<Money>,
    /// The lowest price that it decides; any when absent.
    #[serde(default)]
    pub price_floor: Option<Money>,
    /// Whether it decides terms that are not in the catalog; otherwise only those that are.
    #[serde(default)]
    pub uncataloged: bool,
}

/// What a rule is held against.
pub struct Matter<'a> {
    /// The decision.
    pub point: Point,
    /// The counterparty.
    pub counterparty: &'a Did,
    /// The template.
    pub template: &'a str,
    /// The price.
    pub price: &'a Money,
    /// Whether the terms are other than the catalog's.
    pub uncataloged: bool,
}

impl Consent {
    /// The rule that decides a matter, if one does.
    pub fn rule_for(&self, matter: &Matter<'_>) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.decides(matter))
    }
}

impl Rule {
    fn decides(&self, matter: &Matter<'_>) -> bool {
        let limits = [&self.price_ceiling, &self.price_floor];
        let names_something =
            self.counterparties.is_some() || self.templates.is_some() || limits.iter().any(|limit| limit.is_some());
        names_something
            && self.point == matter.point
            && (self.uncataloged || !matter.uncataloged)
            && self.counterparties.as_ref().is_none_or(|dids| dids.contains(matter.counterparty))
            && self.templates.as_ref().is_none_or(|ids| ids.iter().any(|id| id == matter.template))
            && self.price_ceiling.as_ref().is_none_or(|ceiling| {
                ceiling.currency == matter.price.currency && matter.price.amount <= ceiling.amount
            })
            && self
                .price_floor
                .as_ref()
                .is_none_or(|floor| floor.currency == matter.price.currency && matter.price.amount >= floor.amount)
    }
}
