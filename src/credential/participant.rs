use serde::{Deserialize, Serialize};

use super::{Identity, NotSigned, Trust};
use crate::check::{Refusal, Trail};
use crate::encoding::Timestamp;
use crate::identity::{Did, Documents, Signer, Thumbprint, Unverified, Verified};

/// A member as an operator vouches for it (`protocol.md` 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Who vouches.
    pub issuer: Did,
    /// The member.
    pub did: Did,
    /// Its name in law.
    pub legal_name: String,
    /// Its registration.
    pub legal_id: LegalId,
    /// ISO 3166-1 alpha-2 code.
    pub country: String,
    /// Thumbprints of the keys that it signs with.
    pub keys: Vec<Thumbprint>,
    /// CAIP-10 accounts that record for it.
    pub recorders: Vec<String>,
    /// When it was issued.
    pub iat: Timestamp,
    /// Valid from.
    pub nbf: Timestamp,
    /// Valid before.
    pub exp: Timestamp,
    /// `b64u(H(text))`, as offers name it.
    pub digest: String,
    /// The credential as sent, its tilde included.
    pub text: String,
    /// Why it is believed.
    pub identity: Identity,
}

/// A registration in law.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalId {
    /// For example `LEI`.
    pub scheme: String,
    /// The number.
    pub value: String,
}

/// What an operator says when it admits a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The member.
    pub did: Did,
    /// Its name in law.
    pub legal_name: String,
    /// Its registration.
    pub legal_id: LegalId,
    /// ISO 3166-1 alpha-2 code.
    pub country: String,
    /// Thumbprints of the keys that it signs with.
    pub keys: Vec<Thumbprint>,
    /// CAIP-10 accounts that record for it.
    pub recorders: Vec<String>,
    /// When it is issued.
    pub iat: Timestamp,
    /// Valid from.
    pub nbf: Timestamp,
    /// Valid before.
    pub exp: Timestamp,
}

impl Participant {
    /// The operator's act: signs a participant credential, `<issuer JWT>~`.
    ///
    /// # Errors
    /// [`NotSigned`] when the admission breaks a rule or the key cannot be used.
    pub fn admit(admission: &Admission, operator: &dyn Signer) -> Result<String, NotSigned> {
        let _ = (admission, operator);
        todo!()
    }

    /// Verifies a participant credential as of `at`.
    ///
    /// # Errors
    /// `participant.*`, `sdjwt.*`, `jws.*`, `did.*`, `encoding.*`.
    pub fn verify(
        text: &Unverified<Participant>,
        trust: &Trust,
        documents: &Documents,
        at: Timestamp,
        trail: &mut Trail,
    ) -> Result<Verified<Participant>, Refusal> {
        let _ = (text, trust, documents, at, trail);
        todo!()
    }
}
