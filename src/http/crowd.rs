//! How much one address may hold at once: a share of rates does not help against who is slow.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;

use super::Problem;
use super::guard::{is_sign_of_life, subscriber};

/// Places that are held, by whoever holds them: an address, a contract.
#[derive(Clone, Debug)]
pub(super) struct Crowd<K = IpAddr> {
    held: Arc<Mutex<HashMap<K, usize>>>,
    most: usize,
}

/// A place that is held until it is dropped.
#[derive(Debug)]
pub(super) struct Place<K: Eq + Hash = IpAddr>(Option<(Crowd<K>, K)>);

impl<K: Clone + Eq + Hash> Crowd<K> {
    /// Each holds `most` places.
    pub(super) fn new(most: usize) -> Self {
        Self { held: Arc::default(), most }
    }

    /// A place for somebody; none when they hold their share already.
    pub(super) fn enter(&self, who: K) -> Option<Place<K>> {
        // The map holds plain numbers, which a panic elsewhere cannot leave half-written.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(who.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place(Some((self.clone(), who))))
    }
}

impl Crowd {
    /// A place for an address. This machine's own addresses hold as many as they like: a proxy in front, or the owner.
    pub(super) fn enter_from(&self, ip: IpAddr) -> Option<Place> {
        if ip.to_canonical().is_loopback() { Some(Place(None)) } else { self.enter(subscriber(ip)) }
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let Some((crowd, who)) = self.0.take() else { return };
        // As above.
        let mut held = crowd.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&who) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.remove(&who);
            }
        }
    }
}

/// Lets an address have only so many requests answered at once, however slowly it sends them; the answer is 503 beyond it.
pub(super) fn with_places(router: Router, most: usize) -> Router {
    let crowd = Crowd::new(most);
    router.layer(from_fn(move |request: Request, next: Next| {
        let crowd = crowd.clone();
        async move {
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
            let place = peer.filter(|_| !is_sign_of_life(&request)).map(|ip| crowd.enter_from(ip));
            if matches!(place, Some(None)) {
                let busy = "too many requests of this address are under way; try again later";
                return Problem::new(StatusCode::SERVICE_UNAVAILABLE, busy).into_response();
            }
            let response = next.run(request).await;
            drop(place);
            response
        }
    }))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::Service as _;

    use super::*;

    #[test]
    fn an_address_holds_so_many_places_and_no_more() {
        let crowd = Crowd::new(2);
        let (one, other): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let (first, _second) = (crowd.enter_from(one).unwrap(), crowd.enter_from(one).unwrap());
        assert!(crowd.enter_from(one).is_none());
        assert!(crowd.enter_from("::ffff:192.0.2.1".parse().unwrap()).is_none(), "the same address");
        let _theirs = crowd.enter_from(other).unwrap();
        drop(first);
        drop(crowd.enter_from(one).unwrap());
        let network = |text: &str| crowd.enter_from(text.parse().unwrap());
        let _held = (network("2001:db8::1").unwrap(), network("2001:db8::2").unwrap());
        assert!(network("2001:db8::3").is_none(), "one subscriber's network");
        let _own: Vec<_> = (0..9).map(|_| network("127.0.0.1").unwrap()).collect();
        let _own: Vec<_> = (0..9).map(|_| network("::1").unwrap()).collect();
    }

    #[tokio::test]
    async fn who_is_slow_leaves_places_for_others() {
        let stay = async || std::future::pending::<()>().await;
        let router = Router::new().route("/stay", get(stay)).route("/", get(async || "here"));
        let router = router.route("/ready", get(async || "ready"));
        let router = with_places(router, 2);
        let ask = |last: u8, path: &str| {
            let mut request = Request::builder().uri(path).body(Body::empty()).unwrap();
            request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, last], 1))));
            router.clone().call(request)
        };
        let slow = [tokio::spawn(ask(1, "/stay")), tokio::spawn(ask(1, "/stay"))];
        tokio::task::yield_now().await;
        assert_eq!(ask(1, "/").await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ask(2, "/").await.unwrap().status(), StatusCode::OK);
        assert_eq!(ask(1, "/ready").await.unwrap().status(), StatusCode::OK, "whether it is ready costs no place");
        for one in slow {
            one.abort();
            let _ = one.await;
        }
        assert_eq!(ask(1, "/").await.unwrap().status(), StatusCode::OK, "who left, left its place");
    }
}
