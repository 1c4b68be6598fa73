//! JSON-RPC over HTTP: single requests and batches, each answered or refused by name.

use std::io;
use std::sync::{Arc, RwLock};

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::clock;
use super::ledger::Ledger;
use super::rpc::{self, Fault};
use crate::encoding::parse_json;

/// A transaction of the largest size in hexadecimal digits fits, and little more.
const LARGEST: usize = 2 * 1024 * 1024;
/// Requests in a batch.
const BATCH: usize = 200;

pub(super) async fn serve(
    listener: TcpListener,
    ledger: Arc<RwLock<Ledger>>,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = Router::new().route("/", post(handle)).layer(DefaultBodyLimit::max(LARGEST)).with_state(ledger);
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn handle(State(ledger): State<Arc<RwLock<Ledger>>>, body: Result<Bytes, BytesRejection>) -> Response {
    let Ok(body) = body else {
        let answer = reply(&Value::Null, Err(Fault::invalid(format!("the request exceeds {LARGEST} bytes"))));
        // The rest of the body is never read, so the connection is of no further use.
        return ([(CONNECTION, "close")], Json(answer)).into_response();
    };
    // Execution takes milliseconds and holds the ledger: it has no place on the runtime's own threads.
    let answered = tokio::task::spawn_blocking(move || all(&ledger, &body)).await;
    Json(answered.unwrap_or_else(|_| reply(&Value::Null, Err(Fault::new(-32603, "Internal error"))))).into_response()
}

fn all(ledger: &RwLock<Ledger>, body: &[u8]) -> Value {
    match parse_json(body, LARGEST) {
        Err(refusal) => reply(&Value::Null, Err(Fault::new(-32700, format!("Parse error: {}", refusal.detail)))),
        Ok(Value::Array(batch)) if batch.is_empty() || batch.len() > BATCH => {
            reply(&Value::Null, Err(Fault::invalid(format!("a batch has 1 to {BATCH} requests"))))
        }
        Ok(Value::Array(batch)) => Value::Array(batch.iter().map(|request| one(ledger, request)).collect()),
        Ok(request) => one(ledger, &request),
    }
}

fn one(ledger: &RwLock<Ledger>, request: &Value) -> Value {
    let id = request.get("id").filter(|id| id.is_string() || id.is_number()).unwrap_or(&Value::Null);
    let version = request.get("jsonrpc").and_then(Value::as_str);
    let (Some("2.0"), Some(method)) = (version, request.get("method").and_then(Value::as_str)) else {
        return reply(id, Err(Fault::invalid("Invalid Request")));
    };
    let none = Vec::new();
    let params = match request.get("params") {
        None | Some(Value::Null) => &none,
        Some(Value::Array(params)) => params,
        Some(_) => return reply(id, Err(Fault::new(-32602, "expected parameters by position"))),
    };
    reply(id, rpc::answer(ledger, method, params, clock()))
}

fn reply(id: &Value, answer: Result<Value, Fault>) -> Value {
    match answer {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(Fault { code, message, data: None }) => {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
        }
        Err(Fault { code, message, data: Some(data) }) => {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message, "data": data } })
        }
    }
}
