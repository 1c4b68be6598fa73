use serde::{Deserialize, Serialize};

use crate::check::{Refusal, Trail};
use crate::encoding::Timestamp;
use crate::identity::{Did, Documents, Jws, Signer, SigningFailed, Verified, sign_jws, verify_signed_by};
use crate::inbox::checks;

const TYP: &str = "countersign-recipient+jwt";
/// How long such a word is good at most, in seconds.
const DAY: i64 = 24 * 3600;

/// A DID's own word that somebody may pick up for it: without one, whoever comes first could take another's DID at a
/// mediator and keep its messages from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// Whose messages.
    #[serde(rename = "iss")]
    pub recipient: Did,
    /// Who picks them up.
    #[serde(rename = "sub")]
    pub member: Did,
    /// At which mediator.
    #[serde(rename = "aud")]
    pub mediator: Did,
    /// Until when this can be used to add it.
    pub exp: Timestamp,
}

impl Word {
    /// Signs it with a key of the recipient's DID.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn sign(&self, signer: &dyn Signer) -> Result<String, SigningFailed> {
        // A struct of texts always serialises.
        let payload = serde_json::to_vec(self).expect("a word is JSON");
        sign_jws(signer, TYP, true, &payload)
    }

    /// Verifies that the recipient's DID let `member` pick up at `mediator`, and that the word is fresh.
    ///
    /// # Errors
    /// `mediation.recipient`, `jws.*`, `did.*`, `encoding.*`.
    pub fn verify(
        text: &str,
        member: &Did,
        mediator: &Did,
        documents: &Documents,
        now: Timestamp,
        trail: &mut Trail,
    ) -> Result<Verified<Self>, Refusal> {
        let jws = Jws::parse(text)?;
        let word = Self::deserialize(serde_json::Value::Object(jws.claims()?))
            .map_err(|cause| checks::RECIPIENT_WORD.refuse(cause.to_string()))?;
        trail.hold(&checks::RECIPIENT_WORD, word.member == *member && word.mediator == *mediator, || {
            format!("it lets {} pick up at {}", word.member, word.mediator)
        })?;
        trail.hold(&checks::RECIPIENT_WORD, now < word.exp && word.exp <= now.plus(DAY), || {
            format!("it is good until {}, now is {now}; it lasts a day at most", word.exp)
        })?;
        verify_signed_by(&jws, TYP, &word.recipient, documents, trail)?;
        Ok(Verified::vouched(word))
    }
}
