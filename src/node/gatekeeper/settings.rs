use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Shares;
use crate::credential::{Account, RegistryUrn};
use crate::gate::{GatePolicy, Grant, GuardedAsset, MAX_TOKEN_TTL, path_below};
use crate::identity::{Did, Method};
use crate::node::NodeFault;

/// How a gate behaves; read from its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateSettings {
    /// Its origin as the world sees it, for example `https://data.example`; the `aud` of its challenges.
    pub origin: String,
    /// Providers whose contracts open it.
    pub providers: Vec<Did>,
    /// Accounts that record for these providers; empty: whichever the signed offer names.
    #[serde(default)]
    pub recorders: Vec<Account>,
    /// What it guards.
    #[serde(default)]
    pub assets: Vec<ServedAsset>,
    /// How often the chain is read, in milliseconds.
    #[serde(default = "GateSettings::poll")]
    pub poll_ms: u64,
    /// How old the finalised head may be, in seconds.
    #[serde(default = "GateSettings::head_age")]
    pub max_head_age: i64,
    /// How long a challenge can be answered, in seconds.
    #[serde(default = "GateSettings::challenge")]
    pub challenge_ttl: i64,
    /// How long a token is good, in seconds; never past the contract's end, nor past the time that its terms give.
    #[serde(default = "GateSettings::token")]
    pub token_ttl: i64,
    /// Whether every token is bound to a key (RFC 9449): a caller that brings no DPoP proof gets none.
    #[serde(default)]
    pub dpop_required: bool,
    /// Whether a DPoP proof has to answer a nonce of this gate; it costs each caller one more request now and then.
    #[serde(default)]
    pub dpop_nonces: bool,
    /// The door at which a proxy asks, where one serves the data (forward auth).
    #[serde(default)]
    pub forward: Option<ForwardSettings>,
    /// What one contract and one address may have of it.
    #[serde(default)]
    pub shares: Shares,
}

/// The door for a proxy that serves the data itself and asks the gate about each request; the table `[gate.forward]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardSettings {
    /// Which proxy asks, so that the gate reads what that one writes, and nothing that its callers wrote.
    pub proxy: Proxy,
    /// Where the door is: a listener of its own, which the world does not reach.
    #[serde(default = "ForwardSettings::loopback")]
    pub listen: SocketAddr,
    /// From where the proxy asks; empty: from anywhere, with the secret.
    #[serde(default = "ForwardSettings::own_machine")]
    pub addresses: Vec<IpAddr>,
    /// A file with a secret text that the proxy sends in `Countersign-Proxy`, in a home or with a whole path.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
}

/// A proxy that asks a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proxy {
    /// nginx's `auth_request`: `X-Original-URI`, `X-Original-Method`, `X-Forwarded-Host`, `X-Forwarded-Proto`.
    Nginx,
    /// Traefik's `ForwardAuth`: `X-Forwarded-Uri`, `-Method`, `-Host`, `-Proto`.
    Traefik,
    /// Envoy's `ext_authz` over HTTP with the path prefix `/auth`: the request itself, and its `Host`.
    Envoy,
}

impl ForwardSettings {
    fn loopback() -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 7302))
    }

    fn own_machine() -> Vec<IpAddr> {
        vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
    }
}

/// An asset and where its data is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServedAsset {
    /// Its IRI, as contracts name it.
    pub id: String,
    /// SHA-256 of its bytes, 64 lowercase hexadecimal digits.
    pub sha256: String,
    /// IANA media type.
    pub media_type: String,
    /// Where it is served on the gate's origin, for example `/assets/highway`.
    pub path: String,
    /// Where its bytes are.
    pub source: Source,
}

/// Where an asset's bytes are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// A directory with its `SHA256SUMS`; what is below the asset's path is looked up in it, and held to its line.
    Directory(PathBuf),
    /// An http or https URL behind the gate; what is below the asset's path is appended to it.
    Upstream(String),
}

impl ServedAsset {
    /// The file of a directory that `below` names, empty for the list of files: each is served once for one use. `None`
    /// where the asset is one thing.
    pub fn part(&self, below: &str) -> Option<String> {
        matches!(self.source, Source::Directory(_)).then(|| path_below(below).unwrap_or_default())
    }
}

