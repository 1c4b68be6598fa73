//! What a provider owes its operator: the statement of a period, and the operator's receipt for it.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Depth, Node, NodeFault, StoreFault, chance, kind};
use crate::check::Trail;
use crate::credential::{Account, ContractId, NINE, rfc3339};
use crate::encoding::{Digest, Timestamp, parse_json};
use crate::negotiation::{Countersigned, Role};
use crate::operator::{Receipt, StatedContract, Statement, StatementClaims, Summary, checks};

/// The longest answer of an operator that is read, in bytes.
const MAX_ANSWER: usize = 256 * 1024;

/// A statement as its provider keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StatementView {
    /// `b64u(H(statement))`.
    pub id: String,
    /// The first second of the period.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// The first second after the period.
    #[serde(with = "rfc3339")]
    pub until: Timestamp,
    /// How many contracts it states.
    pub contracts: usize,
    /// Entries under this provider's recorders that no contract here explains: the operator will ask about them.
    pub unexplained: Vec<ContractId>,
    /// The statement: a JWS.
    pub statement: String,
    /// The operator's receipt, once there is one.
    pub receipt: Option<String>,
    /// What the operator says of its audit, in one line.
    pub audit: Option<Summary>,
}

#[derive(Deserialize)]
struct Answer {
    audit: Summary,
    receipt: String,
}

impl Node {
    /// States the fees of the contracts whose entries have a block time in `from..until`, ended ones too.
    ///
    /// Left out, `from` is where the last statement ended, and `until` the time of the finalised head.
    ///
    /// # Errors
    /// `Unready` for a period that is empty or not final yet, and without a participant credential.
    pub async fn state_fees(
        &self,
        from: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> Result<StatementView, NodeFault> {
        let (now, head) = (chance::now()?, self.registry.head(Depth::Finalised).await?);
        let last = self.statements().await?.iter().map(|kept| kept.until).max();
        let from = from.or(last).unwrap_or(Timestamp::from_seconds(946_684_800)?);
        let until = until.unwrap_or(head.time.min(now));
        if from >= until || until > head.time {
            return Err(NodeFault::Unready(format!(
                "there is nothing to state from {from} until {until}: blocks are final up to {}",
                head.time
            )));
        }
        let member = self.own_membership(now).await?;
        let (participant, recorders) = (member.text.clone(), member.recorders.clone());
        let mut contracts = self.countersigned_as_provider().await?;
        let chain = format!("eip155:{}:", self.registry.urn().chain_id);
        let named = recorders.iter().filter_map(|account| account.strip_prefix(&chain)?.parse().ok());
        let recorders: BTreeSet<Account> = named.chain(contracts.keys().map(|(recorder, _)| *recorder)).collect();

        let (mut stated, mut templates, mut unexplained) = (vec![], BTreeSet::new(), vec![]);
        for recorder in recorders {
            for (id, _) in self.registry.entries(recorder, from, until).await? {
                let Some(contract) = contracts.remove(&(recorder, id)) else {
                    tracing::warn!(%id, %recorder, "an entry that no contract here explains");
                    unexplained.push(id);
                    continue;
                };
                stated.push(state(&contract)?);
                templates.insert(contract.offer.approval);
            }
        }
        let (iss, templates) = (self.did().clone(), templates.into_iter().collect());
        let claims = StatementClaims { iss, from, until, iat: now, contracts: stated, participant, templates };
        let statement = Statement::sign(&claims, &*self.signer)?;
        let view = StatementView {
            id: Digest::of(&statement).b64u(),
            from,
            until,
            contracts: claims.contracts.len(),
            unexplained,
            statement,
            receipt: None,
            audit: None,
        };
        self.store.put(kind::STATEMENT, &view.id, &json!(view)).await?;
        Ok(view)
    }

    /// Sends a statement to the operator at `url`, its base URL, and keeps the receipt.
    ///
    /// # Errors
    /// `Unknown` for another statement, `NotDelivered` when the operator did not take it, `operator.receipt` and
    /// `jws.*` when its receipt is none of a pinned operator about this statement.
    pub async fn send_statement(&self, id: &str, url: &str) -> Result<StatementView, NodeFault> {
        let kept = self.store.one(kind::STATEMENT, id).await?.ok_or_else(|| NodeFault::unknown("statement", id))?;
        let mut view: StatementView = read(id, kept)?;
        let url = format!("{}/statements", url.trim_end_matches('/'));
        let answer = self.courier.post_statement(&url, &view.statement).await?;
        let answer = parse_json(answer.as_bytes(), MAX_ANSWER)?;
        let answer = Answer::deserialize(answer).map_err(|cause| checks::RECEIPT.refuse(cause.to_string()))?;
        self.acquaint_trusted().await;
        let (operators, documents) = (&self.settings.trust.operators, self.documents());
        let trail = &mut Trail::default();
        let receipt = Receipt::verify(&answer.receipt, operators, self.did(), &view.statement, &documents, trail)?;
        // The receipt is what the operator signed; the line beside it may not say otherwise.
        let counted =
            (answer.audit.entries as u64, answer.audit.problems as u64) == (receipt.entries, receipt.problems);
        checks::RECEIPT.hold(counted && answer.audit.totals == receipt.totals, || {
            format!("{} entries and {} problems are signed, the answer differs", receipt.entries, receipt.problems)
        })?;
        view.receipt = Some(answer.receipt);
        view.audit = Some(answer.audit);
        self.store.put(kind::STATEMENT, id, &json!(view)).await?;
        Ok(view)
    }

    /// The statements that this provider made, by period.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn statements(&self) -> Result<Vec<StatementView>, NodeFault> {
        let kept = self.store.all(kind::STATEMENT).await?;
        let mut views = kept.into_iter().map(|(id, value)| read(&id, value)).collect::<Result<Vec<_>, _>>()?;
        views.sort_by_key(|view| (view.from, view.until));
        Ok(views)
    }

    /// What this party countersigned as provider, by its place in the registry.
    async fn countersigned_as_provider(&self) -> Result<HashMap<(Account, ContractId), Countersigned>, NodeFault> {
        let mut found = HashMap::new();
        for id in self.store.negotiations(&[]).await? {
            let negotiation = self.negotiation(&id).await?;
            if negotiation.opening().role == Role::Provider
                && let Some(countersigned) = negotiation.countersigned()
            {
                let place = (countersigned.offer.recorder, countersigned.core.contract_id);
                found.insert(place, countersigned.clone());
            }
        }
        Ok(found)
    }
}

/// The core and the fee, and nothing else.
fn state(contract: &Countersigned) -> Result<StatedContract, StoreFault> {
    let core = contract.core.text.clone();
    let fee = NINE.iter().zip(&contract.offer.disclosures).find(|(name, _)| **name == "fee");
    match (core.split_once('~'), fee) {
        (Some((issuer_jwt, _)), Some((_, fee))) => Ok(StatedContract { fee: format!("{issuer_jwt}~{fee}~"), core }),
        _ => Err(StoreFault::Damaged(format!("contract {}", contract.core.contract_id))),
    }
}

fn read(id: &str, kept: serde_json::Value) -> Result<StatementView, StoreFault> {
    serde_json::from_value(kept).map_err(|cause| StoreFault::Damaged(format!("statement {id}: {cause}")))
}
