use super::{Account, Core, Entry, Mark, Sighting, checks};
use crate::check::{Refusal, Trail};
use crate::encoding::Timestamp;

/// Rule R (`protocol.md` 5), applied to what the registry said at a finalised block; permanent once it holds.
///
/// `finalised.withdrawn` has to be about the acceptance's `withdrawal_account`; without such an account it is not read.
///
/// # Errors
/// `rule.*`: the condition that does not hold.
pub fn concluded(core: &Core, finalised: &Sighting, trail: &mut Trail) -> Result<Entry, Refusal> {
    about(core, finalised, trail)?;
    let entry = finalised.entry.as_ref().ok_or_else(|| checks::RULE_MISSING.refuse("the registry holds no entry"))?;
    trail.held(&checks::RULE_MISSING);
    stands(core, entry, trail)?;
    trail.hold(&checks::RULE_FINAL, entry.block <= finalised.head.number, || {
        format!("the entry stands in block {}, final is {}", entry.block, finalised.head.number)
    })?;
    trail.hold(&checks::RULE_HASH, entry.hash == core.hash, || {
        format!("{} is recorded, the core's hash is {}", entry.hash, core.hash)
    })?;
    trail.hold(&checks::RULE_TIME, entry.block_time <= core.claims.record_by, || {
        format!("recorded at {}, record_by {}", entry.block_time, core.claims.record_by)
    })?;
    let before = |mark: &Mark| (mark.block, mark.log_index) < (entry.block, entry.log_index);
    trail.hold(&checks::RULE_ENDED, !finalised.ended.as_ref().is_some_and(before), || {
        "the recorder ended the contract before it recorded it".into()
    })?;
    let withdrawn = core.acceptance.withdrawal_account.is_some() && finalised.withdrawn.as_ref().is_some_and(before);
    trail.hold(&checks::RULE_WITHDRAWN, !withdrawn, || "the consumer withdrew before the entry".into())?;
    Ok(entry.clone())
}

/// Holds the entry that a file states to the one that the registry shows.
///
/// Identities were judged at the stated block's time, so a file could choose that time if nobody looked.
///
/// # Errors
/// `entry.stated`.
pub fn stated(stated: &Entry, shown: &Entry, trail: &mut Trail) -> Result<(), Refusal> {
    trail.hold(&checks::FILE_ENTRY_STATED, stated == shown, || {
        format!(
            "the file states transaction {}, log {} in block {} ({}) of {}, the registry shows transaction {}, log {} in block {} ({}) of {}",
            stated.transaction, stated.log_index, stated.block, stated.block_hash, stated.block_time,
            shown.transaction, shown.log_index, shown.block, shown.block_hash, shown.block_time
        )
    })
}

/// Whether a concluded contract is in force as of `now`: not ended, not withdrawn in any block seen, not past `exp`.
///
/// # Errors
/// `rule.*` when the sighting is about another contract, `force.*` otherwise.
pub fn in_force(core: &Core, latest: &Sighting, now: Timestamp, trail: &mut Trail) -> Result<(), Refusal> {
    about(core, latest, trail)?;
    if let Some(entry) = &latest.entry {
        stands(core, entry, trail)?;
    }
    trail.hold(&checks::FORCE_ENDED, latest.ended.is_none(), || {
        latest.ended.map_or_else(String::new, |mark| format!("ended at {}, reason {}", mark.at, mark.reason))
    })?;
    let withdrawn = latest.withdrawn.filter(|_| core.acceptance.withdrawal_account.is_some());
    trail.hold(&checks::FORCE_WITHDRAWN, withdrawn.is_none(), || {
        withdrawn.map_or_else(String::new, |mark| format!("withdrawn at {}, reason {}", mark.at, mark.reason))
    })?;
    trail.hold(&checks::FORCE_EXPIRED, now < core.claims.exp, || format!("exp {}, it is {now}", core.claims.exp))
}

/// What was asked has to be this very contract's place; a sighting of another place says nothing about it.
fn about(core: &Core, sighting: &Sighting, trail: &mut Trail) -> Result<(), Refusal> {
    let claims = &core.claims;
    place(core, sighting.chain_id, sighting.registry, sighting.recorder, trail)?;
    trail.hold(&checks::RULE_CONTRACT, sighting.contract_id == claims.contract_id, || {
        format!("looked up {}, the contract is {}", sighting.contract_id, claims.contract_id)
    })
}

fn stands(core: &Core, entry: &Entry, trail: &mut Trail) -> Result<(), Refusal> {
    place(core, entry.chain_id, entry.registry, entry.recorder, trail)
}

fn place(core: &Core, chain: u64, registry: Account, recorder: Account, trail: &mut Trail) -> Result<(), Refusal> {
    let (urn, named) = (core.claims.registry, core.claims.recorder);
    trail.hold(&checks::RULE_CHAIN, chain == urn.chain_id, || format!("chain {chain}, expected {}", urn.chain_id))?;
    trail.hold(&checks::RULE_REGISTRY, registry == urn.address, || {
        format!("registry {registry}, expected {}", urn.address)
    })?;
    trail.hold(&checks::RULE_RECORDER, recorder == named, || format!("recorder {recorder}, expected {named}"))
}
