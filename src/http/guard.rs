use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq;

use super::Problem;
use super::api::{Api, Caller, DocumentError};
use crate::encoding::Digest;

/// The owner's key to the management interface; only its hash is kept in memory.
#[derive(Clone)]
pub struct ApiKey(Digest);

impl ApiKey {
    /// The key behind a text of at least 128 bits of randomness.
    pub fn new(text: &str) -> Self {
        Self(Digest::of(text))
    }

    fn opens(&self, request: &Request) -> bool {
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        // Without a key nothing opens, not even a node whose key is the empty text.
        let Some(given) = given.and_then(|value| value.strip_prefix("Bearer ")).filter(|key| !key.is_empty()) else {
            return false;
        };
        bool::from(Digest::of(given).as_bytes().ct_eq(self.0.as_bytes()))
    }
}

/// Opens the doors to the owner, and to no page of another origin that a browser shows.
///
/// # Errors
/// When two doors mean different things by one name: a fault of the program.
pub fn with_api_key(api: Api, key: ApiKey) -> Result<Router, DocumentError> {
    Ok(api.router()?.layer(from_fn(move |mut request: Request, next: Next| {
        let key = key.clone();
        async move {
            if request.headers().contains_key(header::ORIGIN) {
                return Problem::new(StatusCode::FORBIDDEN, "requests from a browser page are not taken here")
                    .into_response();
            }
            if key.opens(&request) {
                request.extensions_mut().insert(Caller::owner());
            }
            next.run(request).await
        }
    })))
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
                Some(ip) if !spend(&buckets, ip, share) => too_many(),
                _ => next.run(request).await,
            }
        }
    }))
}

/// How much an address may ask without proving who it is; who proves it is not held up.
#[derive(Clone)]
pub(super) struct Strangers(Buckets, Share);

impl Strangers {
    /// Strangers that have `share` each.
    pub(super) fn new(share: Share) -> Self {
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

/// Who shares a bucket: an IPv6 subscriber has a whole /64 to send from.
fn subscriber(ip: IpAddr) -> IpAddr {
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
    fn a_network_of_one_subscriber_shares_a_bucket() {
        let ip = |text: &str| subscriber(text.parse().unwrap());
        assert_eq!(ip("2001:db8:0:1::1"), ip("2001:db8:0:1:ffff::2"));
        assert_ne!(ip("2001:db8:0:1::1"), ip("2001:db8:0:2::1"));
        assert_eq!(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
    }

    #[test]
    fn no_key_opens_nothing() {
        let asks = |with: Option<&str>| {
            let request = axum::http::Request::builder();
            let request = with.into_iter().fold(request, |request, key| request.header(header::AUTHORIZATION, key));
            request.body(axum::body::Body::empty()).unwrap()
        };
        for given in [None, Some("Bearer "), Some("Basic x")] {
            assert!(!ApiKey::new("").opens(&asks(given)), "{given:?}");
            assert!(!ApiKey::new("secret").opens(&asks(given)), "{given:?}");
        }
        assert!(ApiKey::new("secret").opens(&asks(Some("Bearer secret"))));
    }
}
