//! Nobody crowds others out at a gate: not by rate, not by standing still, not by filling its store.

mod support {
    pub mod gate_scene;
    pub mod gate_world;
    pub mod tape;
}

use std::time::Duration;

use countersign::credential::Asset;
use countersign::encoding::{Digest, Hasher};
use countersign::http::{self, Proxies, Router, Served, Share};
use countersign::node::{Shares, chance};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use support::gate_scene::{DATA, Scene, check, link};
use support::gate_world::{Contract, ScriptedChain, free, under};
use support::tape::Tape;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

const CHUNK: usize = 1 << 20;
const CHUNKS: usize = 64;

/// A gate in front of a file that no socket's buffers hold.
async fn scene(shares: Shares) -> Scene {
    let mut whole = Hasher::default();
    (0..CHUNKS).for_each(|_| whole.update(&[0; CHUNK]));
    let sha256 = whole.finish().hex()[2..].to_owned();
    Scene::with(|settings, home| {
        let large = home.join("junction.xodr");
        std::fs::File::create(&large).unwrap().set_len((CHUNK * CHUNKS) as u64).unwrap();
        settings.assets[0].sha256 = sha256;
        settings.shares = shares;
    })
    .await
}

fn contract(scene: &Scene, number: u8) -> Contract {
    let asset = Asset { sha256: scene.settings.assets[0].sha256.clone(), ..scene.asset() };
    let contract = scene.world.contract(number, asset, free());
    scene.chain.record(&contract, 90, scene.world.now);
    contract
}

fn running(scene: &Scene) -> usize {
    scene.running.as_ref().unwrap().gate.tally().running
}

async fn until(mut holds: impl FnMut() -> bool, what: &str) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}");
}

