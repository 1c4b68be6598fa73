use std::time::Duration;

use axum::error_handling::HandleErrorLayer;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::{BoxError, Router};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::ServiceBuilder;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use super::crowd::with_places;
use super::{Problem, doors};

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
        .layer(TraceLayer::new_for_http());
    let task = tokio::spawn(doors::keep(listener, router, doors::HEAD_WITHIN, stop.clone()));
    Served { stop, task }
}

/// The type metadata of the contract credential (SD-JWT VC section 6), for wallets that show it.
pub async fn type_metadata() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], include_str!("../credential/type_metadata.json"))
}
