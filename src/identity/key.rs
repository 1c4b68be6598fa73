use std::fmt;

use p256::elliptic_curve::sec1::ToSec1Point as _;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::{Did, DidUrl, checks};
use crate::check::Refusal;
use crate::encoding::{self, Digest};

/// Half the order of P-256, rounded down: the largest `s` of a canonical ES256 signature.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xde, 0x73, 0x7d,
    0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
];
const MULTICODEC_P256: [u8; 2] = [0x80, 0x24];
const MULTICODEC_ED25519: [u8; 2] = [0xed, 0x01];

/// The allow-list of signature algorithms (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256, low `s` only.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519, strict verification.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// A public key that verifies signatures; always a point that was checked to lie on its curve.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PublicKey {
    /// Uncompressed SEC 1 point, 65 bytes.
    P256([u8; 65]),
    /// 32 bytes of RFC 8032.
    Ed25519([u8; 32]),
}

impl PublicKey {
    /// The algorithm that this key verifies.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::P256(_) => Algorithm::Es256,
            Self::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// Verifies `signature` over `message`, strictly: one signature has one encoding.
    ///
    /// # Errors
    /// `jws.signature.canonical` for another spelling, `jws.signature` when it does not verify.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        if matches!(self, Self::P256(_)) {
            let low = signature.get(32..).is_none_or(|s| *s <= HALF_ORDER[..]);
            checks::JWS_CANONICAL.hold(low, || "ES256 signature with high s".into())?;
        }
        self.verify_any(message, signature)
    }

    /// Verifies `signature` over `message` as RFC 7515 has it: for ES256 either of the two values of s fits. For what proves
    /// who speaks now, and is kept by nobody.
    ///
    /// # Errors
    /// `jws.signature.canonical` for another length, `jws.signature` when it does not verify.
    pub fn verify_any(&self, message: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        checks::JWS_CANONICAL
            .hold(signature.len() == 64, || format!("a signature of {} bytes, expected 64", signature.len()))?;
        let holds = match self {
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            Self::Ed25519(bytes) => ed25519_dalek::VerifyingKey::from_bytes(bytes)
                .and_then(|key| key.verify_strict(message, &ed25519_dalek::Signature::from_slice(signature)?))
                .is_ok(),
        };
        checks::JWS_SIGNATURE.hold(holds, || "the signature does not fit the key and the text".into())
    }

    /// The key of a compressed or uncompressed SEC 1 point on P-256.
    ///
    /// # Errors
    /// `did.key` when the bytes are no point of the curve.
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, Refusal> {
        let key = p256::PublicKey::from_sec1_bytes(bytes)
            .map_err(|_| checks::DID_KEY.refuse("the bytes are not a point on P-256"))?;
        let mut point = [0; 65];
        point.copy_from_slice(key.to_sec1_point(false).as_bytes());
        Ok(Self::P256(point))
    }

    /// The key of 32 bytes of RFC 8032.
    ///
    /// # Errors
    /// `did.key` when the bytes are no usable point.
    pub fn from_ed25519(bytes: &[u8]) -> Result<Self, Refusal> {
        let refuse = || checks::DID_KEY.refuse("the bytes are not an Ed25519 key");
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| refuse())?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| refuse())?;
        // A coordinate that was not reduced spells the same point a second time.
        let canonical = key.to_edwards().compress().to_bytes() == bytes;
        if key.is_weak() || !canonical { Err(refuse()) } else { Ok(Self::Ed25519(bytes)) }
    }

    /// `did:key` of this key.
    pub fn did_key(&self) -> Did {
        let (codec, bytes) = match self {
            Self::P256(point) => {
                let mut compressed = vec![2 | (point[64] & 1)];
                compressed.extend_from_slice(&point[1..33]);
                (MULTICODEC_P256, compressed)
            }
            Self::Ed25519(bytes) => (MULTICODEC_ED25519, bytes.to_vec()),
        };
        let text = format!("did:key:z{}", bs58::encode([&codec[..], &bytes].concat()).into_string());
        // Base58 letters are letters of a DID, so the parse cannot fail.
        text.parse().expect("did:key of a key is a DID")
    }

    /// `did:jwk` of this key.
    pub fn did_jwk(&self) -> Did {
        let jwk = encoding::canonical(&self.jwk()).unwrap_or_default();
        // Base64url letters are letters of a DID, so the parse cannot fail.
        format!("did:jwk:{}", encoding::encode(jwk)).parse().expect("did:jwk of a key is a DID")
    }

    /// The key that a `did:key` identifier spells.
    ///
    /// # Errors
    /// `did.key` for another encoding, codec or a spelling that is not canonical.
    pub(super) fn from_did_key(id: &str) -> Result<Self, Refusal> {
        let refuse = || checks::DID_KEY.refuse("not a did:key of a P-256 or Ed25519 key");
        let bytes = bs58::decode(id.strip_prefix('z').ok_or_else(refuse)?).into_vec().map_err(|_| refuse())?;
        match bytes.split_first_chunk::<2>() {
            Some((&MULTICODEC_P256, point)) if point.len() == 33 => Self::from_sec1(point),
            Some((&MULTICODEC_ED25519, point)) => Self::from_ed25519(point),
            _ => Err(refuse()),
        }
    }

    /// The key that a `did:jwk` identifier spells; members beside the key are ignored, a private member is refused.
    pub(super) fn from_did_jwk(id: &str) -> Result<Self, Refusal> {
        let mut value = encoding::parse_json(&encoding::decode(id)?, 1024)?;
        let object = value.as_object_mut().ok_or_else(|| checks::JWK.refuse("did:jwk is not a JSON object"))?;
        checks::JWK.hold(!object.contains_key("d"), || "did:jwk carries a private key".into())?;
        object.retain(|name, _| matches!(name.as_str(), "kty" | "crv" | "x" | "y"));
        Jwk::from_json(&value)?.public_key()
    }

    /// The key as a JWK.
    pub fn jwk(&self) -> Jwk {
        match self {
            Self::P256(point) => Jwk {
                kty: "EC".into(),
                crv: "P-256".into(),
                x: encoding::encode(&point[1..33]),
                y: Some(encoding::encode(&point[33..])),
            },
            Self::Ed25519(bytes) => {
                Jwk { kty: "OKP".into(), crv: "Ed25519".into(), x: encoding::encode(bytes), y: None }
            }
        }
    }

    /// RFC 7638 thumbprint.
    pub fn thumbprint(&self) -> Thumbprint {
        // The letters of base64url need no escapes, so that this is the canonical form as it stands.
        let Jwk { kty, crv, x, y } = self.jwk();
        let y = y.map_or_else(String::new, |y| format!(r#","y":"{y}""#));
        Thumbprint(Digest::of(format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}"{y}}}"#)).b64u())
    }
}

/// The low-s form of an ES256 signature; `None` when the bytes are no ES256 signature.
pub fn low_s(signature: &[u8]) -> Option<[u8; 64]> {
    let signature = p256::ecdsa::Signature::from_slice(signature).ok()?;
    Some(signature.normalize_s().to_bytes().into())
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.did_key())
    }
}

