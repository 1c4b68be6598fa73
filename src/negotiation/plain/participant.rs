use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest participant id, in bytes.
const LONGEST: usize = 2048;

/// Who takes part over the Dataspace Protocol: a DID, or the name that a configuration gives a party without one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ParticipantId(String);

impl ParticipantId {
    /// The id as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that cannot be anybody's id.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("a participant id is 1 to 2048 visible ASCII letters")]
pub struct NoParticipant;

impl FromStr for ParticipantId {
    type Err = NoParticipant;

    fn from_str(text: &str) -> Result<Self, NoParticipant> {
        let visible = !text.is_empty() && text.len() <= LONGEST && text.bytes().all(|b| b.is_ascii_graphic());
        if visible { Ok(Self(text.to_owned())) } else { Err(NoParticipant) }
    }
}

impl From<&crate::identity::Did> for ParticipantId {
    fn from(did: &crate::identity::Did) -> Self {
        Self(did.as_str().to_owned())
    }
}

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ParticipantId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
