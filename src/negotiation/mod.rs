//! The negotiation machine: seven states, one table of arrows, events that are the log (`protocol.md` 6).
//!
//! [`Negotiation::decide`] and [`Negotiation::apply`] are pure. A [`Decision`] only has an effect once a store has
//! committed it; effects are repeated until they are done, so each of them is idempotent.

mod apply;
pub mod arrows;
pub mod checks;
mod decide;
mod event;
mod input;
mod paper;
mod proposal;
mod round;
pub mod plain;
mod state;

pub use apply::Corrupt;
pub use arrows::{Arrow, Kind, arrow};
pub use decide::{Decision, Effect, Notice};
pub use event::{Decider, Event};
pub use input::{Command, Input, Observation, Received};
pub use paper::{CorePaper, OfferPaper, RequestPaper};
pub use proposal::ProposalPaper;
pub use round::Round;
pub use state::{Act, Countersigned, Decided, Ending, Moved, Negotiation, Opening, Role, State, StateName};
