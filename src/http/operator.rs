//! What an operator's node is called for, and how a provider states its fees.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Problem;
use super::api::{Answer, Api, Body, Id, Raw, Scope, answered, created};
use super::shapes::{self, Approval, Audited, Member, StatementView, Summary};
use crate::node::{self, At, Auditor, Node};
use crate::operator::MAX_STATEMENT;
use crate::policy::MAX_TEMPLATE;

type Operator = State<Arc<Auditor>>;

/// What anybody may call: statements of members are taken, others refused by their signature.
pub fn public_router(auditor: Arc<Auditor>) -> Router {
    Router::new()
        .route("/statements", post(receive_statement))
        .layer(DefaultBodyLimit::max(MAX_STATEMENT))
        .with_state(auditor)
}

/// The operator's part of the management interface.
pub fn management_api(auditor: Arc<Auditor>) -> Api {
    management_doors().with_state(auditor)
}

/// How a provider states its fees: a part of a wallet's management interface.
pub fn provider_api(node: Arc<Node>) -> Api {
    provider_doors().with_state(node)
}

pub(super) fn management_doors() -> Api<Arc<Auditor>> {
    Api::new()
        .door(Scope::Read, __path_members, members)
        .door(Scope::Admin, __path_admit, admit)
        .door(Scope::Read, __path_approvals, approvals)
        .door(Scope::Admin, __path_approve, approve)
        .door(Scope::Read, __path_audits, audits)
        .door(Scope::Read, __path_audited, audited)
        .door(Scope::Read, __path_stated, stated)
        .within(MAX_TEMPLATE)
}

pub(super) fn provider_doors() -> Api<Arc<Node>> {
    Api::new()
        .door(Scope::Read, __path_statements, statements)
        .door(Scope::Decide, __path_state_fees, state_fees)
        .door(Scope::Decide, __path_send_statement, send_statement)
        .within(16 * 1024)
}

async fn receive_statement(
    State(auditor): Operator,
    headers: HeaderMap,
    Raw(body): Raw,
) -> Result<Json<Value>, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().unwrap_or_default().trim() != "application/jwt" {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "a statement is sent as application/jwt"));
    }
    let statement = str::from_utf8(&body)
        .map_err(|_| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "a statement is ASCII text"))?;
    let audited = auditor.receive_statement(statement.trim_ascii()).await?;
    Ok(Json(json!({ "audit": audited.audit.summary(), "receipt": audited.receipt })))
}

/// Admits a member: signs its participant credential
#[utoipa::path(post, path = "/api/members", tag = "operator", request_body = shapes::AdmissionOrder, responses(
    (status = 201, description = "The member, with the credential to hand over.", body = Member),
))]
async fn admit(State(auditor): Operator, Body(order): Body<node::AdmissionOrder>) -> Answer {
    created(auditor.admit(&order).await?)
}

/// Every member that was admitted here
#[utoipa::path(get, path = "/api/members", tag = "operator", responses(
    (status = 200, description = "The members.", body = Vec<Member>),
))]
async fn members(State(auditor): Operator) -> Answer {
    answered(auditor.members().await?)
}

/// Approves a template: signs its bytes exactly as they come
#[utoipa::path(post, path = "/api/approvals", tag = "operator",
    request_body(content = serde_json::Value, content_type = "application/json", description = "The template."),
    responses((status = 201, description = "The approval, for providers to add.", body = Approval)),
)]
async fn approve(State(auditor): Operator, Raw(template): Raw) -> Answer {
    created(auditor.approve(&template).await?)
}

/// Every template that was approved here
#[utoipa::path(get, path = "/api/approvals", tag = "operator", responses(
    (status = 200, description = "The approvals.", body = Vec<Approval>),
))]
async fn approvals(State(auditor): Operator) -> Answer {
    answered(auditor.approvals().await?)
}

/// Every audit, in one line each
#[utoipa::path(get, path = "/api/audits", tag = "operator", responses(
    (status = 200, description = "The audits.", body = Vec<Summary>),
))]
async fn audits(State(auditor): Operator) -> Answer {
    answered(auditor.audits().await?)
}

/// One audit, with its evidence and its receipt
#[utoipa::path(get, path = "/api/audits/{id}", tag = "operator",
    params(("id" = String, Path, description = "The statement's hash.")),
    responses((status = 200, description = "The audit.", body = Audited)),
)]
async fn audited(State(auditor): Operator, Id(id): Id) -> Answer {
    answered(auditor.audited(&id).await?)
}

/// The statement that an audit is of, as it came: a JWS
#[utoipa::path(get, path = "/api/audits/{id}/statement", tag = "operator",
    params(("id" = String, Path, description = "The statement's hash.")),
    responses((status = 200, description = "The statement.", body = String, content_type = "application/jwt")),
)]
async fn stated(State(auditor): Operator, Id(id): Id) -> Answer {
    Ok(([(header::CONTENT_TYPE, "application/jwt")], auditor.statement(&id).await?).into_response())
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

/// States the fees of a period
///
/// A statement of the contracts whose entries have a block time in the period; sent to the operator if its address is
/// given. One that the operator did not take stays here without a receipt, and can be sent again.
#[utoipa::path(post, path = "/api/statements", tag = "fees", request_body = shapes::Period, responses(
    (status = 201, description = "The statement.", body = StatementView),
    (status = 409, description = "The period is empty or not final yet."),
    (status = 502, description = "The operator or the chain cannot be reached; the statement is kept, and `POST \
        /api/statements/{id}/send` sends it."),
))]
async fn state_fees(State(node): State<Arc<Node>>, Body(period): Body<Period>) -> Answer {
    let mut view = node.state_fees(period.from.map(|at| at.0), period.until.map(|at| at.0)).await?;
    if let Some(url) = period.operator_url {
        view = node.send_statement(&view.id, &url).await?;
    }
    created(view)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Addressee {
    /// The operator's public address.
    #[schema(format = "uri")]
    operator_url: String,
}

/// Sends a statement to the operator, again if need be
#[utoipa::path(post, path = "/api/statements/{id}/send", tag = "fees",
    params(("id" = String, Path, description = "The statement's hash.")),
    request_body = Addressee,
    responses(
        (status = 200, description = "The statement, with the operator's receipt.", body = StatementView),
        (status = 502, description = "The operator cannot be reached."),
    ),
)]
async fn send_statement(State(node): State<Arc<Node>>, Id(id): Id, Body(to): Body<Addressee>) -> Answer {
    answered(node.send_statement(&id, &to.operator_url).await?)
}

/// Every statement that this provider made
#[utoipa::path(get, path = "/api/statements", tag = "fees", responses(
    (status = 200, description = "The statements.", body = Vec<StatementView>),
))]
async fn statements(State(node): State<Arc<Node>>) -> Answer {
    answered(node.statements().await?)
}
