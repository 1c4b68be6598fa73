//! The three verdicts of `protocol.md` 7, each with the checks behind it.

use std::process::ExitCode;

use url::Url;

use super::checks;
use crate::check::{Check, Refusal, Trail};
use crate::courier::{AddressPolicy, WebResolver};
use crate::credential::checks as contract;
use crate::credential::{
    self, ContractFile, ContractId, Core, Entry, Head, Identity, Participant, Sighting, Trust, concluded, documents_of,
    in_force, proven,
};
use crate::encoding::Timestamp;
use crate::identity::{Did, DidUrl, Documents, Jws, Unverified, Verified};
use crate::node::port::{Depth, Registry as _, RegistryFault, Resolver as _};
use crate::registry::{Client, ClientConfig};

/// How old the newest block may be when something rests on what does not stand in the chain, in seconds.
const MAX_HEAD_AGE: i64 = 600;

/// How far the verdicts are to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// The first, without network.
    Proven,
    /// The first two.
    Concluded,
    /// All three.
    InForce,
}

/// What came of it; the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 0: every verdict that was asked for holds.
    Holds,
    /// 1: one does not.
    Refused,
    /// 2: there was nothing to judge.
    Unreadable,
    /// 3: the chain could not be asked, and nothing else spoke against the contract.
    Unanswered,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Holds => Self::SUCCESS,
            Outcome::Refused => Self::from(1),
            Outcome::Unreadable => Self::from(2),
            Outcome::Unanswered => Self::from(3),
        }
    }
}

/// One verdict: the checks that held, in their order, and the one that did not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Each check that held, once.
    pub held: Vec<&'static Check>,
    /// Why the verdict does not hold; it holds without one.
    pub refusal: Option<Refusal>,
}

impl Verdict {
    fn of<T>(trail: &Trail, result: Result<T, Refusal>) -> (Self, Option<T>) {
        let (value, refusal) = match result {
            Ok(value) => (Some(value), None),
            Err(refusal) => (None, Some(refusal)),
        };
        let mut held: Vec<&'static Check> = Vec::new();
        for &check in trail.checks() {
            // A check that held for one signature and failed for another did not hold.
            let failed = refusal.as_ref().is_some_and(|refusal| refusal.check == check);
            if !failed && !held.contains(&check) {
                held.push(check);
            }
        }
        (Self { held, refusal }, value)
    }

    /// Whether it holds.
    pub fn holds(&self) -> bool {
        self.refusal.is_none()
    }
}

/// A party and why it is believed to be who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// Its DID.
    pub did: Did,
    /// Its name in law.
    pub legal_name: String,
    /// Who vouches: the issuer of its participant credential.
    pub issuer: Did,
    /// Because of an operator, or because it is pinned itself.
    pub identity: Identity,
}

impl Identified {
    fn of(participant: &Participant) -> Self {
        Self {
            did: participant.did.clone(),
            legal_name: participant.legal_name.clone(),
            issuer: participant.issuer.clone(),
            identity: participant.identity,
        }
    }
}

/// What is to be said about a contract file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// The contract, as the file names it.
    pub contract_id: ContractId,
    /// Offline: signatures, identities, binding, template, terms, fee, and the entry as the file states it.
    pub proven: Verdict,
    /// Rule R, from the chain; `None` when it was not asked.
    pub concluded: Option<Verdict>,
    /// Not ended, not withdrawn, not past `exp`; `None` when it was not asked.
    pub in_force: Option<Verdict>,
    /// Provider and consumer, once they are proven; before that an identity is claimed, no more.
    pub identities: Option<[Identified; 2]>,
    /// The entry as the chain shows it, once rule R holds.
    pub entry: Option<Entry>,
    /// The block that `in_force` was judged at.
    pub latest: Option<Head>,
}

impl Verdicts {
    /// What came of it, over the verdicts that were asked for.
    pub fn outcome(&self) -> Outcome {
        let asked = [Some(&self.proven), self.concluded.as_ref(), self.in_force.as_ref()];
        let refusals: Vec<&Refusal> = asked.into_iter().flatten().filter_map(|it| it.refusal.as_ref()).collect();
        if refusals.is_empty() {
            Outcome::Holds
        } else if refusals.iter().all(|refusal| [&checks::CHAIN, &checks::HEAD].contains(&refusal.check)) {
            Outcome::Unanswered
        } else {
            Outcome::Refused
        }
    }
}

/// Judges `file` by `trust`, as of `now`; `rpc`, if there is one, replaces the trust's endpoints and nothing else of it.
pub async fn verdicts(file: &ContractFile, trust: &Trust, rpc: &[Url], asked: Asked, now: Timestamp) -> Verdicts {
    verdicts_knowing(file, trust, rpc, asked, now, AddressPolicy::default()).await
}

