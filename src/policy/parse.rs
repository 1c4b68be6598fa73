use serde_json::Value;

use super::Policy;
use crate::check::Refusal;

impl Policy {
    /// Reads terms; what is not in the subset is refused, never skipped.
    ///
    /// # Errors
    /// `policy.context`, `policy.kind`, `policy.form`, `policy.rules`, `policy.action`, `policy.operand`,
    /// `policy.operator`, `policy.value`, `policy.size`.
    pub fn parse(_terms: &Value) -> Result<Self, Refusal> {
        todo!()
    }
}
