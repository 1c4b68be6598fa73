use aes_kw::{KeyInit as _, KwAes256};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::agreement::AgreementPoint;
use super::content::Enc;
use super::header::{self, ECDH_1PU, ECDH_ES, Header};
use super::{AgreementKey, AgreementSecret, checks};
use crate::check::Refusal;
use crate::encoding::{self, Digest};
use crate::identity::Jwk;

/// The longest envelope around a signed message that is read or made, in bytes.
pub const MAX_ENVELOPE: usize = 256 * 1024;

const MAX_RECIPIENTS: usize = 16;

/// An envelope (general JSON JWE, RFC 7516 section 7.2.1) whose outside passed every check; still sealed.
///
/// Anonymous (anoncrypt, ECDH-ES) or authenticated (authcrypt, ECDH-1PU draft 4): the latter names its sender's key.
///
/// At this layer a key's name is any text, as in JOSE; [`super::decrypt`] holds the names to be DID URLs.
#[derive(Clone, Debug)]
pub struct Envelope {
    protected: String,
    enc: Enc,
    epk: AgreementPoint,
    sender: Option<String>,
    apv: Digest,
    recipients: Vec<Recipient>,
    iv: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Recipient {
    kid: String,
    encrypted_key: Vec<u8>,
}

impl Envelope {
    /// Reads an envelope strictly.
    ///
    /// # Errors
    /// `inbox.size`, `inbox.nesting`, `inbox.envelope.*`, `encoding.*`.
    pub fn read(envelope: &[u8]) -> Result<Self, Refusal> {
        Self::read_within(envelope, MAX_ENVELOPE)
    }

    /// Reads an envelope of at most `limit` bytes strictly: one around another envelope is longer.
    ///
    /// # Errors
    /// As [`Envelope::read`].
    pub fn read_within(envelope: &[u8], limit: usize) -> Result<Self, Refusal> {
        hold_size(envelope.len(), limit)?;
        let value = encoding::parse_json(envelope, limit)?;
        checks::NESTING.hold(value.get("ciphertext").is_some(), || "not encrypted".into())?;
        let wire = WireEnvelope::deserialize(value).map_err(|cause| checks::FORM.refuse(cause.to_string()))?;
        let header = Header::read(&wire.protected)?;
        checks::RECIPIENTS.hold((1..=MAX_RECIPIENTS).contains(&wire.recipients.len()), || {
            format!("{} recipients, expected 1 to {MAX_RECIPIENTS}", wire.recipients.len())
        })?;
        let recipients = wire.recipients.into_iter().map(Recipient::read).collect::<Result<Vec<_>, _>>()?;
        let kids: Vec<&str> = recipients.iter().map(|recipient| recipient.kid.as_str()).collect();
        let once = kids.iter().enumerate().all(|(place, kid)| !kids[..place].contains(kid));
        checks::RECIPIENTS.hold(once, || "a recipient is named twice".into())?;
        let apv = party(&kids);
        checks::APV.hold(header.apv == apv.b64u(), || format!("apv {}, expected {}", header.apv, apv.b64u()))?;
        let (iv, tag) = (encoding::decode(&wire.iv)?, encoding::decode(&wire.tag)?);
        checks::FORM.hold((iv.len(), tag.len()) == header.enc.lens(), || {
            format!("iv of {} and tag of {} bytes, expected {:?}", iv.len(), tag.len(), header.enc.lens())
        })?;
        let ciphertext = encoding::decode(&wire.ciphertext)?;
        let Header { enc, epk, sender, .. } = header;
        Ok(Self { protected: wire.protected, enc, epk, sender, apv, recipients, iv, ciphertext, tag })
    }

    /// The names of the recipient keys.
    pub fn recipients(&self) -> impl Iterator<Item = &str> {
        self.recipients.iter().map(|recipient| recipient.kid.as_str())
    }

    /// The key that an authenticated envelope says it was sealed with; `None` for an anonymous one.
    pub fn sender(&self) -> Option<&str> {
        self.sender.as_deref()
    }