const OWN: [&str; 5] = ["/challenge", "/token", "/receipts", "/health", "/ready"];

impl GateSettings {
    /// For how many seconds a token is good. One that counts as a use and opens a directory serves each of its files, so that
    /// it has as long as any token can have.
    pub(super) fn token_life(&self, grant: &Grant) -> i64 {
        let of_it = |asset: &&ServedAsset| asset.id == grant.asset && matches!(asset.source, Source::Directory(_));
        match grant.counts_uses && self.assets.iter().find(of_it).is_some() {
            true => MAX_TOKEN_TTL,
            false => self.token_ttl,
        }
    }

    const fn poll() -> u64 {
        2000
    }

    const fn head_age() -> i64 {
        600
    }

    const fn challenge() -> i64 {
        120
    }

    const fn token() -> i64 {
        300
    }

    /// The asset that a request path is about, with what of the path is below the asset's own.
    pub fn asset_at<'a>(&self, path: &'a str) -> Option<(&ServedAsset, &'a str)> {
        self.assets.iter().find_map(|asset| match (path.strip_prefix(asset.path.as_str())?, &asset.source) {
            (rest, Source::File(_)) => rest.is_empty().then_some((asset, rest)),
            (rest, _) => (rest.is_empty() || rest.starts_with('/')).then_some((asset, rest)),
        })
    }

    /// What the decision needs of the settings.
    ///
    /// # Errors
    /// `Unready`, naming the setting, where a setting cannot be meant.
    pub(super) fn policy(&self, registry: RegistryUrn) -> Result<GatePolicy, NodeFault> {
        let meant = |held: bool, what: &str| {
            if held { Ok(()) } else { Err(NodeFault::Unready(format!("the gate's settings: {what}"))) }
        };
        let origin = url::Url::parse(&self.origin).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let origin = origin.map(|url| url.origin().ascii_serialization());
        meant(
            origin.as_deref() == Some(&self.origin),
            "`origin` is scheme://host or scheme://host:port, nothing else",
        )?;
        meant(!self.providers.is_empty(), "`providers` names nobody, so nothing could open the gate")?;
        let senseless = self.shares.senseless();
        meant(senseless.is_none(), senseless.unwrap_or_default())?;
        let web = self.providers.iter().any(|did| did.method() == Method::Web);
        meant(
            !web || !self.recorders.is_empty(),
            "a provider is a did:web, so `recorders` has to name the accounts that record for it: whoever takes over its \
             domain could make contracts of its own otherwise",
        )?;
        meant((10..=300).contains(&self.challenge_ttl), "`challenge_ttl` is 10 to 300 seconds")?;
        meant((1..=MAX_TOKEN_TTL).contains(&self.token_ttl), "`token_ttl` is 1 to 3600 seconds")?;
        meant((1..=86_400).contains(&self.max_head_age), "`max_head_age` is 1 to 86400 seconds")?;
        meant((10..=600_000).contains(&self.poll_ms), "`poll_ms` is 10 to 600000")?;
        let closed = |forward: &ForwardSettings| !forward.addresses.is_empty() || forward.secret_file.is_some();
        meant(
            self.forward.as_ref().is_none_or(closed),
            "`forward` needs `addresses` or a `secret_file`, or anybody could ask in the proxy's place",
        )?;
        for (place, asset) in self.assets.iter().enumerate() {
            let name = &asset.path;
            let path = name.len() > 1 && name.starts_with('/') && !name.ends_with('/') && !name.contains("//");
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~%".contains(&b));
            let own = OWN.iter().any(|own| name.strip_prefix(own).is_some_and(|r| r.is_empty() || r.starts_with('/')));
            meant(path && plain && !own && !name.contains("/."), &format!("`{name}` is no path for an asset"))?;
            let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
            let digest = asset.sha256.len() == 64 && asset.sha256.bytes().all(hex);
            meant(digest, &format!("the sha256 of `{name}` is not 64 lowercase hexadecimal digits"))?;
            let apart = |other: &ServedAsset| {
                let below = |a: &str, b: &str| a == b || a.strip_prefix(b).is_some_and(|rest| rest.starts_with('/'));
                other.id != asset.id && !below(&other.path, name) && !below(name, &other.path)
            };
            let others = &self.assets[..place];
            meant(others.iter().all(apart), &format!("`{name}` or its id stands twice, or one path is below another"))?;
        }
        let guarded = |asset: &ServedAsset| GuardedAsset {
            id: asset.id.clone(),
            sha256: asset.sha256.clone(),
            media_type: asset.media_type.clone(),
            path: asset.path.clone(),
        };
        Ok(GatePolicy {
            origin: self.origin.clone(),
            providers: self.providers.clone(),
            registry,
            recorders: self.recorders.clone(),
            assets: self.assets.iter().map(guarded).collect(),
            max_head_age: self.max_head_age,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: &str = r#"
        origin = "https://data.example"
        providers = ["did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169"]

        [[assets]]
        id = "urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0001"
        sha256 = "9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f"
        media_type = "application/xml"
        path = "/assets/highway"
        source.file = "highway.xodr"

        [[assets]]
        id = "urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0002"
        sha256 = "9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f9f"
        media_type = "application/zip"
        path = "/assets/tiles"
        source.upstream = "http://127.0.0.1:8080/tiles"
    "#;

    fn settings() -> GateSettings {
        toml::from_str(SETTINGS).unwrap()
    }

    fn refused(change: impl FnOnce(&mut GateSettings)) -> String {
        let registry = "urn:blockchain:eip155:127823:contract:0xabababababababababababababababababababab";
        let mut settings = settings();
        change(&mut settings);
        settings.policy(registry.parse().unwrap()).map_or_else(|fault| fault.to_string(), |_| String::new())
    }

    #[test]
    fn settings_say_which_of_them_cannot_be_meant() {
        assert_eq!(refused(|_| {}), "");
        for origin in ["https://data.example/", "https://data.example/x", "ftp://data.example", "HTTPS://data.example"]
        {
            assert!(refused(|settings| settings.origin = origin.into()).contains("origin"), "{origin}");
        }
        let paths =
            ["", "/", "assets", "/assets/", "/a//b", "/a/../b", "/a?b", "/token", "/receipts/x", "/assets/tiles/x"];
        for path in paths {
            assert!(refused(|settings| settings.assets[0].path = path.into()).contains("path"), "{path}");
        }
        assert_eq!(refused(|settings| settings.assets[0].path = "/tokens".into()), "");
        assert!(refused(|settings| settings.providers.clear()).contains("providers"));
        assert!(refused(|settings| settings.assets[0].sha256 = "9F".repeat(32)).contains("sha256"));
        let open: ForwardSettings = toml::from_str("proxy = \"nginx\"\naddresses = []").unwrap();
        assert!(refused(|settings| settings.forward = Some(open.clone())).contains("forward"));
        let secret = ForwardSettings { secret_file: Some("proxy-secret".into()), ..open };
        assert_eq!(refused(|settings| settings.forward = Some(secret)), "");
        assert!(refused(|settings| settings.max_head_age = 0).contains("max_head_age"));
        for table in ["tokens = 0", "deliveries = 0", "deliveries_of_address = 0", "kept_mb = 0", "keep_days = 0"] {
            let shares: Shares = toml::from_str(table).unwrap();
            assert!(refused(|settings| settings.shares = shares.clone()).contains("shares"), "{table}");
        }
        let web = |settings: &mut GateSettings| settings.providers = vec!["did:web:alice.example".parse().unwrap()];
        assert!(refused(web).contains("recorders"));
    }

    #[test]
    fn a_path_is_about_one_asset() {
        let settings = settings();
        let path = |path: &str| settings.asset_at(path).map(|(asset, below)| (asset.path.clone(), below.to_owned()));
        assert_eq!(path("/assets/highway"), Some(("/assets/highway".into(), String::new())));
        assert_eq!(path("/assets/tiles/1/2"), Some(("/assets/tiles".into(), "/1/2".into())));
        for other in ["/assets/highway/x", "/assets/highwayx", "/assets/tilesx", "/assets", "/"] {
            assert_eq!(path(other), None, "{other}");
        }
    }
}
