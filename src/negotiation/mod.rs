//! The negotiation machine.
