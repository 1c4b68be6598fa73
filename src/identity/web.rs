//! did:web: where a DID's document is, how it is read, and how this wallet's own is written.

use serde_json::{Map, Value, json};
use url::{Host, Url};

use super::{Did, DidDocument, DidUrl, FormerKey, Jwk, Method, PublicKey, Service, checks};
use crate::check::Refusal;
use crate::encoding::{self, Timestamp};

/// The longest DID document that is read, in bytes.
pub const MAX_DOCUMENT: usize = 64 * 1024;
const MAX_METHODS: usize = 64;
const MAX_SERVICES: usize = 32;
const MULTICODEC_X25519: [u8; 2] = [0xec, 0x01];
const DIDCOMM: &str = "DIDCommMessaging";

impl Did {
    /// Where the document of a did:web is served, over https.
    ///
    /// # Errors
    /// `did.web` for another method, an IP address in the place of a domain, or a malformed port or path.
    pub fn web_url(&self) -> Result<Url, Refusal> {
        let refuse = |why: &str| checks::DID_WEB.refuse(format!("{self}: {why}"));
        if self.method() != Method::Web {
            return Err(refuse("not a did:web"));
        }
        let mut parts = self.specific_id().split(':');
        let host = parts.next().unwrap_or_default();
        let (domain, port) = match host.split_once("%3A").or_else(|| host.split_once("%3a")) {
            Some((domain, port)) => (domain, Some(port.parse::<u16>().map_err(|_| refuse("the port is no number"))?)),
            None => (host, None),
        };
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
        if domain.is_empty() || !domain.bytes().all(plain) {
            return Err(refuse("the domain is lower-case letters, digits, dots and hyphens"));
        }
        let mut path = String::new();
        for segment in parts {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            if segment.is_empty() || segment.bytes().all(|b| b == b'.') || !segment.bytes().all(plain) {
                return Err(refuse("a part of its path is not letters, digits, dots, hyphens and underscores"));
            }
            path.push('/');
            path.push_str(segment);
        }
        let path = if path.is_empty() { "/.well-known" } else { &path };
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        let url = Url::parse(&format!("https://{domain}{port}{path}/did.json")).map_err(|_| refuse("no domain"))?;
        match url.host() {
            Some(Host::Domain(parsed)) if parsed == domain => Ok(url),
            _ => Err(refuse("a domain is needed, not an address")),
        }
    }

    /// The did:web of a domain and path as people write them: `alice.example`, `alice.example:desk`,
    /// `localhost%3A7300`.
    ///
    /// # Errors
    /// As [`Did::web_url`].
    pub fn of_web(domain: &str) -> Result<Self, Refusal> {
        let did: Self = format!("did:web:{}", domain.trim_start_matches("did:web:")).parse()?;
        did.web_url()?;
        Ok(did)
    }
}

impl DidDocument {
    /// Reads the document that was served for `did`. Keys of other kinds, of other DIDs and services of other types are
    /// passed over; whatever is inconsistent about the rest refuses the document.
    ///
    /// # Errors
    /// `encoding.*`, `did.document`.
    pub fn read(did: &Did, bytes: &[u8]) -> Result<Self, Refusal> {
        Self::of_json(did, &encoding::parse_json(bytes, MAX_DOCUMENT)?)
    }

    /// As [`DidDocument::read`], of JSON that was read strictly.
    ///
    /// # Errors
    /// `did.document`.
    pub fn of_json(did: &Did, json: &Value) -> Result<Self, Refusal> {
        let id = json.get("id").and_then(Value::as_str).unwrap_or_default();
        checks::DID_DOCUMENT.hold(id == did.as_str(), || {
            format!("the document's id is `{}`, expected {did}", id.chars().take(200).collect::<String>())
        })?;
        let mut reading = Reading { did, methods: vec![], used: vec![] };
        for method in list(json, "verificationMethod", MAX_METHODS)? {
            reading.method(method)?;
        }
        let signs = reading.relationships(json, &["assertionMethod", "authentication"])?;
        let agrees = reading.relationships(json, &["keyAgreement"])?;
        reading.relationships(json, &["capabilityInvocation", "capabilityDelegation"])?;
        let mut document = Self::bare(did.clone());
        for method in &reading.methods {
            let kid = method.kid.clone();
            match &method.key {
                Some(key) if signs.contains(&kid) && method.until.is_none() => document.keys.push((kid, *key)),
                Some(key) if method.until.is_some() || !reading.used.contains(&kid) => {
                    document.former.push(FormerKey { kid, key: *key, until: method.until });
                }
                _ if agrees.contains(&kid) && method.until.is_none() => {
                    document.agreement.extend(method.agrees_with.clone().map(|jwk| (kid, jwk)));
                }
                _ => {}
            }
        }
        // A key of one curve may sign and agree.
        for method in reading.methods.iter().filter(|method| signs.contains(&method.kid) && method.until.is_none()) {
            if let (true, Some(jwk)) = (agrees.contains(&method.kid), &method.agrees_with) {
                document.agreement.push((method.kid.clone(), jwk.clone()));
            }
        }
        for service in list(json, "service", MAX_SERVICES)? {
            document.services.extend(didcomm(service));
        }
        Ok(document)
    }

