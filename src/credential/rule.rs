use super::{Core, Entry, Sighting};
use crate::check::{Refusal, Trail};
use crate::encoding::Timestamp;

/// Rule R (`protocol.md` 5), applied to what the registry said at a finalised block; permanent once it holds.
///
/// `finalised.withdrawn` has to be about the acceptance's `withdrawal_account`; without such an account it is not read.
///
/// # Errors
/// `rule.*`: the condition that does not hold.
pub fn concluded(core: &Core, finalised: &Sighting, trail: &mut Trail) -> Result<Entry, Refusal> {
    let _ = (core, finalised, trail);
    todo!()
}

/// Whether a concluded contract is in force as of `now`: not ended, not withdrawn in any block seen, not past `exp`.
///
/// # Errors
/// `rule.*` when the sighting is about another contract, `force.*` otherwise.
pub fn in_force(core: &Core, latest: &Sighting, now: Timestamp, trail: &mut Trail) -> Result<(), Refusal> {
    let _ = (core, latest, now, trail);
    todo!()
}
