use aes_kw::{KeyInit as _, KwAes256};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::agreement::AgreementPoint;
use super::content::Enc;
use super::message::is_media_type;
use super::{AgreementSecret, checks};
use crate::check::Refusal;
use crate::encoding::{self, Digest};
use crate::identity::Jwk;

/// The longest envelope that is read or made, in bytes.
pub const MAX_ENVELOPE: usize = 256 * 1024;

const ENCRYPTED: &str = "application/didcomm-encrypted+json";
const ALG: &str = "ECDH-ES+A256KW";
const MAX_RECIPIENTS: usize = 16;

/// An anoncrypt envelope (general JSON JWE, RFC 7516 section 7.2.1) whose outside passed every check; still sealed.
///
/// At this layer a key's name is any text, as in JOSE; [`super::decrypt`] holds the names to be DID URLs.
#[derive(Clone, Debug)]
pub struct Envelope {
    protected: String,
    enc: Enc,
    epk: AgreementPoint,
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
        checks::SIZE.hold(envelope.len() <= MAX_ENVELOPE, || format!("an envelope of {} bytes", envelope.len()))?;
        let value = encoding::parse_json(envelope, MAX_ENVELOPE)?;
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
        Ok(Self { protected: wire.protected, enc: header.enc, epk: header.epk, apv, recipients, iv, ciphertext, tag })
    }

    /// The names of the recipient keys.
    pub fn recipients(&self) -> impl Iterator<Item = &str> {
        self.recipients.iter().map(|recipient| recipient.kid.as_str())
    }

    /// What was sealed, opened with the private half of the key named `kid`.
    ///
    /// # Errors
    /// `inbox.envelope.recipient`, `inbox.envelope.epk`, `inbox.envelope.shared`, `inbox.envelope.key-wrap`,
    /// `inbox.envelope.content`.
    pub fn open(&self, kid: &str, secret: &AgreementSecret) -> Result<Vec<u8>, Refusal> {
        let key = self.content_key(kid, secret)?;
        self.enc
            .decrypt(&key, &self.iv, self.protected.as_bytes(), &self.ciphertext, &self.tag)
            .ok_or_else(|| checks::CONTENT.refuse("the content does not open with its key"))
    }

    fn content_key(&self, kid: &str, secret: &AgreementSecret) -> Result<Zeroizing<Vec<u8>>, Refusal> {
        let recipient = self.recipients.iter().find(|recipient| recipient.kid == kid);
        let recipient = recipient.ok_or_else(|| checks::RECIPIENT.refuse(format!("not sealed for {kid}")))?;
        let refuse = || checks::KEY_WRAP.refuse(format!("the content key for {kid} does not unwrap"));
        let mut key = Zeroizing::new(vec![0; self.enc.key_len()]);
        if recipient.encrypted_key.len() != key.len() + aes_kw::IV_LEN {
            return Err(refuse());
        }
        let wrap = wrapping(&*secret.agree(&self.epk)?, &self.apv);
        wrap.unwrap_key(&recipient.encrypted_key, &mut key).map_err(|_| refuse())?;
        Ok(key)
    }
}

/// Seals `payload` for `recipients`, each a key's name and point, all of one curve.
pub(super) fn seal(
    payload: &[u8],
    recipients: &[(String, AgreementPoint)],
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
    let header = json!({
        "typ": ENCRYPTED, "alg": ALG, "enc": "A256CBC-HS512", "epk": ephemeral.point().jwk(), "apv": party(&kids).b64u(),
    });
    assemble(payload, &header, recipients, &ephemeral, Enc::A256CbcHs512, &key[..], &iv)
}

