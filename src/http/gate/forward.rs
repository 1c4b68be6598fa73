//! The door at which a proxy asks about each request (forward auth): nginx's `auth_request`, Traefik's `ForwardAuth`,
//! Envoy's `ext_authz` over HTTP.
//!
//! What is asked about stands in headers, which a caller of the proxy can write as well. So the door is a listener of its
//! own, only the configured proxy asks there, and only the headers that this kind of proxy overwrites are read.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use subtle::ConstantTimeEq as _;

use super::denial::{Denial, carried, nonce};
use super::transfer::{begin, by_transfer};
use crate::check::Refusal;
use crate::encoding::Digest;
use crate::gate::{checks, of_origin, one_reading};
use crate::node::transfers::Transfers;
use crate::node::{Admitted, ForwardSettings, Gatekeeper, NodeFault, Proxy};

/// Where the door is; for Envoy, in front of the path.
const DOOR: &str = "/auth";
/// The proxy's secret.
const SECRET: &str = "countersign-proxy";

/// The door for a proxy; `secret` is what the proxy sends, where it has one.
pub fn forward_router(gatekeeper: Arc<Gatekeeper>, settings: ForwardSettings, secret: Option<&str>) -> Router {
    forward_router_with_transfers(gatekeeper, None, settings, secret)
}

/// The same, open also to the tokens of transfers.
pub fn forward_router_with_transfers(
    gatekeeper: Arc<Gatekeeper>,
    transfers: Option<Arc<Transfers>>,
    settings: ForwardSettings,
    secret: Option<&str>,
) -> Router {
    let (settings, secret) = (Arc::new(settings), secret.map(Digest::of));
    Router::new().fallback(ask).with_state(Door { gatekeeper, transfers, settings, secret })
}

#[derive(Clone)]
struct Door {
    gatekeeper: Arc<Gatekeeper>,
    transfers: Option<Arc<Transfers>>,
    settings: Arc<ForwardSettings>,
    secret: Option<Digest>,
}

/// What the proxy asks about.
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
}

/// Answers 200 with what the contract says, 401 or 403.
async fn ask(State(door): State<Door>, request: Request) -> Result<Response, Denial> {
    let (head, _) = request.into_parts();
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let method = head.method.clone();
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let refused = |refusal: Refusal| {
        tracing::warn!(check = refusal.check.id(), detail = refusal.detail, "a proxy's question was refused");
        Denial::of(refusal.into(), &door.gatekeeper)
    };
    door.let_in(peer, &head.headers).map_err(refused)?;
    let asked = door.asked(&method, target, &head.headers).map_err(refused)?;
    let gatekeeper = &door.gatekeeper;
    let denied = |fault: NodeFault| Denial::of(fault, gatekeeper);
    if !["GET", "HEAD"].contains(&asked.method) {
        return Err(refused(checks::FORWARD_REQUEST.refuse("data is read with GET or HEAD")));
    }
    let guarded = gatekeeper.settings().asset_at(asked.path);
    let (asset, below) = guarded
        .ok_or_else(|| refused(checks::ASSET_GUARDED.refuse(format!("nothing is guarded at {}", asked.path))))?;
    let carried = carried(asked.method, asked.path, &head.headers);
    if let Some(opened) = by_transfer(door.transfers.as_ref(), &carried, &asset.id).await.map_err(denied)? {
        if asked.method == "GET" {
            begin(door.transfers.as_ref(), &opened).await.map_err(denied)?;
        }
        return Ok(opened.contract.as_ref().map_or_else(|| unsigned(&asset.id), allowed));
    }
    let admitted = gatekeeper.check(&carried, &asset.id).await.map_err(denied)?;
    if asked.method == "GET" {
        gatekeeper.spend(&admitted, asset.part(below).as_deref()).await.map_err(denied)?;
    }
    let fresh = if admitted.key.is_some() { gatekeeper.proof_nonce().map_err(denied)? } else { None };
    Ok(nonce(allowed(&admitted), fresh))
}

