//! The management interface as programs and browsers meet it: keys and scopes, origins, events that go on after a break,
//! numbers, and a description that says what the answers are.

#[path = "support/wallets.rs"]
mod wallets;

use std::fs;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wallets::{ASSET, Street, Wallet};

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn client() -> Client {
    Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// Where a home's node is managed.
fn management(home: &Path) -> String {
    let running: Value = serde_json::from_slice(&fs::read(home.join("running.json")).unwrap()).unwrap();
    running["management"].as_str().unwrap().to_owned()
}

fn owner(home: &Path) -> String {
    fs::read_to_string(home.join("api-key")).unwrap().trim().to_owned()
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    wallets::program().args(arguments).env("COUNTERSIGN_HOME", home).stdin(Stdio::null()).output().unwrap()
}

fn says(home: &Path, arguments: &[&str]) -> String {
    let output = run(home, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn ask(method: Method, url: &str, key: &str, headers: &[(&str, &str)], body: Option<&Value>) -> (u16, Value) {
    let mut request = client().request(method, url);
    if !key.is_empty() {
        request = request.bearer_auth(key);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
}

/// A node's events, one after the other.
struct Listener {
    response: Response,
    buffer: String,
}

impl Listener {
    async fn to(url: &str, key: &str, last: Option<u64>) -> Self {
        let mut request = client().get(url).bearer_auth(key);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, buffer: String::new() }
    }

    /// The next event; `None` once the stream has ended.
    async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some(end) = self.buffer.find("\n\n") {
                let block = self.buffer.drain(..end + 2).collect::<String>();
                let line = |name: &str| {
                    block.lines().find_map(|line| line.strip_prefix(name)).map(|text| text.trim().to_owned())
                };
                let Some(data) = line("data:") else { continue };
                let event: Value = serde_json::from_str(&data).unwrap();
                assert_eq!(line("id:").unwrap(), event["id"].to_string());
                assert_eq!(line("event:").unwrap(), event["type"].as_str().unwrap());
                return Some(event);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(60), self.response.chunk()).await.unwrap();
            self.buffer.push_str(std::str::from_utf8(&chunk.ok().flatten()?).unwrap());
        }
    }

    async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("no {kind} in {events:?}"));
            let done = event["type"] == kind;
            events.push(event);
            if done {
                return events;
            }
        }
    }
}

