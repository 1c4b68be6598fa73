//! Tokens that are bound to a key (RFC 9449): an honest proof opens, and what differs from it in one respect is refused
//! by that check.

mod support {
    pub mod gate_scene;
    pub mod gate_world;
}

use countersign::check::{Check, Trail};
use countersign::encoding::{Digest, Timestamp, decode, encode};
use countersign::gate::{Answer, Proof, Proven, checks};
use countersign::identity::{SecretKey, Signer as _};
use countersign::node::chance;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use support::gate_scene::{DATA, Scene, check, link};
use support::gate_world::{Contract, ScriptedChain, free, key, under};

const URL: &str = "https://data.example/assets/junction";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000 + seconds).unwrap()
}

fn about<'a>(method: &'a str, url: &'a str, token: Option<&'a str>) -> Proven<'a> {
    Proven { method, url, token }
}

/// A proof as an honest caller would make it, but for one change.
fn forged(key: &SecretKey, change: impl FnOnce(&mut Value, &mut Value)) -> String {
    let mut header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": key.public_key().jwk() });
    let mut claims = json!({ "jti": "one", "htm": "GET", "htu": URL, "iat": at(0), "ath": Digest::of("token").b64u() });
    change(&mut header, &mut claims);
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    format!("{signed}.{}", encode(key.sign(signed.as_bytes()).unwrap()))
}

fn verify(text: &str) -> Result<Proof, &'static Check> {
    let verified = Proof::verify(text, &about("GET", URL, Some("token")), at(0), &mut Trail::default());
    verified.map_err(|refusal| refusal.check)
}

#[test]
fn an_honest_proof_holds() {
    for key in [key(7), SecretKey::ed25519(&[7; 32]).unwrap()] {
        let about = about("GET", "https://data.example/assets/junction?x#y", Some("token"));
        let text = Proof::make(&key, &about, "one", at(-59), Some("n")).unwrap();
        let proof = verify(&text).unwrap();
        assert_eq!((proof.key, proof.nonce.as_deref()), (key.public_key().thumbprint(), Some("n")));
    }
    // What other senders write: further members, a fraction of a second, a host in capitals.
    let other = forged(&key(7), |header, claims| {
        header["jwk"]["kid"] = json!("mine");
        header["kid"] = json!("mine");
        claims["htu"] = json!("HTTPS://DATA.example:443/assets/%6Aunction");
        claims["iat"] = json!(1_800_000_000.25);
        claims["other"] = json!([1]);
    });
    assert!(verify(&other).is_ok());
}

