use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::checks;
use crate::check::Refusal;
use crate::encoding::{Digest, Timestamp};

/// An account on an EVM chain, written `0x` and 40 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Account(pub [u8; 20]);

/// A registry contract: where entries stand. Written as an EVES-007 URN, `urn:blockchain:eip155:<chain>:contract:<address>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegistryUrn {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The contract.
    pub address: Account,
}

/// The identity of a contract: a random UUID, written `urn:uuid:…`, 16 bytes in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContractId(pub Uuid);

/// A registry entry as a contract file states it and as a chain shows it (`protocol.md` 5 and 7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The registry contract.
    pub registry: Account,
    /// Who recorded it.
    pub recorder: Account,
    /// The recorded hash: of the core, if it is this contract's.
    pub hash: Digest,
    /// The transaction's hash.
    pub transaction: Digest,
    /// The log's index in its block.
    pub log_index: u64,
    /// Height of the block.
    pub block: u64,
    /// Hash of the block.
    pub block_hash: Digest,
    /// The block's time: what dates the contract.
    #[serde(with = "rfc3339")]
    pub block_time: Timestamp,
}

/// A block as something was read at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: Digest,
    /// Time of the block.
    #[serde(with = "rfc3339")]
    pub time: Timestamp,
}

/// An `end` or a `withdraw`, with its place in the chain (order: block, then log index).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Block height.
    pub block: u64,
    /// The log's index in its block.
    pub log_index: u64,
    /// The block's time.
    #[serde(with = "rfc3339")]
    pub at: Timestamp,
    /// 0 unspecified, 1 completed, 2 by agreement, 3 breach, 4 key compromised, 5 void; others private.
    pub reason: u8,
}

/// What the registry says about one contract at one block: the answer that rule R is applied to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The block that this was read at.
    pub head: Head,
    /// The registry that was asked.
    pub chain_id: u64,
    /// The registry that was asked.
    pub registry: Account,
    /// The recorder that was asked for.
    pub recorder: Account,
    /// The contract that was asked for.
    pub contract_id: ContractId,
    /// The entry, if one stands at or below `head`.
    pub entry: Option<Entry>,
    /// The recorder's end, if any at or below `head`.
    pub ended: Option<Mark>,
    /// The withdrawal by the account that was asked for, if any at or below `head`.
    pub withdrawn: Option<Mark>,
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Account {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let refuse = || checks::ACCOUNT.refuse("an account is 0x and 40 lowercase hexadecimal digits");
        let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 40).ok_or_else(refuse)?;
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let digit = |b: u8| match b {
                b'0'..=b'9' => Ok(b - b'0'),
                b'a'..=b'f' => Ok(b - b'a' + 10),
                _ => Err(refuse()),
            };
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for RegistryUrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "urn:blockchain:eip155:{}:contract:{}", self.chain_id, self.address)
    }
}

impl FromStr for RegistryUrn {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let refuse = || checks::REGISTRY_URN.refuse("expected urn:blockchain:eip155:<chain id>:contract:<account>");
        let (chain, address) = text
            .strip_prefix("urn:blockchain:eip155:")
            .and_then(|rest| rest.split_once(":contract:"))
            .ok_or_else(refuse)?;
        let chain_id: u64 = chain.parse().map_err(|_| refuse())?;
        let urn = Self { chain_id, address: address.parse()? };
        if urn.to_string() == text { Ok(urn) } else { Err(refuse()) }
    }
}

impl fmt::Display for ContractId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "urn:uuid:{}", self.0)
    }
}

impl FromStr for ContractId {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let refuse = || checks::CONTRACT_ID.refuse("expected urn:uuid: and a lowercase UUID that is not nil");
        let uuid = text.strip_prefix("urn:uuid:").and_then(|id| Uuid::try_parse(id).ok()).ok_or_else(refuse)?;
        let id = Self(uuid);
        if !uuid.is_nil() && id.to_string() == text { Ok(id) } else { Err(refuse()) }
    }
}

macro_rules! as_text {
    ($($kind:ty),+) => {$(
        impl Serialize for $kind {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|refusal: Refusal| serde::de::Error::custom(refusal.detail))
            }
        }
    )+};
}
as_text!(Account, RegistryUrn, ContractId);

/// Times in JSON documents (`protocol.md`, notation): RFC 3339 in UTC.
pub mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::encoding::Timestamp;

    /// Writes `2026-11-18T11:08:40Z`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(at)
    }

    /// Reads `2026-11-18T11:08:40Z`.
    ///
    /// # Errors
    /// For another format or zone.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::parse_rfc3339(&text).map_err(|refusal| serde::de::Error::custom(refusal.detail))
    }
}
