use ring::hmac;
use serde::{Deserialize, Serialize};

use super::checks;
use crate::check::{Refusal, Trail};
use crate::credential::rfc3339;
use crate::encoding::{self, Timestamp};

const RANDOM: usize = 16;
const TIME: usize = 8;
const TAG: usize = 16;

/// What a gate asks to be signed (`protocol.md` 8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// To be signed.
    pub nonce: String,
    /// The gate's origin.
    pub aud: String,
    /// Until when it can be answered.
    #[serde(with = "rfc3339")]
    pub expires: Timestamp,
}

/// Makes challenges and knows them again: a nonce carries its expiry and a tag, so that a gate keeps nothing for
/// callers who never answer, and nobody can fill its store by asking.
pub struct ChallengeKey(hmac::Key);

impl ChallengeKey {
    /// The key of 32 secret bytes.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// A challenge for `aud`; `random` makes it the only one of its kind.
    pub fn challenge(&self, aud: &str, random: [u8; RANDOM], expires: Timestamp) -> Challenge {
        let mut nonce = [&random[..], &expires.seconds().to_be_bytes()].concat();
        let tag = hmac::sign(&self.0, &Self::tagged(&nonce, aud));
        nonce.extend_from_slice(&tag.as_ref()[..TAG]);
        Challenge { nonce: encoding::encode(nonce), aud: aud.to_owned(), expires }
    }

    /// The challenge behind a nonce that came back.
    ///
    /// # Errors
    /// `gate.challenge.unknown`, `gate.challenge.expired`.
    pub fn recognise(&self, nonce: &str, aud: &str, now: Timestamp, trail: &mut Trail) -> Result<Challenge, Refusal> {
        let unknown = || checks::CHALLENGE_UNKNOWN.refuse("the nonce was not given out here");
        let bytes = encoding::decode(nonce).map_err(|_| unknown())?;
        if bytes.len() != RANDOM + TIME + TAG {
            return Err(unknown());
        }
        let (told, tag) = bytes.split_at(RANDOM + TIME);
        let whole = hmac::sign(&self.0, &Self::tagged(told, aud));
        let same: bool = subtle::ConstantTimeEq::ct_eq(&whole.as_ref()[..TAG], tag).into();
        trail.hold(&checks::CHALLENGE_UNKNOWN, same, || "the nonce was not given out here".into())?;
        let seconds = told[RANDOM..].iter().fold(0_i64, |value, byte| value << 8 | i64::from(*byte));
        let expires = Timestamp::from_seconds(seconds)?;
        trail.hold(&checks::CHALLENGE_EXPIRED, now < expires, || format!("it ran out at {expires}, it is {now}"))?;
        Ok(Challenge { nonce: nonce.to_owned(), aud: aud.to_owned(), expires })
    }

    fn tagged(told: &[u8], aud: &str) -> Vec<u8> {
        [told, aud.as_bytes()].concat()
    }
}
