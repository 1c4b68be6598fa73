//! Messages of counterparties about transfers.

use std::sync::Arc;

use serde_json::Value;

use super::{StandingAgreement, Transfers, chance};
use crate::check::Refusal;
use crate::negotiation::Role;
use crate::node::{NodeFault, StoreFault, checks as limits};
use crate::transfer::{Kind, Message, Opening, Transfer, checks, process_body};

/// How often a message is judged anew because another one came in between.
const ATTEMPTS: usize = 16;
/// How many transfers of one agreement may be open at a time.
const OPEN: u64 = 1000;
/// How many events a transfer has; each message of the counterparty is one that is kept.
const MOST: u64 = 256;

impl Transfers {
    /// A consumer asks for the data of an agreement; the TransferProcess that it is answered with.
    ///
    /// # Errors
    /// `Refused`: `transfer.message`, `transfer.format`, `transfer.agreement`, `transfer.plain`, `transfer.guarded`,
    /// `policy.*`.
    pub async fn hear_request(self: &Arc<Self>, peer: &str, body: &Value) -> Result<Value, NodeFault> {
        let message = Message::read(Kind::Request, body)?;
        if let Some(id) = self.store.transfer_of(peer, &message.consumer_pid).await? {
            return self.asked_again(&id, &message).await;
        }
        let hears_at = message.callback.as_deref().unwrap_or_default().trim_end_matches('/').to_owned();
        self.post.may_call(&hears_at).map_err(|why| checks::CALLBACK.refuse(why))?;
        let wanted = message.agreement.clone().unwrap_or_default();
        let agreement = self.agreements.standing(&wanted, Some(peer)).await?;
        let agreement = agreement.filter(|it| it.role == Role::Provider && it.peer == peer);
        let unknown = || checks::AGREEMENT.refuse(format!("no agreement `{wanted}` is FINALIZED here with you"));
        let agreement = agreement.ok_or_else(unknown)?;
        self.opens(&agreement).await?;
        let open = self.store.transfers_open(&agreement.id).await?;
        checks::OPEN_AT_ONCE.hold(open < OPEN, || format!("{open} transfers of this agreement are open"))?;
        let opening = Opening {
            role: Role::Provider,
            peer: peer.to_owned(),
            hears_at,
            agreement: agreement.id,
            asset: agreement.asset,
            consumer_pid: message.consumer_pid.clone(),
            provider_pid: Some(chance::urn_uuid()?),
        };
        let now = chance::now()?;
        match self.commit(None, Transfer::begin(opening, now), message.id.clone(), None, now).await {
            Ok(Some(begun)) => Ok(process(&begun)),
            // The same request came at the same time, and was quicker.
            Ok(None) | Err(NodeFault::Store(StoreFault::Repeated)) => {
                let known = self.store.transfer_of(peer, &message.consumer_pid).await?;
                let other = || checks::PIDS.refuse("a message with this `@id` was about another transfer");
                self.asked_again(&known.ok_or_else(other)?, &message).await
            }
            Err(fault) => Err(fault),
        }
    }

    async fn asked_again(&self, id: &str, message: &Message) -> Result<Value, NodeFault> {
        let (transfer, _) = self.read(id).await?;
        let same = message.agreement.as_deref() == Some(&transfer.opening().agreement);
        checks::PIDS.hold(same, || "this consumerPid is of a transfer of another agreement".into())?;
        Ok(process(&transfer))
    }

    /// A message about a transfer of `peer`, addressed by this node's pid.
    ///
    /// # Errors
    /// `Unknown` where `peer` has no such transfer, `Refused` by `transfer.*`.
    pub async fn hear(self: &Arc<Self>, peer: &str, pid: &str, kind: Kind, body: &Value) -> Result<Value, NodeFault> {
        for _ in 0..ATTEMPTS {
            let (transfer, version) = self.of_peer(peer, pid).await?;
            let message = Message::read(kind, body)?;
            let id = message.id.clone();
            let now = chance::now()?;
            let decision = match transfer.hear(message, now) {
                Ok(decision) => decision,
                // A repetition of what was dealt with already moves nothing and is no fault of its sender.
                Err(refusal) => return self.repeated(&transfer, id, refusal).await,
            };
            let ends = matches!(kind, Kind::Completion | Kind::Termination);
            limits::RATE.hold(version < MOST || ends, || {
                format!("the transfer has {version} messages; it can only be ended")
            })?;
            if kind == Kind::Start && transfer.opening().role == Role::Provider {
                // A consumer that goes on does so only as long as the agreement opens its data.
                self.opens(&self.standing_of(&transfer).await?).await?;
            }
            match self.commit(Some((transfer.clone(), version)), decision, id, None, now).await {
                Ok(Some(after)) => return Ok(process(&after)),
                Ok(None) => {}
                Err(NodeFault::Store(StoreFault::Repeated)) => return Ok(process(&transfer)),
                Err(fault) => return Err(fault),
            }
        }
        Err(StoreFault::Moved.into())
    }

    async fn repeated(&self, transfer: &Transfer, id: Option<String>, refusal: Refusal) -> Result<Value, NodeFault> {
        let known = match &id {
            Some(id) => self.store.transfer_heard(&transfer.opening().peer, id).await?,
            None => false,
        };
        if known { Ok(process(transfer)) } else { Err(refusal.into()) }
    }

    /// Where a transfer of `peer` stands, as its door answers.
    ///
    /// # Errors
    /// `Unknown` where `peer` has no such transfer.
    pub async fn process(&self, peer: &str, pid: &str) -> Result<Value, NodeFault> {
        Ok(process(&self.of_peer(peer, pid).await?.0))
    }

    async fn of_peer(&self, peer: &str, pid: &str) -> Result<(Transfer, u64), NodeFault> {
        let found = self.read(pid).await?;
        // Who is no party of it learns nothing, not even that it is there.
        if found.0.opening().peer == peer { Ok(found) } else { Err(NodeFault::unknown("transfer", pid)) }
    }

    pub(super) async fn standing_of(&self, transfer: &Transfer) -> Result<StandingAgreement, NodeFault> {
        let opening = transfer.opening();
        let found = self.agreements.standing(&opening.agreement, Some(&opening.peer)).await?;
        let gone = || checks::AGREEMENT.refuse(format!("the agreement `{}` stands no longer", opening.agreement));
        Ok(found.filter(|it| it.role == opening.role && it.peer == opening.peer).ok_or_else(gone)?)
    }
}

fn process(transfer: &Transfer) -> Value {
    let opening = transfer.opening();
    process_body(&opening.consumer_pid, opening.provider_pid.as_deref(), transfer.state())
}
