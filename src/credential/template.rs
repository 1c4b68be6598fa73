use super::vocabulary::TYP_TEMPLATE;
use super::{NotSigned, Trust, checks};
use crate::check::{Refusal, Trail};
use crate::encoding::{Digest, Timestamp};
use crate::identity::{
    Did, Documents, Jws, Signer, Unverified, Verified, checks as signatures, sign_jws, verify_signed_by,
};
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
        Template::parse(template_bytes)?;
        Ok(sign_jws(operator, TYP_TEMPLATE, true, template_bytes)?)
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
        let approved = Self::read(approval, documents, at, trail)?;
        approved.approved(trust, trust.pinned.contains(&approved.operator), trail)?;
        Ok(Verified::vouched(approved))
    }

    /// Holds the approval to an operator of `trust`, unless `pinned` says that the parties stand for themselves.
    pub(super) fn approved(&self, trust: &Trust, pinned: bool, trail: &mut Trail) -> Result<(), Refusal> {
        trail.hold(&checks::TEMPLATE_ISSUER, trust.operators.contains(&self.operator) || pinned, || {
            format!("approved by {}, which is no pinned operator", self.operator)
        })
    }

    /// Verifies an approval by whoever signed it; whether that somebody counts is still to be judged.
    pub(super) fn read(
        approval: &Unverified<ApprovedTemplate>,
        documents: &Documents,
        at: Timestamp,
        trail: &mut Trail,
    ) -> Result<ApprovedTemplate, Refusal> {
        let jws = Jws::parse(approval.text())?;
        let kid = jws.header().kid.as_ref().ok_or_else(|| signatures::JWS_KID.refuse("kid is missing"))?;
        let operator = kid.did().clone();
        verify_signed_by(&jws, TYP_TEMPLATE, &operator, documents, trail)?;
        let template = Template::parse(jws.payload())?;
        trail.hold(&checks::TEMPLATE_WINDOW, template.nbf <= at && at < template.exp, || {
            format!("valid from {} to {}, judged at {at}", template.nbf, template.exp)
        })?;
        let hash = Digest::of(jws.payload()).b64u();
        Ok(ApprovedTemplate { template, hash, operator, approval: approval.text().to_owned() })
    }
}
