use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::exact::exact;
use super::sd_jwt::is_digest;
use super::vocabulary::{CONTRACT_OFFER, SHA_256, TYP_CREDENTIAL};
use super::{Account, ContractId, NINE, RegistryUrn, checks};
use crate::check::{Refusal, Trail};
use crate::encoding::Timestamp;
use crate::identity::{Did, Documents, Jwk, Jws, PublicKey, verify_signed_by};

/// The open claims of an offer: exactly these (`protocol.md` 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenClaims {
    /// The provider.
    pub iss: Did,
    /// When it was offered.
    pub iat: Timestamp,
    /// End of the contract.
    pub exp: Timestamp,
    /// `cnf.jwk`: the consumer's one-time key.
    pub consumer_key: Jwk,
    /// The contract's id, new for every offer.
    pub contract_id: ContractId,
    /// At least 128 random bits, base64url, new for every offer.
    pub negotiation_nonce: String,
    /// The consumer may accept until then.
    pub accept_by: Timestamp,
    /// The entry's block is no later than this.
    pub record_by: Timestamp,
    /// `registry.urn`: where the entry has to stand.
    pub registry: RegistryUrn,
    /// `registry.recorder`: who has to record it.
    pub recorder: Account,
    /// `template.id`.
    pub template_id: String,
    /// `template.hash`: `b64u(H(the approval's payload))`.
    pub template_hash: String,
    /// `_sd`: the digests of the nine.
    pub digests: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    iss: Cow<'a, str>,
    iat: Timestamp,
    exp: Timestamp,
    vct: Cow<'a, str>,
    #[serde(default)]
    cnf: Option<Value>,
    contract_id: Cow<'a, str>,
    negotiation_nonce: Cow<'a, str>,
    accept_by: Timestamp,
    record_by: Timestamp,
    registry: WireRegistry<'a>,
    template: WireTemplate<'a>,
    _sd: Cow<'a, [String]>,
    _sd_alg: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRegistry<'a> {
    urn: Cow<'a, str>,
    recorder: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireTemplate<'a> {
    id: Cow<'a, str>,
    hash: Cow<'a, str>,
}

impl OpenClaims {
    /// Reads the payload of an issuer JWT: exactly the open claims, each well-formed.
    ///
    /// # Errors
    /// `offer.*`, `sdjwt.*`, `contract.id`, `registry.urn`, `account.form`, `jwk.*`, `did.*`.
    pub(super) fn read(payload: Map<String, Value>, trail: &mut Trail) -> Result<Self, Refusal> {
        let wire: Wire<'static> = exact(&checks::OFFER_CLAIMS, payload)?;
        trail.held(&checks::OFFER_CLAIMS);
        trail.hold(&checks::OFFER_VCT, wire.vct == CONTRACT_OFFER, || format!("vct `{}`", wire.vct))?;
        trail.hold(&checks::SD_ALG, wire._sd_alg == SHA_256, || format!("_sd_alg `{}`", wire._sd_alg))?;
        let claims = Self {
            iss: wire.iss.parse()?,
            iat: wire.iat,
            exp: wire.exp,
            consumer_key: holder(wire.cnf)?,
            contract_id: wire.contract_id.parse()?,
            negotiation_nonce: wire.negotiation_nonce.into_owned(),
            accept_by: wire.accept_by,
            record_by: wire.record_by,
            registry: wire.registry.urn.parse()?,
            recorder: wire.registry.recorder.parse()?,
            template_id: wire.template.id.into_owned(),
            template_hash: wire.template.hash.into_owned(),
            digests: wire._sd.into_owned(),
        };
        trail.held(&checks::OFFER_CNF);
        claims.sound(trail)?;
        Ok(claims)
    }

