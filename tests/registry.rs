//! The registry client against chains: the embedded one over HTTP, and anvil where `COUNTERSIGN_ANVIL` names it.

#[path = "support/ports.rs"]
mod ports;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign::credential::{Account, ContractId, RegistryUrn};
use countersign::encoding::{Digest, Timestamp};
use countersign::node::port::{Depth, Registry as _, RegistryFault};
use countersign::registry::devchain::{Chain, DevChainConfig, data_gas};
use countersign::registry::{
    Client, ClientConfig, Deployment, account_of, balance, chain_id, deploy, send_value, sign_record, sign_withdrawal,
};
use ports::free_port;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;
use zeroize::Zeroizing;

const RICH: [u8; 32] = [0x11; 32];
const RECORDER: [u8; 32] = [0x22; 32];
const PARTY: [u8; 32] = [0x33; 32];
const STRANGER: [u8; 32] = [0x44; 32];
/// Selectors of `recordPacked()` and of the error `Ragged(uint256)`.
const RECORD_PACKED: &str = "0xb931ebe8";
const RAGGED: &str = "0x8d5d3c48";
const XTZ: u128 = 1_000_000_000_000_000_000;

fn quick(dir: Option<&Path>) -> DevChainConfig {
    DevChainConfig {
        dir: dir.map(Path::to_owned),
        block_time: Duration::from_millis(50),
        funded: vec![(account_of(&RICH).unwrap(), 1_000 * XTZ)],
        ..DevChainConfig::default()
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_seconds(since.as_secs().try_into().unwrap()).unwrap()
}

fn fresh() -> (ContractId, Digest) {
    let id = Uuid::new_v4();
    (ContractId(id), Digest::of(id.as_bytes()))
}

async fn client(urls: &[&Url], urn: RegistryUrn, key: Option<&[u8; 32]>) -> Result<Client, RegistryFault> {
    let mut config = ClientConfig::new(urn, urls.iter().map(|url| (*url).clone()).collect());
    config.recorder_key = key.map(|key| Zeroizing::new(*key));
    Client::connect(config).await
}

/// A registry, with recorder and party able to pay.
async fn found(url: &Url) -> Deployment {
    let deployment = deploy(url, &RICH).await.unwrap();
    for key in [&RECORDER, &PARTY] {
        send_value(url, &RICH, account_of(key).unwrap(), XTZ).await.unwrap();
    }
    deployment
}

async fn finalised(client: &Client, block: u64) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while client.head(Depth::Finalised).await.unwrap().number < block {
        assert!(tokio::time::Instant::now() < deadline, "block {block} is never final");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn ask(url: &Url, method: &str, params: Value) -> Value {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
    let answer = reqwest::Client::new().post(url.clone()).json(&request).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["id"], 7);
    answer
}

async fn code_of(url: &Url, method: &str, params: Value) -> i64 {
    let answer = ask(url, method, params).await;
    answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("{method} was answered: {answer}"))
}

