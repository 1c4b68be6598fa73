//! What a contract desk does: ask, accept, reject, cancel, record.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::offering::lapsed;
use super::{Listing, Node, NodeFault, StoreFault, chance, kind};
use crate::check::Trail;
use crate::credential::{ContractId, Core, KeyStatement, Offer, Papers, accept};
use crate::encoding::Digest;
use crate::identity::{Did, SecretKey, Signer, Unverified};
use crate::negotiation::{
    Command, CorePaper, Countersigned, Decider, Input, Negotiation, Opening, RequestPaper, Role, State, checks,
};
use crate::policy::Money;

/// How long a key statement holds, in seconds: it must cover the offer's making, by the provider's clock, which may be
/// behind this one.
const STATEMENT_LASTS: i64 = 30 * 24 * 3600;
const CLOCKS_DIFFER: i64 = 120;

/// What a consumer's desk asks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestOrder {
    /// Of whom.
    pub provider: Did,
    /// Which asset.
    pub asset: String,
    /// A wish for the template.
    #[serde(default)]
    pub template: Option<String>,
    /// Wishes for the template's parameters.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
    /// A wish for the price.
    #[serde(default)]
    pub price: Option<Money>,
    /// Who promises; the provider when absent.
    #[serde(default)]
    pub promisor: Option<Did>,
    /// To whom; this party when absent.
    #[serde(default)]
    pub promisee: Option<Did>,
}

/// What somebody has read who consents: nothing else is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// An offer, by `H(issuer JWT)`.
    Offer(Digest),
    /// A proposal, by its id.
    Proposal(String),
}

impl RequestOrder {
    /// Whether it names terms, beyond the asset as it is listed.
    fn names_terms(&self) -> bool {
        self.template.is_some()
            || !self.parameters.is_empty()
            || self.price.is_some()
            || self.promisor.is_some()
            || self.promisee.is_some()
    }
}

impl Node {
    /// Begins a negotiation as consumer; its id.
    ///
    /// # Errors
    /// `Unready` without a participant credential.
    pub async fn request(&self, order: &RequestOrder) -> Result<String, NodeFault> {
        let id = chance::urn_uuid()?;
        // Terms of one's own are an offer of one's own; without any, the catalog's is meant.
        let offer_id = if order.names_terms() { Some(chance::urn_uuid()?) } else { None };
        let request = self.ask(order, &id, offer_id).await?;
        let opening = Opening {
            role: Role::Consumer,
            us: self.did().clone(),
            peer: order.provider.clone(),
            consumer_pid: Some(id.clone()),
            provider_pid: None,
            began: Role::Consumer,
        };
        self.begin(&id, Negotiation::begin(opening, request, chance::now()?), None).await?;
        Ok(id)
    }

    /// Asks anew instead of accepting: the offer on the table is superseded by this side's own, under an id of its own.
    ///
    /// # Errors
    /// `negotiation.*` when it is not its turn.
    pub async fn request_anew(&self, id: &str, order: &RequestOrder, by: Decider) -> Result<Negotiation, NodeFault> {
        self.counter(id, order, chance::urn_uuid()?, by).await
    }

    /// Sends a request in a negotiation that goes on, under the id of what it asks for.
    pub(super) async fn counter(
        &self,
        id: &str,
        order: &RequestOrder,
        offer_id: String,
        by: Decider,
    ) -> Result<Negotiation, NodeFault> {
        let negotiation = self.negotiation(id).await?;
        self.may_decide(id).await?;
        let opening = negotiation.opening();
        let order = RequestOrder { provider: opening.peer.clone(), ..order.clone() };
        // The consumer's pid is this node's own id of the negotiation, whoever began.
        let request = self.ask(&order, opening.consumer_pid.as_deref().unwrap_or(id), Some(offer_id)).await?;
        self.advance(id, None, |_, _| {
            Ok((Input::Ordered(Command::CounterRequest(request.clone(), by.clone())), vec![]))
        })
        .await
    }