    /// What was sealed anonymously, opened with the private half of the key named `kid`.
    ///
    /// # Errors
    /// `inbox.envelope.recipient`, `inbox.envelope.epk`, `inbox.envelope.shared`, `inbox.envelope.key-wrap`,
    /// `inbox.envelope.content`; `inbox.envelope.sender` when it is authenticated.
    pub fn open(&self, kid: &str, secret: &AgreementSecret) -> Result<Vec<u8>, Refusal> {
        let anonymous = self.sender.is_none();
        checks::SENDER.hold(anonymous, || "authenticated: it opens only with its sender's public key".into())?;
        let shared = secret.agree(&self.epk)?;
        self.unseal(kid, &wrapping(&shared[..], ECDH_ES, &[], &self.apv, &[]))
    }

    /// What was sealed by the owner of `sender`: whoever opens it can be sure of that, but cannot prove it to others.
    ///
    /// # Errors
    /// As [`Envelope::open`]; `inbox.envelope.sender` when it is anonymous, `inbox.agreement` for a key that is none or
    /// of another curve.
    pub fn open_from(&self, kid: &str, secret: &AgreementSecret, sender: &Jwk) -> Result<Vec<u8>, Refusal> {
        let named = self.sender.as_ref().ok_or_else(|| checks::SENDER.refuse("an anonymous envelope"))?;
        let point = AgreementPoint::of(sender).filter(|point| point.curve() == self.epk.curve());
        let point =
            point.ok_or_else(|| checks::AGREEMENT.refuse(format!("{named} is no key of the envelope's curve")))?;
        let shared = Zeroizing::new([*secret.agree(&self.epk)?, *secret.agree(&point)?].concat());
        self.unseal(kid, &wrapping(&shared, ECDH_1PU, named.as_bytes(), &self.apv, &self.tag))
    }

    fn unseal(&self, kid: &str, wrap: &KwAes256) -> Result<Vec<u8>, Refusal> {
        let recipient = self.recipients.iter().find(|recipient| recipient.kid == kid);
        let recipient = recipient.ok_or_else(|| checks::RECIPIENT.refuse(format!("not sealed for {kid}")))?;
        let refuse = || checks::KEY_WRAP.refuse(format!("the content key for {kid} does not unwrap"));
        let mut key = Zeroizing::new(vec![0; self.enc.key_len()]);
        if recipient.encrypted_key.len() != key.len() + aes_kw::IV_LEN {
            return Err(refuse());
        }
        wrap.unwrap_key(&recipient.encrypted_key, &mut key).map_err(|_| refuse())?;
        self.enc
            .decrypt(&key, &self.iv, self.protected.as_bytes(), &self.ciphertext, &self.tag)
            .ok_or_else(|| checks::CONTENT.refuse("the content does not open with its key"))
    }
}

fn hold_size(length: usize, limit: usize) -> Result<(), Refusal> {
    checks::SIZE.hold(length <= limit, || format!("an envelope of {length} bytes, at most {limit}"))
}

/// Seals `payload` for `recipients`, each a key's name and point, all of one curve: anonymously, or with `sender`'s key.
pub(super) fn seal(
    payload: &[u8],
    sender: Option<&AgreementKey>,
    recipients: &[(String, AgreementPoint)],
    limit: usize,
    random: &mut dyn FnMut(&mut [u8]),
) -> Result<Vec<u8>, Refusal> {
    let curve = match recipients {
        [(_, first), rest @ ..]
            if rest.len() < MAX_RECIPIENTS && rest.iter().all(|(_, p)| p.curve() == first.curve()) =>
        {
            first.curve()
        }
        _ => {
            return Err(checks::RECIPIENTS.refuse(format!("{} recipient keys, or of several curves", recipients.len())));
        }
    };
    let mut drawn = Zeroizing::new([0; 32]);
    // For P-256 one draw in 2^32 is no key; eight in a row mean that the randomness is none.
    let ephemeral = (0..8).find_map(|_| {
        random(&mut drawn[..]);
        AgreementSecret::new(curve, &drawn)
    });
    let ephemeral = ephemeral.ok_or_else(|| checks::EPK.refuse("no ephemeral key could be drawn"))?;
    let (mut key, mut iv) = (Zeroizing::new([0; 64]), [0; 16]);
    random(&mut key[..]);
    random(&mut iv);
    let kids: Vec<&str> = recipients.iter().map(|(kid, _)| kid.as_str()).collect();
    let skid = sender.map(|sender| sender.kid().to_string());
    let header = header::write(&ephemeral.point().jwk(), &party(&kids), skid.as_deref());
    let sealing = Sealing { ephemeral: &ephemeral, sender, enc: Enc::A256CbcHs512, key: &key[..], iv: &iv };
    let envelope = assemble(payload, &header, recipients, &sealing)?;
    hold_size(envelope.len(), limit)?;
    Ok(envelope)
}

/// What an envelope is sealed with.
pub(super) struct Sealing<'a> {
    pub ephemeral: &'a AgreementSecret,
    pub sender: Option<&'a AgreementKey>,
    pub enc: Enc,
    pub key: &'a [u8],
    pub iv: &'a [u8],
}

