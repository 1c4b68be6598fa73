//! Who signed: keys, algorithms, kinds of statement, and signatures that are another's.

use countersign::encoding::{decode, encode};
use countersign::identity::{PublicKey, SecretKey, Signer};
use serde_json::json;

use super::{Forgery, consumer, forgery, gate, hold, holder, party, reader};
use crate::forge::{Who, members};

pub(super) const FORGERIES: &[Forgery] = &[
    forgery("jws.alg", "the acceptance calls its ES256 signature EdDSA", holder, |forge| {
        forge.kb_jwt = Some(|token| token.header["alg"] = "EdDSA".into());
    }),
    forgery("jws.alg", "the offer calls its signature none", holder, |forge| {
        forge.offer = Some(|token| token.header["alg"] = "none".into());
    }),
    forgery("jws.alg", "the offer says ES256K", holder, |forge| {
        forge.offer = Some(|token| token.header["alg"] = "ES256K".into());
    }),
    forgery("jws.typ", "the offer is of another kind of credential", holder, |forge| {
        forge.offer = Some(|token| token.header["typ"] = "vc+sd-jwt".into());
    }),
    forgery("jws.typ", "the acceptance is some JWT", holder, |forge| {
        forge.kb_jwt = Some(|token| token.header["typ"] = "JWT".into());
    }),
    forgery("jws.typ", "the key statement is some JWT", consumer, |forge| {
        forge.statement = Some(|token| token.header["typ"] = "JWT".into());
    }),
    forgery("jws.typ", "the approval is some JWT", consumer, |forge| {
        forge.approval = Some(|token| token.header["typ"] = "JWT".into());
    }),
    forgery("jws.typ", "a word about the entry is some JWT", reader, |forge| {
        forge.consumer_word = Some(|token| token.header["typ"] = "JWT".into());
    }),
    forgery("jws.typ", "the presentation is some JWT", gate, |forge| {
        forge.presentation = Some(|token| token.header["typ"] = "JWT".into());
    }),
    forgery("jws.kid", "the offer names its key under another DID of the same key", holder, |forge| {
        forge.offer = Some(|token| {
            let other = Who::Provider.key().public_key().did_jwk();
            token.header["kid"] = json!(other.url("0"));
        });
    }),
    forgery("jws.kid", "the offer names no key", holder, |forge| {
        forge.offer = Some(|token| drop(members(&mut token.header).remove("kid")));
    }),
    forgery("jws.kid", "the offer names its key by a fragment alone", holder, |forge| {
        forge.offer = Some(|token| {
            let kid = Who::Provider.kid().to_string();
            token.header["kid"] = kid[kid.find('#').unwrap()..].into();
        });
    }),
    forgery("jws.kid", "the offer names a key that the DID does not list", holder, |forge| {
        forge.offer = Some(|token| token.header["kid"] = json!(Who::Provider.did().url("key-2")));
    }),
    forgery("jws.signature.canonical", "the acceptance's s is the high one of two", holder, |forge| {
        forge.kb_jwt = Some(|token| token.after = Some(high_s));
    }),
    forgery("jws.signature.canonical", "the offer's s is the high one of two", holder, |forge| {
        forge.offer = Some(|token| token.after = Some(high_s));
    }),
    forgery("jws.signature", "a stranger signs the offer", holder, |forge| {
        forge.offer = Some(|token| token.by = Who::Stranger);
    }),
    forgery("jws.signature", "a stranger signs the acceptance", holder, |forge| {
        forge.kb_jwt = Some(|token| token.by = Who::Stranger);
    }),
    forgery("jws.signature", "the consumer signs the acceptance with the key of its DID", holder, |forge| {
        forge.kb_jwt = Some(|token| token.by = Who::Consumer);
    }),
    forgery("jws.signature", "a stranger signs the presentation", gate, |forge| {
        forge.presentation = Some(|token| token.by = Who::Stranger);
    }),
    forgery("jws.signature", "a stranger signs the key statement", consumer, |forge| {
        forge.statement = Some(|token| token.by = Who::Stranger);
    }),
    forgery("jws.signature", "a stranger signs the provider's credential", consumer, |forge| {
        forge.provider_paper = Some(|token| token.by = Who::Stranger);
    }),
    forgery("jws.signature", "a stranger signs the approval", consumer, |forge| {
        forge.approval = Some(|token| token.by = Who::Stranger);
    }),
    forgery("jws.signature", "a stranger signs the provider's word about the entry", reader, |forge| {
        forge.provider_word = Some(|token| token.by = Who::Stranger);
    }),
    forgery("jws.signature", "a stranger signs a message of the history", reader, |forge| {
        forge.message = Some(|token| token.by = Who::Stranger);
    }),
    party("did.syntax", "the provider's DID is of a method that is not known", holder, |world| {
        world.provider = ("did:example:provider".into(), "did:example:provider#key".into());
    }),
    party("did.document", "the provider's document is not at hand", holder, |world| {
        world.provider = ("did:web:provider.example".into(), "did:web:provider.example#key".into());
    }),
    party("did.key", "the provider's did:key spells the whole point", holder, |world| {
        let PublicKey::P256(point) = *Who::Provider.key().public_key() else { unreachable!() };
        let id = format!("z{}", bs58::encode([&[0x80, 0x24][..], &point].concat()).into_string());
        world.provider = (format!("did:key:{id}"), format!("did:key:{id}#{id}"));
    }),
    forgery("did.key", "the one-time key has a zero in front", holder, |forge| {
        forge.offer = Some(|token| {
            let x = decode(token.claims["cnf"]["jwk"]["x"].as_str().unwrap()).unwrap();
            token.claims["cnf"]["jwk"]["x"] = encode([&[0][..], &x].concat()).into();
        });
    }),
    forgery("jwk.members", "the one-time key says what it is used for", holder, |forge| {
        forge.offer = Some(|token| token.claims["cnf"]["jwk"]["use"] = "sig".into());
    }),
    forgery("jwk.members", "the one-time key comes with its secret", holder, |forge| {
        forge.offer = Some(|token| {
            token.claims["cnf"]["jwk"]["d"] = encode(Who::OneTime.key().secret().as_slice()).into();
        });
    }),
];

