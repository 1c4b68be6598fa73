//! What four people do with it, told in the program's own commands and real processes: a provider's and a consumer's
//! contract desk, an operator's accountant, and the engineer in front of a data endpoint.

mod accountant;
mod consumer;
mod engineer;
mod membership;
#[path = "../support/passphrase.rs"]
mod passphrase;
mod plain;
mod proposal;
mod provider;
mod town;
