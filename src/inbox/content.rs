use aes::Aes256;
use aes::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _, block_padding::Pkcs7};
use ring::{aead, hmac};
use subtle::ConstantTimeEq as _;

/// The allow-list of content encryptions (RFC 7518 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enc {
    /// The one that every DIDComm v2.1 stack has; the only one that is made here.
    A256CbcHs512,
    A256Gcm,
}

impl Enc {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "A256CBC-HS512" => Some(Self::A256CbcHs512),
            "A256GCM" => Some(Self::A256Gcm),
            _ => None,
        }
    }

    pub(super) const fn key_len(self) -> usize {
        match self {
            Self::A256CbcHs512 => 64,
            Self::A256Gcm => 32,
        }
    }

    /// Lengths of initialisation vector and tag.
    pub(super) const fn lens(self) -> (usize, usize) {
        match self {
            Self::A256CbcHs512 => (16, 32),
            Self::A256Gcm => (12, 16),
        }
    }

    /// Ciphertext and tag; `None` when key or iv are not of the length that the algorithm has.
    pub(super) fn encrypt(self, key: &[u8], iv: &[u8], aad: &[u8], text: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut buffer = text.to_vec();
        match self {
            Self::A256CbcHs512 => {
                let (mac_key, key) = (key.get(..32)?, key.get(32..)?);
                buffer.resize((text.len() / 16 + 1) * 16, 0);
                let cipher = cbc::Encryptor::<Aes256>::new_from_slices(key, iv).ok()?;
                cipher.encrypt_padded::<Pkcs7>(&mut buffer, text.len()).ok()?;
                let tag = mac(mac_key, aad, iv, &buffer)[..32].to_vec();
                Some((buffer, tag))
            }
            Self::A256Gcm => {
                let nonce = aead::Nonce::try_assume_unique_for_key(iv).ok()?;
                let tag = gcm(key)?
                    .seal_in_place_separate_tag(nonce, aead::Aad::from(aad), &mut buffer)
                    .ok()?
                    .as_ref()
                    .to_vec();
                Some((buffer, tag))
            }
        }
    }

    /// The plaintext; `None`, whatever the reason, when it is not what the key's owner encrypted.
    pub(super) fn decrypt(self, key: &[u8], iv: &[u8], aad: &[u8], text: &[u8], tag: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = text.to_vec();
        let length = match self {
            Self::A256CbcHs512 => {
                let (mac_key, key) = (key.get(..32)?, key.get(32..)?);
                if !bool::from(mac(mac_key, aad, iv, text)[..32].ct_eq(tag)) {
                    return None;
                }
                let cipher = cbc::Decryptor::<Aes256>::new_from_slices(key, iv).ok()?;
                cipher.decrypt_padded::<Pkcs7>(&mut buffer).ok()?.len()
            }
            Self::A256Gcm => {
                buffer.extend_from_slice(tag);
                let nonce = aead::Nonce::try_assume_unique_for_key(iv).ok()?;
                gcm(key)?.open_in_place(nonce, aead::Aad::from(aad), &mut buffer).ok()?.len()
            }
        };
        buffer.truncate(length);
        Some(buffer)
    }
}

/// RFC 7518 section 5.2.2.1: HMAC over aad, iv, ciphertext and the aad's length in bits.
fn mac(key: &[u8], aad: &[u8], iv: &[u8], ciphertext: &[u8]) -> [u8; 64] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA512, key));
    let bits = (aad.len() as u64).saturating_mul(8).to_be_bytes();
    for part in [aad, iv, ciphertext, &bits] {
        context.update(part);
    }
    let mut tag = [0; 64];
    tag.copy_from_slice(context.sign().as_ref());
    tag
}

fn gcm(key: &[u8]) -> Option<aead::LessSafeKey> {
    aead::UnboundKey::new(&aead::AES_256_GCM, key).ok().map(aead::LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap()).collect()
    }

    /// RFC 7518 appendix B.3.
    #[test]
    fn a256cbc_hs512_is_the_published_one() {
        let key: Vec<u8> = (0..64).collect();
        let iv = bytes("1af38c2dc2b96ffdd86694092341bc04");
        let text = b"A cipher system must not be required to be secret, and it must be able to fall into the hands of \
the enemy without inconvenience";
        let aad = b"The second principle of Auguste Kerckhoffs";
        let (ciphertext, tag) = Enc::A256CbcHs512.encrypt(&key, &iv, aad, text).unwrap();
        assert_eq!(ciphertext[..16], bytes("4affaaadb78c31c5da4b1b590d10ffbd"));
        assert_eq!(tag, bytes("4dd3b4c088a7f45c216839645b2012bf2e6269a8c56a816dbc1b267761955bc5"));
        assert_eq!(Enc::A256CbcHs512.decrypt(&key, &iv, aad, &ciphertext, &tag).unwrap(), text);
        assert_eq!(Enc::A256CbcHs512.decrypt(&key, &iv, b"another", &ciphertext, &tag), None);
        assert_eq!(Enc::A256CbcHs512.decrypt(&key, &iv, aad, &ciphertext, &tag[..31]), None);
    }

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16.
    #[test]
    fn a256gcm_is_the_published_one() {
        let key = bytes("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let iv = bytes("cafebabefacedbaddecaf888");
        let aad = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let text = bytes(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0\
de657ba637b39",
        );
        let (ciphertext, tag) = Enc::A256Gcm.encrypt(&key, &iv, &aad, &text).unwrap();
        assert_eq!(tag, bytes("76fc6ece0f4e1768cddf8853bb2d551b"));
        assert_eq!(Enc::A256Gcm.decrypt(&key, &iv, &aad, &ciphertext, &tag).unwrap(), text);
        assert_eq!(Enc::A256Gcm.decrypt(&key, &iv, b"another", &ciphertext, &tag), None);
    }
}
