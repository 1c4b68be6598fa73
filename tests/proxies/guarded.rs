//! What the gate itself delivers through a proxy, and what `fetch` makes of one.

use std::process::Stdio;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::front::{Front, GUARDED, LARGE};
use crate::support::gate_scene::{DATA, link};
use crate::support::gate_wallet::Wallet;
use crate::support::gate_world::free;

/// The gate delivers through the proxy: with a receipt, and cut when the contract ends.
pub async fn delivered(front: &Front) {
    let scene = &front.scene;
    let contract = front.contract(8, "urn:uuid:large", GUARDED, free());
    let token = scene.token(&contract).await;
    let part = scene.request(Method::GET, GUARDED, Some(&token), Some("bytes=0-99")).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    let link = link(&part);
    assert_eq!(part.bytes().await.unwrap().len(), 100);
    assert_eq!(scene.receipt(&link, &token, &contract).await.bytes, 100);

    let mut download = scene.get(GUARDED, Some(&token)).await;
    let mut read = download.chunk().await.unwrap().unwrap().len() as u64;
    front.end(&contract).await;
    let broken = loop {
        match download.chunk().await {
            Ok(Some(chunk)) => read += chunk.len() as u64,
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken && read < LARGE, "{read} bytes came, broken off: {broken}");
}

/// `fetch` goes through a proxy as through a gate: with a bound token, on from what it has, told why it is refused.
pub async fn fetched(front: &Front) {
    let asset = countersign::credential::Asset { size: Some(DATA.len() as u64), ..front.scene.asset() };
    let contract = front.scene.world.contract(9, asset, free());
    front.scene.chain.record(&contract, 90, front.scene.world.now);
    let (wallet, node) = Wallet::open(contract, &free()).await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("key"), "a key").unwrap();
    let fetch = async || {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["fetch", "5b0f6a3e", "--json", "--force", "--node", &node, "--key-file", "key"]);
        command.current_dir(dir.path()).stdin(Stdio::null()).output().await.unwrap()
    };
    let output = fetch().await;
    let done: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(std::fs::read(dir.path().join("junction")).unwrap(), DATA);
    // The proxy delivered, so that the gate has nothing to sign.
    assert_eq!((&done["bytes"], &done["receipt"]), (&json!(DATA.len()), &Value::Null));
    front.end(&wallet.contract).await;
    let why = String::from_utf8_lossy(&fetch().await.stderr).into_owned();
    assert!(why.contains("force.ended") && why.contains("this contract is over"), "{why}");
}
