//! Proposals: terms that a provider signs for a consumer that has not asked, and what the consumer makes of them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::flow::Heard;
use super::store::Dealings;
use super::wire::{Incoming, Proposed};
use super::{Node, NodeFault, OfferOrder, RequestOrder, chance, checks};
use crate::check::Trail;
use crate::credential::{ApprovedTemplate, checks as papers};
use crate::encoding::Timestamp;
use crate::identity::{Did, Unverified};
use crate::negotiation::{Decider, Negotiation, Opening, ProposalPaper, Role, checks as moves};
use crate::policy::{Blanks, Money};

const DAY: i64 = 24 * 3600;
/// How many negotiations one counterparty may move in a day by proposing.
const DAILY: u64 = 200;
/// How long a proposal may stand at most, in seconds: what is never answered must not stand for good.
const LONGEST: i64 = 90 * DAY;

/// What a provider's desk proposes; what it leaves out is as the asset is listed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalOrder {
    /// To whom.
    pub consumer: Did,
    /// Which asset; it has to be listed, and need not be cataloged.
    pub asset: String,
    /// Another template than the listing's.
    #[serde(default)]
    pub template: Option<String>,
    /// Values of the template's parameters.
    #[serde(default)]
    pub parameters: Option<BTreeMap<String, Value>>,
    /// Another price.
    #[serde(default)]
    pub price: Option<Money>,
    /// Who promises; this party when absent.
    #[serde(default)]
    pub promisor: Option<Did>,
    /// To whom; the consumer when absent.
    #[serde(default)]
    pub promisee: Option<Did>,
    /// Seconds until it can be taken up.
    #[serde(default)]
    pub answer_within: Option<i64>,
}

impl Node {
    /// Begins a negotiation as provider, with terms of its own; its id.
    ///
    /// # Errors
    /// `template.*`, `fee.*`, `offer.parties` when the proposal would not be valid; `Unready` without a participant
    /// credential or template.
    pub async fn propose(&self, order: &ProposalOrder, by: Decider) -> Result<String, NodeFault> {
        let now = chance::now()?;
        let listing = self.listing(&order.asset).await?.ok_or_else(|| NodeFault::unknown("asset", &order.asset))?;
        let approved = self.template(order.template.as_deref().unwrap_or(&listing.template), now).await?;
        let participant = self.own_participant().await?;
        self.participant_of(&participant, now)?;
        let (pid, id) = (chance::urn_uuid()?, chance::urn_uuid()?);
        let blanks =
            Blanks { asset: &listing.asset.id, provider: self.did(), consumer: &order.consumer, contract_id: &id };
        let parameters = order.parameters.clone().unwrap_or(listing.parameters);
        let price = order.price.unwrap_or(listing.price);
        let within = order.answer_within.unwrap_or(self.settings.windows.accept_within).clamp(1, LONGEST);
        let proposal = ProposalPaper {
            template: approved.template.id.clone(),
            approval: approved.approval.clone(),
            price,
            fee: approved.template.fee(&price)?,
            terms: approved.template.fill(&blanks, &parameters)?,
            parameters,
            promisor: order.promisor.clone().unwrap_or_else(|| self.did().clone()),
            promisee: order.promisee.clone().unwrap_or_else(|| order.consumer.clone()),
            participant,
            answer_by: now.plus(within),
            asset: listing.asset,
            id,
        };
        hold_parties(&proposal, self.did(), &order.consumer)?;
        let opening = Opening {
            role: Role::Provider,
            us: self.did().clone(),
            peer: order.consumer.clone(),
            consumer_pid: None,
            provider_pid: Some(pid.clone()),
            began: Role::Provider,
        };
        self.begin(&pid, Negotiation::propose(opening, proposal, Some(by), now), None).await?;
        Ok(pid)
    }

