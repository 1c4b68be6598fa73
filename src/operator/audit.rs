use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::statement::own_trust;
use super::{Stated, Statement, checks};
use crate::check::{Refusal, Trail};
use crate::credential::sd_jwt::Cut;
use crate::credential::{
    Account, ApprovedTemplate, ContractId, Core, Entry, Head, Participant, Presented, RegistryUrn, Sighting, Trust,
    concluded, disclosed, rfc3339,
};
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, Documents, Jws, Unverified, Verified};
use crate::policy::{Amount, Fee, FeeRule, Money};

/// What an operator holds a statement against; all of it its own knowledge, none of it the provider's.
pub struct Books<'a> {
    /// The operator that audits: only what it signed itself counts.
    pub operator: &'a Did,
    /// DID documents at hand.
    pub documents: &'a Documents,
    /// The participant credentials that the operator gave this provider over time.
    pub admitted: &'a [Unverified<Participant>],
    /// The registry that was read.
    pub registry: RegistryUrn,
    /// The finalised head that it was read at.
    pub head: Head,
    /// Every finalised entry in the period of every recorder that the provider ever had.
    pub entries: &'a [(ContractId, Entry)],
    /// What stands at finality in each place of [`Statement::lookups`].
    pub sightings: &'a [Sighting],
    /// When the audit is made.
    pub now: Timestamp,
}

/// A statement held against the registry: what is due, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    /// `b64u(H(statement))`.
    pub id: String,
    /// Who stated.
    pub provider: Did,
    /// The first second of the period.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// The first second after the period.
    #[serde(with = "rfc3339")]
    pub until: Timestamp,
    /// When it was audited.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// The fees that are due, in the order of the statement.
    pub entries: Vec<AuditEntry>,
    /// The sum of the entries per currency.
    pub totals: Vec<Money>,
    /// What does not hold; empty when all is well.
    pub problems: Vec<Problem>,
}

/// An audit in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// `b64u(H(statement))`.
    pub id: String,
    /// Who stated.
    pub provider: Did,
    /// The first second of the period.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// The first second after the period.
    #[serde(with = "rfc3339")]
    pub until: Timestamp,
    /// When it was audited.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// How many fees are due.
    pub entries: usize,
    /// Their sum per currency.
    pub totals: Vec<Money>,
    /// How many problems there are.
    pub problems: usize,
}

impl Audit {
    /// The audit in one line.
    pub fn summary(&self) -> Summary {
        Summary {
            id: self.id.clone(),
            provider: self.provider.clone(),
            from: self.from,
            until: self.until,
            at: self.at,
            entries: self.entries.len(),
            totals: self.totals.clone(),
            problems: self.problems.len(),
        }
    }
}

/// One fee that is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// The contract.
    pub contract_id: ContractId,
    /// The fee.
    pub fee: Money,
    /// By which kind of rule.
    pub rule: FeeRule,
    /// The price that it was taken of, where the rule needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Amount>,
    /// What dates the contract.
    #[serde(with = "rfc3339")]
    pub block_time: Timestamp,
    /// The template's id.
    pub template: String,
    /// Exactly the Disclosures that the operator was given.
    pub disclosures: Vec<String>,
    /// The entry that dates it, as the operator read it; audits of older versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Entry>,
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The contract that it is about, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_id: Option<ContractId>,
    /// The check that failed.
    pub check: String,
    /// What was found and what was expected.
    pub detail: String,
}

/// Holds a statement against the operator's books.
///
/// A fee is in the audit's entries, and so in its totals, when everything about it holds; a contract of which more than
/// the fee was disclosed is there with a problem beside it.
pub fn audit(statement: &Verified<Statement>, books: &Books<'_>) -> Audit {
    let claims = &statement.claims;
    let mut ledger = Ledger {
        audit: Audit {
            id: statement.sha256.b64u(),
            provider: claims.iss.clone(),
            from: claims.from,
            until: claims.until,
            at: books.now,
            entries: vec![],
            totals: vec![],
            problems: vec![],
        },
    };
    let period = checks::FINAL.hold(claims.until <= books.head.time, || {
        format!("the period ends at {}, blocks are final up to {}", claims.until, books.head.time)
    });
    ledger.note(None, period);
    let mut desk = Desk::new(statement, books);
    for stated in &statement.stated {
        let id = stated.core.as_ref().ok().map(|core| core.claims.contract_id);
        let entered = desk.entry(stated).map(|(entry, presented)| {
            let alone = only_the_fee(&presented, &entry);
            ledger.enter(entry);
            ledger.note(id, alone);
        });
        ledger.note(id, entered);
    }
    for (id, entry) in books.entries {
        let stated = desk.stated.contains(&(entry.recorder, *id));
        let covered = checks::MISSING.hold(stated, || {
            format!("{} recorded it in block {} at {}", entry.recorder, entry.block, entry.block_time)
        });
        ledger.note(Some(*id), covered);
    }
    ledger.audit
}

struct Ledger {
    audit: Audit,
}

impl Ledger {
    fn note(&mut self, contract_id: Option<ContractId>, held: Result<(), Refusal>) {
        if let Err(refusal) = held {
            let (check, detail) = (refusal.check.id().to_owned(), refusal.detail);
            self.audit.problems.push(Problem { contract_id, check, detail });
        }
    }

    fn enter(&mut self, entry: AuditEntry) {
        let totals = &mut self.audit.totals;
        let summed = match totals.iter_mut().find(|total| total.currency == entry.fee.currency) {
            Some(total) => total.plus(entry.fee).map(|sum| *total = sum),
            None => {
                totals.push(entry.fee);
                Ok(())
            }
        };
        self.note(Some(entry.contract_id), summed);
        self.audit.entries.push(entry);
    }
}

