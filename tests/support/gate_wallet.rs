//! A consumer's wallet with one contract, played by the test: it signs presentations and keeps receipts.

#![allow(dead_code)]

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use countersign::node::chance;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::gate_scene::SHOWN;
use super::gate_world::Contract;

pub struct Wallet {
    pub contract: Contract,
    pub view: Value,
    pub receipts: Mutex<Vec<String>>,
    standing: Mutex<Value>,
}

impl Wallet {
    /// The wallet, and the address of its management interface.
    pub async fn open(contract: Contract, permission: &Value) -> (Arc<Self>, String) {
        let claims = &contract.core.claims;
        let view = json!({
            "id": "urn:uuid:5b0f6a3e-6c0d-4a57-9d2c-7f5f0f6f1a01", "role": "consumer", "state": "FINALIZED",
            "hash": contract.core.hash, "offer": {
                "contract_id": claims.contract_id, "asset": contract.offer.contents.asset,
                "terms": { "permission": permission },
            },
        });
        let wallet = Arc::new(Self { contract, view, receipts: Mutex::default(), standing: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let api = Router::new()
            .route("/api/negotiations", get(async |State(it): State<Arc<Self>>| Json(json!([it.view]))))
            .route("/api/negotiations/{id}/standing", get(standing))
            .route("/api/contracts/{id}/presentation", post(present))
            .route("/api/contracts/{id}/receipts", post(keep))
            .with_state(Arc::clone(&wallet));
        tokio::spawn(async move { axum::serve(listener, api).await });
        (wallet, address)
    }

    /// What the wallet reads of the contract on its chain from now on.
    pub fn learns(&self, standing: Value) {
        *self.standing.lock().unwrap() = standing;
    }
}

async fn standing(State(wallet): State<Arc<Wallet>>) -> Json<Value> {
    Json(json!({ "standing": *wallet.standing.lock().unwrap() }))
}

async fn present(
    State(wallet): State<Arc<Wallet>>,
    Path(id): Path<String>,
    Json(challenge): Json<Value>,
) -> Json<Value> {
    assert_eq!(id, wallet.contract.core.claims.contract_id.to_string());
    let text = |name: &str| challenge[name].as_str().unwrap();
    let answer = wallet.contract.answer(text("aud"), text("nonce"), &SHOWN, chance::now().unwrap());
    Json(json!(answer))
}

async fn keep(State(wallet): State<Arc<Wallet>>, Json(body): Json<Value>) -> Json<Value> {
    wallet.receipts.lock().unwrap().push(body["receipt"].as_str().unwrap().to_owned());
    Json(json!({}))
}