pub(super) fn assemble(
    payload: &[u8],
    header: &Value,
    recipients: &[(String, AgreementPoint)],
    ephemeral: &AgreementSecret,
    enc: Enc,
    key: &[u8],
    iv: &[u8],
) -> Result<Vec<u8>, Refusal> {
    let kids: Vec<&str> = recipients.iter().map(|(kid, _)| kid.as_str()).collect();
    let (apv, mut listed) = (party(&kids), Vec::new());
    for (kid, point) in recipients {
        let mut wrapped = vec![0; key.len() + aes_kw::IV_LEN];
        wrapping(&*ephemeral.agree(point)?, &apv)
            .wrap_key(key, &mut wrapped)
            .map_err(|_| checks::KEY_WRAP.refuse("the content key does not wrap"))?;
        listed.push(json!({ "header": { "kid": kid }, "encrypted_key": encoding::encode(wrapped) }));
    }
    let protected = encoding::encode(header.to_string());
    let (ciphertext, tag) = enc
        .encrypt(key, iv, protected.as_bytes(), payload)
        .ok_or_else(|| checks::CONTENT.refuse("key or iv of another length than the algorithm's"))?;
    let envelope = json!({
        "protected": protected,
        "recipients": listed,
        "iv": encoding::encode(iv),
        "ciphertext": encoding::encode(ciphertext),
        "tag": encoding::encode(tag),
    });
    let envelope = envelope.to_string().into_bytes();
    checks::SIZE.hold(envelope.len() <= MAX_ENVELOPE, || format!("an envelope of {} bytes", envelope.len()))?;
    Ok(envelope)
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

struct Header {
    enc: Enc,
    epk: AgreementPoint,
    apv: String,
}

impl Header {
    /// An authenticated envelope (ECDH-1PU) would branch off here; until then it is refused by name.
    fn read(protected: &str) -> Result<Self, Refusal> {
        let Value::Object(members) = encoding::parse_json(&encoding::decode(protected)?, 8 * 1024)? else {
            return Err(checks::HEADER.refuse("the protected header is not a JSON object"));
        };
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let authenticated = ["skid", "apu"].iter().any(|name| members.contains_key(*name))
            || text("alg").is_some_and(|alg| alg.starts_with("ECDH-1PU"));
        checks::AUTHCRYPT.hold(!authenticated, || "authcrypt is not read".into())?;
        if let Some(name) = members.keys().find(|name| !["typ", "alg", "enc", "epk", "apv"].contains(&name.as_str())) {
            return Err(checks::HEADER.refuse(format!("unexpected header member `{name}`")));
        }
        let typ = members.get("typ").unwrap_or(&Value::Null);
        checks::TYP.hold(is_media_type(typ, ENCRYPTED), || format!("typ {typ}, expected {ENCRYPTED}"))?;
        checks::ALG.hold(text("alg") == Some(ALG), || format!("alg {:?}, expected {ALG}", text("alg")))?;
        let enc = text("enc")
            .and_then(Enc::named)
            .ok_or_else(|| checks::ENC.refuse(format!("enc {:?}, expected A256CBC-HS512 or A256GCM", text("enc"))))?;
        let apv = text("apv").ok_or_else(|| checks::HEADER.refuse("apv is missing"))?.to_owned();
        Ok(Self { enc, epk: ephemeral_key(&members)?, apv })
    }
}

fn ephemeral_key(members: &Map<String, Value>) -> Result<AgreementPoint, Refusal> {
    let epk = members.get("epk").ok_or_else(|| checks::HEADER.refuse("epk is missing"))?;
    let jwk = Jwk::from_json(epk).map_err(|refusal| checks::EPK.refuse(refusal.detail))?;
    let refuse = || checks::EPK.refuse(format!("no point of an allowed curve: kty {}, crv {}", jwk.kty, jwk.crv));
    AgreementPoint::of(&jwk).ok_or_else(refuse)
}

/// DIDComm v2.1, "ECDH-ES key wrapping": SHA-256 of the sorted recipient kids, joined by a point.
fn party(kids: &[&str]) -> Digest {
    let mut sorted = kids.to_vec();
    sorted.sort_unstable();
    Digest::of(sorted.join("."))
}

fn wrapping(shared: &[u8; 32], apv: &Digest) -> KwAes256 {
    KwAes256::new((&*concat_kdf(shared, ALG, &[], apv.as_bytes(), 256)).into())
}

/// Concat KDF (NIST SP 800-56A 5.8.1 as RFC 7518 section 4.6.2 uses it), one round: 32 bytes, of which `bits` are meant.
fn concat_kdf(shared: &[u8], alg: &str, apu: &[u8], apv: &[u8], bits: u32) -> Zeroizing<[u8; 32]> {
    let mut input = Zeroizing::new(vec![0, 0, 0, 1]);
    input.extend_from_slice(shared);
    for part in [alg.as_bytes(), apu, apv] {
        // All three are header members, bounded by the header's size.
        input.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        input.extend_from_slice(part);
    }
    input.extend_from_slice(&bits.to_be_bytes());
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
        let derived = concat_kdf(&shared, "A128GCM", b"Alice", b"Bob", 128);
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
                wrapping(&shared, &party(&kids)).unwrap_key(&wrapped, &mut key).unwrap();
                found.push(key);
            }
            assert_eq!(found, vec![found[0]; count]);
        }
    }
}
