use crate::check::Refusal;
use crate::identity::SigningFailed;

/// Why a party's own act did not come about.
#[derive(Debug, thiserror::Error)]
pub enum NotSigned {
    /// What was to be signed breaks a rule; the other side would refuse it by the same check.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The key could not be used.
    #[error(transparent)]
    Failed(#[from] SigningFailed),
}
