//! The nginx configuration of this repository, run by a real nginx in front of a real gate.
//!
//! `COUNTERSIGN_NGINX` names the binary; without it one is looked for in the usual places, and without one the test says
//! that it was skipped.

mod support {
    pub mod gate_scene;
    pub mod gate_wallet;
    pub mod gate_world;
    pub mod ports;
}

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::http::HeaderMap;
use countersign::gate::{Proof, Proven};
use countersign::http::{self, Served};
use countersign::node::{ForwardSettings, Proxy, ServedAsset, Source, chance};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use support::gate_scene::{DATA, Scene, link};
use support::gate_wallet::Wallet;
use support::gate_world::{Contract, ScriptedChain, free, key, under};
use support::ports::free_port;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const CONFIGURATION: &str = include_str!("../deploy/nginx/data.conf");
const LARGE: u64 = 256 * 1024 * 1024;
const FILE: &str = "/assets/junction";
const LIVE: &str = "/live/junction";
const GUARDED: &str = "/guarded/large";

fn nginx() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("COUNTERSIGN_NGINX") {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "COUNTERSIGN_NGINX names no file: {}", named.display());
        return Some(named);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.push("/usr/sbin".into());
    places.into_iter().map(|place| place.join("nginx")).find(|file| file.is_file())
}

/// nginx, the gate behind it, and an application that says what it was told.
struct Front {
    scene: Scene,
    nginx: Child,
    _door: Served,
    _dir: TempDir,
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.nginx.kill();
        let _ = self.nginx.wait();
    }
}

