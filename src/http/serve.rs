use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Router};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::{DefaultOnFailure, TraceLayer};

use super::crowd::with_places;
use super::{Problem, Proxies, doors};

/// How many requests of one interface are answered at once; beyond it the answer is 503.
const AT_ONCE: usize = 512;
/// How many of them one address may have.
const OF_ONE: usize = 128;

/// A router that is being served.
#[derive(Debug)]
pub struct Served {
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Served {
    /// Ends it after the requests that are under way, at most ten seconds later.
    pub async fn shutdown(self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(10), self.task).await;
    }

    /// Waits until it ends by itself: only when the listener fails.
    ///
    /// # Errors
    /// The listener's.
    pub async fn ended(&mut self) -> std::io::Result<()> {
        (&mut self.task).await.map_err(std::io::Error::other)?
    }
}

/// Serves a router on a listener, with the limits that every interface has: a panic ends one request only, a handler
/// has `within` to begin its answer.
pub fn serve(listener: TcpListener, router: Router, within: Duration) -> Served {
    open(listener, router, within, None)
}

/// The same behind proxies: what an address may have is each caller's, as the proxies tell it.
pub fn serve_behind(listener: TcpListener, router: Router, within: Duration, proxies: Proxies) -> Served {
    open(listener, router, within, Some(proxies))
}

fn open(listener: TcpListener, router: Router, within: Duration, proxies: Option<Proxies>) -> Served {
    let stop = CancellationToken::new();
    let crowded = |_: BoxError| async { Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too busy; try again later") };
    let router = router.layer(
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(crowded))
            .load_shed()
            .layer(GlobalConcurrencyLimitLayer::new(AT_ONCE)),
    );
    // Outside of that: who sends slowly takes no more than its share of the places.
    let router = with_places(router, OF_ONE)
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, within))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(in_one_shape));
    // What a stranger can bring about at will is no error of the node's: its log says errors where they happen.
    let quiet = DefaultOnFailure::new().level(tracing::Level::DEBUG);
    let router = match &proxies {
        Some(proxies) => proxies.clone().in_front_of(router),
        None => router,
    };
    let router = router.layer(TraceLayer::new_for_http().on_failure(quiet));
    let task = tokio::spawn(doors::keep(
        listener,
        router,
        doors::Patience::default(),
        proxies.unwrap_or_default(),
        stop.clone(),
    ));
    Served { stop, task }
}

/// Gives every refusal the form of the others, those included that no handler made.
async fn in_one_shape(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    let kind = response.headers().get(CONTENT_TYPE).map(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || kind == Some(false) {
        return response;
    }
    let said = match status {
        StatusCode::NOT_FOUND => "there is nothing at this address",
        StatusCode::METHOD_NOT_ALLOWED => "no such method here",
        StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than this address takes",
        StatusCode::SERVICE_UNAVAILABLE => "it took too long; try again later",
        StatusCode::INTERNAL_SERVER_ERROR => "the node failed; its log says why",
        status => status.canonical_reason().unwrap_or("refused"),
    };
    let (mut parts, _) = response.into_parts();
    let (shape, body) = Problem::new(status, said).into_response().into_parts();
    for of_the_body in [CONTENT_LENGTH, CONTENT_ENCODING] {
        parts.headers.remove(of_the_body);
    }
    for (name, value) in &shape.headers {
        parts.headers.entry(name).or_insert_with(|| value.clone());
    }
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, body)
}

/// The type metadata of the contract credential (SD-JWT VC section 6), for wallets that show it.
pub async fn type_metadata() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], include_str!("../credential/type_metadata.json"))
}