#[tokio::test]
async fn a_contract_whose_readers_stand_still_leaves_places_for_others() {
    let scene = scene(Shares { deliveries: 3, ..Shares::default() }).await;
    let (greedy, other) = (contract(&scene, 1), contract(&scene, 2));
    // More than one token does not help it.
    let tokens = [scene.token(&greedy).await, scene.token(&greedy).await];
    let mut held: Vec<Response> = Vec::new();
    for token in [&tokens[0], &tokens[0], &tokens[1]] {
        let still = scene.get("/assets/junction", Some(token)).await;
        assert_eq!(still.status(), StatusCode::OK);
        held.push(still);
    }
    let beyond = scene.get("/assets/junction", Some(&tokens[1])).await;
    assert_eq!(beyond.headers()["retry-after"], "5");
    assert_eq!(beyond.headers()["countersign-check"], "gate.share.deliveries");
    assert_eq!(check(beyond, StatusCode::TOO_MANY_REQUESTS).await, "gate.share.deliveries");
    let token = scene.token(&other).await;
    assert_eq!(scene.get("/assets/junction", Some(&token)).await.status(), StatusCode::OK);
    held.pop();
    until(|| running(&scene) < 4, "a place was not given back").await;
    assert_eq!(scene.get("/assets/junction", Some(&tokens[0])).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn who_stands_still_under_an_ended_contract_is_cut_as_well() {
    let scene = scene(Shares::default()).await;
    let contract = contract(&scene, 1);
    let token = scene.token(&contract).await;
    let mut held = Vec::new();
    for _ in 0..30 {
        let host = scene.origin.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).await.unwrap();
        let request = format!("GET /assets/junction HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        held.push(stream);
    }
    until(|| running(&scene) == 30, "they did not begin").await;
    // Until every buffer on the way is full.
    tokio::time::sleep(Duration::from_secs(1)).await;
    scene.chain.script().ended.insert(contract.core.claims.contract_id, ScriptedChain::mark(110, scene.world.now));
    until(|| running(&scene) == 0, "some of them were not cut").await;
}

/// The gate behind a proxy on this machine, with a small share for each caller.
async fn behind_a_proxy(scene: &Scene, share: Share) -> (Served, String) {
    let proxies = Proxies::try_from(vec!["127.0.0.1".to_owned()]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = http::with_share(http::gate::router(scene.running.as_ref().unwrap().gate.clone()), share);
    (http::serve_behind(listener, router, Duration::from_secs(10), proxies), address)
}

#[tokio::test]
async fn callers_behind_a_proxy_have_a_share_each() {
    let scene = scene(Shares { deliveries_of_address: 2, ..Shares::default() }).await;
    let (_served, address) = behind_a_proxy(&scene, Share { per_second: 0.01, burst: 6.0 }).await;
    let ask = async |path: &str, caller: &str, token: Option<&str>| {
        let mut request = scene.client.get(format!("{address}{path}")).header("x-forwarded-for", caller);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap()
    };
    // Deliveries: so many for an address, under whichever contracts.
    let tokens = [scene.token(&contract(&scene, 1)).await, scene.token(&contract(&scene, 2)).await];
    let data = async |caller: &str, token: &str| ask("/assets/junction", caller, Some(token)).await;
    let _held = [data("192.0.2.1", &tokens[0]).await, data("192.0.2.1", &tokens[1]).await];
    let beyond = data("192.0.2.1", &tokens[0]).await;
    assert_eq!(check(beyond, StatusCode::TOO_MANY_REQUESTS).await, "gate.share.deliveries");
    assert_eq!(data("192.0.2.2", &tokens[0]).await.status(), StatusCode::OK);

    // Requests: whoever used them up is told so, whatever it writes itself, and others are not.
    let mut status = StatusCode::OK;
    for _ in 0..8 {
        status = ask("/other", "192.0.2.1", None).await.status();
    }
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(ask("/other", "192.0.2.9, 192.0.2.1", None).await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(ask("/other", "192.0.2.3", None).await.status(), StatusCode::NOT_FOUND);
    for path in ["/health", "/ready"] {
        assert_eq!(ask(path, "192.0.2.1", None).await.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn who_asks_slowly_leaves_room_for_others_to_ask() {
    let scene = Scene::new().await;
    let (_served, address) = behind_a_proxy(&scene, Share::default()).await;
    let host = address.strip_prefix("http://").unwrap();
    let mut slow = Vec::new();
    for _ in 0..64 {
        let mut stream = TcpStream::connect(host).await.unwrap();
        let head =
            format!("POST /token HTTP/1.1\r\nhost: {host}\r\nx-forwarded-for: 192.0.2.1\r\ncontent-length: 10\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    let ask = async |caller: &str| {
        let asked = scene.client.post(format!("{address}/challenge")).header("x-forwarded-for", caller);
        asked.send().await.unwrap().status()
    };
    let mut status = StatusCode::OK;
    for _ in 0..200 {
        status = ask("192.0.2.1").await;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask("192.0.2.2").await, StatusCode::OK);
}

#[test]
fn the_nginx_configuration_says_whom_it_saw() {
    let text = include_str!("../deploy/nginx/data.conf");
    let passing: Vec<&str> =
        text.split("location ").filter(|location| location.contains("proxy_pass http://countersign_gate;")).collect();
    assert_eq!(passing.len(), 2);
    for location in passing {
        assert!(location.contains("proxy_set_header X-Forwarded-For $remote_addr;"), "{location}");
    }
}

/// What a file says, in one line, without the marks of its comments.
fn said(text: &str) -> String {
    text.split_whitespace().filter(|word| *word != "#").collect::<Vec<_>>().join(" ")
}

#[test]
fn every_proxys_configuration_says_whom_the_gate_has_to_believe() {
    let (envoy, traefik) = (include_str!("../deploy/envoy/data.yaml"), include_str!("../deploy/traefik/data.yml"));
    for text in [include_str!("../deploy/nginx/data.conf"), envoy, traefik] {
        let said = said(text);
        assert!(said.contains("[listen] proxies = [\"127.0.0.1\"]. Without that line it holds this"), "{said}");
        assert!(!said.contains("sees one caller"), "{said}");
    }
    // Each writes the address itself.
    assert!(envoy.contains("use_remote_address: true") && !envoy.contains("xff_num_trusted_hops"));
    assert!(!include_str!("../deploy/traefik/traefik.yml").contains("forwardedHeaders"));
}

#[tokio::test]
async fn every_refusal_has_one_form() {
    let scene = Scene::new().await;
    let large = scene.client.post(format!("{}/token", scene.origin)).body("x".repeat(700 * 1024)).send().await.unwrap();
    assert_eq!(check(large, StatusCode::PAYLOAD_TOO_LARGE).await, "");

    let stuck = async || tokio::time::sleep(Duration::from_secs(60)).await;
    let broken = async || -> String { panic!("on purpose") };
    let bare = async || StatusCode::IM_A_TEAPOT;
    let own = async || (StatusCode::CONFLICT, [("content-type", "application/problem+json")], "{}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/stuck", axum::routing::get(stuck))
        .route("/broken", axum::routing::get(broken))
        .route("/bare", axum::routing::get(bare))
        .route("/own", axum::routing::get(own));
    let _served = http::serve(listener, router, Duration::from_millis(200));
    for (path, status) in [("/stuck", 503), ("/broken", 500), ("/bare", 418), ("/none", 404)] {
        let answer = scene.client.get(format!("{address}{path}")).send().await.unwrap();
        assert_eq!(check(answer, StatusCode::from_u16(status).unwrap()).await, "", "{path}");
    }
    let own = scene.client.get(format!("{address}/own")).send().await.unwrap();
    assert_eq!((own.status(), own.text().await.unwrap().as_str()), (StatusCode::CONFLICT, "{}"));
}

/// Has a contract open the gate, and be delivered to, so often; the last token.
async fn uses(scene: &Scene, contract: &Contract, times: usize) -> String {
    let mut token = String::new();
    for _ in 0..times {
        token = scene.token(contract).await;
        let data = scene.get("/assets/junction", Some(&token)).await;
        assert_eq!(data.status(), StatusCode::OK);
        data.bytes().await.unwrap();
    }
    token
}

#[tokio::test]
async fn a_contract_has_so_many_good_tokens_and_no_more() {
    let mut scene = Scene::with(|settings, _| settings.shares.tokens = 3).await;
    let (greedy, other) = (scene.concluded(1, under("count", "lteq", json!(9))), scene.concluded(2, free()));
    let tokens = [scene.token(&greedy).await, scene.token(&greedy).await, scene.token(&greedy).await];
    let answer = scene.answer(&greedy).await;
    let beyond = scene.send(&answer).await;
    assert_eq!(beyond.headers()["retry-after"], "5");
    assert_eq!(check(beyond, StatusCode::TOO_MANY_REQUESTS).await, "gate.share.tokens");
    scene.token(&other).await;
    // Nothing of the refused answer counts: neither its challenge nor a use.
    scene.settings.shares.tokens = 4;
    scene.restart().await;
    assert_eq!(scene.send(&answer).await.status(), StatusCode::OK);
    for token in tokens {
        assert_eq!(scene.get("/assets/junction", Some(&token)).await.status(), StatusCode::OK, "they are good");
    }
}

#[tokio::test]
async fn who_asks_for_many_tokens_at_once_has_no_more_of_them() {
    let scene = Scene::with(|settings, _| settings.shares.tokens = 2).await;
    let contract = scene.concluded(1, free());
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(scene.answer(&contract).await);
    }
    let (mut granted, mut beyond) = (0, 0);
    for said in futures::future::join_all(answers.iter().map(|answer| scene.send(answer))).await {
        match said.status() {
            StatusCode::OK => granted += 1,
            StatusCode::TOO_MANY_REQUESTS => beyond += 1,
            status => panic!("{status}"),
        }
    }
    assert_eq!((granted, beyond), (2, 18));
}

#[tokio::test]
async fn a_token_that_nobody_got_leaves_its_place_to_others() {
    let scene = Scene::with(|settings, _| settings.shares.tokens = 2).await;
    let contract = scene.concluded(1, free());
    let answer = scene.answer(&contract).await;
    assert_eq!(scene.send(&answer).await.status(), StatusCode::OK);
    for _ in 0..3 {
        assert_eq!(scene.denied(&answer).await, "gate.challenge.replayed");
    }
    scene.token(&contract).await;
}

#[tokio::test]
async fn one_contract_does_not_fill_the_store_for_others() {
    let mut scene = Scene::new().await;
    scene.most = Some(2 << 20);
    scene.restart().await;
    let (greedy, other) = (scene.concluded(1, free()), scene.concluded(2, free()));
    // Of the other contract there is a little, which stays while the greedy one goes on and on.
    let early = uses(&scene, &other, 1).await;
    let first = scene.get("/assets/junction", Some(&early)).await;
    let receipt = link(&first);
    first.bytes().await.unwrap();
    let token = scene.token(&greedy).await;
    for _ in 0..900 {
        let part = scene.request(Method::GET, "/assets/junction", Some(&token), Some("bytes=0-0")).await;
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.bytes().await.unwrap().len(), 1);
    }
    uses(&scene, &greedy, 60).await;
    assert_eq!(scene.get("/ready", None).await.status(), StatusCode::OK);
    uses(&scene, &other, 3).await;
    assert_eq!(scene.receipt(&receipt, &early, &other).await.bytes, DATA.len() as u64);
    let gate = scene.running.as_ref().unwrap().gate.clone();
    gate.settled().await;
    let sum = gate.sum_of(&greedy.core.hash).await.unwrap().unwrap();
    assert_eq!((sum.openings, sum.deliveries, sum.bytes), (61, 960, 900 + 60 * DATA.len() as u64));
}

#[tokio::test]
async fn presentations_are_kept_whole_and_what_is_old_goes_into_the_sum() {
    let mut scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    let gate = |scene: &Scene| scene.running.as_ref().unwrap().gate.clone();
    let mut shown = Vec::new();
    for names in [&["asset", "terms"][..], &["asset", "terms"], &["asset", "terms", "price"]] {
        let answer = contract.answer(&scene.origin, &scene.nonce().await, names, chance::now().unwrap());
        assert_eq!(scene.send(&answer).await.status(), StatusCode::OK);
        shown.push(answer.presentation);
    }
    let kept = async |scene: &Scene, text: &str| gate(scene).presentation(&Digest::of(text)).await.unwrap();
    for text in &shown {
        assert_eq!(kept(&scene, text).await.as_ref(), Some(text));
    }
    let token = uses(&scene, &contract, 1).await;
    gate(&scene).settled().await;
    scene.stop().await;
    // 401 days later, by the store's word.
    let mut db =
        SqliteConnection::connect(&format!("sqlite://{}", scene.home.path().join("gate.db").display())).await.unwrap();
    sqlx::query("UPDATE gate_evidence SET at = at - 401 * 86400").execute(&mut db).await.unwrap();
    scene.open_again().await;
    let mut left = i64::MAX;
    for _ in 0..500 {
        left = sqlx::query_scalar("SELECT count(*) FROM gate_evidence").fetch_one(&mut db).await.unwrap();
        if left == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(left, 1, "the first presentation stays, and nothing else");
    assert_eq!(kept(&scene, &shown[0]).await.as_ref(), Some(&shown[0]));
    assert_eq!(kept(&scene, &shown[1]).await, None);
    let sum = gate(&scene).sum_of(&contract.core.hash).await.unwrap().unwrap();
    assert_eq!((sum.openings, sum.deliveries, sum.bytes), (4, 1, DATA.len() as u64));
    assert_eq!(
        scene.get("/assets/junction", Some(&token)).await.status(),
        StatusCode::OK,
        "the token is as good as before"
    );
}

#[tokio::test]
async fn a_gate_with_a_full_store_is_not_ready() {
    let mut scene = Scene::new().await;
    scene.most = Some(1 << 20);
    scene.restart().await;
    scene.stop().await;
    let mut db =
        SqliteConnection::connect(&format!("sqlite://{}", scene.home.path().join("gate.db").display())).await.unwrap();
    for number in 0.. {
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut db).await.unwrap();
        if pages > 244 {
            break;
        }
        let filled = sqlx::query("INSERT INTO documents (kind, id, value) VALUES ('filler', ?, json_quote(?))");
        filled.bind(number.to_string()).bind("x".repeat(30 * 1024)).execute(&mut db).await.unwrap();
    }
    let address = scene.origin.strip_prefix("http://").unwrap().to_owned();
    scene.start_unready(TcpListener::bind(address).await.unwrap()).await;
    let mut said = String::new();
    for _ in 0..200 {
        let answer = scene.get("/ready", None).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        said = answer.text().await.unwrap();
        if said.contains("store") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(said.contains("the gate's store takes nothing now"), "{said}");
    assert_eq!(scene.get("/health", None).await.status(), StatusCode::OK);
    // Room is made, and it says so by itself.
    sqlx::query("DELETE FROM documents WHERE kind = 'filler'").execute(&mut db).await.unwrap();
    scene.until_ready().await;
}

#[tokio::test]
async fn what_strangers_bring_about_is_no_error_in_the_log() {
    let tape = Tape::start();
    let scene = Scene::new().await;
    scene.chain.script().fault = Some(countersign::node::RegistryFault::Unreachable("nobody there".into()));
    let mut status = StatusCode::OK;
    for _ in 0..200 {
        status = scene.get("/ready", None).await.status();
        if status != StatusCode::OK {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    // A proxy that nobody named is told of, once.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let _served = http::serve_behind(listener, Router::new(), Duration::from_secs(10), Proxies::default());
    for _ in 0..3 {
        scene.client.get(&address).header("x-forwarded-for", "192.0.2.1").send().await.unwrap();
    }
    let lines = tape.lines();
    assert!(!lines.is_empty(), "that the chain cannot be read is logged");
    let named = |line: &&Value| line["fields"]["message"].as_str().unwrap().contains("[listen] proxies does not name");
    assert_eq!(lines.iter().filter(named).count(), 1, "{lines:?}");
    let of_requests: Vec<_> =
        lines.iter().filter(|line| line["target"].as_str().unwrap().starts_with("tower_http::trace")).collect();
    assert!(of_requests.is_empty(), "{of_requests:?}");
}
