use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::checks;
use crate::check::{Refusal, Trail};
use crate::credential::vocabulary::TYP_FEE_STATEMENT;
use crate::credential::{Account, ContractId, Core, NotSigned, Participant, RegistryUrn, Trust};
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, Documents, Jws, Signer, Unverified, Verified, sign_jws, verify_signed_by};

/// The longest statement that is read, in bytes.
pub const MAX_STATEMENT: usize = 8 * 1024 * 1024;
const MAX_CONTRACTS: usize = 4096;
const MAX_TEMPLATES: usize = 256;
/// How far a provider's clock may be ahead, in seconds.
const CLOCK_SKEW: i64 = 60;

/// What a provider states about a period: the payload of a JWS of typ `countersign-statement+jwt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementClaims {
    /// The provider.
    pub iss: Did,
    /// The first second of the period.
    pub from: Timestamp,
    /// The first second after the period.
    pub until: Timestamp,
    /// When it was made; the period had ended by then.
    pub iat: Timestamp,
    /// The contracts whose entries have a block time in the period, ended ones too.
    pub contracts: Vec<StatedContract>,
    /// The provider's participant credential.
    pub participant: String,
    /// The approvals of the templates that the contracts name.
    pub templates: Vec<String>,
}

/// One contract of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatedContract {
    /// `<issuer JWT>~<acceptance KB-JWT>`.
    pub core: String,
    /// `<issuer JWT>~<fee disclosure>~`.
    pub fee: String,
}

/// A statement whose signature, issuer and period hold; the contracts in it are still to be audited.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What it says.
    pub claims: StatementClaims,
    /// The member that made it.
    pub member: Verified<Participant>,
    /// Its contracts, each with what reading its core gave.
    pub stated: Vec<Stated>,
    /// `H(statement)`.
    pub sha256: Digest,
}

/// A stated contract, read.
#[derive(Clone, Debug)]
pub struct Stated {
    /// The core, or why it is none.
    pub core: Result<Verified<Core>, Refusal>,
    /// `<issuer JWT>~<fee disclosure>~`, as stated.
    pub fee: String,
}

/// A place in the registry that an audit has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// Who recorded.
    pub recorder: Account,
    /// The contract.
    pub contract_id: ContractId,
    /// The withdrawal account of its acceptance.
    pub account: Option<Account>,
    /// Its offer's `iat`: the entry is no older.
    pub since: Timestamp,
}

impl Statement {
    /// The provider's act: signs its statement.
    ///
    /// # Errors
    /// [`NotSigned`] when the statement breaks a rule that the operator would refuse it by, or the key cannot be used.
    pub fn sign(claims: &StatementClaims, signer: &dyn Signer) -> Result<String, NotSigned> {
        checks::SIGNER
            .hold(claims.iss == *signer.did(), || format!("iss {}, signed by {}", claims.iss, signer.did()))?;
        claims.sound(claims.iat, &mut Trail::default())?;
        let text = sign_jws(signer, TYP_FEE_STATEMENT, true, json!(claims).to_string().as_bytes())?;
        checks::STATEMENT.hold(text.len() <= MAX_STATEMENT, || {
            format!("a statement of {} bytes: state a shorter period", text.len())
        })?;
        Ok(text)
    }

    /// Verifies who made a statement and for which period, as the operator that it is made to; `now` is its clock.
    ///
    /// The participant credential has to hold at the beginning or the end of the period, or when the statement was
    /// made; each contract is judged at its own block time later.
    ///
    /// # Errors
    /// `operator.statement`, `operator.signer`, `operator.period`, `participant.*`, `jws.*`, `did.*`, `encoding.*`.
    pub fn verify(
        text: &Unverified<Statement>,
        operator: &Did,
        documents: &Documents,
        now: Timestamp,
        trail: &mut Trail,
    ) -> Result<Verified<Statement>, Refusal> {
        let jws = Jws::parse_within(text.text(), MAX_STATEMENT)?;
        let claims: StatementClaims = serde_json::from_value(Value::Object(jws.claims()?))
            .map_err(|cause| checks::STATEMENT.refuse(cause.to_string()))?;
        let key = verify_signed_by(&jws, TYP_FEE_STATEMENT, &claims.iss, documents, trail)?;
        claims.sound(now, trail)?;
        let member = member(&claims, operator, documents, trail)?;
        let signs = member.did == claims.iss && member.signs_with(&key.thumbprint());
        trail.hold(&checks::SIGNER, signs, || {
            format!("{} signed with {}, the credential is about {}", claims.iss, key.thumbprint(), member.did)
        })?;
        let stated = claims
            .contracts
            .iter()
            .map(|contract| Stated {
                core: Core::read(&Unverified::new(&contract.core), documents, &mut Trail::default()),
                fee: contract.fee.clone(),
            })
            .collect();
        Ok(Verified::vouched(Statement { claims, member, stated, sha256: Digest::of(text.text()) }))
    }

    /// What has to be looked up in `registry` before the audit: each stated contract of this provider, once.
    pub fn lookups(&self, registry: &RegistryUrn) -> Vec<Lookup> {
        let mut seen = std::collections::HashSet::new();
        let cores = self.stated.iter().filter_map(|stated| stated.core.as_ref().ok());
        cores
            .filter(|core| core.claims.iss == self.claims.iss && core.claims.registry == *registry)
            .filter(|core| seen.insert((core.claims.recorder, core.claims.contract_id)))
            .map(|core| Lookup {
                recorder: core.claims.recorder,
                contract_id: core.claims.contract_id,
                account: core.acceptance.withdrawal_account,
                since: core.claims.iat,
            })
            .collect()
    }
}

impl StatementClaims {
    fn sound(&self, now: Timestamp, trail: &mut Trail) -> Result<(), Refusal> {
        let (contracts, templates) = (self.contracts.len(), self.templates.len());
        trail.hold(&checks::STATEMENT, contracts <= MAX_CONTRACTS && templates <= MAX_TEMPLATES, || {
            format!("{contracts} contracts and {templates} templates: state a shorter period")
        })?;
        let over = self.from < self.until && self.until <= self.iat && self.iat <= now.plus(CLOCK_SKEW);
        trail.hold(&checks::PERIOD, over, || {
            format!("from {} until {}, made at {}, it is {now}", self.from, self.until, self.iat)
        })
    }
}

/// What `operator` alone vouches for.
pub(super) fn own_trust(operator: &Did) -> Trust {
    Trust { operators: vec![operator.clone()], ..Trust::default() }
}

fn member(
    claims: &StatementClaims,
    operator: &Did,
    documents: &Documents,
    trail: &mut Trail,
) -> Result<Verified<Participant>, Refusal> {
    let (text, trust) = (Unverified::new(&claims.participant), own_trust(operator));
    let mut held_at = |at| Participant::verify(&text, &trust, documents, at, trail);
    let last = claims.until.plus(-1);
    held_at(last).or_else(|_| held_at(claims.from)).or_else(|_| held_at(claims.iat))
}
