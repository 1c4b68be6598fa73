//! Transfers under contracts: two wallets of did:web as real processes, which negotiate in credential mode over the
//! Dataspace Protocol; what opens the data is the contract, and its end shuts it.

#[path = "support/wallets.rs"]
mod wallets;

use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use countersign::encoding::Digest;
use serde_json::{Value, json};
use wallets::{Street, Wallet, printed};

const ASSET: &str = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0007";
const COUNTED: &str = "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0008";
/// More than what fits into the buffers of a connection.
const SIZE: usize = 48 << 20;

/// Both speak the Dataspace Protocol, and the provider has a gate in front of what it lists: one asset whose terms end at a
/// time, one whose terms count uses.
fn open() -> Street {
    let mut street = Street::open_web("");
    let address = format!("http://127.0.0.1:{}/dsp/2025-1", street.provider.public);
    let peer = format!("[dsp]\n[[dsp.peer]]\nparticipant = {:?}\naddress = {address:?}\n", street.provider.did);
    configure(&mut street.consumer, &peer);
    let data = street.dir.path().join("junction.xodr");
    let bytes = vec![b'x'; SIZE];
    fs::write(&data, &bytes).unwrap();
    let sha256 = Digest::of(&bytes).hex().trim_start_matches("0x").to_owned();
    let provider = &mut street.provider;
    let origin = format!("http://127.0.0.1:{}", provider.public);
    let guarded = [(ASSET, "/assets/until"), (COUNTED, "/assets/counted")];
    let mut tables = format!(
        "[dsp]\n[gate]\norigin = {origin:?}\nproviders = [{:?}]\nrecorders = [{:?}]\npoll_ms = 200\n",
        provider.did, provider.recorder
    );
    for (id, path) in guarded {
        tables += &format!(
            "[[gate.assets]]\nid = {id:?}\npath = {path:?}\nsource = {{ file = {data:?} }}\nmedia_type = \"application/xml\"\n\
             sha256 = {sha256:?}\n"
        );
    }
    tables += "[gate.forward]\nlisten = \"127.0.0.1:0\"\nproxy = \"nginx\"\naddresses = [\"127.0.0.1\"]\n";
    let counted = provider.get("/api/assets")[0]["template"].clone();
    configure(provider, &tables);
    let until = template(&street);
    let provider = &street.provider;
    for ((id, path), (template, parameters)) in
        guarded.into_iter().zip([(until, json!({ "until": "2030-01-01T00:00:00Z" })), (counted, json!({ "uses": 3 }))])
    {
        let asset = json!({
            "id": id, "title": "Junction", "media_type": "application/xml", "sha256": sha256, "size": SIZE,
            "endpoint": format!("{origin}{path}"),
        });
        let price = json!({ "amount": "400.00", "currency": "EUR" });
        let listing = json!({ "asset": asset, "template": template, "parameters": parameters, "price": price });
        provider.post("/api/assets", &listing);
    }
    street
}

/// A template whose terms count nothing; the operator approves it.
fn template(street: &Street) -> Value {
    let text = fs::read("fixtures/templates/single-purchase.json").unwrap();
    let mut template: Value = serde_json::from_slice(&text).unwrap();
    template["id"] = json!("urn:uuid:5b0f6a3e-6c0d-4a57-9d2c-7f5f0f6f1a09");
    template["parameters"] = json!({ "until": { "type": "date-time" } });
    template["terms"]["permission"][0]["constraint"][0] =
        json!({ "leftOperand": "dateTime", "operator": "lteq", "rightOperand": { "param": "until" } });
    let file = street.dir.path().join("until.json");
    fs::write(&file, template.to_string()).unwrap();
    let operator = street.dir.path().join("operator");
    let approval = printed(&["approve", "--home", operator.to_str().unwrap(), file.to_str().unwrap()]);
    street.provider.post("/api/templates", &json!({ "approval": approval }))["id"].clone()
}

fn configure(wallet: &mut Wallet, tables: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(wallet.home.join("countersign.toml")).unwrap();
    writeln!(file, "\n{tables}").unwrap();
    wallet.crash();
}

/// Negotiates about an asset to the end; the contract's id.
fn contract(street: &Street, asset: &str) -> String {
    let (provider, consumer) = (&street.provider, &street.consumer);
    let own = consumer.post("/api/requests", &json!({ "provider": provider.did, "asset": asset }))["id"].clone();
    let own = own.as_str().unwrap();
    let ours = soon("the request", || provider.negotiation().filter(|view| view["state"] == "REQUESTED"));
    provider.post(&format!("/api/negotiations/{}/offer", ours["id"].as_str().unwrap()), &json!({}));
    consumer.reach("OFFERED");
    consumer.post(&format!("/api/negotiations/{own}/accept"), &json!({}));
    provider.reach("FINALIZED");
    consumer.reach("FINALIZED")["offer"]["contract_id"].as_str().unwrap().to_owned()
}