/// The other signature over the same text by the same key.
fn high_s(text: String) -> String {
    let (signed, signature) = text.rsplit_once('.').unwrap();
    let signature = p256::ecdsa::Signature::from_slice(&decode(signature).unwrap()).unwrap();
    let (r, s) = signature.split_scalars();
    let high = p256::ecdsa::Signature::from_scalars(r, -*s).unwrap();
    format!("{signed}.{}", encode(high.to_bytes()))
}

#[test]
fn another_s_signature_is_refused() {
    hold(FORGERIES);
}

#[test]
fn an_ed25519_key_and_its_signatures_have_one_spelling() {
    let key = SecretKey::ed25519(&[9; 32]).unwrap();
    let mut signature = key.sign(b"text").unwrap();
    key.public_key().verify(b"text", &signature).unwrap();
    // The same s, raised by the order of the group.
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(add);
        *byte = carry as u8;
        carry >>= 8;
    }
    assert_eq!(key.public_key().verify(b"text", &signature).unwrap_err().check.id(), "jws.signature");

    // Points that anybody can sign for, and points whose y is written with the field's prime added.
    let mut one = [0; 32];
    one[0] = 1;
    assert_eq!(PublicKey::from_ed25519(&one).unwrap_err().check.id(), "did.key");
    for (low, sign) in (0..19).flat_map(|low| [(low, 0x7f), (low, 0xff)]) {
        let mut spelled = [0xff; 32];
        (spelled[0], spelled[31]) = (0xed + low, sign);
        let found = PublicKey::from_ed25519(&spelled).map(|_| low).map_err(|refusal| refusal.check.id());
        assert_eq!(found, Err("did.key"), "y = p + {low}");
    }
}
