//! Who signs: DIDs, keys, signatures, and the line between what was received and what was verified.

pub mod checks;
mod did;
mod document;
mod jws;
mod key;
mod signer;
mod verified;

pub use did::{Did, DidUrl, Method};
pub use document::{DidDocument, Documents, Service};
pub use jws::{Header, Jws, MAX_JWS, sign_jws, sign_token, verify_signed_by};
pub use key::{Algorithm, Jwk, PublicKey, Thumbprint, low_s};
pub use signer::{SecretKey, Signer, SigningFailed};
pub use verified::{Unverified, Verified};
