//! Real servers on the loopback interface, each with its own way of being wrong.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::identity::{SecretKey, Signer as _};
use crate::node::checks::ADDRESS;

const PRIVATE: AddressPolicy = AddressPolicy { private_networks: true };

/// A server that answers each request with `answer`, made of the port; the did:web it stands for.
async fn serving(answer: impl Fn(u16) -> Vec<u8> + Send + 'static) -> Did {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let answer = answer(port);
            tokio::spawn(async move {
                let mut head = vec![0; 4096];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(&answer).await;
                if answer.is_empty() {
                    tokio::time::sleep(Duration::from_secs(30)).await;
                }
            });
        }
    });
    Did::of_web(&format!("localhost%3A{port}")).unwrap()
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into_bytes()
}

fn document(port: u16) -> Value {
    let did = format!("did:web:localhost%3A{port}");
    let key = SecretKey::p256(&[7; 32]).unwrap();
    json!({
        "id": did,
        "verificationMethod": [{ "id": "#a", "type": "JsonWebKey", "controller": did, "publicKeyJwk": key.public_key().jwk() }],
        "assertionMethod": ["#a"],
    })
}

async fn resolve(did: &Did, policy: AddressPolicy) -> Result<DidDocument, Refusal> {
    WebResolver::within(policy, Duration::from_secs(1)).unwrap().resolve(did).await
}

#[tokio::test]
async fn a_document_is_fetched_from_its_domain_and_port() {
    let did = serving(|port| ok(&document(port).to_string())).await;
    let found = resolve(&did, PRIVATE).await.unwrap();
    assert_eq!((found.id, found.keys.len()), (did, 1));
}

#[tokio::test]
async fn a_server_on_a_private_address_is_not_asked_unless_the_configuration_allows_it() {
    let did = serving(|port| ok(&document(port).to_string())).await;
    let refusal = resolve(&did, AddressPolicy::default()).await.unwrap_err();
    assert_eq!(refusal.check, &ADDRESS, "the name is of this machine: {refusal}");
    let plain = AddressPolicy::default().allow("http://alice.example/.well-known/did.json");
    assert_eq!(plain.unwrap_err().check, &ADDRESS, "and no plain http");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let did = serving(|port| {
        let document = document(port).to_string();
        format!(
            "HTTP/1.1 302 Found\r\nlocation: http://localhost:{port}/other\r\ncontent-length: {}\r\n\r\n{document}",
            document.len()
        )
        .into_bytes()
    })
    .await;
    let refusal = resolve(&did, PRIVATE).await.unwrap_err();
    assert!(*refusal.check == checks::DID_RESOLVED && refusal.detail.contains("302"), "{refusal}");
}

#[tokio::test]
async fn a_document_that_is_too_long_is_not_read_to_its_end() {
    let did = serving(|_| {
        let mut answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..20 {
            answer.extend(b"2000\r\n");
            answer.extend(vec![b' '; 0x2000]);
            answer.extend(b"\r\n");
        }
        answer
    })
    .await;
    let refusal = resolve(&did, PRIVATE).await.unwrap_err();
    assert!(*refusal.check == checks::DID_RESOLVED && refusal.detail.contains("longer"), "{refusal}");
}

#[tokio::test]
async fn a_server_that_takes_its_time_is_given_up() {
    let did = serving(|_| vec![]).await;
    let began = Instant::now();
    let refusal = resolve(&did, PRIVATE).await.unwrap_err();
    assert!(*refusal.check == checks::DID_RESOLVED && refusal.detail.contains("too long"), "{refusal}");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn another_dids_document_and_what_is_none_are_refused() {
    let did = serving(|_| ok(&document(1).to_string())).await;
    assert_eq!(resolve(&did, PRIVATE).await.unwrap_err().check, &checks::DID_DOCUMENT);
    let did = serving(|_| ok("<html>")).await;
    assert_eq!(resolve(&did, PRIVATE).await.unwrap_err().check.id(), "encoding.json");
    let did = serving(|_| b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    assert_eq!(resolve(&did, PRIVATE).await.unwrap_err().check, &checks::DID_RESOLVED);
}
