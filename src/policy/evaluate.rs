use std::collections::BTreeMap;

use super::{Permission, Policy};
use crate::check::Refusal;
use crate::encoding::Timestamp;

/// What is known about a use when terms are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The moment of the use.
    pub now: Timestamp,
    /// How many uses there were before this one.
    pub uses: u64,
    /// When the first use was; none if this is it.
    pub first_use: Option<Timestamp>,
    /// The purpose that the user declares.
    pub purpose: Option<String>,
    /// Where the asset is used: an ISO 3166 code or an IRI.
    pub spatial: Option<String>,
    /// What is known about namespaced operands, by their spelling in the terms.
    pub named: BTreeMap<String, Vec<String>>,
}

impl Facts {
    /// A first use at `now`, nothing else known.
    pub fn at(now: Timestamp) -> Self {
        Self { now, uses: 0, first_use: None, purpose: None, spatial: None, named: BTreeMap::new() }
    }
}

impl Policy {
    /// Judges a use: a permission whose constraints all hold, and no prohibition that applies.
    ///
    /// # Errors
    /// `policy.prohibited`, `policy.not-permitted`, `policy.constraint`, `policy.undecidable`.
    pub fn permits(&self, _action: &str, _facts: &Facts) -> Result<&Permission, Refusal> {
        todo!()
    }
}
