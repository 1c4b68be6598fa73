use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;
use tracing::warn;

use super::{Carried, Gatekeeper, Standing, kind, running};
use crate::check::Refusal;
use crate::credential::{checks as credentials, rfc3339};
use crate::encoding::{Digest, Timestamp};
use crate::gate::{Grant, checks};
use crate::identity::Thumbprint;
use crate::node::{NodeFault, Spending, Spent, chance};
use crate::policy::checks as policy;

/// A token as the gate keeps it: its hash and what it opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    /// `H(token)`.
    pub id: Digest,
    pub grant: Grant,
    /// `H(presentation)` that it was given out for.
    pub presentation: Digest,
    #[serde(with = "rfc3339")]
    pub expires: Timestamp,
    /// The key that it is bound to; a bearer token has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Thumbprint>,
    /// The purpose that was declared with the presentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// A request whose token opens what it asks for.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// What it opens.
    pub grant: Grant,
    /// The purpose that was declared with the presentation.
    pub purpose: Option<String>,
    /// The key that the token is bound to.
    pub key: Option<Thumbprint>,
    pub(super) token: Digest,
    pub(super) presentation: Digest,
    pub(super) expires: Timestamp,
    pub(super) standing: watch::Receiver<Standing>,
}

impl Gatekeeper {
    /// Holds a request for `asset` to its token and, where that is bound to a key, to a proof of it; by the contract's
    /// and the chain's standing of this moment.
    ///
    /// # Errors
    /// `Refused`: `gate.token.*`, `gate.proof.*`, `gate.chain.*`, `gate.head.stale`, `force.*`, `policy.constraint` where
    /// the terms have run out; logged in full.
    pub async fn check(&self, carried: &Carried<'_>, asset: &str) -> Result<Admitted, NodeFault> {
        let checked = self.admitted(carried, asset).await;
        if let Err(NodeFault::Refused(Refusal { check, detail })) = &checked {
            warn!(check = check.id(), detail, asset, "a token was refused");
        }
        checked
    }

    async fn admitted(&self, carried: &Carried<'_>, asset: &str) -> Result<Admitted, NodeFault> {
        let now = chance::now()?;
        let admitted = self.opened(carried.token()?, asset, now)?;
        self.prove(carried, admitted.key.as_ref(), now).await?;
        Ok(admitted)
    }

    fn opened(&self, token: &str, asset: &str, now: Timestamp) -> Result<Admitted, Refusal> {
        // Looked up by its hash, so that the time of the look-up says nothing about a token that is near.
        let id = Digest::of(token);
        let open = self.lock();
        let unknown = || checks::TOKEN_UNKNOWN.refuse("no such token");
        let kept = open.tokens.get(&id).ok_or_else(unknown)?;
        if let Some(until) = kept.grant.until {
            let moment = running::moment(&self.timepiece, now);
            policy::POLICY_CONSTRAINT.hold(moment < until, || format!("the terms ran out at {until}"))?;
        }
        checks::TOKEN_EXPIRED.hold(now < kept.expires, || format!("it ran out at {}", kept.expires))?;
        let contract = open.contracts.get(&kept.grant.core).ok_or_else(unknown)?;
        contract.standing.borrow().hold()?;
        let exp = kept.grant.exp;
        credentials::FORCE_EXPIRED.hold(now < exp, || format!("exp {exp}, it is {now}"))?;
        checks::TOKEN_ASSET
            .hold(kept.grant.asset == asset, || format!("for `{}`, asked for is `{asset}`", kept.grant.asset))?;
        open.chain.hold(&self.settings, now)?;
        Ok(Admitted {
            grant: kept.grant.clone(),
            purpose: kept.purpose.clone(),
            key: kept.key.clone(),
            token: id,
            presentation: kept.presentation,
            expires: kept.expires,
            standing: contract.standing.subscribe(),
        })
    }

    /// Counts a use, where the terms count them, and spends its token in the same step: before the first byte goes out, and
    /// after all that can fail here, so that nobody pays for a fault of this gate. Durable.
    ///
    /// A token is one use and serves one delivery; of a directory, it serves each file once: `part` names the file below the
    /// asset's path, which is empty for the list of them.
    ///
    /// # Errors
    /// `gate.token.spent`, `gate.token.expired`, `policy.constraint` where others had the last use meanwhile; when the store
    /// fails.
    pub async fn spend(&self, admitted: &Admitted, part: Option<&str>) -> Result<(), NodeFault> {
        if !admitted.grant.counts_uses {
            return Ok(());
        }
        let spent = self.spent(admitted, part).await;
        if let Err(NodeFault::Refused(Refusal { check, detail })) = &spent {
            warn!(check = check.id(), detail, contract = %admitted.grant.contract_id, "a token was refused");
        }
        spent
    }

    async fn spent(&self, admitted: &Admitted, part: Option<&str>) -> Result<(), NodeFault> {
        let Admitted { grant, expires, .. } = admitted;
        // Its marks are cleared away once it has run out.
        let now = chance::now()?;
        checks::TOKEN_EXPIRED.hold(now < *expires, || format!("it ran out at {expires}"))?;
        let (token, core) = (admitted.token.hex(), grant.core.hex());
        let (whole, until) = (json!(grant.core), json!(expires));
        let part = part.map(|part| Digest::of(format!("{token} {part}")).hex());
        let use_of_it = (kind::SPENT, token.as_str(), &whole);
        let (once, within) = match &part {
            Some(part) => ((kind::SPENT_PART, part.as_str(), &until), Some(use_of_it)),
            None => (use_of_it, None),
        };
        let limit = grant.uses.unwrap_or(u64::MAX);
        match self.store.spend(&Spending { once, within, counter: (kind::USES, &core), limit }).await? {
            Spent::Now => Ok(()),
            Spent::Before => Err(checks::TOKEN_SPENT.refuse("this token has served this delivery").into()),
            Spent::NoneLeft => {
                Err(policy::POLICY_CONSTRAINT.refuse(format!("{limit} uses were counted before this one")).into())
            }
        }
    }
}