    /// The document as it is served.
    pub fn to_json(&self) -> Value {
        let method = |kid: &DidUrl, jwk: &Jwk| json!({ "id": kid, "type": "JsonWebKey", "controller": self.id, "publicKeyJwk": jwk });
        let former = |former: &FormerKey| {
            let mut method = method(&former.kid, &former.key.jwk());
            if let Some(until) = former.until {
                method["revoked"] = until.rfc3339().into();
            }
            method
        };
        let mut methods: Vec<Value> = self.keys.iter().map(|(kid, key)| method(kid, &key.jwk())).collect();
        let both = |kid: &DidUrl| self.keys.iter().any(|(signs, _)| signs == kid);
        methods.extend(self.agreement.iter().filter(|(kid, _)| !both(kid)).map(|(kid, jwk)| method(kid, jwk)));
        methods.extend(self.former.iter().map(former));
        let signs: Vec<&DidUrl> = self.keys.iter().map(|(kid, _)| kid).collect();
        let agrees: Vec<&DidUrl> = self.agreement.iter().map(|(kid, _)| kid).collect();
        let service = |(index, service): (usize, &Service)| {
            let number = if index == 0 { String::new() } else { format!("-{}", index + 1) };
            json!({
                "id": format!("{}#didcomm{number}", self.id), "type": service.kind,
                "serviceEndpoint": { "uri": service.uri, "accept": service.accept, "routingKeys": service.routing_keys },
            })
        };
        let mut document = json!({
            "@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/jwk/v1"],
            "id": self.id, "verificationMethod": methods, "authentication": signs, "assertionMethod": signs,
        });
        if !agrees.is_empty() {
            document["keyAgreement"] = json!(agrees);
        }
        if !self.services.is_empty() {
            document["service"] = self.services.iter().enumerate().map(service).collect();
        }
        document
    }
}

/// A document while it is read.
struct Reading<'a> {
    did: &'a Did,
    methods: Vec<ReadMethod>,
    used: Vec<DidUrl>,
}

struct ReadMethod {
    kid: DidUrl,
    key: Option<PublicKey>,
    agrees_with: Option<Jwk>,
    until: Option<Timestamp>,
}

impl Reading<'_> {
    /// Takes a verification method in; its name, unless it is another DID's.
    fn method(&mut self, method: &Value) -> Result<Option<DidUrl>, Refusal> {
        let Some(members) = method.as_object() else {
            return Err(checks::DID_DOCUMENT.refuse("a verification method is not an object"));
        };
        let Some(kid) = members.get("id").and_then(|id| self.name(id)) else { return Ok(None) };
        let controlled = members.get("controller").is_none_or(|by| by.as_str() == Some(self.did.as_str()));
        if !controlled {
            return Ok(None);
        }
        checks::DID_DOCUMENT.hold(self.methods.len() < MAX_METHODS, || format!("more than {MAX_METHODS} keys"))?;
        checks::DID_DOCUMENT
            .hold(self.methods.iter().all(|known| known.kid != kid), || format!("{kid} stands twice"))?;
        let (key, agrees_with) = keys(members);
        let until = match members.get("revoked") {
            None => None,
            Some(at) => Some(at.as_str().and_then(|at| Timestamp::parse_rfc3339(at).ok()).ok_or_else(|| {
                checks::DID_DOCUMENT.refuse(format!("{kid} was revoked at a time that does not read"))
            })?),
        };
        self.methods.push(ReadMethod { kid: kid.clone(), key, agrees_with, until });
        Ok(Some(kid))
    }

    /// The names of the keys in these relationships, by reference or embedded.
    fn relationships(&mut self, json: &Value, names: &[&str]) -> Result<Vec<DidUrl>, Refusal> {
        let mut found = Vec::new();
        for name in names {
            for item in list(json, name, MAX_METHODS)? {
                found.extend(if item.is_object() { self.method(item)? } else { self.name(item) });
            }
        }
        self.used.extend(found.iter().cloned());
        Ok(found)
    }

    /// A key's name as an absolute DID URL of this DID; `None` for another's.
    fn name(&self, id: &Value) -> Option<DidUrl> {
        let id = id.as_str()?;
        let absolute = if id.starts_with('#') { format!("{}{id}", self.did) } else { id.to_owned() };
        absolute.parse::<DidUrl>().ok().filter(|kid| kid.did() == self.did)
    }
}

