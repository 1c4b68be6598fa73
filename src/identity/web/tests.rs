use serde_json::{Value, json};

use crate::encoding::Timestamp;
use crate::identity::{Did, DidDocument, FormerKey, SecretKey, Service, Signer as _, checks};

fn did() -> Did {
    "did:web:alice.example".parse().unwrap()
}

fn read(json: &Value) -> Result<DidDocument, crate::check::Refusal> {
    DidDocument::read(&did(), json.to_string().as_bytes())
}

#[test]
fn a_did_web_says_where_its_document_is() {
    for (did, url) in [
        ("did:web:alice.example", "https://alice.example/.well-known/did.json"),
        ("did:web:alice.example:desk:1", "https://alice.example/desk/1/did.json"),
        ("did:web:localhost%3A7300", "https://localhost:7300/.well-known/did.json"),
    ] {
        assert_eq!(did.parse::<Did>().unwrap().web_url().unwrap().as_str(), url);
    }
    for did in [
        "did:web:127.0.0.1",
        "did:web:127.1",
        "did:web:2130706433",
        "did:web:0x7f000001",
        "did:web:Alice.example",
        "did:web:alice.example%2Fx",
        "did:web:alice.example%3A",
        "did:web:alice.example%3A99999",
        "did:web:alice.example:",
        "did:web:alice.example:..",
        "did:web:alice.example:a%2Fb",
        "did:web::x",
        "did:web:%3A80",
        "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169",
    ] {
        assert_eq!(did.parse::<Did>().unwrap().web_url().unwrap_err().check, &checks::DID_WEB, "{did}");
    }
}

#[test]
fn a_document_that_is_written_reads_back() {
    let did = did();
    let key = |seed| *SecretKey::p256(&[seed; 32]).unwrap().public_key();
    let kid = |seed| did.url(&key(seed).thumbprint().to_string());
    let agreement = serde_json::from_value(json!({ "kty": "OKP", "crv": "X25519", "x": "Kg" })).unwrap();
    let document = DidDocument {
        keys: vec![(kid(1), key(1))],
        former: vec![FormerKey {
            kid: kid(2),
            key: key(2),
            until: Some(Timestamp::from_seconds(1_795_000_000).unwrap()),
        }],
        agreement: vec![(did.url("a"), agreement)],
        services: vec![Service {
            kind: "DIDCommMessaging".into(),
            uri: "https://alice.example/inbox".into(),
            accept: vec!["didcomm/v2".into()],
            routing_keys: vec!["did:key:z1#z1".into()],
        }],
        ..DidDocument::bare(did.clone())
    };
    assert_eq!(DidDocument::read(&did, document.to_json().to_string().as_bytes()).unwrap(), document);
}

#[test]
fn other_ways_of_writing_are_read_and_what_is_not_ours_is_passed_over() {
    let key = SecretKey::ed25519(&[7; 32]).unwrap();
    let p256 = SecretKey::p256(&[7; 32]).unwrap();
    let multibase = key.public_key().did_key().specific_id().to_owned();
    let mut jwk = json!(p256.public_key().jwk());
    jwk["alg"] = "ES256".into();
    let mut private = jwk.clone();
    private["d"] = "AAAA".into();
    let read = read(&json!({
        "id": "did:web:alice.example",
        "verificationMethod": [
            { "id": "#a", "type": "Multikey", "controller": "did:web:alice.example", "publicKeyMultibase": multibase },
            { "id": "did:web:alice.example#b", "type": "JsonWebKey2020", "controller": "did:web:alice.example", "publicKeyJwk": jwk },
            { "id": "did:web:mallory.example#c", "type": "JsonWebKey", "publicKeyJwk": jwk },
            { "id": "#d", "type": "JsonWebKey", "controller": "did:web:mallory.example", "publicKeyJwk": jwk },
            { "id": "#e", "type": "JsonWebKey", "publicKeyJwk": private },
            { "id": "#f", "type": "JsonWebKey", "publicKeyJwk": { "kty": "RSA", "n": "AQ", "e": "AQAB" } },
            { "id": "#g", "type": "JsonWebKey", "publicKeyJwk": jwk, "revoked": "2026-01-01T00:00:00Z" },
        ],
        "assertionMethod": ["#a", "#c", "#d", "#e", "#f", "#g", "did:web:mallory.example#c", 7],
        "authentication": [{ "id": "#h", "type": "JsonWebKey", "publicKeyJwk": jwk }],
        "keyAgreement": ["#b"],
        "service": [
            { "id": "#1", "type": "LinkedDomains", "serviceEndpoint": "https://alice.example" },
            { "id": "#2", "type": ["DIDCommMessaging"], "serviceEndpoint": [{ "uri": "https://a.example/i", "accept": ["didcomm/v2"] }] },
            { "id": "#3", "type": "DIDCommMessaging", "serviceEndpoint": "https://a.example/old" },
        ],
    }))
    .unwrap();
    let names = |keys: &[(crate::identity::DidUrl, crate::identity::PublicKey)]| {
        keys.iter().map(|(kid, _)| kid.fragment().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&read.keys), ["a", "h"]);
    assert_eq!(read.former.iter().map(|it| it.kid.fragment()).collect::<Vec<_>>(), ["g"]);
    assert_eq!(read.agreement.iter().map(|(kid, _)| kid.fragment()).collect::<Vec<_>>(), ["b"]);
    assert_eq!(
        read.services.iter().map(|it| it.uri.as_str()).collect::<Vec<_>>(),
        ["https://a.example/i", "https://a.example/old"]
    );
}

#[test]
fn a_hostile_document_is_refused_and_never_panics() {
    let jwk = json!(SecretKey::p256(&[7; 32]).unwrap().public_key().jwk());
    let method = json!({ "id": "#a", "publicKeyJwk": jwk });
    for hostile in [
        json!([]),
        json!({}),
        json!({ "id": "did:web:mallory.example" }),
        json!({ "id": ["did:web:alice.example"] }),
        json!({ "id": "did:web:alice.example", "verificationMethod": {} }),
        json!({ "id": "did:web:alice.example", "verificationMethod": ["#a"] }),
        json!({ "id": "did:web:alice.example", "verificationMethod": [method, method] }),
        json!({ "id": "did:web:alice.example", "verificationMethod": [method], "assertionMethod": [method] }),
        json!({ "id": "did:web:alice.example", "verificationMethod": [{ "id": "#a", "publicKeyJwk": jwk, "revoked": 7 }] }),
        json!({ "id": "did:web:alice.example", "assertionMethod": vec!["#a"; 65] }),
        json!({ "id": "did:web:alice.example", "service": "x" }),
    ] {
        assert_eq!(read(&hostile).unwrap_err().check, &checks::DID_DOCUMENT, "{hostile}");
    }
    for text in ["", "{", "nonsense", "{\"id\":1,\"id\":2}"] {
        assert!(DidDocument::read(&did(), text.as_bytes()).is_err(), "{text}");
    }
    let long = format!("{{\"id\":\"did:web:alice.example\",\"x\":\"{}\"}}", "x".repeat(70_000));
    assert_eq!(DidDocument::read(&did(), long.as_bytes()).unwrap_err().check.id(), "encoding.size");
    let empty = read(&json!({ "id": "did:web:alice.example" })).unwrap();
    assert_eq!(empty, DidDocument::bare(did()));
}
