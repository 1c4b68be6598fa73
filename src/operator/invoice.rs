use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::Audit;
use crate::check::Refusal;
use crate::credential::{Account, ContractId, LegalId, RegistryUrn, rfc3339};
use crate::encoding::{Digest, Timestamp};
use crate::identity::Did;
use crate::policy::{Amount, FeeRule, Money};

/// Who issues invoices: the operator, as its configuration has it on the day of issue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    /// Its DID.
    pub did: Did,
    /// Its name in law.
    pub name: String,
    /// Its address, line by line.
    pub address: Vec<String>,
    /// Its tax number or VAT id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<String>,
    /// How it is paid: bank and account, line by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payment_to: Vec<String>,
    /// What stands at the end of each invoice, about tax for example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Who is invoiced: a provider, as its participant credential names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Its DID.
    pub did: Did,
    /// Its name in law.
    pub legal_name: String,
    /// Its registration.
    pub legal_id: LegalId,
    /// ISO 3166-1 alpha-2 code.
    pub country: String,
    /// Its address, where the operator's configuration has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub address: Vec<String>,
    /// Its tax number or VAT id, where the operator's configuration has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<String>,
}

/// What a document of the books is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It claims fees.
    Invoice,
    /// It takes back fees of one invoice.
    CreditNote,
}

/// An invoice or a credit note. Once issued it never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// Its place in the one series of all invoices and credit notes, from 1, without gaps.
    pub number: u64,
    /// The number as it is written, for example `INV-000007`.
    pub label: String,
    /// What it is.
    pub kind: Kind,
    /// When it was issued.
    #[serde(with = "rfc3339")]
    pub issued: Timestamp,
    /// The time whose day is the last one for paying; of an invoice.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "perhaps")]
    pub due: Option<Timestamp>,
    /// Who issued it.
    pub issuer: Issuer,
    /// Whom it is for.
    pub customer: Customer,
    /// The registry that its entries stand in.
    pub registry: String,
    /// The first second of the period.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// The first second after the period.
    #[serde(with = "rfc3339")]
    pub until: Timestamp,
    /// The invoice that a credit note corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits: Option<Credited>,
    /// One line for each contract.
    pub lines: Vec<Line>,
    /// The sum of the lines per currency.
    pub totals: Vec<Money>,
}

/// What a credit note corrects, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credited {
    /// The invoice's number.
    pub number: u64,
    /// The invoice's number as it is written.
    pub label: String,
    /// Why.
    pub reason: String,
}

/// The fee of one contract, with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The contract.
    pub contract_id: ContractId,
    /// Who recorded it.
    pub recorder: Account,
    /// The block that its entry stands in.
    pub block: u64,
    /// What dates the contract.
    #[serde(with = "rfc3339")]
    pub block_time: Timestamp,
    /// The transaction that recorded it.
    pub transaction: Digest,
    /// `H(core)`, as the registry has it.
    pub core_sha256: Digest,
    /// The template's id.
    pub template: String,
    /// By which kind of rule the fee is due.
    pub rule: FeeRule,
    /// The price that it was taken of, where the rule needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Amount>,
    /// The fee.
    pub fee: Money,
    /// How many disclosures the operator was given.
    pub disclosures: usize,
    /// `b64u(H(statement))`: the statement of the provider that it rests on, which is also the audit's id.
    pub statement: String,
    /// When that statement was audited.
    #[serde(with = "rfc3339")]
    pub audited: Timestamp,
    /// `b64u(H(receipt))` of the receipt that the operator signed for the audit.
    pub receipt: String,
}

/// A place in a registry: what is invoiced at most once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The registry's URN.
    pub registry: String,
    /// Who recorded.
    pub recorder: Account,
    /// The contract.
    pub contract_id: ContractId,
}

/// What an audit has about a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The fees that no invoice has claimed yet, in the order of their entries.
    pub lines: Vec<Line>,
    /// How many fees of the period were left out, because an invoice claimed them before.
    pub invoiced: usize,
    /// How many fees of the period come from audits without the entry: their statements have to be audited again.
    pub unevidenced: usize,
}

impl Invoice {
    /// The place of a line.
    pub fn place(&self, line: &Line) -> Place {
        Place { registry: self.registry.clone(), recorder: line.recorder, contract_id: line.contract_id }
    }

    /// How a number is written.
    pub fn label(prefix: &str, number: u64) -> String {
        format!("{prefix}{number:06}")
    }
}

/// The fees of entries of `registry` with a block time in `from..until`, as `audits` (each with its receipt) found them,
/// each once, however many statements state it, and without those that are `taken`.
pub fn due(
    audits: &[(Audit, String)],
    registry: &RegistryUrn,
    from: Timestamp,
    until: Timestamp,
    taken: &HashMap<Place, u64>,
) -> Due {
    let mut audits: Vec<_> = audits.iter().collect();
    // The first audit of a contract is the one that its line rests on, whatever comes later.
    audits.sort_by(|(one, _), (other, _)| (one.at, &one.id).cmp(&(other.at, &other.id)));
    let (mut due, mut seen, mut order) = (Due::default(), HashSet::new(), vec![]);
    for (audit, receipt) in audits {
        for found in &audit.entries {
            if found.block_time < from || found.block_time >= until {
                continue;
            }
            let Some(entry) = &found.entry else {
                due.unevidenced += 1;
                continue;
            };
            let urn = RegistryUrn { chain_id: entry.chain_id, address: entry.registry };
            let place = Place { registry: urn.to_string(), recorder: entry.recorder, contract_id: found.contract_id };
            if urn != *registry || !seen.insert(place.clone()) {
                continue;
            }
            if taken.contains_key(&place) {
                due.invoiced += 1;
                continue;
            }
            let line = Line {
                contract_id: found.contract_id,
                recorder: entry.recorder,
                block: entry.block,
                block_time: entry.block_time,
                transaction: entry.transaction,
                core_sha256: entry.hash,
                template: found.template.clone(),
                rule: found.rule,
                base: found.base,
                fee: found.fee,
                disclosures: found.disclosures.len(),
                statement: audit.id.clone(),
                audited: audit.at,
                receipt: Digest::of(receipt).b64u(),
            };
            order.push((entry.block, entry.log_index, line));
        }
    }
    order.sort_by_key(|(block, log_index, _)| (*block, *log_index));
    due.lines = order.into_iter().map(|(_, _, line)| line).collect();
    due
}

/// The sum of the lines per currency, each at least at its currency's scale, in the order in which currencies appear.
///
/// # Errors
/// `amount.range` beyond 15 digits.
pub fn totals(lines: &[Line]) -> Result<Vec<Money>, Refusal> {
    let mut totals: Vec<Money> = vec![];
    for line in lines {
        add(&mut totals, line.fee)?;
    }
    Ok(totals)
}

/// Adds to the sum in its currency.
pub(super) fn add(totals: &mut Vec<Money>, money: Money) -> Result<(), Refusal> {
    let currency = money.currency;
    match totals.iter_mut().find(|total| total.currency == currency) {
        Some(total) => *total = total.plus(money)?,
        None => totals.push(Money { amount: Amount::zero(currency), currency }.plus(money)?),
    }
    Ok(())
}

/// A time that may be absent.
mod perhaps {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::encoding::Timestamp;

    pub fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => serializer.collect_str(at),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let read = |text: String| Timestamp::parse_rfc3339(&text);
        text.map(read).transpose().map_err(|refusal| serde::de::Error::custom(refusal.detail))
    }
}
