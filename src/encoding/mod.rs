//! How things are written: strict base64url, strict JSON, canonical JSON, digests, times.
//!
//! Everything here refuses the second spelling of a value: what can be written in two ways has two hashes.

mod b64u;
pub mod checks;
mod digest;
mod json;
mod time;

pub use b64u::{decode, encode};
pub use digest::{Digest, Hasher};
pub use json::{Json, MAX_DEPTH, canonical, parse_json};
pub use time::Timestamp;
