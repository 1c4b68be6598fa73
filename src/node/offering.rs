//! Making an offer: from an approved template, for a listed asset, to the consumer that asked.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Node, NodeFault, StoreFault, Windows, chance, kind};
use crate::check::Trail;
use crate::credential::{
    ApprovedTemplate, Contents, ContractId, Draft, Offer, Papers, Participant, Party, checks as papers, offer as issue,
};
use crate::encoding::Timestamp;
use crate::identity::{Unverified, Verified};
use crate::negotiation::{Command, Decider, Input, Negotiation, OfferPaper, checks};
use crate::policy::{Blanks, Money};

/// What a provider's desk says about an offer; what it leaves out is as the asset is listed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OfferOrder {
    /// Another template than the listing's.
    pub template: Option<String>,
    /// Values of the template's parameters.
    pub parameters: Option<BTreeMap<String, Value>>,
    /// Another price.
    pub price: Option<Money>,
    /// Seconds until it can be accepted.
    pub accept_within: Option<i64>,
    /// Seconds until it must be recorded.
    pub record_within: Option<i64>,
    /// Seconds until the contract ends.
    pub valid_for: Option<i64>,
}

impl Node {
    /// Answers a request with an offer.
    ///
    /// # Errors
    /// `template.*`, `fee.*`, `offer.*` when the offer would not be valid; `negotiation.*` when it is not its turn;
    /// `Unready` when the participant credential, the template or the recorder key is missing.
    pub async fn offer(&self, id: &str, order: &OfferOrder, by: Decider) -> Result<Negotiation, NodeFault> {
        self.timepiece.right().await?;
        let negotiation = self.negotiation(id).await?;
        self.may_decide(id).await?;
        let paper = self.draft(&negotiation, order).await?;
        self.advance(id, None, |_, _| Ok((Input::Ordered(Command::Offer(Box::new(paper.clone()), by.clone())), vec![])))
            .await
    }

    async fn draft(&self, negotiation: &Negotiation, order: &OfferOrder) -> Result<OfferPaper, NodeFault> {
        let (opening, now) = (negotiation.opening(), chance::now()?);
        let request = negotiation.request().ok_or_else(|| checks::STATE.refuse("nobody has asked for an offer yet"))?;
        let listing = self.listing(&request.asset).await?.ok_or_else(|| NodeFault::unknown("asset", &request.asset))?;
        let template = self.template(order.template.as_deref().unwrap_or(&listing.template), now).await?;
        let participant = self.own_membership(now).await?;
        let own = participant.text.clone();
        let consumer = self.participant_kept(&request.participant, now).map_err(|fault| {
            lapsed(
                fault,
                "its request rests on that credential: once the operator has admitted it again, it has to ask anew \
                           (`countersign request`), and `countersign reject` ends this one",
            )
        })?;
        let recorder = self.registry.recorder().ok_or_else(|| {
            NodeFault::Unready("no recorder key is configured: an offer names the account that records it".into())
        })?;
        let contract_id = ContractId(chance::uuid()?);
        let blanks = Blanks {
            asset: &listing.asset.id,
            provider: self.did(),
            consumer: &opening.peer,
            contract_id: &contract_id.to_string(),
        };
        let price = order.price.unwrap_or(listing.price);
        let values = order.parameters.as_ref().unwrap_or(&listing.parameters);
        let windows = self.settings.windows;
        let windows = Windows {
            accept_within: order.accept_within.unwrap_or(windows.accept_within),
            record_within: order.record_within.unwrap_or(windows.record_within),
            valid_for: order.valid_for.unwrap_or(windows.valid_for),
        };
        windows.sound()?;
        let draft = Draft {
            iat: now,
            exp: now.plus(windows.valid_for),
            consumer_key: request.consumer_key.clone(),
            contract_id,
            negotiation_nonce: chance::nonce()?,
            accept_by: now.plus(windows.accept_within),
            record_by: now.plus(windows.record_within),
            registry: self.registry.urn(),
            recorder,
            template_id: template.template.id.clone(),
            template_hash: template.hash.clone(),
            contents: Contents {
                provider: Party { did: self.did().clone(), participant: participant.digest.clone() },
                consumer: Party { did: opening.peer.clone(), participant: consumer.digest.clone() },
                promisor: request.promisor.clone().unwrap_or_else(|| self.did().clone()),
                promisee: request.promisee.clone().unwrap_or_else(|| opening.peer.clone()),
                asset: listing.asset.clone(),
                fee: template.template.fee(&price)?,
                price,
                terms: template.template.fill(&blanks, values)?,
                consumer_key_statement: request.key_statement.clone(),
            },
        };
        let mut salts = [[0; 16]; 9];
        for salt in &mut salts {
            chance::fill(salt)?;
        }
        let text = issue(&draft, &salts, &*self.signer)?;
        // What came with the request was verified then; what is its own is signed with the key of now.
        let documents = self.documents_ever();
        let papers = Papers {
            provider: &Unverified::new(&own),
            consumer: &Unverified::new(&request.participant),
            approval: &Unverified::new(&template.approval),
            trust: &self.settings.trust,
            documents: &documents,
        };
        // What the other side would refuse never leaves.
        Ok(OfferPaper::of(&Offer::verify(&Unverified::new(text), &papers, now, &mut Trail::default())?))
    }

