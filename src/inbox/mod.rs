//! The encrypted inbox: DIDComm v2.1 messages, signed by their sender and sealed for one recipient.
//!
//! What moves a negotiation is made as `anoncrypt(sign(plaintext))`: the signature stays provable after the envelope is
//! opened, and nobody on the way learns who writes. [`seal`] makes it, [`Sealed::open`] takes the envelope off, and
//! [`Opened::verify`] turns what was inside into a [`Message`] that may be acted on. Traffic with a mediator is `authcrypt`
//! ([`seal_from`], [`Plain::verify`]), which nobody can prove to others; a [`Forward`] is anonymous.

mod agreement;
pub mod checks;
mod contact;
mod content;
mod envelope;
mod forward;
mod header;
mod invitation;
mod jwe;
mod jws;
pub mod mediation;
mod message;
mod plain;
mod signed;
#[cfg(test)]
mod tests;

pub use agreement::{AgreementKey, AgreementPublic, AgreementSecret, Curve, agreement_keys_of};
pub use contact::Contact;
pub use envelope::{
    Contents, MAX_OUTER, SealFailed, Sealed, addressed_to, decrypt, seal, seal_from, seal_signed, seal_text,
};
pub use forward::{Forward, MAX_HOPS, wrap};
pub use invitation::Invitation;
pub use jwe::{Envelope, MAX_ENVELOPE};
pub use jws::GeneralJws;
pub use mediation::asks_a_mediator;
pub use message::{Attachment, MAX_PLAINTEXT, Message};
pub use plain::Plain;
pub use signed::{Opened, sign};
