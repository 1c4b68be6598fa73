//! What an operator's node is called for, and how a provider states its fees.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Problem;
use crate::node::{AdmissionOrder, At, Auditor, Node};
use crate::operator::MAX_STATEMENT;
use crate::policy::MAX_TEMPLATE;

type Operator = State<Arc<Auditor>>;
type Answer = Result<Json<Value>, Problem>;

/// What anybody may call: statements of members are taken, others refused by their signature.
pub fn public_router(auditor: Arc<Auditor>) -> Router {
    Router::new()
        .route("/statements", post(receive_statement))
        .layer(DefaultBodyLimit::max(MAX_STATEMENT))
        .with_state(auditor)
}

/// What the operator does; for the owner alone.
pub fn management_router(auditor: Arc<Auditor>) -> Router {
    Router::new()
        .route("/api/members", get(members).post(admit))
        .route("/api/templates", get(approvals).post(approve))
        .route("/api/audits", get(audits))
        .route("/api/audits/{id}", get(audited))
        .layer(DefaultBodyLimit::max(MAX_TEMPLATE))
        .with_state(auditor)
}

/// How a provider states its fees; for the owner alone.
pub fn provider_router(node: Arc<Node>) -> Router {
    Router::new()
        .route("/api/statements", get(statements).post(state_fees))
        .route("/api/statements/{id}/send", post(send_statement))
        .layer(DefaultBodyLimit::max(16 * 1024))
        .with_state(node)
}

async fn receive_statement(State(auditor): Operator, headers: HeaderMap, body: Bytes) -> Answer {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().unwrap_or_default().trim() != "application/jwt" {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a statement is sent as application/jwt"));
    }
    let statement = str::from_utf8(&body)
        .map_err(|_| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "a statement is ASCII text"))?;
    let audited = auditor.receive_statement(statement.trim_ascii()).await?;
    Ok(Json(json!({ "audit": audited.audit.summary(), "receipt": audited.receipt })))
}

async fn admit(State(auditor): Operator, Json(order): Json<AdmissionOrder>) -> Result<impl IntoResponse, Problem> {
    Ok((StatusCode::CREATED, Json(auditor.admit(&order).await?)))
}

async fn members(State(auditor): Operator) -> Answer {
    Ok(Json(json!(auditor.members().await?)))
}

async fn approve(State(auditor): Operator, template: Bytes) -> Result<impl IntoResponse, Problem> {
    Ok((StatusCode::CREATED, Json(auditor.approve(&template).await?)))
}

async fn approvals(State(auditor): Operator) -> Answer {
    Ok(Json(json!(auditor.approvals().await?)))
}

async fn audits(State(auditor): Operator) -> Answer {
    Ok(Json(json!(auditor.audits().await?)))
}

async fn audited(State(auditor): Operator, Path(id): Path<String>) -> Answer {
    Ok(Json(json!(auditor.audited(&id).await?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Period {
    #[serde(default)]
    from: Option<At>,
    #[serde(default)]
    until: Option<At>,
    #[serde(default)]
    operator_url: Option<String>,
}

async fn state_fees(State(node): State<Arc<Node>>, Json(period): Json<Period>) -> Result<impl IntoResponse, Problem> {
    let mut view = node.state_fees(period.from.map(|at| at.0), period.until.map(|at| at.0)).await?;
    if let Some(url) = period.operator_url {
        view = node.send_statement(&view.id, &url).await?;
    }
    Ok((StatusCode::CREATED, Json(view)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Addressee {
    operator_url: String,
}

async fn send_statement(
    State(node): State<Arc<Node>>,
    Path(id): Path<String>,
    Json(to): Json<Addressee>,
) -> Result<impl IntoResponse, Problem> {
    Ok(Json(node.send_statement(&id, &to.operator_url).await?))
}

async fn statements(State(node): State<Arc<Node>>) -> Answer {
    Ok(Json(json!(node.statements().await?)))
}
