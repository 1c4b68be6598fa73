//! What every proxy does that asks the gate about each request.

use countersign::gate::{Proof, Proven};
use countersign::node::{Proxy, chance};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::front::{FILE, Front, LIVE, OTHER, OTHER_DATA, check};
use crate::guarded::{delivered, fetched};
use crate::support::gate_scene::DATA;
use crate::support::gate_world::{free, key, under};

/// All of it, in this order: the last two leave nothing to ask.
pub async fn everything(front: &mut Front) {
    files(front).await;
    paths(front).await;
    hosts(front).await;
    terms(front).await;
    bound(front).await;
    told(front).await;
    delivered(front).await;
    fetched(front).await;
    held(front).await;
    shut(front).await;
}

/// The proxy shows its secret at the door, whatever a caller sends in its place.
pub async fn secret(front: &Front) {
    let token = front.scene.token(&front.file(1, free())).await;
    let forged = front.raw(FILE, &token, "countersign-proxy: forged\r\n").await;
    assert!(forged.starts_with("HTTP/1.1 200 ") && forged.contains("OpenDRIVE"), "{forged}");
    let (_, token) = front.live(2).await;
    let told = front.raw(LIVE, &token, "countersign-proxy: forged\r\n").await;
    assert!(told.contains("countersign-contract: ") && !told.contains("countersign-proxy"), "{told}");
}

/// Data comes with a token, in parts too, and for as long as the contract is in force.
async fn files(front: &Front) {
    let scene = &front.scene;
    let missing = scene.get(FILE, None).await;
    assert_eq!(missing.headers()["www-authenticate"], "DPoP algs=\"ES256 EdDSA\", Bearer");
    assert_eq!(check(&missing, 401), "gate.token.missing");
    if front.proxy != Proxy::Nginx {
        // nginx has a page of its own; the others pass on the gate's body.
        let body: Value = missing.json().await.unwrap();
        assert_eq!(body["error"]["check"], "gate.token.missing");
    }
    let contract = front.file(1, free());
    let token = scene.token(&contract).await;
    let data = scene.get(FILE, Some(&token)).await;
    assert_eq!((data.status(), data.headers().get("link")), (StatusCode::OK, None));
    assert_eq!(data.headers()["cache-control"], "private, no-store");
    assert_eq!(data.bytes().await.unwrap(), DATA);
    let part = scene.request(Method::GET, FILE, Some(&token), Some("bytes=11-20")).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.bytes().await.unwrap(), &DATA[11..=20]);
    assert_eq!(scene.request(Method::HEAD, FILE, Some(&token), None).await.status(), StatusCode::OK);
    assert_eq!(scene.request(Method::POST, FILE, Some(&token), None).await.status(), StatusCode::FORBIDDEN);
    let queried = scene.get(&format!("{FILE}?part=/../other"), Some(&token)).await;
    assert_eq!(queried.bytes().await.unwrap(), DATA);
    let with_body = scene.client.get(format!("{}{FILE}", scene.origin)).bearer_auth(&token).body(vec![b'x'; 100_000]);
    assert_eq!(with_body.send().await.unwrap().bytes().await.unwrap(), DATA);
    assert_eq!(scene.get("/elsewhere", Some(&token)).await.status(), StatusCode::NOT_FOUND);

    front.end(&contract).await;
    assert_eq!(check(&scene.get(FILE, Some(&token)).await, 403), "force.ended");
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "force.ended");
}

/// However a path is spelt, it opens nothing but the asset that the token is for.
async fn paths(front: &Front) {
    let token = front.scene.token(&front.file(2, free())).await;
    let other = front.scene.get(OTHER, Some(&token)).await;
    assert_eq!(check(&other, 403), "gate.token.asset");
    for target in [
        "/assets/junction/../other",
        "/assets/junction/%2e%2e/other",
        "/assets/junction/.%2E/other",
        "/assets/junction%2f..%2fother",
        "/assets/junction%2F%2e%2e%2Fother",
        "/assets/junction%5c..%5cother",
        "/assets/junction\\..\\other",
        "/assets/junction/%252e%252e/other",
        "/assets/junction/..;/other",
        "/assets/junction;/../other",
        "/assets/junction/..//other",
        "/assets//other",
        "//assets/other",
        "/assets/./other",
        "/assets/%6fther",
        "/assets/other#/assets/junction",
        "/assets/other%23/../junction/../other",
        "/assets/other?/../junction",
        "/assets/junction%3f/../other",
        "/assets/junction%00/../other",
        "/live/../assets/other",
        "/challenge/../assets/other",
        "/receipts/../assets/other",
        "/guarded/../assets/other",
        "/guarded/..%2fassets/other",
        "/auth/assets/junction/../other",
    ] {
        let answer = front.raw(target, &token, "").await;
        let status = &answer[9..12];
        assert!(["400", "403", "404"].contains(&status), "{:?} {target}: {answer}", front.proxy);
        assert!(!answer.contains(OTHER_DATA), "{:?} {target}: {answer}", front.proxy);
    }

    // The same tricks about the token's own asset: nginx serves files by a path that it has tidied while it asks about the
    // one that was sent, so that the gate denies; the others tidy first, and ask for and pass on the same.
    let (_, live) = front.live(3).await;
    for target in
        ["/live/x/../junction", "/live/./junction", "/live//junction", "/live/%2e/junction", "/x/%2e%2e/live/junction"]
    {
        let answer = front.raw(target, &live, "").await;
        if front.proxy == Proxy::Nginx {
            assert!(answer.starts_with("HTTP/1.1 403 "), "{target}: {answer}");
        } else if answer.starts_with("HTTP/1.1 200 ") {
            assert!(answer.contains(&format!("target: {LIVE}\n")), "{:?} {target}: {answer}", front.proxy);
        } else {
            assert!(answer.starts_with("HTTP/1.1 40"), "{:?} {target}: {answer}", front.proxy);
        }
    }
}

