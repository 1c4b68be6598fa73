use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::exact::exact;
use super::vocabulary::{ACCEPTANCE, SHA_256, TYP_KEY_BINDING};
use super::{Account, ContractId, KeyBinding, NotSigned, Offer, OpenClaims, checks};
use crate::check::{Refusal, Trail};
use crate::encoding::{self, Digest, Timestamp};
use crate::identity::{Algorithm, Jws, PublicKey, Signer, low_s, sign_jws};

/// The consumer's acceptance: a KB-JWT over zero disclosures with typed content (`protocol.md` 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// When it was signed; judged on receipt only.
    pub iat: Timestamp,
    /// The account whose `withdraw` counts, if one was named.
    pub withdrawal_account: Option<Account>,
    /// `b64u(H(issuer JWT))`.
    pub offer_sha256: String,
    /// The KB-JWT.
    pub text: String,
}

/// Signs the acceptance of a verified offer with its one-time key.
///
/// # Errors
/// [`NotSigned`] when `key` is not the offer's key, when `now` is past `accept_by`, or when the key cannot be used.
pub fn accept(offer: &Offer, account: Option<Account>, key: &dyn Signer, now: Timestamp) -> Result<String, NotSigned> {
    offer.open(now, &mut Trail::default())?;
    let claims = &offer.claims;
    checks::HOLDER_KEY
        .hold(*key.public_key() == claims.consumer_key.public_key()?, || "another key than cnf".into())?;
    let content = Content {
        contract_id: claims.contract_id,
        credential_ids: vec![CREDENTIAL.into()],
        decision: DECISION.into(),
        effect: EFFECT.into(),
        offer_sha256: offer.sha256().b64u(),
        kind: ACCEPTANCE.into(),
        withdrawal_account: account,
    };
    let payload = json!({
        "iat": now,
        "aud": claims.iss,
        "nonce": claims.negotiation_nonce,
        "sd_hash": Digest::of(format!("{}~", offer.issuer_jwt)).b64u(),
        "transaction_data_hashes": [transaction_hash(&content)?],
        "transaction_data_hashes_alg": SHA_256,
        "acceptance": content,
    });
    Ok(sign_jws(key, TYP_KEY_BINDING, false, payload.to_string().as_bytes())?)
}

impl Acceptance {
    /// Verifies the KB-JWT of a core, over the issuer JWT with the hash `offer` and the text up to it with `sd_hash`.
    ///
    /// # Errors
    /// `acceptance.*`, `kb.*`, `jws.*`, `encoding.*`.
    pub(super) fn verify(
        text: &str,
        offer: Digest,
        sd_hash: Digest,
        claims: &OpenClaims,
        holder: &PublicKey,
        trail: &mut Trail,
    ) -> Result<Self, Refusal> {
        let nonce = &claims.negotiation_nonce;
        let binding = KeyBinding::verify_over(text, sd_hash, holder, claims.iss.as_str(), nonce, trail)?;
        let rest: Rest = exact(&checks::ACCEPTANCE_CLAIMS, binding.rest)?;
        let content: Content = exact(&checks::ACCEPTANCE_CLAIMS, rest.acceptance)?;
        let hash = transaction_hash(&content)?;
        trail.hold(
            &checks::ACCEPTANCE_HASH,
            rest.transaction_data_hashes_alg == SHA_256 && rest.transaction_data_hashes == [hash],
            || "transaction_data_hashes is not the one hash of the acceptance".into(),
        )?;
        let meant = content.kind == ACCEPTANCE
            && content.credential_ids == [CREDENTIAL]
            && (content.decision.as_str(), content.effect.as_str()) == (DECISION, EFFECT);
        trail.hold(&checks::ACCEPTANCE_CLAIMS, meant, || {
            format!("type `{}`, decision `{}`, effect `{}`", content.kind, content.decision, content.effect)
        })?;
        let offer_sha256 = offer.b64u();
        trail.hold(
            &checks::ACCEPTANCE_OFFER,
            content.contract_id == claims.contract_id && content.offer_sha256 == offer_sha256,
            || format!("accepts {} by {}", content.contract_id, content.offer_sha256),
        )?;
        Ok(Self {
            iat: binding.iat,
            withdrawal_account: content.withdrawal_account,
            offer_sha256,
            text: text.to_owned(),
        })
    }
}

const CREDENTIAL: &str = "offer";
const DECISION: &str = "accept";
const EFFECT: &str = "on-entry";

/// What a KB-JWT says beside the four claims of any key binding, when it is an acceptance.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rest {
    acceptance: Value,
    transaction_data_hashes: Vec<String>,
    transaction_data_hashes_alg: String,
}

/// The acceptance itself: texts only, in the order of their names, so that its JSON is its canonical form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    contract_id: ContractId,
    credential_ids: Vec<String>,
    decision: String,
    effect: String,
    offer_sha256: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    withdrawal_account: Option<Account>,
}

/// `b64u(H(b64u(JCS(acceptance))))`: the hash of the transaction data as OpenID4VP B.3.3 has it.
fn transaction_hash(acceptance: &Content) -> Result<String, Refusal> {
    let canonical = serde_json::to_string(acceptance);
    let canonical = canonical.map_err(|cause| checks::ACCEPTANCE_CLAIMS.refuse(cause.to_string()))?;
    Ok(Digest::of(encoding::encode(canonical)).b64u())
}

/// The acceptance of a foreign wallet with its ES256 signature in the low-s form; anything else is returned as it is.
///
/// Only the consumer's own node may do this, before anybody hashes the acceptance.
pub fn normalise_acceptance(kb_jwt: &str) -> String {
    let normalised = || {
        let (signed, signature) = kb_jwt.rsplit_once('.')?;
        let low = low_s(&encoding::decode(signature).ok()?)?;
        let es256 = Jws::parse(kb_jwt).ok()?.header().alg == Algorithm::Es256;
        es256.then(|| format!("{signed}.{}", encoding::encode(low)))
    };
    normalised().unwrap_or_else(|| kb_jwt.to_owned())
}
