//! Collecting: who has stated a period, and who has not although the registry shows entries of its recorders.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::Bookkeeper;
use crate::credential::{Account, ContractId, Entry, rfc3339};
use crate::encoding::{Digest, Timestamp};
use crate::identity::Did;
use crate::node::{Depth, NodeFault};
use crate::operator::{Audit, Summary, checks};

/// What came in for a period.
#[derive(Clone, Debug, Serialize)]
pub struct Collection {
    /// The first second of the period.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// The first second after the period.
    #[serde(with = "rfc3339")]
    pub until: Timestamp,
    /// Each member that could have something to state.
    pub providers: Vec<Collected>,
}

/// What came in of one provider.
#[derive(Clone, Debug, Serialize)]
pub struct Collected {
    /// The provider.
    pub provider: Did,
    /// Its name in law.
    pub legal_name: String,
    /// `complete`, `missing` (entries that no statement explains), `disputed` (stated, but not due as stated) or
    /// `nothing` (no entries in the period).
    pub state: &'static str,
    /// The audited statements that touch the period.
    pub statements: Vec<Summary>,
    /// The parts of the period that no statement covers.
    pub gaps: Vec<Gap>,
    /// How many entries its recorders have in the period.
    pub entries: usize,
    /// How many of these an audit found due.
    pub stated: usize,
    /// Those that are not.
    pub missing: Vec<Unstated>,
}

/// A part of the period that no statement covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Its first second.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// The first second after it.
    #[serde(with = "rfc3339")]
    pub until: Timestamp,
}

/// An entry in the registry that no audit found due.
#[derive(Clone, Debug, Serialize)]
pub struct Unstated {
    /// The contract.
    pub contract_id: ContractId,
    /// Who recorded it.
    pub recorder: Account,
    /// The block that its entry stands in.
    pub block: u64,
    /// The block's time.
    #[serde(with = "rfc3339")]
    pub block_time: Timestamp,
    /// The transaction that recorded it.
    pub transaction: Digest,
    /// What an audit found wrong with it, if it was stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Bookkeeper {
    /// What came in for `from..until`, held against the registry.
    ///
    /// # Errors
    /// `Unready` for a period that is empty or not final yet; `Registry` when the chain cannot be read.
    pub async fn collect(&self, from: Timestamp, until: Timestamp) -> Result<Collection, NodeFault> {
        if from >= until {
            return Err(NodeFault::Unready(format!("the period from {from} until {until} is empty")));
        }
        let registry = self.auditor.registry();
        Self::over(until, registry.head(Depth::Finalised).await?.time)?;
        let mut members: BTreeMap<Did, (Timestamp, String, BTreeSet<Account>)> = BTreeMap::new();
        for member in self.auditor.members().await? {
            let accounts: Vec<Account> = self.auditor.accounts(&member.recorders);
            let known = members.entry(member.did).or_insert((member.nbf, member.legal_name.clone(), BTreeSet::new()));
            known.2.extend(accounts);
            if member.nbf > known.0 {
                (known.0, known.1) = (member.nbf, member.legal_name);
            }
        }
        let mut providers = vec![];
        for (provider, (_, legal_name, recorders)) in members {
            let audits: Vec<Audit> =
                self.auditor.audits_of(&provider).await?.into_iter().map(|(audit, _)| audit).collect();
            if recorders.is_empty() && audits.is_empty() {
                continue;
            }
            let mut entries = vec![];
            for recorder in recorders {
                entries.extend(registry.entries(recorder, from, until).await?);
            }
            providers.push(held(provider, legal_name, &audits, &entries, from, until));
        }
        Ok(Collection { from, until, providers })
    }
}

fn held(
    provider: Did,
    legal_name: String,
    audits: &[Audit],
    entries: &[(ContractId, Entry)],
    from: Timestamp,
    until: Timestamp,
) -> Collected {
    let touching: Vec<&Audit> = audits.iter().filter(|audit| audit.from < until && from < audit.until).collect();
    let found = audits.iter().flat_map(|audit| &audit.entries);
    let due: HashSet<(Account, ContractId)> =
        found.filter_map(|found| Some((found.entry.as_ref()?.recorder, found.contract_id))).collect();
    let problems: HashMap<ContractId, &str> = audits
        .iter()
        .flat_map(|audit| &audit.problems)
        .filter(|problem| ![checks::MISSING.id(), checks::OVERSHARED.id()].contains(&problem.check.as_str()))
        .filter_map(|problem| Some((problem.contract_id?, problem.check.as_str())))
        .collect();
    let missing: Vec<Unstated> = entries
        .iter()
        .filter(|(id, entry)| !due.contains(&(entry.recorder, *id)))
        .map(|(id, entry)| Unstated {
            contract_id: *id,
            recorder: entry.recorder,
            block: entry.block,
            block_time: entry.block_time,
            transaction: entry.transaction,
            problem: problems.get(id).map(|check| (*check).to_owned()),
        })
        .collect();
    let state = if missing.iter().any(|entry| entry.problem.is_none()) {
        "missing"
    } else if !missing.is_empty() {
        "disputed"
    } else if entries.is_empty() {
        "nothing"
    } else {
        "complete"
    };
    Collected {
        provider,
        legal_name,
        state,
        statements: touching.iter().map(|audit| audit.summary()).collect(),
        gaps: gaps(&touching, from, until),
        entries: entries.len(),
        stated: entries.len() - missing.len(),
        missing,
    }
}

/// What the statements leave uncovered of `from..until`.
fn gaps(audits: &[&Audit], from: Timestamp, until: Timestamp) -> Vec<Gap> {
    let mut periods: Vec<_> = audits.iter().map(|audit| (audit.from, audit.until)).collect();
    periods.sort();
    let (mut gaps, mut reached) = (vec![], from);
    for (begins, ends) in periods {
        if begins > reached {
            gaps.push(Gap { from: reached, until: begins.min(until) });
        }
        reached = reached.max(ends);
    }
    if reached < until {
        gaps.push(Gap { from: reached, until });
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000 + second).unwrap()
    }

    fn audit(from: i64, until: i64) -> Audit {
        let provider = "did:web:alice.example".parse().unwrap();
        let (from, until) = (at(from), at(until));
        Audit { id: String::new(), provider, from, until, at: until, entries: vec![], totals: vec![], problems: vec![] }
    }

    #[test]
    fn what_no_statement_covers_is_a_gap() {
        let found = |periods: &[(i64, i64)]| {
            let audits: Vec<_> = periods.iter().map(|(from, until)| audit(*from, *until)).collect();
            let gaps = gaps(&audits.iter().collect::<Vec<_>>(), at(100), at(200));
            let seconds = |time: Timestamp| time.seconds() - 1_800_000_000;
            gaps.iter().map(|gap| (seconds(gap.from), seconds(gap.until))).collect::<Vec<_>>()
        };
        assert_eq!(found(&[]), [(100, 200)]);
        assert_eq!(found(&[(0, 300)]), []);
        assert_eq!(found(&[(150, 200), (100, 150)]), []);
        assert_eq!(found(&[(90, 120), (110, 130), (140, 160)]), [(130, 140), (160, 200)]);
    }
}
