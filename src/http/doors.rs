//! Accepting connections: so many at once, and none that keeps its door open without saying what it wants.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Layer as _;

use super::crowd::Crowd;

/// How many connections one listener holds at once; further ones wait in the system's queue.
const CONNECTIONS: usize = 2048;
/// How many of them one address may hold, so that nobody locks the door from a single place.
const OF_ONE: usize = 1024;
/// How long a connection may take to send a request's head, the wait for it included.
pub(super) const HEAD_WITHIN: Duration = Duration::from_secs(20);
/// The largest head of a request, in bytes.
const HEAD: usize = 64 * 1024;
/// How long accepting pauses after the system refused it, for want of file descriptors for example.
const PAUSE: Duration = Duration::from_millis(200);

/// A connection, as the handlers of its requests see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// Rings when the listener is to end: an answer that goes on and on ends then.
    pub closing: CancellationToken,
    /// Hangs up: for a caller that does not take what it asked for.
    pub hang_up: CancellationToken,
}

/// Serves connections until `stop`, then finishes the requests that are under way.
pub(super) async fn keep(
    listener: TcpListener,
    router: Router,
    head_within: Duration,
    stop: CancellationToken,
) -> io::Result<()> {
    let (connections, seats) = (TaskTracker::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    let crowd = Crowd::new(OF_ONE);
    loop {
        let accepted = async {
            let seat = Arc::clone(&seats).acquire_owned().await.map_err(io::Error::other)?;
            listener.accept().await.map(|(stream, peer)| (seat, stream, peer))
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((seat, stream, peer)) => {
                let Some(place) = crowd.enter(peer.ip()) else { continue };
                let line = Line { closing: stop.clone(), hang_up: CancellationToken::new() };
                let service = Extension(ConnectInfo(peer)).layer(Extension(line.clone()).layer(router.clone()));
                connections.spawn(async move {
                    converse(stream, service, head_within, line).await;
                    drop((seat, place));
                });
            }
            Err(cause) => {
                tracing::warn!(%cause, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
    Ok(())
}

async fn converse<S>(stream: TcpStream, service: S, head_within: Duration, line: Line)
where
    S: tower::Service<axum::http::Request<hyper::body::Incoming>, Response = axum::response::Response>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    S::Error: Into<axum::BoxError>,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head_within).max_buf_size(HEAD);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = line.hang_up.cancelled() => return,
        () = line.closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(cause) = ended {
        tracing::debug!(%cause, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn who_never_finishes_a_head_is_shown_out_and_others_are_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "here"));
        let stop = CancellationToken::new();
        let door = tokio::spawn(keep(listener, router, Duration::from_millis(300), stop.clone()));

        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
        let mut quick = TcpStream::connect(address).await.unwrap();
        quick.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut said = String::new();
        quick.read_to_string(&mut said).await.unwrap();
        assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("here"), "{said}");

        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(5), slow.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "the slow connection is still open");

        stop.cancel();
        tokio::time::timeout(Duration::from_secs(5), door).await.unwrap().unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_handler_can_hang_up_on_who_takes_nothing_and_hears_that_the_listener_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hang_up = async |Extension(line): Extension<Line>| {
            line.hang_up.cancel();
            std::future::pending::<()>().await;
        };
        let stay = async |Extension(line): Extension<Line>| {
            line.closing.cancelled().await;
            "closing"
        };
        let router = Router::new().route("/hang-up", get(hang_up)).route("/stay", get(stay));
        let stop = CancellationToken::new();
        let door = tokio::spawn(keep(listener, router, HEAD_WITHIN, stop.clone()));
        let ask = async |path: &str| {
            let mut caller = TcpStream::connect(address).await.unwrap();
            caller.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
            caller
        };
        let mut said = String::new();
        let hung_up = ask("/hang-up").await.read_to_string(&mut said).await;
        assert!(hung_up.is_err() || said.is_empty(), "{said}");
        let mut staying = ask("/stay").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.cancel();
        staying.read_to_string(&mut said).await.unwrap();
        assert!(said.ends_with("closing"), "{said}");
        tokio::time::timeout(Duration::from_secs(5), door).await.unwrap().unwrap().unwrap();
    }
}