impl Door {
    /// Whether it is the proxy that asks.
    fn let_in(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Result<(), Refusal> {
        let addresses = &self.settings.addresses;
        let from = |peer: SocketAddr| addresses.contains(&peer.ip().to_canonical());
        let here = addresses.is_empty() || peer.is_some_and(from);
        checks::FORWARD_CALLER.hold(here, || format!("asked from {peer:?}"))?;
        let Some(secret) = &self.secret else {
            // Settings without addresses have a secret; without either nobody is let in.
            return checks::FORWARD_CALLER.hold(!addresses.is_empty(), || "no secret is at hand".into());
        };
        let given = Digest::of(one(headers, SECRET).unwrap_or_default());
        let same = bool::from(given.as_bytes().ct_eq(secret.as_bytes()));
        checks::FORWARD_CALLER.hold(same, || format!("`{SECRET}` is not the proxy's secret"))
    }

    /// The request that the proxy asks about, from what this proxy writes and nothing else.
    fn asked<'a>(&self, method: &'a Method, target: &'a str, headers: &'a HeaderMap) -> Result<Asked<'a>, Refusal> {
        let need = |name: &'static str| {
            one(headers, name).ok_or_else(|| checks::FORWARD_REQUEST.refuse(format!("`{name}` has to stand once")))
        };
        let (method, target, host, scheme) = match self.settings.proxy {
            Proxy::Nginx => (
                need("x-original-method")?,
                need("x-original-uri")?,
                need("x-forwarded-host")?,
                Some(need("x-forwarded-proto")?),
            ),
            Proxy::Traefik => (
                need("x-forwarded-method")?,
                need("x-forwarded-uri")?,
                need("x-forwarded-host")?,
                Some(need("x-forwarded-proto")?),
            ),
            Proxy::Envoy => {
                let behind = target.strip_prefix(DOOR).filter(|path| path.starts_with('/'));
                let target = behind.ok_or_else(|| checks::FORWARD_REQUEST.refuse("no path behind /auth"))?;
                (method.as_str(), target, need("host")?, None)
            }
        };
        of_origin(&self.gatekeeper.settings().origin, scheme, host)?;
        Ok(Asked { method, path: one_reading(target)? })
    }
}

/// What the proxy may hand to whatever serves the data.
fn allowed(admitted: &Admitted) -> Response {
    let grant = &admitted.grant;
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    let mut say = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    say("countersign-contract", &grant.contract_id.to_string());
    say("countersign-core", &grant.core.b64u());
    say("countersign-asset", &escaped(&grant.asset));
    say("countersign-asset-sha256", &grant.asset_sha256);
    say("countersign-consumer-key", &grant.consumer_key.to_string());
    say("countersign-purpose", &escaped(admitted.purpose.as_deref().unwrap_or_default()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The same under an agreement that nobody signed.
fn unsigned(asset: &str) -> Response {
    let asset = HeaderValue::from_str(&escaped(asset)).unwrap_or_else(|_| HeaderValue::from_static(""));
    let headers = [
        (HeaderName::from_static("countersign-asset"), asset),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (StatusCode::OK, headers).into_response()
}

/// A text of others, as a header can carry it: percent-encoded where a letter is not visible ASCII.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        match byte {
            b'%' => escaped.push_str("%25"),
            byte if byte.is_ascii_graphic() => escaped.push(char::from(byte)),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
        escaped
    })
}

/// The text of a header that stands exactly once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_of_any_letters_is_one_header() {
        assert_eq!(escaped("https://example.org/research?x=1"), "https://example.org/research?x=1");
        assert_eq!(escaped("für 100%\r\nx: y"), "f%C3%BCr%20100%25%0D%0Ax:%20y");
    }

    #[test]
    fn a_header_that_stands_twice_says_nothing() {
        let mut headers = HeaderMap::new();
        assert_eq!(one(&headers, "x-original-uri"), None);
        headers.append("x-original-uri", HeaderValue::from_static("/a"));
        assert_eq!(one(&headers, "x-original-uri"), Some("/a"));
        headers.append("x-original-uri", HeaderValue::from_static("/b"));
        assert_eq!(one(&headers, "x-original-uri"), None);
    }
}