    /// Holds claims to the rules among themselves; what a provider refuses to sign and everybody else to read.
    ///
    /// # Errors
    /// `offer.windows`, `offer.nonce`, `offer.digest.hidden`, `sdjwt.digest`, `sdjwt.digest.twice`.
    pub(super) fn sound(&self, trail: &mut Trail) -> Result<(), Refusal> {
        let ordered = self.iat < self.accept_by && self.accept_by <= self.record_by && self.record_by < self.exp;
        trail.hold(&checks::OFFER_WINDOWS, ordered, || {
            format!("iat {}, accept_by {}, record_by {}, exp {}", self.iat, self.accept_by, self.record_by, self.exp)
        })?;
        trail.hold(&checks::OFFER_NONCE, is_random(&self.negotiation_nonce), || {
            "negotiation_nonce is too short for 128 random bits".into()
        })?;
        trail.hold(&checks::SD_DIGEST, self.digests.iter().all(|digest| is_digest(digest)), || {
            "a digest is not the base64url of 32 bytes".into()
        })?;
        let twice = self.digests.iter().enumerate().any(|(at, digest)| self.digests[..at].contains(digest));
        trail.hold(&checks::SD_DIGEST_TWICE, !twice, || "a digest stands twice in _sd".into())?;
        trail.hold(&checks::OFFER_HIDDEN, self.digests.len() == NINE.len(), || {
            format!("{} digests, expected {}", self.digests.len(), NINE.len())
        })
    }

    /// The payload of the issuer JWT.
    pub(super) fn payload(&self) -> Vec<u8> {
        let wire = Wire {
            iss: self.iss.as_str().into(),
            iat: self.iat,
            exp: self.exp,
            vct: CONTRACT_OFFER.into(),
            cnf: Some(json!({ "jwk": self.consumer_key })),
            contract_id: self.contract_id.to_string().into(),
            negotiation_nonce: self.negotiation_nonce.as_str().into(),
            accept_by: self.accept_by,
            record_by: self.record_by,
            registry: WireRegistry {
                urn: self.registry.to_string().into(),
                recorder: self.recorder.to_string().into(),
            },
            template: WireTemplate { id: self.template_id.as_str().into(), hash: self.template_hash.as_str().into() },
            _sd: self.digests.as_slice().into(),
            _sd_alg: SHA_256.into(),
        };
        json!(wire).to_string().into_bytes()
    }
}

/// The key in `cnf`: one public JWK and nothing else.
fn holder(cnf: Option<Value>) -> Result<Jwk, Refusal> {
    let refuse = || checks::OFFER_CNF.refuse("cnf is not there, or is not exactly one jwk");
    match cnf {
        Some(Value::Object(members)) if members.len() == 1 => Jwk::from_json(members.get("jwk").ok_or_else(refuse)?),
        _ => Err(refuse()),
    }
}

/// Whether a text is long enough for 128 random bits, in base64url or any wider spelling; randomness itself does not show.
pub(super) fn is_random(text: &str) -> bool {
    (22..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// An issuer JWT whose signature was checked, with the keys behind it.
pub(super) struct Issued {
    pub(super) claims: OpenClaims,
    pub(super) provider_key: PublicKey,
    pub(super) consumer_key: PublicKey,
}

/// Verifies what the provider signed: type, exact claims, signature, and that the one-time key is not its own.
pub(super) fn verify_issued(issuer_jwt: &str, documents: &Documents, trail: &mut Trail) -> Result<Issued, Refusal> {
    let jws = Jws::parse(issuer_jwt)?;
    let claims = OpenClaims::read(jws.claims()?, trail)?;
    let provider_key = verify_signed_by(&jws, TYP_CREDENTIAL, &claims.iss, documents, trail)?;
    let consumer_key = claims.consumer_key.public_key()?;
    apart(&consumer_key, &provider_key, trail)?;
    Ok(Issued { claims, provider_key, consumer_key })
}

/// A provider that holds the consumer's key would accept its own offer.
pub(super) fn apart(consumer_key: &PublicKey, provider_key: &PublicKey, trail: &mut Trail) -> Result<(), Refusal> {
    trail.hold(&checks::OFFER_KEY_PROVIDER, consumer_key != provider_key, || {
        "cnf is the key that signed the offer".into()
    })
}
