//! A proxy that runs, the gate behind it, and an application that says what it was told.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response as Answer, header};
use countersign::http::Served;
use countersign::node::{Proxy, ServedAsset, Source};
use reqwest::Response;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::gate_scene::{DATA, Scene, asked_by};
use crate::support::gate_world::{Contract, ScriptedChain, free};
use crate::support::ports::free_port;

pub const LARGE: u64 = 256 * 1024 * 1024;
pub const FILE: &str = "/assets/junction";
/// Another asset, which the contracts about the file do not open.
pub const OTHER: &str = "/assets/other";
pub const OTHER_DATA: &str = "what no contract about the junction opens";
pub const LIVE: &str = "/live/junction";
pub const GUARDED: &str = "/guarded/large";

/// The binary that a variable names. A variable that names none is a mistake, not a reason to skip.
pub fn named(variable: &str) -> Option<PathBuf> {
    let named = PathBuf::from(std::env::var_os(variable)?);
    assert!(named.is_file(), "{variable} names no file: {}", named.display());
    Some(named)
}

/// Says so past the test runner's capture: a run that tested nothing has to be seen.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED, nothing was tested: {why}");
}

/// A configuration of the repository with this test's places; what is replaced stands there as often as is said.
pub fn placed(configuration: &str, places: &[(&str, usize, String)]) -> String {
    places.iter().fold(configuration.to_owned(), |text, (stands, times, here)| {
        assert_eq!(text.matches(stands).count(), *times, "`{stands}` stands {times} times in the configuration");
        text.replace(stands, here)
    })
}

/// What a proxy's configuration has to name.
pub struct Places {
    /// Where the proxy listens, on 127.0.0.1.
    pub port: u16,
    pub gate: String,
    pub door: String,
    pub application: String,
    /// A directory for the proxy, with the files that are served in `data`.
    pub dir: PathBuf,
    /// What the proxy shows at the door, where it has to.
    pub secret: Option<&'static str>,
}

pub struct Front {
    pub scene: Scene,
    pub proxy: Proxy,
    process: Child,
    door: Option<Served>,
    _dir: TempDir,
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Front {
    /// Starts what `command` makes of the places.
    pub async fn new(proxy: Proxy, command: impl FnOnce(&Places) -> Command) -> Self {
        Self::with(proxy, None, command).await
    }

    /// The same, where the proxy has to show a secret.
    pub async fn with(proxy: Proxy, secret: Option<&'static str>, command: impl FnOnce(&Places) -> Command) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let assets = dir.path().join("data/assets");
        std::fs::create_dir_all(&assets).unwrap();
        std::fs::write(assets.join("junction"), DATA).unwrap();
        std::fs::write(assets.join("other"), OTHER_DATA).unwrap();

        let port = free_port();
        let origin = format!("http://127.0.0.1:{port}");
        let mut scene = Scene::with(|settings, home| {
            let large = home.join("large");
            std::fs::File::create(&large).unwrap().set_len(LARGE).unwrap();
            settings.origin.clone_from(&origin);
            settings.dpop_nonces = true;
            let first = settings.assets[0].clone();
            for (id, path, source) in [
                ("urn:uuid:live", LIVE, first.source.clone()),
                ("urn:uuid:large", GUARDED, Source::File(large)),
                ("urn:uuid:link", "/assets/link", first.source.clone()),
                ("urn:uuid:other", OTHER, first.source.clone()),
            ] {
                settings.assets.push(ServedAsset { id: id.into(), path: path.into(), source, ..first.clone() });
            }
        })
        .await;
        let (door, served) = scene.door(asked_by(proxy), secret).await;
        let places = Places {
            port,
            gate: scene.origin.strip_prefix("http://").unwrap().to_owned(),
            door,
            application: application(dir.path().join("data")).await,
            dir: dir.path().to_owned(),
            secret,
        };
        let process = command(&places).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        // From here on everybody sees the proxy, and nothing else.
        scene.origin = origin;
        let front = Self { scene, proxy, process, door: Some(served), _dir: dir };
        front.until_routed().await;
        front
    }

    /// A proxy may listen before it knows its routes.
    async fn until_routed(&self) {
        for _ in 0..500 {
            let answer = self.scene.client.get(format!("{}{FILE}", self.scene.origin)).send().await;
            if answer.is_ok_and(|answer| answer.status() == 401) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        panic!("{:?} never asked the gate", self.proxy);
    }

    pub fn contract(&self, number: u8, id: &str, path: &str, permission: Value) -> Contract {
        let asset = countersign::credential::Asset {
            id: id.into(),
            endpoint: format!("{}{path}", self.scene.origin),
            ..self.scene.asset()
        };
        let contract = self.scene.world.contract(number, asset, permission);
        self.scene.chain.record(&contract, 90, self.scene.world.now);
        contract
    }

    pub fn file(&self, number: u8, permission: Value) -> Contract {
        self.contract(number, &self.scene.asset().id, FILE, permission)
    }

    pub async fn live(&self, number: u8) -> (Contract, String) {
        let contract = self.contract(number, "urn:uuid:live", LIVE, free());
        let token = self.scene.token(&contract).await;
        (contract, token)
    }

    /// A request whose target no client tidies, with `more` header lines.
    pub async fn raw(&self, target: &str, token: &str, more: &str) -> String {
        let host = self.scene.origin.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).await.unwrap();
        let request = format!(
            "GET {target} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n{more}connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Closes the door at which the proxy asks; the gate itself stays.
    pub async fn shut(&mut self) {
        self.door.take().unwrap().shutdown().await;
    }

    pub async fn end(&self, contract: &Contract) {
        let id = contract.core.claims.contract_id;
        self.scene.chain.script().ended.insert(id, ScriptedChain::mark(110, self.scene.world.now));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// The check that the proxy passes on.
pub fn check(response: &Response, status: u16) -> &str {
    assert_eq!(response.status().as_u16(), status);
    response.headers().get("countersign-check").map_or("", |check| check.to_str().unwrap())
}

/// An application that serves files below `/assets/`, in parts too, and else says what it was told; where it is.
async fn application(data: PathBuf) -> String {
    let application = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = application.local_addr().unwrap().to_string();
    let told = axum::Router::new().fallback(serve).with_state(data);
    tokio::spawn(async move { axum::serve(application, told).await });
    address
}

async fn serve(State(data): State<PathBuf>, request: Request) -> Answer<Body> {
    // All of it before the answer: a proxy that still sends takes an end of the connection for a fault.
    let (head, body) = request.into_parts();
    axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let request = Request::from_parts(head, Body::empty());
    if request.uri().path().starts_with("/assets/") {
        return file(&data, &request);
    }
    let mut told = format!("target: {}\n", request.uri());
    for (name, value) in request.headers() {
        told += &format!("{name}: {}\n", value.to_str().unwrap());
    }
    Answer::new(told.into())
}

fn file(data: &Path, request: &Request) -> Answer<Body> {
    let Ok(bytes) = std::fs::read(data.join(&request.uri().path()[1..])) else {
        return Answer::builder().status(404).body(Body::empty()).unwrap();
    };
    let range = request.headers().get(header::RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|range| range.split_once('-')) else { return Answer::new(bytes.into()) };
    let (first, last) = (first.parse::<usize>().unwrap(), last.parse().unwrap_or(bytes.len() - 1));
    Answer::builder()
        .status(206)
        .header(header::CONTENT_RANGE, format!("bytes {first}-{last}/{}", bytes.len()))
        .body(bytes[first..=last].to_vec().into())
        .unwrap()
}
