//! The node's clock and randomness; everything below takes both as arguments.

use crate::encoding::{Timestamp, encode};
use crate::node::NodeFault;

/// The time by this machine's clock.
///
/// # Errors
/// When the clock stands outside the years 2000 to 9999.
pub fn now() -> Result<Timestamp, NodeFault> {
    Timestamp::from_seconds(jiff::Timestamp::now().as_second()).map_err(NodeFault::Refused)
}

/// Random bytes of the operating system.
///
/// # Errors
/// When it has none to give.
pub fn random<const N: usize>() -> Result<[u8; N], NodeFault> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// Fills `bytes` with randomness of the operating system.
///
/// # Errors
/// When it has none to give.
pub fn fill(bytes: &mut [u8]) -> Result<(), NodeFault> {
    getrandom::fill(bytes).map_err(|_| NodeFault::NoRandomness)
}

/// A fresh `urn:uuid:`.
///
/// # Errors
/// When there is no randomness.
pub fn urn_uuid() -> Result<String, NodeFault> {
    Ok(format!("urn:uuid:{}", uuid()?))
}

/// A fresh random UUID.
///
/// # Errors
/// When there is no randomness.
pub fn uuid() -> Result<uuid::Uuid, NodeFault> {
    Ok(uuid::Builder::from_random_bytes(random()?).into_uuid())
}

/// A nonce of 128 random bits, base64url.
///
/// # Errors
/// When there is no randomness.
pub fn nonce() -> Result<String, NodeFault> {
    Ok(encode(random::<16>()?))
}

/// Does what needs a source of randomness that cannot fail, and fails afterwards when it did.
///
/// # Errors
/// What `act` returns; `NoRandomness` when the operating system had none to give.
pub fn drawing<T>(act: impl FnOnce(&mut dyn FnMut(&mut [u8])) -> Result<T, NodeFault>) -> Result<T, NodeFault> {
    let mut drawn = Ok(());
    let outcome = act(&mut |bytes: &mut [u8]| {
        if drawn.is_ok() {
            drawn = fill(bytes);
        }
    });
    drawn?;
    outcome
}
