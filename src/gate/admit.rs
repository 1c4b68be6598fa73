use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Challenge, ChallengeKey, GatePolicy, GuardedAsset, Known, MAX_TOKEN_TTL, Shown, checks};
use crate::check::{Refusal, Trail};
use crate::credential::{
    Account, Asset, ContractId, Core, Presented, Sighting, checks as credentials, concluded, in_force,
    verify_presentation, verify_presentation_again,
};
use crate::encoding::{self, Digest, Timestamp};
use crate::identity::Thumbprint;
use crate::policy::{Facts, Policy};

/// The longest purpose, in bytes.
const MAX_PURPOSE: usize = 2048;

/// The answer to a challenge (`protocol.md` 8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// `<issuer JWT>~<acceptance KB-JWT>`.
    pub core: String,
    /// `<issuer JWT>~D…~<KB-JWT>`, disclosing `asset` and `terms`.
    pub presentation: String,
    /// The purpose that the consumer declares, for terms that ask for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
}

/// A contract whose consumer answered a challenge; nothing is known of the registry yet.
#[derive(Clone, Debug)]
pub struct Recognised {
    /// The contract.
    pub known: Arc<Known>,
    /// The challenge that was answered.
    pub challenge: Challenge,
    /// What it is about, as guarded here.
    pub asset: GuardedAsset,
    /// What was shown: the asset as the contract names it, and the terms.
    pub shown: Arc<Shown>,
    /// The declared purpose.
    pub purpose: Option<String>,
}

/// A contract as a gate judges it, by whatever way it got to know what the contract is about, and on what terms.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The contract.
    pub known: &'a Known,
    /// What it is about, as guarded here.
    pub asset: &'a GuardedAsset,
    /// Its terms.
    pub terms: &'a Policy,
    /// The declared purpose.
    pub purpose: Option<&'a str>,
}

/// What is known about earlier uses of a contract here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many there were.
    pub uses: u64,
    /// When the first one was.
    pub first_use: Option<Timestamp>,
}

/// What a gate opens, and what closes it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The contract.
    pub contract_id: ContractId,
    /// `H(core)`.
    pub core: Digest,
    /// The asset's IRI.
    pub asset: String,
    /// The asset's SHA-256, hexadecimal.
    pub asset_sha256: String,
    /// Thumbprint of the consumer's one-time key.
    pub consumer_key: Thumbprint,
    /// Who recorded the contract.
    pub recorder: Account,
    /// Whose `withdraw` counts.
    pub account: Option<Account>,
    /// The offer's `iat`: the entry is no older.
    pub since: Timestamp,
    /// End of the contract.
    pub exp: Timestamp,
    /// Whether the terms count uses, so that one token is one use.
    pub counts_uses: bool,
    /// When the terms run out, before the contract does; what runs is cut then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// From how many uses on there is none left for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
}

/// Takes an answer as far as it can be judged without the registry: core, presentation, challenge, asset, terms.
///
/// `known` is the core if it was verified before, or verified for this; its text has to be the answer's.
///
/// # Errors
/// `gate.provider`, `gate.purpose`, `presentation.*`, `kb.*`, `jws.*`, `sdjwt.*`, `gate.challenge.*`, `gate.asset.*`,
/// `gate.terms.disclosed`, `gate.registry`, `gate.recorder`, `policy.*`.
pub fn recognise(
    answer: &Answer,
    known: Arc<Known>,
    policy: &GatePolicy,
    key: &ChallengeKey,
    now: Timestamp,
    trail: &mut Trail,
) -> Result<Recognised, Refusal> {
    let core = &known.core;
    credentials::CORE_FORM.hold(core.text == answer.core, || "the core is not the answer's".into())?;
    provided(core, policy, trail)?;
    if let Some(purpose) = &answer.purpose {
        let sayable = !purpose.is_empty() && purpose.len() <= MAX_PURPOSE && !purpose.contains(char::is_control);
        trail.hold(&checks::PURPOSE, sayable, || format!("a purpose of {} bytes", purpose.len()))?;
    }
    let nonce = nonce(&answer.presentation)?;
    let presentation = &answer.presentation;
    let (challenge, shown) = match shown_again(presentation, &known, policy, &nonce, now, trail)? {
        Some(shown) => (key.recognise(&nonce, &policy.origin, now, trail)?, shown),
        None => {
            let presented = verify_presentation(presentation, core, &policy.origin, &nonce, now, trail)?;
            let challenge = key.recognise(&nonce, &policy.origin, now, trail)?;
            let shown = Arc::new(Shown::new(presentation, presented)?);
            // Somebody else may have been first; both were verified.
            let _ = known.shown.set(Arc::clone(&shown));
            (challenge, shown)
        }
    };
    trail.held(&checks::ASSET_DISCLOSED);
    trail.held(&checks::TERMS_DISCLOSED);
    let asset = guarded(core, &shown.asset, policy, trail)?.clone();
    Ok(Recognised { challenge, asset, shown, purpose: answer.purpose.clone(), known })
}

