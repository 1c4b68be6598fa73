use std::fmt;

use p256::elliptic_curve::sec1::ToSec1Point as _;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::checks;
use crate::check::Refusal;
use crate::encoding;
use crate::identity::{Did, DidDocument, DidUrl, Jwk, Method, PublicKey, SecretKey, Signer as _, Thumbprint};

const MULTICODEC_X25519: [u8; 2] = [0xec, 0x01];

/// The curves on which keys are agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// RFC 7748.
    X25519,
    /// NIST P-256.
    P256,
}

/// A public key agreement key under its name, as a sender needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreementPublic {
    /// The key's name: a DID URL of the recipient.
    pub kid: DidUrl,
    /// The key, X25519 or P-256; not yet checked to be one.
    pub jwk: Jwk,
}

/// A private key agreement key under its name, erased when dropped.
pub struct AgreementKey {
    pub(super) kid: DidUrl,
    pub(super) secret: AgreementSecret,
}

/// The private half of a key agreement key, erased when dropped.
pub enum AgreementSecret {
    /// A scalar of RFC 7748, clamped when used.
    X25519(x25519_dalek::StaticSecret),
    /// A scalar of P-256, never zero.
    P256(p256::SecretKey),
}

/// A public half that was checked to be a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AgreementPoint {
    X25519(x25519_dalek::PublicKey),
    P256(p256::PublicKey),
}

impl AgreementPublic {
    /// The key's curve; an envelope is sealed for keys of one curve only.
    ///
    /// # Errors
    /// `inbox.agreement` when it is no X25519 or P-256 key.
    pub fn curve(&self) -> Result<Curve, Refusal> {
        self.point().map(|point| point.curve())
    }

    pub(super) fn point(&self) -> Result<AgreementPoint, Refusal> {
        let refuse = || checks::AGREEMENT.refuse(format!("{} is no X25519 or P-256 key", self.kid));
        AgreementPoint::of(&self.jwk).ok_or_else(refuse)
    }
}

/// The key agreement keys that a DID spells by itself: the X25519 key derived from an Ed25519 did:key, or the key of a
/// P-256 did:key.
///
/// # Errors
/// `inbox.agreement.did` for other methods (a contact names their key), `did.key` for a malformed identifier.
pub fn agreement_keys_of(did: &Did) -> Result<Vec<AgreementPublic>, Refusal> {
    checks::AGREEMENT_DID
        .hold(did.method() == Method::Key, || format!("{did} is no did:key; its contact names the key"))?;
    let document = DidDocument::of_key_did(did)?;
    Ok(document.keys.iter().filter_map(|(_, key)| derived(did, key)).collect())
}

fn derived(did: &Did, key: &PublicKey) -> Option<AgreementPublic> {
    match key {
        PublicKey::P256(_) => Some(AgreementPublic { kid: did.url(did.specific_id()), jwk: key.jwk() }),
        PublicKey::Ed25519(bytes) => {
            let point = ed25519_dalek::VerifyingKey::from_bytes(bytes).ok()?.to_montgomery().to_bytes();
            let name = bs58::encode([&MULTICODEC_X25519[..], &point].concat()).into_string();
            Some(AgreementPublic { kid: did.url(&format!("z{name}")), jwk: x25519_jwk(&point) })
        }
    }
}

fn x25519_jwk(point: &[u8; 32]) -> Jwk {
    Jwk { kty: "OKP".into(), crv: "X25519".into(), x: encoding::encode(point), y: None }
}

impl AgreementKey {
    /// The X25519 key of 32 secret bytes.
    pub fn x25519(secret: &[u8; 32], kid: DidUrl) -> Self {
        Self { kid, secret: AgreementSecret::X25519((*secret).into()) }
    }

    /// The P-256 key of 32 secret bytes; `None` for the few values that are no key: draw again.
    pub fn p256(secret: &[u8; 32], kid: DidUrl) -> Option<Self> {
        Some(Self { kid, secret: AgreementSecret::P256(p256::SecretKey::from_slice(secret).ok()?) })
    }

    /// A key that a wallet makes beside its DID, named by its thumbprint (RFC 7638): `<did>#<thumbprint>`.
    pub fn beside(did: &Did, secret: AgreementSecret) -> Self {
        let kid = did.url(&secret.thumbprint().to_string());
        Self { kid, secret }
    }

