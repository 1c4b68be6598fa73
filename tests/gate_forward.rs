//! The door at which a proxy asks: it judges what the proxy says, and believes nobody else.

mod support {
    pub mod gate_scene;
    pub mod gate_world;
}

use std::time::Duration;

use countersign::gate::{Answer, Proof, Proven};
use countersign::http::Served;
use countersign::node::{ForwardSettings, Proxy, chance};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use support::gate_scene::{Scene, asked_by, check};
use support::gate_world::{ScriptedChain, free, key, under};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PATH: &str = "/assets/junction";

struct Door {
    scene: Scene,
    url: String,
    proxy: Proxy,
    _served: Served,
}

impl Door {
    async fn new(proxy: Proxy) -> Self {
        Self::with(asked_by(proxy), None).await
    }

    async fn with(settings: ForwardSettings, secret: Option<&str>) -> Self {
        let scene = Scene::new().await;
        let proxy = settings.proxy;
        let (door, served) = scene.door(settings, secret).await;
        Self { scene, url: format!("http://{door}"), proxy, _served: served }
    }

    fn host(&self) -> &str {
        self.scene.origin.strip_prefix("http://").unwrap()
    }

    /// The question as this kind of proxy asks it.
    fn question(&self, method: &str, target: &str) -> Vec<(&'static str, String)> {
        let said = |name: &'static str, value: &str| (name, value.to_owned());
        let (uri, verb) = match self.proxy {
            Proxy::Nginx => ("x-original-uri", "x-original-method"),
            Proxy::Traefik => ("x-forwarded-uri", "x-forwarded-method"),
            Proxy::Envoy => return vec![said("host", self.host())],
        };
        vec![
            said(uri, target),
            said(verb, method),
            said("x-forwarded-host", self.host()),
            said("x-forwarded-proto", "http"),
        ]
    }

    async fn send(&self, url: &str, method: Method, headers: &[(&str, String)]) -> Response {
        let request = self.scene.client.request(method, url);
        headers.iter().fold(request, |request, (name, value)| request.header(*name, value)).send().await.unwrap()
    }

