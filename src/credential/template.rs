use super::{NotSigned, Trust};
use crate::check::{Refusal, Trail};
use crate::encoding::Timestamp;
use crate::identity::{Did, Documents, Signer, Unverified, Verified};
use crate::policy::Template;

/// A template with the approval that makes it usable (`protocol.md` 1).
#[derive(Clone, Debug)]
pub struct ApprovedTemplate {
    /// The template.
    pub template: Template,
    /// `b64u(H(payload bytes))`, as offers name it.
    pub hash: String,
    /// Who approved it.
    pub operator: Did,
    /// The approval as sent: a compact JWS.
    pub approval: String,
}

impl ApprovedTemplate {
    /// The operator's act: signs the template's bytes as they are.
    ///
    /// # Errors
    /// [`NotSigned`] when the bytes are no template or the key cannot be used.
    pub fn approve(template_bytes: &[u8], operator: &dyn Signer) -> Result<String, NotSigned> {
        let _ = (template_bytes, operator);
        todo!()
    }

    /// Verifies an approval as of `at`, by an operator or a pinned party of `trust`.
    ///
    /// # Errors
    /// `template.*`, `jws.*`, `did.*`, `encoding.*`, and what reading a template refuses.
    pub fn verify(
        approval: &Unverified<ApprovedTemplate>,
        trust: &Trust,
        documents: &Documents,
        at: Timestamp,
        trail: &mut Trail,
    ) -> Result<Verified<ApprovedTemplate>, Refusal> {
        let _ = (approval, trust, documents, at, trail);
        todo!()
    }
}