impl Recognised {
    /// Judges the contract by what the registry says and by its terms, as [`Case::admit`] does.
    ///
    /// # Errors
    /// Those of [`Case::admit`].
    pub fn admit(
        &self,
        policy: &GatePolicy,
        finalised: &Sighting,
        latest: &Sighting,
        usage: Usage,
        now: Timestamp,
        trail: &mut Trail,
    ) -> Result<Grant, Refusal> {
        self.case().admit(policy, finalised, latest, usage, now, trail)
    }

    /// What is judged of it.
    pub fn case(&self) -> Case<'_> {
        let purpose = self.purpose.as_deref();
        Case { known: &self.known, asset: &self.asset, terms: &self.shown.terms, purpose }
    }
}

impl Case<'_> {
    /// Judges the contract by what the registry says and by its terms.
    ///
    /// Opens on `finalised`, closes on `latest`; both are about the core's recorder, id and withdrawal account.
    /// The moment is the later one of `now` and the newest block's time, so that a clock that lags keeps nothing open.
    ///
    /// # Errors
    /// `rule.*`, `gate.not-final`, `force.*`, `gate.chain.disagreement`, `gate.head.stale`, `policy.*`.
    pub fn admit(
        &self,
        policy: &GatePolicy,
        finalised: &Sighting,
        latest: &Sighting,
        usage: Usage,
        now: Timestamp,
        trail: &mut Trail,
    ) -> Result<Grant, Refusal> {
        let core: &Core = &self.known.core;
        let entry = concluded(core, finalised, trail).map_err(|refusal| recorded_lately(refusal, core, latest))?;
        trail.held(&checks::NOT_FINAL);
        let moment = now.max(latest.head.time);
        still_open(core, finalised, latest, moment, trail)?;
        let same = latest.entry.as_ref().is_some_and(|seen| seen.hash == entry.hash);
        trail.hold(&checks::CHAIN_DISAGREEMENT, same, || {
            format!("final has {} in block {}, the newest block has not", entry.hash, entry.block)
        })?;
        fresh_head(finalised.head.time, policy.max_head_age, now, trail)?;
        let facts = Facts {
            uses: usage.uses,
            first_use: usage.first_use,
            purpose: self.purpose.map(str::to_owned),
            ..Facts::at(moment)
        };
        self.terms.permits("use", &facts)?;
        // What runs from the first use runs from `now` if this is it: that is what is kept of it.
        let begun = Facts { first_use: Some(usage.first_use.unwrap_or(now)), ..facts };
        let leeway = self.terms.leeway("use", &begun, MAX_TOKEN_TTL);
        Ok(Grant {
            contract_id: core.claims.contract_id,
            core: core.hash,
            asset: self.asset.id.clone(),
            asset_sha256: self.asset.sha256.clone(),
            consumer_key: self.known.consumer_key.clone(),
            recorder: core.claims.recorder,
            account: core.acceptance.withdrawal_account,
            since: core.claims.iat,
            exp: core.claims.exp,
            counts_uses: self.terms.counts_uses(),
            until: leeway.until,
            uses: leeway.uses,
        })
    }
}

/// Whether a contract is in force by the newest block and by the final one; an endpoint that lags says too little.
///
/// # Errors
/// `force.*`, `rule.*`, `gate.chain.disagreement`.
fn still_open(
    core: &Core,
    finalised: &Sighting,
    latest: &Sighting,
    moment: Timestamp,
    trail: &mut Trail,
) -> Result<(), Refusal> {
    in_force(core, latest, moment, trail)?;
    in_force(core, finalised, moment, trail)?;
    trail.hold(&checks::CHAIN_DISAGREEMENT, finalised.head.number <= latest.head.number, || {
        format!("final is block {}, the newest is block {}", finalised.head.number, latest.head.number)
    })
}

/// Holds the finalised head to the age that a gate accepts.
///
/// # Errors
/// `gate.head.stale`.
pub fn fresh_head(head: Timestamp, max_age: i64, now: Timestamp, trail: &mut Trail) -> Result<(), Refusal> {
    trail.hold(&checks::HEAD_STALE, now <= head.plus(max_age), || {
        format!("the finalised head is of {head}, it is {now}; the limit is {max_age} s")
    })
}

