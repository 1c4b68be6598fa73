//! A provider states its fees to an operator over HTTP, about contracts that were really made on a chain.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use countersign::courier::{AddressPolicy, HttpCourier};
use countersign::credential::{ContractId, Trust};
use countersign::encoding::Digest;
use countersign::http::{inbox_router, operator, serve};
use countersign::identity::{SecretKey, Signer as _};
use countersign::inbox::AgreementKey;
use countersign::negotiation::{Decider, StateName};
use countersign::node::{Auditor, Depth, Listing, NewContact, Node, Registry, RequestOrder, Settings};
use countersign::operator::checks;
use countersign::registry::devchain::{Chain, DevChainConfig};
use countersign::registry::{Client, ClientConfig, Deployment, account_of, deploy, send_value};
use countersign::store::{SealingKey, Sqlite};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

const RICH: [u8; 32] = [0x11; 32];
const RECORDER: [u8; 32] = [0x22; 32];
const XTZ: u128 = 1_000_000_000_000_000_000;

fn key(seed: u8) -> SecretKey {
    SecretKey::p256(&[seed; 32]).unwrap()
}

async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn client(chain: &Chain, deployment: &Deployment, recorder: Option<[u8; 32]>) -> Arc<Client> {
    let mut config = ClientConfig::new(deployment.urn, vec![chain.url().clone()]);
    config.recorder_key = recorder.map(Zeroizing::new);
    Arc::new(Client::connect(config).await.unwrap())
}

async fn node(
    seed: u8,
    dir: &std::path::Path,
    trust: &Trust,
    registry: Arc<Client>,
    rule: Value,
) -> (Arc<Node>, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings: Settings = serde_json::from_value(json!({
        "trust": trust, "inbox_url": format!("http://{}/inbox", listener.local_addr().unwrap()),
        "consent": {"rule": [rule]}, "poll_ms": 100,
    }))
    .unwrap();
    let store = Arc::new(Sqlite::open(&dir.join(format!("{seed}.db")), SealingKey::new(&[7; 32])).await.unwrap());
    let courier = Arc::new(HttpCourier::new(AddressPolicy { private_networks: true }).unwrap());
    let agreement = vec![AgreementKey::of_did_key(&key(seed)).unwrap()];
    let node = Arc::new(Node::new(Arc::new(key(seed)), agreement, settings, store, registry, courier));
    std::mem::forget(serve(listener, inbox_router(node.clone()), Duration::from_secs(30)));
    let loops = node.run();
    (node, loops)
}

async fn served(router: axum::Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::mem::forget(serve(listener, router, Duration::from_secs(60)));
    url
}