/// Neither a header nor another name of the host makes the gate judge another request than the one that is served.
async fn hosts(front: &Front) {
    let scene = &front.scene;
    let token = scene.token(&front.file(4, free())).await;
    let mut forged = scene.client.get(format!("{}{OTHER}", scene.origin)).bearer_auth(&token);
    for (name, value) in [
        ("x-original-uri", FILE),
        ("x-original-url", FILE),
        ("x-original-method", "GET"),
        ("x-rewrite-url", FILE),
        ("x-forwarded-uri", FILE),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-prefix", "/auth"),
        ("x-envoy-original-path", FILE),
        ("x-envoy-auth-partial-body", "true"),
        ("x-http-method-override", "HEAD"),
    ] {
        forged = forged.header(name, value);
    }
    assert_eq!(check(&forged.send().await.unwrap(), 403), "gate.token.asset");
    let posted = scene.client.post(format!("{}{FILE}", scene.origin)).bearer_auth(&token);
    let posted = posted.header("x-original-method", "GET").header("x-forwarded-method", "GET").send().await.unwrap();
    assert_eq!(posted.status(), StatusCode::FORBIDDEN);

    let url = format!("{}{FILE}", scene.origin);
    let other = scene.client.get(&url).bearer_auth(&token).header("host", "other.example");
    let host = scene.origin.strip_prefix("http://").unwrap();
    let pretended = other.header("x-forwarded-host", host).header("forwarded", format!("host={host}"));
    let answer = pretended.send().await.unwrap();
    // The host of a request line goes before the header (RFC 9112, 3.2.2).
    let absolute = front.raw(&format!("http://other.example{FILE}"), &token, "").await;
    if front.proxy == Proxy::Traefik {
        // It has routes for this host alone.
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert!(absolute.starts_with("HTTP/1.1 404 "), "{absolute}");
    } else {
        assert_eq!(check(&answer, 403), "gate.forward.origin");
        assert!(absolute.contains("gate.forward.origin"), "{absolute}");
    }
    for more in
        [format!("authorization: Bearer {token}\r\n"), format!("host: {host}\r\n"), "host: other.example\r\n".into()]
    {
        let twice = front.raw(FILE, &token, &more).await;
        assert!(twice.starts_with("HTTP/1.1 40") && !twice.contains("OpenDRIVE"), "{more}{twice}");
    }
}

/// One token of terms that count uses is one use, at a proxy too.
async fn terms(front: &Front) {
    let scene = &front.scene;
    let contract = front.file(5, under("count", "lteq", json!(1)));
    let token = scene.token(&contract).await;
    assert_eq!(scene.request(Method::HEAD, FILE, Some(&token), None).await.status(), StatusCode::OK);
    assert_eq!(scene.get(FILE, Some(&token)).await.status(), StatusCode::OK);
    assert_eq!(check(&scene.get(FILE, Some(&token)).await, 403), "gate.token.spent");
    assert_eq!(scene.denied(&scene.answer(&contract).await).await, "policy.constraint");
}