fn soon<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Asks for the data of a contract; the transfer once it is in a state.
fn transfer(consumer: &Wallet, contract: &str, state: &str) -> Value {
    let order = json!({ "agreement": contract });
    let id = consumer.post("/api/dsp/transfers", &order)["id"].as_str().unwrap().to_owned();
    let path = format!("/api/dsp/transfers/{id}");
    soon(state, || Some(consumer.get(&path)).filter(|view| view["state"] == state))
}

#[tokio::main(flavor = "current_thread")]
async fn download(address: &Value, after: impl FnOnce()) -> (u16, Option<usize>, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = client.get(address["endpoint"].as_str().unwrap()).bearer_auth(address["token"].as_str().unwrap());
    let mut answer = asked.send().await.unwrap();
    let status = answer.status().as_u16();
    let link = answer.headers().get("link").map(|link| link.to_str().unwrap().to_owned()).unwrap_or_default();
    let first = answer.chunk().await.unwrap().unwrap_or_default().len();
    after();
    let mut read = Some(first);
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => read = read.map(|read| read + chunk.len()),
            Ok(None) => return (status, read, link),
            Err(_) => return (status, None, link),
        }
    }
}

#[test]
fn a_contract_opens_its_data_by_a_transfer_until_it_is_ended() {
    let street = open();
    let (provider, consumer) = (&street.provider, &street.consumer);
    let contract = contract(&street, ASSET);
    let log = fs::read_to_string(provider.home.join("node.log")).unwrap();
    assert!(log.contains("a signed message came over the Dataspace Protocol"), "{log}");

    let view = transfer(consumer, &contract, "STARTED");
    assert_eq!((&view["agreement"], &view["asset"]), (&json!(contract), &json!(ASSET)));
    let id = view["id"].as_str().unwrap();
    let address = consumer.get(&format!("/api/dsp/transfers/{id}/address"));
    let (status, read, link) = download(&address, || ());
    assert_eq!((status, read), (200, Some(SIZE)));
    // What a contract opened is receipted.
    let path = link.trim_start_matches('<').split('>').next().unwrap();
    let url = format!("http://127.0.0.1:{}{path}", provider.public);
    let receipt = soon("the receipt", || Some(get(&url, &address["token"])).filter(|(status, _)| *status == 200));
    assert_eq!(receipt.1.split('.').count(), 3, "{receipt:?}");
    let other = json!({ "endpoint": format!("http://127.0.0.1:{}/assets/counted", provider.public), "token": address["token"] });
    assert_eq!(download(&other, || ()).0, 403, "another asset");

    let (status, contract_told) = at_the_proxys_door(provider, &address["token"]);
    assert_eq!((status, contract_told.as_deref()), (200, Some(contract.as_str())), "a proxy's door knows it too");

    // A download that runs is cut when the contract is ended.
    let ends = std::cell::Cell::new(false);
    let (status, read, _) = download(&address, || {
        std::thread::scope(|scope| {
            scope.spawn(|| provider.post(&format!("/api/contracts/{contract}/end"), &json!({ "reason": 2 })));
        });
        std::thread::sleep(Duration::from_secs(3));
        ends.set(true);
    });
    assert_eq!((status, read, ends.get()), (200, None, true), "it was cut");
    let (status, text) = get(address["endpoint"].as_str().unwrap(), &address["token"]);
    assert!(status == 403 && text.contains("force.ended"), "{status} {text}");
    assert_eq!(at_the_proxys_door(provider, &address["token"]).0, 403);
    let refused = transfer(consumer, &contract, "TERMINATED");
    assert!(refused["history"].to_string().contains("force.ended"), "{refused}");
}

#[test]
fn a_contract_whose_terms_count_uses_opens_nothing_by_a_transfer() {
    let street = open();
    let contract = contract(&street, COUNTED);
    let refused = transfer(&street.consumer, &contract, "TERMINATED");
    assert!(refused["history"].to_string().contains("transfer.counted"), "{refused}");
    // Nor does what is no contract of this counterparty.
    let (status, told) = street.consumer.call(
        "POST",
        "/api/dsp/transfers",
        Some(&json!({ "agreement": "urn:uuid:3f0c6f0e-2a53-4b0e-8f4d-1d1f9a3c0009" })),
    );
    assert!(status >= 400 && told.to_string().contains("transfer.agreement"), "{status} {told}");
}

#[tokio::main(flavor = "current_thread")]
async fn get(url: &str, token: &Value) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).bearer_auth(token.as_str().unwrap()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Asks as nginx does whether a token opens the data; the contract that the answer names.
#[tokio::main(flavor = "current_thread")]
async fn at_the_proxys_door(provider: &Wallet, token: &Value) -> (u16, Option<String>) {
    let door = fs::read_to_string(provider.home.join("forward-address")).unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = client.get(format!("http://{door}/auth")).bearer_auth(token.as_str().unwrap());
    let asked = asked.header("x-original-method", "GET").header("x-original-uri", "/assets/until");
    let host = format!("127.0.0.1:{}", provider.public);
    let answer = asked.header("x-forwarded-host", host).header("x-forwarded-proto", "http").send().await.unwrap();
    let contract = answer.headers().get("countersign-contract").map(|id| id.to_str().unwrap().to_owned());
    (answer.status().as_u16(), contract)
}
