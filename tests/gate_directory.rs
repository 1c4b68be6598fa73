//! A directory behind the gate: what is in it is what the contract's digest reaches, file by file.

mod support {
    pub mod gate_scene;
    pub mod gate_world;
}

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign::encoding::{Digest, Timestamp};
use countersign::gate::{ByteRange, Listed, Receipt, SUMS, Sums, checks};
use countersign::node::{GateSettings, Proxy, chance};
use reqwest::{Method, Response, StatusCode};
use serde_json::json;
use support::gate_scene::{Scene, asked_by, check, link};
use support::gate_world::{Contract, free, under};

const TILE: &[u8] = b"a tile of roads";
const SIGNS: &[u8] = b"signs";

fn tiles(settings: &mut GateSettings, home: &Path) -> PathBuf {
    let dir = home.join("data");
    Scene::directory(settings, &dir, &[("tiles/a b.bin", TILE), ("signs.csv", SIGNS)]);
    dir
}

fn listed(path: &str, bytes: &[u8]) -> Listed {
    Listed { path: path.into(), sha256: Digest::of(bytes).hex()[2..].to_owned() }
}

/// Reads an answer to its end; its receipt.
async fn received(scene: &Scene, answer: Response, token: &str, contract: &Contract) -> Receipt {
    let link = link(&answer);
    answer.bytes().await.unwrap();
    scene.receipt(&link, token, contract).await
}

