//! What the owner does with transfers.

use std::sync::Arc;

use super::{Step, TransferView, Transfers, chance};
use crate::encoding::{Digest, encode};
use crate::negotiation::Role;
use crate::node::{NodeFault, StoreFault};
use crate::transfer::{Command, DataAddress, Opening, Reason, StateName, Transfer, checks};

/// How often a decision is made anew because a message came in between.
const ATTEMPTS: usize = 16;

impl Transfers {
    /// Asks for the data of an agreement, as its consumer. `address` is where the provider takes messages, if that is
    /// elsewhere by now than when the agreement was made.
    ///
    /// # Errors
    /// `transfer.agreement` where no such agreement is FINALIZED here with this node as consumer; `transfer.callback`.
    pub async fn request(self: &Arc<Self>, agreement: &str, address: Option<&str>) -> Result<TransferView, NodeFault> {
        let found = self.agreements.standing(agreement, None).await?.filter(|it| it.role == Role::Consumer);
        let unknown =
            || checks::AGREEMENT.refuse(format!("no agreement `{agreement}` is FINALIZED with you as consumer"));
        let found = found.ok_or_else(unknown)?;
        let hears_at = address.unwrap_or(&found.hears_at).trim_end_matches('/').to_owned();
        checks::CALLBACK.hold(!hears_at.is_empty(), || {
            let peer = &found.peer;
            format!("it is not known where {peer} takes messages of the Dataspace Protocol; name its address (`--at`)")
        })?;
        self.post.may_call(&hears_at).map_err(|why| checks::CALLBACK.refuse(why))?;
        let opening = Opening {
            role: Role::Consumer,
            peer: found.peer,
            hears_at,
            agreement: found.id,
            asset: found.asset,
            consumer_pid: chance::urn_uuid()?,
            provider_pid: None,
        };
        let now = chance::now()?;
        let begun = self.commit(None, Transfer::begin(opening, now), None, None, now).await?;
        Ok(TransferView::of(&begun.ok_or(StoreFault::Moved)?))
    }

    /// Moves a transfer by a decision of this side.
    ///
    /// # Errors
    /// `Unknown`; `transfer.*` and `policy.*` where it is no arrow, or the agreement does not open its data.
    pub async fn decide(self: &Arc<Self>, id: &str, step: Step) -> Result<TransferView, NodeFault> {
        self.decide_because(id, step, None).await
    }

    /// The same, with a reason for the counterparty.
    ///
    /// # Errors
    /// As [`Transfers::decide`].
    pub async fn decide_because(
        self: &Arc<Self>,
        id: &str,
        step: Step,
        reason: Option<&str>,
    ) -> Result<TransferView, NodeFault> {
        for _ in 0..ATTEMPTS {
            let (transfer, version) = self.read(id).await?;
            let now = chance::now()?;
            let said = |code: &str| reason.map_or_else(Reason::default, |reason| Reason::new(code, reason));
            let mut token = None;
            let command = match step {
                Step::Hold => return Ok(TransferView::of(&transfer)),
                Step::Start if transfer.opening().role == Role::Provider => {
                    let (address, digest) = self.data_address(&transfer).await?;
                    token = digest;
                    Command::Start(Some(address))
                }
                Step::Start => Command::Start(None),
                Step::Suspend => Command::Suspend(said("suspended")),
                Step::Complete => Command::Complete,
                Step::Terminate => Command::Terminate(said("terminated")),
            };
            let mut decision = transfer.obey(command, now)?;
            // The token is the counterparty's; what is kept here for good is its hash.
            for event in &mut decision.events {
                event.forget_token();
            }
            if let Some(after) = self.commit(Some((transfer, version)), decision, None, token, now).await? {
                return Ok(TransferView::of(&after));
            }
        }
        Err(StoreFault::Moved.into())
    }

    /// Where a transfer's data can be had from now on, with the hash of the token that opens it.
    async fn data_address(&self, transfer: &Transfer) -> Result<(DataAddress, Option<Digest>), NodeFault> {
        let endpoint = self.opens(&self.standing_of(transfer).await?).await?;
        let token = encode(chance::random::<32>()?);
        let digest = Digest::of(&token);
        Ok((DataAddress { endpoint, token: Some(token) }, Some(digest)))
    }

    /// Every transfer, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self) -> Result<Vec<TransferView>, NodeFault> {
        let mut views = vec![];
        for id in self.store.transfers().await? {
            views.push(TransferView::of(&self.read(&id).await?.0));
        }
        Ok(views)
    }

    /// One transfer.
    ///
    /// # Errors
    /// `Unknown`; when the store fails.
    pub async fn view(&self, id: &str) -> Result<TransferView, NodeFault> {
        Ok(TransferView::of(&self.read(id).await?.0))
    }

    /// Where a transfer's data is and what opens it, for the consumer that fetches it.
    ///
    /// # Errors
    /// `transfer.open` where it is not STARTED.
    pub async fn address(&self, id: &str) -> Result<DataAddress, NodeFault> {
        let (transfer, _) = self.read(id).await?;
        let started = transfer.state() == StateName::Started;
        checks::OPEN.hold(started, || format!("it is {}", transfer.state()))?;
        let none = || checks::ADDRESS.refuse("nothing said where the data is");
        Ok(transfer.address().cloned().ok_or_else(none)?)
    }
}
