//! Plain mode: a negotiation of the Dataspace Protocol with a party that knows nothing of credentials (`protocol.md` 10).
//!
//! Its arrows, its log and its evidence are its own: a plain agreement is a [`Plain`], never a countersigned contract.

mod arrows;
mod decide;
mod event;
mod participant;
mod state;
mod terms;
#[cfg(test)]
mod tests;

pub use arrows::arrow;
pub use event::{Event, Opening, Parties, Said, Word};
pub use participant::{NoParticipant, ParticipantId};
pub use state::{Ending, Entered, Negotiation, Offered, Plain, State};
pub use terms::{Differences, differences, same_terms};
