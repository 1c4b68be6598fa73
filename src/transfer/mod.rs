//! The transfer process of the Dataspace Protocol: five states, one table of arrows, events that are the log.
//!
//! A transfer moves data under an agreement that stands already. [`Transfer::decide`] and [`Transfer::apply`] are pure;
//! a [`Decision`] only has an effect once a store has committed it.

mod address;
pub mod arrows;
pub mod checks;
mod decide;
mod message;
mod process;

pub use address::{DataAddress, HTTP, PULL};
pub use arrows::{Kind, StateName, arrow};
pub use decide::{Command, Decision, Notice, Received};
pub use message::{Message, Reason, process_body};
pub use process::{Event, Moved, Opening, Transfer};