fn list<'a>(json: &'a Value, name: &str, most: usize) -> Result<&'a [Value], Refusal> {
    match json.get(name) {
        None => Ok(&[]),
        Some(Value::Array(items)) if items.len() <= most => Ok(items),
        Some(_) => Err(checks::DID_DOCUMENT.refuse(format!("`{name}` is no list of at most {most}"))),
    }
}

/// What a method's key signs and agrees with, as far as it is on the allow-list; a private key is nobody's.
fn keys(members: &Map<String, Value>) -> (Option<PublicKey>, Option<Jwk>) {
    if let Some(Value::Object(jwk)) = members.get("publicKeyJwk") {
        if jwk.contains_key("d") {
            return (None, None);
        }
        let bare: Map<String, Value> =
            jwk.iter().filter(|(name, _)| matches!(name.as_str(), "kty" | "crv" | "x" | "y")).map(owned).collect();
        let Ok(jwk) = Jwk::from_json(&Value::Object(bare)) else { return (None, None) };
        let agrees = matches!(jwk.crv.as_str(), "X25519" | "P-256");
        return (jwk.public_key().ok(), agrees.then_some(jwk));
    }
    let Some(text) = members.get("publicKeyMultibase").and_then(Value::as_str) else { return (None, None) };
    if let Ok(key) = PublicKey::from_did_key(text) {
        return (Some(key), matches!(key, PublicKey::P256(_)).then(|| key.jwk()));
    }
    let bytes =
        text.strip_prefix('z').filter(|text| text.len() < 100).and_then(|text| bs58::decode(text).into_vec().ok());
    let x25519 =
        bytes.as_deref().and_then(|bytes| bytes.strip_prefix(&MULTICODEC_X25519)).filter(|key| key.len() == 32);
    let jwk = |key| Jwk { kty: "OKP".into(), crv: "X25519".into(), x: encoding::encode(key), y: None };
    (None, x25519.map(jwk))
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

/// The endpoints of a service, if it is DIDComm's.
fn didcomm(service: &Value) -> Vec<Service> {
    let kind = service.get("type");
    let ours = match kind {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == DIDCOMM),
        Some(kind) => kind == DIDCOMM,
        None => false,
    };
    if !ours {
        return vec![];
    }
    let texts = |value: Option<&Value>| {
        let texts = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        texts.take(8).map(str::to_owned).collect::<Vec<_>>()
    };
    let endpoint = |endpoint: &Value| {
        let (uri, beside) = match endpoint {
            // The older form: the URI alone, with what belongs to it beside.
            Value::String(uri) => (uri.as_str(), service),
            endpoint => (endpoint.get("uri")?.as_str()?, endpoint),
        };
        Some(Service {
            kind: DIDCOMM.into(),
            uri: uri.to_owned(),
            accept: texts(beside.get("accept")),
            routing_keys: texts(beside.get("routingKeys")),
        })
    };
    match service.get("serviceEndpoint") {
        Some(Value::Array(endpoints)) => endpoints.iter().take(8).filter_map(endpoint).collect(),
        Some(one) => endpoint(one).into_iter().collect(),
        None => vec![],
    }
}

#[cfg(test)]
mod tests;
