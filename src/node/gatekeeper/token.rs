use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::watch;
use tracing::warn;

use super::{Gatekeeper, Standing, kind};
use crate::check::Refusal;
use crate::credential::{checks as credentials, rfc3339};
use crate::encoding::{Digest, Timestamp};
use crate::gate::{Grant, checks};
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
}

/// A request whose token opens what it asks for.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// What it opens.
    pub grant: Grant,
    pub(super) token: Digest,
    pub(super) presentation: Digest,
    pub(super) standing: watch::Receiver<Standing>,
}

impl Gatekeeper {
    /// Holds a request for `asset` to its bearer token, by the contract's and the chain's standing of this moment.
    ///
    /// # Errors
    /// `Refused`: `gate.token.*`, `gate.chain.*`, `gate.head.stale`, `force.*`; logged in full.
    pub fn check(&self, token: Option<&str>, asset: &str) -> Result<Admitted, NodeFault> {
        let checked = self.admitted(token, asset);
        if let Err(NodeFault::Refused(Refusal { check, detail })) = &checked {
            warn!(check = check.id(), detail, asset, "a token was refused");
        }
        checked
    }

    fn admitted(&self, token: Option<&str>, asset: &str) -> Result<Admitted, NodeFault> {
        let now = chance::now()?;
        let token = token.ok_or_else(|| checks::TOKEN_MISSING.refuse("no bearer token"))?;
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
