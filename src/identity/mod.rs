//! Who signs: DIDs, keys, signatures, and the line between what was received and what was verified.

pub mod checks;
mod did;
mod document;
mod documents;
mod jws;
mod key;
mod signer;
mod verified;
mod web;

pub use did::{Did, DidUrl, Method};
pub use document::{DidDocument, FormerKey, Service};
pub use documents::Documents;
pub use jws::{Header, Jws, MAX_JWS, sign_jws, sign_token, verify_signed_by};
pub use key::{Algorithm, Jwk, PublicKey, Thumbprint, low_s};
pub use signer::{SecretKey, Signer, SigningFailed};
pub use verified::{Unverified, Verified};
pub use web::MAX_DOCUMENT;
