//! The encrypted inbox: DIDComm v2.1 messages, signed by their sender and sealed for one recipient.
//!
//! One nesting is made and accepted, `anoncrypt(sign(plaintext))`: the signature stays provable after the envelope is
//! opened, and nobody on the way learns who writes. [`seal`] makes it, [`decrypt`] takes the envelope off, and
//! [`Opened::verify`] turns what was inside into a [`Message`] that may be acted on.

mod agreement;
pub mod checks;
mod contact;
mod content;
mod envelope;
mod jwe;
mod jws;
mod message;
mod signed;
#[cfg(test)]
mod tests;

pub use agreement::{AgreementKey, AgreementPublic, AgreementSecret, Curve, agreement_keys_of};
pub use contact::Contact;
pub use envelope::{SealFailed, addressed_to, decrypt, seal, seal_signed};
pub use jwe::{Envelope, MAX_ENVELOPE};
pub use jws::GeneralJws;
pub use message::{Attachment, MAX_PLAINTEXT, Message};
pub use signed::{Opened, sign};