/// RFC 9449, 4.1 and 7.1: proofs that another hand signed.
#[test]
fn the_rfcs_own_examples_hold() {
    const HEADER: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZ\
                          OXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE\
                          QSIsImNydiI6IlAtMjU2In19";
    let asked = format!(
        "{HEADER}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2Vu\
         IiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
    );
    let used = format!(
        "{HEADER}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90\
         ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.\
         2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
    );
    let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
    let now = Timestamp::from_seconds(1_562_262_618).unwrap();
    for (text, about) in [
        (&asked, about("POST", "https://server.example.com/token", None)),
        (&used, about("GET", "https://resource.example.org/protectedresource", Some(token))),
    ] {
        let proof = Proof::verify(text, &about, now, &mut Trail::default()).unwrap();
        assert_eq!(proof.key.to_string(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }
    let other = about("GET", "https://resource.example.org/protectedresource", Some("Kz~8mXK1EalYznwH"));
    let refused = Proof::verify(&used, &other, now, &mut Trail::default()).unwrap_err();
    assert_eq!(refused.check, &checks::PROOF_TOKEN);
}

#[test]
fn a_signature_with_a_high_s_is_one_too() {
    let text = forged(&key(7), |_, _| {});
    let (signed, signature) = text.rsplit_once('.').unwrap();
    let mut bytes = decode(signature).unwrap();
    // n - s, by hand.
    let order = [
        0xff_u8, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut borrow = 0_i16;
    for place in (0..32).rev() {
        let digit = i16::from(order[place]) - i16::from(bytes[32 + place]) - borrow;
        borrow = i16::from(digit < 0);
        bytes[32 + place] = (digit + 256 * borrow) as u8;
    }
    assert!(bytes[32] >= 0x80);
    assert!(verify(&format!("{signed}.{}", encode(bytes))).is_ok());
}

#[test]
fn a_forged_proof_is_refused_by_its_check() {
    let own = key(7);
    type Change = fn(&mut Value, &mut Value);
    let changes: &[(Change, &'static Check)] = &[
        (|header, _| header["typ"] = json!("JWT"), &checks::PROOF_TYP),
        (|header, _| drop(header.as_object_mut().unwrap().remove("typ")), &checks::PROOF_TYP),
        (|header, _| header["alg"] = json!("none"), &checks::PROOF_ALG),
        (|header, _| header["alg"] = json!("HS256"), &checks::PROOF_ALG),
        (|header, _| header["alg"] = json!("EdDSA"), &checks::PROOF_ALG),
        (|header, _| drop(header.as_object_mut().unwrap().remove("jwk")), &checks::PROOF_KEY),
        (|header, _| header["jwk"]["d"] = json!("AAAA"), &checks::PROOF_KEY),
        (|header, _| header["jwk"] = json!({ "kty": "oct", "k": "AAAA" }), &checks::PROOF_KEY),
        (|header, _| header["jwk"]["x"] = json!("AAAA"), &checks::PROOF_KEY),
        (|header, _| header["jwk"] = json!(key(8).public_key().jwk()), &checks::PROOF_SIGNATURE),
        (|header, _| header["crit"] = json!(["b64"]), &checks::PROOF_FORM),
        (|_, claims| drop(claims.as_object_mut().unwrap().remove("jti")), &checks::PROOF_FORM),
        (|_, claims| claims["jti"] = json!(""), &checks::PROOF_FORM),
        (|_, claims| claims["jti"] = json!("x".repeat(257)), &checks::PROOF_FORM),
        (|_, claims| claims["iat"] = json!("1800000000"), &checks::PROOF_FORM),
        (|_, claims| claims["nonce"] = json!(7), &checks::PROOF_FORM),
        (|_, claims| claims["htm"] = json!("POST"), &checks::PROOF_METHOD),
        (|_, claims| claims["htm"] = json!("get"), &checks::PROOF_METHOD),
        (|_, claims| claims["htu"] = json!("https://data.example/assets/other"), &checks::PROOF_TARGET),
        (|_, claims| claims["htu"] = json!("http://data.example/assets/junction"), &checks::PROOF_TARGET),
        (|_, claims| claims["htu"] = json!("/assets/junction"), &checks::PROOF_TARGET),
        (|_, claims| claims["iat"] = json!(at(-61)), &checks::PROOF_TIME),
        (|_, claims| claims["iat"] = json!(at(61)), &checks::PROOF_TIME),
        (|_, claims| claims["ath"] = json!(Digest::of("other").b64u()), &checks::PROOF_TOKEN),
        (|_, claims| drop(claims.as_object_mut().unwrap().remove("ath")), &checks::PROOF_TOKEN),
    ];
    for (place, (change, check)) in changes.iter().enumerate() {
        assert_eq!(verify(&forged(&own, change)).unwrap_err(), *check, "change {place}");
    }
    let honest = forged(&own, |_, _| {});
    let other_claims = forged(&own, |_, claims| claims["jti"] = json!("two"));
    let spliced = format!("{}.{}", other_claims.rsplit_once('.').unwrap().0, honest.rsplit_once('.').unwrap().1);
    assert_eq!(verify(&spliced).unwrap_err(), &checks::PROOF_SIGNATURE);
    for text in ["", "a.b", "a.b.c", &honest[..honest.len() - 90], &format!("{honest}."), &"x".repeat(9000)] {
        assert_eq!(verify(text).unwrap_err(), &checks::PROOF_FORM, "{text}");
    }
}

/// A caller with a key of its own.
struct Holder<'a> {
    scene: &'a Scene,
    key: SecretKey,
}

impl Holder<'_> {
    fn proof(&self, method: &str, path: &str, token: Option<&str>, nonce: Option<&str>) -> String {
        let url = format!("{}{path}", self.scene.origin);
        let (jti, now) = (chance::nonce().unwrap(), chance::now().unwrap());
        Proof::make(&self.key, &about(method, &url, token), &jti, now, nonce).unwrap()
    }

    async fn answer(&self, answer: &Answer, proof: &str) -> Response {
        let request = self.scene.client.post(format!("{}/token", self.scene.origin)).json(answer);
        request.header("dpop", proof).send().await.unwrap()
    }

    async fn token(&self, contract: &Contract) -> String {
        let answer = self.scene.answer(contract).await;
        let granted = self.answer(&answer, &self.proof("POST", "/token", None, None)).await;
        let granted: Value = granted.json().await.unwrap();
        assert_eq!(granted["token_type"], "DPoP", "{granted}");
        granted["token"].as_str().unwrap().to_owned()
    }

    async fn send(&self, method: Method, path: &str, authorization: &str, proofs: &[&str]) -> Response {
        let request = self.scene.client.request(method, format!("{}{path}", self.scene.origin));
        let request = request.header("authorization", authorization);
        proofs.iter().fold(request, |request, proof| request.header("dpop", *proof)).send().await.unwrap()
    }

    async fn get(&self, token: &str) -> Response {
        let proof = self.proof("GET", "/assets/junction", Some(token), None);
        self.send(Method::GET, "/assets/junction", &format!("DPoP {token}"), &[&proof]).await
    }
}

async fn unauthorized(response: Response) -> String {
    let asked = response.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(asked.starts_with("DPoP ") && asked.contains("algs=\"ES256 EdDSA\""), "{asked}");
    check(response, StatusCode::UNAUTHORIZED).await
}

#[tokio::test]
async fn a_bound_token_is_good_for_its_key_alone() {
    let mut scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    let (token, used) = {
        let (own, thief) = (Holder { scene: &scene, key: key(7) }, Holder { scene: &scene, key: key(8) });
        let token = own.token(&contract).await;
        let (path, dpop) = ("/assets/junction", format!("DPoP {token}"));
        let data = own.get(&token).await;
        let link = link(&data);
        assert_eq!(data.bytes().await.unwrap(), DATA);

        let bearer = own.send(Method::GET, path, &format!("Bearer {token}"), &[]).await;
        assert_eq!(unauthorized(bearer).await, "gate.token.bound");
        let proof = own.proof("GET", path, Some(&token), None);
        let downgraded = own.send(Method::GET, path, &format!("Bearer {token}"), &[&proof]).await;
        assert_eq!(unauthorized(downgraded).await, "gate.token.bound");
        assert_eq!(unauthorized(thief.get(&token).await).await, "gate.proof.bound");
        assert_eq!(unauthorized(own.send(Method::GET, path, &dpop, &[]).await).await, "gate.proof.missing");
        let two = own.send(Method::GET, path, &dpop, &[&proof, &own.proof("GET", path, Some(&token), None)]).await;
        assert_eq!(unauthorized(two).await, "gate.proof.missing");
        assert_eq!(own.send(Method::GET, path, &dpop, &[&proof]).await.status(), StatusCode::OK);
        assert_eq!(unauthorized(own.send(Method::GET, path, &dpop, &[&proof]).await).await, "gate.proof.replayed");
        let elsewhere = own.proof("GET", "/assets/other", Some(&token), None);
        assert_eq!(unauthorized(own.send(Method::GET, path, &dpop, &[&elsewhere]).await).await, "gate.proof.target");
        let looked = own.proof("HEAD", path, Some(&token), None);
        assert_eq!(unauthorized(own.send(Method::GET, path, &dpop, &[&looked]).await).await, "gate.proof.method");
        let unasked = own.proof("GET", path, None, None);
        assert_eq!(unauthorized(own.send(Method::GET, path, &dpop, &[&unasked]).await).await, "gate.proof.token");

        // Its receipt is as much its own.
        let at = link[1..].split('>').next().unwrap();
        assert_eq!(check(scene.get(at, Some(&token)).await, StatusCode::UNAUTHORIZED).await, "gate.token.bound");
        let receipt = own.send(Method::GET, at, &dpop, &[&own.proof("GET", at, Some(&token), None)]).await;
        assert!([StatusCode::OK, StatusCode::ACCEPTED].contains(&receipt.status()));

        // And a bearer token is no bound one.
        let free = scene.token(&contract).await;
        assert_eq!(unauthorized(own.get(&free).await).await, "gate.token.bound");
        (token, proof)
    };
    scene.restart().await;
    let own = Holder { scene: &scene, key: key(7) };
    let again = own.send(Method::GET, "/assets/junction", &format!("DPoP {token}"), &[&used]).await;
    assert_eq!(unauthorized(again).await, "gate.proof.replayed");
    assert_eq!(own.get(&token).await.status(), StatusCode::OK);
    let bearer = scene.get("/assets/junction", Some(&token)).await;
    assert_eq!(check(bearer, StatusCode::UNAUTHORIZED).await, "gate.token.bound");
}

#[tokio::test]
async fn a_proof_that_does_not_hold_gets_no_token_and_spends_nothing() {
    let scene = Scene::with(|settings, _| settings.dpop_required = true).await;
    let contract = scene.concluded(1, under("count", "lteq", json!(1)));
    let own = Holder { scene: &scene, key: key(7) };
    let answer = scene.answer(&contract).await;
    assert_eq!(check(scene.send(&answer).await, StatusCode::BAD_REQUEST).await, "gate.proof.missing");
    let other = own.proof("POST", "/challenge", None, None);
    assert_eq!(check(own.answer(&answer, &other).await, StatusCode::BAD_REQUEST).await, "gate.proof.target");
    let proof = own.proof("POST", "/token", None, None);
    assert_eq!(own.answer(&answer, &proof).await.status(), StatusCode::OK);
    let missing = scene.get("/assets/junction", None).await;
    assert_eq!(missing.headers()["www-authenticate"], "DPoP algs=\"ES256 EdDSA\"");
    let fresh = scene.answer(&contract).await;
    assert_eq!(check(own.answer(&fresh, &proof).await, StatusCode::BAD_REQUEST).await, "gate.proof.replayed");
}

#[tokio::test]
async fn a_gate_that_asks_for_nonces_takes_its_own_alone() {
    let scene = Scene::with(|settings, _| settings.dpop_nonces = true).await;
    let contract = scene.concluded(1, free());
    let own = Holder { scene: &scene, key: key(7) };
    let nonce = |response: &Response| response.headers()["dpop-nonce"].to_str().unwrap().to_owned();
    let answer = scene.answer(&contract).await;
    let asked = own.answer(&answer, &own.proof("POST", "/token", None, None)).await;
    let first = nonce(&asked);
    assert_eq!(check(asked, StatusCode::BAD_REQUEST).await, "gate.proof.nonce");
    // A challenge is no nonce for proofs, and the other way round.
    let challenge = scene.nonce().await;
    let crossed = own.answer(&answer, &own.proof("POST", "/token", None, Some(&challenge))).await;
    assert_eq!(check(crossed, StatusCode::BAD_REQUEST).await, "gate.proof.nonce");
    let granted = own.answer(&answer, &own.proof("POST", "/token", None, Some(&first))).await;
    assert_eq!(granted.status(), StatusCode::OK);
    let second = nonce(&granted);
    let token = granted.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();

    let without = own.get(&token).await;
    assert!(without.headers()["www-authenticate"].to_str().unwrap().contains("error=\"use_dpop_nonce\""));
    assert_eq!(unauthorized(without).await, "gate.proof.nonce");
    let proof = own.proof("GET", "/assets/junction", Some(&token), Some(&second));
    let data = own.send(Method::GET, "/assets/junction", &format!("DPoP {token}"), &[&proof]).await;
    assert_eq!(data.status(), StatusCode::OK);
    assert_ne!(nonce(&data), second);
}

#[tokio::test]
async fn however_many_proofs_ran_out_they_are_cleared_away_while_the_chain_is_watched() {
    let mut scene = Scene::new().await;
    let contract = scene.concluded(1, free());
    scene.stop().await;
    let file = format!("sqlite://{}", scene.home.path().join("gate.db").display());
    let mut db = SqliteConnection::connect(&file).await.unwrap();
    let many = "INSERT INTO documents (kind, id, value)
        WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
        SELECT 'gate-proof', 'proof ' || n, '1700000000' FROM n";
    sqlx::query(many).execute(&mut db).await.unwrap();
    scene.open_again().await;
    let token = scene.token(&contract).await;
    // What runs while the contract ends is cut, and that may be this one.
    let ask = async || {
        let answer =
            scene.client.get(format!("{}/assets/junction", scene.origin)).bearer_auth(&token).send().await.ok()?;
        let status = answer.status();
        answer.bytes().await.ok()?;
        Some(status)
    };
    assert_eq!(ask().await, Some(StatusCode::OK));
    scene.chain.script().ended.insert(contract.core.claims.contract_id, ScriptedChain::mark(110, scene.world.now));
    let (mut shut, mut left) = (false, 1);
    for _ in 0..1000 {
        shut = shut || ask().await == Some(StatusCode::FORBIDDEN);
        left = sqlx::query_scalar("SELECT count(*) FROM documents WHERE kind = 'gate-proof'")
            .fetch_one(&mut db)
            .await
            .unwrap();
        if shut && left == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(shut, "the end of a contract was not seen");
    assert_eq!(left, 0);
}
