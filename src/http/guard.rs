use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};

use super::Problem;
use super::api::{Api, Caller, DocumentError, Leave};
use crate::node::Doorkeeper;

/// By which names the management address is called: IP addresses and `localhost` always, and one more if it is told.
///
/// A page of another origin can have its own name point to this machine (DNS rebinding); then the browser takes this node
/// for the page's own server. An address that is spelt in digits cannot be pointed elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The origin by which a browser calls it, for example `https://desk.example`.
    origin: Option<String>,
    /// Its host, with a port where the origin has one.
    host: Option<String>,
}

impl Names {
    /// Called by `url` as well, as `[listen] management_url` has it; only its scheme, host and port count.
    pub fn with(url: &url::Url) -> Self {
        let host = url.host_str().map(|host| match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        });
        Self { origin: Some(url.origin().ascii_serialization()), host }
    }

    /// Whether a request's `Host` is a name of this node.
    fn knows(&self, host: &str) -> bool {
        let bare = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => host.rsplit_once(':').map_or(host, |(name, _)| name),
        };
        bare.parse::<IpAddr>().is_ok()
            || bare.eq_ignore_ascii_case("localhost")
            || self.host.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(host))
    }

    /// Whether a browser's page of `origin` is this node's own, when it calls it `host`.
    fn is_own(&self, origin: &str, host: &str) -> bool {
        let told = self.host.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(host));
        origin.eq_ignore_ascii_case(&format!("http://{host}")) || (told && self.origin.as_deref() == Some(origin))
    }
}

/// Opens the doors to whoever has a key, and to no page of another origin that a browser shows.
///
/// # Errors
/// When two doors mean different things by one name: a fault of the program.
pub fn with_keys(api: Api, doorkeeper: Arc<Doorkeeper>, names: Names) -> Result<Router, DocumentError> {
    let names = Arc::new(names);
    Ok(api.router()?.layer(from_fn(move |mut request: Request, next: Next| {
        let (doorkeeper, names) = (Arc::clone(&doorkeeper), Arc::clone(&names));
        async move {
            if let Err(problem) = belongs(&request, &names) {
                return problem.into_response();
            }
            if let Some(holder) = bearer(&request).and_then(|key| doorkeeper.holder(key)) {
                let name = Arc::clone(&holder.name);
                request.extensions_mut().insert(Caller { name: holder.name, scope: holder.scope });
                request.extensions_mut().insert(Leave(holder.removed));
                if let Err(fault) = doorkeeper.used(&name).await {
                    tracing::warn!(%fault, "the use of a key could not be noted");
                }
            }
            next.run(request).await
        }
    })))
}

/// Holds a request to this node's names and to its own origin.
fn belongs(request: &Request, names: &Names) -> Result<(), Problem> {
    let text = |name| request.headers().get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let host = request.uri().authority().map(|authority| authority.as_str()).or_else(|| text(header::HOST));
    let Some(host) = host.filter(|host| names.knows(host)) else {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this node is called by an IP address, by localhost, or by the name in [listen] management_url",
        ));
    };
    match (request.headers().contains_key(header::ORIGIN), text(header::ORIGIN)) {
        (false, _) => Ok(()),
        (true, Some(origin)) if names.is_own(origin, host) => Ok(()),
        _ => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "requests from a browser page of another origin are not taken here",
        )),
    }
}

fn bearer(request: &Request) -> Option<&str> {
    let given = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = given.split_once(' ')?;
    Some(key.trim()).filter(|key| scheme.eq_ignore_ascii_case("Bearer") && !key.is_empty())
}

/// How much one address may ask: a bucket that refills.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Requests per second, sustained.
    pub per_second: f64,
    /// Requests at once.
    pub burst: f64,
}

impl Default for Share {
    fn default() -> Self {
        Self { per_second: 50.0, burst: 200.0 }
    }
}

/// How many addresses are remembered; beyond it the fullest buckets are forgotten first.
const REMEMBERED: usize = 10_000;

type Buckets = Arc<Mutex<HashMap<IpAddr, (f64, Instant)>>>;

/// Holds each address to its share; the answer is 429 beyond it.
pub fn with_share(router: Router, share: Share) -> Router {
    let buckets = Buckets::default();
    router.layer(from_fn(move |request: Request, next: Next| {
        let buckets = Arc::clone(&buckets);
        async move {
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| subscriber(info.0.ip()));
            match peer {
                _ if is_sign_of_life(&request) => next.run(request).await,
                Some(ip) if !spend(&buckets, ip, share) => too_many(),
                _ => next.run(request).await,
            }
        }
    }))
}

/// How much an address may ask without proving who it is; who proves it is not held up.
#[derive(Clone)]
pub struct Strangers(Buckets, Share);

impl Strangers {
    /// Strangers that have `share` each.
    pub fn new(share: Share) -> Self {
        Self(Buckets::default(), share)
    }

    /// Whether an address has not used up its share: before anything is computed for it.
    pub(super) fn has_some_left(&self, ip: IpAddr) -> bool {
        // As in `spend`.
        let buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let refilled = |(tokens, at): &(f64, Instant)| tokens + at.elapsed().as_secs_f64() * self.1.per_second;
        buckets.get(&subscriber(ip)).is_none_or(|bucket| refilled(bucket) >= 1.0)
    }