/// Reads an answer to its end; the check by which it gets no receipt.
async fn unsigned(scene: &Scene, answer: Response, token: &str) -> String {
    let link = link(&answer);
    answer.bytes().await.unwrap();
    let path = link[1..].split('>').next().unwrap();
    for _ in 0..200 {
        let told = scene.get(path, Some(token)).await;
        if told.status() != StatusCode::ACCEPTED {
            return check(told, StatusCode::NOT_FOUND).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never ended");
}

#[tokio::test]
async fn one_use_of_a_directory_has_the_longest_time_that_a_token_has() {
    let scene = Scene::with(|settings, home| drop(tiles(settings, home))).await;
    let lasts = async |number: u8, permission: serde_json::Value| {
        let answer = scene.answer(&scene.concluded(number, permission)).await;
        let granted: serde_json::Value = scene.send(&answer).await.json().await.unwrap();
        let expires = Timestamp::parse_rfc3339(granted["expires"].as_str().unwrap()).unwrap();
        expires.seconds() - chance::now().unwrap().seconds()
    };
    let counted = lasts(1, under("count", "lteq", json!(1))).await;
    assert!((3500..=3600).contains(&counted), "{counted}");
    let free = lasts(2, free()).await;
    assert!((200..=300).contains(&free), "{free}");
}

#[tokio::test]
async fn each_file_is_receipted_as_what_it_is() {
    let scene = Scene::with(|settings, home| drop(tiles(settings, home))).await;
    let contract = scene.concluded(1, free());
    let token = scene.token(&contract).await;
    let own = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(own.headers()["content-type"], "application/vnd.countersign.directory");
    assert_eq!(own.headers()["etag"], format!("\"{}\"", scene.asset().sha256));
    let receipt = received(&scene, own, &token, &contract).await;
    assert_eq!((receipt.part, receipt.range), (None, None));

    let tile = scene.get("/assets/junction/tiles/a%20b.bin", Some(&token)).await;
    let receipt = received(&scene, tile, &token, &contract).await;
    assert_eq!((receipt.part, receipt.range), (Some(listed("tiles/a b.bin", TILE)), None));
    assert_eq!((receipt.bytes, receipt.asset_sha256), (TILE.len() as u64, scene.asset().sha256));

    let piece = scene.request(Method::GET, "/assets/junction/signs.csv", Some(&token), Some("bytes=1-2")).await;
    let receipt = received(&scene, piece, &token, &contract).await;
    let range = Some(ByteRange { first: 1, last: 2 });
    assert_eq!((receipt.part, receipt.range), (Some(listed("signs.csv", SIGNS)), range));
}

#[tokio::test]
async fn a_file_that_was_changed_gets_no_receipt_and_one_that_nobody_named_is_not_served() {
    let mut scene = Scene::with(|settings, home| {
        let dir = tiles(settings, home);
        std::fs::write(dir.join("notes.txt"), "of nobody").unwrap();
        std::fs::write(dir.join(".hidden"), "hidden").unwrap();
        std::fs::write(home.join("secret"), "secret").unwrap();
    })
    .await;
    let dir = scene.home.path().join("data");
    let token = scene.token(&scene.concluded(1, free())).await;
    for path in [
        "notes.txt",
        ".hidden",
        "SHA256SUMS",
        "%2e%2e/secret",
        "tiles%2fa%20b.bin",
        "tiles",
        "none",
        "",
        "tiles//a%20b.bin",
        "tiles/",
        "./signs.csv",
    ] {
        let answer = scene.get(&format!("/assets/junction/{path}"), Some(&token)).await;
        let known = path == "./signs.csv";
        assert_eq!(answer.status(), if known { StatusCode::OK } else { StatusCode::NOT_FOUND }, "{path}");
    }
    std::fs::write(dir.join("signs.csv"), "Signs").unwrap();
    let changed = scene.get("/assets/junction/signs.csv", Some(&token)).await;
    assert_eq!(unsigned(&scene, changed, &token).await, checks::DELIVERY_DIGEST.id());
    // A link that leads out, in the place of a file that is named.
    std::fs::remove_file(dir.join("signs.csv")).unwrap();
    symlink(scene.home.path().join("secret"), dir.join("signs.csv")).unwrap();
    assert_eq!(scene.get("/assets/junction/signs.csv", Some(&token)).await.status(), StatusCode::NOT_FOUND);

    // Other sums name other files, and not the contract's.
    let other = Sums::of([listed("notes.txt", b"of nobody")]).unwrap().text();
    std::fs::write(dir.join(SUMS), other).unwrap();
    let own = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(unsigned(&scene, own, &token).await, checks::DELIVERY_DIGEST.id());
    assert_eq!(scene.get("/assets/junction/notes.txt", Some(&token)).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(scene.get("/assets/junction/tiles/a%20b.bin", Some(&token)).await.status(), StatusCode::OK);
    scene.restart().await;
    for path in ["notes.txt", "tiles/a%20b.bin"] {
        let answer = scene.get(&format!("/assets/junction/{path}"), Some(&token)).await;
        assert_eq!(check(answer, StatusCode::BAD_GATEWAY).await, checks::SUMS.id());
    }
    std::fs::remove_file(dir.join(SUMS)).unwrap();
    assert_eq!(scene.get("/assets/junction", Some(&token)).await.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn conditions_are_about_the_file_that_is_there() {
    let scene = Scene::with(|settings, home| drop(tiles(settings, home))).await;
    let token = scene.token(&scene.concluded(1, free())).await;
    let ask = async |name: &str, value: &str| {
        let request = scene.client.get(format!("{}/assets/junction/signs.csv", scene.origin)).bearer_auth(&token);
        request.header(name, value).send().await.unwrap()
    };
    let signs = scene.get("/assets/junction/signs.csv", Some(&token)).await;
    let etag = signs.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(signs.bytes().await.unwrap(), SIGNS);
    let known = ask("if-none-match", &etag).await;
    assert_eq!((known.status(), known.headers().get("link")), (StatusCode::NOT_MODIFIED, None));
    assert!(known.bytes().await.unwrap().is_empty());
    assert_eq!(ask("if-match", "\"other\"").await.status(), StatusCode::PRECONDITION_FAILED);
    // Another version is another thing: neither known, nor continued.
    std::fs::write(scene.home.path().join("data/signs.csv"), b"other signs").unwrap();
    assert_eq!(ask("if-none-match", &etag).await.status(), StatusCode::OK);
    let request = scene.client.get(format!("{}/assets/junction/signs.csv", scene.origin)).bearer_auth(&token);
    let continued = request.header("range", "bytes=2-").header("if-range", &etag).send().await.unwrap();
    assert_eq!((continued.status(), continued.text().await.unwrap()), (StatusCode::OK, "other signs".into()));
    let head = scene.request(Method::HEAD, "/assets/junction/signs.csv", Some(&token), Some("bytes=0-3")).await;
    assert_eq!((head.status(), head.headers()["content-length"].as_bytes()), (StatusCode::PARTIAL_CONTENT, &b"4"[..]));
}

#[tokio::test]
async fn a_use_of_a_directory_is_each_of_its_files_once() {
    let mut scene = Scene::with(|settings, home| drop(tiles(settings, home))).await;
    let contract = scene.concluded(1, under("count", "lteq", json!(2)));
    let (own, tile, signs) = ("/assets/junction", "/assets/junction/tiles/a%20b.bin", "/assets/junction/signs.csv");
    for number in 1..=2 {
        let token = scene.token(&contract).await;
        let (own_answer, tile_answer) = futures::join!(scene.get(own, Some(&token)), scene.get(tile, Some(&token)));
        assert_eq!((own_answer.status(), tile_answer.status()), (StatusCode::OK, StatusCode::OK), "use {number}");
        scene.restart().await;
        assert_eq!(scene.get(signs, Some(&token)).await.status(), StatusCode::OK);
        // However it is spelled.
        for again in [own, tile, signs, "/assets/junction/tile%73/a%20b.bin"] {
            let spent = scene.get(again, Some(&token)).await;
            assert_eq!(check(spent, StatusCode::FORBIDDEN).await, "gate.token.spent", "{again}");
        }
    }
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "policy.constraint");
}

#[tokio::test]
async fn a_proxys_door_counts_the_files_of_a_directory_as_the_gate_does() {
    let scene = Scene::with(|settings, home| drop(tiles(settings, home))).await;
    let (door, _served) = scene.door(asked_by(Proxy::Nginx), None).await;
    let url = format!("http://{door}/auth");
    let contract = scene.concluded(1, under("count", "lteq", json!(1)));
    let token = scene.token(&contract).await;
    let ask = async |path: &str| {
        let question = scene.client.get(&url).bearer_auth(&token).header("x-original-method", "GET");
        let question = question.header("x-original-uri", format!("/assets/junction{path}"));
        let host = scene.origin.strip_prefix("http://").unwrap();
        question.header("x-forwarded-host", host).header("x-forwarded-proto", "http").send().await.unwrap()
    };
    for path in ["", "/signs.csv", "/tiles/a%20b.bin"] {
        assert_eq!(ask(path).await.status(), StatusCode::OK, "{path}");
        assert_eq!(check(ask(path).await, StatusCode::FORBIDDEN).await, "gate.token.spent", "{path}");
    }
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "policy.constraint");
}