/// A public key as JSON (RFC 7517), with exactly the members that its thumbprint covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwk {
    /// `EC` or `OKP`.
    pub kty: String,
    /// `P-256` or `Ed25519` (`X25519` only in key agreement).
    pub crv: String,
    /// First coordinate or the key, base64url.
    pub x: String,
    /// Second coordinate, base64url; absent for OKP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}

impl Jwk {
    /// Reads a JWK that arrived.
    ///
    /// # Errors
    /// `jwk.members` for a missing or further member.
    pub fn from_json(value: &serde_json::Value) -> Result<Self, Refusal> {
        Self::deserialize(value).map_err(|cause| checks::JWK.refuse(cause.to_string()))
    }

    /// The signature key behind this JWK.
    ///
    /// # Errors
    /// `did.key` when the coordinates are no point, `jwk.members` for another kind of key.
    pub fn public_key(&self) -> Result<PublicKey, Refusal> {
        match (self.kty.as_str(), self.crv.as_str(), &self.y) {
            ("EC", "P-256", Some(y)) => {
                let (x, y) = (encoding::decode(&self.x)?, encoding::decode(y)?);
                checks::DID_KEY.hold(x.len() == 32 && y.len() == 32, || "coordinates are not 32 bytes long".into())?;
                PublicKey::from_sec1(&[&[4][..], &x, &y].concat())
            }
            ("OKP", "Ed25519", None) => PublicKey::from_ed25519(&encoding::decode(&self.x)?),
            (kty, crv, _) => Err(checks::JWK.refuse(format!("kty {kty}, crv {crv}: expected EC P-256 or OKP Ed25519"))),
        }
    }

    /// RFC 7638 thumbprint: SHA-256 over the required members in order.
    pub fn thumbprint(&self) -> Thumbprint {
        // A struct of strings always has a canonical form.
        Thumbprint(Digest::of(encoding::canonical(self).expect("a JWK has a canonical form")).b64u())
    }
}

/// RFC 7638 thumbprint of a key, base64url.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Thumbprint(String);

impl std::str::FromStr for Thumbprint {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let digest = encoding::decode(text).is_ok_and(|bytes| bytes.len() == 32);
        checks::JWK
            .hold(digest, || format!("`{}` is no RFC 7638 thumbprint", text.chars().take(80).collect::<String>()))?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The `kid` under which the only key of a did:key or did:jwk is known.
pub(super) fn own_kid(did: &Did) -> Option<DidUrl> {
    match did.method() {
        super::Method::Key => Some(did.url(did.specific_id())),
        super::Method::Jwk => Some(did.url("0")),
        super::Method::Web => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::identity::{SecretKey, Signer as _};

    #[test]
    fn the_thumbprint_of_a_key_is_that_of_its_jwk() {
        for key in [SecretKey::p256(&[7; 32]).unwrap(), SecretKey::ed25519(&[7; 32]).unwrap()] {
            assert_eq!(key.public_key().thumbprint(), key.public_key().jwk().thumbprint());
        }
    }
}