    /// Takes a failed attempt off an address's share.
    pub(super) fn charge(&self, ip: IpAddr) {
        let _ = spend(&self.0, subscriber(ip), self.1);
    }
}

/// Whether somebody only asks how the node is: whoever watches it is not kept from that by whoever crowds it.
pub(super) fn is_sign_of_life(request: &Request) -> bool {
    matches!(request.uri().path(), "/health" | "/ready")
}

/// Who shares a bucket: an IPv6 subscriber has a whole /64 to send from.
pub(super) fn subscriber(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) >> 64 << 64).into()),
        ip => ip,
    }
}

fn too_many() -> Response {
    let mut response = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too many requests; slow down").into_response();
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    response
}

fn spend(buckets: &Buckets, ip: IpAddr, share: Share) -> bool {
    let now = Instant::now();
    // The map holds plain numbers, which a panic elsewhere cannot leave half-written.
    let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
    if buckets.len() >= REMEMBERED {
        let refill = |(tokens, at): &(f64, Instant)| tokens + now.duration_since(*at).as_secs_f64() * share.per_second;
        buckets.retain(|_, bucket| refill(bucket) < share.burst);
        if buckets.len() >= REMEMBERED {
            return false;
        }
    }
    let (tokens, at) = buckets.entry(ip).or_insert((share.burst, now));
    *tokens = (*tokens + now.duration_since(*at).as_secs_f64() * share.per_second).min(share.burst);
    *at = now;
    let enough = *tokens >= 1.0;
    if enough {
        *tokens -= 1.0;
    }
    enough
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_beyond_its_share_waits_and_others_do_not() {
        let (buckets, share) = (Buckets::default(), Share { per_second: 0.001, burst: 2.0 });
        let (one, other) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        assert!(spend(&buckets, one, share) && spend(&buckets, one, share));
        assert!(!spend(&buckets, one, share));
        assert!(spend(&buckets, other, share));
    }

    #[test]
    fn a_key_comes_by_the_scheme_bearer_however_that_is_written() {
        let key = |text: &str| {
            let request = Request::builder().header(header::AUTHORIZATION, text).body(axum::body::Body::empty());
            bearer(&request.unwrap()).map(str::to_owned)
        };
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert_eq!(key(&format!("{scheme} key")).as_deref(), Some("key"), "{scheme}");
        }
        for other in ["Basic key", "key", "Bearer ", "Bearer", "Bearerkey"] {
            assert_eq!(key(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn whether_the_node_is_ready_is_not_held_to_a_share() {
        use axum::body::Body;
        use axum::routing::get;
        use tower::Service as _;
        let router = Router::new().route("/ready", get(async || "ready")).route("/other", get(async || "here"));
        let mut router = with_share(router, Share { per_second: 0.001, burst: 1.0 });
        let mut ask = async |path: &str| {
            let mut request = Request::builder().uri(path).body(Body::empty()).unwrap();
            request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 1))));
            router.call(request).await.unwrap().status()
        };
        assert_eq!(ask("/other").await, StatusCode::OK);
        assert_eq!(ask("/other").await, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!((ask("/ready").await, ask("/ready").await), (StatusCode::OK, StatusCode::OK));
    }

    #[test]
    fn a_network_of_one_subscriber_shares_a_bucket() {
        let ip = |text: &str| subscriber(text.parse().unwrap());
        assert_eq!(ip("2001:db8:0:1::1"), ip("2001:db8:0:1:ffff::2"));
        assert_ne!(ip("2001:db8:0:1::1"), ip("2001:db8:0:2::1"));
        assert_eq!(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
    }

    #[test]
    fn a_node_is_called_by_digits_by_localhost_or_by_the_name_that_it_is_told() {
        let names = Names::with(&"https://desk.example:8443/countersign".parse().unwrap());
        for host in ["127.0.0.1:7301", "[::1]:7301", "10.0.0.7", "localhost", "LOCALHOST:1", "desk.example:8443"] {
            assert!(names.knows(host), "{host}");
        }
        for host in
            ["", "evil.example", "desk.example", "desk.example:1", "127.0.0.1.evil.example:7301", "localhost.evil"]
        {
            assert!(!names.knows(host), "{host}");
        }
        assert!(!Names::default().knows("desk.example:8443"));
    }

    #[test]
    fn only_a_page_of_this_very_origin_may_call() {
        let names = Names::with(&"https://desk.example".parse().unwrap());
        assert!(names.is_own("http://127.0.0.1:7301", "127.0.0.1:7301"));
        assert!(names.is_own("https://desk.example", "desk.example"));
        for (origin, host) in [
            ("null", "127.0.0.1:7301"),
            ("http://127.0.0.1:8080", "127.0.0.1:7301"),
            ("https://evil.example", "127.0.0.1:7301"),
            ("https://desk.example", "127.0.0.1:7301"),
        ] {
            assert!(!names.is_own(origin, host), "{origin} at {host}");
        }
    }
}
