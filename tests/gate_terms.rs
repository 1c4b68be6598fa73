//! Terms that run out, and uses: what a token opens ends when its terms do, and only what is delivered is counted.

mod support {
    pub mod gate_scene;
    pub mod gate_world;
}

use std::time::Duration;

use countersign::encoding::Digest;
use countersign::node::{OwnContract, Portion, Proxy, Source, Standing, chance};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use sqlx::Connection as _;
use support::gate_scene::{DATA, Scene, asked_by, check};
use support::gate_world::{Contract, ScriptedChain, under};
use tokio::time::{sleep, timeout};

// Terms here run out after twelve seconds or more: a machine with much to do takes its time for what has to come before.
const LARGE: u64 = 256 * 1024 * 1024;

/// A gate in front of more than what fits into the buffers of a connection. The chain is looked at rarely: nothing that
/// ends here may wait for it.
async fn large() -> Scene {
    Scene::with(|settings, home| {
        let large = home.join("large");
        std::fs::File::create(&large).unwrap().set_len(LARGE).unwrap();
        settings.assets[0].source = Source::File(large);
        (settings.token_ttl, settings.poll_ms) = (3600, 600_000);
    })
    .await
}

async fn granted(scene: &Scene, contract: &Contract) -> Value {
    let granted = scene.send(&scene.answer(contract).await).await;
    assert_eq!(granted.status(), StatusCode::OK);
    granted.json().await.unwrap()
}

/// Reads on once the terms have run out; how many bytes came before it was cut.
async fn cut(mut download: Response, wait: Duration) -> u64 {
    let mut read = download.chunk().await.unwrap().unwrap().len() as u64;
    sleep(wait).await;
    loop {
        match timeout(Duration::from_secs(10), download.chunk()).await.expect("neither data nor an end") {
            Ok(Some(chunk)) => read += chunk.len() as u64,
            Ok(None) => panic!("{read} bytes came and it was not cut"),
            Err(_) => return read,
        }
    }
}

#[tokio::test]
async fn a_date_ends_tokens_and_what_runs() {
    let scene = large().await;
    let end = chance::now().unwrap().plus(12);
    let contract = scene.concluded(1, under("dateTime", "lteq", json!(end.rfc3339())));
    let granted = granted(&scene, &contract).await;
    assert_eq!(granted["expires"], end.plus(1).rfc3339());
    let token = granted["token"].as_str().unwrap();
    let read = cut(scene.get("/assets/junction", Some(token)).await, Duration::from_millis(13_500)).await;
    assert!(read < LARGE, "{read}");
    let late = scene.get("/assets/junction", Some(token)).await;
    assert_eq!(check(late, StatusCode::FORBIDDEN).await, "policy.constraint");
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "policy.constraint");
}

#[tokio::test]
async fn a_span_ends_tokens_and_what_runs_and_counts_from_the_first_use() {
    let mut scene = large().await;
    let contract = scene.concluded(1, under("elapsedTime", "lteq", json!("PT14S")));
    let first = granted(&scene, &contract).await;
    scene.restart().await;
    sleep(Duration::from_secs(1)).await;
    let second = granted(&scene, &contract).await;
    assert_eq!(first["expires"], second["expires"], "the span is the contract's, not the token's");
    let token = second["token"].as_str().unwrap();
    let read = cut(scene.get("/assets/junction", Some(token)).await, Duration::from_millis(14_500)).await;
    assert!(read < LARGE, "{read}");
    for granted in [first, second] {
        let late = scene.get("/assets/junction", granted["token"].as_str()).await;
        assert_eq!(check(late, StatusCode::FORBIDDEN).await, "policy.constraint");
    }
}

#[tokio::test]
async fn what_has_an_end_in_its_terms_is_cut_by_the_contracts_end_too() {
    let scene = Scene::with(|settings, home| {
        let large = home.join("large");
        std::fs::File::create(&large).unwrap().set_len(LARGE).unwrap();
        settings.assets[0].source = Source::File(large);
    })
    .await;
    let far = chance::now().unwrap().plus(86_400).rfc3339();
    let contract = scene.concluded(1, under("dateTime", "lteq", json!(far)));
    let token = scene.token(&contract).await;
    let download = scene.get("/assets/junction", Some(&token)).await;
    scene.chain.script().ended.insert(contract.core.claims.contract_id, ScriptedChain::mark(110, scene.world.now));
    assert!(cut(download, Duration::from_millis(500)).await < LARGE);
}

