//! Large data goes through the gate as a stream, never gathered in memory, and is cut when its contract ends.

mod support {
    pub mod gate_scene;
    pub mod gate_world;
}

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use countersign::encoding::Hasher;
use countersign::gate::ByteRange;
use countersign::node::Source;
use futures::StreamExt as _;
use reqwest::StatusCode;
use support::gate_scene::{Scene, link};
use support::gate_world::{ScriptedChain, free};
use tokio::net::TcpListener;

const CHUNK: usize = 64 * 1024;
const CHUNKS: u64 = 1024;
const SIZE: u64 = CHUNK as u64 * CHUNKS;

/// What an upstream did.
#[derive(Default)]
struct Upstream {
    /// How many bytes it handed out.
    sent: AtomicU64,
    /// Whether it stops in the middle and never goes on.
    stalls: bool,
}

fn chunk(number: u64) -> Bytes {
    Bytes::from(vec![number as u8; CHUNK])
}

async fn roads(State(upstream): State<Arc<Upstream>>, headers: HeaderMap) -> Response {
    // Ranges of whole chunks are enough here.
    let first = headers.get("range").map_or(0, |range| {
        let range = range.to_str().unwrap().strip_prefix("bytes=").unwrap();
        range.strip_suffix('-').unwrap().parse::<u64>().unwrap() / CHUNK as u64
    });
    let body = futures::stream::iter(first..CHUNKS).then(move |number| {
        let upstream = Arc::clone(&upstream);
        async move {
            if upstream.stalls && number == CHUNKS / 2 {
                std::future::pending::<()>().await;
            }
            upstream.sent.fetch_add(CHUNK as u64, Ordering::Relaxed);
            Ok::<_, std::io::Error>(chunk(number))
        }
    });
    let begins = first * CHUNK as u64;
    let length = ("content-length", (SIZE - begins).to_string());
    let body = Body::from_stream(body);
    if first == 0 {
        return ([length], body).into_response();
    }
    let range = ("content-range", format!("bytes {begins}-{}/{SIZE}", SIZE - 1));
    (StatusCode::PARTIAL_CONTENT, [length, range], body).into_response()
}

async fn scene(stalls: bool) -> (Scene, Arc<Upstream>) {
    let upstream = Arc::new(Upstream { stalls, ..Upstream::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().route("/roads", axum::routing::get(roads)).with_state(Arc::clone(&upstream));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut whole = Hasher::default();
    (0..CHUNKS).for_each(|number| whole.update(&chunk(number)));
    let sha256 = whole.finish().hex()[2..].to_owned();
    let scene = Scene::with(|settings, _| {
        settings.assets[0].source = Source::Upstream(format!("http://{address}/roads"));
        settings.assets[0].sha256 = sha256;
    })
    .await;
    (scene, upstream)
}

fn contract(scene: &Scene) -> support::gate_world::Contract {
    let asset = scene.asset();
    let asset = countersign::credential::Asset { sha256: scene.settings.assets[0].sha256.clone(), ..asset };
    let contract = scene.world.contract(1, asset, free());
    scene.chain.record(&contract, 90, scene.world.now);
    contract
}

#[tokio::test]
async fn what_nobody_reads_is_not_gathered() {
    let (scene, upstream) = scene(false).await;
    let contract = contract(&scene);
    let token = scene.token(&contract).await;
    let mut download = scene.get("/assets/junction", Some(&token)).await;
    let link_to_receipt = link(&download);
    let mut read = download.chunk().await.unwrap().unwrap().len() as u64;
    tokio::time::sleep(Duration::from_millis(800)).await;
    // What lies in the sockets' buffers of two connections, and no more.
    let sent = upstream.sent.load(Ordering::Relaxed);
    assert!(sent < SIZE / 2, "{sent} bytes were taken from the upstream while {read} were read");
    let mut hasher = 0_u64;
    while let Some(chunk) = download.chunk().await.unwrap() {
        read += chunk.len() as u64;
        hasher = hasher.max(chunk.len() as u64);
    }
    assert_eq!(read, SIZE);
    assert!(hasher <= 1024 * 1024, "a chunk of {hasher} bytes");
    let receipt = scene.receipt(&link_to_receipt, &token, &contract).await;
    assert_eq!((receipt.bytes, receipt.range), (SIZE, None));

    let first = SIZE - 3 * CHUNK as u64;
    let range = format!("bytes={first}-");
    let part = scene.request(reqwest::Method::GET, "/assets/junction", Some(&token), Some(&range)).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    let link = link(&part);
    assert_eq!(part.bytes().await.unwrap().len(), 3 * CHUNK);
    let receipt = scene.receipt(&link, &token, &contract).await;
    assert_eq!(receipt.range, Some(ByteRange { first, last: SIZE - 1 }));
}

#[tokio::test]
async fn an_upstreams_stream_of_an_ended_contract_is_cut_even_while_it_stalls() {
    let (scene, _) = scene(true).await;
    let contract = contract(&scene);
    let token = scene.token(&contract).await;
    let mut download = scene.get("/assets/junction", Some(&token)).await;
    let mut read = 0;
    while read < SIZE / 2 {
        read += download.chunk().await.unwrap().unwrap().len() as u64;
    }
    scene.chain.script().ended.insert(contract.core.claims.contract_id, ScriptedChain::mark(110, scene.world.now));
    let cut = tokio::time::timeout(Duration::from_secs(10), download.chunk()).await;
    assert!(cut.expect("nothing was cut").is_err());
    assert_eq!(read, SIZE / 2);
}