/// What the contract promises, on any chain.
async fn semantics(url: &Url) {
    let deployment = found(url).await;
    let registry = client(&[url], deployment.urn, Some(&RECORDER)).await.unwrap();
    let recorder = registry.recorder().unwrap();
    let party = account_of(&PARTY).unwrap();
    let stranger = account_of(&STRANGER).unwrap();
    let since = now();
    assert_eq!(registry.code_hash(), deployment.code_hash);

    // Nothing stands before; then the entry, with its place in the chain; the same again is the same entry.
    let (id, hash) = fresh();
    let before = registry.sighting(Depth::Latest, recorder, id, Some(party), since).await.unwrap();
    assert_eq!((before.entry, before.ended, before.withdrawn), (None, None, None));
    let entry = registry.record(id, hash).await.unwrap();
    assert_eq!((entry.hash, entry.recorder, entry.registry), (hash, recorder, deployment.urn.address));
    assert!(entry.block_time >= since.plus(-2) && entry.block_time <= now().plus(2), "dated by its block");
    assert_eq!(registry.record(id, hash).await.unwrap(), entry);
    let other = Digest::of("another");
    assert_eq!(registry.record(id, other).await.unwrap_err(), RegistryFault::Conflict(hash));
    finalised(&registry, entry.block).await;
    let seen = registry.sighting(Depth::Finalised, recorder, id, Some(party), since).await.unwrap();
    assert_eq!(seen.entry.as_ref(), Some(&entry));
    // The search does not depend on a well-chosen beginning.
    let late = client(&[url], deployment.urn, None).await.unwrap();
    let seen = late.sighting(Depth::Latest, recorder, id, None, now().plus(3600)).await.unwrap();
    assert_eq!(seen.entry.as_ref(), Some(&entry));

    // Several at once keep their nonces apart.
    let (a, b, c) = (fresh(), fresh(), fresh());
    let (x, y, z) = tokio::join!(registry.record(a.0, a.1), registry.record(b.0, b.1), registry.record(c.0, c.1));
    let mut transactions = [x.unwrap().transaction, y.unwrap().transaction, z.unwrap().transaction];
    transactions.sort();
    assert!(transactions.windows(2).all(|pair| pair[0] != pair[1]));

    // A stranger's entry and withdrawal under the same id are in a namespace of their own.
    send_value(url, &RICH, stranger, XTZ).await.unwrap();
    let theirs = client(&[url], deployment.urn, Some(&STRANGER)).await.unwrap();
    theirs.record(id, other).await.unwrap();
    theirs.withdraw(&STRANGER, recorder, id, 3).await.unwrap();
    theirs.end(id, 3).await.unwrap();
    let seen = registry.sighting(Depth::Latest, recorder, id, Some(party), since).await.unwrap();
    assert_eq!((seen.entry.as_ref(), seen.ended, seen.withdrawn), (Some(&entry), None, None));

    // End and withdrawal happen once; the first stands.
    let withdrawal = registry.withdraw(&PARTY, recorder, id, 2).await.unwrap();
    assert_eq!(registry.withdraw(&PARTY, recorder, id, 5).await.unwrap(), withdrawal);
    let end = registry.end(id, 1).await.unwrap();
    assert_eq!(registry.end(id, 4).await.unwrap(), end);
    let seen = registry.sighting(Depth::Latest, recorder, id, Some(party), since).await.unwrap();
    let (ended, withdrawn) = (seen.ended.unwrap(), seen.withdrawn.unwrap());
    assert_eq!((ended.reason, withdrawn.reason), (1, 2));
    assert!((withdrawn.block, withdrawn.log_index) < (ended.block, ended.log_index));
    assert!(ended.at >= withdrawn.at && entry.block < withdrawn.block);
    assert_eq!(seen.entry.as_ref(), Some(&entry), "what was recorded stays recorded");

    // An end may come first; a later record stays ended.
    let (tombstone, its_hash) = fresh();
    registry.end(tombstone, 5).await.unwrap();
    registry.record(tombstone, its_hash).await.unwrap();
    let seen = registry.sighting(Depth::Latest, recorder, tombstone, None, since).await.unwrap();
    assert!(seen.ended.unwrap().block < seen.entry.unwrap().block);

    signed_by_one_paid_by_another(url, deployment.urn).await;

    // Packed.
    let many: Vec<_> = (0..20).map(|_| fresh()).collect();
    registry.record_packed(&many).await.unwrap();
    registry.record_packed(&[many[0], many[0]]).await.unwrap(); // known and doubled: changes nothing
    let last = many[19];
    let seen = registry.sighting(Depth::Latest, recorder, last.0, None, since).await.unwrap().entry.unwrap();
    assert_eq!((seen.hash, seen.log_index), (last.1, 19));
    refused(registry.record_packed(&[]).await, "whole pairs");
    let fresh_one = fresh();
    let conflicting = registry.record_packed(&[fresh_one, (last.0, other)]).await;
    assert_eq!(conflicting.unwrap_err(), RegistryFault::Conflict(last.1));
    refused(registry.record_packed(&[(ContractId(Uuid::nil()), other)]).await, "nil");
    refused(registry.record_packed(&[(fresh_one.0, Digest::from_bytes([0; 32]))]).await, "zero");
    let seen = registry.sighting(Depth::Latest, recorder, fresh_one.0, None, since).await.unwrap();
    assert_eq!(seen.entry, None, "all or none");
    // Ragged: one byte more than a pair, straight at the contract.
    let ragged = format!("{RECORD_PACKED}{}", "11".repeat(49));
    let call = json!([{ "to": deployment.urn.address, "data": ragged }, "latest"]);
    let answer = ask(url, "eth_call", call).await;
    assert!(answer["error"]["data"].as_str().unwrap().starts_with(RAGGED), "{answer}");

    let listed = {
        let head = registry.head(Depth::Latest).await.unwrap();
        finalised(&registry, head.number).await;
        registry.entries(recorder, since.plus(-2), now().plus(60)).await.unwrap()
    };
    // id, a, b, c, the tombstone, the one that was paid for, and the packed ones; in the chain's order.
    assert_eq!(listed.len(), 6 + 20);
    assert_eq!(listed[0], (id, entry));
    assert!(listed.windows(2).all(|p| (p[0].1.block, p[0].1.log_index) < (p[1].1.block, p[1].1.log_index)));
    assert_eq!(registry.entries(recorder, since.plus(-600), since.plus(-300)).await.unwrap(), []);

    let reader = client(&[url], deployment.urn, None).await.unwrap();
    assert_eq!(reader.record(id, hash).await.unwrap_err(), RegistryFault::ReadOnly);
}