impl Front {
    async fn new(binary: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("data/assets")).unwrap();
        std::fs::write(dir.path().join("data/assets/junction"), DATA).unwrap();
        std::fs::write(dir.path().join("secret"), b"secret").unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), dir.path().join("data/assets/link")).unwrap();

        let port = free_port();
        let origin = format!("http://127.0.0.1:{port}");
        let forward = ForwardSettings {
            proxy: Proxy::Nginx,
            listen: ([127, 0, 0, 1], 0).into(),
            addresses: vec!["127.0.0.1".parse().unwrap()],
            secret_file: None,
        };
        let mut scene = Scene::with(|settings, home| {
            let large = home.join("large");
            std::fs::File::create(&large).unwrap().set_len(LARGE).unwrap();
            settings.origin.clone_from(&origin);
            let first = settings.assets[0].clone();
            for (id, path, source) in [
                ("urn:uuid:live", LIVE, first.source.clone()),
                ("urn:uuid:large", GUARDED, Source::File(large)),
                ("urn:uuid:link", "/assets/link", first.source.clone()),
            ] {
                settings.assets.push(ServedAsset { id: id.into(), path: path.into(), source, ..first.clone() });
            }
        })
        .await;
        let gate = scene.running.as_ref().unwrap().gate.clone();
        let listener = TcpListener::bind(forward.listen).await.unwrap();
        let door = listener.local_addr().unwrap().to_string();
        let served = http::serve(listener, http::gate::forward_router(gate, forward, None), Duration::from_secs(10));
        let behind = scene.origin.strip_prefix("http://").unwrap().to_owned();

        let application = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = application.local_addr().unwrap().to_string();
        let told = axum::Router::new().fallback(async |headers: HeaderMap| {
            headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect::<String>()
        });
        tokio::spawn(async move { axum::serve(application, told).await });

        let mut text = CONFIGURATION.to_owned();
        let data = dir.path().join("data");
        for (stands, here) in [
            ("server 127.0.0.1:7300;", format!("server {behind};")),
            ("server 127.0.0.1:7302;", format!("server {door};")),
            ("server 127.0.0.1:8080;", format!("server {address};")),
            ("listen 80;", format!("listen 127.0.0.1:{port};")),
            ("root /srv/data;", format!("root {};", data.display())),
        ] {
            assert_eq!(text.matches(stands).count(), 1, "`{stands}` stands once in the configuration");
            text = text.replace(stands, &here);
        }
        std::fs::write(dir.path().join("data.conf"), text).unwrap();
        let place = dir.path().display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {place}/{kind}; "))
            .collect();
        let main = format!(
            "daemon off; master_process off; pid {place}/nginx.pid; error_log {place}/error.log;\nevents {{}}\n\
             http {{ access_log off; {temporary} include {place}/data.conf; }}\n"
        );
        let configuration = dir.path().join("nginx.conf");
        std::fs::write(&configuration, main).unwrap();
        let run = |arguments: &[&str]| {
            let mut command = Command::new(binary);
            command.arg("-p").arg(dir.path()).arg("-c").arg(&configuration).args(["-e", "stderr"]).args(arguments);
            command
        };
        let judged = run(&["-t"]).output().unwrap();
        assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
        let nginx = run(&[]).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        // From here on everybody sees nginx, and nothing else.
        scene.origin = origin;
        let front = Self { scene, nginx, _door: served, _dir: dir };
        for _ in 0..200 {
            if front.scene.client.get(&front.scene.origin).send().await.is_ok() {
                return front;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("nginx never answered");
    }

    fn contract(&self, number: u8, id: &str, path: &str, permission: Value) -> Contract {
        let asset = countersign::credential::Asset {
            id: id.into(),
            endpoint: format!("{}{path}", self.scene.origin),
            ..self.scene.asset()
        };
        let contract = self.scene.world.contract(number, asset, permission);
        self.scene.chain.record(&contract, 90, self.scene.world.now);
        contract
    }

    fn file(&self, number: u8, permission: Value) -> Contract {
        self.contract(number, &self.scene.asset().id, FILE, permission)
    }

    /// A request whose path no client tidies.
    async fn raw(&self, path: &str, token: &str) -> String {
        let host = self.scene.origin.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn end(&self, contract: &Contract) {
        let id = contract.core.claims.contract_id;
        self.scene.chain.script().ended.insert(id, ScriptedChain::mark(110, self.scene.world.now));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// The check that nginx passes on.
fn check(response: &Response, status: u16) -> &str {
    assert_eq!(response.status().as_u16(), status);
    response.headers().get("countersign-check").map_or("", |check| check.to_str().unwrap())
}

#[tokio::test]
async fn nginx_asks_the_gate_about_each_request() {
    let Some(binary) = nginx() else {
        eprintln!("SKIPPED: no nginx here; install nginx-light, or name one by COUNTERSIGN_NGINX");
        return;
    };
    let front = Front::new(&binary).await;
    files(&front).await;
    terms(&front).await;
    bound(&front).await;
    told(&front).await;
    delivered(&front).await;
    fetched(&front).await;
}

/// nginx serves files: with a token, in parts, and never another file than the one that was asked about.
async fn files(front: &Front) {
    let scene = &front.scene;
    let missing = scene.get(FILE, None).await;
    assert_eq!(missing.headers()["www-authenticate"], "DPoP algs=\"ES256 EdDSA\", Bearer");
    assert_eq!(check(&missing, 401), "gate.token.missing");
    let contract = front.file(1, free());
    let token = scene.token(&contract).await;
    let data = scene.get(FILE, Some(&token)).await;
    assert_eq!((data.status(), data.headers().get("link")), (StatusCode::OK, None));
    assert_eq!(data.headers()["cache-control"], "private, no-store");
    assert_eq!(data.bytes().await.unwrap(), DATA);
    let part = scene.request(Method::GET, FILE, Some(&token), Some("bytes=11-20")).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes().await.unwrap(), &DATA[11..=20]);
    assert_eq!(scene.request(Method::HEAD, FILE, Some(&token), None).await.status(), StatusCode::OK);
    assert_eq!(scene.request(Method::POST, FILE, Some(&token), None).await.status(), StatusCode::FORBIDDEN);

    // What nginx reads as this file, and what a caller writes in the proxy's place.
    for path in ["/assets/x%2f..%2fjunction", "/assets//junction", "/assets/%6aunction"] {
        assert_eq!(scene.get(path, Some(&token)).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    for path in ["/assets/x/../junction", "/assets/./junction", "/assets/%2e/junction", "/x/%2e%2e/assets/junction"] {
        let answer = front.raw(path, &token).await;
        assert!(answer.starts_with("HTTP/1.1 403 ") && !answer.contains("OpenDRIVE"), "{path}: {answer}");
    }
    let request = scene.client.get(format!("{}/assets/link", scene.origin)).bearer_auth(&token);
    let forged = request.header("x-original-uri", FILE).header("x-forwarded-uri", FILE).send().await.unwrap();
    assert_eq!(check(&forged, 403), "gate.token.asset");
    assert_eq!(scene.get("/_gate", Some(&token)).await.status(), StatusCode::NOT_FOUND);
    let other = scene.client.get(format!("{}{FILE}", scene.origin)).bearer_auth(&token).header("host", "other.example");
    assert_eq!(check(&other.send().await.unwrap(), 403), "gate.forward.origin");
    let linked = scene.token(&front.contract(2, "urn:uuid:link", "/assets/link", free())).await;
    assert_eq!(scene.get("/assets/link", Some(&linked)).await.status(), StatusCode::FORBIDDEN);

    front.end(&contract).await;
    assert_eq!(check(&scene.get(FILE, Some(&token)).await, 403), "force.ended");
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "force.ended");
}

/// One token of terms that count uses is one use, at nginx too.
async fn terms(front: &Front) {
    let scene = &front.scene;
    let contract = front.file(3, under("count", "lteq", json!(1)));
    let token = scene.token(&contract).await;
    assert_eq!(scene.request(Method::HEAD, FILE, Some(&token), None).await.status(), StatusCode::OK);
    assert_eq!(scene.get(FILE, Some(&token)).await.status(), StatusCode::OK);
    assert_eq!(check(&scene.get(FILE, Some(&token)).await, 403), "gate.token.spent");
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "policy.constraint");
}

/// A token that is bound to a key comes with a fresh proof of it.
async fn bound(front: &Front) {
    let (scene, own) = (&front.scene, key(7));
    let prove = |method: &str, path: &str, token: Option<&str>| {
        let url = format!("{}{path}", scene.origin);
        let about = Proven { method, url: &url, token };
        Proof::make(&own, &about, &chance::nonce().unwrap(), chance::now().unwrap(), None).unwrap()
    };
    let answer = scene.answer(&front.file(4, free())).await;
    let request = scene.client.post(format!("{}/token", scene.origin)).json(&answer);
    let granted: Value =
        request.header("dpop", prove("POST", "/token", None)).send().await.unwrap().json().await.unwrap();
    assert_eq!(granted["token_type"], "DPoP");
    let token = granted["token"].as_str().unwrap();
    let get = async |proof: &str| {
        let request =
            scene.client.get(format!("{}{FILE}", scene.origin)).header("authorization", format!("DPoP {token}"));
        request.header("dpop", proof).send().await.unwrap()
    };
    let proof = prove("GET", FILE, Some(token));
    assert_eq!(get(&proof).await.bytes().await.unwrap(), DATA);
    let again = get(&proof).await;
    assert!(again.headers()["www-authenticate"].to_str().unwrap().contains("invalid_dpop_proof"));
    assert_eq!(check(&again, 401), "gate.proof.replayed");
    assert_eq!(check(&scene.get(FILE, Some(token)).await, 401), "gate.token.bound");
}

/// An application learns by which contract it serves, from the gate alone, and sees no token.
async fn told(front: &Front) {
    let scene = &front.scene;
    let contract = front.contract(5, "urn:uuid:live", LIVE, free());
    let token = scene.token(&contract).await;
    let request = scene.client.get(format!("{}{LIVE}?part=1", scene.origin)).bearer_auth(&token);
    let told = request.header("countersign-contract", "urn:uuid:forged").send().await.unwrap().text().await.unwrap();
    assert!(told.contains(&format!("countersign-contract: {}\n", contract.core.claims.contract_id)), "{told}");
    assert!(told.contains(&format!("countersign-asset-sha256: {}\n", scene.asset().sha256)), "{told}");
    assert!(!told.contains("forged") && !told.contains("authorization") && !told.contains(&token), "{told}");
}

/// The gate delivers through nginx: with a receipt, and cut when the contract ends.
async fn delivered(front: &Front) {
    let scene = &front.scene;
    let contract = front.contract(6, "urn:uuid:large", GUARDED, free());
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

/// `fetch` goes through nginx as through a gate: with a bound token, on from what it has, told why it is refused.
async fn fetched(front: &Front) {
    let asset = countersign::credential::Asset { size: Some(DATA.len() as u64), ..front.scene.asset() };
    let contract = front.scene.world.contract(7, asset, free());
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
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(std::fs::read(dir.path().join("junction")).unwrap(), DATA);
    // nginx delivered, so that the gate has nothing to sign.
    assert_eq!((&done["bytes"], &done["receipt"]), (&json!(DATA.len()), &Value::Null));
    front.end(&wallet.contract).await;
    let why = String::from_utf8_lossy(&fetch().await.stderr).into_owned();
    assert!(why.contains("force.ended") && why.contains("this contract is over"), "{why}");
}
