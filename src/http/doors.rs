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

use super::Proxies;
use super::crowd::Crowd;
use super::patience::Patient;

/// How many connections one listener holds at once; further ones wait in the system's queue.
const CONNECTIONS: usize = 2048;
/// How many of them one address may hold, so that nobody locks the door from a single place.
const OF_ONE: usize = 1024;
/// How long a connection may take to send a request's head, the wait for it included.
const HEAD_WITHIN: Duration = Duration::from_secs(20);
/// How long a caller may take nothing of what it asked for.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
/// The largest head of a request, in bytes.
const HEAD: usize = 64 * 1024;
/// How long accepting pauses after the system refused it, for want of file descriptors for example.
const PAUSE: Duration = Duration::from_millis(200);

/// How patient a listener is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// With whoever does not say what it wants.
    pub head: Duration,
    /// With whoever does not take what it asked for.
    pub taken: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { head: HEAD_WITHIN, taken: TAKEN_WITHIN }
    }
}

/// A connection, as the handlers of its requests see it.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// Rings when the listener is to end: an answer that goes on and on ends then.
    pub closing: CancellationToken,
    /// Hangs up: for a caller that does not take what it asked for.
    pub hang_up: CancellationToken,
}

/// Serves connections until `stop`, then finishes the requests that are under way. `proxies` hold as many connections as
/// they like: they are of many callers.
pub(super) async fn keep(
    listener: TcpListener,
    router: Router,
    patience: Patience,
    proxies: Proxies,
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
                let place = if proxies.contain(peer.ip()) { None } else { Some(crowd.enter_from(peer.ip())) };
                if matches!(place, Some(None)) {
                    continue;
                }
                let line = Line { closing: stop.clone(), hang_up: CancellationToken::new() };
                let service = Extension(ConnectInfo(peer)).layer(Extension(line.clone()).layer(router.clone()));
                connections.spawn(async move {
                    converse(stream, service, patience, line).await;
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

async fn converse<S>(stream: TcpStream, service: S, patience: Patience, line: Line)
where
    S: tower::Service<axum::http::Request<hyper::body::Incoming>, Response = axum::response::Response>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    S::Error: Into<axum::BoxError>,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.head).max_buf_size(HEAD);
    let stream = TokioIo::new(Patient::new(stream, patience.taken));
    let connection = http.serve_connection(stream, TowerToHyperService::new(service)).with_upgrades();
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

    fn head(milliseconds: u64) -> Patience {
        Patience { head: Duration::from_millis(milliseconds), ..Patience::default() }
    }

    #[tokio::test]
    async fn who_takes_nothing_of_what_it_asked_for_is_hung_up_on_and_who_is_slow_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let endless = async || {
            let chunk = || Ok::<_, std::convert::Infallible>(axum::body::Bytes::from(vec![0; 64 * 1024]));
            axum::body::Body::from_stream(futures::stream::repeat_with(chunk))
        };
        // A source that is slow is not the caller's fault.
        let slow = async || {
            let chunk = async |n: u8| {
                tokio::time::sleep(Duration::from_millis(400)).await;
                (n < 3).then(|| (Ok::<_, std::convert::Infallible>(axum::body::Bytes::from_static(b"x")), n + 1))
            };
            axum::body::Body::from_stream(futures::stream::unfold(0, chunk))
        };
        let router = Router::new().route("/endless", get(endless)).route("/slow", get(slow));
        let patience = Patience { taken: Duration::from_millis(300), ..Patience::default() };
        let stop = CancellationToken::new();
        let door = tokio::spawn(keep(listener, router, patience, Proxies::default(), stop.clone()));
        let mut callers = Vec::new();
        for path in ["/endless", "/slow"] {
            let mut caller = TcpStream::connect(address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            caller.write_all(request.as_bytes()).await.unwrap();
            callers.push(caller);
        }
        let mut said = String::new();
        callers[1].read_to_string(&mut said).await.unwrap();
        assert!(said.starts_with("HTTP/1.1 200") && said.ends_with("0\r\n\r\n"), "{said}");
        // 1.6 s after it was asked, nothing was taken: it is over once what lies in the buffers is read.
        let all = tokio::time::timeout(Duration::from_secs(20), async {
            let (mut bytes, mut buffer) = (0_usize, vec![0; 64 * 1024]);
            while let Ok(read @ 1..) = callers[0].read(&mut buffer).await {
                bytes += read;
            }
            bytes
        });
        assert!(all.await.expect("the line is still up") > 0);
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(5), door).await.unwrap().unwrap().unwrap();
    }

    #[tokio::test]
    async fn who_never_finishes_a_head_is_shown_out_and_others_are_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "here"));
        let stop = CancellationToken::new();
        let door = tokio::spawn(keep(listener, router, head(300), Proxies::default(), stop.clone()));

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
        let door = tokio::spawn(keep(listener, router, Patience::default(), Proxies::default(), stop.clone()));
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
