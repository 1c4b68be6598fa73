use std::fmt;

use serde::{Deserialize, Serialize};

use super::checks;
use crate::check::Refusal;

const EARLIEST: i64 = 946_684_800; // 2000-01-01T00:00:00Z
const LATEST: i64 = 253_402_207_200; // 9999-12-30T22:00:00Z, the last that jiff can write

/// A point in time, in whole seconds since 1970 (RFC 7519 NumericDate).
///
/// In JWTs it is that integer (serde); JSON documents carry [`Timestamp::rfc3339`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A NumericDate between the years 2000 and 9999.
    ///
    /// # Errors
    /// `encoding.time` outside that range, so that arithmetic on times never overflows.
    pub fn from_seconds(seconds: i64) -> Result<Self, Refusal> {
        checks::TIME.hold((EARLIEST..=LATEST).contains(&seconds), || {
            format!("{seconds} lies outside the years 2000 to 9999")
        })?;
        Ok(Self(seconds))
    }

    /// Reads `2026-11-18T11:08:40Z`; UTC only.
    ///
    /// # Errors
    /// `encoding.time`.
    pub fn parse_rfc3339(text: &str) -> Result<Self, Refusal> {
        let at: jiff::Timestamp = text.parse().map_err(|_| checks::TIME.refuse(format!("`{text}` is not RFC 3339")))?;
        checks::TIME.hold(text.ends_with('Z'), || format!("`{text}` is not in UTC (`Z`)"))?;
        Self::from_seconds(at.as_second())
    }

    /// Seconds since 1970.
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// `2026-11-18T11:08:40Z`.
    pub fn rfc3339(self) -> String {
        // The range of the constructor is inside jiff's, so the fallback is never taken.
        jiff::Timestamp::from_second(self.0).map_or_else(|_| self.0.to_string(), |at| at.to_string())
    }

    /// This time and `seconds` later (earlier when negative), held inside the range of the type.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds).clamp(EARLIEST, LATEST))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = i64::deserialize(deserializer)?;
        Self::from_seconds(seconds).map_err(|refusal| serde::de::Error::custom(refusal.detail))
    }
}
