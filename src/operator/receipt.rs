use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Audit, checks};
use crate::check::{Refusal, Trail};
use crate::credential::vocabulary::TYP_FEE_RECEIPT;
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, Documents, Jws, Signer, SigningFailed, Verified, sign_jws, verify_signed_by};
use crate::policy::Money;

/// An operator's signed word that it audited a statement, and what came of it: the payload of a JWS of typ
/// `countersign-statement-receipt+jwt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The operator.
    pub iss: Did,
    /// The provider.
    pub aud: Did,
    /// When it was audited.
    pub iat: Timestamp,
    /// `b64u(H(statement))`.
    pub statement_sha256: String,
    /// The first second of the period.
    pub from: Timestamp,
    /// The first second after the period.
    pub until: Timestamp,
    /// How many fees are due.
    pub entries: u64,
    /// Their sum per currency.
    pub totals: Vec<Money>,
    /// How many problems there are.
    pub problems: u64,
}

impl Receipt {
    /// The operator's act: signs what came of an audit.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn sign(audit: &Audit, operator: &dyn Signer) -> Result<String, SigningFailed> {
        let receipt = Self {
            iss: operator.did().clone(),
            aud: audit.provider.clone(),
            iat: audit.at,
            statement_sha256: audit.id.clone(),
            from: audit.from,
            until: audit.until,
            entries: audit.entries.len() as u64,
            totals: audit.totals.clone(),
            problems: audit.problems.len() as u64,
        };
        sign_jws(operator, TYP_FEE_RECEIPT, true, json!(receipt).to_string().as_bytes())
    }

    /// Verifies the receipt that one of `operators` gave `provider` for `statement`.
    ///
    /// # Errors
    /// `operator.receipt`, `jws.*`, `did.*`, `encoding.*`.
    pub fn verify(
        text: &str,
        operators: &[Did],
        provider: &Did,
        statement: &str,
        documents: &Documents,
        trail: &mut Trail,
    ) -> Result<Verified<Receipt>, Refusal> {
        let jws = Jws::parse(text)?;
        let receipt: Self = serde_json::from_value(Value::Object(jws.claims()?))
            .map_err(|cause| checks::RECEIPT.refuse(cause.to_string()))?;
        verify_signed_by(&jws, TYP_FEE_RECEIPT, &receipt.iss, documents, trail)?;
        let sha256 = Digest::of(statement).b64u();
        let expected =
            operators.contains(&receipt.iss) && receipt.aud == *provider && receipt.statement_sha256 == sha256;
        trail.hold(&checks::RECEIPT, expected, || {
            format!(
                "by {} to {} about {}, expected one of the operators to {provider} about {sha256}",
                receipt.iss, receipt.aud, receipt.statement_sha256
            )
        })?;
        Ok(Verified::vouched(receipt))
    }
}