    async fn ask_with(&self, method: &str, target: &str, more: &[(&'static str, String)]) -> Response {
        let mut headers = self.question(method, target);
        headers.extend_from_slice(more);
        match self.proxy {
            Proxy::Envoy => {
                let url = format!("{}/auth{target}", self.url);
                self.send(&url, method.parse().unwrap(), &headers).await
            }
            _ => self.send(&format!("{}/auth", self.url), Method::GET, &headers).await,
        }
    }

    /// What Envoy would pass on, letter by letter.
    async fn raw(&self, target: &str, token: &str) -> String {
        let mut stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).await.unwrap();
        let host = self.host();
        let request = format!(
            "GET /auth{target} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn ask(&self, method: &str, target: &str, token: &str) -> Response {
        self.ask_with(method, target, &[("authorization", format!("Bearer {token}"))]).await
    }
}

async fn refused(response: Response) -> String {
    let named = response.headers()["countersign-check"].to_str().unwrap().to_owned();
    assert_eq!(check(response, StatusCode::FORBIDDEN).await, named);
    named
}

#[tokio::test]
async fn each_proxy_is_answered_in_its_own_tongue() {
    for proxy in [Proxy::Nginx, Proxy::Traefik, Proxy::Envoy] {
        let door = Door::new(proxy).await;
        let contract = door.scene.concluded(1, under("purpose", "eq", json!("https://example.org/für")));
        let purpose = Some("https://example.org/für".to_owned());
        let granted = door.scene.send(&Answer { purpose, ..door.scene.answer(&contract).await }).await;
        let token = granted.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
        let missing = door.ask_with("GET", PATH, &[]).await;
        assert_eq!(missing.headers()["www-authenticate"], "DPoP algs=\"ES256 EdDSA\", Bearer");
        assert_eq!(check(missing, StatusCode::UNAUTHORIZED).await, "gate.token.missing", "{proxy:?}");
        for method in ["GET", "HEAD"] {
            let allowed = door.ask(method, &format!("{PATH}?part=1"), &token).await;
            assert_eq!(allowed.status(), StatusCode::OK, "{proxy:?}");
            let said = |name: &str| allowed.headers()[name].to_str().unwrap().to_owned();
            assert_eq!(said("countersign-contract"), contract.core.claims.contract_id.to_string());
            assert_eq!(said("countersign-asset-sha256"), door.scene.asset().sha256);
            assert_eq!(said("countersign-purpose"), "https://example.org/f%C3%BCr");
        }
        assert_eq!(refused(door.ask("POST", PATH, &token).await).await, "gate.forward.request", "{proxy:?}");
        assert_eq!(refused(door.ask("GET", "/assets/other", &token).await).await, "gate.asset.guarded");
        // A path that the proxy would read as another one.
        for target in
            ["/assets/x/../junction", "//assets/junction", "/assets/%2e%2e/assets/junction", "/assets%2fjunction"]
        {
            if proxy == Proxy::Envoy {
                // A client would tidy it before it is sent.
                let answer = door.raw(target, &token).await;
                assert!(answer.starts_with("HTTP/1.1 403 "), "{target}: {answer}");
                continue;
            }
            let refused = refused(door.ask("GET", target, &token).await).await;
            assert_eq!(refused, "gate.forward.request", "{proxy:?} {target}");
        }
        door.scene
            .chain
            .script()
            .ended
            .insert(contract.core.claims.contract_id, ScriptedChain::mark(110, door.scene.world.now));
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(refused(door.ask("GET", PATH, &token).await).await, "force.ended");
    }
}

#[tokio::test]
async fn what_callers_write_is_not_read() {
    let door = Door::new(Proxy::Nginx).await;
    let token = door.scene.token(&door.scene.concluded(1, free())).await;
    let bearer = ("authorization", format!("Bearer {token}"));
    // The headers of another kind of proxy, which this one passes through.
    let other = [bearer.clone(), ("x-forwarded-uri", PATH.into()), ("x-forwarded-method", "GET".into())];
    assert_eq!(refused(door.ask_with("GET", "/assets/other", &other).await).await, "gate.asset.guarded");
    let url = format!("{}/auth{PATH}", door.url);
    assert_eq!(refused(door.send(&url, Method::GET, &other).await).await, "gate.forward.request");
    // The proxy's own header, twice.
    let twice = [bearer.clone(), ("x-original-uri", PATH.into())];
    assert_eq!(refused(door.ask_with("GET", PATH, &twice).await).await, "gate.forward.request");
    // Another host of the same proxy, and the origin in the clear.
    for (name, value) in [("x-forwarded-host", "other.example"), ("x-forwarded-proto", "https")] {
        let mut headers = door.question("GET", PATH);
        headers.iter_mut().filter(|(of, _)| *of == name).for_each(|(_, of)| *of = value.into());
        headers.push(bearer.clone());
        let answer = door.send(&format!("{}/auth", door.url), Method::GET, &headers).await;
        assert_eq!(refused(answer).await, "gate.forward.origin", "{name}");
    }
    // Two tokens are none.
    let two = [bearer.clone(), bearer];
    let answer = door.ask_with("GET", PATH, &two).await;
    assert_eq!(check(answer, StatusCode::UNAUTHORIZED).await, "gate.token.missing");
}

#[tokio::test]
async fn nobody_asks_in_the_proxys_place() {
    let elsewhere = ForwardSettings { addresses: vec!["192.0.2.1".parse().unwrap()], ..asked_by(Proxy::Nginx) };
    let door = Door::with(elsewhere, None).await;
    assert_eq!(refused(door.ask_with("GET", PATH, &[]).await).await, "gate.forward.caller");

    let anywhere = ForwardSettings { addresses: Vec::new(), ..asked_by(Proxy::Nginx) };
    let door = Door::with(anywhere.clone(), Some("a secret of many letters")).await;
    let token = door.scene.token(&door.scene.concluded(1, free())).await;
    let with = |secrets: &[&str]| {
        let mut headers = vec![("authorization", format!("Bearer {token}"))];
        headers.extend(secrets.iter().map(|secret| ("countersign-proxy", (*secret).to_owned())));
        headers
    };
    assert_eq!(door.ask_with("GET", PATH, &with(&["a secret of many letters"])).await.status(), StatusCode::OK);
    for secrets in [&[][..], &["another"], &["a secret of many letters", "another"]] {
        assert_eq!(refused(door.ask_with("GET", PATH, &with(secrets)).await).await, "gate.forward.caller");
    }
    let open = Door::with(anywhere, None).await;
    assert_eq!(refused(open.ask_with("GET", PATH, &[]).await).await, "gate.forward.caller");
}

#[tokio::test]
async fn a_question_spends_a_counted_token_and_a_bound_one_needs_its_key() {
    let door = Door::new(Proxy::Traefik).await;
    let token = door.scene.token(&door.scene.concluded(1, under("count", "lteq", json!(1)))).await;
    assert_eq!(door.ask("HEAD", PATH, &token).await.status(), StatusCode::OK);
    assert_eq!(door.ask("GET", PATH, &token).await.status(), StatusCode::OK);
    assert_eq!(refused(door.ask("GET", PATH, &token).await).await, "gate.token.spent");

    let own = key(7);
    let prove = |method: &str, path: &str, token: Option<&str>| {
        let url = format!("{}{path}", door.scene.origin);
        let about = Proven { method, url: &url, token };
        Proof::make(&own, &about, &chance::nonce().unwrap(), chance::now().unwrap(), None).unwrap()
    };
    let answer = door.scene.answer(&door.scene.concluded(2, free())).await;
    let request = door.scene.client.post(format!("{}/token", door.scene.origin)).json(&answer);
    let granted: Value =
        request.header("dpop", prove("POST", "/token", None)).send().await.unwrap().json().await.unwrap();
    let token = granted["token"].as_str().unwrap();
    let dpop = ("authorization", format!("DPoP {token}"));
    // The proof is about the address that the world sees, not about the door's.
    let proven = [dpop.clone(), ("dpop", prove("GET", PATH, Some(token)))];
    assert_eq!(door.ask_with("GET", PATH, &proven).await.status(), StatusCode::OK);
    let again = door.ask_with("GET", PATH, &proven).await;
    assert_eq!(check(again, StatusCode::UNAUTHORIZED).await, "gate.proof.replayed");
    let bearer = door.ask("GET", PATH, token).await;
    assert_eq!(check(bearer, StatusCode::UNAUTHORIZED).await, "gate.token.bound");
}