async fn call(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

fn listing(asset: &str, template: &Value, parameters: Value) -> Listing {
    serde_json::from_value(json!({
        "asset": {
            "id": asset, "title": "Junction", "media_type": "application/xml", "sha256": "9f".repeat(32), "size": 48211,
            "endpoint": "https://data.example/junction.xodr",
        },
        "template": template["id"], "parameters": parameters, "price": {"amount": "1000.00", "currency": "EUR"},
    }))
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_states_and_the_operator_audits() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let chain = Chain::open(DevChainConfig {
        block_time: Duration::from_millis(100),
        funded: vec![(account_of(&RICH).unwrap(), 1_000 * XTZ)],
        ..DevChainConfig::default()
    })
    .await
    .unwrap();
    let deployment = deploy(chain.url(), &RICH).await.unwrap();
    send_value(chain.url(), &RICH, account_of(&RECORDER).unwrap(), XTZ).await.unwrap();
    let trust: Trust = serde_json::from_value(json!({
        "operators": [key(1).did()],
        "chains": [{
            "chain_id": deployment.urn.chain_id, "registry": deployment.urn.address, "code_hash": deployment.code_hash,
        }],
    }))
    .unwrap();

    let recording = client(&chain, &deployment, Some(RECORDER)).await;
    let reading = client(&chain, &deployment, None).await;
    let books = Arc::new(Sqlite::open(&dir.path().join("operator.db"), SealingKey::new(&[7; 32])).await.unwrap());
    let auditor = Arc::new(Auditor::new(Arc::new(key(1)), books, reading.clone()));
    let (public, desk) = (
        served(operator::public_router(auditor.clone())).await,
        served(operator::management_api(auditor).unlocked().unwrap()).await,
    );
    let by_template = |point: &str, templates: &[Value]| json!({"name": "in the test", "point": point, "templates": templates.iter().map(|t| &t["id"]).collect::<Vec<_>>()});
    let fixed: Value = serde_json::from_str(include_str!("../fixtures/templates/single-purchase.json")).unwrap();
    let share: Value = serde_json::from_str(include_str!("../fixtures/templates/licence.json")).unwrap();
    let templates = [fixed.clone(), share.clone()];
    let (provider, _provider_loops) =
        node(2, dir.path(), &trust, recording.clone(), by_template("offer", &templates)).await;
    let (consumer, _consumer_loops) = node(3, dir.path(), &trust, reading, by_template("accept", &templates)).await;
    let web = reqwest::Client::new();

    // The operator admits both and approves the templates.
    for (node, recorders) in [
        (&provider, vec![format!("eip155:{}:{}", deployment.urn.chain_id, account_of(&RECORDER).unwrap())]),
        (&consumer, vec![]),
    ] {
        let order = json!({
            "did": node.did(), "legal_name": "Example GmbH", "country": "DE", "recorders": recorders,
            "legal_id": {"scheme": "LEI", "value": "5299009N55YRQC69CN08"},
        });
        let (status, member) = call(web.post(format!("{desk}/api/members")).json(&order)).await;
        assert_eq!(status, 201, "{member}");
        node.join(member["credential"].as_str().unwrap()).await.unwrap();
    }
    for template in &templates {
        let (status, approval) = call(web.post(format!("{desk}/api/approvals")).body(template.to_string())).await;
        assert_eq!((status, &approval["id"]), (201, &template["id"]), "{approval}");
        provider.add_template(approval["approval"].as_str().unwrap()).await.unwrap();
    }
    let (_, members) = call(web.get(format!("{desk}/api/members"))).await;
    let (_, approvals) = call(web.get(format!("{desk}/api/approvals"))).await;
    assert_eq!((members.as_array().unwrap().len(), approvals.as_array().unwrap().len()), (2, 2));
    let (status, refused) = call(web.post(format!("{desk}/api/approvals")).body("{}")).await;
    assert_eq!((status, &refused["error"]["check"]), (422, &json!("template.form")));

    // Two contracts, one of them ended.
    consumer.add_contact(&NewContact { contact: provider.contact().unwrap() }).await.unwrap();
    let times = json!({
        "from": "2026-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z", "purpose": "urn:countersign:purpose:simulation",
    });
    provider.list(&listing("urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0001", &fixed, json!({"uses": 3}))).await.unwrap();
    provider.list(&listing("urn:uuid:0d5c1c5e-7f0e-4d43-8a53-9f2f5b9a0002", &share, times)).await.unwrap();
    let mut contracts: Vec<ContractId> = vec![];
    for asset in provider.listings().await.unwrap() {
        let order = json!({"provider": provider.did(), "asset": asset.asset.id});
        let id = consumer.request(&serde_json::from_value::<RequestOrder>(order).unwrap()).await.unwrap();
        let view = until("the contract", || async {
            let view = consumer.view(&id).await.unwrap();
            assert_ne!(view.state, StateName::Terminated, "{:?}", view.ending);
            (view.state == StateName::Finalized).then_some(view)
        })
        .await;
        contracts.push(view.offer.unwrap().contract_id);
    }
    provider.end_contract(&contracts[1], 1, Decider::Person("desk".into())).await.unwrap();
    let entry_time = provider.registry().head(Depth::Finalised).await.unwrap().time;
    until("the next second", || async {
        (provider.registry().head(Depth::Finalised).await.unwrap().time > entry_time).then_some(())
    })
    .await;

    // The provider states, the operator audits.
    let pen = served(operator::provider_api(provider.clone()).unlocked().unwrap()).await;
    let order = json!({"operator_url": public});
    let (status, made) = call(web.post(format!("{pen}/api/statements")).json(&order)).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(
        (&made["contracts"], &made["audit"]["entries"], &made["audit"]["problems"]),
        (&json!(2), &json!(2), &json!(0))
    );
    assert!(made["receipt"].is_string());
    let (status, found) = call(web.get(format!("{desk}/api/audits/{}", made["id"].as_str().unwrap()))).await;
    assert_eq!(status, 200, "{found}");
    assert_eq!(found["audit"]["totals"], json!([{"amount": "50.00", "currency": "EUR"}]));
    assert_eq!(found["audit"]["problems"], json!([]));
    assert_eq!(found["receipt"], made["receipt"]);
    let entries = found["audit"]["entries"].as_array().unwrap();
    assert!(entries.iter().all(|entry| entry["disclosures"].as_array().unwrap().len() == 1));
    assert!(!found.to_string().contains(consumer.did().as_str()));
    println!("{}", countersign::cli::audit_table::table(&serde_json::from_value(found["audit"].clone()).unwrap()));

    // The same again is the same; nothing new is nothing to state; what is no statement is refused.
    let post =
        |body: String| web.post(format!("{public}/statements")).header("content-type", "application/jwt").body(body);
    let (status, again) = call(post(made["statement"].as_str().unwrap().into())).await;
    assert_eq!((status, &again["receipt"]), (200, &made["receipt"]));
    let (status, refused) = call(post("x.y.z".into())).await;
    assert_eq!((status, &refused["error"]["check"]), (422, &json!("encoding.base64url")));
    let (status, _) = call(web.post(format!("{public}/statements")).body("x")).await;
    assert_eq!(status, 415);
    let period = json!({"from": "2020-01-01T00:00:00Z", "until": "2040-01-01T00:00:00Z"});
    let (status, _) = call(web.post(format!("{pen}/api/statements")).json(&period)).await;
    assert_eq!(status, 409, "the period is not over");

    // An entry that no contract explains.
    let entry = recording.record(ContractId(uuid::Uuid::from_bytes([9; 16])), Digest::of("hidden")).await.unwrap();
    until("finality", || async {
        (recording.head(Depth::Finalised).await.unwrap().time > entry.block_time).then_some(())
    })
    .await;
    let (status, made) = call(web.post(format!("{pen}/api/statements")).json(&order)).await;
    assert_eq!((status, &made["contracts"], &made["audit"]["problems"]), (201, &json!(0), &json!(1)), "{made}");
    let (_, found) = call(web.get(format!("{desk}/api/audits/{}", made["id"].as_str().unwrap()))).await;
    assert_eq!(found["audit"]["problems"][0]["check"], checks::MISSING.id());
    let (_, kept) = call(web.get(format!("{pen}/api/statements"))).await;
    let (_, audits) = call(web.get(format!("{desk}/api/audits"))).await;
    assert_eq!((kept.as_array().unwrap().len(), audits.as_array().unwrap().len()), (2, 2));
}
