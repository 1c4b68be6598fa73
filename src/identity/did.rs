use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::checks;
use crate::check::Refusal;

const MAX_DID: usize = 2048;

/// A decentralised identifier of a method that countersign knows (DID Core 3.1).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Did(String);

/// How a DID's document is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The identifier is the key itself.
    Key,
    /// The identifier is the key's JWK.
    Jwk,
    /// The document is served by the named host.
    Web,
}

impl Did {
    /// The DID's method.
    pub fn method(&self) -> Method {
        match self.0.as_bytes().get(4) {
            Some(b'k') => Method::Key,
            Some(b'j') => Method::Jwk,
            _ => Method::Web,
        }
    }

    /// What follows `did:method:`.
    pub fn specific_id(&self) -> &str {
        self.0.splitn(3, ':').nth(2).unwrap_or_default()
    }

    /// The whole identifier.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The URL of one of this DID's verification methods.
    pub fn url(&self, fragment: &str) -> DidUrl {
        DidUrl { did: self.clone(), fragment: fragment.to_owned() }
    }
}

impl FromStr for Did {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let refuse = || checks::DID.refuse(format!("`{}` is not a DID of a known method", shortened(text)));
        let id = ["did:key:", "did:jwk:", "did:web:"].iter().find_map(|prefix| text.strip_prefix(prefix));
        let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'%');
        match id {
            Some(id) if !id.is_empty() && text.len() <= MAX_DID && id.bytes().all(letters) => Ok(Self(text.to_owned())),
            _ => Err(refuse()),
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Did {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|refusal: Refusal| serde::de::Error::custom(refusal.detail))
    }
}

/// An absolute DID URL with a fragment, as `kid` carries it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DidUrl {
    did: Did,
    fragment: String,
}

impl DidUrl {
    /// The DID whose document holds the key.
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// The key's name in that document, without `#`.
    pub fn fragment(&self) -> &str {
        &self.fragment
    }
}

impl FromStr for DidUrl {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        match text.split_once('#') {
            Some((did, fragment))
                if !did.is_empty() && !fragment.is_empty() && fragment.bytes().all(|b| b.is_ascii_graphic()) =>
            {
                Ok(Self { did: did.parse()?, fragment: fragment.to_owned() })
            }
            _ => Err(checks::JWS_KID.refuse(format!("`{}` is not an absolute DID URL", shortened(text)))),
        }
    }
}

impl fmt::Display for DidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.did, self.fragment)
    }
}

impl fmt::Debug for DidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for DidUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DidUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|refusal: Refusal| serde::de::Error::custom(refusal.detail))
    }
}
