use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Problem;
use crate::credential::{ContractId, vocabulary};
use crate::identity::Did;
use crate::negotiation::Decider;
use crate::node::{Challenge, Listing, NewContact, Node, OfferOrder, Presentation, RequestOrder};

type Owner = State<Arc<Node>>;
type Answer = Result<Json<Value>, Problem>;

/// What the owner of a wallet does with it: everything that the commands do.
pub fn wallet_router(node: Arc<Node>) -> Router {
    Router::new()
        .route("/api/self", get(about))
        .route("/api/participant", post(join))
        .route("/api/templates", post(add_template))
        .route("/api/assets", get(listings).post(list))
        .route("/api/contacts", get(contacts).post(add_contact))
        .route("/api/catalogs", post(ask_for_catalog))
        .route("/api/catalogs/{id}", get(catalog))
        .route("/api/requests", post(request))
        .route("/api/waiting", get(waiting))
        .route("/api/refused", get(refused))
        .route("/api/negotiations", get(negotiations))
        .route("/api/negotiations/{id}", get(negotiation))
        .route("/api/negotiations/{id}/offer", post(offer))
        .route("/api/negotiations/{id}/request", post(request_anew))
        .route("/api/negotiations/{id}/accept", post(accept))
        .route("/api/negotiations/{id}/reject", post(reject))
        .route("/api/negotiations/{id}/cancel", post(cancel))
        .route("/api/negotiations/{id}/record", post(record))
        .route("/api/negotiations/{id}/contract", get(contract))
        .route("/api/contracts/{id}/end", post(end))
        .route("/api/contracts/{id}/withdraw", post(withdraw))
        .route("/api/contracts/{id}/presentation", post(present))
        .route("/api/contracts/{id}/receipts", post(keep_receipt))
        .layer(DefaultBodyLimit::max(256 * 1024))
        .with_state(node)
}

/// Who decided, as the history shows it: whoever holds the API key.
fn desk() -> Decider {
    Decider::Person("desk".into())
}

async fn about(State(node): Owner) -> Answer {
    Ok(Json(json!({
        "did": node.did(),
        "key": node.signer().public_key().thumbprint(),
        "contact": node.contact()?,
        "inbox": node.settings().inbox_url,
        "registry": node.registry().urn(),
        "recorder": node.registry().recorder(),
    })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credential {
    credential: String,
}

async fn join(State(node): Owner, Json(body): Json<Credential>) -> Answer {
    node.join(&body.credential).await?;
    Ok(Json(json!({ "did": node.did() })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Approval {
    approval: String,
}

async fn add_template(State(node): Owner, Json(body): Json<Approval>) -> Answer {
    Ok(Json(json!({ "id": node.add_template(&body.approval).await? })))
}

async fn list(State(node): Owner, Json(listing): Json<Listing>) -> Answer {
    node.list(&listing).await?;
    Ok(Json(json!({ "id": listing.asset.id })))
}

async fn listings(State(node): Owner) -> Answer {
    Ok(Json(json!(node.listings().await?)))
}

async fn add_contact(State(node): Owner, Json(new): Json<NewContact>) -> Answer {
    Ok(Json(json!({ "did": node.add_contact(&new).await? })))
}

async fn contacts(State(node): Owner) -> Answer {
    let contacts = node.contacts().await?;
    Ok(Json(contacts.into_iter().map(|(did, inbox)| json!({ "did": did, "inbox": inbox })).collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whose {
    provider: Did,
}

async fn ask_for_catalog(State(node): Owner, Json(whose): Json<Whose>) -> Result<impl IntoResponse, Problem> {
    let id = node.ask_for_catalog(&whose.provider).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": id }))))
}

async fn catalog(State(node): Owner, Path(id): Path<String>) -> Result<impl IntoResponse, Problem> {
    Ok(match node.catalog(&id).await? {
        Some(catalog) => (StatusCode::OK, Json(json!({ "id": id, "catalog": catalog }))),
        None => (StatusCode::ACCEPTED, Json(json!({ "id": id, "catalog": null }))),
    })
}

async fn request(State(node): Owner, Json(order): Json<RequestOrder>) -> Result<impl IntoResponse, Problem> {
    let id = node.request(&order).await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))))
}

async fn waiting(State(node): Owner) -> Answer {
    Ok(Json(json!(node.waiting().await?)))
}

async fn refused(State(node): Owner) -> Answer {
    Ok(Json(json!(node.refused())))
}

async fn negotiations(State(node): Owner) -> Answer {
    Ok(Json(json!(node.views().await?)))
}

async fn negotiation(State(node): Owner, Path(id): Path<String>) -> Answer {
    Ok(Json(json!(node.view(&id).await?)))
}

async fn offer(State(node): Owner, Path(id): Path<String>, Json(order): Json<OfferOrder>) -> Answer {
    node.offer(&id, &order, desk()).await?;
    negotiation(State(node), Path(id)).await
}

async fn request_anew(State(node): Owner, Path(id): Path<String>, Json(order): Json<RequestOrder>) -> Answer {
    node.request_anew(&id, &order).await?;
    negotiation(State(node), Path(id)).await
}

async fn accept(State(node): Owner, Path(id): Path<String>) -> Answer {
    node.accept(&id, desk()).await?;
    negotiation(State(node), Path(id)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    reason: String,
}

async fn reject(State(node): Owner, Path(id): Path<String>, Json(why): Json<Why>) -> Answer {
    node.terminate(&id, "rejected", &why.reason).await?;
    negotiation(State(node), Path(id)).await
}

async fn cancel(State(node): Owner, Path(id): Path<String>, Json(why): Json<Why>) -> Answer {
    node.terminate(&id, "cancelled", &why.reason).await?;
    negotiation(State(node), Path(id)).await
}

async fn record(State(node): Owner, Path(id): Path<String>) -> Answer {
    node.record(&id, desk()).await?;
    negotiation(State(node), Path(id)).await
}

async fn contract(State(node): Owner, Path(id): Path<String>) -> Result<impl IntoResponse, Problem> {
    let file = node.contract_file(&id).await?;
    Ok(([(header::CONTENT_TYPE, vocabulary::CONTRACT_MEDIA_TYPE)], Json(file)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ground {
    /// 0 unspecified, 1 completed, 2 by agreement, 3 breach, 4 key compromised, 5 void.
    reason: u8,
}

fn contract_id(text: &str) -> Result<ContractId, Problem> {
    Ok(text.parse::<ContractId>()?)
}

async fn end(State(node): Owner, Path(id): Path<String>, Json(ground): Json<Ground>) -> Answer {
    let transaction = node.end_contract(&contract_id(&id)?, ground.reason).await?;
    Ok(Json(json!({ "transaction": transaction })))
}

async fn withdraw(State(node): Owner, Path(id): Path<String>, Json(ground): Json<Ground>) -> Answer {
    let transaction = node.withdraw(&contract_id(&id)?, ground.reason).await?;
    Ok(Json(json!({ "transaction": transaction })))
}

async fn present(
    State(node): Owner,
    Path(id): Path<String>,
    Json(challenge): Json<Challenge>,
) -> Result<Json<Presentation>, Problem> {
    Ok(Json(node.present(&contract_id(&id)?, &challenge).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Receipt {
    receipt: String,
}

async fn keep_receipt(State(node): Owner, Path(id): Path<String>, Json(body): Json<Receipt>) -> Answer {
    node.keep_receipt(&contract_id(&id)?, &body.receipt).await?;
    Ok(Json(json!({})))
}
