//! The gate's decision: an answer to a challenge, what the registry says, the time → a grant or a refusal.
//!
//! Opens on what is final, closes on what is newest (`protocol.md` 8). Nothing here reads a clock, a chain or a store.

mod admit;
mod challenge;
pub mod checks;
mod forward;
mod known;
mod policy;
mod proof;
mod receipt;
mod sums;

pub use admit::{Answer, Case, Grant, Recognised, Usage, fresh_head, guarded, provided, recognise};
pub use challenge::{Challenge, ChallengeKey};
pub use forward::{of_origin, one_reading};
pub use known::{Known, KnownCores, Shown};
pub use policy::{GatePolicy, GuardedAsset, MAX_TOKEN_TTL};
pub use proof::{MAX_PROOF, PROOF_WITHIN, Proof, Proven, asks_for_proof};
pub use receipt::{ByteRange, Receipt};
pub use sums::{DIRECTORY, Listed, MAX_FILES, MAX_SUMS, SUMS, Sums, path_below, stays_below};
