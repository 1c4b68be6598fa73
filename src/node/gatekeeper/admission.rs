use std::sync::Arc;

use serde_json::json;
use tracing::{info, warn};

use super::token::Token;
use super::{Carried, Contract, Gatekeeper, Standing, kind, read};
use crate::check::{Refusal, Trail};
use crate::credential::Sighting;
use crate::encoding::{Digest, Timestamp, encode};
use crate::gate::{Answer, Case, Grant, GuardedAsset, Known, Recognised, Usage, checks, recognise};
use crate::identity::{Thumbprint, Unverified};
use crate::node::{Depth, NodeFault, RegistryFault, StoreFault, chance};

/// How often an admission is judged anew because another one of the same contract came in between.
const ATTEMPTS: usize = 8;

/// A granted admission.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The token: 256 random bits, base64url; the gate keeps its hash.
    pub token: String,
    /// The key that it is bound to; a bearer token has none.
    pub key: Option<Thumbprint>,
    /// Until when it is good.
    pub expires: Timestamp,
    /// What it opens.
    pub grant: Grant,
    /// The asset.
    pub asset: GuardedAsset,
    /// Its URL.
    pub url: String,
}

impl Gatekeeper {
    /// Judges an answer and, if it is granted, gives out a token; bound to the key of the request's DPoP proof, if it
    /// brings one.
    ///
    /// # Errors
    /// `Refused` with the check that denied it; a fault of the machine otherwise. Each is logged in full.
    pub async fn admit(&self, answer: &Answer, carried: &Carried<'_>) -> Result<Admission, NodeFault> {
        let admitted = self.judge(answer, carried).await;
        self.counts.judged(&admitted);
        match &admitted {
            Ok(Admission { grant, .. }) => {
                info!(contract = %grant.contract_id, asset = grant.asset, key = %grant.consumer_key, "admitted");
            }
            Err(NodeFault::Refused(Refusal { check, detail })) => {
                warn!(check = check.id(), detail, core = %Digest::of(&answer.core), "denied");
            }
            Err(fault) => warn!(%fault, "an admission failed"),
        }
        admitted
    }

    async fn judge(&self, answer: &Answer, carried: &Carried<'_>) -> Result<Admission, NodeFault> {
        self.timepiece.right().await?;
        let mut trail = Trail::default();
        let now = chance::now()?;
        let proof = self.key_asked_for(carried, now)?;
        let known = self.known(&answer.core, &mut trail).await?;
        let recognised = recognise(answer, known, &self.policy, &self.challenges, now, &mut trail)?;
        let core = recognised.known.core.hash;
        let place = self.hold_tokens(&core, now)?;
        self.consume(&recognised).await?;
        // After the presentation, so that strangers have nothing kept here.
        if let Some(proof) = &proof {
            self.take(proof).await?;
        }
        if let Some(refusal) = self.shut(&core).await? {
            return Err(refusal.into());
        }
        let (finalised, latest) = self.look(&recognised.known).await?;
        let now = chance::now()?;
        let grant = self.begin_using(recognised.case(), [&finalised, &latest], now, &mut trail).await?;
        let token = encode(chance::random::<32>()?);
        let expires = now.plus(self.settings.token_life(&grant)).min(grant.exp).min(grant.until.unwrap_or(grant.exp));
        let id = Digest::of(&token);
        let presentation = Digest::of(&answer.presentation);
        let (key, purpose) = (proof.map(|proof| proof.key), answer.purpose.clone());
        let kept = Token { id, grant: grant.clone(), presentation, expires, key: key.clone(), purpose };
        self.store.put(kind::CONTRACT, &core.hex(), &json!(answer.core)).await?;
        self.keep_presentation(core, answer, now).await?;
        self.store.put(kind::TOKEN, &id.hex(), &json!(kept)).await?;
        {
            let mut open = self.lock();
            let known = Arc::clone(&recognised.known);
            let contract = open.contracts.entry(core).or_insert_with(|| Contract::new(known, Standing::Open));
            let shut = match &*contract.standing.borrow() {
                Standing::Shut(refusal) => Some(refusal.clone()),
                _ => None,
            };
            place.take(&mut open);
            if let Some(refusal) = shut {
                return Err(refusal.into());
            }
            open.tokens.insert(id, kept);
        }
        let url = self.policy.endpoint(&recognised.asset);
        Ok(Admission { token, key, expires, grant, asset: recognised.asset, url })
    }