    /// Keeps a template's approval; the template's id.
    ///
    /// # Errors
    /// `template.*`, `jws.*` when no pinned operator approved it.
    pub async fn add_template(&self, approval: &str) -> Result<String, NodeFault> {
        self.acquaint_trusted().await;
        let approved = ApprovedTemplate::verify(
            &Unverified::new(approval),
            &self.settings.trust,
            &self.documents(),
            chance::now()?,
            &mut Trail::default(),
        )?;
        let id = approved.template.id.clone();
        self.store.put(kind::TEMPLATE, &id, &serde_json::json!({ "approval": approval })).await?;
        Ok(id)
    }

    /// Keeps this party's own participant credential.
    ///
    /// # Errors
    /// `participant.*`, `jws.*` when no pinned operator issued it, or it is another party's.
    pub async fn join(&self, credential: &str) -> Result<(), NodeFault> {
        self.acquaint_trusted().await;
        let participant = self.participant_of(credential, chance::now()?)?;
        super::checks::SENDER
            .hold(participant.did == *self.did(), || format!("the credential is {}'s", participant.did))?;
        self.store.put(kind::PARTICIPANT, "own", &serde_json::json!({ "credential": credential })).await?;
        // A mediator may have waited for it.
        self.mediated.bell.notify_one();
        Ok(())
    }

    pub(super) async fn template(&self, id: &str, now: Timestamp) -> Result<Verified<ApprovedTemplate>, NodeFault> {
        let kept = self.store.one(kind::TEMPLATE, id).await?.ok_or_else(|| NodeFault::unknown("template", id))?;
        let approval = kept.get("approval").and_then(Value::as_str).unwrap_or_default();
        let (trust, documents) = (&self.settings.trust, self.documents_ever());
        Ok(ApprovedTemplate::verify(&Unverified::new(approval), trust, &documents, now, &mut Trail::default())?)
    }

    pub(super) async fn own_participant(&self) -> Result<String, NodeFault> {
        let kept = self.store.one(kind::PARTICIPANT, "own").await?.ok_or_else(|| {
            NodeFault::Unready("this wallet has no participant credential: ask the operator to admit it".into())
        })?;
        kept.get("credential")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .ok_or_else(|| StoreFault::Damaged("the participant credential".into()).into())
    }

    /// This party's own membership, which has to list the key that it signs with now.
    pub(super) async fn own_membership(&self, now: Timestamp) -> Result<Verified<Participant>, NodeFault> {
        self.acquaint_trusted().await;
        let member = self.own_valid_participant(now).await?;
        let key = self.signer.public_key().thumbprint();
        if member.did == *self.did() && !member.signs_with(&key) {
            let listed: Vec<String> = member.keys.iter().map(ToString::to_string).collect();
            return Err(NodeFault::Unready(format!(
                "this wallet signs with the key {key} now, and its participant credential lists {}: others would refuse \
                 what it signs. Give that thumbprint to the operator, who admits it again (`countersign admit --did {} \
                 --key {key} …`), and take the new credential: `countersign join FILE`",
                listed.join(", "),
                self.did()
            )));
        }
        Ok(member)
    }

    /// A credential that was verified here before, by the keys of then.
    pub(super) fn participant_kept(&self, text: &str, at: Timestamp) -> Result<Verified<Participant>, NodeFault> {
        let (trust, documents) = (&self.settings.trust, self.documents_ever());
        Ok(Participant::verify(&Unverified::new(text), trust, &documents, at, &mut Trail::default())?)
    }

    pub(super) fn participant_of(&self, text: &str, now: Timestamp) -> Result<Verified<Participant>, NodeFault> {
        let (trust, documents) = (&self.settings.trust, self.documents());
        Ok(Participant::verify(&Unverified::new(text), trust, &documents, now, &mut Trail::default())?)
    }
}

/// What to do now is said where all that is wrong is that a membership is over.
pub(super) fn lapsed(fault: NodeFault, next: &str) -> NodeFault {
    match fault {
        NodeFault::Refused(refusal) if *refusal.check == papers::PARTICIPANT_WINDOW => {
            refusal.check.refuse(format!("{}; {next}", refusal.detail)).into()
        }
        fault => fault,
    }
}
