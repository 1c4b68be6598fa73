//! The gate over real HTTP, in front of real files, with a store of its own and a chain that the test writes.

mod support {
    pub mod gate_scene;
    pub mod gate_world;
}

use std::time::Duration;

use countersign::encoding::Digest;
use countersign::gate::{Answer, ByteRange};
use countersign::node::{RegistryFault, ServedAsset, Source, chance};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::gate_scene::{DATA, SHOWN, Scene, check, link};
use support::gate_world::{RECORDER, ScriptedChain, free, head, key, under};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_contract_opens_the_data_and_the_gate_signs_what_it_delivered() {
    let scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    assert_eq!(scene.get("/health", None).await.status(), StatusCode::OK);
    let granted: Value = scene.send(&scene.answer(&contract).await).await.json().await.unwrap();
    assert_eq!(granted["contract_id"], contract.core.claims.contract_id.to_string());
    assert_eq!(granted["asset"]["url"], contract.offer.contents.asset.endpoint.as_str());
    assert_eq!((&granted["token_type"], &granted["uses"]), (&json!("Bearer"), &json!("unlimited")));
    let token = granted["token"].as_str().unwrap();

    let head = scene.request(Method::HEAD, "/assets/junction", Some(token), None).await;
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(head.headers()["content-length"], DATA.len().to_string());
    assert!(head.headers().get("link").is_none());

    let data = scene.get("/assets/junction", Some(token)).await;
    assert_eq!(data.status(), StatusCode::OK);
    assert_eq!(data.headers()["content-type"], "application/xml");
    let link = link(&data);
    assert_eq!(data.bytes().await.unwrap(), DATA);
    let receipt = scene.receipt(&link, token, &contract).await;
    assert_eq!((receipt.bytes, receipt.range), (DATA.len() as u64, None));
    assert_eq!(receipt.asset_sha256, Digest::of(DATA).hex()[2..]);
    // Nobody else reads it.
    let other = scene.token(&contract).await;
    let path = link[1..].split('>').next().unwrap();
    assert_eq!(scene.get(path, Some(&other)).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(check(scene.get(path, None).await, StatusCode::UNAUTHORIZED).await, "gate.token.missing");
}

#[tokio::test]
async fn a_part_is_delivered_as_a_part() {
    let scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    let token = scene.token(&contract).await;
    let part = scene.request(Method::GET, "/assets/junction", Some(&token), Some("bytes=11-20")).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-range"], format!("bytes 11-20/{}", DATA.len()));
    let link = link(&part);
    assert_eq!(part.bytes().await.unwrap(), &DATA[11..=20]);
    let receipt = scene.receipt(&link, &token, &contract).await;
    assert_eq!((receipt.bytes, receipt.range), (10, Some(ByteRange { first: 11, last: 20 })));
    let outside = scene.request(Method::GET, "/assets/junction", Some(&token), Some("bytes=5000-")).await;
    assert_eq!(outside.status(), StatusCode::RANGE_NOT_SATISFIABLE);
}

#[tokio::test]
async fn an_answer_counts_once_even_after_a_restart() {
    let mut scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    let answer = scene.answer(&contract).await;
    assert_eq!(scene.send(&answer).await.status(), StatusCode::OK);
    assert_eq!(scene.denied(&answer).await, "gate.challenge.replayed");
    let waiting = scene.answer(&contract).await;
    scene.restart().await;
    assert_eq!(scene.denied(&answer).await, "gate.challenge.replayed");
    assert_eq!(scene.send(&waiting).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_is_forged_is_refused() {
    let scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    let honest = scene.answer(&contract).await;
    let stranger = contract.answer_by(&key(9), &scene.origin, &scene.nonce().await, &SHOWN, chance::now().unwrap());
    assert_eq!(scene.denied(&stranger).await, "jws.signature");
    let mut core = honest.core.clone().into_bytes();
    let middle = core.len() - 40;
    core[middle] = if core[middle] == b'A' { b'B' } else { b'A' };
    let tampered = Answer { core: String::from_utf8(core).unwrap(), ..honest.clone() };
    assert_eq!(scene.denied(&tampered).await, "jws.signature");
    let no_credential = Answer { core: contract.core.hash.hex(), ..honest.clone() };
    assert_eq!(scene.denied(&no_credential).await, "sdjwt.form");
    let foreign = scene.world.contract_by(&key(9), RECORDER, 2, scene.asset(), free());
    scene.chain.record(&foreign, 90, scene.world.now);
    assert_eq!(scene.denied(&scene.answer(&foreign).await).await, "gate.provider");
    // None of that spent the honest answer.
    assert_eq!(scene.send(&honest).await.status(), StatusCode::OK);
    for (body, status) in [("{", 400), ("{\"core\":\"a\"}", 400), ("[]", 400)] {
        let answer = scene.client.post(format!("{}/token", scene.origin)).body(body).send().await.unwrap();
        assert_eq!(check(answer, StatusCode::from_u16(status).unwrap()).await, "encoding.json");
    }
    let long = scene.client.post(format!("{}/token", scene.origin)).body("x".repeat(700_000)).send().await.unwrap();
    assert_eq!(long.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_gate_waits_for_finality() {
    let scene = Scene::new().await;
    let contract = scene.world.contract(1, scene.asset(), free());
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "rule.entry.missing");
    scene.chain.record(&contract, 105, scene.world.now);
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "gate.not-final");
    scene.chain.script().finalised = head(105, scene.world.now);
    assert_eq!(scene.send(&scene.answer(&contract).await).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_ended_contract_is_shut_out_for_good() {
    let mut scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    let (token, other) = (scene.token(&contract).await, scene.token(&scene.concluded(2, free())).await);
    scene.chain.script().ended.insert(contract.core.claims.contract_id, ScriptedChain::mark(110, scene.world.now));
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "force.ended");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let shut = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(shut, StatusCode::FORBIDDEN).await, "force.ended");
    assert_eq!(scene.get("/assets/junction", Some(&other)).await.status(), StatusCode::OK);
    // The block with the end goes, the gate remembers; tokens of other contracts outlive the restart.
    scene.chain.script().ended.clear();
    scene.restart().await;
    let shut = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(shut, StatusCode::FORBIDDEN).await, "force.ended");
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "force.ended");
    assert_eq!(scene.get("/assets/junction", Some(&other)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_download_of_an_ended_contract_is_cut() {
    let scene = Scene::with(|settings, home| {
        let large = home.join("large");
        std::fs::File::create(&large).unwrap().set_len(256 * 1024 * 1024).unwrap();
        settings.assets[0].source = Source::File(large);
    })
    .await;
    let contract = scene.concluded(1, free());
    let token = scene.token(&contract).await;
    let mut download = scene.get("/assets/junction", Some(&token)).await;
    let receipt = link(&download);
    let mut read = download.chunk().await.unwrap().unwrap().len();
    let account = contract.core.claims.contract_id;
    scene.chain.script().withdrawn.insert(account, ScriptedChain::mark(110, scene.world.now));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let broken = loop {
        match download.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broken && read < 256 * 1024 * 1024, "{read} bytes came, broken off: {broken}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let path = receipt[1..].split('>').next().unwrap();
    assert_eq!(scene.get(path, Some(&token)).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_chain_that_cannot_be_relied_on_opens_nothing() {
    let scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    let token = scene.token(&contract).await;
    let faults = [
        (RegistryFault::Unreachable("http://10.1.2.3".into()), "gate.chain.unreachable"),
        (RegistryFault::Disagreement("block 100".into()), "gate.chain.disagreement"),
        (RegistryFault::WrongRegistry("another code".into()), "gate.registry"),
    ];
    for (fault, expected) in faults {
        scene.chain.script().fault = Some(fault);
        let answer = scene.send(&scene.answer(&contract).await).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        let told = answer.text().await.unwrap();
        assert!(told.contains(expected) && !told.contains("10.1.2.3"), "{told}");
        tokio::time::sleep(Duration::from_millis(200)).await;
        let token = scene.get("/assets/junction", Some(&token)).await;
        assert_eq!(check(token, StatusCode::FORBIDDEN).await, expected);
        assert_eq!(check(scene.get("/ready", None).await, StatusCode::SERVICE_UNAVAILABLE).await, expected);
    }
    scene.chain.script().fault = None;
    scene.until_ready().await;
    assert_eq!(scene.get("/assets/junction", Some(&token)).await.status(), StatusCode::OK);

    scene.chain.script().finalised = head(100, scene.world.now.plus(-700));
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "gate.head.stale");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let stale = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(stale, StatusCode::FORBIDDEN).await, "gate.head.stale");
}

#[tokio::test]
async fn uses_are_counted_and_a_token_is_one_use() {
    let mut scene = Scene::new().await;
    let contract = scene.concluded(1, under("count", "lteq", json!(2)));
    let token = scene.token(&contract).await;
    let looked = scene.request(Method::HEAD, "/assets/junction", Some(&token), None).await;
    assert_eq!(looked.status(), StatusCode::OK);
    assert_eq!(scene.get("/assets/junction", Some(&token)).await.status(), StatusCode::OK);
    let again = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(again, StatusCode::FORBIDDEN).await, "gate.token.spent");
    scene.restart().await;
    let again = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(again, StatusCode::FORBIDDEN).await, "gate.token.spent");
    // Of several at once, as many get in as the terms let in.
    let answers = [scene.answer(&contract).await, scene.answer(&contract).await, scene.answer(&contract).await];
    let tokens = futures::future::join_all(answers.iter().map(async |answer| {
        let granted: Value = scene.send(answer).await.json().await.unwrap();
        granted["token"].as_str().unwrap().to_owned()
    }));
    let tokens = tokens.await;
    let answers = tokens.iter().map(|token| scene.get("/assets/junction", Some(token)));
    let answers = futures::future::join_all(answers).await;
    assert_eq!(answers.iter().filter(|answer| answer.status() == StatusCode::OK).count(), 1);
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "policy.constraint");
}

#[tokio::test]
async fn a_token_is_for_its_asset_and_its_time() {
    let scene = Scene::with(|settings, home| {
        let (id, path) = ("urn:uuid:other".to_owned(), "/assets/other".to_owned());
        let source = Source::File(home.join("junction.xodr"));
        settings.assets.push(ServedAsset { id, path, source, ..settings.assets[0].clone() });
        settings.token_ttl = 1;
    })
    .await;
    let contract = scene.concluded(1, free());
    let missing = scene.get("/assets/junction", None).await;
    assert_eq!(missing.headers()["www-authenticate"], "DPoP algs=\"ES256 EdDSA\", Bearer");
    assert_eq!(missing.headers()["countersign-check"], "gate.token.missing");
    assert_eq!(check(missing, StatusCode::UNAUTHORIZED).await, "gate.token.missing");
    let unknown = scene.get("/assets/junction", Some("bm9ib2R5")).await;
    assert_eq!(check(unknown, StatusCode::UNAUTHORIZED).await, "gate.token.unknown");
    let token = scene.token(&contract).await;
    let other = scene.get("/assets/other", Some(&token)).await;
    assert_eq!(check(other, StatusCode::FORBIDDEN).await, "gate.token.asset");
    assert_eq!(scene.get("/assets/nothing", Some(&token)).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(scene.get("/assets/junction/below", Some(&token)).await.status(), StatusCode::NOT_FOUND);
    let put = scene.request(Method::PUT, "/assets/junction", Some(&token), None).await;
    assert_eq!(put.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_token_runs_out() {
    let scene = Scene::with(|settings, _| (settings.token_ttl, settings.poll_ms) = (1, 600_000)).await;
    let token = scene.token(&scene.concluded(1, free())).await;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let late = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(late, StatusCode::UNAUTHORIZED).await, "gate.token.expired");
}

#[tokio::test]
async fn other_bytes_than_the_contracts_get_no_receipt() {
    let scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    let token = scene.token(&contract).await;
    std::fs::write(scene.home.path().join("junction.xodr"), b"something else").unwrap();
    let data = scene.get("/assets/junction", Some(&token)).await;
    let receipt = link(&data);
    data.bytes().await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let path = receipt[1..].split('>').next().unwrap();
    let refused = scene.get(path, Some(&token)).await;
    assert_eq!(check(refused, StatusCode::NOT_FOUND).await, "gate.delivery.digest");
}

#[tokio::test]
async fn an_upstream_is_reached_through_the_gate() {
    // Another gate's sibling: plain data behind the first gate's own file server.
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = upstream.local_addr().unwrap();
    let data = axum::routing::get(async || DATA);
    let files = axum::Router::new().route("/roads", data.clone()).route("/roads/tiles/a", data);
    tokio::spawn(async move { axum::serve(upstream, files).await });
    let scene = Scene::with(|settings, _| {
        settings.assets[0].source = Source::Upstream(format!("http://{address}/roads"));
    })
    .await;
    let contract = scene.concluded(1, free());
    let token = scene.token(&contract).await;
    let data = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(data.headers()["content-type"], "application/xml");
    let link = link(&data);
    assert_eq!(data.bytes().await.unwrap(), DATA);
    assert_eq!(scene.receipt(&link, &token, &contract).await.bytes, DATA.len() as u64);
    assert_eq!(scene.get("/assets/junction/none", Some(&token)).await.status(), StatusCode::NOT_FOUND);
    // What is below has no digest that the contract reaches: it is served, and nobody signs for it.
    let part = scene.get("/assets/junction/tiles/a", Some(&token)).await;
    assert_eq!((part.status(), part.headers().get("link")), (StatusCode::OK, None));
    assert_eq!(part.bytes().await.unwrap(), DATA);
}

#[tokio::test]
async fn looking_costs_no_use_and_neither_does_what_is_known() {
    let scene = Scene::new().await;
    let contract = scene.concluded(1, under("count", "lteq", json!(1)));
    let token = scene.token(&contract).await;
    let etag = format!("\"{}\"", scene.asset().sha256);
    let request = scene.client.get(format!("{}/assets/junction", scene.origin)).bearer_auth(&token);
    let known = request.header("if-none-match", etag).send().await.unwrap();
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    let outside = scene.request(Method::GET, "/assets/junction", Some(&token), Some("bytes=5000-")).await;
    assert_eq!(outside.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(scene.get("/assets/junction", Some(&token)).await.status(), StatusCode::OK);
    let again = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(again, StatusCode::FORBIDDEN).await, "gate.token.spent");
}

#[tokio::test]
async fn a_purpose_is_declared_and_one_that_cannot_be_said_is_refused() {
    let scene = Scene::new().await;
    let contract = scene.concluded(1, under("purpose", "eq", json!("https://example.org/research")));
    let declared = async |purpose: &str| Answer { purpose: Some(purpose.into()), ..scene.answer(&contract).await };
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "policy.undecidable");
    assert_eq!(scene.denied(&declared("https://example.org/resale").await).await, "policy.constraint");
    for purpose in ["", "a\nb", &"x".repeat(2049)] {
        assert_eq!(scene.denied(&declared(purpose).await).await, "gate.purpose");
    }
    assert_eq!(scene.send(&declared("https://example.org/research").await).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn elapsed_time_runs_from_the_first_use_through_a_restart() {
    let mut scene = Scene::new().await;
    let contract = scene.concluded(1, under("elapsedTime", "lteq", json!("PT10S")));
    // Nothing runs before the first use.
    tokio::time::sleep(Duration::from_millis(10_200)).await;
    assert_eq!(scene.send(&scene.answer(&contract).await).await.status(), StatusCode::OK);
    scene.restart().await;
    assert_eq!(scene.send(&scene.answer(&contract).await).await.status(), StatusCode::OK);
    tokio::time::sleep(Duration::from_millis(11_200)).await;
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "policy.constraint");
    scene.restart().await;
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "policy.constraint");
    // Another contract of the same terms has a time of its own.
    let other = scene.concluded(2, under("elapsedTime", "lteq", json!("PT10S")));
    assert_eq!(scene.send(&scene.answer(&other).await).await.status(), StatusCode::OK);
}
