use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;
use tracing::warn;

use super::{Carried, Gatekeeper, Standing, kind};
use crate::check::Refusal;
use crate::credential::{checks as credentials, rfc3339};
use crate::encoding::{Digest, Timestamp};
use crate::gate::{Grant, checks};
use crate::identity::Thumbprint;
use crate::node::{NodeFault, chance};

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
    pub(super) standing: watch::Receiver<Standing>,
}

impl Gatekeeper {
    /// Holds a request for `asset` to its token and, where that is bound to a key, to a proof of it; by the contract's
    /// and the chain's standing of this moment.
    ///
    /// # Errors
    /// `Refused`: `gate.token.*`, `gate.proof.*`, `gate.chain.*`, `gate.head.stale`, `force.*`; logged in full.
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
            standing: contract.standing.subscribe(),
        })
    }

    /// Spends the token of terms that count uses: it serves one delivery. Durable.
    ///
    /// # Errors
    /// `gate.token.spent`; when the store fails.
    pub async fn spend(&self, admitted: &Admitted) -> Result<(), NodeFault> {
        if !admitted.grant.counts_uses {
            return Ok(());
        }
        let first = self.store.put_once(kind::SPENT, &admitted.token.hex(), &json!(admitted.grant.core)).await?;
        let held = checks::TOKEN_SPENT.hold(first, || "this token has served its delivery".into());
        if let Err(refusal) = &held {
            warn!(check = refusal.check.id(), contract = %admitted.grant.contract_id, "a token was refused");
        }
        Ok(held?)
    }
}