/// A token that is bound to a key comes with a fresh proof of it, which answers a nonce that the proxy passed on.
async fn bound(front: &Front) {
    let (scene, own) = (&front.scene, key(7));
    let prove = |method: &str, path: &str, token: Option<&str>, nonce: Option<&str>| {
        let url = format!("{}{path}", scene.origin);
        let about = Proven { method, url: &url, token };
        Proof::make(&own, &about, &chance::nonce().unwrap(), chance::now().unwrap(), nonce).unwrap()
    };
    let answer = scene.answer(&front.file(6, free())).await;
    let ask = async |proof: String| {
        let request = scene.client.post(format!("{}/token", scene.origin)).json(&answer);
        request.header("dpop", proof).send().await.unwrap()
    };
    let unanswered = ask(prove("POST", "/token", None, None)).await;
    assert_eq!(check(&unanswered, 400), "gate.proof.nonce");
    let nonce = unanswered.headers()["dpop-nonce"].to_str().unwrap();
    let granted: Value = ask(prove("POST", "/token", None, Some(nonce))).await.json().await.unwrap();
    assert_eq!(granted["token_type"], "DPoP");
    let token = granted["token"].as_str().unwrap();
    let get = async |proof: &str| {
        let request =
            scene.client.get(format!("{}{FILE}", scene.origin)).header("authorization", format!("DPoP {token}"));
        request.header("dpop", proof).send().await.unwrap()
    };
    let unanswered = get(&prove("GET", FILE, Some(token), None)).await;
    assert_eq!(check(&unanswered, 401), "gate.proof.nonce");
    assert!(unanswered.headers()["www-authenticate"].to_str().unwrap().contains("use_dpop_nonce"));
    let nonce = unanswered.headers()["dpop-nonce"].to_str().unwrap();
    let proof = prove("GET", FILE, Some(token), Some(nonce));
    let data = get(&proof).await;
    // Traefik passes on nothing of an answer that allows.
    assert_eq!(data.headers().contains_key("dpop-nonce"), front.proxy != Proxy::Traefik);
    assert_eq!(data.bytes().await.unwrap(), DATA);
    let again = get(&proof).await;
    assert!(again.headers()["www-authenticate"].to_str().unwrap().contains("invalid_dpop_proof"));
    assert_eq!(check(&again, 401), "gate.proof.replayed");
    let elsewhere = prove("GET", OTHER, Some(token), Some(nonce));
    assert_eq!(check(&get(&elsewhere).await, 401), "gate.proof.target");
    assert_eq!(check(&scene.get(FILE, Some(token)).await, 401), "gate.token.bound");
}

/// An application learns by which contract it serves, from the gate alone, and sees no token.
async fn told(front: &Front) {
    let scene = &front.scene;
    let (contract, token) = front.live(7).await;
    let names = ["contract", "core", "asset", "asset-sha256", "consumer-key", "purpose"];
    let forged = |between: &str| -> String {
        let name = |name: &&str| format!("Countersign{between}{}: urn:uuid:forged\r\n", name.replace('-', between));
        names.iter().map(name).collect()
    };
    // A caller may say which headers are for the next hop alone; not which of the gate's.
    let connection = "connection: countersign-contract, countersign-asset-sha256\r\n";
    // Applications that read headers as CGI does take the second and third spelling for the first.
    let spelt = [forged("-"), forged("_"), forged("."), connection.to_owned(), forged("-") + connection];
    for (more, plain) in spelt.iter().zip([true, false, false, true, true]) {
        let told = front.raw(&format!("{LIVE}?part=1"), &token, &format!("{more}dpop: forged\r\n")).await;
        if !plain && told.starts_with("HTTP/1.1 400 ") {
            continue;
        }
        assert!(told.starts_with("HTTP/1.1 200 "), "{more}{told}");
        assert!(told.contains(&format!("target: {LIVE}?part=1\n")), "{told}");
        assert!(told.contains(&format!("countersign-contract: {}\n", contract.core.claims.contract_id)), "{told}");
        assert!(told.contains(&format!("countersign-asset-sha256: {}\n", scene.asset().sha256)), "{told}");
        assert!(names.iter().all(|name| told.matches(&format!("countersign-{name}: ")).count() <= 1), "{told}");
        assert!(told.contains("countersign-consumer-key: ") && told.contains("countersign-core: "), "{told}");
        assert!(!told.contains("forged") && !told.contains("authorization") && !told.contains(&token), "{told}");
    }
}

/// One caller does not get the share of all.
async fn held(front: &Front) {
    let answers = futures::future::join_all((0..200).map(|_| front.scene.get(FILE, None))).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status().as_u16() == status).count();
    let (asked, held) = (count(401), count(429));
    assert!(asked > 0 && held > 0 && asked + held == answers.len(), "{asked} asked, {held} held off");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
}

/// A proxy that tidies a path does so before anybody judges it: the gate is asked about the path that is passed on.
pub async fn tidied(front: &Front) {
    let (_, token) = front.live(21).await;
    for target in ["/live/x/../junction", "/live/./junction", "/live//junction", "/live/%2e/junction"] {
        let told = front.raw(target, &token, "").await;
        assert!(told.starts_with("HTTP/1.1 200 ") && told.contains(&format!("target: {LIVE}\n")), "{target}: {told}");
    }
    for alias in ["countersign_contract", "x_forwarded_uri"] {
        let answer = front.raw(LIVE, &token, &format!("{alias}: {FILE}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{alias}: {answer}");
    }
}

/// A gate that does not answer opens nothing.
async fn shut(front: &mut Front) {
    let token = front.scene.token(&front.file(10, free())).await;
    front.shut().await;
    let answer = front.scene.get(FILE, Some(&token)).await;
    assert!([403, 500, 502, 503].contains(&answer.status().as_u16()), "{:?}", answer.status());
    assert!(!answer.text().await.unwrap().contains("OpenDRIVE"));
}
