use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::check::Refusal;
use crate::node::checks;

/// Which addresses requests may go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    /// Whether private networks, loopback among them, are allowed; for tests and networks of one's own.
    pub private_networks: bool,
}

impl AddressPolicy {
    /// Holds a URL from outside to the policy, as far as its text tells; names are held to it when they are resolved.
    ///
    /// # Errors
    /// `address.private`.
    pub fn allow(self, url: &str) -> Result<Url, Refusal> {
        let parsed = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let parsed = parsed.ok_or_else(|| checks::ADDRESS.refuse("not an http or https URL"))?;
        let public = match parsed.host() {
            Some(Host::Ipv4(ip)) => is_public(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => is_public(IpAddr::V6(ip)),
            Some(Host::Domain(name)) => !is_private_name(name),
            None => return Err(checks::ADDRESS.refuse("the URL names no host")),
        };
        let allowed = self.private_networks || public;
        checks::ADDRESS.hold(allowed, || format!("{} lies in a private network", parsed.host_str().unwrap_or("")))?;
        checks::ADDRESS.hold(self.private_networks || parsed.scheme() == "https", || {
            "https is required outside private networks".into()
        })?;
        Ok(parsed)
    }
}

/// An HTTP client that follows no redirects, gives up after `within`, and connects only where the policy allows: the
/// address that was judged is the address that is connected to.
///
/// # Errors
/// When the TLS library cannot be set up.
pub fn client(policy: AddressPolicy, within: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(within)
        .connect_timeout(within.min(Duration::from_secs(5)))
        .no_proxy()
        .dns_resolver(Arc::new(Judge(policy)))
        .build()
}

struct Judge(AddressPolicy);

impl Resolve for Judge {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0;
        Box::pin(async move {
            let allowed = allowed(policy, name.as_str(), 0).await?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The addresses of a name that may be connected to.
pub(super) async fn allowed(policy: AddressPolicy, name: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host((name, port)).await?;
    let allowed: Vec<SocketAddr> = found.filter(|address| policy.private_networks || is_public(address.ip())).collect();
    if allowed.is_empty() {
        return Err(std::io::Error::other("the name has no address that may be connected to"));
    }
    Ok(allowed)
}

/// Names that lie in nobody's public network, whatever they resolve to (RFC 6761, 6762, 8375, ICANN's `internal`).
fn is_private_name(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    ["localhost", "local", "home.arpa", "internal"]
        .iter()
        .any(|zone| name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or_else(|| is_public_v6(ip), is_public_v4),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let special = a == 0 || a >= 240 || (a == 198 && (b == 18 || b == 19)) || (a == 192 && b == 0);
    !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast() || shared || special)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    // Global unicast only, without the transition ranges that embed IPv4 addresses.
    let [first, second, ..] = ip.segments();
    (0x2000..0x4000).contains(&first) && first != 0x2002 && !(first == 0x2001 && second < 0x0200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_networks_are_refused_in_every_spelling() {
        let strict = AddressPolicy::default();
        for url in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://10.0.0.1/",
            "https://192.168.1.1/",
            "https://172.16.0.1/",
            "https://169.254.169.254/latest",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://100.64.0.1/",
            "https://0.0.0.0/",
            "https://localhost:8443/",
            "https://LOCALHOST./",
            "https://node.localhost/",
            "https://printer.local/",
            "https://metadata.google.internal/",
            "http://1.1.1.1/",
            "ftp://1.1.1.1/",
            "file:///etc/passwd",
        ] {
            assert_eq!(strict.allow(url).unwrap_err().check, &checks::ADDRESS, "{url}");
        }
        assert!(strict.allow("https://1.1.1.1/inbox").is_ok());
        assert!(strict.allow("https://provider.example/inbox").is_ok());
        assert!(strict.allow("https://notlocalhost.example/inbox").is_ok());
        assert!(AddressPolicy { private_networks: true }.allow("http://127.0.0.1:8080/inbox").is_ok());
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_loopback_is_not_connected_to() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let client = client(AddressPolicy::default(), Duration::from_secs(2)).unwrap();
        assert!(client.get(&url).send().await.unwrap_err().is_connect());
    }
}