#[test]
fn a_key_does_what_its_scope_says_until_it_is_removed() {
    let mut street = Street::open("");
    let (provider, consumer) = (&mut street.provider, &street.consumer);
    let home = provider.home.clone();
    let key = |name: &str, scope: &str| says(&home, &["api-key", "add", name, "--scope", scope]).trim().to_owned();
    let (reader, decider) = (key("report", "read"), key("erp", "decide"));
    assert!(reader.starts_with("csk_") && reader.len() == 47 && reader != decider);
    let why = run(&home, &["api-key", "add", "erp", "--scope", "read"]);
    assert_eq!(why.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&why.stderr).contains("key.name"), "{why:?}");
    assert!(!run(&home, &["api-key", "add", "desk", "--scope", "admin"]).status.success());

    consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
    let id = provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();
    let base = management(&home);
    let offer = format!("{base}/api/negotiations/{id}/offer");
    let runtime = runtime();
    runtime.block_on(async {
        let (status, _) = ask(Method::GET, &format!("{base}/api/waiting"), &reader, &[], None).await;
        assert_eq!(status, 200);
        let (status, answer) = ask(Method::POST, &offer, &reader, &[], Some(&json!({}))).await;
        assert_eq!((status, &answer["error"]["scope"]), (403, &json!("decide")), "{answer}");
        let (status, answer) = ask(Method::GET, &format!("{base}/api/keys"), &decider, &[], None).await;
        assert_eq!((status, &answer["error"]["scope"]), (403, &json!("admin")));
        for wrong in ["", "csk_x", &reader[..46], "Bearer"] {
            let (status, answer) = ask(Method::GET, &format!("{base}/api/waiting"), wrong, &[], None).await;
            assert_eq!(status, 401, "{wrong}: {answer}");
        }
        let (status, view) = ask(Method::POST, &offer, &decider, &[], Some(&json!({}))).await;
        assert_eq!(status, 200, "{view}");
        // The key's name is the decider, and the text that was decided on stands beside it.
        assert_eq!(view["decisions"][0]["by"], json!({ "kind": "person", "name": "erp" }));
        assert_eq!(view["decisions"][0]["on"], view["offer"]["sha256"]);
        assert_eq!(view["history"][1]["decided"]["name"], "erp");
    });

    // Neither the store nor its log knows a key, and a restarted node knows both all the same.
    provider.crash();
    for file in ["store.sqlite", "store.sqlite-wal", "node.log"] {
        let bytes = fs::read(home.join(file)).unwrap_or_default();
        for secret in [&reader, &decider] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{file}");
        }
    }
    let listed: Value = serde_json::from_str(&says(&home, &["api-key", "list", "--json"])).unwrap();
    assert_eq!(listed[0]["name"], "erp");
    assert!(listed[0]["used"].is_string() && listed[1]["scope"] == "read", "{listed}");
    assert!(says(&home, &["api-key", "list"]).contains("decide"));

    // Removed, it opens nothing, and what runs under it ends.
    runtime.block_on(async {
        let mut listener = Listener::to(&format!("{base}/api/events?after=0"), &reader, None).await;
        listener.until("offered").await;
        assert!(says(&home, &["api-key", "remove", "report"]).contains("opens nothing"));
        let ended = tokio::time::timeout(Duration::from_secs(10), async { while listener.next().await.is_some() {} });
        assert!(ended.await.is_ok(), "the stream goes on without its key");
        let (status, _) = ask(Method::GET, &format!("{base}/api/waiting"), &reader, &[], None).await;
        assert_eq!(status, 401);
    });
    assert!(String::from_utf8_lossy(&run(&home, &["api-key", "remove", "report"]).stderr).contains("no API key"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(home.join("api-key")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn only_this_node_s_own_page_may_call_and_only_by_its_own_name() {
    let street = Street::open("");
    let home = &street.provider.home;
    let (base, key) = (management(home), owner(home));
    let own = base.strip_prefix("http://").unwrap().to_owned();
    runtime().block_on(async {
        let ask =
            async |headers: &[(&str, &str)]| ask(Method::GET, &format!("{base}/api/self"), &key, headers, None).await.0;
        assert_eq!(ask(&[]).await, 200);
        assert_eq!(ask(&[("Origin", &base)]).await, 200);
        for origin in ["null", "https://evil.example", "http://127.0.0.1:1", "http://localhost:3000", ""] {
            assert_eq!(ask(&[("Origin", origin)]).await, 403, "{origin}");
        }
        // A name that somebody points to this machine is not this node's.
        for host in ["evil.example", &format!("evil.example:{}", own.rsplit(':').next().unwrap())] {
            assert_eq!(ask(&[("Host", host)]).await, 421, "{host}");
            assert_eq!(ask(&[("Host", host), ("Origin", &format!("http://{host}"))]).await, 421, "{host}");
        }
        assert_eq!(ask(&[("Host", "localhost:7301"), ("Origin", "http://localhost:7301")]).await, 200);

        // The page: it loads without a key, from itself alone; what it sends by POST carries its own origin.
        let page = client().get(format!("{base}/api/docs/")).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && policy.contains("connect-src 'self'"), "{policy}");
        let html = page.text().await.unwrap();
        let parts = html
            .split(['"', '\''])
            .filter(|part| part.starts_with("./") || part.ends_with(".js") || part.ends_with(".css"));
        let mut files = 0;
        for part in parts {
            let file = format!("{base}/api/docs/{}", part.trim_start_matches("./"));
            let answer = client().get(&file).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::OK, "{file}");
            files += 1;
        }
        assert!(files >= 4, "{html}");
        assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
        let start = client().get(format!("{base}/api/docs/swagger-initializer.js")).send().await.unwrap();
        assert!(start.text().await.unwrap().contains("/api/openapi.json"));
    });
}

#[test]
fn events_go_on_where_a_client_stopped() {
    let mut street = Street::open("");
    let (provider, consumer) = (&mut street.provider, &mut street.consumer);
    let (home, runtime) = (consumer.home.clone(), runtime());
    let (base, key) = (management(&home), owner(&home));
    let mut heard = runtime.block_on(async {
        let mut listener = Listener::to(&format!("{base}/api/events"), &key, None).await;
        let asked = tokio::task::spawn_blocking({
            let (base, key, did) = (base.clone(), key.clone(), provider.did.clone());
            move || {
                let body = json!({ "provider": did, "asset": ASSET });
                tokio::runtime::Handle::current().block_on(ask(
                    Method::POST,
                    &format!("{base}/api/requests"),
                    &key,
                    &[],
                    Some(&body),
                ))
            }
        });
        let heard = listener.until("requested").await;
        assert_eq!(asked.await.unwrap().0, 201);
        heard
    });
    // Nobody listens, and the node dies in between.
    let id = provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    let own = consumer.reach("OFFERED")["id"].as_str().unwrap().to_owned();
    consumer.crash();
    consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    consumer.crash();

    let (base, last) = (management(&home), heard.last().unwrap()["id"].as_u64().unwrap());
    runtime.block_on(async {
        let mut listener = Listener::to(&format!("{base}/api/events"), &key, Some(last)).await;
        heard.extend(listener.until("accepted").await);
    });
    // Live again, and taken up once more by the other way of saying where.
    let last = heard.last().unwrap()["id"].as_u64().unwrap();
    runtime.block_on(async {
        let mut listener = Listener::to(&format!("{base}/api/events?after={last}"), &key, None).await;
        heard.extend(listener.until("finalized").await);
    });
    let ids: Vec<u64> = heard.iter().map(|event| event["id"].as_u64().unwrap()).collect();
    assert!(ids.windows(2).all(|two| two[0] < two[1]), "{ids:?}");
    let all = consumer.get("/api/events.json?limit=500");
    let known: Vec<&Value> = all["events"].as_array().unwrap().iter().collect();
    let told: Vec<&Value> = heard.iter().collect();
    let of = |events: &[&Value]| -> Vec<(u64, String)> {
        events.iter().map(|one| (one["id"].as_u64().unwrap(), one["type"].as_str().unwrap().to_owned())).collect()
    };
    assert_eq!(of(&told), of(&known)[..told.len()], "missed, or told twice");
    let offered = heard.iter().find(|event| event["type"] == "offered").unwrap();
    assert_eq!((&offered["state"], &offered["waits_for"]["decision"]), (&json!("OFFERED"), &json!("accept")));
    assert!(offered["waits_for"]["person"] == true && offered["waits_for"]["until"].is_string(), "{offered}");
    let accepted = heard.iter().find(|event| event["type"] == "accepted").unwrap();
    assert_eq!(accepted["decided"]["on"], offered["offer_sha256"]);
    assert_eq!(accepted["decided"]["by"]["name"], "desk");

    // A place that this node has not come to is another node's.
    let (status, answer) = consumer.call("GET", "/api/events?after=100000", None);
    assert_eq!(status, 409, "{answer}");

    // An end is told without anybody asking, once on each side.
    let contract = provider.get("/api/contracts")[0]["contract_id"].as_str().unwrap().to_owned();
    let watching = watch(&home, &["--after", &all["last"].to_string(), "--wait", "30"]);
    provider.post(&format!("/api/contracts/{contract}/end"), &json!({ "reason": 2 }));
    let said = watching.wait_with_output().unwrap();
    let lines: Vec<Value> =
        String::from_utf8(said.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ends: Vec<&Value> = lines.iter().filter(|event| event["type"] == "contract-ended").collect();
    assert!(
        ends.len() == 1 && ends[0]["contract"] == contract.as_str() && ends[0]["negotiation"] == own.as_str(),
        "{lines:?}"
    );
    assert!(ends[0]["detail"].as_str().unwrap().contains("by agreement"));
}

fn watch(home: &Path, arguments: &[&str]) -> Child {
    let all = [&["watch", "--json"], arguments].concat();
    let mut command = wallets::program();
    command.args(all).env("COUNTERSIGN_HOME", home).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn a_watch_outlives_its_node_and_misses_nothing() {
    let mut street = Street::open("");
    let (provider, consumer) = (&mut street.provider, &mut street.consumer);
    let own = consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }))["id"].clone();
    let own = own.as_str().unwrap().to_owned();
    let watching = watch(&consumer.home, &[&own, "--wait", "90"]);
    let id = provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    consumer.reach("OFFERED");
    consumer.crash();
    consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    let said = watching.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.status.success(), "{errors}");
    let text = String::from_utf8(said.stdout).unwrap();
    let kinds: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["type"].as_str().unwrap().to_owned())
        .filter(|kind| kind != "named" && !kind.starts_with("delivery"))
        .collect();
    assert_eq!(kinds, ["requested", "offered", "accepted", "agreed", "verified", "finalized"], "{text}");
}

