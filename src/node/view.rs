//! What a desk sees of a negotiation.

use serde::Serialize;
use serde_json::Value;

use super::rounds::{promises, rounds};
use super::settings::Point;
use super::{Due, Node, NodeFault, PartyView, ProposalView, RoundView, Undelivered};
use crate::credential::{Account, Asset, ContractId, Entry, rfc3339};
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, Jws};
use crate::negotiation::{Decided, Ending, Moved, Negotiation, OfferPaper, Role, State, StateName};
use crate::policy::{Fee, Money, Policy, Template};

/// A negotiation, for people and scripts.
#[derive(Clone, Debug, Serialize)]
pub struct NegotiationView {
    /// This node's id of it.
    pub id: String,
    /// This node's side.
    pub role: Role,
    /// The counterparty.
    pub counterparty: Did,
    /// The counterparty's name among the contacts; a name stands beside the DID and never for it.
    pub counterparty_name: Option<String>,
    /// Provider and consumer, with what is proven about them and what they only claim.
    pub parties: Vec<PartyView>,
    /// The consumer's pid, once known.
    pub consumer_pid: Option<String>,
    /// The provider's pid, once known.
    pub provider_pid: Option<String>,
    /// Where it stands.
    pub state: StateName,
    /// The asset asked for.
    pub asset: String,
    /// What this side has to decide, if it is its turn.
    pub waits_for: Option<Point>,
    /// The same, with who decides (a person or a rule) and until when.
    pub due: Option<Due>,
    /// Whether what is on the table is what the provider's catalog says; `null` where this side has seen none.
    pub cataloged: Option<bool>,
    /// Who promises: as it is on the table, the provider where nobody said otherwise.
    pub promisor: Did,
    /// To whom.
    pub promisee: Did,
    /// Since when this node, restored from a copy, decides nothing here any more.
    #[serde(serialize_with = "super::consent::deadline", skip_serializing_if = "Option::is_none")]
    pub held_since: Option<Timestamp>,
    /// The offer that stands or was accepted.
    pub offer: Option<OfferView>,
    /// The proposal that stands and waits for an answer: nobody is bound by it.
    pub proposal: Option<ProposalView>,
    /// What was put on the table one after the other, and what changed each time.
    pub rounds: Vec<RoundView>,
    /// How many offers there were.
    pub offers: usize,
    /// `H(core)`, once both have signed.
    pub hash: Option<Digest>,
    /// The entry, once it stands.
    pub entry: Option<Entry>,
    /// The consumer's wish to cancel what it has accepted.
    pub cancel_asked: Option<String>,
    /// Why it ended without a contract.
    pub ending: Option<Ending>,
    /// An entry that appeared although the negotiation was terminated: the contract exists all the same.
    pub entry_despite_termination: Option<Entry>,
    /// The states entered, with who decided.
    pub history: Vec<Moved>,
    /// What was decided on this side: by whom, when, and on which text.
    pub decisions: Vec<Decided>,
    /// Messages on their way out, with what became of them.
    pub messages: Vec<MessageView>,
    /// What keeps a message from getting through, where something does.
    pub undelivered: Option<Undelivered>,
}

/// An offer, for people and scripts.
#[derive(Clone, Debug, Serialize)]
pub struct OfferView {
    /// The contract's id.
    pub contract_id: ContractId,
    /// `H(issuer JWT)`: what an acceptance binds.
    pub sha256: Digest,
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub made: Timestamp,
    /// Until when it can be accepted.
    #[serde(with = "rfc3339")]
    pub accept_by: Timestamp,
    /// Until when it must be recorded.
    #[serde(with = "rfc3339")]
    pub record_by: Timestamp,
    /// End of the contract.
    #[serde(with = "rfc3339")]
    pub ends: Timestamp,
    /// The registry, as an EVES-007 URN.
    pub registry: String,
    /// Who records it.
    pub recorder: Account,
    /// The template.
    pub template: String,
    /// What its operator calls it.
    pub template_title: Option<String>,
    /// Who approved it.
    pub template_by: Option<Did>,
    /// The asset.
    pub asset: Asset,
    /// The price.
    pub price: Money,
    /// The operator's fee.
    pub fee: Fee,
    /// Who promises.
    pub promisor: Did,
    /// To whom.
    pub promisee: Did,
    /// The terms as sentences.
    pub in_words: Vec<String>,
    /// The terms as ODRL.
    pub terms: Value,
}

