use serde::{Deserialize, Serialize};

use super::{Listed, checks, stays_below};
use crate::check::{Refusal, Trail};
use crate::credential::vocabulary::TYP_RECEIPT;
use crate::encoding::{Digest, Timestamp};
use crate::identity::{Did, Documents, Jws, Signer, SigningFailed, Verified, sign_jws, verify_signed_by};

/// The gate's signed word that it delivered (`protocol.md` 8): JWS `typ countersign-receipt+jwt`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The gate.
    pub iss: Did,
    /// `b64u(H(core))`.
    pub core_sha256: String,
    /// SHA-256 of the contract's asset, 64 lowercase hexadecimal digits.
    pub asset_sha256: String,
    /// How many bytes were delivered.
    pub bytes: u64,
    /// Which file of a directory it was, as the directory's `SHA256SUMS` lists it; absent where it was the asset itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Listed>,
    /// Which bytes of it these were; absent where it was the whole of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<ByteRange>,
    /// When the delivery began.
    pub from: Timestamp,
    /// When it was done.
    pub to: Timestamp,
}

/// Bytes of an asset, first and last, counted from 0; written `bytes=0-99`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first.
    pub first: u64,
    /// The last; not before the first.
    pub last: u64,
}

impl ByteRange {
    /// How many bytes that are.
    pub const fn len(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// A range is never empty.
    pub const fn is_empty(&self) -> bool {
        false
    }
}

impl Receipt {
    /// Signs the receipt with the key of the gate, which `iss` names.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub fn sign(&self, gate: &dyn Signer) -> Result<String, SigningFailed> {
        // A struct of texts and numbers always has a JSON form.
        let payload = serde_json::to_vec(self).expect("a receipt has a JSON form");
        sign_jws(gate, TYP_RECEIPT, true, &payload)
    }

    /// Verifies a receipt by the gate `by`, for the contract with that core.
    ///
    /// # Errors
    /// `gate.receipt.claims`, `jws.*`, `did.*`, `encoding.*`.
    pub fn verify(
        text: &str,
        by: &Did,
        core: &Digest,
        documents: &Documents,
        trail: &mut Trail,
    ) -> Result<Verified<Self>, Refusal> {
        let jws = Jws::parse(text)?;
        let receipt: Self = serde_json::from_value(jws.claims()?.into())
            .map_err(|cause| checks::RECEIPT_CLAIMS.refuse(cause.to_string()))?;
        let counted = receipt.range.is_none_or(|range| range.len() == receipt.bytes);
        let hex = |text: &str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let listed = receipt.part.as_ref().is_none_or(|part| stays_below(&part.path) && hex(&part.sha256));
        let about = receipt.core_sha256 == core.b64u() && listed;
        let meant = receipt.iss == *by && about && receipt.from <= receipt.to && counted;
        trail.hold(&checks::RECEIPT_CLAIMS, meant, || {
            format!("of {} about the core {}, {} bytes", receipt.iss, receipt.core_sha256, receipt.bytes)
        })?;
        verify_signed_by(&jws, TYP_RECEIPT, by, documents, trail)?;
        Ok(Verified::vouched(receipt))
    }
}

impl std::fmt::Display for ByteRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "bytes={}-{}", self.first, self.last)
    }
}

impl Serialize for ByteRange {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteRange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let read = || {
            let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
            let range = Self { first: first.parse().ok()?, last: last.parse().ok()? };
            (range.first <= range.last && range.to_string() == text).then_some(range)
        };
        read().ok_or_else(|| serde::de::Error::custom("a range is bytes=FIRST-LAST"))
    }
}