pub(super) fn assemble(
    payload: &[u8],
    header: &Value,
    recipients: &[(String, AgreementPoint)],
    with: &Sealing<'_>,
) -> Result<Vec<u8>, Refusal> {
    let kids: Vec<&str> = recipients.iter().map(|(kid, _)| kid.as_str()).collect();
    let (apv, mut listed) = (party(&kids), Vec::new());
    let protected = encoding::encode(header.to_string());
    // The content first: authcrypt wraps the content key under a key that commits to the content's tag.
    let (ciphertext, tag) = with
        .enc
        .encrypt(with.key, with.iv, protected.as_bytes(), payload)
        .ok_or_else(|| checks::CONTENT.refuse("key or iv of another length than the algorithm's"))?;
    for (kid, point) in recipients {
        let mut wrapped = vec![0; with.key.len() + aes_kw::IV_LEN];
        let ephemeral = with.ephemeral.agree(point)?;
        let wrap = match with.sender {
            None => wrapping(&ephemeral[..], ECDH_ES, &[], &apv, &[]),
            Some(sender) => {
                let shared = Zeroizing::new([*ephemeral, *sender.secret().agree(point)?].concat());
                wrapping(&shared, ECDH_1PU, sender.kid().to_string().as_bytes(), &apv, &tag)
            }
        };
        wrap.wrap_key(with.key, &mut wrapped).map_err(|_| checks::KEY_WRAP.refuse("the content key does not wrap"))?;
        listed.push(json!({ "header": { "kid": kid }, "encrypted_key": encoding::encode(wrapped) }));
    }
    let envelope = json!({
        "protected": protected,
        "recipients": listed,
        "iv": encoding::encode(with.iv),
        "ciphertext": encoding::encode(ciphertext),
        "tag": encoding::encode(tag),
    });
    Ok(envelope.to_string().into_bytes())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireEnvelope {
    protected: String,
    recipients: Vec<WireRecipient>,
    iv: String,
    ciphertext: String,
    tag: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRecipient {
    header: WireKid,
    encrypted_key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireKid {
    kid: String,
}

impl Recipient {
    fn read(wire: WireRecipient) -> Result<Self, Refusal> {
        Ok(Self { kid: wire.header.kid, encrypted_key: encoding::decode(&wire.encrypted_key)? })
    }
}

/// DIDComm v2.1, "ECDH-ES key wrapping": SHA-256 of the sorted recipient kids, joined by a point.
fn party(kids: &[&str]) -> Digest {
    let mut sorted = kids.to_vec();
    sorted.sort_unstable();
    Digest::of(sorted.join("."))
}

fn wrapping(shared: &[u8], alg: &str, apu: &[u8], apv: &Digest, tag: &[u8]) -> KwAes256 {
    KwAes256::new((&*concat_kdf(shared, alg, apu, apv.as_bytes(), 256, tag)).into())
}

/// Concat KDF (NIST SP 800-56A 5.8.1 as RFC 7518 section 4.6.2 uses it), one round: 32 bytes, of which `bits` are meant.
/// ECDH-1PU with key wrapping adds the content's `tag` (draft-madden-jose-ecdh-1pu-04 section 2.3).
fn concat_kdf(shared: &[u8], alg: &str, apu: &[u8], apv: &[u8], bits: u32, tag: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut input = Zeroizing::new(vec![0, 0, 0, 1]);
    input.extend_from_slice(shared);
    let mut add = |part: &[u8]| {
        // All are header members or a tag, bounded by the envelope's size.
        input.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        input.extend_from_slice(part);
    };
    [alg.as_bytes(), apu, apv].into_iter().for_each(&mut add);
    input.extend_from_slice(&bits.to_be_bytes());
    if !tag.is_empty() {
        input.extend_from_slice(&u32::try_from(tag.len()).unwrap_or(u32::MAX).to_be_bytes());
        input.extend_from_slice(tag);
    }
    Zeroizing::new(*Digest::of(&*input).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::Curve;
    use super::*;

    /// RFC 7518 appendix C.
    #[test]
    fn the_derived_key_is_the_published_one() {
        let shared = encoding::decode("nlbZHYFxNdNyg0KDv4QmnPsxbqPagGpI9tqneYz-kMQ").unwrap();
        let derived = concat_kdf(&shared, "A128GCM", b"Alice", b"Bob", 128, &[]);
        assert_eq!(encoding::encode(&derived[..16]), "VqqN6vgjbSBcIijNcacQGg");
    }

    /// XC20P is refused, but what leads to its content key is what every anoncrypt envelope does: the published
    /// vectors show it right on both curves.
    #[test]
    fn content_keys_of_published_envelopes_unwrap() {
        let keys = include_bytes!("../../fixtures/didcomm/spec-v2.1.json");
        let keys: Value = serde_json::from_slice(keys).unwrap();
        let other = include_bytes!("../../fixtures/didcomm/didcomm-rust.json");
        let other: Value = serde_json::from_slice(other).unwrap();
        for (vectors, curve, count) in [(&keys, Curve::X25519, 3), (&other, Curve::P256, 2)] {
            let wire = WireEnvelope::deserialize(&vectors["encrypted"][0]["message"]).unwrap();
            let header: Value = serde_json::from_slice(&encoding::decode(&wire.protected).unwrap()).unwrap();
            let epk = AgreementPoint::of(&Jwk::from_json(&header["epk"]).unwrap()).unwrap();
            let kids: Vec<&str> = wire.recipients.iter().map(|recipient| recipient.header.kid.as_str()).collect();
            assert_eq!(party(&kids).b64u(), header["apv"]);
            let mut found = Vec::new();
            for recipient in &wire.recipients {
                let secret = keys["keys"][&recipient.header.kid]["d"].as_str().unwrap();
                let secret = encoding::decode(secret).unwrap().try_into().unwrap();
                let shared = AgreementSecret::new(curve, &secret).unwrap().agree(&epk).unwrap();
                let mut key = [0; 32];
                let wrapped = encoding::decode(&recipient.encrypted_key).unwrap();
                wrapping(&shared[..], ECDH_ES, &[], &party(&kids), &[]).unwrap_key(&wrapped, &mut key).unwrap();
                found.push(key);
            }
            assert_eq!(found, vec![found[0]; count]);
        }
    }

    /// draft-madden-jose-ecdh-1pu-04 appendix B: one content key, wrapped by Alice for Bob and Charlie (X25519).
    #[test]
    fn keys_of_the_published_ecdh_1pu_example_are_derived() {
        let vector: Value = serde_json::from_slice(include_bytes!("../../fixtures/didcomm/ecdh-1pu-04.json")).unwrap();
        let bytes = |text: &Value| encoding::decode(text.as_str().unwrap()).unwrap();
        let point = |name: &str| AgreementPoint::of(&Jwk::from_json(&vector[name]).unwrap()).unwrap();
        let (alice, epk) = (point("alice"), point("epk"));
        for recipient in vector["recipients"].as_array().unwrap() {
            let secret = AgreementSecret::new(Curve::X25519, &bytes(&recipient["d"]).try_into().unwrap()).unwrap();
            let shared = [*secret.agree(&epk).unwrap(), *secret.agree(&alice).unwrap()].concat();
            assert_eq!(shared, bytes(&recipient["z"]));
            let tag = bytes(&vector["tag"]);
            let derived = concat_kdf(&shared, "ECDH-1PU+A128KW", b"Alice", b"Bob and Charlie", 128, &tag);
            assert_eq!(derived[..16], bytes(&recipient["kek"]));
        }
        let (key, iv) = (bytes(&vector["cek"]), bytes(&vector["iv"]));
        let protected = encoding::encode(vector["header"].as_str().unwrap());
        let (ciphertext, tag) =
            Enc::A256CbcHs512.encrypt(&key, &iv, protected.as_bytes(), b"Three is a magic number.").unwrap();
        assert_eq!((ciphertext, tag), (bytes(&vector["ciphertext"]), bytes(&vector["tag"])));
    }
}