    async fn ask(&self, order: &RequestOrder, pid: &str, offer_id: Option<String>) -> Result<RequestPaper, NodeFault> {
        self.look_up(&order.provider).await?;
        let now = chance::now()?;
        let participant = self.own_membership(now).await?.text.clone();
        let key = fresh_key()?;
        let jwk = key.public_key().jwk();
        self.store.keep_key(&jwk.thumbprint().to_string(), &key.secret()).await?;
        let (from, until) = (now.plus(-CLOCKS_DIFFER), now.plus(STATEMENT_LASTS));
        let key_statement = KeyStatement::state(&*self.signer, &order.provider, pid, key.public_key(), from, until)?;
        Ok(RequestPaper {
            asset: order.asset.clone(),
            template: order.template.clone(),
            parameters: order.parameters.clone(),
            price: order.price,
            promisor: order.promisor.clone(),
            promisee: order.promisee.clone(),
            offer_id,
            consumer_key: jwk,
            key_statement,
            participant,
        })
    }

    /// Accepts the offer on the table: the consumer is bound until `record_by`. A proposal is taken up: it is asked for
    /// exactly as it was proposed, so that the provider can make the offer that binds.
    ///
    /// # Errors
    /// `negotiation.*` when there is none, it is another one than was `read`, or it is too late; `offer.*` when it no
    /// longer verifies.
    pub async fn accept(&self, id: &str, read: Option<Read>, by: Decider) -> Result<Negotiation, NodeFault> {
        self.timepiece.right().await?;
        let (negotiation, now) = (self.negotiation(id).await?, chance::now()?);
        // Before anything is signed: an acceptance that was never committed binds all the same.
        self.may_decide(id).await?;
        if let State::Proposed(proposal) = negotiation.state() {
            let same = read.is_none_or(|read| read == Read::Proposal(proposal.id.clone()));
            checks::SUPERSEDED
                .hold(same, || "you have read something else than the proposal that stands now".into())?;
            return self.take_up(id, proposal, by).await;
        }
        let State::Offered(paper) = negotiation.state() else {
            let state = negotiation.state().name();
            return Err(checks::STATE.refuse(format!("there is no offer to accept in {state}")).into());
        };
        // Whoever has read one offer has not consented to the next.
        checks::SUPERSEDED.hold(read.is_none_or(|read| read == Read::Offer(paper.sha256)), || {
            format!("you have read another offer than {}, which stands now", paper.sha256)
        })?;
        // It was verified when it came, with the keys of then.
        let documents = self.documents_ever();
        let papers = Papers {
            provider: &Unverified::new(&paper.provider_participant),
            consumer: &Unverified::new(&paper.consumer_participant),
            approval: &Unverified::new(&paper.approval),
            trust: &self.settings.trust,
            documents: &documents,
        };
        let offer = Offer::verify(&Unverified::new(&paper.text), &papers, now, &mut Trail::default());
        let offer = offer.map_err(|refusal| {
            lapsed(
                refusal.into(),
                "the offer rests on that credential: once the operator has admitted that party again, \
                                    `countersign counter` asks for another one",
            )
        })?;
        self.claim_contract_id(&paper.contract_id, id).await?;
        let account = self.withdrawal_account(&paper.contract_id).await?;
        let key = self.contract_key(&negotiation).await?;
        let acceptance = accept(&offer, Some(account), &key, now)?;
        let core = Core::read(&Core::join(&offer, &acceptance), &documents, &mut Trail::default())?;
        let core = CorePaper::of(&core);
        self.advance(id, None, |_, _| Ok((Input::Ordered(Command::Accept(core.clone(), by.clone())), vec![]))).await
    }

    /// Ends a negotiation, or asks the provider to after one's own acceptance.
    ///
    /// # Errors
    /// `negotiation.*` when it is too late for that.
    pub async fn terminate(&self, id: &str, code: &str, reason: &str, by: Decider) -> Result<Negotiation, NodeFault> {
        let (code, reason): (String, String) = (code.to_owned(), reason.chars().take(1000).collect());
        self.advance(id, None, |_, _| {
            let command = Command::Terminate { code: code.clone(), reason: reason.clone(), by: by.clone() };
            Ok((Input::Ordered(command), vec![]))
        })
        .await
    }

    /// Confirms the record of a countersigned offer, where the configuration asks a person to.
    ///
    /// # Errors
    /// `negotiation.*` when it is not its turn or `record_by` has passed.
    pub async fn record(&self, id: &str, by: Decider) -> Result<Negotiation, NodeFault> {
        self.timepiece.right().await?;
        self.advance(id, None, |_, _| Ok((Input::Ordered(Command::Record(by.clone())), vec![]))).await
    }