    /// The core, from memory if it was verified before.
    pub(super) async fn known(&self, text: &str, trail: &mut Trail) -> Result<Arc<Known>, NodeFault> {
        let cores = || self.cores.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = cores().find(text) {
            return Ok(known);
        }
        self.acquaint(text).await?;
        let known = Arc::new(Known::read(&Unverified::new(text), &self.documents(), trail)?);
        // Strangers' contracts are refused in the next step and take no room here.
        if self.policy.providers.contains(&known.core.claims.iss) {
            cores().keep(Arc::clone(&known));
        }
        Ok(known)
    }

    /// Marks the challenge as answered, for good.
    async fn consume(&self, recognised: &Recognised) -> Result<(), NodeFault> {
        let challenge = &recognised.challenge;
        let first = self.store.put_once(kind::NONCE, &challenge.nonce, &json!(challenge.expires)).await?;
        Ok(checks::CHALLENGE_REPLAYED.hold(first, || "this challenge was answered before".into())?)
    }

    /// What the chain says of a contract: final, and newest.
    pub(super) async fn look(&self, known: &Known) -> Result<(Sighting, Sighting), NodeFault> {
        let core = &known.core;
        let sighting = |depth| {
            let claims = &core.claims;
            let account = core.acceptance.withdrawal_account;
            self.registry.sighting(depth, claims.recorder, claims.contract_id, account, claims.iat)
        };
        // In this order: what becomes final meanwhile is in the newest block already.
        let finalised = sighting(Depth::Finalised).await.map_err(unreadable)?;
        let latest = sighting(Depth::Latest).await.map_err(unreadable)?;
        Ok((finalised, latest))
    }

    /// Judges the terms by the uses so far, and keeps when the first one began; again if another one began in between.
    ///
    /// Nothing is counted yet: what is counted is what is delivered (see [`Gatekeeper::spend`]).
    pub(super) async fn begin_using(
        &self,
        case: Case<'_>,
        seen: [&Sighting; 2],
        now: Timestamp,
        trail: &mut Trail,
    ) -> Result<Grant, NodeFault> {
        let id = case.known.core.hash.hex();
        for _ in 0..ATTEMPTS {
            let (grant, usage) = self.weigh(case, seen, now, trail).await?;
            // Before there is a token: whatever happens in between, no use goes by without its beginning.
            if self.store.put_once(kind::FIRST_USE, &id, &json!(now)).await? || usage.first_use.is_some() {
                return Ok(grant);
            }
        }
        Err(StoreFault::Moved.into())
    }

    /// Judges the terms by the uses so far; `seen` is what the chain says, final and newest.
    pub(super) async fn weigh(
        &self,
        case: Case<'_>,
        [finalised, latest]: [&Sighting; 2],
        now: Timestamp,
        trail: &mut Trail,
    ) -> Result<(Grant, Usage), NodeFault> {
        let id = case.known.core.hash.hex();
        let first_use = self.store.one(kind::FIRST_USE, &id).await?;
        let first_use = first_use.map(|at| read(kind::FIRST_USE, &id, at)).transpose()?;
        let usage = Usage { uses: self.store.counted(kind::USES, &id).await?, first_use };
        let mut grant = case.admit(&self.policy, finalised, latest, usage, now, trail)?;
        if let Some(copied) = &self.copied {
            let again = |usage| case.admit(&self.policy, finalised, latest, usage, now, &mut Trail::default());
            grant = copied.hold(grant, again)?;
        }
        Ok((grant, usage))
    }

    /// Why a contract was shut for good, if it was.
    pub(super) async fn shut(&self, core: &Digest) -> Result<Option<Refusal>, NodeFault> {
        let Some(value) = self.store.one(kind::SHUT, &core.hex()).await? else { return Ok(None) };
        let (check, detail): (String, String) = read(kind::SHUT, &core.hex(), value)?;
        Ok(Some(super::chain::shutting(&check).refuse(detail)))
    }
}

/// A fault of the chain as the denial that it is.
pub(super) fn unreadable(fault: RegistryFault) -> Refusal {
    let check = match &fault {
        RegistryFault::Disagreement(_) => &checks::CHAIN_DISAGREEMENT,
        RegistryFault::WrongRegistry(_) => &checks::REGISTRY,
        _ => &checks::CHAIN_UNREACHABLE,
    };
    check.refuse(fault.to_string())
}