#[tokio::test]
async fn a_transfers_download_ends_with_the_terms() {
    let scene = Scene::with(|settings, _| settings.poll_ms = 600_000).await;
    let contract = scene.concluded(1, under("elapsedTime", "lt", json!("PT12S")));
    let contents = &contract.offer.contents;
    let (core, asset, terms) = (contract.core.text.clone(), contents.asset.clone(), contents.terms.clone());
    let (own, gate) = (OwnContract { core, asset, terms }, &scene.running.as_ref().unwrap().gate);
    let token = Digest::of("a transfer's token");
    let admitted = gate.opens(&own, "urn:uuid:transfer", token).await.unwrap();
    // Nothing is used as long as nothing is delivered.
    let begun = async || -> i64 {
        let file = format!("sqlite://{}", scene.home.path().join("gate.db").display());
        let mut db = sqlx::SqliteConnection::connect(&file).await.unwrap();
        let count = "SELECT count(*) FROM documents WHERE kind = 'gate-first-use'";
        sqlx::query_scalar(count).fetch_one(&mut db).await.unwrap()
    };
    assert_eq!(begun().await, 0);
    // It is one opening, whatever is kept of it.
    let file = format!("sqlite://{}", scene.home.path().join("gate.db").display());
    let mut db = sqlx::SqliteConnection::connect(&file).await.unwrap();
    let gone = sqlx::query("DELETE FROM gate_evidence WHERE kind = 'transfer'").execute(&mut db).await.unwrap();
    assert_eq!(gone.rows_affected(), 1);
    gate.opens(&own, "urn:uuid:transfer", token).await.unwrap();
    assert_eq!(gate.sum_of(&contract.core.hash).await.unwrap().unwrap().openings, 1);
    gate.begins(&admitted).await.unwrap();
    assert_eq!(begun().await, 1);
    let portion = Portion { part: None, range: None, vouched: true };
    let mut delivery = gate.begin(admitted, portion).unwrap();
    assert!(!delivery.standing.borrow().cuts());
    let cut = timeout(Duration::from_secs(24), delivery.standing.wait_for(Standing::cuts)).await;
    assert!(cut.expect("what ran was not cut").is_ok());
    gate.broke_off(delivery, 0).await;
    let again = gate.opens(&own, "urn:uuid:transfer", token).await.unwrap_err();
    assert!(again.to_string().contains("policy.constraint"), "{again}");
}

#[tokio::test]
async fn the_door_for_proxies_closes_with_the_terms() {
    let scene = Scene::with(|settings, _| settings.poll_ms = 600_000).await;
    let (door, _served) = scene.door(asked_by(Proxy::Nginx), None).await;
    let url = format!("http://{door}/auth");
    let contract = scene.concluded(1, under("elapsedTime", "lt", json!("PT12S")));
    let token = scene.token(&contract).await;
    let ask = async || {
        let question = scene.client.get(&url).bearer_auth(&token);
        let host = scene.origin.strip_prefix("http://").unwrap();
        let question = question.header("x-original-method", "GET").header("x-original-uri", "/assets/junction");
        question.header("x-forwarded-host", host).header("x-forwarded-proto", "http").send().await.unwrap()
    };
    assert_eq!(ask().await.status(), StatusCode::OK);
    sleep(Duration::from_millis(13_100)).await;
    assert_eq!(check(ask().await, StatusCode::FORBIDDEN).await, "policy.constraint");
}

#[tokio::test]
async fn a_fault_of_the_gates_own_costs_no_use() {
    let mut scene = Scene::new().await;
    let contract = scene.concluded(1, under("count", "lteq", json!(2)));
    let data = scene.home.path().join("junction.xodr");
    std::fs::remove_file(&data).unwrap();
    let patient = scene.token(&contract).await;
    // As often as the terms have uses, and more often.
    for _ in 0..3 {
        let token = scene.token(&contract).await;
        for token in [&token, &patient] {
            let failed = scene.get("/assets/junction", Some(token)).await;
            assert_eq!(check(failed, StatusCode::BAD_GATEWAY).await, "");
        }
    }
    scene.restart().await;
    std::fs::write(&data, DATA).unwrap();
    // The token is the same use that it was.
    assert_eq!(scene.get("/assets/junction", Some(&patient)).await.bytes().await.unwrap(), DATA);
    let spent = scene.get("/assets/junction", Some(&patient)).await;
    assert_eq!(check(spent, StatusCode::FORBIDDEN).await, "gate.token.spent");
    let second = scene.token(&contract).await;
    assert_eq!(scene.get("/assets/junction", Some(&second)).await.bytes().await.unwrap(), DATA);
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "policy.constraint");
}

#[tokio::test]
async fn of_many_tokens_as_many_deliver_as_there_are_uses() {
    let mut scene = Scene::new().await;
    let contract = scene.concluded(1, under("count", "lteq", json!(3)));
    let mut tokens = Vec::new();
    for _ in 0..12 {
        tokens.push(scene.token(&contract).await);
    }
    let mut delivered = 0;
    for answer in futures::future::join_all(tokens.iter().map(|token| scene.get("/assets/junction", Some(token)))).await
    {
        if answer.status() == StatusCode::OK {
            delivered += 1;
        } else {
            assert_eq!(check(answer, StatusCode::FORBIDDEN).await, "policy.constraint");
        }
    }
    assert_eq!(delivered, 3);
    scene.restart().await;
    for token in &tokens {
        let answer = scene.get("/assets/junction", Some(token)).await;
        assert!(["gate.token.spent", "policy.constraint"].contains(&&*check(answer, StatusCode::FORBIDDEN).await));
    }
}