async fn signed_by_one_paid_by_another(url: &Url, urn: RegistryUrn) {
    let payer = client(&[url], urn, Some(&RICH)).await.unwrap();
    let (recorder, party) = (account_of(&RECORDER).unwrap(), account_of(&PARTY).unwrap());
    let (id, hash) = fresh();
    let deadline = now().plus(600);
    let good = sign_record(&RECORDER, urn, id, hash, deadline).unwrap();

    let elsewhere = RegistryUrn { chain_id: urn.chain_id + 1, ..urn };
    let twin = RegistryUrn { address: Account([9; 20]), ..urn };
    for signature in [
        sign_record(&RECORDER, elsewhere, id, hash, deadline).unwrap(),
        sign_record(&RECORDER, twin, id, hash, deadline).unwrap(),
        sign_record(&STRANGER, urn, id, hash, deadline).unwrap(),
        sign_record(&RECORDER, urn, fresh().0, hash, deadline).unwrap(),
        sign_record(&RECORDER, urn, id, hash, deadline.plus(1)).unwrap(),
        high_s(good),
        [0; 65],
    ] {
        refused(payer.record_for(recorder, id, hash, deadline, &signature).await, "not a signature");
    }
    refused(payer.record_for(recorder, id, hash, deadline, &good[..64]).await, "not a signature");
    refused(payer.record_for(Account([0; 20]), id, hash, deadline, &[0; 65]).await, "not a signature");
    let past = now().plus(-600);
    let expired = sign_record(&RECORDER, urn, id, hash, past).unwrap();
    refused(payer.record_for(recorder, id, hash, past, &expired).await, "good until");
    payer.record_for(recorder, id, hash, deadline, &good).await.unwrap();
    payer.record_for(recorder, id, hash, deadline, &good).await.unwrap(); // again: no harm

    let withdrawal = sign_withdrawal(&PARTY, urn, recorder, id, 2, deadline).unwrap();
    refused(payer.withdraw_for(party, recorder, id, 3, deadline, &withdrawal).await, "not a signature");
    refused(payer.withdraw_for(party, recorder, id, 2, deadline, &high_s(withdrawal)).await, "not a signature");
    payer.withdraw_for(party, recorder, id, 2, deadline, &withdrawal).await.unwrap();
    let seen = payer.sighting(Depth::Latest, recorder, id, Some(party), now().plus(-60)).await.unwrap();
    assert_eq!(seen.entry.unwrap().hash, hash);
    assert_eq!(seen.withdrawn.unwrap().reason, 2);
}

