use serde::{Deserialize, Serialize};
use serde_json::json;

use super::exact::exact;
use super::sd_jwt::Cut;
use super::vocabulary::{PARTICIPANT, TYP_CREDENTIAL};
use super::{Account, Identity, NotSigned, Trust, checks};
use crate::check::{Refusal, Trail};
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, Documents, Jws, Signer, Thumbprint, Unverified, Verified, sign_jws, verify_signed_by};

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
        let claims = Wire {
            iss: operator.did().clone(),
            sub: admission.did.clone(),
            vct: PARTICIPANT.into(),
            iat: admission.iat,
            nbf: admission.nbf,
            exp: admission.exp,
            legal_name: admission.legal_name.clone(),
            legal_id: admission.legal_id.clone(),
            country: admission.country.clone(),
            keys: admission.keys.clone(),
            recorders: admission.recorders.clone(),
        };
        claims.sound()?;
        let jwt = sign_jws(operator, TYP_CREDENTIAL, true, json!(claims).to_string().as_bytes())?;
        Ok(format!("{jwt}~"))
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
        let text = text.text();
        let cut = Cut::new(text)?;
        checks::PARTICIPANT_CLAIMS.hold(cut.disclosures.is_empty() && cut.key_binding.is_none(), || {
            format!("{} disclosures, key binding: {}", cut.disclosures.len(), cut.key_binding.is_some())
        })?;
        let jws = Jws::parse(cut.issuer_jwt)?;
        let claims: Wire = exact(&checks::PARTICIPANT_CLAIMS, jws.claims()?)?;
        claims.sound()?;
        trail.held(&checks::PARTICIPANT_CLAIMS);
        trail.hold(&checks::PARTICIPANT_VCT, claims.vct == PARTICIPANT, || format!("vct `{}`", claims.vct))?;
        let identity = trust.identity(&claims.iss, &claims.sub);
        let identity = identity.ok_or_else(|| {
            checks::PARTICIPANT_ISSUER.refuse(format!(
                "{} vouches for {}: neither an operator nor a party that is pinned",
                claims.iss, claims.sub
            ))
        })?;
        trail.held(&checks::PARTICIPANT_ISSUER);
        verify_signed_by(&jws, TYP_CREDENTIAL, &claims.iss, documents, trail)?;
        trail.hold(&checks::PARTICIPANT_WINDOW, claims.nbf <= at && at < claims.exp, || {
            let now = if at < claims.nbf { "has not begun" } else { "has ended" };
            format!(
                "the membership of {} ({}) {now}: {} vouches for it from {} to {}, and it is judged at {at}",
                claims.sub, claims.legal_name, claims.iss, claims.nbf, claims.exp
            )
        })?;
        Ok(Verified::vouched(Participant {
            issuer: claims.iss,
            did: claims.sub,
            legal_name: claims.legal_name,
            legal_id: claims.legal_id,
            country: claims.country,
            keys: claims.keys,
            recorders: claims.recorders,
            iat: claims.iat,
            nbf: claims.nbf,
            exp: claims.exp,
            digest: Digest::of(text).b64u(),
            text: text.to_owned(),
            identity,
        }))
    }

    /// Whether the member signs with this key.
    pub fn signs_with(&self, key: &Thumbprint) -> bool {
        self.keys.contains(key)
    }

    /// Whether `recorder` records for the member on that chain.
    pub fn records_with(&self, chain_id: u64, recorder: &Account) -> bool {
        let account = format!("eip155:{chain_id}:{recorder}");
        self.recorders.contains(&account)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    iss: Did,
    sub: Did,
    vct: String,
    iat: Timestamp,
    nbf: Timestamp,
    exp: Timestamp,
    legal_name: String,
    legal_id: LegalId,
    country: String,
    keys: Vec<Thumbprint>,
    recorders: Vec<String>,
}

impl Wire {
    fn sound(&self) -> Result<(), Refusal> {
        let country = self.country.len() == 2 && self.country.bytes().all(|b| b.is_ascii_uppercase());
        checks::PARTICIPANT_CLAIMS.hold(country && !self.legal_name.is_empty() && self.nbf < self.exp, || {
            format!("country `{}`, legal_name `{}`, from {} to {}", self.country, self.legal_name, self.nbf, self.exp)
        })
    }
}