/// As [`verdicts`], with did:web operators looked up where `policy` allows; those whose keys the trust names are not
/// looked up, nor is anybody when only the first verdict is asked for.
pub async fn verdicts_knowing(
    file: &ContractFile,
    trust: &Trust,
    rpc: &[Url],
    asked: Asked,
    now: Timestamp,
    policy: AddressPolicy,
) -> Verdicts {
    let at_hand = match trust.documents() {
        Ok(documents) if asked == Asked::Proven => Ok(documents),
        Ok(documents) => Ok(look_up(documents, file, trust, policy).await),
        Err(refusal) => Err(refusal),
    };
    let documents = at_hand.as_ref().map(|at_hand| documents_of(file, trust, at_hand)).unwrap_or_default();
    let (trail, result) = match at_hand.map(|at_hand| proven(file, trust, &at_hand)) {
        Ok(Ok(proven)) => (proven.trail.clone(), Ok(proven)),
        Ok(Err(not)) => (not.trail, Err(not.refusal)),
        Err(refusal) => (Trail::default(), Err(refusal)),
    };
    let (verdict, proven) = Verdict::of(&trail, result);
    let mut verdicts = Verdicts {
        contract_id: file.contract_id,
        proven: verdict,
        concluded: None,
        in_force: None,
        identities: proven.map(|proven| [&proven.offer.provider, &proven.offer.consumer].map(|it| Identified::of(it))),
        entry: None,
        latest: None,
    };
    if asked == Asked::Proven {
        return verdicts;
    }

    let mut trail = Trail::default();
    let result = conclude(file, trust, rpc, &documents, &mut trail).await;
    let (verdict, place) = Verdict::of(&trail, result);
    verdicts.concluded = Some(verdict.clone());
    let Some((core, chain, entry)) = place else {
        // What was never concluded is not in force, for the same reason.
        verdicts.in_force = (asked == Asked::InForce).then_some(Verdict { held: vec![], ..verdict });
        return verdicts;
    };
    verdicts.entry = Some(entry);
    if asked == Asked::InForce {
        let mut trail = Trail::default();
        let result = still_in_force(&core, &chain, now, &mut trail).await;
        let (verdict, latest) = Verdict::of(&trail, result);
        (verdicts.in_force, verdicts.latest) = (Some(verdict), latest);
    }
    verdicts
}

/// Adds the documents of those did:web operators and pinned parties that this file rests on. One that is not to be had
/// is missing where something rests on it.
async fn look_up(mut documents: Documents, file: &ContractFile, trust: &Trust, policy: AddressPolicy) -> Documents {
    let texts = file.participants.iter().map(Unverified::text).chain([file.template.approval.text()]);
    let kids = texts.filter_map(|text| Jws::parse(text.trim_end_matches('~')).ok()?.header().kid.clone());
    let mut wanted: Vec<DidUrl> = kids.filter(|kid| documents.key(kid).is_err()).collect();
    wanted.retain(|kid| trust.operators.contains(kid.did()) || trust.pinned.contains(kid.did()));
    let Ok(resolver) = WebResolver::new(policy) else { return documents };
    for kid in wanted {
        let known = documents.document(kid.did()).is_some();
        if let (false, Ok(document)) = (known, resolver.resolve(kid.did()).await) {
            documents.insert(document);
        }
    }
    documents
}

async fn conclude(
    file: &ContractFile,
    trust: &Trust,
    rpc: &[Url],
    documents: &Documents,
    trail: &mut Trail,
) -> Result<(Verified<Core>, Client, Entry), Refusal> {
    let core = Core::read(&file.core, documents, trail)?;
    let urn = core.claims.registry;
    let chain = trust.registry(&urn);
    let chain = chain.ok_or_else(|| contract::OFFER_REGISTRY.refuse(format!("{urn} is not among those trusted")))?;
    trail.held(&contract::OFFER_REGISTRY);
    let endpoints = if rpc.is_empty() {
        let read =
            |url: &String| Url::parse(url).map_err(|cause| checks::CHAIN.refuse(format!("an endpoint's URL: {cause}")));
        chain.rpc.iter().map(read).collect::<Result<_, _>>()?
    } else {
        rpc.to_vec()
    };
    let mut config = ClientConfig::new(urn, endpoints);
    config.code_hash = Some(chain.code_hash);
    let client = Client::connect(config).await.map_err(unanswered)?;
    trail.held(&checks::CODE);
    let finalised = sighting(&client, &core, Depth::Finalised).await?;
    trail.held(&checks::CHAIN);
    let entry = concluded(&core, &finalised, trail)?;
    credential::stated(&file.entry, &entry, trail)?;
    Ok((core, client, entry))
}

async fn still_in_force(core: &Core, chain: &Client, now: Timestamp, trail: &mut Trail) -> Result<Head, Refusal> {
    let latest = sighting(chain, core, Depth::Latest).await?;
    trail.held(&checks::CHAIN);
    in_force(core, &latest, now, trail)?;
    // An old block proves an end, and proves nothing against one.
    let head = latest.head;
    trail.hold(&checks::HEAD, now <= head.time.plus(MAX_HEAD_AGE), || {
        format!("block {} is of {}", head.number, head.time)
    })?;
    Ok(head)
}

async fn sighting(chain: &Client, core: &Core, depth: Depth) -> Result<Sighting, Refusal> {
    let (claims, account) = (&core.claims, core.acceptance.withdrawal_account);
    chain.sighting(depth, claims.recorder, claims.contract_id, account, claims.iat).await.map_err(unanswered)
}

fn unanswered(fault: RegistryFault) -> Refusal {
    match fault {
        RegistryFault::WrongRegistry(found) => checks::CODE.refuse(found),
        other => checks::CHAIN.refuse(other.to_string()),
    }
}