/// A message on its way out.
#[derive(Clone, Debug, Serialize)]
pub struct MessageView {
    /// Its id.
    pub id: String,
    /// How often it was sent.
    pub attempts: u32,
    /// Whether it is done.
    pub done: bool,
    /// What the last attempt or the answer said.
    pub note: Option<String>,
}

impl Node {
    /// One negotiation as a desk sees it.
    ///
    /// # Errors
    /// `Unknown` when there is none.
    pub async fn view(&self, id: &str) -> Result<NegotiationView, NodeFault> {
        let negotiation = self.negotiation(id).await?;
        let sent = self.store.sent(id).await?;
        let mut undelivered = None;
        if let Some(waits) = sent.iter().find(|outgoing| outgoing.wants_answer && outgoing.due.is_some()) {
            undelivered = self.hitch(waits).await?;
        }
        let messages = sent
            .into_iter()
            .filter(|outgoing| outgoing.wants_answer)
            .map(|outgoing| MessageView {
                id: outgoing.id,
                attempts: outgoing.attempts,
                done: outgoing.due.is_none(),
                note: outgoing.note,
            })
            .collect();
        let opening = negotiation.opening();
        let due = self.due(id, &negotiation).await?;
        let (promisor, promisee) = promises(&negotiation);
        let mut decisions = negotiation.decisions().to_vec();
        if let Some(countersigned) = negotiation.countersigned() {
            decisions.extend(self.decided_to_leave(&countersigned.core.contract_id).await?);
        }
        Ok(NegotiationView {
            id: id.to_owned(),
            role: opening.role,
            counterparty: opening.peer.clone(),
            counterparty_name: self.name_of(&opening.peer).await?,
            parties: self.parties(&negotiation).await?,
            consumer_pid: opening.consumer_pid.clone(),
            provider_pid: opening.provider_pid.clone(),
            state: negotiation.state().name(),
            asset: negotiation.asset().to_owned(),
            waits_for: due.as_ref().map(|due| due.decision),
            due,
            cataloged: self.cataloged(&negotiation).await?,
            promisor: promisor.clone(),
            promisee: promisee.clone(),
            held_since: self.held_since(id).await?,
            offer: negotiation.offer().map(OfferView::of),
            proposal: ProposalView::standing(&negotiation),
            rounds: rounds(&negotiation),
            offers: negotiation.offers().count(),
            hash: negotiation.countersigned().map(|countersigned| countersigned.core.hash),
            entry: negotiation.entry().cloned(),
            cancel_asked: negotiation.cancel_asked().map(str::to_owned),
            ending: ending(&negotiation),
            entry_despite_termination: negotiation.entry_despite_termination().cloned(),
            history: negotiation.history().to_vec(),
            decisions,
            messages,
            undelivered,
        })
    }

    /// Every negotiation, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn views(&self) -> Result<Vec<NegotiationView>, NodeFault> {
        let mut views = Vec::new();
        for id in self.store.negotiations(&[]).await? {
            views.push(self.view(&id).await?);
        }
        Ok(views)
    }
}

fn ending(negotiation: &Negotiation) -> Option<Ending> {
    match negotiation.state() {
        State::Terminated(ending, _) => Some(ending.clone()),
        _ => None,
    }
}

/// What an approved template is called, and who approved it. It was verified when it came; here it is only read again for
/// people.
pub(super) fn approved(approval: &str) -> (Option<String>, Option<Did>) {
    let approval = Jws::parse(approval).ok();
    let template = approval.as_ref().and_then(|jws| Template::parse(jws.payload()).ok());
    let by = approval.and_then(|jws| jws.header().kid.as_ref().map(|kid| kid.did().clone()));
    (template.map(|template| template.title), by)
}

/// Terms as sentences; none of terms that do not read.
pub(super) fn in_words(terms: &Value) -> Vec<String> {
    Policy::parse(terms).map(|policy| policy.in_words()).unwrap_or_default()
}

impl OfferView {
    fn of(offer: &OfferPaper) -> Self {
        let (template_title, template_by) = approved(&offer.approval);
        Self {
            contract_id: offer.contract_id,
            sha256: offer.sha256,
            made: offer.iat,
            accept_by: offer.accept_by,
            record_by: offer.record_by,
            ends: offer.exp,
            registry: offer.registry.to_string(),
            recorder: offer.recorder,
            template: offer.template.clone(),
            template_title,
            template_by,
            asset: offer.asset.clone(),
            price: offer.price,
            fee: offer.fee.clone(),
            promisor: offer.promisor.clone(),
            promisee: offer.promisee.clone(),
            in_words: in_words(&offer.terms),
            terms: offer.terms.clone(),
        }
    }
}