#[test]
fn who_takes_nothing_is_dropped_and_who_takes_too_many_streams_waits() {
    let street = Street::open("");
    let home = &street.consumer.home;
    let (base, key) = (management(home), owner(home));
    runtime().block_on(async {
        let mut held = Vec::new();
        for _ in 0..16 {
            held.push(Listener::to(&format!("{base}/api/events"), &key, None).await);
        }
        let (status, answer) = ask(Method::GET, &format!("{base}/api/events"), &key, &[], None).await;
        assert_eq!(status, 503, "{answer}");
        held.clear();
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let again = client().get(format!("{base}/api/events")).bearer_auth(&key).send().await.unwrap();
            if again.status() == StatusCode::OK {
                break;
            }
            assert!(Instant::now() < until, "the seats are not free again");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}

#[test]
fn the_numbers_say_how_much_and_not_who() {
    let mut street = Street::open("");
    let (provider, consumer) = (&mut street.provider, &street.consumer);
    consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
    let id = provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    consumer.reach("OFFERED");
    let (status, _) = provider.call("POST", &format!("/api/negotiations/{id}/offer"), Some(&json!({})));
    assert_eq!(status, 409);
    let (base, key) = (management(&provider.home), owner(&provider.home));
    let public = {
        let running: Value = serde_json::from_slice(&fs::read(provider.home.join("running.json")).unwrap()).unwrap();
        running["public"].as_str().unwrap().to_owned()
    };
    runtime().block_on(async {
        // An envelope that does not open is refused, told, and counted.
        let junk =
            client().post(format!("{public}/inbox")).header("Content-Type", "application/didcomm-encrypted+json");
        assert!(junk.body("{}").send().await.unwrap().status().is_client_error());
        for path in ["/a/path/of/a/stranger", "/another"] {
            client().get(format!("{public}{path}")).send().await.unwrap();
        }
        let answer = client().get(format!("{base}/metrics")).bearer_auth(&key).send().await.unwrap();
        assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
        let text = answer.text().await.unwrap();
        let value = |line: &str| {
            let found = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
            found.unwrap_or_else(|| panic!("no {line} in\n{text}")).parse::<f64>().unwrap()
        };
        assert_eq!(value("countersign_negotiations{state=\"OFFERED\"}"), 1.0);
        assert_eq!(value("countersign_negotiations{state=\"FINALIZED\"}"), 0.0);
        assert!(value("countersign_refusals_total{face=\"management\",check=\"negotiation.state\"}") >= 1.0);
        assert!(
            text.contains("countersign_requests_total{face=\"public\",door=\"/inbox\",method=\"POST\",status=\"202\"}")
        );
        assert!(text.contains("door=\"/api/negotiations/{id}/offer\",method=\"POST\",status=\"409\""), "{text}");
        assert_eq!(
            value("countersign_requests_total{face=\"public\",door=\"other\",method=\"GET\",status=\"404\"}"),
            2.0
        );
        assert!(value("countersign_chain_head_age_seconds{depth=\"latest\"}") < 60.0);
        assert!(value("countersign_chain_head_age_seconds{depth=\"finalised\"}") < 60.0);
        assert_eq!(value("countersign_clock_right"), 1.0);
        assert!(value("process_resident_memory_bytes") > 1e6 && value("process_start_time_seconds") > 1.7e9);
        for gauge in ["outbox_messages", "outbox_oldest_seconds", "inbox_envelopes", "parked_messages"] {
            assert!(value(&format!("countersign_{gauge}")) >= 0.0);
        }
        assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1);
        for secret in ["did:", "urn:", "0x", "csk_", &key] {
            assert!(!text.contains(secret), "{secret} in\n{text}");
        }
        // It needs a key; whether the node lives and works does not.
        assert_eq!(ask(Method::GET, &format!("{base}/metrics"), "", &[], None).await.0, 401);
        for face in [&base, &public] {
            let (status, alive) = ask(Method::GET, &format!("{face}/health"), "", &[], None).await;
            assert_eq!((status, &alive["status"]), (200, &json!("ok")), "{face}");
            let (status, ready) = ask(Method::GET, &format!("{face}/ready"), "", &[], None).await;
            assert_eq!((status, ready), (200, json!({ "status": "ready" })), "{face}");
        }
    });
}

/// One wallet with a finished contract, and an operator's desk with its books.
#[test]
fn the_description_is_valid_and_the_answers_are_as_described() {
    let mut street = Street::open("");
    let (provider, consumer) = (&mut street.provider, &mut street.consumer);
    for wallet in [&mut *provider, &mut *consumer] {
        let file = wallet.home.join("countersign.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text + "\n[dsp]\nplain = [\"*\"]\nuncataloged = \"manual\"\n").unwrap();
        wallet.crash();
    }
    let plain = plain_offer(provider, consumer);
    let catalog = consumer.post("/api/catalogs", &json!({ "provider": provider.did }))["id"].clone();
    consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
    let id = provider.reach("REQUESTED")["id"].as_str().unwrap().to_owned();
    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    let own = consumer.reach("OFFERED")["id"].as_str().unwrap().to_owned();
    consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
    consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    let until = Instant::now() + Duration::from_secs(60);
    while consumer.get(&format!("/api/negotiations/{own}"))["state"] != "FINALIZED" {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(100));
    }
    says(&provider.home, &["api-key", "add", "report", "--scope", "read"]);
    provider.post("/api/statements", &json!({}));
    let operator = Operator::serve(&street.dir.path().join("operator"), &provider.home);
    let [theirs, mine] = &plain;
    for (home, id, plain) in [(&provider.home, &id, theirs), (&consumer.home, &own, mine), (&operator.home, &own, mine)]
    {
        let (base, key) = (management(home), owner(home));
        runtime().block_on(each_door(&base, &key, id, catalog.as_str().unwrap(), plain));
    }
    let printed: Value = serde_json::from_str(&says(&provider.home, &["openapi"])).unwrap();
    valid(&printed);
}

/// An operator's node on a home that the street made.
struct Operator {
    home: std::path::PathBuf,
    process: Child,
}

impl Operator {
    fn serve(home: &Path, like: &Path) -> Self {
        let wallet = fs::read_to_string(like.join("countersign.toml")).unwrap();
        let trust = &wallet[wallet.find("[trust]").unwrap()..wallet.find("[wallet]").unwrap()];
        let text = format!(
            "[listen]\npublic = \"127.0.0.1:0\"\nmanagement = \"127.0.0.1:0\"\n[network]\nprivate = true\n{trust}\n[operator]\n\
             name = \"Operator\"\naddress = [\"Street 1\"]\n"
        );
        fs::write(home.join("countersign.toml"), text).unwrap();
        let mut command = wallets::program();
        command.args(["serve", "--home"]).arg(home).stdin(Stdio::null()).stdout(Stdio::null());
        let process = command.spawn().unwrap();
        let until = Instant::now() + Duration::from_secs(30);
        while !home.join("running.json").exists() {
            assert!(Instant::now() < until, "the operator does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { home: home.to_owned(), process }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A plain negotiation in which the consumer's person has to decide on a counter-offer; each side's id of it. The
/// consumer read the provider's catalog for it, and the answer is as it is described.
fn plain_offer(provider: &Wallet, consumer: &Wallet) -> [String; 2] {
    let address = format!("http://127.0.0.1:{}/dsp/2025-1", provider.public);
    let catalog = consumer.post("/api/dsp/catalogs", &json!({ "counterparty": provider.did, "address": address }));
    assert_eq!(catalog["datasets"][0]["id"], ASSET, "{catalog}");
    let document = consumer.get("/api/openapi.json");
    let described = &document["paths"]["/api/dsp/catalogs"]["post"]["responses"]["200"]["content"]["application/json"];
    holds(&document, &described["schema"], &catalog, "/api/dsp/catalogs");

    let start = json!({ "counterparty": provider.did, "address": address, "dataset": ASSET });
    let mine = consumer.post("/api/dsp/negotiations", &start)["id"].as_str().unwrap().to_owned();
    let until = Instant::now() + Duration::from_secs(60);
    let waits = |wallet: &Wallet, decision: &str| loop {
        let waiting = wallet.get("/api/waiting");
        let one = waiting.as_array().unwrap().iter().find(|one| one["mode"] == "plain" && one["decision"] == decision);
        if let Some(one) = one {
            assert!(one["until"].is_string() && one["command"].as_str().unwrap().starts_with("countersign dsp show "));
            return one["negotiation"].as_str().unwrap().to_owned();
        }
        assert!(Instant::now() < until, "{waiting}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let theirs = waits(provider, "agree");
    let other = json!({ "terms": { "permission": [{ "action": "read" }] } });
    provider.post(&format!("/api/dsp/negotiations/{theirs}/offer"), &other);
    assert_eq!(waits(consumer, "accept"), mine);
    [theirs, mine]
}

/// Calls every GET door and holds the answer to its schema.
async fn each_door(base: &str, key: &str, negotiation: &str, catalog: &str, plain: &str) {
    let (status, document) = ask(Method::GET, &format!("{base}/api/openapi.json"), "", &[], None).await;
    assert_eq!(status, 200);
    valid(&document);
    let mut called = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(operation) = operations.get("get").filter(|_| path != "/api/events") else { continue };
        let place = match path.as_str() {
            path if path.starts_with("/api/negotiations/{id}") => path.replace("{id}", negotiation),
            "/api/dsp/negotiations/{id}" => format!("/api/dsp/negotiations/{plain}"),
            path if path.starts_with("/api/catalogs/") => path.replace("{id}", catalog),
            "/api/docs/{file}" => "/api/docs/index.html".into(),
            "/api/collection" => "/api/collection?from=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z".into(),
            path => path.replace("{id}", "nothing").replace("{number}", "9").replace("{did}", "did:key:none"),
        };
        let asked = client().get(format!("{base}{place}")).bearer_auth(key).send().await.unwrap();
        let status = asked.status().as_u16().to_string();
        let kind =
            asked.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap().to_owned();
        let text = asked.text().await.unwrap();
        let response = &operation["responses"][&status];
        assert!(response.is_object(), "{path}: {status} is not described: {text}");
        assert!(!status.starts_with('5'), "{path}: {status} {text}");
        called += 1;
        let Some(content) = response.get("content") else { continue };
        if !kind.ends_with("json") {
            continue;
        }
        let described = content.get(&kind).unwrap_or_else(|| panic!("{path}: {kind} is not described: {content}"));
        holds(&document, &described["schema"], &serde_json::from_str(&text).unwrap(), path);
    }
    assert!(called > 8, "{called} doors");
}

/// Holds an answer to the schema that describes it.
fn holds(document: &Value, described: &Value, answer: &Value, path: &str) {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "allOf": [described], "components": document["components"],
    });
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let wrong: Vec<String> =
        validator.iter_errors(answer).map(|error| format!("{} at {}", error, error.instance_path())).collect();
    assert!(wrong.is_empty(), "{path}: {wrong:#?}\n{answer:#}");
    // A member that no schema names would be one that nobody can rely on.
    unnamed(document, described, answer, path);
}

/// Holds the members of an answer to those that its schema lists.
fn unnamed(document: &Value, schema: &Value, answer: &Value, path: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(name) => document.pointer(&name[1..]).unwrap(),
        None => schema,
    };
    if let (Some(properties), Some(members)) = (schema["properties"].as_object(), answer.as_object()) {
        for (name, value) in members {
            let described = properties.get(name);
            assert!(described.is_some(), "{path}: `{name}` is in the answer and in no schema");
            unnamed(document, described.unwrap(), value, path);
        }
    }
    for one in answer.as_array().into_iter().flatten() {
        unnamed(document, &schema["items"], one, path);
    }
    for choice in schema["oneOf"].as_array().into_iter().flatten().filter(|choice| choice["$ref"].is_string()) {
        if answer.is_object() {
            unnamed(document, choice, answer, path);
        }
    }
}

/// The rules of OpenAPI 3.1 that can be held offline.
fn valid(document: &Value) {
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    for member in ["/info/title", "/info/version"] {
        assert!(document.pointer(member).is_some_and(Value::is_string), "{member}");
    }
    let mut ids = std::collections::BTreeSet::new();
    let tags: Vec<&str> =
        document["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    for (path, operations) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with('/'), "{path}");
        for (method, operation) in operations.as_object().unwrap() {
            let at = format!("{method} {path}");
            assert!(["get", "put", "post", "delete", "patch"].contains(&method.as_str()), "{at}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{at}: its id is not its own");
            assert!(operation["summary"].is_string(), "{at} has no summary");
            for tag in operation["tags"].as_array().unwrap() {
                assert!(tags.contains(&tag.as_str().unwrap()), "{at}: {tag}");
            }
            for scheme in
                operation["security"].as_array().unwrap().iter().flat_map(|one| one.as_object().unwrap().keys())
            {
                assert!(document["components"]["securitySchemes"][scheme].is_object(), "{at}: {scheme}");
            }
            let named: Vec<&str> = path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
            let mut found = Vec::new();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = parameter["name"].as_str().unwrap();
                let place = parameter["in"].as_str().unwrap();
                assert!(["path", "query", "header", "cookie"].contains(&place), "{at}: {place}");
                assert!(parameter["schema"].is_object(), "{at}: {name} has no schema");
                if place == "path" {
                    assert_eq!(parameter["required"], true, "{at}: {name}");
                    found.push(name);
                }
            }
            assert_eq!(named, found, "{at}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with(['2', '3'])), "{at}");
            for (status, response) in responses {
                assert!(status.len() == 3 && response["description"].is_string(), "{at}: {status}");
            }
        }
    }
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(jsonschema::meta::is_valid(schema), "{name} is no JSON Schema");
    }
    refer(document, document);
}

/// Every reference leads somewhere.
fn refer(document: &Value, value: &Value) {
    match value {
        Value::Object(members) => {
            if let Some(name) = members.get("$ref").and_then(Value::as_str) {
                assert!(document.pointer(name.strip_prefix('#').unwrap()).is_some(), "{name} leads nowhere");
            }
            members.values().for_each(|value| refer(document, value));
        }
        Value::Array(values) => values.iter().for_each(|value| refer(document, value)),
        _ => {}
    }
}

/// What waits, for whom, and until when, in every state of both roles.
#[test]
fn what_waits_says_who_decides_and_until_when() {
    let mut street = Street::open("record = \"ask\"\n");
    let (provider, consumer) = (&mut street.provider, &mut street.consumer);
    let waits = |wallet: &Wallet| wallet.get("/api/waiting").as_array().unwrap().clone();
    consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": ASSET }));
    let view = provider.reach("REQUESTED");
    let id = view["id"].as_str().unwrap().to_owned();
    let waiting = waits(provider);
    assert_eq!((&waiting[0]["decision"], &waiting[0]["person"]), (&json!("offer"), &json!(true)));
    assert!(waiting[0]["until"].is_string() && waiting[0]["rule"].is_null() && waiting.len() == 1);
    assert!(waits(consumer).is_empty());

    provider.post(&format!("/api/negotiations/{id}/offer"), &json!({}));
    let view = consumer.reach("OFFERED");
    let own = view["id"].as_str().unwrap().to_owned();
    let waiting = waits(consumer);
    assert_eq!((&waiting[0]["decision"], &waiting[0]["person"]), (&json!("accept"), &json!(true)));
    assert_eq!(
        (&waiting[0]["until"], &waiting[0]["offer_sha256"]),
        (&view["offer"]["accept_by"], &view["offer"]["sha256"])
    );
    assert!(waits(provider).is_empty());
    let inbox = says(&consumer.home, &["inbox"]);
    assert!(inbox.contains("accept an offer") && inbox.contains("until"), "{inbox}");

    consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    let view = provider.reach("ACCEPTED");
    let waiting = waits(provider);
    assert_eq!((&waiting[0]["decision"], &waiting[0]["until"]), (&json!("record"), &view["offer"]["record_by"]));
    assert!(waits(consumer).is_empty());
    consumer.post(&format!("/api/negotiations/{own}/cancel"), &json!({ "reason": "the project was stopped" }));
    let until = Instant::now() + Duration::from_secs(30);
    while waits(provider)[0]["cancel_asked"] != "the project was stopped" {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(waits(provider)[0]["person"], true);

    provider.post(&format!("/api/negotiations/{id}/record"), &json!({}));
    assert!(waits(provider).is_empty(), "a record that is ordered is nobody's decision any more");
    let view = provider.reach("FINALIZED");
    consumer.reach("FINALIZED");
    assert!(waits(provider).is_empty() && waits(consumer).is_empty());
    let acts: Vec<(&str, bool)> = view["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["act"].as_str().unwrap(), one["on"] == view["offer"]["sha256"] && one["at"].is_string()))
        .collect();
    assert_eq!(acts, [("offer", true), ("record", true)]);
}
