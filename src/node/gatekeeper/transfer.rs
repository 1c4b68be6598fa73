//! Contracts that open the data by a transfer of the Dataspace Protocol: this party's own wallet shows them, nobody
//! presents them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::token::Admitted;
use super::{Contract, Gatekeeper, Standing, kind, read};
use crate::check::Trail;
use crate::credential::Asset;
use crate::encoding::{Digest, Timestamp};
use crate::gate::{Case, Grant, Known, guarded, provided};
use crate::node::{NodeFault, chance};
use crate::policy::Policy;
use crate::transfer::checks;

/// A contract of this party's own wallet.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnContract {
    /// `<issuer JWT>~<acceptance KB-JWT>`.
    pub core: String,
    /// What it is about.
    pub asset: Asset,
    /// The ODRL Offer.
    pub terms: Value,
}

impl Gatekeeper {
    /// Holds a contract to all that a presentation of it would be held to but the challenge: what is guarded here, rule R
    /// at finality, in force in the newest block, and its terms at this moment.
    ///
    /// # Errors
    /// `Refused`: `transfer.counted`, and what else denies it.
    pub async fn would_open(&self, contract: &OwnContract) -> Result<(), NodeFault> {
        self.own(contract).await.map(|_| ())
    }

    /// The same, and opens the data to `token`, which `transfer` gave out: what is delivered is receipted under both, and
    /// cut when the contract is shut. Its first use begins with the first delivery: see [`Gatekeeper::begins`].
    ///
    /// # Errors
    /// As [`Gatekeeper::would_open`].
    pub async fn opens(&self, contract: &OwnContract, transfer: &str, token: Digest) -> Result<Admitted, NodeFault> {
        let (known, grant) = self.own(contract).await?;
        let presentation = Digest::of(format!("transfer {transfer}"));
        let now = chance::now()?;
        let opened = json!({ "core": grant.core, "transfer": transfer, "at": now });
        self.keep_transfer(grant.core, presentation, now, opened).await?;
        let mut open = self.lock();
        let kept = open.contracts.entry(grant.core).or_insert_with(|| Contract::new(known, Standing::Open));
        kept.standing.borrow().hold()?;
        let standing = kept.standing.subscribe();
        let expires = grant.until.unwrap_or(grant.exp).min(grant.exp);
        Ok(Admitted { grant, purpose: None, key: None, token, presentation, expires, standing })
    }

    /// When something that no contract stands behind was used first, by the name that it has here; `begins` is that moment
    /// if there was none. What is kept of it stays for good.
    ///
    /// # Errors
    /// When the store fails.
    pub(in crate::node) async fn first_use(
        &self,
        of: &str,
        begins: Option<Timestamp>,
    ) -> Result<Option<Timestamp>, NodeFault> {
        let id = Digest::of(of).hex();
        if let Some(now) = begins {
            self.store.put_once(kind::FIRST_USE, &id, &json!(now)).await?;
        }
        let kept = self.store.one(kind::FIRST_USE, &id).await?;
        Ok(kept.map(|at| read(kind::FIRST_USE, &id, at)).transpose()?)
    }

    /// Keeps when the contract was used first: now, unless it was before.
    ///
    /// # Errors
    /// When there is no time, or the store fails.
    pub async fn begins(&self, admitted: &Admitted) -> Result<(), NodeFault> {
        self.store.put_once(kind::FIRST_USE, &admitted.grant.core.hex(), &json!(chance::now()?)).await?;
        Ok(())
    }

    async fn own(&self, contract: &OwnContract) -> Result<(Arc<Known>, Grant), NodeFault> {
        self.timepiece.right().await?;
        let mut trail = Trail::default();
        let known = self.known(&contract.core, &mut trail).await?;
        provided(&known.core, &self.policy, &mut trail)?;
        let asset = guarded(&known.core, &contract.asset, &self.policy, &mut trail)?;
        let terms = Policy::parse(&contract.terms)?;
        checks::COUNTED.hold(!terms.counts_uses(), || {
            "the terms count uses, and the holder of the contract's key answers for each: ask the gate itself \
             (`countersign fetch`)"
                .into()
        })?;
        if let Some(refusal) = self.shut(&known.core.hash).await? {
            return Err(refusal.into());
        }
        let (finalised, latest) = self.look(&known).await?;
        let (case, seen) = (Case { known: &known, asset, terms: &terms, purpose: None }, [&finalised, &latest]);
        let now = chance::now()?;
        // Nothing is used yet: the first use is the first download.
        let (grant, _) = self.weigh(case, seen, now, &mut trail).await?;
        Ok((known, grant))
    }
}