/// What a presentation shows, where it shows what an earlier one of this core showed; then only its KB-JWT is verified.
fn shown_again(
    presentation: &str,
    known: &Known,
    policy: &GatePolicy,
    nonce: &str,
    now: Timestamp,
    trail: &mut Trail,
) -> Result<Option<Arc<Shown>>, Refusal> {
    let Some(shown) = known.shown.get() else { return Ok(None) };
    let (core, aud) = (&known.core, &policy.origin);
    let again = verify_presentation_again(presentation, &shown.text, core, aud, nonce, now, trail)?;
    Ok(again.map(|()| Arc::clone(shown)))
}

impl Shown {
    fn new(presentation: &str, presented: Presented) -> Result<Self, Refusal> {
        let asset = presented.asset.ok_or_else(|| checks::ASSET_DISCLOSED.refuse("`asset` is not disclosed"))?;
        let terms = presented.terms.ok_or_else(|| checks::TERMS_DISCLOSED.refuse("`terms` is not disclosed"))?;
        let text = presentation.rsplit_once('~').map_or(presentation, |(shown, _)| &presentation[..=shown.len()]);
        Ok(Self { text: text.to_owned(), asset, terms: Policy::parse(&terms)? })
    }
}

/// An entry that only the newest block shows gets a check of its own: the caller has to wait, not to record.
fn recorded_lately(refusal: Refusal, core: &Core, latest: &Sighting) -> Refusal {
    match &latest.entry {
        Some(entry) if *refusal.check == credentials::RULE_MISSING && entry.hash == core.hash => {
            checks::NOT_FINAL.refuse(format!("recorded in block {}, which is not final yet", entry.block))
        }
        _ => refusal,
    }
}

/// Holds a contract to the providers whose data is guarded here.
///
/// # Errors
/// `gate.provider`.
pub fn provided(core: &Core, policy: &GatePolicy, trail: &mut Trail) -> Result<(), Refusal> {
    let iss = &core.claims.iss;
    trail.hold(&checks::PROVIDER, policy.providers.contains(iss), || {
        format!("a contract of {iss}, whose data is not guarded here")
    })
}

/// The guarded asset that a contract is about; the contract is recorded where this gate reads, by somebody whom it knows.
///
/// # Errors
/// `gate.asset.*`, `gate.registry`, `gate.recorder`.
pub fn guarded<'a>(
    core: &Core,
    asset: &Asset,
    policy: &'a GatePolicy,
    trail: &mut Trail,
) -> Result<&'a GuardedAsset, Refusal> {
    let claims = &core.claims;
    let guarded = policy.asset(&asset.id);
    let guarded = guarded.ok_or_else(|| checks::ASSET_GUARDED.refuse(format!("`{}` is not guarded here", asset.id)))?;
    trail.held(&checks::ASSET_GUARDED);
    trail.hold(&checks::ASSET_DIGEST, guarded.sha256 == asset.sha256, || {
        format!("the contract's asset has {}, the guarded one {}", asset.sha256, guarded.sha256)
    })?;
    trail.hold(&checks::ASSET_ENDPOINT, policy.endpoint(guarded) == asset.endpoint, || {
        format!("the contract's endpoint is {}, it is served at {}", asset.endpoint, policy.endpoint(guarded))
    })?;
    trail.hold(&checks::REGISTRY, claims.registry == policy.registry, || {
        format!("{}, trusted is {}", claims.registry, policy.registry)
    })?;
    let recorder = policy.recorders.is_empty() || policy.recorders.contains(&claims.recorder);
    trail.hold(&checks::RECORDER, recorder, || format!("the recorder {} is not known here", claims.recorder))?;
    Ok(guarded)
}

/// The nonce that a presentation claims to answer; nothing rests on it before signature and challenge are verified.
fn nonce(presentation: &str) -> Result<String, Refusal> {
    #[derive(Deserialize)]
    struct Claimed {
        nonce: String,
    }
    let missing = || credentials::KB_PRESENT.refuse("there is no KB-JWT");
    let (_, kb_jwt) = presentation.rsplit_once('~').filter(|(_, kb_jwt)| !kb_jwt.is_empty()).ok_or_else(missing)?;
    let payload = kb_jwt.split('.').nth(1).ok_or_else(missing)?;
    let claimed: Result<Claimed, _> = serde_json::from_slice(&encoding::decode(payload)?);
    claimed.map(|claimed| claimed.nonce).map_err(|_| credentials::KB_CLAIMS.refuse("the KB-JWT has no nonce"))
}