/// The statement and the books, laid out for looking up.
struct Desk<'a> {
    statement: &'a Statement,
    books: &'a Books<'a>,
    trust: Trust,
    sightings: HashMap<(Account, ContractId), &'a Sighting>,
    approvals: BTreeMap<String, &'a str>,
    stated: HashSet<(Account, ContractId)>,
}

impl<'a> Desk<'a> {
    fn new(statement: &'a Statement, books: &'a Books<'a>) -> Self {
        let approvals = statement.claims.templates.iter();
        let approvals = approvals.filter_map(|text| {
            // What cannot be read approves nothing: a contract that needs it is a problem of its own.
            let payload = Jws::parse(text).ok()?;
            Some((Digest::of(payload.payload()).b64u(), text.as_str()))
        });
        let sightings = books.sightings.iter().map(|seen| ((seen.recorder, seen.contract_id), seen));
        Self {
            statement,
            books,
            trust: own_trust(books.operator),
            sightings: sightings.collect(),
            approvals: approvals.collect(),
            stated: HashSet::new(),
        }
    }

    fn entry(&mut self, stated: &Stated) -> Result<(AuditEntry, Presented), Refusal> {
        let core = stated.core.as_ref().map_err(Clone::clone)?;
        let entry = self.recorded(core)?;
        let template = self.template(core, entry.block_time)?;
        let presented = disclosed(&core.issuer_jwt, &core.claims, &stated.fee, &mut Trail::default())?;
        let fee = presented.fee.clone().ok_or_else(|| checks::FEE.refuse("the statement discloses no fee"))?;
        template.template.hold_fee(&fee, &base(&fee))?;
        let entry = AuditEntry {
            contract_id: core.claims.contract_id,
            fee: fee.money(),
            rule: fee.rule,
            base: fee.base,
            block_time: entry.block_time,
            template: core.claims.template_id.clone(),
            disclosures: Cut::new(&stated.fee)?.disclosures.into_iter().map(str::to_owned).collect(),
            entry: Some(entry),
        };
        Ok((entry, presented))
    }

    /// The finalised entry by rule R, of a recorder of this provider, in the period.
    fn recorded(&mut self, core: &Core) -> Result<Entry, Refusal> {
        let (claims, period) = (&core.claims, &self.statement.claims);
        checks::PROVIDER
            .hold(claims.iss == period.iss, || format!("the provider is {}, {} states it", claims.iss, period.iss))?;
        checks::REGISTRY.hold(claims.registry == self.books.registry, || {
            format!("it names {}, the operator reads {}", claims.registry, self.books.registry)
        })?;
        let place = (claims.recorder, claims.contract_id);
        checks::DUPLICATE.hold(self.stated.insert(place), || "it was stated before".into())?;
        let sighting = self.sightings.get(&place).filter(|sighting| sighting.entry.is_some());
        let sighting =
            sighting.ok_or_else(|| checks::ENTRY.refuse(format!("{} recorded no such contract", claims.recorder)))?;
        let entry = concluded(core, sighting, &mut Trail::default())?;
        checks::TIME.hold(period.from <= entry.block_time && entry.block_time < period.until, || {
            format!("recorded at {}, the period is from {} until {}", entry.block_time, period.from, period.until)
        })?;
        checks::RECORDER.hold(self.records(claims.recorder, entry.block_time), || {
            format!("{} does not record for {} at {}", claims.recorder, claims.iss, entry.block_time)
        })?;
        Ok(entry)
    }

    /// Whether a credential of the operator says so that is valid at `at`.
    fn records(&self, recorder: Account, at: Timestamp) -> bool {
        let own = Unverified::new(&self.statement.claims.participant);
        std::iter::once(&own).chain(self.books.admitted).any(|text| {
            let member = Participant::verify(text, &self.trust, self.books.documents, at, &mut Trail::default());
            member.is_ok_and(|member| {
                member.did == self.statement.claims.iss && member.records_with(self.books.registry.chain_id, &recorder)
            })
        })
    }

    fn template(&self, core: &Core, at: Timestamp) -> Result<Verified<ApprovedTemplate>, Refusal> {
        let (id, hash) = (&core.claims.template_id, &core.claims.template_hash);
        let approval = self.approvals.get(hash);
        let approval = approval.ok_or_else(|| checks::TEMPLATE.refuse(format!("no approval of `{id}` by {hash}")))?;
        let (approval, documents) = (Unverified::new(*approval), self.books.documents);
        let approved = ApprovedTemplate::verify(&approval, &self.trust, documents, at, &mut Trail::default())?;
        checks::TEMPLATE.hold(approved.template.id == *id, || {
            format!("the offer names `{id}`, the approval is of `{}`", approved.template.id)
        })?;
        Ok(approved)
    }
}

/// The price as far as the fee discloses it; a fixed fee does not depend on it.
fn base(fee: &Fee) -> Money {
    Money { amount: fee.base.unwrap_or_else(|| Amount::zero(fee.currency)), currency: fee.currency }
}

fn only_the_fee(presented: &Presented, entry: &AuditEntry) -> Result<(), Refusal> {
    let alone = Presented { fee: presented.fee.clone(), ..Presented::default() };
    checks::OVERSHARED.hold(*presented == alone && entry.disclosures.len() == 1, || {
        format!("{} disclosures where the fee is enough", entry.disclosures.len())
    })
}
