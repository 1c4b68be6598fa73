//! Whose request it is, where a proxy stands in front of a listener.
//!
//! A caller can write `X-Forwarded-For` as well as a proxy can. So it is read from configured addresses only, and from its
//! end: each proxy appends whom it saw, and the first who is no proxy of one's own is the caller.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::{Arc, Once};

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::{Next, from_fn};
use serde::Deserialize;

/// Whom a proxy saw, appended to what it was told.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies in front of a listener: addresses, or networks as `10.0.0.0/8`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Proxies(Vec<Network>);

/// Addresses with the same first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl TryFrom<Vec<String>> for Proxies {
    type Error = String;

    fn try_from(texts: Vec<String>) -> Result<Self, String> {
        texts.iter().map(|text| text.parse()).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no address of a proxy, and no network as 10.0.0.0/8");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let network = Self { address, bits: bits.unwrap_or(all) };
        // Of everybody, nobody could be told from a proxy.
        if network.bits == 0 || network.bits > all || masked(address, network.bits) != address {
            return Err(wrong());
        }
        Ok(network)
    }
}

/// An address with everything behind its first bits cleared.
fn masked(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(ip) => IpAddr::V4((u32::from(ip) & u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0)).into()),
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) & u128::MAX.checked_shl(128 - bits.min(128)).unwrap_or(0)).into()),
    }
}

impl Proxies {
    /// Whether an address is one of them.
    pub(super) fn contain(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.0
            .iter()
            .any(|network| ip.is_ipv4() == network.address.is_ipv4() && masked(ip, network.bits) == network.address)
    }

    /// Who asks: the peer, or whom the proxies say that they saw.
    fn caller(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        // What is no text is no address either.
        let mut seen = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        let mut caller = peer;
        while self.contain(caller) {
            let Some(before) = seen.next().and_then(address) else { break };
            caller = before;
        }
        caller
    }

    /// Has a router's requests count as their callers', for every share that an address has.
    pub(super) fn in_front_of(self, router: Router) -> Router {
        let (proxies, unnamed) = (Arc::new(self), Arc::new(Once::new()));
        router.layer(from_fn(move |mut request: Request, next: Next| {
            let (proxies, unnamed) = (Arc::clone(&proxies), Arc::clone(&unnamed));
            async move {
                if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
                    // Only from this machine: anybody can write the header.
                    let hidden = peer.ip().to_canonical().is_loopback() && !proxies.contain(peer.ip());
                    if hidden && request.headers().contains_key(FORWARDED_FOR) {
                        unnamed.call_once(|| {
                            tracing::warn!(
                                proxy = %peer.ip(),
                                "requests come through a proxy that [listen] proxies does not name: all its callers have \
                                 one share together"
                            );
                        });
                    }
                    let caller = proxies.caller(peer.ip(), request.headers());
                    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(caller, peer.port())));
                }
                next.run(request).await
            }
        }))
    }
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn proxies(texts: &[&str]) -> Result<Proxies, String> {
        Proxies::try_from(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn the_caller_is_the_last_one_whom_no_proxy_of_ones_own_is() {
        let proxies = proxies(&["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"]).unwrap();
        let caller = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
            }
            proxies.caller(peer.parse().unwrap(), &headers).to_string()
        };
        assert_eq!(caller("127.0.0.1", &["192.0.2.7"]), "192.0.2.7");
        assert_eq!(caller("::ffff:127.0.0.1", &["192.0.2.7"]), "192.0.2.7", "the same proxy");
        assert_eq!(caller("127.0.0.1", &["198.51.100.1, 192.0.2.7"]), "192.0.2.7", "what the caller wrote before");
        assert_eq!(caller("127.0.0.1", &["198.51.100.1", "192.0.2.7"]), "192.0.2.7", "in a line of its own");
        assert_eq!(caller("127.0.0.1", &["192.0.2.7, 10.1.2.3"]), "192.0.2.7", "a proxy behind a proxy");
        assert_eq!(caller("2001:db8:1::5", &["[2001:db8:2::1]:443"]), "2001:db8:2::1");
        assert_eq!(caller("192.0.2.9", &["198.51.100.1"]), "192.0.2.9", "nobody asked");
        for unreadable in [&["unknown"][..], &["192.0.2.7, "], &[""], &[]] {
            assert_eq!(caller("127.0.0.1", unreadable), "127.0.0.1", "{unreadable:?}");
        }
        assert_eq!(Proxies::default().caller([127, 0, 0, 1].into(), &HeaderMap::new()).to_string(), "127.0.0.1");
    }

    #[test]
    fn what_is_no_proxy_is_said() {
        for wrong in ["nginx", "10.0.0.1/8", "0.0.0.0/0", "::/0", "10.0.0.0/33", "10.0.0.0/x", "127.0.0.1:80", ""] {
            assert!(proxies(&[wrong]).unwrap_err().contains(wrong), "{wrong}");
        }
    }
}