    /// Lists an asset, or changes how it is listed.
    ///
    /// # Errors
    /// `offer.asset`; `template.*`, `fee.*` when the listing's values do not fit its template; `Unready` when it says
    /// too much for a catalog.
    pub async fn list(&self, listing: &Listing) -> Result<(), NodeFault> {
        self.hold_listing(listing).await?;
        Ok(self.store.put(kind::ASSET, &listing.asset.id, &json!(listing)).await?)
    }

    /// What this party lists.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn listings(&self) -> Result<Vec<Listing>, NodeFault> {
        let kept = self.store.all(kind::ASSET).await?;
        kept.into_iter()
            .map(|(id, value)| {
                serde_json::from_value(value)
                    .map_err(|cause| StoreFault::Damaged(format!("asset {id}: {cause}")).into())
            })
            .collect()
    }

    /// The negotiation of a contract and what was countersigned.
    pub(super) async fn contract_of(
        &self,
        contract: &ContractId,
        role: Role,
    ) -> Result<(Negotiation, Countersigned), NodeFault> {
        let fits = |negotiation: Negotiation| {
            let countersigned = negotiation.countersigned()?.clone();
            let found = countersigned.core.contract_id == *contract && negotiation.opening().role == role;
            found.then_some((negotiation, countersigned))
        };
        // Whoever accepted knows where, without reading everything again that was ever negotiated.
        let claim = self.store.one(kind::CONTRACT, &contract.to_string()).await?;
        if role == Role::Consumer
            && let Some(id) = claim.as_ref().and_then(|claim| claim.get("negotiation")?.as_str())
            && let Some(found) = fits(self.negotiation(id).await?)
        {
            return Ok(found);
        }
        for id in self.store.negotiations(&[]).await? {
            if let Some(found) = fits(self.negotiation(&id).await?) {
                return Ok(found);
            }
        }
        Err(NodeFault::unknown("contract", contract.to_string()))
    }

    /// The key that a request brought, out of the store.
    pub(super) async fn contract_key(&self, negotiation: &Negotiation) -> Result<SecretKey, NodeFault> {
        let request = negotiation.request().ok_or_else(|| checks::STATE.refuse("nobody has asked for an offer yet"))?;
        let name = request.consumer_key.thumbprint().to_string();
        let secret = self.store.key(&name).await?.ok_or_else(|| NodeFault::unknown("contract key", &name))?;
        SecretKey::p256(&secret).ok_or_else(|| StoreFault::Damaged(format!("the contract key {name}")).into())
    }

    /// Contract ids are public, so that another provider could offer one that stands already; its contract would take
    /// the place of the first in what this party presents and withdraws from.
    async fn claim_contract_id(&self, contract: &ContractId, negotiation: &str) -> Result<(), NodeFault> {
        let (name, claim) = (contract.to_string(), json!({ "negotiation": negotiation }));
        if self.store.put_once(kind::CONTRACT, &name, &claim).await? {
            return Ok(());
        }
        let same = self.store.one(kind::CONTRACT, &name).await? == Some(claim);
        Ok(checks::SUPERSEDED
            .hold(same, || format!("the contract id {contract} was accepted in another negotiation"))?)
    }

    /// The key of the account that a contract's acceptance named.
    pub(super) async fn withdrawal_key(&self, contract: &ContractId) -> Result<Zeroizing<[u8; 32]>, NodeFault> {
        let kept = self.store.key(&withdrawal_key(contract)).await?;
        kept.ok_or_else(|| NodeFault::unknown("withdrawal account of", contract.to_string()))
    }

    async fn withdrawal_account(&self, contract: &ContractId) -> Result<crate::credential::Account, NodeFault> {
        let name = withdrawal_key(contract);
        let secret = match self.store.key(&name).await? {
            Some(secret) => secret,
            None => {
                let secret = Zeroizing::new(chance::random()?);
                self.store.keep_key(&name, &secret).await?;
                secret
            }
        };
        self.registry.account(&secret).ok_or_else(|| NodeFault::Key("the withdrawal key is no key; try again".into()))
    }
}

fn withdrawal_key(contract: &ContractId) -> String {
    format!("withdrawal:{contract}")
}

fn fresh_key() -> Result<SecretKey, NodeFault> {
    for _ in 0..8 {
        if let Some(key) = SecretKey::p256(&chance::random()?) {
            return Ok(key);
        }
    }
    Err(NodeFault::NoRandomness)
}