    /// The key agreement key that belongs to a did:key's own secret, named as [`agreement_keys_of`] names it.
    ///
    /// # Errors
    /// `inbox.agreement.did` when the key signs for another kind of DID.
    pub fn of_did_key(key: &SecretKey) -> Result<Self, Refusal> {
        let other = || checks::AGREEMENT_DID.refuse(format!("{} is not the did:key of this secret", key.did()));
        let named = agreement_keys_of(key.did())?.into_iter().next().ok_or_else(other)?;
        let bytes = key.secret();
        let secret = match key.public_key() {
            PublicKey::P256(_) => {
                AgreementSecret::P256(p256::SecretKey::from_slice(bytes.as_slice()).map_err(|_| other())?)
            }
            PublicKey::Ed25519(_) => {
                let scalar = Zeroizing::new(ed25519_dalek::SigningKey::from_bytes(&bytes).to_scalar_bytes());
                AgreementSecret::X25519((*scalar).into())
            }
        };
        checks::AGREEMENT_DID.hold(secret.point().jwk() == named.jwk, || other().detail)?;
        Ok(Self { kid: named.kid, secret })
    }

    /// The key's name.
    pub fn kid(&self) -> &DidUrl {
        &self.kid
    }

    /// The private half.
    pub fn secret(&self) -> &AgreementSecret {
        &self.secret
    }

    /// The public half under the same name.
    pub fn public(&self) -> AgreementPublic {
        AgreementPublic { kid: self.kid.clone(), jwk: self.secret.point().jwk() }
    }
}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgreementKey({})", self.kid)
    }
}

impl AgreementSecret {
    /// The private key of this curve; `None` for the few P-256 values that are no key: draw again.
    pub fn new(curve: Curve, secret: &[u8; 32]) -> Option<Self> {
        match curve {
            Curve::X25519 => Some(Self::X25519((*secret).into())),
            Curve::P256 => p256::SecretKey::from_slice(secret).ok().map(Self::P256),
        }
    }

    /// RFC 7638 thumbprint of its public half.
    pub fn thumbprint(&self) -> Thumbprint {
        self.point().jwk().thumbprint()
    }

    pub(super) fn point(&self) -> AgreementPoint {
        match self {
            Self::X25519(secret) => AgreementPoint::X25519(secret.into()),
            Self::P256(secret) => AgreementPoint::P256(secret.public_key()),
        }
    }

    /// The shared secret with `point`.
    ///
    /// # Errors
    /// `inbox.envelope.epk` for a point of another curve, `inbox.envelope.shared` for an all-zero secret.
    pub(super) fn agree(&self, point: &AgreementPoint) -> Result<Zeroizing<[u8; 32]>, Refusal> {
        let mut shared = Zeroizing::new([0; 32]);
        match (self, point) {
            (Self::X25519(secret), AgreementPoint::X25519(point)) => {
                shared.copy_from_slice(secret.diffie_hellman(point).as_bytes());
            }
            (Self::P256(secret), AgreementPoint::P256(point)) => {
                let agreed = p256::ecdh::diffie_hellman(secret.to_nonzero_scalar(), point.as_affine());
                shared.copy_from_slice(agreed.raw_secret_bytes());
            }
            _ => return Err(checks::EPK.refuse("the ephemeral key is of another curve than the recipient's key")),
        }
        let zero = bool::from(subtle::ConstantTimeEq::ct_eq(&shared[..], &[0; 32][..]));
        checks::SHARED.hold(!zero, || "the shared secret is all zero".into())?;
        Ok(shared)
    }
}

impl fmt::Debug for AgreementSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgreementSecret({:?})", self.point().curve())
    }
}

impl AgreementPoint {
    /// The point that a JWK spells; `None` when it is none, or not in its one spelling.
    pub(super) fn of(jwk: &Jwk) -> Option<Self> {
        match (jwk.kty.as_str(), jwk.crv.as_str(), &jwk.y) {
            ("OKP", "X25519", None) => {
                let bytes: [u8; 32] = encoding::decode(&jwk.x).ok()?.try_into().ok()?;
                Some(Self::X25519(bytes.into()))
            }
            ("EC", "P-256", Some(_)) => {
                let PublicKey::P256(point) = jwk.public_key().ok()? else { return None };
                p256::PublicKey::from_sec1_bytes(&point).ok().map(Self::P256)
            }
            _ => None,
        }
    }

    pub(super) const fn curve(&self) -> Curve {
        match self {
            Self::X25519(_) => Curve::X25519,
            Self::P256(_) => Curve::P256,
        }
    }

    pub(super) fn jwk(&self) -> Jwk {
        match self {
            Self::X25519(point) => x25519_jwk(point.as_bytes()),
            Self::P256(point) => {
                let point = point.to_sec1_point(false);
                let (x, y) = point.as_bytes()[1..].split_at(32);
                Jwk { kty: "EC".into(), crv: "P-256".into(), x: encoding::encode(x), y: Some(encoding::encode(y)) }
            }
        }
    }
}