    /// The consumer takes a new proposal in: verified, and then a matter for its configuration and its people.
    pub(super) async fn take_proposal(
        &self,
        heard: &Heard,
        incoming: &Incoming,
        proposed: &Proposed,
        now: Timestamp,
    ) -> Result<(), NodeFault> {
        let pid = incoming.provider_pid.as_deref().ok_or_else(|| moves::PIDS.refuse("providerPid is missing"))?;
        checks::THREAD.hold(heard.thread == pid, || "thid is not the provider's pid".into())?;
        let proposal = self.vet_proposal(proposed, &heard.from, now)?;
        if let Some(contact) = &incoming.contact {
            self.learn_contact(&heard.from, contact).await?;
        }
        let Dealings { recent, .. } = self.store.dealings(&heard.from, now.plus(-DAY)).await?;
        checks::RATE.hold(recent < DAILY, || format!("{recent} negotiations of this sender moved within a day"))?;
        let id = chance::urn_uuid()?;
        let opening = Opening {
            role: Role::Consumer,
            us: self.did().clone(),
            peer: heard.from.clone(),
            consumer_pid: Some(id.clone()),
            provider_pid: Some(pid.to_owned()),
            began: Role::Provider,
        };
        self.begin(&id, Negotiation::propose(opening, proposal, None, now), Some(heard)).await?;
        self.hear_parked(&id).await
    }

    fn vet_proposal(&self, proposed: &Proposed, sender: &Did, now: Timestamp) -> Result<ProposalPaper, NodeFault> {
        let participant = self.participant_of(&proposed.participant, now)?;
        checks::SENDER.hold(participant.did == *sender, || format!("the credential is {}'s", participant.did))?;
        let (trust, documents) = (&self.settings.trust, self.documents());
        let approval = Unverified::new(&proposed.approval);
        let approved = ApprovedTemplate::verify(&approval, trust, &documents, now, &mut Trail::default())?;
        let said = &proposed.said;
        let blanks =
            Blanks { asset: &said.asset.id, provider: sender, consumer: self.did(), contract_id: &proposed.id };
        let proposal = ProposalPaper {
            id: proposed.id.clone(),
            asset: said.asset.clone(),
            template: approved.template.id.clone(),
            approval: proposed.approval.clone(),
            parameters: approved.template.read(&blanks, &said.terms)?,
            price: said.price,
            fee: approved.template.fee(&said.price)?,
            terms: said.terms.clone(),
            promisor: said.promisor.clone(),
            promisee: said.promisee.clone(),
            participant: proposed.participant.clone(),
            answer_by: said.answer_by,
        };
        hold_parties(&proposal, sender, self.did())?;
        moves::ACCEPT_BY.hold(now <= proposal.answer_by && proposal.answer_by <= now.plus(LONGEST + DAY), || {
            format!("a proposal that stands until {}", proposal.answer_by)
        })?;
        Ok(proposal)
    }

    /// Asks for exactly what was proposed.
    pub(super) async fn take_up(
        &self,
        id: &str,
        proposal: &ProposalPaper,
        by: Decider,
    ) -> Result<Negotiation, NodeFault> {
        let order = RequestOrder {
            provider: self.did().clone(), // the counterparty's, whatever stands here
            asset: proposal.asset.id.clone(),
            template: Some(proposal.template.clone()),
            parameters: proposal.parameters.clone(),
            price: Some(proposal.price),
            promisor: Some(proposal.promisor.clone()),
            promisee: Some(proposal.promisee.clone()),
        };
        self.counter(id, &order, proposal.id.clone(), by).await
    }
}

/// The proposal that the latest request takes up, before any offer was made of it: its signature was the decision.
pub(super) fn taken_up(negotiation: &Negotiation) -> Option<&ProposalPaper> {
    let (proposal, request) = (negotiation.proposal()?, negotiation.request()?);
    (negotiation.offers().next().is_none() && proposal.is_taken_up_by(request)).then_some(proposal)
}

/// The offer that a proposal promised.
pub(super) fn as_proposed(proposal: &ProposalPaper) -> OfferOrder {
    OfferOrder {
        template: Some(proposal.template.clone()),
        parameters: Some(proposal.parameters.clone()),
        price: Some(proposal.price),
        ..OfferOrder::default()
    }
}

fn hold_parties(proposal: &ProposalPaper, provider: &Did, consumer: &Did) -> Result<(), NodeFault> {
    let two = [&proposal.promisor, &proposal.promisee];
    let held = provider != consumer && (two == [provider, consumer] || two == [consumer, provider]);
    Ok(papers::OFFER_PARTIES.hold(held, || {
        format!("{} promises {}, between {provider} and {consumer}", proposal.promisor, proposal.promisee)
    })?)
}