/// The other signature of the same key over the same: n − s, and the other v.
fn high_s(mut signature: [u8; 65]) -> [u8; 65] {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae,
        0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
    ];
    let mut borrow = 0;
    for i in (0..32).rev() {
        let difference = i16::from(ORDER[i]) - i16::from(signature[32 + i]) - borrow;
        borrow = i16::from(difference < 0);
        signature[32 + i] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    signature[64] = 27 + 28 - signature[64];
    signature
}

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, RegistryFault>, text: &str) {
    match outcome {
        Err(RegistryFault::Refused(found)) => assert!(found.contains(text), "{found}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_keeps_its_word_on_the_embedded_chain() {
    let chain = Chain::open(quick(None)).await.unwrap();
    semantics(chain.url()).await;
    chain.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_keeps_its_word_on_anvil() {
    let Ok(binary) = std::env::var("COUNTERSIGN_ANVIL") else {
        println!("SKIPPED: COUNTERSIGN_ANVIL names no anvil binary; the registry was not tried on another EVM");
        return;
    };
    let port = free_port();
    let _anvil = Anvil::start(&binary, port);
    let url = Url::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while chain_id(&url).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "anvil does not answer");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let rich = account_of(&RICH).unwrap();
    ask(&url, "anvil_setBalance", json!([rich, "0x3635c9adc5dea00000"])).await;
    semantics(&url).await;
}

struct Anvil(Child);

impl Anvil {
    fn start(binary: &str, port: u16) -> Self {
        let child = Command::new(binary)
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--chain-id", "7357018", "--silent"])
            .args(["--hardfork", "osaka", "--block-time", "1", "--slots-in-an-epoch", "1"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_seen_before_it_is_final() {
    let chain = Chain::open(DevChainConfig { finality_lag_blocks: 20, ..quick(None) }).await.unwrap();
    let deployment = found(chain.url()).await;
    let registry = client(&[chain.url()], deployment.urn, Some(&RECORDER)).await.unwrap();
    let recorder = registry.recorder().unwrap();
    let (id, hash) = fresh();
    let entry = registry.record(id, hash).await.unwrap();
    let soft = registry.sighting(Depth::Latest, recorder, id, None, entry.block_time).await.unwrap();
    assert_eq!(soft.entry.as_ref(), Some(&entry));
    let hard = registry.sighting(Depth::Finalised, recorder, id, None, entry.block_time).await.unwrap();
    assert_eq!(hard.entry, None);
    assert!(hard.head.number < entry.block);
    finalised(&registry, entry.block).await;
    let hard = registry.sighting(Depth::Finalised, recorder, id, None, entry.block_time).await.unwrap();
    assert_eq!(hard.entry, Some(entry));
    chain.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_outlives_the_process_and_a_torn_line() {
    let dir = tempfile::tempdir().unwrap();
    let chain = Chain::open(quick(Some(dir.path()))).await.unwrap();
    let second = Chain::open(quick(Some(dir.path()))).await.unwrap_err();
    assert!(second.to_string().contains("in use"), "{second}");
    let deployment = found(chain.url()).await;
    let registry = client(&[chain.url()], deployment.urn, Some(&RECORDER)).await.unwrap();
    let recorder = registry.recorder().unwrap();
    let (id, hash) = fresh();
    let entry = registry.record(id, hash).await.unwrap();
    let head = registry.head(Depth::Latest).await.unwrap();
    let left = balance(chain.url(), recorder).await.unwrap();
    chain.shutdown().await.unwrap();

    let journal = dir.path().join("chain.jsonl");
    let mut text = std::fs::read(&journal).unwrap();
    text.extend_from_slice(br#"{"n":99999,"t":1,"tx":["0x02f8"#);
    std::fs::write(&journal, text).unwrap();

    let chain = Chain::open(quick(Some(dir.path()))).await.unwrap();
    let again = client(&[chain.url()], deployment.urn, Some(&RECORDER)).await.unwrap();
    let seen = again.sighting(Depth::Latest, recorder, id, None, entry.block_time).await.unwrap();
    assert_eq!(seen.entry.as_ref(), Some(&entry), "the same block, hash and time");
    assert!(seen.head.number >= head.number);
    assert_eq!(balance(chain.url(), recorder).await.unwrap(), left);
    assert_eq!(again.record(id, hash).await.unwrap(), entry);
    let (next, its_hash) = fresh();
    again.record(next, its_hash).await.unwrap();
    chain.shutdown().await.unwrap();

    let foreign = Chain::open(DevChainConfig { chain_id: 5, ..quick(Some(dir.path())) }).await.unwrap_err();
    assert!(foreign.to_string().contains("not of 5"), "{foreign}");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replacen(r#"{"n":3,"#, r#"{"n":4,"#, 1)).unwrap();
    let damaged = Chain::open(quick(Some(dir.path()))).await.unwrap_err();
    assert!(damaged.to_string().contains("out of order"), "{damaged}");
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_that_disagree_are_not_believed() {
    let (one, two) = (Chain::open(quick(None)).await.unwrap(), Chain::open(quick(None)).await.unwrap());
    let first = found(one.url()).await;
    let second = found(two.url()).await;
    assert_eq!(first.urn, second.urn, "the same key deploys to the same address");
    let alone = client(&[one.url()], first.urn, Some(&RECORDER)).await.unwrap();
    let (id, hash) = fresh();
    alone.record(id, hash).await.unwrap();
    let both = client(&[one.url(), two.url()], first.urn, None).await.unwrap();
    let recorder = alone.recorder().unwrap();
    let fault = both.sighting(Depth::Latest, recorder, id, None, now()).await.unwrap_err();
    assert!(matches!(fault, RegistryFault::Disagreement(_)), "{fault}");
    let twice = client(&[one.url(), one.url()], first.urn, None).await.unwrap();
    let seen = twice.sighting(Depth::Latest, recorder, id, None, now()).await.unwrap();
    assert_eq!(seen.entry.unwrap().hash, hash);
    two.shutdown().await.unwrap();
    let fault = both.sighting(Depth::Latest, recorder, id, None, now()).await.unwrap_err();
    assert!(matches!(fault, RegistryFault::Unreachable(_)), "an endpoint that is silent is not left out: {fault}");
    one.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_chain_address_or_code_is_not_the_registry() {
    let chain = Chain::open(quick(None)).await.unwrap();
    let Deployment { urn, code_hash, .. } = deploy(chain.url(), &RICH).await.unwrap();
    let connect = async |urn, code_hash| {
        let mut config = ClientConfig::new(urn, vec![chain.url().clone()]);
        config.code_hash = Some(code_hash);
        Client::connect(config).await.map(|_| ())
    };
    connect(urn, code_hash).await.unwrap();
    let other = Digest::of("other code");
    for (urn, hash) in [
        (urn, other),
        (RegistryUrn { chain_id: 1, ..urn }, code_hash),
        (RegistryUrn { address: account_of(&RICH).unwrap(), ..urn }, code_hash),
    ] {
        let fault = connect(urn, hash).await.unwrap_err();
        assert!(matches!(fault, RegistryFault::WrongRegistry(_)), "{fault}");
    }
    chain.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_pay_is_told_so() {
    let chain = Chain::open(quick(None)).await.unwrap();
    let deployment = deploy(chain.url(), &RICH).await.unwrap();
    let poor = client(&[chain.url()], deployment.urn, Some(&STRANGER)).await.unwrap();
    let (id, hash) = fresh();
    refused(poor.record(id, hash).await, "insufficient funds");
    refused(send_value(chain.url(), &STRANGER, Account([1; 20]), 1).await, "funds");
    let nobody = Url::parse("http://127.0.0.1:9/key-in-the-path").unwrap();
    let fault = chain_id(&nobody).await.unwrap_err();
    assert!(matches!(&fault, RegistryFault::Unreachable(text) if !text.contains("key")), "{fault}");
    chain.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fees_follow_etherlinks_formula() {
    let chain = Chain::open(quick(None)).await.unwrap();
    let url = chain.url();
    let rich = account_of(&RICH).unwrap();
    let before = balance(url, rich).await.unwrap();
    let transfer = send_value(url, &RICH, Account([1; 20]), 5).await.unwrap();
    let receipt = ask(url, "eth_getTransactionReceipt", json!([transfer])).await["result"].clone();
    assert_eq!(receipt["gasUsed"], format!("{:#x}", 21_000 + data_gas(0, 0, 0)));
    assert_eq!(receipt["effectiveGasPrice"], "0x3b9aca00");
    assert_eq!(before - balance(url, rich).await.unwrap(), 621_000 * 1_000_000_000 + 5);
    assert_eq!(balance(url, Account([1; 20])).await.unwrap(), 5);

    let deployment = found(url).await;
    let registry = client(&[url], deployment.urn, Some(&RECORDER)).await.unwrap();
    let (id, hash) = fresh();
    let entry = registry.record(id, hash).await.unwrap();
    let receipt = ask(url, "eth_getTransactionReceipt", json!([entry.transaction])).await["result"].clone();
    let used = u64::from_str_radix(receipt["gasUsed"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    let execution = used - data_gas(68, 0, 0);
    println!("record: {execution} gas for execution, {used} with its data");
    assert!((45_000..48_000).contains(&execution), "{execution}");
    let many: Vec<_> = (0..100).map(|_| fresh()).collect();
    let packed = registry.record_packed(&many).await.unwrap();
    let receipt = ask(url, "eth_getTransactionReceipt", json!([packed])).await["result"].clone();
    let used = u64::from_str_radix(receipt["gasUsed"].as_str().unwrap().trim_start_matches("0x"), 16).unwrap();
    println!("packed: {} gas for execution each, {} with its data", (used - data_gas(4_804, 0, 0)) / 100, used / 100);
    assert!(used / 100 < 225_000, "{used}");
    chain.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_chain_has_etherlinks_manners() {
    let chain = Chain::open(quick(None)).await.unwrap();
    let url = chain.url();
    let deployment = deploy(url, &RICH).await.unwrap();
    let registry = deployment.urn.address;
    let version = ask(url, "web3_clientVersion", json!([])).await["result"].clone();
    assert!(version.as_str().unwrap().starts_with("countersign development chain"));
    assert_eq!(code_of(url, "eth_getBlockByNumber", json!(["safe", false])).await, -32600);
    assert_eq!(code_of(url, "eth_getBlockByNumber", json!(["0xffffff", false])).await, -32603);
    assert_eq!(code_of(url, "eth_getBlockByHash", json!([Digest::of("no block"), false])).await, -32603);
    assert_eq!(code_of(url, "eth_newFilter", json!([{}])).await, -32004);
    assert_eq!(code_of(url, "eth_getProof", json!([registry, [], "latest"])).await, -32601);
    let far = json!([{ "fromBlock": "0x0", "toBlock": "0xffffff" }]);
    assert_eq!(code_of(url, "eth_getLogs", far).await, -32603);
    let empty = json!({ "to": registry, "data": RECORD_PACKED });
    assert_eq!(code_of(url, "eth_call", json!([empty, "latest"])).await, -32003);
    assert_eq!(code_of(url, "eth_estimateGas", json!([empty])).await, -32005);
    assert_eq!(code_of(url, "eth_sendRawTransaction", json!(["0x03f8"])).await, -32000);
    assert_eq!(code_of(url, "eth_sendRawTransaction", json!(["0x"])).await, -32000);
    for nonsense in [json!(null), json!(["0x"]), json!([{}, {}]), json!([1, 2, 3]), json!({ "a": 1 })] {
        for method in ["eth_call", "eth_getLogs", "eth_getBalance", "eth_estimateGas", "eth_getTransactionReceipt"] {
            let answer = ask(url, method, nonsense.clone()).await;
            assert!(answer.get("error").is_some() || answer.get("result").is_some(), "{answer}");
        }
    }
    let http = reqwest::Client::new();
    let long = "[".repeat(3_000_000);
    for body in ["", "nonsense", "[]", "{}", "[1]", long.as_str()] {
        let answer = http.post(url.clone()).body(body.to_owned()).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let error = answer.get(0).unwrap_or(&answer)["error"]["code"].as_i64();
        assert!(error.is_some_and(|code| code < 0), "{answer}");
    }
    let batch = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "eth_chainId" },
        { "jsonrpc": "2.0", "id": "two", "method": "net_version", "params": [] },
    ]);
    let answer: Value = http.post(url.clone()).json(&batch).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer[0]["result"], format!("{:#x}", chain.chain_id()));
    assert_eq!((&answer[1]["id"], &answer[1]["result"]), (&json!("two"), &json!(chain.chain_id().to_string())));
    chain.shutdown().await.unwrap();
}

/// Puts `runtime` on the chain, paid by the rich account.
async fn place_code(url: &Url, runtime: &[u8]) -> Account {
    use alloy::consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
    use alloy::eips::eip2718::Encodable2718 as _;
    use alloy::primitives::{TxKind, hex};
    use alloy::signers::{SignerSync as _, local::PrivateKeySigner};

    // PUSH1 length, DUP1, PUSH1 offset, PUSH0, CODECOPY, PUSH0, RETURN
    let mut code = vec![0x60, runtime.len().try_into().unwrap(), 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3];
    code.extend_from_slice(runtime);
    let rich = account_of(&RICH).unwrap();
    let nonce = ask(url, "eth_getTransactionCount", json!([rich, "latest"])).await["result"].clone();
    let transaction = TxEip1559 {
        chain_id: chain_id(url).await.unwrap(),
        nonce: u64::from_str_radix(nonce.as_str().unwrap().trim_start_matches("0x"), 16).unwrap(),
        gas_limit: 2_000_000,
        max_fee_per_gas: 2_000_000_000,
        to: TxKind::Create,
        input: code.into(),
        ..TxEip1559::default()
    };
    let signer = PrivateKeySigner::from_slice(&RICH).unwrap();
    let signature = signer.sign_hash_sync(&transaction.signature_hash()).unwrap();
    let raw = TxEnvelope::from(transaction.into_signed(signature)).encoded_2718();
    let hash = ask(url, "eth_sendRawTransaction", json!([hex::encode_prefixed(raw)])).await["result"].clone();
    for _ in 0..100 {
        let receipt = ask(url, "eth_getTransactionReceipt", json!([hash])).await["result"].clone();
        if let Some(address) = receipt["contractAddress"].as_str() {
            return address.parse().unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no receipt of {hash}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_with_code_answers_for_its_signatures_itself() {
    let chain = Chain::open(quick(None)).await.unwrap();
    let url = chain.url();
    let deployment = deploy(url, &RICH).await.unwrap();
    // Answers ERC-1271's magic value, or that of another function, whatever it is asked.
    let answering = |magic: [u8; 4]| {
        let [a, b, c, d] = magic;
        [0x63, a, b, c, d, 0x60, 0xe0, 0x1b, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]
    };
    let yes = place_code(url, &answering([0x16, 0x26, 0xba, 0x7e])).await;
    let no = place_code(url, &answering([0xff, 0xff, 0xff, 0xff])).await;
    let payer = client(&[url], deployment.urn, Some(&RICH)).await.unwrap();
    let ((id, hash), deadline) = (fresh(), now().plus(600));
    payer.record_for(yes, id, hash, deadline, b"any").await.unwrap();
    let seen = payer.sighting(Depth::Latest, yes, id, None, now().plus(-60)).await.unwrap();
    assert_eq!(seen.entry.unwrap().hash, hash);
    refused(payer.record_for(no, id, hash, deadline, b"any").await, "not a signature");
    chain.shutdown().await.unwrap();
}
